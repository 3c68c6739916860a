/* What a guest may ask of the worker around it: these six functions and nothing else.
 * The list is the whole surface between untrusted code and the native worker. */
#ifndef LLMSPELL_GUEST_HOST_H
#define LLMSPELL_GUEST_HOST_H

#include <stdbool.h>
#include <stdint.h>

#define HOST_IMPORT(name) __attribute__((import_module("llmspell"), import_name(name)))
#define GUEST_EXPORT(name) __attribute__((export_name(name)))

enum { HOST_CLOCK_REAL = 0, HOST_CLOCK_MONOTONIC = 1, HOST_CLOCK_PROCESS = 2 };
enum { HOST_WAIT_FOREVER = -1, HOST_CLOSED = -1, HOST_TIMEOUT = 0 };

/* Sends one frame of 1 … 1 MiB and returns 0; any other length is refused with -1. */
HOST_IMPORT("send") int32_t host_send(const void *bytes, int32_t length);
/* Waits for the next frame: its length, HOST_TIMEOUT, or HOST_CLOSED. A frame that was not read
 * yet is announced again, so an allocation that fails between recv and read loses nothing. */
HOST_IMPORT("recv") int32_t host_recv(double timeout_milliseconds);
/* Copies the announced frame; the caller made room for the length recv gave. */
HOST_IMPORT("read") void host_read(void *destination);
HOST_IMPORT("clock") double host_clock(int32_t kind);
HOST_IMPORT("random") void host_random(void *destination, int32_t length);
HOST_IMPORT("exit") _Noreturn void host_exit(int32_t status);

/* A guest exports guest_alloc(size), guest_boot(text, length) and guest_run(), the latter two 0 or,
 * after guest_fail(), 1. Booting evaluates the prelude; when that gives a function, running calls
 * it. In between, and until the first frame of a run arrives, the memory may be copied into other
 * processes. What must differ between them begins then: the prelude calls `__host.begin`, where its
 * guest has it, as soon as it knows its run. */

/* Reports an error nobody caught. Written into static memory, so that it also works when the
 * guest has none left. `kind` must be a plain JSON word. */
void guest_fail(const char *kind, const char *message, uint32_t message_length);

/* Whether an allocation of at most a page was ever refused (heap.c). */
bool heap_was_exhausted(void);

#endif
