/* Stage 2: the last step before a stranger's code runs. */
#define _GNU_SOURCE
#include "confine_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

/* Our own copies: the build's kernel headers may be older than the kernel that runs it (landlock(7)). */
struct landlock_ruleset {
    uint64_t handled_fs, handled_net, scoped;
};
struct landlock_path {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed));

enum { LANDLOCK_VERSION_FLAG = 1, LANDLOCK_PATH_BENEATH = 1 };
enum {
    FS_EXECUTE = 1 << 0,
    FS_WRITE_FILE = 1 << 1,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_REFER = 1 << 13,
    FS_TRUNCATE = 1 << 14,
    FS_IOCTL_DEV = 1 << 15,
    FS_FIRST_ABI = (1 << 13) - 1,
    /* Character and block devices are never made; everything else a writer of folders needs is. */
    FS_MAKE_DEVICES = 1 << 6 | 1 << 11,
    NET_TCP = 3,
    SCOPES = 3,
};

static uint64_t handled_fs(long abi) {
    uint64_t rights = FS_FIRST_ABI;
    if (abi >= 2)
        rights |= FS_REFER;
    if (abi >= 3)
        rights |= FS_TRUNCATE;
    if (abi >= 5)
        rights |= FS_IOCTL_DEV;
    return rights;
}

static bool allow_path(int ruleset, const struct plan_path *granted, uint64_t handled) {
    struct stat status;
    struct landlock_path rule = {0, open(granted->path, O_PATH | O_CLOEXEC)};
    if (rule.parent_fd < 0)
        return errno == ENOENT; /* nothing to allow: stricter, not looser */
    rule.allowed = FS_READ_FILE | FS_READ_DIR;
    if (granted->writable)
        rule.allowed |= handled & ~(uint64_t)(FS_EXECUTE | FS_MAKE_DEVICES | FS_IOCTL_DEV);
    bool added = !fstat(rule.parent_fd, &status);
    if (added && !S_ISDIR(status.st_mode))
        rule.allowed &= FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE;
    added = added && !syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_PATH_BENEATH, &rule, 0);
    int error = errno;
    close(rule.parent_fd);
    errno = error;
    return added;
}

static void apply_landlock(void) {
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION_FLAG);
    bool scopes = confine_wants(LAYER_LANDLOCK_SCOPE);
    if (abi < 1) {
        confine_missing(LAYER_LANDLOCK, errno);
        if (scopes)
            confine_missing(LAYER_LANDLOCK_SCOPE, errno);
        return;
    }
    struct landlock_ruleset rules = {handled_fs(abi), abi >= 4 ? NET_TCP : 0, scopes && abi >= 6 ? SCOPES : 0};
    /* An older kernel refuses a structure longer than the one it knows unless the rest is zero. */
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
    bool applied = ruleset >= 0;
    for (size_t index = 0; applied && index < confine_plan.path_count; index++)
        applied = allow_path(ruleset, &confine_plan.paths[index], rules.handled_fs);
    applied = applied && !syscall(SYS_landlock_restrict_self, ruleset, 0);
    int error = errno;
    if (ruleset >= 0)
        close(ruleset);
    if (applied)
        confine_achieved(LAYER_LANDLOCK);
    else
        confine_missing(LAYER_LANDLOCK, error);
    if (applied && rules.scoped)
        confine_achieved(LAYER_LANDLOCK_SCOPE);
    else if (scopes)
        confine_missing(LAYER_LANDLOCK_SCOPE, applied ? ENOTSUP : error);
}

