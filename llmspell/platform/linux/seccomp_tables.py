"""Which system calls a worker may make, as tables to read; `seccomp.py` compiles them.

Sources: seccomp(2), syscalls(2), threats.md tables PR, NW and KX. Argument values are the kernel's,
the same on x86_64 and aarch64 where both have the call.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class When(NamedTuple):
    """Holds when `argument & mask == value`; a mask covers the bits that the kernel looks at."""

    argument: int
    mask: int
    value: int


class Rule(NamedTuple):
    """A system call, and the conditions under which the rule holds (all of them; none: always)."""

    call: str
    when: tuple[When, ...] = ()


def _named(names: str) -> tuple[str, ...]:
    return tuple(names.split())


LOW_32: Final = 0xFFFF_FFFF
WHOLE: Final = (1 << 64) - 1
"""For pointers: one whose low half is zero is not the null pointer."""
PROT_EXEC: Final = 0x4
MAP_TYPE: Final = 0x0F
MAP_PRIVATE: Final = 0x02
MAP_GROWSDOWN: Final = 0x100
MAP_HUGETLB: Final = 0x4_0000
CLONE_THREAD: Final = 0x0001_0000
CLONE_NAMESPACES: Final = (
    0x0000_0080,  # time
    0x0002_0000,  # mount
    0x0200_0000,  # cgroup
    0x0400_0000,  # uts
    0x0800_0000,  # ipc
    0x1000_0000,  # user
    0x2000_0000,  # process
    0x4000_0000,  # network
)
CLONE_ESCAPES: Final = (
    0x0000_8000,  # CLONE_PARENT: a sibling of the worker, outside its tree
    0x0080_0000,  # CLONE_UNTRACED
)
AF_UNIX: Final = 1
SOCK_STREAM: Final = 1
SOCK_TYPE: Final = 0x0F
TIOCSTI: Final = 0x5412
TIOCLINUX: Final = 0x541C
SOL_SOCKET: Final = 1
SO_TYPE: Final = 3
SO_ERROR: Final = 4
SO_PROTOCOL: Final = 38
SO_DOMAIN: Final = 39
"""What an event loop asks of a socket; SO_PEERPIDFD gives a handle on the supervisor (PR-11)."""
FIONBIO: Final = 0x5421
FIOASYNC: Final = 0x5452
F_DUPFD: Final = 0
F_GETFD: Final = 1
F_SETFD: Final = 2
F_GETFL: Final = 3
F_SETFL: Final = 4
F_SETOWN: Final = 8
F_SETSIG: Final = 10
F_SETOWN_EX: Final = 15
F_NOTIFY: Final = 1026
F_SETLEASE: Final = 1024
F_DUPFD_CLOEXEC: Final = 1030
F_SETPIPE_SZ: Final = 1031
O_CHANGES: Final = (
    0x001,  # O_WRONLY
    0x002,  # O_RDWR
    0x040,  # O_CREAT
    0x200,  # O_TRUNC, which empties a file that is opened for reading, too
)
IOCTL_TYPE: Final = tuple(1 << bit for bit in range(8, 16))
TERMINAL_TYPE: Final = 0x5400
"""What is asked of terminals, and of every descriptor (FIONREAD, FIONBIO); files have other types
(attributes, keys, clones, snapshots: FS-28), and so has a handle on a process."""
MSG_OOB: Final = 0x1
MSG_OF_ENGINES: Final = 0x40 | 0x100 | 0x4000
"""MSG_DONTWAIT, MSG_WAITALL, MSG_NOSIGNAL. The others are code of the kernel that nobody needs;
urgent bytes of unix sockets led out of a browser's sandbox (CVE-2025-38236, KX-70)."""

PLAIN_FLAGS: Final = When(3, LOW_32 & ~MSG_OF_ENGINES, 0)
NO_ADDRESS: Final = When(4, WHOLE, 0)
"""sendto without an address: an unconnected datagram socket could name any receiver (NW-08)."""

OWN_CLOCK: Final = (When(0, 0x8000_0000, 0),)
"""A negative clock is another process's, by its number, and needs no right to be read (KX-16)."""

FUTEX_PRIVATE: Final = 0x80
FUTEX_COMMAND: Final = LOW_32 & ~0x100
FUTEX_OF_MEMORY: Final = tuple(FUTEX_PRIVATE | command for command in (0, 1, 3, 4, 5, 9, 10))
"""Wait, wake and requeue, within the process: one that is not private is found by the file of its
page, and every process has pages of the C library (KX-71). Those with priority inheritance look a
process up by the number that they find in memory, and tell whether it is there (KX-16)."""

