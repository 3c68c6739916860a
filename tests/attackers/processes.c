/* Other processes, by every call that reaches, makes, signals or slows one.
 *
 * processes … VICTIM SUPERVISOR SYMLINK    pids, and a symbolic link to /bin/true. See in_place.h for the rest.
 * Answers the error of each act, 0 where it worked; a count where the name ends so.
 *
 * Outside each act is done by a child of its own, so that what it changes of itself is gone afterwards. */
#define _GNU_SOURCE
#include "in_place.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

enum { THREADS_TRIED = 64, CLONE3 = 435, PIDFD_OPEN = 434, PIDFD_GETFD = 438, PIDFD_SEND_SIGNAL = 424 };

static pid_t victim, supervisor;
static const char *link_to_true;
static int is_free;

static void try(const char *name, long (*deed)(void)) {
    if (!is_free) {
        note(name, deed());
        return;
    }
    fflush(stdout);
    pid_t pid = fork();
    if (!pid)
        _exit(deed() < 0 ? errno : 0);
    int status = 0;
    waitpid(pid, &status, 0);
    note_number(name, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
    while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
        continue; /* what a deed left to us with CLONE_PARENT */
}

static long end_child(long pid) {
    if (pid == 0)
        syscall(SYS_exit_group, 0);
    if (pid > 0)
        waitpid((pid_t)pid, NULL, __WALL);
    return pid;
}

/* --- threads and processes --- */

static void *wait_forever(void *unused) {
    for (;;)
        pause();
    return unused;
}

static long threads(void) {
    pthread_attr_t small;
    pthread_t thread;
    long count = 0;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 32 * 1024);
    while (count < THREADS_TRIED && !pthread_create(&thread, &small, wait_forever, NULL))
        count++;
    return count;
}

static long make(unsigned long flags) { return end_child(syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0)); }
static long do_fork(void) { return make(0); }
static long clone_parent(void) { return make(CLONE_PARENT); }
static long clone_untraced(void) { return make(CLONE_UNTRACED); }
static long clone_user(void) { return make(CLONE_NEWUSER); }
static long clone_process_space(void) { return make(CLONE_NEWUSER | CLONE_NEWPID); }

/* A grandchild in a session of its own, whose parent has left. */
static long flee(void) {
    long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        setsid();
        _exit(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) < 0);
    }
    int status = 0;
    if (pid > 0)
        waitpid((pid_t)pid, &status, 0);
    return status ? -1 : pid;
}

static long do_vfork(void) {
    pid_t pid = vfork();
    if (pid == 0)
        _exit(0);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    return pid;
}

static long clone_3(void) {
    uint64_t words[8] = {is_free ? CLONE_NEWUSER : CLONE_NEWUSER | CLONE_NEWPID, 0, 0, 0, SIGCHLD, 0, 0, 0};
    return end_child(syscall(CLONE3, words, sizeof words));
}

/* --- programs --- */

static char *const NO_ENVIRONMENT[] = {NULL};

static long run(const char *path, char *const *words, char *const *environment) { return execve(path, words, environment); }
static long run_true(void) { return run("/bin/true", (char *[]){"true", NULL}, NO_ENVIRONMENT); }
static long run_itself(void) { return is_free ? run_true() : run("/proc/self/exe", (char *[]){"x", NULL}, NO_ENVIRONMENT); }
static long run_link(void) { return run(link_to_true, (char *[]){"x", NULL}, NO_ENVIRONMENT); }
static long run_relative(void) { return run("../../../../../../../../../bin/true", (char *[]){"x", NULL}, NO_ENVIRONMENT); }
static long run_shell(void) { return run("/bin/sh", (char *[]){"sh", "-c", ":", NULL}, NO_ENVIRONMENT); }
static long run_preloaded(void) { return run("/bin/true", (char *[]){"x", NULL}, (char *[]){"LD_PRELOAD=/nowhere.so", NULL}); }

static long run_loader(void) {
#ifdef __aarch64__
    const char *loader = "/lib/ld-linux-aarch64.so.1";
#else
    const char *loader = "/lib64/ld-linux-x86-64.so.2";
#endif
    return run(loader, (char *[]){"ld", "/bin/true", NULL}, NO_ENVIRONMENT);
}

