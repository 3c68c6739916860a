/* The six imports of every guest (guests/host.h is their other side). */
#ifndef LLMSPELL_HOSTCALLS_H
#define LLMSPELL_HOSTCALLS_H

#include "engine.h"

extern const struct engine_imports hostcall_imports;

/* Ends the process in order: a bad status is reported. */
_Noreturn void end_of_guest(int32_t status);

#endif
