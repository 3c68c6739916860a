/* The system calls that only CPython's modules name (libc_host.c has those of every guest).
 *
 * Still no files: descriptors and paths lead nowhere. Only time and randomness are real. */
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "host.h"
#include "libc_host.h"
#include "python_host.h"

NO_SUCH_FILE(fd_advise, int32_t fd, int64_t offset, int64_t length, int32_t advice)
NO_SUCH_FILE(fd_datasync, int32_t fd)
NO_SUCH_FILE(fd_filestat_get, int32_t fd, int32_t result)
NO_SUCH_FILE(fd_filestat_set_size, int32_t fd, int64_t size)
NO_SUCH_FILE(fd_filestat_set_times, int32_t fd, int64_t read, int64_t written, int32_t flags)
NO_SUCH_FILE(fd_pread, int32_t fd, int32_t vectors, int32_t count, int64_t offset, int32_t result)
NO_SUCH_FILE(fd_pwrite, int32_t fd, int32_t vectors, int32_t count, int64_t offset, int32_t result)
NO_SUCH_FILE(fd_readdir, int32_t fd, int32_t room, int32_t length, int64_t cookie, int32_t result)
NO_SUCH_FILE(fd_sync, int32_t fd)
NO_SUCH_FILE(fd_tell, int32_t fd, int32_t result)
NO_SUCH_FILE(path_create_directory, int32_t fd, int32_t path, int32_t length)
NO_SUCH_FILE(path_filestat_get, int32_t fd, int32_t flags, int32_t path, int32_t length,
             int32_t result)
NO_SUCH_FILE(path_filestat_set_times, int32_t fd, int32_t flags, int32_t path, int32_t length,
             int64_t read, int64_t written, int32_t which)
NO_SUCH_FILE(path_link, int32_t fd, int32_t flags, int32_t path, int32_t length, int32_t to,
             int32_t name, int32_t name_length)
NO_SUCH_FILE(path_readlink, int32_t fd, int32_t path, int32_t length, int32_t room, int32_t size,
             int32_t result)
NO_SUCH_FILE(path_remove_directory, int32_t fd, int32_t path, int32_t length)
NO_SUCH_FILE(path_rename, int32_t fd, int32_t path, int32_t length, int32_t to, int32_t name,
             int32_t name_length)
NO_SUCH_FILE(path_symlink, int32_t path, int32_t length, int32_t fd, int32_t name,
             int32_t name_length)
NO_SUCH_FILE(path_unlink_file, int32_t fd, int32_t path, int32_t length)

static void *at(int32_t address) { return (void *)(uintptr_t)(uint32_t)address; }

WASI_CALL(environ_sizes_get, int32_t count, int32_t size) {
  memset(at(count), 0, sizeof(int32_t));
  memset(at(size), 0, sizeof(int32_t));
  return WASI_OK;
}

WASI_CALL(environ_get, int32_t list, int32_t room) { return WASI_OK; }

WASI_CALL(sched_yield, void) { return WASI_OK; }

WASI_CALL(clock_res_get, int32_t id, int32_t result) {
  static const uint64_t microsecond = 1000; /* as the host rounds */
  memcpy(at(result), &microsecond, sizeof microsecond);
  return WASI_OK;
}

WASI_CALL(random_get, int32_t room, int32_t length) {
  host_random(at(room), length);
  return WASI_OK;
}

/* Waiting for a clock, the only thing there is to wait for. The layouts are WASI preview 1's. */
struct subscription {
  uint64_t user;
  uint8_t kind;
  struct {
    uint32_t id;
    uint64_t timeout; /* nanoseconds */
    uint64_t precision;
    uint16_t flags;
  } clock;
};
struct event {
  uint64_t user;
  uint16_t error;
  uint8_t kind;
  uint64_t bytes;
  uint16_t flags;
};
enum { KIND_CLOCK = 0, FLAG_ABSOLUTE = 1 };
_Static_assert(offsetof(struct subscription, clock.timeout) == 24, "subscription");
_Static_assert(sizeof(struct subscription) == 48 && sizeof(struct event) == 32, "sizes");

WASI_CALL(poll_oneoff, int32_t in, int32_t out, int32_t count, int32_t result) {
  const struct subscription *wanted = at(in);
  if (count != 1 || wanted->kind != KIND_CLOCK) {
    return WASI_NOTSUP;
  }
  double milliseconds = (double)wanted->clock.timeout / 1e6;
  if (wanted->clock.flags & FLAG_ABSOLUTE) {
    milliseconds -= host_clock((int32_t)wanted->clock.id);
  }
  python_sleep(milliseconds);
  struct event *event = at(out);
  *event = (struct event){.user = wanted->user, .kind = KIND_CLOCK};
  *(uint32_t *)at(result) = 1;
  return WASI_OK;
}

/* Processor time of the worker. The C library's own counts from where it was loaded, which in an
 * image is the past of every copy. */
clock_t clock(void) {
  return (clock_t)(host_clock(HOST_CLOCK_PROCESS) / 1e3 * (double)CLOCKS_PER_SEC);
}
