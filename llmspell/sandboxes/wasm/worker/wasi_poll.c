#include "wasi_poll.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "channel.h"
#include "guest_memory.h"
#include "wasi_types.h"

enum { SUBSCRIPTIONS_MOST = 64 };

struct subscription {
  uint64_t user_data;
  uint8_t kind;
  uint32_t source; /* a clock's id or a descriptor */
  double deadline; /* of a clock: milliseconds of the monotonic clock */
};

static double milliseconds_of(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Absolute times of day are turned into monotonic ones once, so that a clock that is set while
 * the guest waits neither wakes it early nor never. */
static double deadline_of(const uint8_t *bytes) {
  uint64_t timeout;
  uint16_t flags;
  uint32_t id;
  memcpy(&id, bytes + 16, sizeof id);
  memcpy(&timeout, bytes + 24, sizeof timeout);
  memcpy(&flags, bytes + 40, sizeof flags);
  double wanted = (double)timeout / 1e6;
  if (flags & WASI_CLOCK_ABSOLUTE) {
    wanted -= milliseconds_of(id == 0 ? CLOCK_REALTIME : CLOCK_MONOTONIC);
  }
  return milliseconds_of(CLOCK_MONOTONIC) + (wanted > 0 ? wanted : 0);
}

static struct subscription parse(const uint8_t *bytes) {
  struct subscription parsed = {0, bytes[8], 0, 0};
  memcpy(&parsed.user_data, bytes, sizeof parsed.user_data);
  memcpy(&parsed.source, bytes + 16, sizeof parsed.source);
  if (parsed.kind == WASI_EVENT_CLOCK) {
    parsed.deadline = deadline_of(bytes);
  }
  return parsed;
}

static bool waits_for_channel(const struct subscription *one) {
  return one->kind == WASI_EVENT_READ && one->source == WASI_CHANNEL;
}

/* Writing never waits, and a descriptor that doesn't exist is answered at once. */
static bool is_immediate(const struct subscription *one) {
  return one->kind != WASI_EVENT_CLOCK && !waits_for_channel(one);
}

static void put_event(uint8_t *place, const struct subscription *one, enum channel_state state) {
  memset(place, 0, WASI_EVENT_BYTES);
  memcpy(place, &one->user_data, sizeof one->user_data);
  place[10] = one->kind;
  if (waits_for_channel(one)) {
    uint64_t available = channel_left();
    memcpy(place + 16, &available, sizeof available);
    place[24] = state == CHANNEL_CLOSED ? WASI_HANGUP : 0;
  } else if (one->kind != WASI_EVENT_CLOCK) {
    bool writable = one->kind == WASI_EVENT_WRITE && one->source <= WASI_STDERR;
    place[8] = writable ? WASI_SUCCESS : WASI_BADF;
  }
}

static void sleep_until(double deadline) {
  /* A year from now at most: longer than any run, shorter than what overflows. */
  double latest = milliseconds_of(CLOCK_MONOTONIC) + 3.2e10;
  double wake = deadline < latest ? deadline : latest;
  struct timespec at = {(time_t)(wake / 1e3), 0};
  at.tv_nsec = (long)((wake - (double)at.tv_sec * 1e3) * 1e6);
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

int wasi_poll(uint32_t subscriptions, uint32_t events, uint32_t count, uint32_t result) {
  if (count == 0 || count > SUBSCRIPTIONS_MOST) {
    return WASI_INVAL;
  }
  const uint8_t *in = guest_span(subscriptions, (uint64_t)WASI_SUBSCRIPTION_BYTES * count);
  uint8_t *out = guest_span(events, (uint64_t)WASI_EVENT_BYTES * count);
  if (in == NULL || out == NULL || guest_span(result, sizeof count) == NULL) {
    return WASI_FAULT;
  }
  /* Taken over before anything is written: the guest may have laid the arrays over each other. */
  struct subscription list[SUBSCRIPTIONS_MOST];
  bool channel = false;
  double deadline = -1;
  for (uint32_t i = 0; i < count; i++) {
    list[i] = parse(in + (size_t)WASI_SUBSCRIPTION_BYTES * i);
    channel = channel || waits_for_channel(&list[i]);
    double due = is_immediate(&list[i]) ? 0 : list[i].deadline;
    if (!waits_for_channel(&list[i]) && (deadline < 0 || due < deadline)) {
      deadline = due;
    }
  }
  enum channel_state state = CHANNEL_TIMEOUT;
  if (channel) {
    double rest = deadline - milliseconds_of(CLOCK_MONOTONIC);
    state = channel_wait(deadline < 0 ? -1 : rest > 0 ? rest : 0);
  } else {
    sleep_until(deadline);
  }
  double now = milliseconds_of(CLOCK_MONOTONIC);
  uint32_t written = 0;
  for (uint32_t i = 0; i < count; i++) {
    bool clock = list[i].kind == WASI_EVENT_CLOCK;
    bool due = is_immediate(&list[i]) || (clock && list[i].deadline <= now) ||
               (waits_for_channel(&list[i]) && state != CHANNEL_TIMEOUT);
    if (due) {
      put_event(out + (size_t)WASI_EVENT_BYTES * written, &list[i], state);
      written++;
    }
  }
  guest_put(result, &written, sizeof written);
  return WASI_SUCCESS;
}
