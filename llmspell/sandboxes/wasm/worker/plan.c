#include "plan.h"

#include <stdint.h>
#include <unistd.h>

#include "channel.h"
#include "confine.h"
#include "refuse.h"

void plan_load(void) {
  static uint8_t plan[FRAME_MAX];
  if (channel_wait(-1) != CHANNEL_FRAME) {
    _exit(EXIT_DONE);
  }
  uint32_t size = channel_take(plan, sizeof plan);
  if (confine_load(plan, size) != 0) {
    refuse_with(EXIT_UNCONFINED, "the confinement plan can't be used: %s", confine_error());
  }
}
