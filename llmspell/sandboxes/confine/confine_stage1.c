/* Stage 1: what must happen before the engine is loaded or another program takes this one's place. */
#define _GNU_SOURCE
#include "confine_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/capability.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

#define CAPABILITY(number) (1ull << (number))

static uint64_t effective_caps(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};
    if (syscall(SYS_capget, &header, data))
        return 0;
    return data[0].effective | (uint64_t)data[1].effective << 32;
}

static int set_caps(uint64_t caps) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    for (int half = 0; half < 2; half++) {
        uint32_t bits = (uint32_t)(caps >> (32 * half));
        data[half] = (struct __user_cap_data_struct){bits, bits, bits};
    }
    return (int)syscall(SYS_capset, &header, data);
}

void confine_drop_caps(uint64_t keep, bool across_exec) {
    uint64_t wanted = keep & effective_caps();
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    /* Without CAP_SETPCAP the bounding set stays; no-new-privs then makes it worthless. */
    for (int number = 0; number < 64; number++)
        if (!(wanted >> number & 1u) && prctl(PR_CAPBSET_READ, number, 0, 0, 0) == 1)
            prctl(PR_CAPBSET_DROP, number, 0, 0, 0);
    if (set_caps(wanted)) {
        confine_missing(LAYER_CAPS, errno);
        return;
    }
    for (int number = 0; across_exec && number < 64; number++)
        if (wanted >> number & 1u)
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0);
    confine_achieved(LAYER_CAPS);
}

void confine_drop_identity(void) {
    uid_t real, effective, saved;
    if (setgroups(0, NULL))
        confine_missing(LAYER_GROUPS, errno);
    else
        confine_achieved(LAYER_GROUPS);
    /* Keeps what the caller still needs; the caller drops the rest with confine_drop_caps. */
    prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
    if (setresgid(confine_plan.gid, confine_plan.gid, confine_plan.gid) ||
        setresuid(confine_plan.uid, confine_plan.uid, confine_plan.uid)) {
        confine_missing(LAYER_UID, errno);
        return;
    }
    prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
    /* KEEPCAPS keeps the permitted set only; make it usable again until confine_drop_caps. */
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};
    if (!syscall(SYS_capget, &header, data)) {
        data[0].effective = data[0].permitted;
        data[1].effective = data[1].permitted;
        syscall(SYS_capset, &header, data);
    }
    if (getresuid(&real, &effective, &saved) || real != confine_plan.uid || saved != confine_plan.uid)
        confine_missing(LAYER_UID, EPERM);
    else
        confine_achieved(LAYER_UID);
}

int confine_bind_to_parent(int signal_number) {
    if (!confine_wants(LAYER_PARENT_DEATH))
        return 0;
    if (prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0))
        confine_missing(LAYER_PARENT_DEATH, errno);
    else
        confine_achieved(LAYER_PARENT_DEATH);
    if (confine_lifeline >= 0) {
        struct pollfd lifeline = {confine_lifeline, 0, 0};
        if (poll(&lifeline, 1, 0) > 0 && lifeline.revents & POLLHUP)
            return confine_fail_text("the waiter is gone");
    } else if (!confine_state.in_pidns) {
        /* In a namespace of its own the kernel ends a process together with the namespace above. */
        uint32_t parent = confine_zygote_pid ? (uint32_t)confine_zygote_pid : confine_plan.parent_pid;
        if (parent && (uint32_t)getppid() != parent)
            return confine_fail_text(confine_zygote_pid ? "the zygote is gone" : "the supervisor is gone");
    }
    return 0;
}

