/* One wasm engine, one module, one instance: this process runs one guest and ends. */
#ifndef LLMSPELL_ENGINE_H
#define LLMSPELL_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wasmtime.h"

/* Part of the compile cache's key: raise it with every change of engine_configure(). */
enum { ENGINE_CONFIG_VERSION = 1 };

/* Answers one import: arguments in, results out of `values`. NULL goes on; otherwise a sentence
 * that becomes a trap. `data` is the import's own from its table. */
typedef const char *(*engine_import_t)(wasmtime_val_raw_t *values, const void *data);

struct engine_imports {
  const char *module;
  /* Finds the function for an import; NULL refuses the guest. The counts are those of the
   * guest's own declaration. */
  engine_import_t (*find)(const char *name, size_t parameters, size_t results, const void **data);
};

/* Needs wasmtime_open() first. Compiles `wasm` and writes the machine code to `descriptor`. */
void engine_compile(const uint8_t *wasm, size_t size, int descriptor);

/* Maps machine code made by engine_compile() and instantiates it. Runs nothing of the guest.
 * `memory_limit` and `stack` (of the calling thread, for wasm code) are bytes. */
void engine_load(const char *module_path, const struct engine_imports *imports,
                 uint64_t memory_limit, size_t stack);

/* Puts the memory of a guest that was booted before in place of the fresh one, shared with
 * everyone who uses the same file until a page is written to. False when the memory limit has no
 * room for it. Ends the process when the file is no image. */
bool engine_resume(const char *image_path);

struct engine_end {
  bool trapped;
  const char *kind;    /* "trap", "memory" or "stack" */
  const char *message; /* a sentence, static */
};

bool engine_has(const char *function);

/* Calls an exported function. `count` values, as many as it has parameters and at least as many as
 * it has results: arguments in, its result, if any, in values[0]. */
struct engine_end engine_call(const char *function, wasmtime_val_raw_t *values, size_t count);

#endif
