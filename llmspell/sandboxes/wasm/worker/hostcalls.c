#include "hostcalls.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "entropy.h"
#include "guest_memory.h"
#include "messages.h"
#include "refuse.h"

static const char OUT_OF_BOUNDS[] = "the guest named memory that is not its own";

static uint32_t pointer(const wasmtime_val_raw_t *value) { return (uint32_t)value->i32; }

/* Every answer below takes its arguments from `values` and leaves its result in values[0]. */

static const char *answer_send(wasmtime_val_raw_t *values, const void *data) {
  (void)data;
  uint32_t length = pointer(&values[1]);
  const void *bytes = guest_span(pointer(&values[0]), length);
  if (bytes == NULL) {
    return OUT_OF_BOUNDS;
  }
  bool sent = channel_send(bytes, length);
  if (channel_lost()) {
    _exit(EXIT_DONE); /* the supervisor is gone: there is nobody left to work for */
  }
  values[0].i32 = sent ? 0 : -1;
  return NULL;
}

static const char *answer_recv(wasmtime_val_raw_t *values, const void *data) {
  (void)data;
  switch (channel_wait(values[0].f64)) {
    case CHANNEL_FRAME:
      values[0].i32 = (int32_t)channel_left();
      break;
    case CHANNEL_TIMEOUT:
      values[0].i32 = 0;
      break;
    case CHANNEL_CLOSED:
      values[0].i32 = -1;
      break;
  }
  return NULL;
}

static const char *answer_read(wasmtime_val_raw_t *values, const void *data) {
  (void)data;
  uint32_t length = channel_left();
  void *destination = guest_span(pointer(&values[0]), length);
  if (destination == NULL) {
    return OUT_OF_BOUNDS;
  }
  channel_take(destination, length);
  return NULL;
}

static const char *answer_clock(wasmtime_val_raw_t *values, const void *data) {
  (void)data;
  static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID};
  bool known = values[0].i32 >= 0 && (size_t)values[0].i32 < sizeof clocks / sizeof *clocks;
  struct timespec now = {0, 0};
  clock_gettime(known ? clocks[values[0].i32] : CLOCK_MONOTONIC, &now);
  /* Whole microseconds: nanoseconds only help to time caches (KX-19). */
  values[0].f64 = (double)now.tv_sec * 1e3 + (double)(now.tv_nsec / 1000) / 1e3;
  return NULL;
}

static const char *answer_random(wasmtime_val_raw_t *values, const void *data) {
  (void)data;
  uint32_t length = pointer(&values[1]);
  void *destination = guest_span(pointer(&values[0]), length);
  if (destination == NULL) {
    return OUT_OF_BOUNDS;
  }
  return entropy(destination, length) ? NULL : "the kernel gave no randomness";
}

static const char *answer_exit(wasmtime_val_raw_t *values, const void *data) {
  (void)data;
  end_of_guest(values[0].i32);
}

void end_of_guest(int32_t status) {
  if (status != 0) {
    char message[80];
    snprintf(message, sizeof message, "the engine of the spell ended with status %d", (int)status);
    message_failed("trap", message);
    _exit(EXIT_GUEST_FAILED);
  }
  _exit(EXIT_DONE);
}

struct hostcall {
  const char *name;
  size_t parameters;
  size_t results;
  engine_import_t answer;
};

static engine_import_t find(const char *name, size_t parameters, size_t results,
                            const void **data) {
  static const struct hostcall table[] = {
      {"send", 2, 1, answer_send},   {"recv", 1, 1, answer_recv},     {"read", 1, 0, answer_read},
      {"clock", 1, 1, answer_clock}, {"random", 2, 0, answer_random}, {"exit", 1, 0, answer_exit},
  };
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    if (strcmp(table[i].name, name) == 0 && table[i].parameters == parameters &&
        table[i].results == results) {
      *data = NULL;
      return table[i].answer;
    }
  }
  return NULL;
}

const struct engine_imports hostcall_imports = {"llmspell", find};