static int compare_fds(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

int confine_close_between(unsigned first, unsigned last) {
    if (first > last)
        return 0;
    if (!syscall(SYS_close_range, first, last, 0))
        return 0;
    /* Before Linux 5.9: no close_range; the table is no larger than its limit. */
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return -1;
    rlim_t end = limit.rlim_max > 1u << 20 ? 1u << 20 : limit.rlim_max;
    for (rlim_t fd = first; fd <= last && fd < end; fd++)
        close((int)fd);
    return 0;
}

static bool usage_is_asked;

static void find_usage_pipe(void) {
    struct stat status;
    usage_is_asked = !fstat(USAGE_FD, &status) && S_ISFIFO(status.st_mode);
    if (usage_is_asked)
        confine_plan.kept_fds[confine_plan.kept_count++] = USAGE_FD;
}

/* wait4 can't tell it: the peak of the process that spawned us was counted into ours at exec. */
static void tell_usage(const struct rusage *usage) {
    uint64_t peak_kib = (uint64_t)usage->ru_maxrss;
    if (usage_is_asked && write(USAGE_FD, &peak_kib, sizeof peak_kib) < 0)
        return; /* the supervisor is gone: nobody is left to tell */
}

static void close_foreign_fds(void) {
    uint32_t *kept = confine_plan.kept_fds;
    uint32_t next = CHANNEL_FD + 1;
    int failed = 0;
    qsort(kept, confine_plan.kept_count, sizeof *kept, compare_fds);
    for (size_t index = 0; index < confine_plan.kept_count; index++) {
        failed |= kept[index] > next ? confine_close_between(next, kept[index] - 1) : 0;
        next = kept[index] + 1;
    }
    failed |= confine_close_between(next, UINT32_MAX);
    if (failed)
        confine_missing(LAYER_FDS, errno);
    else
        confine_achieved(LAYER_FDS);
}

void confine_set_limits(void) {
    int error = 0;
    for (size_t index = 0; index < confine_plan.limit_count; index++) {
        const struct plan_limit *wanted = &confine_plan.limits[index];
        struct rlimit limit;
        if (getrlimit((int)wanted->resource, &limit)) {
            error = errno;
            continue;
        }
        /* An inherited limit that is already tighter stays. */
        if (wanted->value < limit.rlim_max)
            limit.rlim_max = wanted->value;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit((int)wanted->resource, &limit))
            error = errno;
    }
    if (error)
        confine_missing(LAYER_RLIMITS, error);
    else
        confine_achieved(LAYER_RLIMITS);
}

void confine_enter_session(void) {
    if (!confine_wants(LAYER_SESSION))
        return;
    if (setsid() < 0 && getsid(0) != getpid())
        confine_missing(LAYER_SESSION, errno);
    else
        confine_achieved(LAYER_SESSION);
}

static bool write_proc_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t written = write(fd, text, strlen(text));
    int error = errno;
    close(fd);
    errno = error;
    return written == (ssize_t)strlen(text);
}

