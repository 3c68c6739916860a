/* A zygote: a process with an engine booted and no spell, of which each run's worker is a fork.
 *
 * It holds no secret and never reads a byte that a spell or worker wrote. Its namespaces and its empty root are
 * its children's too; each child gets a process namespace of its own, and by its own plan its limits, uid,
 * Landlock domain and filter, and tries every forbidden thing itself.
 *
 * Descriptor 3 is a stream socket to the supervisor. Both sides speak in fixed structures of this machine:
 *
 *   zygote -> supervisor   u32 READY, u32 VERSION                          once, when orders are taken
 *   supervisor -> zygote   u32 number  + two descriptors: channel, pipe    fork a child that has this channel
 *   zygote -> supervisor   u32 number, i32 errno  + a pidfd when errno is 0
 *   zygote -> that pipe    i32 wait status, u32 0, u64 cpu in microseconds, u64 peak memory in KiB   at its end
 *
 * A pipe that ends without that record means the zygote is gone, and with it the child. */
#define _GNU_SOURCE
#include "confine_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

enum { READY = 0x5a50534c, PROTOCOL = 1, CHILDREN_MOST = 512, FDS_OF_AN_ORDER = 2 };

struct ready {
    uint32_t magic, version;
};
struct answer {
    uint32_t number;
    int32_t error;
};
struct ending {
    int32_t status;
    uint32_t reserved;
    uint64_t cpu_microseconds, peak_kib;
};

union control_space {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * FDS_OF_AN_ORDER)];
};

int confine_zygote_pid;

static struct child {
    pid_t pid;
    int pipe;
} children[CHILDREN_MOST];
static size_t child_count;

/* Our own process namespace, to come back to after each fork into a new one. -1: there is none. */
static int home_namespace = -1;

/* Where a child finds /dev/null once the root is empty; no child keeps it. */
static int device_folder = -1;

/* What a runtime that has locks wants to be called around each fork. */
static void (*runtime_before_fork)(void), (*runtime_in_zygote)(void), (*runtime_in_child)(void);

void confine_zygote_around_fork(void (*before)(void), void (*in_zygote)(void), void (*in_child)(void)) {
    runtime_before_fork = before;
    runtime_in_zygote = in_zygote;
    runtime_in_child = in_child;
}

int confine_zygote_prepare(void) {
    if (!(confine_plan.stages & STAGE_ZYGOTE))
        return confine_fail_text("zygote: the plan does not make one");
    if (!confine_is_single_threaded())
        return confine_fail_text("zygote: more than one thread runs, a fork would copy only one");
    if (confine_state.achieved >> LAYER_PIDNS & 1u)
        home_namespace = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    device_folder = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (device_folder < 0)
        return confine_fail("open of /dev");
    if (confine_wants(LAYER_EMPTY_ROOT))
        confine_enter_empty_root();
    /* The exec of the program made it readable again to whoever has its uid. */
    if (confine_wants(LAYER_UNDUMPABLE) && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
        return confine_fail("prctl");
    if (confine_bind_to_parent(SIGKILL))
        return -1;
    if (confine_lifeline >= 0) {
        close(confine_lifeline);
        confine_lifeline = -1;
    }
    return 0;
}

static void wake_up(int number) { (void)number; }

/* Tells how each ended child ended, to whoever waits for it. */
static void bury_children(void) {
    struct rusage usage;
    int status;
    pid_t pid;
    while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
        for (size_t index = 0; index < child_count; index++) {
            if (children[index].pid != pid)
                continue;
            uint64_t microseconds = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000u +
                                    (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
            struct ending ending = {status, 0, microseconds, (uint64_t)usage.ru_maxrss};
            /* Fits into an empty pipe as a whole. Refused: nobody waits for this child any more. */
            ssize_t told = write(children[index].pipe, &ending, sizeof ending);
            (void)told;
            close(children[index].pipe);
            children[index] = children[--child_count];
            break;
        }
    }
}

static void give(const struct answer *answer, int pidfd) {
    union control_space space = {0};
    struct iovec bytes = {(void *)(uintptr_t)answer, sizeof *answer};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
    if (pidfd >= 0) {
        message.msg_control = space.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof pidfd);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof pidfd);
        memcpy(CMSG_DATA(header), &pidfd, sizeof pidfd);
    }
    while (sendmsg(CHANNEL_FD, &message, MSG_NOSIGNAL) < 0)
        if (errno != EINTR)
            _exit(0); /* the supervisor is gone, and our end ends every child */
}

/* What waiting for orders changed in the process, and a child gets back. */
struct signals {
    sigset_t mask;
    struct sigaction on_child, on_pipe;
};

static bool is_null_device(int fd) {
    struct stat status;
    return !fstat(fd, &status) && S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
}

/* What a fork shares with the zygote is shared with every sibling: status flags that one of them sets on it, all of
 * them can read. */
static int replace_shared_null(void) {
    int own = openat(device_folder, "null", O_RDWR | O_CLOEXEC);
    if (own < 0)
        return -1;
    for (int fd = 0; fd < CHANNEL_FD; fd++)
        if (is_null_device(fd) && dup2(own, fd) < 0)
            return -1;
    return close(own);
}

