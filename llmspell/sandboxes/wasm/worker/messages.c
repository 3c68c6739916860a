#include "messages.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "channel.h"

enum { ESCAPED_MOST = 6, ENVELOPE = 4096, UTF8_MOST = 4 };

static char text[OUTPUT_CHUNK * ESCAPED_MOST + ENVELOPE];
static size_t used;

static void put(const char *part) {
  size_t length = strlen(part);
  if (length <= sizeof text - used) {
    memcpy(text + used, part, length);
    used += length;
  }
}

static void put_ascii(uint8_t byte) {
  static const char digits[] = "0123456789abcdef";
  if (byte == '"' || byte == '\\') {
    text[used++] = '\\';
    text[used++] = (char)byte;
  } else if (byte < 0x20 || byte == 0x7f) {
    char escape[] = {'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15], 0};
    put(escape);
  } else {
    text[used++] = (char)byte;
  }
}

/* The length of the UTF-8 character at `bytes` (RFC 3629: no overlong forms, no surrogates);
 * 0 when there is none, -1 when it may be the beginning of one that was cut. */
static int utf8_length(const uint8_t *bytes, size_t available) {
  uint8_t first = bytes[0];
  int length = first < 0x80                     ? 1
               : first >= 0xc2 && first <= 0xdf ? 2
               : first >= 0xe0 && first <= 0xef ? 3
               : first >= 0xf0 && first <= 0xf4 ? 4
                                                : 0;
  for (int i = 1; i < length; i++) {
    if ((size_t)i >= available) {
      return -1;
    }
    uint8_t low = 0x80;
    uint8_t high = 0xbf;
    if (i == 1) {
      low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : low;
      high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : high;
    }
    if (bytes[i] < low || bytes[i] > high) {
      return 0;
    }
  }
  return length;
}

/* Appends what can be told of `bytes` and gives back how many were used. With `final`, an
 * unfinished character at the end counts as broken. */
static size_t put_text(const uint8_t *bytes, size_t length, bool final) {
  size_t at = 0;
  while (at < length) {
    int size = utf8_length(bytes + at, length - at);
    if (size < 0 && !final) {
      break;
    }
    if (size == 1) {
      put_ascii(bytes[at]);
      at++;
    } else if (size > 1) {
      memcpy(text + used, bytes + at, (size_t)size);
      used += (size_t)size;
      at += (size_t)size;
    } else {
      put("\xef\xbf\xbd");
      at++;
    }
  }
  return at;
}

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
  size_t length = strlen(message);
  put_text((const uint8_t *)message, length < ENVELOPE ? length : ENVELOPE, true);
  put("\"}}");
  channel_send(text, used);
}

struct unfinished {
  uint8_t bytes[UTF8_MOST];
  size_t length;
};
static struct unfinished unfinished[2];

static void send_output(enum output_stream stream, const uint8_t *bytes, size_t length, bool final,
                        size_t *taken) {
  used = 0;
  put("{\"type\":\"output\",\"stream\":\"");
  put(stream == OUTPUT_STDERR ? "stderr" : "stdout");
  put("\",\"text\":\"");
  *taken = put_text(bytes, length, final);
  put("\"}");
  if (*taken > 0) {
    channel_send(text, used);
  }
}

/* Completes the character that the last write left unfinished, byte by byte. */
static size_t finish_character(enum output_stream stream, const uint8_t *bytes, size_t length) {
  struct unfinished *rest = &unfinished[stream];
  size_t eaten = 0;
  while (rest->length > 0 && eaten < length) {
    rest->bytes[rest->length++] = bytes[eaten++];
    size_t taken = 0;
    send_output(stream, rest->bytes, rest->length, rest->length == UTF8_MOST, &taken);
    if (taken > 0) {
      rest->length -= taken;
      memmove(rest->bytes, rest->bytes + taken, rest->length);
    }
  }
  return eaten;
}

void message_output(enum output_stream stream, const uint8_t *bytes, size_t length) {
  size_t at = finish_character(stream, bytes, length);
  while (at < length && unfinished[stream].length == 0) {
    size_t chunk = length - at < OUTPUT_CHUNK ? length - at : OUTPUT_CHUNK;
    size_t taken = 0;
    send_output(stream, bytes + at, chunk, false, &taken);
    at += taken;
    if (taken < chunk && length - at < UTF8_MOST) {
      struct unfinished *rest = &unfinished[stream];
      rest->length = length - at;
      memcpy(rest->bytes, bytes + at, rest->length);
      at = length;
    }
  }
}

void message_output_end(void) {
  for (int stream = OUTPUT_STDOUT; stream <= OUTPUT_STDERR; stream++) {
    size_t taken = 0;
    struct unfinished *rest = &unfinished[stream];
    if (rest->length > 0) {
      send_output((enum output_stream)stream, rest->bytes, rest->length, true, &taken);
      rest->length = 0;
    }
  }
}
