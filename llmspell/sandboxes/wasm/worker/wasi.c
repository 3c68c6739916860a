#include "wasi.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "entropy.h"
#include "guest_memory.h"
#include "hostcalls.h"
#include "messages.h"
#include "refuse.h"
#include "wasi_poll.h"
#include "wasi_types.h"
#include "zygote.h"

enum { VECTORS_MOST = 1024, VECTOR_BYTES = 8 };

/* A guest function's own number for an argument: pointers, lengths and descriptors are u32. */
static uint32_t word(const wasmtime_val_raw_t *values, int index) {
  return (uint32_t)values[index].i32;
}

/* ---- arguments and environment */

static const char *arguments[] = {"python", "-I", "-S", "-B", "-c", NULL};
static char hash_seed[] = "PYTHONHASHSEED=4294967295";
static const char *environment[] = {hash_seed};

void wasi_arguments(const char *prelude) {
  uint32_t seed = 0;
  if (!entropy(&seed, sizeof seed)) {
    refuse("the kernel gave no randomness");
  }
  snprintf(hash_seed, sizeof hash_seed, "PYTHONHASHSEED=%u", seed);
  arguments[5] = prelude;
}

static int sizes(const char *const *strings, uint32_t count, const wasmtime_val_raw_t *values) {
  uint32_t bytes = 0;
  for (uint32_t i = 0; i < count; i++) {
    bytes += (uint32_t)strlen(strings[i]) + 1;
  }
  bool put = guest_put(word(values, 0), &count, sizeof count) &&
             guest_put(word(values, 1), &bytes, sizeof bytes);
  return put ? WASI_SUCCESS : WASI_FAULT;
}

static int strings_into(const char *const *strings, uint32_t count,
                        const wasmtime_val_raw_t *values) {
  uint32_t place = word(values, 1);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t size = (uint32_t)strlen(strings[i]) + 1;
    const void *slots = guest_span(word(values, 0), (uint64_t)sizeof place * count);
    if (slots == NULL || !guest_put(place, strings[i], size) ||
        !guest_put(word(values, 0) + (uint32_t)sizeof place * i, &place, sizeof place)) {
      return WASI_FAULT;
    }
    place += size;
  }
  return WASI_SUCCESS;
}

static int args_sizes_get(wasmtime_val_raw_t *values) { return sizes(arguments, 6, values); }
static int args_get(wasmtime_val_raw_t *values) { return strings_into(arguments, 6, values); }
static int environ_sizes_get(wasmtime_val_raw_t *values) { return sizes(environment, 1, values); }
static int environ_get(wasmtime_val_raw_t *values) { return strings_into(environment, 1, values); }

/* ---- clocks and randomness */

static int clock_time_get(wasmtime_val_raw_t *values) {
  static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID,
                                     CLOCK_PROCESS_CPUTIME_ID};
  struct timespec now;
  if (word(values, 0) >= sizeof clocks / sizeof *clocks ||
      clock_gettime(clocks[word(values, 0)], &now) != 0) {
    return WASI_INVAL;
  }
  /* Whole microseconds: nanoseconds only help to time caches (KX-19). */
  uint64_t time = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)(now.tv_nsec / 1000) * 1000u;
  return guest_put(word(values, 2), &time, sizeof time) ? WASI_SUCCESS : WASI_FAULT;
}

static int clock_res_get(wasmtime_val_raw_t *values) {
  uint64_t resolution = 1000;
  bool put = guest_put(word(values, 1), &resolution, sizeof resolution);
  return put ? WASI_SUCCESS : WASI_FAULT;
}

static int random_get(wasmtime_val_raw_t *values) {
  uint32_t length = word(values, 1);
  void *destination = guest_span(word(values, 0), length);
  if (destination == NULL) {
    return WASI_FAULT;
  }
  return entropy(destination, length) ? WASI_SUCCESS : WASI_IO;
}

/* ---- the three descriptors */

static bool is_open(uint32_t descriptor) { return descriptor <= WASI_STDERR; }

static int fd_fdstat_get(wasmtime_val_raw_t *values) {
  if (!is_open(word(values, 0))) {
    return WASI_BADF;
  }
  uint8_t status[24] = {WASI_CHARACTER_DEVICE};
  /* All rights, seeking too: without it the C library takes a character device for a terminal. */
  uint64_t rights = (1u << 29) - 1;
  memcpy(status + 8, &rights, sizeof rights);
  return guest_put(word(values, 1), status, sizeof status) ? WASI_SUCCESS : WASI_FAULT;
}

static int fd_filestat_get(wasmtime_val_raw_t *values) {
  if (!is_open(word(values, 0))) {
    return WASI_BADF;
  }
  uint8_t status[64] = {0};
  status[16] = WASI_CHARACTER_DEVICE;
  status[24] = 1; /* links */
  return guest_put(word(values, 1), status, sizeof status) ? WASI_SUCCESS : WASI_FAULT;
}

static int not_seekable(wasmtime_val_raw_t *values) {
  return is_open(word(values, 0)) ? WASI_SPIPE : WASI_BADF;
}

/* Closing a standard descriptor is allowed and does nothing. */
static int fd_close(wasmtime_val_raw_t *values) {
  return is_open(word(values, 0)) ? WASI_SUCCESS : WASI_BADF;
}

struct vector {
  uint32_t place;
  uint32_t length;
};

/* Reads vector `index` of the array at `array` and checks that all of it is the guest's. */
static void *vector_span(uint32_t array, uint32_t index, struct vector *vector) {
  const uint8_t *slot = guest_span(array, (uint64_t)VECTOR_BYTES * (index + 1));
  if (slot == NULL) {
    return NULL;
  }
  memcpy(vector, slot + (size_t)VECTOR_BYTES * index, sizeof *vector);
  return guest_span(vector->place, vector->length);
}

