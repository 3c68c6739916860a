#include "zygote.h"

#include <stddef.h>

#include "channel.h"
#include "confine.h"
#include "messages.h"
#include "plan.h"
#include "refuse.h"

enum { CHANNEL = 3 };

static const char *armed_engine;

void zygote_arm(const char *engine) { armed_engine = engine; }

void zygote_point(void) {
  if (armed_engine == NULL) {
    return;
  }
  const char *engine = armed_engine;
  armed_engine = NULL;
  if (confine_zygote_serve() != 0) {
    refuse_with(EXIT_UNCONFINED, "no zygote: %s", confine_error());
  }
  channel_open(CHANNEL);
  plan_load();
  if (confine_stage2() != 0) {
    refuse_with(EXIT_UNCONFINED, "the confinement failed: %s", confine_error());
  }
  message_hello(engine, confine_report_json());
}
