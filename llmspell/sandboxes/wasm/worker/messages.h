/* The two messages the worker writes itself. Everything else on the channel is the guest's. */
#ifndef LLMSPELL_MESSAGES_H
#define LLMSPELL_MESSAGES_H

/* `achieved` is the JSON object that confine_report_json() gave. */
void message_hello(const char *engine, const char *achieved);

/* Code 4002 (script.RuntimeError); `kind` is "trap", "memory" or "stack". `message` is a sentence of
 * the worker's own, without quotes, backslashes or control characters. */
void message_failed(const char *kind, const char *message);

#endif
