/* Frames over one descriptor: a 4-byte little-endian length, then that many bytes.
 *
 * The worker never looks into a frame. It only keeps them apart, so that a guest can neither send
 * half a frame nor read past the end of one. */
#ifndef LLMSPELL_CHANNEL_H
#define LLMSPELL_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FRAME_MAX = 1 << 20, FRAME_HEADER = 4 };

enum channel_state {
  CHANNEL_TIMEOUT,
  CHANNEL_FRAME,  /* a frame, or the rest of one, is there to be taken */
  CHANNEL_CLOSED, /* the other side is gone, or sent a length that no frame has */
};

void channel_open(int descriptor);

/* Waits until a whole frame is there. Milliseconds; negative waits for ever, 0 only looks. */
enum channel_state channel_wait(double milliseconds);

/* How many bytes of the announced frame are left; 0 when none is announced. */
uint32_t channel_left(void);

/* Copies up to `room` bytes of the announced frame and forgets them. */
uint32_t channel_take(void *destination, uint32_t room);

/* Sends one frame. False when the length is not 1 … FRAME_MAX or the other side is gone;
 * channel_lost() tells which. */
bool channel_send(const void *bytes, size_t length);
bool channel_lost(void);

#endif