ADVICE: Final = (0, 1, 2, 3, 4, 8, 14, 15, 16, 17, 18, 19)
"""What allocators say of their own pages (MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE, …)."""
ADVICE_OF_OTHERS: Final = (
    12,  # MADV_MERGEABLE: the time of a write tells whether another has such a page
    20,  # MADV_COLD and
    21,  # MADV_PAGEOUT: the pages may be a library's, and its file one's own
)
"""What concerns pages that other processes have as well (KX-72)."""

PRIVATE_DATA: Final = (
    When(2, PROT_EXEC, 0),
    When(3, MAP_TYPE | MAP_GROWSDOWN | MAP_HUGETLB, MAP_PRIVATE),
)
"""mmap of memory that RLIMIT_DATA counts and that is not executable (RS-02). The kernel counts
neither shared pages nor those that grow downwards (`is_data_mapping`, mm/vma.c); huge pages come
out of the whole machine's pool."""

COMMON: Final[tuple[Rule, ...]] = (
    *(
        Rule(call)
        for call in _named(
            "read write readv writev close poll ppoll "
            "munmap brk "
            "rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack "
            "restart_syscall sched_yield "
            "nanosleep gettimeofday time "
            "getrandom getpid gettid exit exit_group"
        )
    ),
    *(Rule(call, OWN_CLOCK) for call in ("clock_gettime", "clock_getres", "clock_nanosleep")),
    *(Rule("futex", (When(1, FUTEX_COMMAND, command),)) for command in FUTEX_OF_MEMORY),
    Rule("sendto", (PLAIN_FLAGS, NO_ADDRESS)),
    Rule("recvfrom", (PLAIN_FLAGS,)),
    Rule("mmap", PRIVATE_DATA),
    *(Rule("madvise", (When(2, LOW_32, advice),)) for advice in ADVICE),
    Rule("mprotect", (When(2, PROT_EXEC, 0),)),
)
"""What a wasm guest's worker needs once the guest is instantiated."""

INTERPRETER: Final[tuple[Rule, ...]] = (
    *(
        Rule(call)
        for call in _named(
            "select pselect6 epoll_wait epoll_pwait epoll_pwait2 epoll_ctl epoll_create1 "
            "eventfd2 pipe2 fstat lseek shutdown getsockname getpeername "
            "getuid geteuid getgid getegid getppid getrusage times "
            "rt_sigpending rt_sigtimedwait rt_sigsuspend dup "
            # Lists grow by it. A guest's worker does without: the stack, made longer by it, is
            # memory that RLIMIT_DATA does not count, and RLIMIT_AS is wide there (RS-02).
            "mremap"
        )
    ),
    *(
        Rule("fcntl", (When(1, LOW_32, command),))
        for command in (F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC)
    ),
    Rule("sched_getaffinity", (When(0, LOW_32, 0),)),
    *(
        Rule("getsockopt", (When(1, LOW_32, SOL_SOCKET), When(2, LOW_32, option)))
        for option in (SO_TYPE, SO_ERROR, SO_PROTOCOL, SO_DOMAIN)
    ),
    # O_ASYNC (0x2000) would let the worker aim signals.
    Rule("fcntl", (When(1, LOW_32, F_SETFL), When(2, 0x2000, 0))),
    Rule("ioctl", (When(1, LOW_32, FIONBIO),)),
    # An event loop's own wake-up pair; a datagram pair could be aimed at a path.
    Rule("socketpair", (When(0, LOW_32, AF_UNIX), When(1, SOCK_TYPE, SOCK_STREAM))),
)
"""What CPython, Lua and QuickJS need besides, after their imports: no path, no new process."""

