#include "channel.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int channel = -1;
static bool lost;

/* Bytes between `start` and `end` arrived and were not taken. `left` of them, at `start`, are the
 * rest of the announced frame. */
static uint8_t inbox[FRAME_HEADER + FRAME_MAX];
static size_t start;
static size_t end;
static uint32_t left;

static uint8_t outbox[FRAME_HEADER + FRAME_MAX];

void channel_open(int descriptor) {
  channel = descriptor;
  lost = false;
  start = end = 0;
  left = 0;
}

static double now_milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* 1 ready, 0 the deadline passed, -1 the descriptor is unusable. A deadline below 0 is never. */
static int wait_until(short events, double deadline) {
  for (;;) {
    int timeout = -1;
    if (deadline >= 0) {
      double rest = deadline - now_milliseconds();
      /* Rounded up: rounding down would turn the last millisecond into a busy loop. */
      timeout = rest <= 0 ? 0 : rest >= INT_MAX - 1 ? INT_MAX : (int)rest + 1;
    }
    struct pollfd waited = {channel, events, 0};
    int ready = poll(&waited, 1, timeout);
    if (ready > 0) {
      return 1;
    }
    if (ready < 0 && errno != EINTR) {
      return -1;
    }
    if (ready == 0 && now_milliseconds() >= deadline) {
      return 0;
    }
  }
}

static uint32_t little_endian(const uint8_t *bytes) {
  return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
         (uint32_t)bytes[3] << 24;
}

/* Announces the frame at `start` if all of it arrived. False when its length is no frame's. */
static bool announce(void) {
  if (end - start < FRAME_HEADER) {
    return true;
  }
  uint32_t length = little_endian(inbox + start);
  if (length == 0 || length > FRAME_MAX) {
    return false;
  }
  if (end - start - FRAME_HEADER >= length) {
    start += FRAME_HEADER;
    left = length;
  }
  return true;
}

/* Makes room for a whole frame by moving what is there to the front. */
static void compact(void) {
  memmove(inbox, inbox + start, end - start);
  end -= start;
  start = 0;
}

enum channel_state channel_wait(double milliseconds) {
  static const double as_good_as_ever = 1e12; /* 30 years */
  bool forever = milliseconds < 0 || milliseconds > as_good_as_ever;
  double deadline = forever ? -1 : now_milliseconds() + milliseconds;
  if (milliseconds != milliseconds) {
    deadline = 0; /* not a number: only look */
  }
  while (left == 0) {
    if (lost || !announce()) {
      lost = true;
      return CHANNEL_CLOSED;
    }
    if (left > 0) {
      break;
    }
    compact();
    int ready = wait_until(POLLIN, deadline);
    if (ready == 0) {
      return CHANNEL_TIMEOUT;
    }
    ssize_t arrived = ready < 0 ? 0 : read(channel, inbox + end, sizeof inbox - end);
    if (arrived > 0) {
      end += (size_t)arrived;
    } else if (arrived == 0 || (errno != EINTR && errno != EAGAIN)) {
      lost = true;
    }
  }
  return CHANNEL_FRAME;
}

uint32_t channel_left(void) { return left; }

uint32_t channel_take(void *destination, uint32_t room) {
  uint32_t count = room < left ? room : left;
  memcpy(destination, inbox + start, count);
  start += count;
  left -= count;
  return count;
}

bool channel_send(const void *bytes, size_t length) {
  if (lost || length == 0 || length > FRAME_MAX) {
    return false;
  }
  for (int i = 0; i < FRAME_HEADER; i++) {
    outbox[i] = (uint8_t)(length >> (8 * i));
  }
  memcpy(outbox + FRAME_HEADER, bytes, length);
  size_t total = FRAME_HEADER + length;
  for (size_t sent = 0; sent < total;) {
    ssize_t count = write(channel, outbox + sent, total - sent);
    if (count > 0) {
      sent += (size_t)count;
    } else if (count < 0 && errno == EAGAIN) {
      lost = wait_until(POLLOUT, -1) < 0;
    } else if (count == 0 || errno != EINTR) {
      lost = true;
    }
    if (lost) {
      return false;
    }
  }
  return true;
}

bool channel_lost(void) { return lost; }
