/* The file system table by raw system calls: FS acts of a program in the worker's place.
 *
 * ACTS: folder, handle.  The folder holds `secret.txt`, `mine.txt` (the attacker's to change), `tool` (a program
 * that may be run and not read) and `masked/`; handle is what name_to_handle_at(2) gave for secret.txt, in hex,
 * or "-". An inherited descriptor of the folder may be among 3..255. */
#define _GNU_SOURCE
#include "in_place.h"
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#ifndef SYS_openat2
#define SYS_openat2 437
#endif

struct how {
    uint64_t flags, mode, resolve;
};

static const char *folder;
static char path[4][4096];

static const char *in(int slot, const char *name) {
    snprintf(path[slot], sizeof path[slot], "%s/%s", folder, name);
    return path[slot];
}

static long shut(long fd) {
    if (fd >= 0)
        close((int)fd);
    return fd;
}

/* One byte of the secret really came: an open descriptor alone is no effect. */
static long readable(long fd) {
    char byte;
    long got = fd < 0 ? -1 : read((int)fd, &byte, 1);
    shut(fd);
    return got == 1 ? 0 : -1;
}

static long reopen(int flags) {
    int handle = open(in(0, flags & O_ACCMODE ? "mine.txt" : "secret.txt"), O_PATH);
    if (handle < 0)
        return -1;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
    long fd = open(link, flags);
    long result = flags & O_ACCMODE ? shut(fd) : readable(fd);
    shut(handle);
    return result;
}

static long open2(const char *name, uint64_t flags, uint64_t resolve) {
    struct how how = {.flags = flags, .resolve = resolve};
    return syscall(SYS_openat2, AT_FDCWD, name, &how, sizeof how);
}

/* Through whatever descriptor is there: a folder of the supervisor's would do. */
static long by_inherited(int above) {
    char name[4096] = "secret.txt";
    if (above)
        snprintf(name, sizeof name, "..%s/secret.txt", strrchr(folder, '/'));
    long result = -1;
    int error = EBADF;
    for (int fd = 0; fd < 256 && result; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            continue;
        result = readable(openat(fd, name, O_RDONLY));
        error = errno;
    }
    errno = error;
    return result;
}

/* 0 when there is any descriptor besides input, output, errors and the channel. */
static long more_descriptors(void) {
    for (int fd = 4; fd < 4096; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            return 0;
    errno = EBADF;
    return -1;
}

/* 0 when one of the standard descriptors or the channel is a file or folder with a place on disk. */
static long descriptor_of_a_file(void) {
    struct stat status;
    for (int fd = 0; fd < 4; fd++)
        if (!fstat(fd, &status) && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)))
            return 0;
    errno = EBADF;
    return -1;
}

static long by_handle(const char *hex) {
    static union {
        struct file_handle head;
        char bytes[sizeof(struct file_handle) + 256];
    } handle;
    char pair[3] = {0};
    size_t count = strlen(hex) / 2;
    for (size_t at = 0; at < count && at < sizeof handle.bytes; at++) {
        memcpy(pair, hex + 2 * at, 2);
        handle.bytes[at] = (char)strtol(pair, NULL, 16);
    }
    long result = -1;
    int roots[] = {open(folder, O_RDONLY | O_DIRECTORY), AT_FDCWD, 0, 1, 2, 3};
    for (size_t at = 0; at < sizeof roots / sizeof *roots && result; at++)
        result = readable(open_by_handle_at(roots[at], &handle.head, O_RDONLY));
    int error = errno;
    shut(roots[0]);
    errno = error;
    return result;
}

static long name_to_handle(void) {
    static union {
        struct file_handle head;
        char bytes[sizeof(struct file_handle) + 128];
    } handle = {.head.handle_bytes = 128};
    int mount;
    return name_to_handle_at(AT_FDCWD, in(0, "secret.txt"), &handle.head, &mount, 0);
}

/* In a child where this is free: it changes the mount table of its own namespace. */
static long peel(void) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) && unshare(CLONE_NEWNS))
        return -1;
    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    if (mount("none", in(0, "masked"), "tmpfs", 0, NULL))
        return -1;
    if (umount2(in(0, "masked"), MNT_DETACH))
        return -1;
    return readable(open(in(1, "masked/secret.txt"), O_RDONLY));
}

static long in_child(int free, long (*act)(void)) {
    if (!free)
        return act();
    pid_t child = fork();
    if (!child)
        _exit(act() ? errno & 127 : 0);
    int status = -1;
    waitpid(child, &status, 0);
    errno = WEXITSTATUS(status);
    return status ? -1 : 0;
}

static long run_tool(void) {
    char *words[] = {(char *)in(0, "tool"), NULL};
    return execv(words[0], words);
}

static long run_setuid(void) {
    char *words[] = {(char *)in(0, "setuid"), NULL};
    return execv(words[0], words);
}