static bool enter_user_namespace(void) {
    unsigned uid = geteuid(), gid = getegid();
    char map[64];
    /* A process that left its uid is not dumpable and then may not write its own map. */
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    if (unshare(CLONE_NEWUSER)) {
        confine_missing(LAYER_USERNS, errno);
        return false;
    }
    bool mapped = write_proc_file("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "%u %u 1", uid, uid);
    mapped = write_proc_file("/proc/self/uid_map", map) && mapped;
    snprintf(map, sizeof map, "%u %u 1", gid, gid);
    mapped = write_proc_file("/proc/self/gid_map", map) && mapped;
    if (mapped)
        confine_achieved(LAYER_USERNS);
    else
        confine_missing(LAYER_USERNS, errno);
    return mapped;
}

static bool enter_namespace(enum layer layer, int flag) {
    if (!confine_wants(layer))
        return false;
    if (unshare(flag)) {
        confine_missing(layer, errno);
        return false;
    }
    confine_achieved(layer);
    return true;
}

static void enter_namespaces(void) {
    bool privileged = effective_caps() & CAPABILITY(CAP_SYS_ADMIN);
    /* uid 0 can't be left again from inside a user namespace that maps only itself. */
    bool possible = geteuid() != 0 || privileged;
    if (!privileged && confine_wants(LAYER_USERNS)) {
        if (possible)
            enter_user_namespace();
        else
            confine_missing(LAYER_USERNS, EPERM);
    }
    enter_namespace(LAYER_NETNS, CLONE_NEWNET);
    enter_namespace(LAYER_IPCNS, CLONE_NEWIPC);
    enter_namespace(LAYER_UTSNS, CLONE_NEWUTS);
    enter_namespace(LAYER_CGROUPNS, CLONE_NEWCGROUP);
    if (enter_namespace(LAYER_MNTNS, CLONE_NEWNS) && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
        confine_missing(LAYER_MNTNS, errno);
    confine_state.in_pidns = enter_namespace(LAYER_PIDNS, CLONE_NEWPID);
}

/* SIGKILLs this process's own children: how many were there, -1 when the kernel does not list them. */
static int kill_children(void) {
    char buffer[4096], path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t got = read(fd, buffer, sizeof buffer - 1);
    close(fd);
    if (got < 0)
        return -1;
    /* A number cut at the buffer's end would name a stranger. */
    while (got == (ssize_t)sizeof buffer - 1 && got > 0 && buffer[got - 1] != ' ')
        got--;
    buffer[got] = 0;
    int killed = 0;
    char *end = buffer;
    for (long pid = strtol(buffer, &end, 10); pid > 0; pid = strtol(end, &end, 10))
        killed += !kill((pid_t)pid, SIGKILL);
    return killed;
}

/* Ends what is left below a subreaper; each round orphans the next layer of the tree to us. */
static void kill_descendants(void) {
    for (int round = 0; round < 10000; round++) {
        int killed = kill_children();
        if (killed < 0)
            return;
        for (int reaped = 0; reaped < killed; reaped++)
            waitpid(-1, NULL, 0);
        if (!killed && waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
            return;
    }
}

static void end_like(int status) {
    struct rlimit no_core = {0, 0};
    if (WIFEXITED(status))
        _exit(WEXITSTATUS(status));
    int number = WTERMSIG(status);
    sigset_t one;
    setrlimit(RLIMIT_CORE, &no_core);
    signal(number, SIG_DFL);
    sigemptyset(&one);
    sigaddset(&one, number);
    kill(getpid(), number);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    _exit(128 + number);
}

static volatile sig_atomic_t waiter_child;

static void kill_child(int number) {
    (void)number;
    kill((pid_t)waiter_child, SIGKILL);
}

/* The original process: holds nothing but the lifeline and mirrors the child's end. */
__attribute__((noreturn)) static void wait_for(pid_t child, int lifeline_writer) {
    bool sweeps = confine_wants(LAYER_SUBREAPER);
    struct sigaction ask_to_end = {0};
    struct rusage usage = {0};
    int status = 0;
    waiter_child = child;
    ask_to_end.sa_handler = kill_child;
    sigaction(SIGTERM, &ask_to_end, NULL);
    /* Beside the lifeline only the pipe that is above or below it. */
    uint32_t low = (uint32_t)lifeline_writer, high = usage_is_asked ? USAGE_FD : low;
    if (low > high) {
        high = low;
        low = USAGE_FD;
    }
    confine_close_between(0, low - 1);
    confine_close_between(low + 1, high - 1);
    confine_close_between(high + 1, UINT32_MAX);
    if (!sweeps) {
        /* The child's death signal is sent with the waiter's rights: it keeps those, and no other. */
        if (confine_plan.drop_stage && geteuid() == 0)
            confine_drop_identity();
        confine_drop_caps(CAPABILITY(CAP_KILL), false);
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    }
    /* The supervisor was this process's parent all along, whatever namespace its children are in. */
    bool in_pidns = confine_state.in_pidns;
    confine_state.in_pidns = false;
    confine_lifeline = -1;
    if (confine_bind_to_parent(sweeps ? SIGTERM : SIGKILL))
        kill(child, SIGKILL);
    for (;;) {
        pid_t ended = wait4(sweeps ? -1 : child, &status, 0, &usage);
        if (ended == child)
            break;
        if (ended < 0 && errno != EINTR)
            _exit(70);
    }
    tell_usage(&usage);
    if (sweeps && !in_pidns)
        kill_descendants();
    end_like(status);
    _exit(70);
}

static int report_writer = -1;

static int fork_below_waiter(void) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        return confine_fail("pipe");
    pid_t child = fork();
    if (child < 0)
        return confine_fail("fork");
    if (child > 0)
        wait_for(child, ends[1]);
    confine_lifeline = ends[0];
    confine_state.has_waiter = 1;
    report_writer = ends[1];
    return 0;
}

/* The program that takes our place finds our report, and behind it the lifeline, at one fixed descriptor. */
static int hand_over(void) {
    int ends[2] = {confine_lifeline, report_writer};
    if (!confine_plan.handover) {
        if (report_writer >= 0)
            close(report_writer);
        return 0;
    }
    if (ends[1] < 0 && pipe2(ends, O_CLOEXEC))
        return confine_fail("pipe");
    bool told = write(ends[1], &confine_state, sizeof confine_state) == (ssize_t)sizeof confine_state;
    /* The reader may already sit at the fixed number: dup2 onto itself would keep it closed on exec. */
    int reader = fcntl(ends[0], F_DUPFD, HANDOVER_FD + 1);
    close(ends[0]);
    close(ends[1]);
    if (!told || reader < 0 || dup2(reader, HANDOVER_FD) < 0)
        return confine_fail("handing over to the program");
    close(reader);
    if (confine_state.has_waiter)
        confine_lifeline = HANDOVER_FD;
    return 0;
}

static uint64_t caps_for_stage2(void) {
    uint64_t keep = 0;
    if (confine_plan.drop_stage == 2 && geteuid() == 0)
        /* CAP_KILL: the death signal of a zygote's child is sent with the zygote's rights. */
        keep |= CAPABILITY(CAP_SETUID) | CAPABILITY(CAP_SETGID) | CAPABILITY(CAP_SETPCAP) | CAPABILITY(CAP_KILL);
    if (confine_wants(LAYER_EMPTY_ROOT) && (confine_state.achieved >> LAYER_MNTNS & 1u))
        keep |= CAPABILITY(CAP_SYS_ADMIN) | CAPABILITY(CAP_SETPCAP);
    return keep;
}

static void drop_privileges(void) {
    if (confine_plan.drop_stage == 1 && geteuid() == 0)
        confine_drop_identity();
    if (confine_wants(LAYER_CAPS))
        confine_drop_caps(caps_for_stage2(), confine_plan.handover);
    if (confine_wants(LAYER_NO_NEW_PRIVS)) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
            confine_missing(LAYER_NO_NEW_PRIVS, errno);
        else
            confine_achieved(LAYER_NO_NEW_PRIVS);
    }
}

int confine_stage1(void) {
    if (!(confine_plan.stages & STAGE_FIRST))
        return confine_fail_text("stage 1: the plan does not hold it");
    find_usage_pipe();
    if (confine_wants(LAYER_FDS))
        close_foreign_fds();
    confine_enter_session();
    if (confine_wants(LAYER_RLIMITS))
        confine_set_limits();
    if (geteuid() == 0 && confine_plan.drop_stage == 1 && !(effective_caps() & CAPABILITY(CAP_SYS_ADMIN)))
        confine_drop_identity();
    enter_namespaces();
    if (confine_wants(LAYER_SUBREAPER)) {
        if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
            confine_missing(LAYER_SUBREAPER, errno);
        else
            confine_achieved(LAYER_SUBREAPER);
    }
    bool needs_waiter = confine_state.in_pidns || confine_wants(LAYER_SUBREAPER) || usage_is_asked;
    if (needs_waiter && fork_below_waiter())
        return -1;
    if (usage_is_asked)
        close(USAGE_FD);
    drop_privileges();
    if (confine_wants(LAYER_UNDUMPABLE)) {
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
            confine_missing(LAYER_UNDUMPABLE, errno);
        else
            confine_achieved(LAYER_UNDUMPABLE);
    }
    if (hand_over())
        return -1;
    return confine_bind_to_parent(SIGKILL);
}
