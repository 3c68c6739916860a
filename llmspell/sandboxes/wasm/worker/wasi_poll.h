#ifndef LLMSPELL_WASI_POLL_H
#define LLMSPELL_WASI_POLL_H

#include <stdint.h>

/* poll_oneoff: waits for the channel, for clocks, or both. The arguments are the guest's: two
 * arrays of `count` elements and where to put the number of events. */
int wasi_poll(uint32_t subscriptions, uint32_t events, uint32_t count, uint32_t result);

#endif
