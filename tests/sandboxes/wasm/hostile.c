/* Calls every import of the guests with hostile numbers, and the channel with hostile frames.
 * Built with the address and undefined-behaviour sanitizers: the guest's memory is one heap block of
 * exactly its size, so that one byte too far is caught. argv: seed, rounds. */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "guest_memory.h"
#include "hostcalls.h"

enum { MEMORY = 100003 };
static struct guest_memory memory;
struct guest_memory guest_memory(void) { return memory; }

/* No waiting: what is tested is arithmetic, so the clock jumps over each time that nothing came. */
static time_t skipped;
int __real_poll(struct pollfd *list, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *list, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *list, nfds_t count, int timeout) {
  if (list->events != POLLIN) {
    return __real_poll(list, count, timeout);
  }
  int ready = __real_poll(list, count, 0);
  skipped += ready == 0 && timeout > 0 ? timeout / 1000 + 1 : 0;
  return ready;
}
int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now) {
  int status = __real_clock_gettime(clock, now);
  now->tv_sec += clock == CLOCK_MONOTONIC ? skipped % 1000000000 : 0;
  return status;
}
static uint64_t state;
static uint32_t next_random(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 16);
}

/* Numbers near every edge there is, and some that are right. */
static uint32_t hostile(void) {
  static const uint32_t edges[] = {0, 1, 2, 3, MEMORY, 0x7fffffff, 0x80000000, 0xffffffff,
                                   FRAME_MAX, 32768, 65536};
  switch (next_random() % 4) {
    case 0:
      return edges[next_random() % (sizeof edges / sizeof *edges)] + next_random() % 9 - 4;
    case 1:
      return next_random() % 4;
    case 2:
      return next_random() % MEMORY;
    default:
      return next_random();
  }
}

static void *drain(void *descriptor) {
  static char sink[1 << 16];
  while (read(*(int *)descriptor, sink, sizeof sink) > 0) {
  }
  return NULL;
}

struct import {
  const char *name;
  size_t parameters;
  size_t results;
};
static const struct import imports[] = {
    {"send", 2, 1},
    {"recv", 1, 1},
    {"read", 1, 0},
    {"clock", 1, 1},
    {"random", 2, 0},
};

static void call(const struct import *import) {
  const void *data = NULL;
  engine_import_t answer =
      hostcall_imports.find(import->name, import->parameters, import->results, &data);
  if (answer == NULL) {
    fprintf(stderr, "no import %s\n", import->name);
    abort();
  }
  wasmtime_val_raw_t values[9];
  for (int i = 0; i < 9; i++) {
    values[i].i64 = (int64_t)((uint64_t)next_random() << 32);
    values[i].i32 = (int32_t)hostile();
  }
  if (strcmp(import->name, "recv") == 0) {
    uint64_t bits = (uint64_t)next_random() << 32 | next_random();
    memcpy(&values[0].f64, &bits, sizeof bits);
  }
  answer(values, data);
}

static void hostile_guest(int rounds) {
  int pair[2];
  pthread_t drainer;
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  pthread_create(&drainer, NULL, drain, &pair[1]);
  channel_open(pair[0]);
  for (int round = 0; round < rounds; round++) {
    for (int i = 0; i < 64; i++) {
      uint32_t value = hostile();
      memcpy(memory.base + next_random() % (MEMORY - 4), &value, 4);
    }
    uint32_t length = next_random() % 300 + 1;
    char frame[304];
    memcpy(frame, &length, 4);
    if (round % 8 == 0 && channel_left() == 0) {
      (void)!send(pair[1], frame, length + 4, MSG_DONTWAIT);
    }
    call(&imports[next_random() % (sizeof imports / sizeof *imports)]);
  }
  shutdown(pair[0], SHUT_RDWR);
  pthread_join(drainer, NULL);
}

static void hostile_frames(int rounds) {
  static uint8_t bytes[4096];
  static uint8_t taken[4096];
  for (int round = 0; round < rounds; round++) {
    int pair[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    channel_open(pair[0]);
    for (int part = 0; part < 4; part++) {
      size_t size = next_random() % sizeof bytes;
      for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)next_random();
      }
      uint32_t length = next_random() % 3 == 0 ? hostile() : next_random() % 4000;
      memcpy(bytes, &length, 4);
      (void)!write(pair[1], bytes, size);
      for (int look = 0; look < 6; look++) {
        channel_wait(0);
        channel_take(taken, next_random() % sizeof taken);
      }
    }
    close(pair[1]);
    for (int look = 0; look < 4; look++) {
      channel_wait(0);
      channel_take(taken, sizeof taken);
    }
    close(pair[0]);
  }
}

int main(int count, char **words) {
  if (count != 3) {
    return 2;
  }
  state = strtoull(words[1], NULL, 10) * 0x9e3779b97f4a7c15u + 1;
  int rounds = atoi(words[2]);
  memory.base = calloc(MEMORY, 1);
  memory.size = MEMORY;
  hostile_guest(rounds);
  hostile_frames(rounds / 10);
  free(memory.base);
  puts("survived");
  return 0;
}