/* All of a write becomes one frame, so it is gathered first. */
static int write_frame(uint32_t array, uint32_t count, uint32_t *written) {
  static uint8_t frame[FRAME_MAX];
  for (uint32_t i = 0; i < count; i++) {
    struct vector vector;
    const void *bytes = vector_span(array, i, &vector);
    if (bytes == NULL) {
      return WASI_FAULT;
    }
    if (vector.length > FRAME_MAX - *written) {
      return WASI_MSGSIZE;
    }
    memcpy(frame + *written, bytes, vector.length);
    *written += vector.length;
  }
  if (*written > 0 && !channel_send(frame, *written)) {
    _exit(EXIT_DONE); /* the supervisor is gone */
  }
  return WASI_SUCCESS;
}

static int write_output(enum output_stream stream, uint32_t array, uint32_t count,
                        uint32_t *written) {
  for (uint32_t i = 0; i < count; i++) {
    struct vector vector;
    const void *bytes = vector_span(array, i, &vector);
    if (bytes == NULL || vector.length > UINT32_MAX - *written) {
      return WASI_FAULT;
    }
    message_output(stream, bytes, vector.length);
    *written += vector.length;
  }
  if (channel_lost()) {
    _exit(EXIT_DONE);
  }
  return WASI_SUCCESS;
}

static int fd_write(wasmtime_val_raw_t *values) {
  uint32_t descriptor = word(values, 0);
  uint32_t count = word(values, 2);
  if (!is_open(descriptor)) {
    return WASI_BADF;
  }
  if (count > VECTORS_MOST) {
    return WASI_INVAL;
  }
  uint32_t written = 0;
  int trouble = descriptor == WASI_CHANNEL
                    ? write_frame(word(values, 1), count, &written)
                    : write_output(descriptor == WASI_STDERR ? OUTPUT_STDERR : OUTPUT_STDOUT,
                                   word(values, 1), count, &written);
  if (trouble != WASI_SUCCESS) {
    return trouble;
  }
  return guest_put(word(values, 3), &written, sizeof written) ? WASI_SUCCESS : WASI_FAULT;
}

static int fd_read(wasmtime_val_raw_t *values) {
  uint32_t count = word(values, 2);
  if (word(values, 0) != WASI_CHANNEL) {
    return WASI_BADF;
  }
  if (count > VECTORS_MOST) {
    return WASI_INVAL;
  }
  uint32_t taken = 0;
  zygote_point();
  if (channel_wait(-1) == CHANNEL_FRAME) {
    for (uint32_t i = 0; i < count && channel_left() > 0; i++) {
      struct vector vector;
      void *room = vector_span(word(values, 1), i, &vector);
      if (room == NULL) {
        return WASI_FAULT;
      }
      taken += channel_take(room, vector.length);
    }
  }
  return guest_put(word(values, 3), &taken, sizeof taken) ? WASI_SUCCESS : WASI_FAULT;
}

/* ---- the rest */

static int poll_oneoff(wasmtime_val_raw_t *values) {
  return wasi_poll(word(values, 0), word(values, 1), word(values, 2), word(values, 3));
}

static int sched_yield(wasmtime_val_raw_t *values) {
  (void)values;
  return WASI_SUCCESS;
}

static int proc_exit(wasmtime_val_raw_t *values) { end_of_guest(values[0].i32); }

static int bad_descriptor(wasmtime_val_raw_t *values) {
  (void)values;
  return WASI_BADF;
}

static int not_supported(wasmtime_val_raw_t *values) {
  (void)values;
  return WASI_NOTSUP;
}

struct wasi_function {
  const char *name;
  size_t parameters;
  size_t results;
  int (*answer)(wasmtime_val_raw_t *values);
};

static const struct wasi_function functions[] = {
    {"args_sizes_get", 2, 1, args_sizes_get},
    {"args_get", 2, 1, args_get},
    {"environ_sizes_get", 2, 1, environ_sizes_get},
    {"environ_get", 2, 1, environ_get},
    {"clock_time_get", 3, 1, clock_time_get},
    {"clock_res_get", 2, 1, clock_res_get},
    {"random_get", 2, 1, random_get},
    {"fd_fdstat_get", 2, 1, fd_fdstat_get},
    {"fd_filestat_get", 2, 1, fd_filestat_get},
    {"fd_seek", 4, 1, not_seekable},
    {"fd_tell", 2, 1, not_seekable},
    {"fd_close", 1, 1, fd_close},
    {"fd_write", 4, 1, fd_write},
    {"fd_read", 4, 1, fd_read},
    {"poll_oneoff", 4, 1, poll_oneoff},
    {"sched_yield", 0, 1, sched_yield},
    {"proc_exit", 1, 0, proc_exit},
};

static const char *answer(wasmtime_val_raw_t *values, const void *data) {
  const struct wasi_function *function = data;
  values[0].i32 = function->answer(values);
  return NULL;
}

/* Whatever else a WASI program may ask for exists by name and is refused by value: the guest is a
 * general build of CPython and imports much that it never gets. */
static engine_import_t find(const char *name, size_t parameters, size_t results,
                            const void **data) {
  static const struct wasi_function on_descriptors = {"", 0, 1, bad_descriptor};
  static const struct wasi_function otherwise = {"", 0, 1, not_supported};
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    if (strcmp(functions[i].name, name) == 0) {
      *data = &functions[i];
      return functions[i].parameters == parameters && functions[i].results == results ? answer
                                                                                     : NULL;
    }
  }
  *data = strncmp(name, "fd_", 3) == 0 ? &on_descriptors : &otherwise;
  return results == 1 ? answer : NULL;
}

const struct engine_imports wasi_imports = {"wasi_snapshot_preview1", find};
