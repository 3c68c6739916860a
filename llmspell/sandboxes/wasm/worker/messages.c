#include "messages.h"

#include <stdint.h>
#include <string.h>

#include "channel.h"

enum { ROOM = 8192 };

static char text[ROOM];
static size_t used;

static void put(const char *part) {
  size_t length = strlen(part);
  if (length <= sizeof text - used) {
    memcpy(text + used, part, length);
    used += length;
  }
}

/* Only the worker's own sentences and plain words are ever put, so nothing needs escaping. */

void message_hello(const char *engine, const char *achieved) {
  used = 0;
  put("{\"type\":\"hello\",\"version\":1,\"engine\":\"");
  put(engine);
  put("\",\"achieved\":");
  put(achieved);
  put("}");
  channel_send(text, used);
}

void message_failed(const char *kind, const char *message) {
  used = 0;
  put("{\"type\":\"failed\",\"error\":{\"code\":4002,\"kind\":\"");
  put(kind);
  put("\",\"message\":\"");
  put(message);
  put("\"}}");
  channel_send(text, used);
}