static long set_flags(int fd) {
    int flags = 0;
    if (ioctl(fd, FS_IOC_GETFLAGS, &flags))
        return -1;
    flags ^= FS_NODUMP_FL;
    return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static long set_flags_of(const char *name) {
    int fd = open(name, O_RDONLY);
    long result = fd < 0 ? -1 : set_flags(fd);
    shut(fd);
    return result;
}

static long truncate_open(int how) {
    int fd = open(in(0, "mine.txt"), how == O_TRUNC ? O_WRONLY | O_TRUNC : O_WRONLY);
    long result = fd < 0 ? -1 : how == 1 ? ftruncate(fd, 1L << 40) : how == 2 ? posix_fallocate(fd, 0, 4096) : 0;
    if (how == 2 && result > 0) {
        errno = (int)result;
        result = -1;
    }
    shut(fd);
    return result;
}

static void act(int free, char **words) {
    if (!words[0] || !words[1] || words[2])
        fail("usage");
    folder = words[0];
    const char *secret = in(3, "secret.txt");
    note("FS_12_truncate", truncate(in(0, "mine.txt"), 1));
    note("FS_12_o_trunc", truncate_open(O_TRUNC));
    note("FS_43_sparse", truncate_open(1));
    note("FS_43_fallocate", truncate_open(2));
    note("FS_12_back", truncate(in(0, "mine.txt"), 1));
    note("FS_13_o_path", shut(open(secret, O_PATH)));
    note("FS_13_reopen_to_read", reopen(O_RDONLY));
    note("FS_13_reopen_to_write", reopen(O_WRONLY));
    note("FS_14_proc_root", readable(open("/proc/self/root/etc/passwd", O_RDONLY)));
    note("FS_14_proc_exe", readable(open("/proc/self/exe", O_RDONLY)));
    note("FS_17_mountinfo", readable(open("/proc/self/mountinfo", O_RDONLY)));
    note("FS_17_cmdline", readable(open("/proc/1/cmdline", O_RDONLY)));
    note("FS_18_inherited", by_inherited(0));
    note("FS_18_inherited_above", by_inherited(1));
    note("FS_18_more_descriptors", more_descriptors());
    note("FS_18_of_a_file", descriptor_of_a_file());
    note("FS_19_openat2", readable(open2(secret, O_RDONLY, 0)));
    note("FS_19_openat2_in_root", readable(open2("/proc/self/root/etc/passwd", O_RDONLY, 0)));
    note("FS_19_openat2_o_path", shut(open2(secret, O_PATH, 0)));
    note("FS_19_openat", readable(openat(AT_FDCWD, secret, O_RDONLY)));
#ifdef SYS_open
    note("FS_19_open", readable(syscall(SYS_open, secret, O_RDONLY)));
#endif
    note("FS_21_name_to_handle", name_to_handle());
    if (strcmp(words[1], "-"))
        note("FS_21_open_by_handle", by_handle(words[1]));
    note("FS_22_peel", in_child(free, peel));
    note("FS_22_mount", free ? 0 : mount("none", "/", "tmpfs", 0, NULL));
    note("FS_22_bind", free ? 0 : mount("/proc", "/", NULL, MS_BIND | MS_REC, NULL));
    note("FS_22_unmount", free ? 0 : umount2("/", MNT_DETACH));
    note("FS_22_pivot_root", free ? 0 : syscall(SYS_pivot_root, "/", "/"));
    note("FS_22_chroot", free ? 0 : chroot("/"));
    note("FS_22_unshare_mounts", free ? 0 : unshare(CLONE_NEWNS));
    note("FS_27_chmod_setuid", chmod(in(0, "mine.txt"), 04755));
    note("FS_27_fchmod_channel", free ? 0 : fchmod(3, 04777));
    note("FS_27_chmod_back", chmod(in(0, "mine.txt"), 0644));
    note("FS_28_chown", chown(in(0, "mine.txt"), getuid(), getgid()));
    note("FS_28_lchown", lchown(in(0, "mine.txt"), getuid(), getgid()));
    note("FS_28_setxattr", setxattr(in(0, "mine.txt"), "user.x", "x", 1, 0));
    note("FS_28_getxattr", getxattr(in(0, "mine.txt"), "user.x", (char[8]){0}, 8));
    note("FS_28_listxattr", listxattr(in(0, "mine.txt"), (char[64]){0}, 64));
    note("FS_28_removexattr", removexattr(in(0, "mine.txt"), "user.x"));
    note("FS_28_chattr", set_flags_of(in(0, "mine.txt")));
    note("FS_28_utimes", utimensat(AT_FDCWD, in(0, "mine.txt"), NULL, 0));
    note("FS_28_fchown_channel", free ? 0 : fchown(3, getuid(), getgid()));
    note("FS_28_fsetxattr_channel", free ? 0 : fsetxattr(3, "user.x", "x", 1, 0));
    note("FS_28_ioctl_channel", free ? 0 : set_flags(3));
    note("FS_09_link", link(in(0, "mine.txt"), in(1, "linked")));
    note("FS_09_linkat", linkat(AT_FDCWD, in(0, "mine.txt"), AT_FDCWD, in(1, "linked-at"), 0));
    note("FS_03_symlink", symlink("/etc/passwd", in(1, "soft")));
    note("FS_11_rename", rename(in(0, "linked"), in(1, "linked-at2")));
    note("FS_11_exchange", syscall(SYS_renameat2, AT_FDCWD, in(0, "mine.txt"), AT_FDCWD, in(1, "linked-at"), 2));
    note("FS_24_mknod", mknod(in(0, "pipe"), S_IFIFO | 0600, 0));
    note("FS_48_chdir", chdir(folder));
    note("FS_48_relative", readable(open("secret.txt", O_RDONLY)));
    note("FS_48_stat", access(secret, F_OK));
    note("FS_48_stat_absent_is_the_same",
         access(secret, F_OK) < 0 && ({ int first = errno; access(in(0, "absent"), F_OK) < 0 && errno == first; }) ? -1 : 0);
    note("FS_54_read_tool", readable(open(in(0, "tool"), O_RDONLY)));
    note("FS_54_write_tool", shut(open(in(0, "tool"), O_WRONLY)));
    note("FS_54_run_tool", in_child(free, run_tool));
    note("FS_27_run_setuid", in_child(free, run_setuid));
}

int main(int count, char **words) { return in_place(count, words, act); }
