/* The few messages the worker writes itself. Everything else on the channel is the guest's. */
#ifndef LLMSPELL_MESSAGES_H
#define LLMSPELL_MESSAGES_H

#include <stddef.h>
#include <stdint.h>

enum { OUTPUT_CHUNK = 32 * 1024 };

enum output_stream { OUTPUT_STDOUT = 0, OUTPUT_STDERR = 1 };

/* `achieved` is the JSON object that confine_report_json() gave. */
void message_hello(const char *engine, const char *achieved);

/* Code 4002 (script.RuntimeError); `kind` is "trap", "memory" or "stack". */
void message_failed(const char *kind, const char *message);

/* Bytes the guest printed, as `output` messages of at most OUTPUT_CHUNK bytes of text each. What
 * isn't UTF-8 becomes U+FFFD; a character cut in two by the guest's buffering is put together. */
void message_output(enum output_stream stream, const uint8_t *bytes, size_t length);

/* Sends what an unfinished character left behind. Called before the worker ends. */
void message_output_end(void);

#endif
