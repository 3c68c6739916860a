/* Makes the system calls that its words describe, in a worker's place or outside (see in_place.h).
 *
 * Each word is NAME=CALL,ARGUMENT,.. where CALL is a number or one of the acts below, and an argument is an integer,
 * `b` (a buffer of zeros), `t:TEXT` (a string) or `l` (what the last call that worked returned).
 * The answer to NAME is the error, 0 where it worked. Outside, the word `namespaces` first makes those that a user
 * may make, and what may end the process is done in a child, whose signal is the answer. */
#define _GNU_SOURCE
#include "in_place.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

enum { ARGUMENTS = 6, NUMBERS = 472 };

static char zeros[1 << 16] __attribute__((aligned(4096)));
static long last;

static void write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY);
    if (fd >= 0 && write(fd, text, strlen(text)) < 0)
        errno = 0; /* the acts then say what it could not do */
    close(fd);
}

static void make_namespaces(void) {
    char map[32];
    unsigned uid = geteuid(), gid = getegid();
    if (unshare((uid ? CLONE_NEWUSER : 0) | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC))
        return;
    if (uid) {
        write_file("/proc/self/setgroups", "deny");
        snprintf(map, sizeof map, "0 %u 1", uid);
        write_file("/proc/self/uid_map", map);
        snprintf(map, sizeof map, "0 %u 1", gid);
        write_file("/proc/self/gid_map", map);
    }
    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

/* With arguments that are no use to any call. Numbers that end, stop or duplicate the caller are left out; so are two
 * that the kernel passes by every filter and that end it (335 and 336, uprobes). */
static void scan(int free) {
    static const short always[] = {SYS_exit, SYS_exit_group, SYS_rt_sigreturn, 335, 336, 0};
    static const short outside[] = {SYS_msgget, SYS_sync, SYS_vhangup, SYS_reboot, SYS_umask, SYS_setsid,
#ifdef SYS_fork
                                    SYS_fork, SYS_vfork, SYS_pause, SYS_alarm,
#endif
                                    0};
    for (long number = 0; number < NUMBERS; number++) {
        int left_out = 0;
        for (const short *one = always; *one; one++)
            left_out |= *one == number;
        for (const short *one = outside; free && *one; one++)
            left_out |= *one == number;
        if (left_out)
            continue;
        char name[16];
        snprintf(name, sizeof name, "%ld", number);
        errno = 0;
        note(name, number == SYS_read ? read(-1, zeros, 1) : syscall(number, -1l, -1l, -1l, -1l, -1l, -1l));
    }
}

static void tell_layout(void) {
    int here;
    note_number("stack", (long)&here);
    note_number("library", (long)(uintptr_t)dlsym(RTLD_DEFAULT, "getenv"));
    note_number("heap", (long)malloc(1 << 20));
}

#ifdef __x86_64__
/* Which entry of the page: 0x400 time, 0x800 getcpu (arch/x86/entry/vsyscall). */
static long call_vsyscall(long at) {
    unsigned word = 0;
    long (*entry)(unsigned *, void *, void *) = (long (*)(unsigned *, void *, void *))(0xffffffffff600000ul + (unsigned long)at);
    long result = entry(at == 0x400 ? NULL : &word, NULL, NULL);
    if (result < 0 && result > -4096) {
        errno = (int)-result;
        return -1;
    }
    return 0;
}

static long call_32_bit(long number) {
    long result = number;
    __asm__ volatile("int $0x80" : "+a"(result) : "b"(0l) : "memory", "r8", "r9", "r10", "r11");
    return result < 0 ? -1 : 0;
}
#else
static long call_vsyscall(long at) {
    (void)at;
    errno = ENOSYS;
    return -1;
}
static long call_32_bit(long number) { return call_vsyscall(number); }
#endif

static long argument(char *word) {
    if (!strcmp(word, "b"))
        return (long)zeros;
    if (!strcmp(word, "l"))
        return last;
    if (!strncmp(word, "t:", 2))
        return (long)(word + 2);
    return (long)strtoull(word, NULL, 0);
}

/* The kernel looks up the owner of such a lock by the number in it: whether there is one shows in the error. */
static long ask_by_lock(long pid) {
    unsigned lock = (unsigned)pid;
    struct timespec now = {0, 1};
    return syscall(SYS_futex, &lock, FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG, 0l, &now, 0l, 0l);
}

static long perform(char *call, long *values) {
    if (!strcmp(call, "lock"))
        return ask_by_lock(values[0]);
    if (!strcmp(call, "vsyscall"))
        return call_vsyscall(values[0]);
    if (!strcmp(call, "int80"))
        return call_32_bit(values[0]);
    return syscall(strtol(call, NULL, 0), values[0], values[1], values[2], values[3], values[4], values[5]);
}

/* Outside, an act that may end the process: its signal. */
static int in_child(char *call, long *values) {
    int status = 0;
    pid_t child = fork();
    if (!child) {
        perform(call, values);
        _exit(0);
    }
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void act(int free, char **words) {
    long self = syscall(SYS_getpid);
    for (char **word = words; *word; word++) {
        long values[ARGUMENTS] = {0};
        char *name = *word, *call = strchr(name, '='), *rest = NULL;
        if (!strcmp(name, "namespaces") && free)
            make_namespaces();
        else if (!strcmp(name, "scan"))
            scan(free);
        else if (!strcmp(name, "layout"))
            tell_layout();
        else if (!strcmp(name, "stay"))
            for (uint32_t size = 0;;)
                read_frame(&size);
        if (!call)
            continue;
        *call++ = 0;
        strtok_r(call, ",", &rest);
        for (int index = 0; index < ARGUMENTS; index++) {
            char *one = strtok_r(NULL, ",", &rest);
            if (!one)
                break;
            values[index] = argument(one);
        }
        if (free && name[0] == '!') {
            note_number(name, in_child(call, values));
            continue;
        }
        errno = 0;
        long result = perform(call, values);
        if (syscall(SYS_getpid) != self)
            syscall(SYS_exit_group, 0);
        note(name, result);
        if (result >= 0)
            last = result;
    }
}

int main(int count, char **words) { return in_place(count, words, act); }