/* Puts an empty, read-only file system in the place of the whole tree. */
void confine_enter_empty_root(void) {
    static const char *const places[] = {"/tmp", "/proc", "/dev", "/etc"};
    bool mounted = false;
    if (!(confine_state.achieved >> LAYER_MNTNS & 1u)) {
        confine_missing(LAYER_EMPTY_ROOT, ENOTSUP);
        return;
    }
    for (size_t index = 0; !mounted && index < sizeof places / sizeof *places; index++)
        mounted = !mount("none", places[index], "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                         "size=4k,nr_inodes=2,mode=555") &&
                  !chdir(places[index]);
    /* pivot_root(2): with new and old root the same place, the old one lies on top and is detached. */
    if (mounted && !syscall(SYS_pivot_root, ".", ".") && !umount2(".", MNT_DETACH) && !chdir("/"))
        confine_achieved(LAYER_EMPTY_ROOT);
    else
        confine_missing(LAYER_EMPTY_ROOT, errno);
}

static void verify(enum layer layer, bool holds) {
    if (holds)
        confine_achieved(layer);
    else if (confine_wants(layer))
        confine_missing(layer, EPERM);
    else
        confine_state.achieved &= ~(1u << layer);
}

static bool is_ordinary_uid(void) {
    uid_t real, effective, saved;
    return !getresuid(&real, &effective, &saved) && real && effective && saved;
}

static bool holds_no_caps(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};
    bool none = !syscall(SYS_capget, &header, data);
    for (int half = 0; half < 2; half++)
        none = none && !data[half].effective && !data[half].permitted && !data[half].inheritable;
    for (int number = 0; none && number < 64; number++)
        none = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, number, 0, 0) <= 0;
    return none;
}

/* What the process is counts, not what the steps before said of themselves. */
static void verify_privilege(void) {
    verify(LAYER_UID, is_ordinary_uid());
    verify(LAYER_GROUPS, getgroups(0, NULL) == 0);
    verify(LAYER_CAPS, holds_no_caps());
    verify(LAYER_NO_NEW_PRIVS, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

/* Seccomp and Landlock bind the calling thread: a second one would run on unconfined. */
bool confine_is_single_threaded(void) {
    struct stat tasks;
    if (stat("/proc/self/task", &tasks))
        return true; /* no /proc to ask: the filter is then installed for all threads or not at all */
    return tasks.st_nlink <= 3;
}

static void install_filter(void) {
    struct sock_fprog program = {(unsigned short)(confine_plan.filter_size / sizeof(struct sock_filter)),
                                 (struct sock_filter *)(uintptr_t)confine_plan.filter};
    long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
    if (result == 0)
        confine_achieved(LAYER_SECCOMP);
    else
        confine_missing(LAYER_SECCOMP, result > 0 ? EBUSY : errno);
}

int confine_stage2(void) {
    bool child = confine_plan.stages & STAGE_CHILD;
    if (!child && !(confine_plan.stages & STAGE_SECOND))
        return confine_fail_text("stage 2: the plan does not hold it");
    if (child != (confine_zygote_pid != 0))
        return confine_fail_text("stage 2: the plan is for another way of starting");
    if (child)
        confine_begin_child();
    if ((confine_wants(LAYER_SECCOMP) || confine_wants(LAYER_LANDLOCK)) && !confine_is_single_threaded())
        return confine_fail_text("stage 2: more than one thread runs, the others would stay unconfined");
    /* A child's root is its zygote's, which is empty already or could not be emptied. */
    if (confine_wants(LAYER_EMPTY_ROOT) && !child)
        confine_enter_empty_root();
    if (confine_plan.drop_stage == 2 && geteuid() == 0)
        confine_drop_identity();
    if (confine_wants(LAYER_CAPS))
        confine_drop_caps(0, false);
    if (confine_wants(LAYER_UNDUMPABLE)) {
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
            confine_missing(LAYER_UNDUMPABLE, errno);
        else
            confine_achieved(LAYER_UNDUMPABLE);
    }
    if (confine_bind_to_parent(SIGKILL))
        return -1;
    if (confine_lifeline >= 0) {
        close(confine_lifeline);
        confine_lifeline = -1;
    }
    if (confine_wants(LAYER_LANDLOCK))
        apply_landlock();
    verify_privilege();
    if (confine_wants(LAYER_SECCOMP))
        install_filter();
    if (confine_plan.probe)
        confine_try_effects();
    return 0;
}
