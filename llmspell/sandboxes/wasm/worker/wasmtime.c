#include "wasmtime.h"

#include <dlfcn.h>
#include <string.h>

#include "refuse.h"

struct wasmtime_api wasmtime;

void wasmtime_open(const char *path) {
  if (path[0] != '/') {
    refuse("the path of the wasmtime library is not absolute: %s", path);
  }
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    refuse("the wasmtime library can't be opened: %s", dlerror());
  }
  /* ISO C has no cast from an object pointer to a function pointer; POSIX promises that the
   * bytes of the one are the bytes of the other. */
#define WASMTIME_FIND(result, name, parameters)                                    \
  {                                                                                \
    void *symbol = dlsym(library, #name);                                          \
    if (symbol == NULL) {                                                          \
      refuse("this wasmtime library has no function " #name                        \
             "; llmspell needs the wasmtime version it pins");                     \
    }                                                                              \
    memcpy(&wasmtime.name, &symbol, sizeof symbol);                                \
  }
  WASMTIME_FUNCTIONS(WASMTIME_FIND)
#undef WASMTIME_FIND
}