static long run_open_file(void) {
    int fd = is_free ? open("/bin/true", O_RDONLY | O_CLOEXEC) : 3;
    return syscall(SYS_execveat, fd, "", (char *[]){"x", NULL}, NO_ENVIRONMENT, AT_EMPTY_PATH);
}

static long memory_program(void) {
    long fd = syscall(SYS_memfd_create, "x", 0);
    if (fd < 0)
        return -1;
    if (is_free) {
        char bytes[65536];
        int program = open("/bin/true", O_RDONLY);
        for (ssize_t got; (got = read(program, bytes, sizeof bytes)) > 0;)
            if (write((int)fd, bytes, (size_t)got) != got)
                return -1;
    }
    return fexecve((int)fd, (char *[]){"x", NULL}, NO_ENVIRONMENT);
}

/* --- signals --- */

static long see_victim(void) { return kill(victim, 0); }
static long see_supervisor(void) { return kill(supervisor, 0); }
static long signal_all(void) { return kill(-1, 0); }
static long signal_group(void) { return kill(0, 0); }
static long signal_thread(void) { return syscall(SYS_tkill, victim, 0); }
static long signal_thread_of(void) { return syscall(SYS_tgkill, victim, victim, 0); }

static long queue_to(long call) {
    siginfo_t told = {.si_code = SI_QUEUE};
    return call == SYS_rt_sigqueueinfo ? syscall(call, victim, SIGCONT, &told) : syscall(call, victim, victim, SIGCONT, &told);
}
static long queue_to_process(void) { return queue_to(SYS_rt_sigqueueinfo); }
static long queue_to_thread(void) { return queue_to(SYS_rt_tgsigqueueinfo); }

static long handle(void) { return syscall(PIDFD_OPEN, victim, 0); }

static long signal_handle(void) {
    long made = handle();
    return made < 0 && is_free ? -1 : syscall(PIDFD_SEND_SIGNAL, made < 0 ? 3 : made, 0, NULL, 0);
}

static long stop_itself(void) { return is_free ? kill(getpid(), SIGCONT) : kill(getpid(), SIGSTOP); }
static long stop_itself_by_thread(void) { return syscall(SYS_tkill, getpid(), is_free ? SIGCONT : SIGSTOP); }
static long kill_supervisor(void) { return is_free ? 0 : kill(supervisor, SIGKILL); }
static long kill_victim(void) { return kill(victim, SIGKILL); }

/* Whom the kernel signals when something arrives here (F_SETOWN): set by whoever asks for it. */
static int some_socket(void) {
    int ends[2];
    return socketpair(AF_UNIX, SOCK_STREAM, 0, ends) ? 3 : ends[0];
}

static long own_by_fcntl(void) { return fcntl(some_socket(), F_SETOWN, is_free ? getpid() : victim); }
static long own_extended(void) {
    struct {
        int kind, pid;
    } owner = {1 /* F_OWNER_PID */, is_free ? getpid() : victim};
    return fcntl(some_socket(), 15 /* F_SETOWN_EX */, &owner);
}
static long own_by_ioctl(void) {
    int pid = is_free ? getpid() : victim;
    return ioctl(some_socket(), 0x8901 /* FIOSETOWN */, &pid);
}
static long own_by_group(void) {
    int pid = is_free ? getpid() : victim;
    return ioctl(some_socket(), 0x8902 /* SIOCSPGRP */, &pid);
}
static long choose_signal(void) { return fcntl(some_socket(), 10 /* F_SETSIG */, SIGKILL); }
static long ask_by_ioctl(void) {
    int on = 1;
    return ioctl(some_socket(), 0x5452 /* FIOASYNC */, &on);
}

/* The kernel takes only a thread of one's own process; outside this shows the call itself. */
static long timer_at(void) {
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGKILL};
    int timer = 0;
    event._sigev_un._tid = is_free ? getpid() : victim;
    return syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer);
}

/* --- looking into others --- */

static long with_prey(long (*deed)(pid_t)) {
    if (!is_free)
        return deed(victim);
    pid_t prey = fork(); /* Yama lets a process look into its own children only */
    if (!prey)
        wait_forever(NULL);
    long result = deed(prey);
    int error = errno;
    kill(prey, SIGKILL);
    waitpid(prey, NULL, 0);
    errno = error;
    return result;
}

