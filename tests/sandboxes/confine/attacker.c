/* A hostile program in a worker's place: confines itself by a plan, then tries what must not work.
 *
 * attacker free VICTIM       tries everything without confinement: the positive control
 * attacker confined VICTIM   reads one plan frame from descriptor 3, confines itself, tries everything
 * attacker ACT [N]           confined, then one thing: crash, abort, exit N, burn, fds, grow N, x32, int80, hang
 * Results go to descriptor 3 as lines "name errno" (0: it worked). */
#define _GNU_SOURCE
#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static long victim;

static long shut(long fd) {
    if (fd >= 0)
        close((int)fd);
    return fd;
}

static long child(long pid) {
    if (pid == 0)
        syscall(SYS_exit_group, 0);
    if (pid > 0)
        waitpid((pid_t)pid, NULL, __WALL);
    return pid;
}

static long shut_pair(int type) {
    int ends[2];
    if (socketpair(AF_UNIX, type, 0, ends))
        return -1;
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static long map(int protection, int flags) {
    void *at = mmap(NULL, 4096, protection, flags | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? -1 : munmap(at, 4096);
}

static long make_executable(void) {
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long result = mprotect(at, 4096, PROT_READ | PROT_EXEC);
    munmap(at, 4096);
    return result;
}

static long read_victim(void) {
    char byte;
    struct iovec local = {&byte, 1}, remote = {(void *)(uintptr_t)0x400000, 1};
    long result = process_vm_readv((pid_t)victim, &local, 1, &remote, 1, 0);
    return result < 0 && errno == EFAULT ? 0 : result; /* allowed, only nothing at that address */
}

static long send_to_path(void) {
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "/nowhere"};
    long result = sendto(3, "x", 0, 0, (struct sockaddr *)&name, sizeof name);
    return result < 0 && errno == EISCONN ? 0 : result;
}

static long trace_victim(void) {
    long result = ptrace(PTRACE_SEIZE, victim, 0, 0);
    if (!result)
        ptrace(PTRACE_DETACH, victim, 0, 0);
    return result;
}

static long clone3_thread(void) {
    uint64_t arguments[8] = {0};
    arguments[4] = SIGCHLD;
    return child(syscall(435, arguments, sizeof arguments));
}

static long open_how(void) {
    uint64_t how[3] = {O_RDONLY, 0, 0};
    return shut(syscall(437, AT_FDCWD, "/etc/passwd", how, sizeof how));
}

/* Counts as refused only when the filter said so: the arguments themselves are wrong. */
static long only_eperm(long result) { return result < 0 && errno != EPERM && errno != ENOSYS ? 0 : result; }

#define ATTACKS(TRY)                                                                               \
    TRY("FS_read", shut(open("/etc/passwd", O_RDONLY)))                                            \
    TRY("FS_openat2", open_how())                                                                  \
    TRY("FS_folder", shut(open("/", O_RDONLY | O_DIRECTORY)))                                      \
    TRY("FS_create", shut(open("/tmp", O_TMPFILE | O_RDWR, 0600)))                                 \
    TRY("FS_chdir", chdir("/etc"))                                                                 \
    TRY("FS_exists", access("/etc/passwd", F_OK))                                                  \
    TRY("FS_handle", only_eperm(syscall(SYS_open_by_handle_at, -1, NULL, 0)))                      \
    TRY("NW_01_tcp", shut(socket(AF_INET, SOCK_STREAM, 0)))                                        \
    TRY("NW_01_udp", shut(socket(AF_INET, SOCK_DGRAM, 0)))                                         \
    TRY("NW_03_netlink", shut(socket(AF_NETLINK, SOCK_RAW, 0)))                                    \
    TRY("NW_04_unix", shut(socket(AF_UNIX, SOCK_STREAM, 0)))                                       \
    TRY("NW_06_pair", shut_pair(SOCK_STREAM))                                                      \
    TRY("NW_08_datagram_pair", shut_pair(SOCK_DGRAM))                                              \
    TRY("NW_08_send_to_path", only_eperm(send_to_path()))                                          \
    TRY("NW_07_io_uring", only_eperm(syscall(425, 0, NULL)))                                       \
    TRY("PR_01_fork", child(fork()))                                                               \
    TRY("PR_08_kill", kill((pid_t)victim, 0))                                                      \
    TRY("PR_08_tgkill", syscall(SYS_tgkill, victim, victim, 0))                                    \
    TRY("PR_09_ptrace", trace_victim())                                                            \
    TRY("PR_09_read_memory", read_victim())                                                        \
    TRY("PR_11_pidfd", shut(syscall(434, victim, 0)))                                              \
    TRY("PR_12_unshare", only_eperm(unshare(0)))                                                   \
    TRY("PR_12_setns", only_eperm(setns(-1, 0)))                                                   \
    TRY("PR_13_clone3", clone3_thread())                                                           \
    TRY("PR_16_memfd", shut(syscall(SYS_memfd_create, "x", 0)))                                    \
    TRY("PR_17_exec", only_eperm(execve("", (char *[]){NULL}, (char *[]){NULL})))                  \
    TRY("PR_21_forget_parent", prctl(PR_SET_PDEATHSIG, SIGKILL))                                   \
    TRY("PR_sched", only_eperm(setpriority(PRIO_PROCESS, 0, 19)))                                  \
    TRY("RS_limits", only_eperm(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0})))                   \
    TRY("KX_06_bpf", only_eperm(syscall(SYS_bpf, 0, NULL, 0)))                                     \
    TRY("KX_06_userfaultfd", only_eperm(shut(syscall(SYS_userfaultfd, 1 << 30))))                  \
    TRY("KX_06_perf", only_eperm(syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0)))                  \
    TRY("KX_06_keyctl", only_eperm(syscall(SYS_keyctl, 0, 0, 0, 0, 0)))                            \
    TRY("KX_07_mount", only_eperm(syscall(SYS_umount2, "", ~0)))                                   \
    TRY("KX_08_personality", personality(0xffffffff))                                              \
    TRY("KX_11_setuid", only_eperm(setuid(0)))                                                     \
    TRY("KX_12_setgroups", only_eperm(syscall(SYS_setgroups, 1 << 20, NULL)))                      \
    TRY("KX_13_shm", only_eperm(syscall(SYS_shmget, 0, 0, 0)))                                     \
    TRY("KX_13_mq", only_eperm(syscall(SYS_mq_open, "", 0, 0, 0)))                                 \
    TRY("KX_terminal", only_eperm(ioctl(0, TIOCSTI, "x")))                                         \
    TRY("KX_aim_signals", only_eperm(fcntl(3, F_SETOWN, 0)))                                       \
    TRY("WX_map_executable", map(PROT_READ | PROT_EXEC, MAP_PRIVATE))                              \
    TRY("WX_make_executable", make_executable())                                                   \
    TRY("RS_map_shared", map(PROT_READ | PROT_WRITE, MAP_SHARED))                                  \
    TRY("OK_memory", map(PROT_READ | PROT_WRITE, MAP_PRIVATE))                                     \
    TRY("OK_random", syscall(SYS_getrandom, &victim, 0, 0))                                        \
    TRY("OK_yield", sched_yield())