DENIED_GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "other doors into the kernel": _named(
        # KX-06, NW-07
        "io_uring_setup io_uring_enter io_uring_register userfaultfd bpf perf_event_open "
        "keyctl add_key request_key fanotify_init fanotify_mark lookup_dcookie "
        # The machine has one small number of requests for all its processes.
        "io_setup io_destroy io_submit io_getevents io_pgetevents io_cancel "
    ),
    "changes of files": _named(
        # The worker changes none: what is granted goes through the broker. Landlock before its
        # third version (Linux 6.2) knows nothing of truncation; a machine may have none (FS-70).
        "creat truncate ftruncate fallocate openat2 link linkat symlink symlinkat "
        "rename renameat renameat2 unlink unlinkat rmdir mkdir mkdirat "
    ),
    "other eyes on files": _named(
        # Names of what others do in a folder, and attributes of files, which hold text as well:
        # Landlock judges neither (FS-71).
        "inotify_init inotify_init1 inotify_add_watch inotify_rm_watch "
        "getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr "
    ),
    "other processes": _named(
        # PR-08 … PR-12
        "ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp "
        "pidfd_open pidfd_getfd pidfd_send_signal kill tkill tgkill "
        "rt_sigqueueinfo rt_tgsigqueueinfo get_robust_list move_pages migrate_pages setns unshare "
    ),
    "new processes": _named(
        # PR-14 … PR-18
        "execve execveat fork vfork memfd_create memfd_secret "
    ),
    "the system itself": _named(
        # KX-07
        "mount umount umount2 mount_setattr move_mount open_tree fsopen fsconfig fsmount "
        "fspick pivot_root chroot swapon swapoff reboot kexec_load kexec_file_load init_module "
        "finit_module delete_module create_module query_module get_kernel_syms acct "
        "sync syncfs quotactl quotactl_fd syslog sethostname setdomainname vhangup nfsservctl "
        "settimeofday clock_settime clock_adjtime adjtimex stime "
        "iopl ioperm modify_ldt vm86 vm86old uselib ustat sysfs _sysctl "
    ),
    "identity and attributes": _named(
        "setuid setgid setreuid setregid setresuid setresgid setgroups setfsuid setfsgid capset "
        "personality seccomp prctl "
        "open_by_handle_at name_to_handle_at "
        "mknod mknodat setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr "
        # Landlock says nothing about modes, owners and times, of whatever file (FS-27, FS-28)
        "chmod fchmod fchmodat chown fchown lchown fchownat utime utimes utimensat futimesat "
    ),
    "sockets": _named("socket connect bind listen accept accept4 "),
    "shared kernel objects": _named(
        # KX-13
        "shmget shmat shmctl shmdt semget semop semctl semtimedop msgget msgsnd msgrcv msgctl "
        "mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr "
    ),
    "scheduling and limits of oneself and others": _named(
        "setpriority ioprio_set sched_setscheduler sched_setparam sched_setattr sched_setaffinity "
        "set_mempolicy mbind set_mempolicy_home_node prlimit64 setrlimit setsid setpgid "
        # Each timer is one of the signals that all processes of a user may have waiting.
        "timer_create "
        "remap_file_pages vmsplice landlock_create_ruleset landlock_add_rule landlock_restrict_self"
    ),
}
"""Refused at `low`, where everything else is allowed; above it nobody lists them."""

DENIED_ALWAYS: Final = tuple(call for calls in DENIED_GROUPS.values() for call in calls)


DENIED_WHEN: Final[tuple[Rule, ...]] = (
    Rule("clone", (When(0, CLONE_THREAD, 0),)),
    *(Rule("clone", (When(0, bit, bit),)) for bit in (*CLONE_NAMESPACES, *CLONE_ESCAPES)),
    *(Rule("open", (When(1, flag, flag),)) for flag in O_CHANGES),
    *(Rule("openat", (When(2, flag, flag),)) for flag in O_CHANGES),
    *(Rule("ioctl", (When(1, bit, bit ^ TERMINAL_TYPE & bit),)) for bit in IOCTL_TYPE),
    *(Rule("ioctl", (When(1, LOW_32, request),)) for request in (TIOCSTI, TIOCLINUX, FIOASYNC)),
    *(
        Rule("fcntl", (When(1, LOW_32, command),))
        for command in (F_SETOWN, F_SETSIG, F_SETOWN_EX, F_NOTIFY, F_SETLEASE, F_SETPIPE_SZ)
    ),
    *(
        Rule(call, (When(3, MSG_OOB, MSG_OOB),))
        for call in ("sendto", "recvfrom", "sendmmsg", "recvmmsg")
    ),
    *(Rule(call, (When(2, MSG_OOB, MSG_OOB),)) for call in ("sendmsg", "recvmsg")),
    Rule("mmap", (When(3, MAP_GROWSDOWN, MAP_GROWSDOWN),)),
    *(Rule("madvise", (When(2, LOW_32, advice),)) for advice in ADVICE_OF_OTHERS),
    *(Rule("socketpair", (When(1, SOCK_TYPE, kind),)) for kind in (0, 2, 3, 4, 5, 6, 10)),
    *(Rule("socketpair", (When(0, bit, bit),)) for bit in (2, 4, 8, 16, 32, 64)),
)
"""Refused at `low` when an argument says so."""

ALLOWED: Final = {
    ("medium", "native"): COMMON + INTERPRETER,
    ("medium", "wasm"): COMMON,
    ("high", "native"): COMMON + INTERPRETER,
    ("high", "wasm"): COMMON,
}
"""Allow-lists by level and kind of worker; whatever is not listed answers EPERM."""