static long seize_it(pid_t pid) { return ptrace(PTRACE_SEIZE, pid, 0, 0); }
static long attach_it(pid_t pid) { return ptrace(PTRACE_ATTACH, pid, 0, 0); }
static char shared_address;
static long peek_it(pid_t pid) {
    char byte;
    struct iovec local = {&byte, 1}, remote = {&shared_address, 1};
    return process_vm_readv(pid, &local, 1, &remote, 1, 0);
}
static long poke_it(pid_t pid) {
    char byte = 1;
    struct iovec local = {&byte, 1}, remote = {&shared_address, 1};
    return process_vm_writev(pid, &local, 1, &remote, 1, 0);
}
static long compare_it(pid_t pid) { return syscall(SYS_kcmp, getpid(), pid, 1, 0, 0); }
static long steal_from_it(pid_t pid) {
    long made = syscall(PIDFD_OPEN, pid, 0);
    return made < 0 && is_free ? -1 : syscall(PIDFD_GETFD, made < 0 ? 3 : made, 0, 0);
}
static long limits_of_it(pid_t pid) {
    struct rlimit limit;
    return syscall(SYS_prlimit64, pid, RLIMIT_CPU, NULL, &limit);
}
static long affinity_of_it(pid_t pid) {
    cpu_set_t set;
    return sched_getaffinity(pid, sizeof set, &set);
}
/* Anybody may read any process's clock: whether it lives, and how busy it is (clock_getcpuclockid(3)). */
static long clock_of_it(pid_t pid) {
    struct timespec time;
    return syscall(SYS_clock_gettime, (int)(~(unsigned)pid << 3 | 2), &time);
}
/* The other end of a socket, as a handle on its process (Linux 6.5). */
static long handle_of_the_other_end(void) {
    int handle = -1;
    socklen_t size = sizeof handle;
    long result = getsockopt(some_socket(), SOL_SOCKET, 77 /* SO_PEERPIDFD */, &handle, &size);
    return result < 0 && is_free && errno == ENOPROTOOPT ? 0 : result; /* an older kernel */
}
static long name_of_the_other_end(void) {
    struct ucred other;
    socklen_t size = sizeof other;
    return getsockopt(some_socket(), SOL_SOCKET, SO_PEERCRED, &other, &size);
}
static long clock_of(void) { return with_prey(clock_of_it); }
static long seize(void) { return with_prey(seize_it); }
static long attach(void) { return with_prey(attach_it); }
static long peek(void) { return with_prey(peek_it); }
static long poke(void) { return with_prey(poke_it); }
static long compare(void) { return with_prey(compare_it); }
static long steal(void) { return with_prey(steal_from_it); }
static long limits(void) { return with_prey(limits_of_it); }
static long affinity(void) { return with_prey(affinity_of_it); }
static long trace_me(void) { return ptrace(PTRACE_TRACEME, 0, 0, 0); }

/* --- namespaces --- */

static long leave(int flag) { return unshare(is_free && flag != CLONE_NEWUSER ? CLONE_NEWUSER | flag : flag); }
static long leave_users(void) { return leave(CLONE_NEWUSER); }
static long leave_processes(void) { return leave(CLONE_NEWPID); }
static long leave_network(void) { return leave(CLONE_NEWNET); }
static long leave_mounts(void) { return leave(CLONE_NEWNS); }
static long leave_ipc(void) { return leave(CLONE_NEWIPC); }
static long leave_names(void) { return leave(CLONE_NEWUTS); }
static long leave_groups(void) { return leave(CLONE_NEWCGROUP); }
static long enter(void) {
    if (is_free && unshare(CLONE_NEWUSER | CLONE_NEWUTS))
        return -1;
    return setns(is_free ? open("/proc/self/ns/uts", O_RDONLY) : 3, CLONE_NEWUTS);
}

/* --- what holds the worker to its supervisor, and its place among others --- */