/* Becomes what an exec'ed worker is before its stage 2: its channel, and nothing of the zygote's. */
static void become_child(const int *fds, pid_t zygote, bool own_namespace, const struct signals *before) {
    confine_zygote_pid = zygote;
    confine_state.in_pidns = own_namespace || confine_state.in_pidns;
    if (!own_namespace && confine_state.achieved >> LAYER_PIDNS & 1u)
        confine_missing(LAYER_PIDNS, EPERM);
    if (sigaction(SIGCHLD, &before->on_child, NULL) || sigaction(SIGPIPE, &before->on_pipe, NULL) ||
        sigprocmask(SIG_SETMASK, &before->mask, NULL))
        _exit(77);
    /* Closed first: where descriptors are few there is then room for one more. */
    if (dup2(fds[0], CHANNEL_FD) < 0 || confine_close_between(CHANNEL_FD + 1, (unsigned)device_folder - 1) ||
        confine_close_between((unsigned)device_folder + 1, UINT32_MAX) || replace_shared_null() || close(device_folder))
        _exit(77);
    home_namespace = device_folder = -1;
    if (runtime_in_child)
        runtime_in_child();
}

/* 1 in the child, 0 in the zygote. `error`: why there can be none. */
static int fork_child(uint32_t number, int error, const int *fds, const struct signals *before) {
    struct answer answer = {number, error};
    int pidfd = -1;
    pid_t zygote = getpid(), pid = -1;
    if (!error && child_count == CHILDREN_MOST)
        answer.error = EAGAIN;
    if (!answer.error) {
        bool apart = home_namespace >= 0 && !unshare(CLONE_NEWPID);
        if (runtime_before_fork)
            runtime_before_fork();
        pid = fork();
        if (pid == 0) {
            become_child(fds, zygote, apart, before);
            return 1;
        }
        answer.error = pid < 0 ? errno : 0;
        if (runtime_in_zygote)
            runtime_in_zygote();
        if (apart && setns(home_namespace, CLONE_NEWPID))
            home_namespace = -1; /* the next child then says that it has no namespace of its own */
    }
    if (fds[0] >= 0)
        close(fds[0]);
    if (pid < 0) {
        if (fds[1] >= 0)
            close(fds[1]);
    } else {
        children[child_count++] = (struct child){pid, fds[1]};
        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (pidfd < 0) {
            answer.error = errno;
            kill(pid, SIGKILL); /* without a handle nobody could end it: it may not begin */
        }
    }
    give(&answer, pidfd);
    if (pidfd >= 0)
        close(pidfd);
    return 0;
}

/* One order with its two descriptors: 0, or EMFILE when there was no room for both. The supervisor is trusted: what
 * is no order ends the zygote. */
static int take_order(uint32_t *number, int *fds) {
    union control_space space = {0};
    struct iovec bytes = {number, sizeof *number};
    struct msghdr message = {
        .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = space.bytes, .msg_controllen = sizeof space.bytes};
    ssize_t got;
    do
        got = recvmsg(CHANNEL_FD, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof *number)
        _exit(got == 0 ? 0 : 77);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    size_t size = header && header->cmsg_type == SCM_RIGHTS ? header->cmsg_len - CMSG_LEN(0) : 0;
    fds[0] = fds[1] = -1;
    if (size)
        memcpy(fds, CMSG_DATA(header), size);
    if (message.msg_flags & MSG_CTRUNC)
        return EMFILE;
    if (size != sizeof(int) * FDS_OF_AN_ORDER)
        _exit(77);
    return 0;
}

int confine_zygote_serve(void) {
    struct ready ready = {READY, PROTOCOL};
    /* A pipe whose reader is gone is no reason to end every child. */
    struct sigaction on_child = {.sa_handler = wake_up}, on_pipe = {.sa_handler = SIG_IGN};
    struct signals before;
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &blocked, &before.mask) || sigaction(SIGCHLD, &on_child, &before.on_child) ||
        sigaction(SIGPIPE, &on_pipe, &before.on_pipe))
        return confine_fail("waiting for children");
    if (send(CHANNEL_FD, &ready, sizeof ready, MSG_NOSIGNAL) != (ssize_t)sizeof ready)
        return confine_fail("telling that the zygote is ready");
    for (;;) {
        struct pollfd control = {CHANNEL_FD, POLLIN, 0};
        /* A child's end may come only here, between two orders: no signal is lost and no call is cut. */
        int count = ppoll(&control, 1, NULL, &before.mask);
        if (count < 0 && errno != EINTR)
            _exit(77);
        bury_children();
        if (count > 0) {
            uint32_t number;
            int fds[FDS_OF_AN_ORDER];
            int error = take_order(&number, fds);
            if (fork_child(number, error, fds, &before))
                return 0;
        }
    }
}

void confine_begin_child(void) {
    if (confine_wants(LAYER_FDS))
        confine_achieved(LAYER_FDS); /* closed in become_child, or this process would have ended */
    else
        confine_state.achieved &= ~(1u << LAYER_FDS);
    confine_state.achieved &= ~(1u << LAYER_SESSION | 1u << LAYER_RLIMITS);
    confine_enter_session();
    if (confine_wants(LAYER_RLIMITS))
        confine_set_limits();
}
