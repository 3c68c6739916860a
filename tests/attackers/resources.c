/* Memory by every door that native code knows: each act takes as much as it gets and gives it back.
 *
 * resources … MOST     MOST: MiB at which an act has seen enough. See in_place.h for how it is started.
 * Answers in MiB or KiB where the name ends so; else the error of one call, 0 where it worked. */
#define _GNU_SOURCE
#include "in_place.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { KIB = 1024, MIB = 1 << 20, CHUNK = 16 * MIB, PAGE = 4096, STRIDE = 16 * PAGE, CHUNKS = 256, DESCRIPTORS = 256 };

static size_t most;

/* Every sixteenth page: what can be written there can be written to everywhere, and this is quick. */
static void touch(char *at, size_t size) {
    for (size_t offset = 0; offset < size; offset += STRIDE)
        at[offset] = 1;
}

static char *map(size_t size, int protection, int flags) {
    char *at = mmap(NULL, size, protection, flags | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

/* MiB of memory that could be written to, in chunks mapped with these flags. */
static long take(int flags, int protection) {
    static char *chunks[CHUNKS];
    size_t count = 0;
    while (count < most / CHUNK && count < CHUNKS) {
        char *at = map(CHUNK, protection, flags);
        if (!at)
            break;
        chunks[count++] = at;
        if (!(protection & PROT_WRITE) && mprotect(at, CHUNK, PROT_READ | PROT_WRITE)) {
            munmap(at, CHUNK);
            count--;
            break;
        }
        touch(at, CHUNK);
    }
    for (size_t index = 0; index < count; index++)
        munmap(chunks[index], CHUNK);
    return (long)(count * (CHUNK / MIB));
}

/* MiB that one mapping can be made to hold by mremap, which keeps what kind of mapping it is. */
static long grow(char *at, size_t size) {
    while (at && size < most) {
        char *grown = mremap(at, size, size + CHUNK, MREMAP_MAYMOVE);
        if (grown == MAP_FAILED)
            break;
        at = grown;
        touch(at + size, CHUNK);
        size += CHUNK;
    }
    if (at)
        munmap(at, size);
    return at ? (long)(size / MIB) : 0;
}

/* Part of this thread's own stack, below everything that is in use, moved away and made longer. */
static long grow_the_stack(void) {
    volatile char *here = __builtin_frame_address(0);
    for (long down = 0; down < 2 * MIB; down += PAGE)
        here[-down] = 0;
    return grow((char *)(((uintptr_t)here - MIB) & ~(uintptr_t)(PAGE - 1)), MIB / 2);
}

/* Reading a page that nobody wrote takes no memory but its page table: one page for 2 MiB of addresses. */
static long page_tables(size_t most_kib) {
    size_t count = 0, gigabyte = 1u << 30, step = 2 * MIB;
    static char *chunks[CHUNKS];
    volatile char sum = 0;
    while (count < CHUNKS && count * (gigabyte / step) * 4 < most_kib) {
        char *at = map(gigabyte, PROT_READ, MAP_PRIVATE | MAP_NORESERVE);
        if (!at)
            break;
        madvise(at, gigabyte, MADV_NOHUGEPAGE);
        for (size_t offset = 0; offset < gigabyte; offset += step)
            sum += at[offset];
        chunks[count++] = at;
    }
    for (size_t index = 0; index < count; index++)
        munmap(chunks[index], gigabyte);
    return (long)(count * (gigabyte / step) * 4);
}

/* KiB that lie in the kernel when every pair of descriptors that can be had is filled. */
static long fill(int sockets) {
    static char data[64 * KIB];
    int pairs[DESCRIPTORS][2];
    size_t count = 0, total = 0;
    while (count < DESCRIPTORS) {
        if (sockets ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pairs[count]) : pipe2(pairs[count], O_NONBLOCK))
            break;
        for (int end = sockets ? 0 : 1; end < 2; end++)
            for (ssize_t got; (got = write(pairs[count][end], data, sizeof data)) > 0;)
                total += (size_t)got;
        count++;
    }
    while (count--) {
        close(pairs[count][0]);
        close(pairs[count][1]);
    }
    return (long)(total / KIB);
}

static long shut(long fd) {
    if (fd >= 0)
        close((int)fd);
    return fd;
}

static long larger_pipe(void) {
    int ends[2];
    if (pipe2(ends, O_NONBLOCK))
        return -1;
    long result = fcntl(ends[1], 1031 /* F_SETPIPE_SZ */, MIB);
    shut(ends[0]);
    shut(ends[1]);
    return result;
}

/* A pair's own buffer where one can be had, else the channel's. */
static long larger_buffer(void) {
    int ends[2] = {3, -1}, size = 16 * MIB;
    int made = !socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    long result = setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if (made) {
        shut(ends[0]);
        shut(ends[1]);
    }
    return result;
}

/* Descriptors under way in a socket: what they refer to lives on, and no table counts them. */
static long send_away(void) {
    int ends[2] = {3, -1};
    int made = !socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } space = {{0}};
    char byte = 0;
    struct iovec bytes = {&byte, 1};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = space.bytes,
                             .msg_controllen = sizeof space.bytes};
    space.header.cmsg_level = SOL_SOCKET;
    space.header.cmsg_type = SCM_RIGHTS;
    space.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&space.header), ends, sizeof(int));
    long result = sendmsg(ends[0], &message, MSG_DONTWAIT);
    if (made) {
        shut(ends[0]);
        shut(ends[1]);
    }
    return result;
}

