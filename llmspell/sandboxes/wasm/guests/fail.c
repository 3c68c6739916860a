/* The `failed` frame of a prelude that could not report by itself. */
#include "host.h"

#include <string.h>

enum { MESSAGE_LIMIT = 2000, FRAME_ROOM = 2 * MESSAGE_LIMIT + 256 };

static char frame[FRAME_ROOM];
static uint32_t used;

static void put(const char *text) {
  size_t length = strlen(text);
  memcpy(frame + used, text, length);
  used += (uint32_t)length;
}

/* Engines may hand over bytes that are not UTF-8, and there is no memory to repair them in: what
 * isn't printable ASCII becomes a question mark. */
static void put_printable(char byte) {
  if (byte == '"' || byte == '\\') {
    frame[used++] = '\\';
  }
  frame[used++] = byte >= 0x20 && byte < 0x7f ? byte : '?';
}

void guest_fail(const char *kind, const char *message, uint32_t message_length) {
  used = 0;
  put("{\"type\":\"failed\",\"error\":{\"code\":4002,\"kind\":\"");
  put(kind);
  put("\",\"message\":\"");
  if (message_length > MESSAGE_LIMIT) {
    message_length = MESSAGE_LIMIT;
  }
  for (uint32_t i = 0; i < message_length; i++) {
    put_printable(message[i]);
  }
  put("\"}}");
  host_send(frame, (int32_t)used);
}
