/* A hostile program in the native worker's place, or outside any confinement as the control.
 *
 * How it is started says in_place.h.
 * ACTS: secret path, path to create, loopback port, unix socket path, victim pid, supervisor pid. */
#define _GNU_SOURCE
#include "in_place.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *secret, *created, *unix_path;
static int port;
static pid_t victim, supervisor;
static long shut(long fd) {
    if (fd >= 0)
        close((int)fd);
    return fd;
}

static long read_file(const char *path) {
    int fd = open(path, O_RDONLY);
    char byte;
    long got = fd < 0 ? -1 : read(fd, &byte, 1);
    shut(fd);
    return got > 0 ? 0 : -1;
}

static long create_file(const char *suffix) {
    char path[4096];
    snprintf(path, sizeof path, "%s%s", created, suffix);
    return shut(open(path, O_CREAT | O_WRONLY | O_EXCL, 0600));
}

static long connect_tcp(int family) {
    int fd = socket(family, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    inet_pton(AF_INET6, "::ffff:127.0.0.1", &six.sin6_addr);
    long result = family == AF_INET ? connect(fd, (struct sockaddr *)&four, sizeof four)
                                    : connect(fd, (struct sockaddr *)&six, sizeof six);
    shut(fd);
    return result;
}

static long connect_unix(void) {
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    strncpy(name.sun_path, unix_path, sizeof name.sun_path - 1);
    long result = fd < 0 ? -1 : connect(fd, (struct sockaddr *)&name, sizeof name);
    shut(fd);
    return result;
}

static long send_udp(void) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    long result = fd < 0 ? -1 : sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to);
    shut(fd);
    return result;
}

static long reap(long pid) {
    if (pid == 0)
        syscall(SYS_exit_group, 0);
    if (pid > 0)
        waitpid((pid_t)pid, NULL, __WALL);
    return pid;
}

/* In the control the program is replaced in a child of its own. */
static long run_program(int free) {
    char path[4096];
    snprintf(path, sizeof path, "%s-by-exec", created);
    char *words[] = {"/usr/bin/touch", path, NULL};
    if (!free)
        return execve(words[0], words, (char *[]){NULL});
    pid_t pid = fork();
    if (!pid) {
        execve(words[0], words, (char *[]){NULL});
        _exit(1);
    }
    int status = 1;
    waitpid(pid, &status, 0);
    return status ? -1 : 0;
}

static long trace(pid_t pid) {
    long result = ptrace(PTRACE_SEIZE, pid, 0, 0);
    if (!result)
        ptrace(PTRACE_DETACH, pid, 0, 0);
    return result;
}

static long peek(pid_t pid) {
    char byte, path[64];
    struct iovec local = {&byte, 1}, remote = {0, 1};
    unsigned long long at = 0;
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    FILE *maps = fopen(path, "r");
    if (maps && fscanf(maps, "%llx", &at) == 1)
        remote.iov_base = (void *)(uintptr_t)at;
    else
        remote.iov_base = (void *)(uintptr_t)0x400000;
    if (maps)
        fclose(maps);
    return process_vm_readv(pid, &local, 1, &remote, 1, 0);
}

static long steal_descriptor(pid_t pid) {
    long handle = syscall(434, pid, 0);
    if (handle < 0)
        return -1;
    long stolen = syscall(438, handle, 0, 0);
    shut(handle);
    return shut(stolen);
}

static long read_environ(pid_t pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/environ", pid);
    return read_file(path);
}

static long list(const char *path) {
    DIR *folder = opendir(path);
    long found = 0;
    while (folder && readdir(folder))
        found++;
    if (folder)
        closedir(folder);
    return found > 2 ? 0 : -1;
}

static long run_memory(void) {
    long fd = syscall(SYS_memfd_create, "x", 0);
    return shut(fd);
}

static long raise_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return -1;
    return setrlimit(RLIMIT_NOFILE, &limit);
}

static void act(int free, char **words) {
    for (int word = 0; word < 6; word++)
        if (!words[word])
            fail("usage");
    secret = words[0];
    created = words[1];
    port = atoi(words[2]);
    unix_path = words[3];
    victim = atoi(words[4]);
    supervisor = atoi(words[5]);
    note("FS_read_secret", read_file(secret));
    note("FS_create", create_file(""));
    note("FS_list_root", list("/"));
    note("FS_stat_secret", access(secret, F_OK));
    note("FS_proc_root", read_file("/proc/self/root/etc/passwd"));
    note("FS_17_mountinfo", read_file("/proc/self/mountinfo"));
    note("NW_connect_loopback", connect_tcp(AF_INET));
    note("NW_connect_mapped", connect_tcp(AF_INET6));
    note("NW_connect_unix", connect_unix());
    note("NW_send_udp", send_udp());
    note("PR_see_victim", kill(victim, 0));
    note("PR_signal_supervisor", kill(supervisor, 0));
    note("PR_signal_all", free ? 0 : kill(-1, 0));
    note("PR_list_processes", list("/proc"));
    note("PR_read_environ", read_environ(supervisor));
    note("PR_trace_victim", trace(victim));
    note("PR_peek_victim", peek(victim));
    note("PR_steal_descriptor", steal_descriptor(victim));
    note("PR_fork", reap(fork()));
    note("PR_vfork_clone", reap(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)));
    note("PR_new_user_namespace", free ? 0 : unshare(CLONE_NEWUSER));
    note("PR_memory_program", run_memory());
    note("PR_exec", run_program(free));
    note("RS_raise_limit", raise_limit());
    note("KX_executable_memory", mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
    /* Last, since in the control it ends the victim. */
    note("PR_kill_victim", kill(victim, SIGKILL));
}

int main(int count, char **words) { return in_place(count, words, act); }
