/* Makes the system calls that its words describe, in a worker's place or outside (see in_place.h).
 *
 * Each word is NAME=CALL,ARGUMENT,.. where CALL is a number or one of the acts below, and an argument is an integer,
 * `b` (a buffer of zeros), `t:TEXT` (a string), `l` (what the last call that worked returned), `code` (a place in the
 * program's own file, as it lies in memory) or `at-code` (the number there).
 * The answer to NAME is the error, 0 where it worked. Outside, the word `namespaces` first makes those that a user
 * may make, and what may end the process is done in a child, whose signal is the answer.
 *
 * For mutants of the confinement the library's calls go through this program, where words in front take one away:
 * `skip=STEP` (a step is not done and says it was) and `handled=FS,NET,SCOPES` (Landlock handles only these). */
#define _GNU_SOURCE
#include "in_place.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

enum { ARGUMENTS = 6, NUMBERS = 472, OWNER = 12345 };

static const char *skipped = "";
static unsigned long long handled[3] = {~0ull, ~0ull, ~0ull};

static int skips(const char *step, long which) {
    char name[32];
    snprintf(name, sizeof name, "%s:%ld", step, which);
    return !strcmp(skipped, name);
}

/* In the place of the library's own: a program's symbols come first. */
long syscall(long number, ...) {
    long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    long values[6];
    va_list rest;
    va_start(rest, number);
    for (int index = 0; index < 6; index++)
        values[index] = va_arg(rest, long);
    va_end(rest);
    unsigned long long rules[3];
    if (number == 444 && values[0] && values[1] == sizeof rules) {
        memcpy(rules, (void *)values[0], sizeof rules);
        for (int index = 0; index < 3; index++)
            rules[index] &= handled[index];
        return real(number, rules, sizeof rules, values[2]);
    }
    return real(number, values[0], values[1], values[2], values[3], values[4], values[5]);
}

int prctl(int option, ...) {
    unsigned long values[4];
    va_list rest;
    va_start(rest, option);
    for (int index = 0; index < 4; index++)
        values[index] = va_arg(rest, unsigned long);
    va_end(rest);
    int (*real)(int, ...) = (int (*)(int, ...))dlsym(RTLD_NEXT, "prctl");
    return skips("prctl", option) ? 0 : real(option, values[0], values[1], values[2], values[3]);
}

int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit) {
    int (*real)(__rlimit_resource_t, const struct rlimit *) =
        (int (*)(__rlimit_resource_t, const struct rlimit *))dlsym(RTLD_NEXT, "setrlimit");
    return skips("setrlimit", resource) ? 0 : real(resource, limit);
}

int setgroups(size_t count, const gid_t *groups) {
    int (*real)(size_t, const gid_t *) = (int (*)(size_t, const gid_t *))dlsym(RTLD_NEXT, "setgroups");
    return skips("setgroups", 0) ? 0 : real(count, groups);
}

int setresgid(gid_t one, gid_t two, gid_t three) {
    int (*real)(gid_t, gid_t, gid_t) = (int (*)(gid_t, gid_t, gid_t))dlsym(RTLD_NEXT, "setresgid");
    return skips("setresgid", 0) ? 0 : real(one, two, three);
}

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

/* A page that no process wrote to is the file's, the same for all that run the program. */
static const unsigned code[1024] __attribute__((aligned(4096))) = {20251121};

static long argument(char *word) {
    if (!strcmp(word, "code"))
        return (long)code;
    if (!strcmp(word, "at-code"))
        return (long)*(const volatile unsigned *)code;
    if (!strcmp(word, "b"))
        return (long)zeros;
    if (!strcmp(word, "l"))
        return last;
    if (!strcmp(word, "w")) {
        static char *words[] = {"kernel", "whoami", NULL};
        return (long)words;
    }
    if (!strncmp(word, "s:", 2)) { /* a port of loopback, with a length of 16 */
        static struct sockaddr_in at = {.sin_family = AF_INET};
        at.sin_port = htons((uint16_t)atoi(word + 2));
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return (long)&at;
    }
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
        if (!strncmp(name, "skip=", 5) || !strncmp(name, "handled=", 8))
            continue;
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

int main(int count, char **words) {
    if (count > 1 && !strcmp(words[1], "whoami"))
        return geteuid() == OWNER ? 42 : 43;
    for (int index = 0; index < count; index++) {
        if (!strncmp(words[index], "skip=", 5))
            skipped = words[index] + 5;
        sscanf(words[index], "handled=%llx,%llx,%llx", handled, handled + 1, handled + 2);
    }
    return in_place(count, words, act);
}