static long forget_parent_death(void) { return prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0); }
static long adopt_orphans(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }
static long be_dumpable(void) { return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }
static long new_session(void) { return setsid(); }
static long new_group(void) { return setpgid(0, 0); }
static long be_nice(void) { return setpriority(PRIO_PROCESS, 0, 19); }
static long be_slow_on_disk(void) { return syscall(SYS_ioprio_set, 1, 0, 3 << 13); }
static long be_batch(void) {
    struct sched_param none = {0};
    return syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &none);
}
static long be_batch_by_attributes(void) {
    uint32_t attributes[12] = {48, SCHED_BATCH};
    return syscall(SYS_sched_setattr, 0, attributes, 0);
}
static long choose_processor(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set))
        CPU_ZERO(&set);
    return sched_setaffinity(0, sizeof set, &set);
}

static const struct {
    const char *name;
    long (*deed)(void);
} DEEDS[] = {
    {"PR_01_fork", do_fork},
    {"PR_04_flee", flee},
    {"PR_07_stop", stop_itself},
    {"PR_07_stop_by_thread", stop_itself_by_thread},
    {"PR_08_see_victim", see_victim},
    {"PR_08_see_supervisor", see_supervisor},
    {"PR_08_all", signal_all},
    {"PR_08_group", signal_group},
    {"PR_08_thread", signal_thread},
    {"PR_08_thread_of", signal_thread_of},
    {"PR_08_queue", queue_to_process},
    {"PR_08_queue_thread", queue_to_thread},
    {"PR_08_handle", signal_handle},
    {"PR_09_seize", seize},
    {"PR_09_attach", attach},
    {"PR_09_trace_me", trace_me},
    {"PR_09_peek", peek},
    {"PR_09_poke", poke},
    {"PR_09_compare", compare},
    {"PR_09_limits", limits},
    {"PR_63_affinity", affinity},
    {"PR_63_clock", clock_of},
    {"PR_11_handle", handle},
    {"PR_64_other_end", handle_of_the_other_end},
    {"PR_64_other_name", name_of_the_other_end},
    {"PR_11_steal", steal},
    {"PR_12_clone_user", clone_user},
    {"PR_12_clone_processes", clone_process_space},
    {"PR_12_users", leave_users},
    {"PR_12_processes", leave_processes},
    {"PR_12_network", leave_network},
    {"PR_12_mounts", leave_mounts},
    {"PR_12_ipc", leave_ipc},
    {"PR_12_names", leave_names},
    {"PR_12_groups", leave_groups},
    {"PR_12_enter", enter},
    {"PR_13_clone3", clone_3},
    {"PR_14_parent", clone_parent},
    {"PR_14_untraced", clone_untraced},
    {"PR_14_vfork", do_vfork},
    {"PR_16_memory_program", memory_program},
    {"PR_16_open_file", run_open_file},
    {"PR_17_itself", run_itself},
    {"PR_17_another", run_true},
    {"PR_18_shell", run_shell},
    {"PR_18_loader", run_loader},
    {"PR_18_preload", run_preloaded},
    {"PR_19_link", run_link},
    {"PR_19_relative", run_relative},
    {"PR_60_parent_death", forget_parent_death},
    {"PR_60_subreaper", adopt_orphans},
    {"PR_60_dumpable", be_dumpable},
    {"PR_60_session", new_session},
    {"PR_60_group", new_group},
    {"PR_61_nice", be_nice},
    {"PR_61_disk", be_slow_on_disk},
    {"PR_61_scheduler", be_batch},
    {"PR_61_attributes", be_batch_by_attributes},
    {"PR_61_affinity", choose_processor},
    {"PR_62_owner", own_by_fcntl},
    {"PR_62_owner_extended", own_extended},
    {"PR_62_owner_by_ioctl", own_by_ioctl},
    {"PR_62_owner_by_group", own_by_group},
    {"PR_62_signal", choose_signal},
    {"PR_62_async", ask_by_ioctl},
    {"PR_62_timer", timer_at},
    /* Last, since outside it ends the victim. */
    {"PR_08_kill_supervisor", kill_supervisor},
    {"PR_08_kill_victim", kill_victim},
};

static void act(int free, char **words) {
    is_free = free;
    victim = atoi(words[0]);
    supervisor = atoi(words[1]);
    link_to_true = words[2];
    for (size_t index = 0; index < sizeof DEEDS / sizeof *DEEDS; index++)
        try(DEEDS[index].name, DEEDS[index].deed);
    note_number("PR_03_threads_count", threads());
}

int main(int count, char **words) { return in_place(count, words, act); }
