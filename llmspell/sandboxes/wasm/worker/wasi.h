/* The imports of the CPython guest: WASI preview 1 without files, sockets, threads or processes.
 *
 * Guest descriptor 0 is the channel: one write is one frame, a read gives the rest of the frame
 * that is there (0 at its end means the channel closed). 1 and 2 become `output` messages.
 * Everything else does not exist. */
#ifndef LLMSPELL_WASI_H
#define LLMSPELL_WASI_H

#include "engine.h"

extern const struct engine_imports wasi_imports;

/* Sets `python -I -S -B -c prelude` and a random PYTHONHASHSEED. The text must stay. */
void wasi_arguments(const char *prelude);

#endif