static void attack(void) {
    char lines[8192] = "";
    size_t length = 0;
#define TRY(NAME, CALL)                                                                            \
    errno = 0;                                                                                     \
    length += (size_t)snprintf(lines + length, sizeof lines - length, "%s %d\n", NAME, (CALL) < 0 ? errno : 0);
    ATTACKS(TRY)
#undef TRY
    if (write(3, lines, length) < 0)
        _exit(9);
}

static int confine(void) {
    uint32_t size;
    static uint8_t plan[1 << 20];
    if (read(3, &size, 4) != 4 || size > sizeof plan || read(3, plan, size) != (ssize_t)size)
        return -1;
    if (confine_load(plan, size) || confine_stage1() || confine_stage2()) {
        fprintf(stderr, "%s\n", confine_error());
        return -1;
    }
    return 0;
}

static void act(const char *what, int number) {
    if (!strcmp(what, "crash"))
        *(volatile int *)(uintptr_t)number = 1;
    if (!strcmp(what, "abort"))
        abort();
    if (!strcmp(what, "exit"))
        _exit(number);
    for (volatile unsigned long spin = 0; !strcmp(what, "burn");)
        spin++;
#ifdef __x86_64__
    if (!strcmp(what, "x32"))
        syscall(0x40000000 | SYS_getpid);
    if (!strcmp(what, "int80")) {
        long result = 20; /* getpid of the 32-bit table */
        __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
    }
#endif
    if (!strcmp(what, "fds")) {
        char list[4096] = "", byte;
        for (int fd = 0; fd < 1024; fd++)
            if (read(fd, &byte, 0) == 0 || errno != EBADF)
                snprintf(list + strlen(list), sizeof list - strlen(list), "%d ", fd);
        _exit(write(3, list, strlen(list)) < 0);
    }
    if (!strcmp(what, "grow")) { /* number: MiB */
        char *memory = malloc((size_t)number << 20);
        if (!memory)
            _exit(12);
        memset(memory, 1, (size_t)number << 20);
        _exit(memory[number] - 1);
    }
    if (!strcmp(what, "hang")) {
        if (write(3, "ready\n", 6) != 6)
            _exit(9);
        for (;;)
            poll(NULL, 0, 1000);
    }
}

int main(int count, char **arguments) {
    if (count < 2)
        return 64;
    victim = count > 2 ? atol(arguments[2]) : 0;
    if (strcmp(arguments[1], "free") && confine())
        return 71;
    if (!strcmp(arguments[1], "free") || !strcmp(arguments[1], "confined"))
        attack();
    else
        act(arguments[1], (int)victim);
    return 0;
}
