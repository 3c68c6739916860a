/* wasi-libc without WASI: the C library's system calls, answered inside the guest.
 *
 * Defining the library's own import symbols replaces the imports, so that a guest module asks for
 * nothing but host.h, and the build checks that. There are no files; only the clock is real. */
#include "host.h"
#include "libc_host.h"

NO_SUCH_FILE(fd_close, int32_t fd)
/* zig's own close() names the same import in its own way. */
int32_t zig_fd_close(int32_t fd) __asm__("fd_close|wasi_snapshot_preview1");
int32_t zig_fd_close(int32_t fd) { return __imported_wasi_snapshot_preview1_fd_close(fd); }
NO_SUCH_FILE(fd_fdstat_get, int32_t fd, int32_t result)
NO_SUCH_FILE(fd_fdstat_set_flags, int32_t fd, int32_t flags)
NO_SUCH_FILE(fd_prestat_get, int32_t fd, int32_t result)
NO_SUCH_FILE(fd_prestat_dir_name, int32_t fd, int32_t path, int32_t length)
NO_SUCH_FILE(fd_read, int32_t fd, int32_t vectors, int32_t count, int32_t result)
NO_SUCH_FILE(fd_renumber, int32_t fd, int32_t to)
NO_SUCH_FILE(fd_seek, int32_t fd, int64_t offset, int32_t whence, int32_t result)
NO_SUCH_FILE(fd_write, int32_t fd, int32_t vectors, int32_t count, int32_t result)
NO_SUCH_FILE(path_open, int32_t fd, int32_t lookup, int32_t path, int32_t length, int32_t flags,
             int64_t rights, int64_t inherited, int32_t fdflags, int32_t result)

int32_t __imported_wasi_snapshot_preview1_clock_time_get(int32_t id, int64_t precision,
                                                         int32_t result);
int32_t __imported_wasi_snapshot_preview1_clock_time_get(int32_t id, int64_t precision,
                                                         int32_t result) {
  (void)precision;
  if (id != HOST_CLOCK_REAL && id != HOST_CLOCK_MONOTONIC) {
    return WASI_INVAL;
  }
  *(uint64_t *)(uintptr_t)result = (uint64_t)(host_clock(id) * 1e6);
  return 0;
}

_Noreturn void __imported_wasi_snapshot_preview1_proc_exit(int32_t status);
_Noreturn void __imported_wasi_snapshot_preview1_proc_exit(int32_t status) { host_exit(status); }
