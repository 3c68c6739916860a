/* How a system call of the C library is answered inside the guest. */
#ifndef LLMSPELL_LIBC_HOST_H
#define LLMSPELL_LIBC_HOST_H

#include <stdint.h>

enum { WASI_OK = 0, WASI_BADF = 8, WASI_INVAL = 28, WASI_NOTSUP = 58 };

/* The parameters are named for the reader only. */
#pragma clang diagnostic ignored "-Wunused-parameter"

/* Declares the symbol that the C library imports, which the definition behind it replaces. */
#define WASI_CALL(name, ...)                                     \
  int32_t __imported_wasi_snapshot_preview1_##name(__VA_ARGS__); \
  int32_t __imported_wasi_snapshot_preview1_##name(__VA_ARGS__)

#define NO_SUCH_FILE(name, ...) \
  WASI_CALL(name, __VA_ARGS__) { return WASI_BADF; }

#endif
