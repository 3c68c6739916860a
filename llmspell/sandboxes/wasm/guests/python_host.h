/* The channel as CPython sees it. */
#ifndef LLMSPELL_PYTHON_HOST_H
#define LLMSPELL_PYTHON_HOST_H

/* Sleeps. Frames that arrive meanwhile are kept for the next recv. Ends the guest when the channel
 * closes. */
void python_sleep(double milliseconds);

/* The object the prelude finds as `__host`: send(text), recv(milliseconds or None), boots. A new
 * reference, or NULL with an exception set. */
struct _object *python_host(void);

#endif
