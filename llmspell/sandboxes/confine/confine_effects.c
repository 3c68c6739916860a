/* The effect check: each forbidden thing is tried, in the process that will run the spell.
 *
 * Every probe is harmless when it succeeds: signal 0, opens without writing, a child that only exits. */
#define _GNU_SOURCE
#include "confine_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/* Each probe returns true when it was refused. */
static bool refuses_fd(long fd) {
    if (fd < 0)
        return true;
    close((int)fd);
    return false;
}

/* For calls whose arguments are wrong on purpose: only a filter's own answer counts as a refusal. */
static bool refused_by_filter(long result) { return result < 0 && (errno == EPERM || errno == ENOSYS); }

static bool refuses_root_folder(void) { return refuses_fd(syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }

static bool refuses_passwd(void) { return refuses_fd(syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY | O_CLOEXEC)); }

static bool refuses_openat2(void) {
    struct {
        uint64_t flags, mode, resolve;
    } how = {O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, 0};
    return refuses_fd(syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof how));
}

static bool refuses_open(void) {
#ifdef SYS_open
    return refuses_fd(syscall(SYS_open, "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
#else
    return true;
#endif
}

static bool refuses_nameless_file(void) { return refuses_fd(syscall(SYS_openat, AT_FDCWD, "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)); }

static bool refuses_socket(int family, int type) { return refuses_fd(syscall(SYS_socket, family, type | SOCK_CLOEXEC, 0)); }
static bool refuses_tcp(void) { return refuses_socket(AF_INET, SOCK_STREAM); }
static bool refuses_udp(void) { return refuses_socket(AF_INET, SOCK_DGRAM); }
static bool refuses_tcp6(void) { return refuses_socket(AF_INET6, SOCK_STREAM); }
static bool refuses_unix(void) { return refuses_socket(AF_UNIX, SOCK_STREAM); }
static bool refuses_netlink(void) { return refuses_socket(AF_NETLINK, SOCK_RAW); }
static bool refuses_connect(void) {
    struct sockaddr nowhere = {.sa_family = AF_UNIX};
    return refused_by_filter(syscall(SYS_connect, -1, &nowhere, sizeof nowhere));
}

/* Our waiter or supervisor; 1 is this process itself when it is the first of its namespace. */
static long neighbour(void) {
    long parent = syscall(SYS_getppid);
    return parent > 0 ? parent : (long)confine_plan.parent_pid;
}

static bool refuses_signal_to_all(void) { return syscall(SYS_kill, -1, 0) < 0; }
static bool refuses_signal_to_neighbour(void) {
    long target = neighbour();
    return target <= 0 || syscall(SYS_kill, target, 0) < 0;
}
static bool refuses_pidfd(void) {
    long target = neighbour();
    return target <= 0 || refuses_fd(syscall(SYS_pidfd_open, target, 0));
}
static bool refuses_foreign_memory(void) {
    char byte;
    struct iovec local = {&byte, 1}, remote = {&byte, 1};
    return syscall(SYS_process_vm_readv, neighbour(), &local, 1, &remote, 1, 0) < 0;
}
static bool hides_process(const char *path) { return refuses_fd(syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC)); }
static bool hides_first(void) { return hides_process("/proc/1/status"); }
static bool hides_neighbour(void) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/status", (long)confine_plan.parent_pid);
    return hides_process(path);
}

static bool refuses_child(long pid) {
    if (pid < 0)
        return true;
    if (pid == 0)
        syscall(SYS_exit_group, 0);
    syscall(SYS_wait4, pid, NULL, __WALL, NULL);
    return false;
}
static bool refuses_fork(void) {
#ifdef SYS_fork
    return refuses_child(syscall(SYS_fork));
#else
    return true;
#endif
}
static bool refuses_clone(void) { return refuses_child(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }
static bool refuses_clone3(void) {
    uint64_t arguments[8] = {0};
    arguments[4] = SIGCHLD; /* struct clone_args: exit_signal */
    return refuses_child(syscall(SYS_clone3, arguments, sizeof arguments));
}
static bool refuses_execve(void) {
    char *const none[] = {NULL};
    return refused_by_filter(syscall(SYS_execve, "", none, none));
}
static bool refuses_execveat(void) {
    char *const none[] = {NULL};
    return refused_by_filter(syscall(SYS_execveat, -1, "", none, none, 0));
}

static bool refuses_root(void) { return syscall(SYS_setresuid, 0, 0, 0) < 0; }
static bool refuses_unshare(void) { return refused_by_filter(syscall(SYS_unshare, 0)); }
static bool refuses_setns(void) { return refused_by_filter(syscall(SYS_setns, -1, 0)); }
static bool refuses_ptrace(void) { return refused_by_filter(syscall(SYS_ptrace, PTRACE_PEEKUSER, -1, 0, 0)); }
static bool has_layer(enum layer layer) { return confine_state.achieved >> layer & 1u; }
static bool holds_no_caps(void) { return has_layer(LAYER_CAPS); }
static bool gains_nothing_by_exec(void) { return has_layer(LAYER_NO_NEW_PRIVS); }
static bool has_ordinary_uid(void) { return confine_plan.probe < 2 || has_layer(LAYER_UID); }

static const struct probe {
    enum effect effect;
    const char *name;
    bool (*refused)(void);
} probes[] = {
    {EFFECT_FILES, "openat of /", refuses_root_folder},
    {EFFECT_FILES, "openat of /etc/passwd", refuses_passwd},
    {EFFECT_FILES, "openat2 of /", refuses_openat2},
    {EFFECT_FILES, "open of /", refuses_open},
    {EFFECT_FILES, "nameless file in /tmp", refuses_nameless_file},
    {EFFECT_NETWORK, "IPv4 stream socket", refuses_tcp},
    {EFFECT_NETWORK, "IPv4 datagram socket", refuses_udp},
    {EFFECT_NETWORK, "IPv6 socket", refuses_tcp6},
    {EFFECT_NETWORK, "unix socket", refuses_unix},
    {EFFECT_NETWORK, "netlink socket", refuses_netlink},
    {EFFECT_NETWORK, "connect", refuses_connect},
    {EFFECT_PROCESSES, "signal to every process", refuses_signal_to_all},
    {EFFECT_PROCESSES, "signal to the supervisor", refuses_signal_to_neighbour},
    {EFFECT_PROCESSES, "pidfd of the supervisor", refuses_pidfd},
    {EFFECT_PROCESSES, "memory of the supervisor", refuses_foreign_memory},
    {EFFECT_PROCESSES, "status of process 1", hides_first},
    {EFFECT_PROCESSES, "status of the supervisor", hides_neighbour},
    {EFFECT_SPAWN, "fork", refuses_fork},
    {EFFECT_SPAWN, "clone", refuses_clone},
    {EFFECT_SPAWN, "clone3", refuses_clone3},
    {EFFECT_SPAWN, "execve", refuses_execve},
    {EFFECT_SPAWN, "execveat", refuses_execveat},
    {EFFECT_PRIVILEGE, "setresuid to root", refuses_root},
    {EFFECT_PRIVILEGE, "unshare", refuses_unshare},
    {EFFECT_PRIVILEGE, "setns", refuses_setns},
    {EFFECT_PRIVILEGE, "ptrace", refuses_ptrace},
    {EFFECT_PRIVILEGE, "capabilities left", holds_no_caps},
    {EFFECT_PRIVILEGE, "privilege by exec", gains_nothing_by_exec},
    {EFFECT_PRIVILEGE, "uid of root", has_ordinary_uid},
};

void confine_try_effects(void) {
    memset(&confine_effects, 0, sizeof confine_effects);
    for (int effect = 0; effect < EFFECT_COUNT; effect++)
        confine_effects.held[effect] = true;
    for (size_t index = 0; index < sizeof probes / sizeof *probes; index++) {
        if (probes[index].refused())
            continue;
        confine_effects.held[probes[index].effect] = false;
        if (confine_effects.leak_count < MAX_LEAKS)
            confine_effects.leaks[confine_effects.leak_count++] = probes[index].name;
    }
}