static long shared_segment(void) {
    long result = shmget(IPC_PRIVATE, MIB, IPC_CREAT | 0600);
    if (result >= 0)
        shmctl((int)result, IPC_RMID, NULL);
    return result;
}

static long make_file(const char *folder) {
    char path[256];
    snprintf(path, sizeof path, "%s/llmspell-attack-%d", folder, (int)getpid());
    long fd = open(path, O_CREAT | O_EXCL | O_RDWR, 0600);
    if (fd >= 0)
        unlink(path);
    return shut(fd);
}

static long let_a_child_hold(void) {
    long pid = syscall(SYS_clone, 17 /* SIGCHLD */, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    if (pid > 0)
        waitpid((pid_t)pid, NULL, 0);
    return pid;
}

/* Up to the hard limit, which outside anybody may; and beyond it. */
static long raise_limit(int resource, int by_prlimit) {
    struct rlimit limit;
    if (getrlimit(resource, &limit))
        limit.rlim_max = RLIM_INFINITY; /* at `high` it can't even be read */
    limit.rlim_cur = limit.rlim_max;
    return by_prlimit ? syscall(SYS_prlimit64, 0, resource, &limit, NULL) : setrlimit(resource, &limit);
}

static void act(int free, char **words) {
    char context[64] = {0};
    (void)free;
    most = (size_t)atol(words[0]) * MIB;
    note_number("RS_02_private_mib", take(MAP_PRIVATE, PROT_READ | PROT_WRITE));
    note_number("RS_02_noreserve_mib", take(MAP_PRIVATE | MAP_NORESERVE, PROT_READ | PROT_WRITE));
    note_number("RS_02_no_access_first_mib", take(MAP_PRIVATE, PROT_NONE));
    note_number("RS_02_shared_mib", take(MAP_SHARED, PROT_READ | PROT_WRITE));
    note_number("RS_02_grows_down_mib", take(MAP_PRIVATE | MAP_GROWSDOWN, PROT_READ | PROT_WRITE));
    note_number("RS_02_remapped_mib", grow(map(MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE), MIB));
    note_number("RS_02_stack_mib", grow_the_stack());
    note_number("RS_04_page_tables_kib", page_tables(80 * KIB));
    note_number("RS_04_pipes_kib", fill(0));
    note_number("RS_04_sockets_kib", fill(1));
    note("RS_04_larger_pipe", larger_pipe());
    note("RS_04_larger_buffer", larger_buffer());
    note("RS_04_descriptors_sent_away", send_away());
    note("RS_04_memory_file", shut(syscall(SYS_memfd_create, "x", 0)));
    note("RS_04_shared_segment", shared_segment());
    note("RS_04_dev_shm", make_file("/dev/shm"));
    note("RS_04_tmp", make_file("/tmp"));
    note("RS_04_requests", syscall(SYS_io_setup, 1, context));
    note("RS_04_watches", shut(syscall(SYS_inotify_init1, 0)));
    note("RS_03_file_map", shut(open("/proc/self/exe", O_RDONLY)));
    note("RS_03_child", let_a_child_hold());
    note("RS_16_data", raise_limit(RLIMIT_DATA, 0));
    note("RS_16_addresses", raise_limit(RLIMIT_AS, 1));
    note("RS_16_cpu", raise_limit(RLIMIT_CPU, 1));
    note("RS_16_files", raise_limit(RLIMIT_NOFILE, 0));
    note("RS_24_own_group", shut(open("/proc/self/cgroup", O_RDONLY)));
    note("RS_24_groups", shut(open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY)));
}

int main(int count, char **words) { return in_place(count, words, act); }
