#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest_memory.h"
#include "refuse.h"

enum { TABLE_ELEMENTS_MOST = 100000, NAME_MOST = 63, MEMORY_NEARLY_FULL = 1 << 20 };
enum { SMALL_STACK = 512 << 10, WASM_PAGE = 65536 };

static wasmtime_context_t *context;
static wasmtime_instance_t instance;
static wasmtime_memory_t memory;
static uint64_t memory_most;

/* Compiling and loading must agree on every setting (the stack's size is none that machine code
 * depends on), and both call this. Neither fuel nor epochs:
 * a run is limited from outside by RLIMIT_CPU and a kill, which no guest code can slow down. */
static wasm_engine_t *engine_configure(size_t stack) {
  wasm_config_t *config = wasmtime.wasm_config_new();
  wasmtime.wasmtime_config_wasm_exceptions_set(config, true);
  wasmtime.wasmtime_config_consume_fuel_set(config, false);
  wasmtime.wasmtime_config_epoch_interruption_set(config, false);
  wasmtime.wasmtime_config_memory_init_cow_set(config, true);
  /* wasmtime refuses a stack larger than its asynchronous ones, which are never made. */
  wasmtime.wasmtime_config_async_stack_size_set(config, stack);
  wasmtime.wasmtime_config_max_wasm_stack_set(config, stack);
  wasm_engine_t *engine = wasmtime.wasm_engine_new_with_config(config);
  if (engine == NULL) {
    refuse("wasmtime gave no engine");
  }
  return engine;
}

static void require(wasmtime_error_t *error, const char *what) {
  if (error == NULL) {
    return;
  }
  wasm_byte_vec_t message = {0};
  wasmtime.wasmtime_error_message(error, &message);
  refuse("%s: %.*s", what, (int)(message.size < 800 ? message.size : 800), message.data);
}

void engine_compile(const uint8_t *wasm, size_t size, int descriptor) {
  wasmtime_module_t *module = NULL;
  wasm_byte_vec_t code = {0};
  require(wasmtime.wasmtime_module_new(engine_configure(SMALL_STACK), wasm, size, &module),
          "the guest can't be compiled");
  require(wasmtime.wasmtime_module_serialize(module, &code), "the guest can't be stored");
  for (size_t at = 0; at < code.size;) {
    ssize_t count = write(descriptor, code.data + at, code.size - at);
    if (count > 0) {
      at += (size_t)count;
    } else if (errno != EINTR) {
      refuse("the machine code can't be written: %s", strerror(errno));
    }
  }
}

struct import {
  engine_import_t answer;
  const void *data;
};

static wasm_trap_t *call_import(void *environment, wasmtime_caller_t *caller,
                                wasmtime_val_raw_t *values, size_t count) {
  const struct import *import = environment;
  (void)caller;
  (void)count;
  const char *trouble = import->answer(values, import->data);
  return trouble == NULL ? NULL : wasmtime.wasmtime_trap_new(trouble, strlen(trouble));
}

static void define_imports(wasmtime_linker_t *linker, const wasmtime_module_t *module,
                           const struct engine_imports *known) {
  static struct import table[64];
  wasm_importtype_vec_t wanted = {0};
  wasmtime.wasmtime_module_imports(module, &wanted);
  if (wanted.size > sizeof table / sizeof *table) {
    refuse("the guest has %zu imports, more than any guest of ours", wanted.size);
  }
  for (size_t i = 0; i < wanted.size; i++) {
    const wasm_byte_vec_t *owner = wasmtime.wasm_importtype_module(wanted.data[i]);
    const wasm_byte_vec_t *name = wasmtime.wasm_importtype_name(wanted.data[i]);
    const wasm_functype_t *type = wasmtime.wasm_externtype_as_functype_const(
        wasmtime.wasm_importtype_type(wanted.data[i]));
    char word[NAME_MOST + 1] = {0};
    memcpy(word, name->data, name->size < NAME_MOST ? name->size : NAME_MOST);
    bool ours = owner->size == strlen(known->module) &&
                memcmp(owner->data, known->module, owner->size) == 0;
    if (ours && type != NULL) {
      table[i].answer = known->find(word, wasmtime.wasm_functype_params(type)->size,
                                    wasmtime.wasm_functype_results(type)->size, &table[i].data);
    }
    if (table[i].answer == NULL) {
      refuse("the guest asks for %.*s.%s, which no guest gets",
             (int)(owner->size < NAME_MOST ? owner->size : NAME_MOST), owner->data, word);
    }
    require(wasmtime.wasmtime_linker_define_func_unchecked(linker, owner->data, owner->size,
                                                           name->data, name->size, type,
                                                           call_import, &table[i], NULL),
            "an import can't be defined");
  }
}

void engine_load(const char *module_path, const struct engine_imports *imports,
                 uint64_t memory_limit, size_t stack) {
  wasm_engine_t *engine = engine_configure(stack);
  wasmtime_module_t *module = NULL;
  require(wasmtime.wasmtime_module_deserialize_file(engine, module_path, &module),
          "the compiled guest can't be loaded");
  wasmtime_store_t *store = wasmtime.wasmtime_store_new(engine, NULL, NULL);
  wasmtime.wasmtime_store_limiter(store, (int64_t)memory_limit, TABLE_ELEMENTS_MOST, 1, 1, 1);
  context = wasmtime.wasmtime_store_context(store);
  memory_most = memory_limit;

  wasmtime_linker_t *linker = wasmtime.wasmtime_linker_new(engine);
  define_imports(linker, module, imports);
  wasm_trap_t *trap = NULL;
  require(wasmtime.wasmtime_linker_instantiate(linker, context, module, &instance, &trap),
          "the guest can't be instantiated");
  if (trap != NULL) {
    refuse("the guest trapped while it was instantiated");
  }
  wasmtime_extern_t found;
  if (!wasmtime.wasmtime_instance_export_get(context, &instance, "memory", 6, &found) ||
      found.kind != WASMTIME_EXTERN_MEMORY) {
    refuse("the guest exports no memory");
  }
  memory = found.of.memory;
}

struct guest_memory guest_memory(void) {
  struct guest_memory now = {wasmtime.wasmtime_memory_data(context, &memory),
                             wasmtime.wasmtime_memory_data_size(context, &memory)};
  return now;
}

bool engine_resume(const char *image_path) {
  int image = open(image_path, O_RDONLY | O_CLOEXEC);
  struct stat status;
  if (image < 0 || fstat(image, &status) != 0) {
    refuse("can't open %s: %s", image_path, strerror(errno));
  }
  size_t fresh = guest_memory().size;
  size_t size = (size_t)status.st_size;
  if (!S_ISREG(status.st_mode) || size % WASM_PAGE != 0 || size < fresh) {
    refuse("%s is no image of this guest's memory", image_path);
  }
  uint64_t ignored;
  wasmtime_error_t *error =
      wasmtime.wasmtime_memory_grow(context, &memory, (size - fresh) / WASM_PAGE, &ignored);
  if (error != NULL) {
    return false;
  }
  /* The engine never moves a memory below its reservation, and growing made all of it usable. */
  struct guest_memory grown = guest_memory();
  if (grown.size != size || mmap(grown.base, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED,
                                 image, 0) != (void *)grown.base) {
    refuse("the image can't be mapped: %s", strerror(errno));
  }
  close(image);
  return true;
}

static bool find_function(const char *name, wasmtime_func_t *function) {
  wasmtime_extern_t found;
  if (!wasmtime.wasmtime_instance_export_get(context, &instance, name, strlen(name), &found) ||
      found.kind != WASMTIME_EXTERN_FUNC) {
    return false;
  }
  *function = found.of.func;
  return true;
}

bool engine_has(const char *function) {
  wasmtime_func_t ignored;
  return find_function(function, &ignored);
}

/* A guest that runs out of memory where its engine can't raise an error aborts, which wasm calls
 * unreachable. The C API doesn't report refused growth, so a memory within 1 MiB of its limit is
 * taken as the reason. */
static struct engine_end explain(const wasm_trap_t *trap) {
  uint8_t code = UINT8_MAX;
  bool coded = trap != NULL && wasmtime.wasmtime_trap_code(trap, &code);
  if (coded && code == WASMTIME_TRAP_STACK_OVERFLOW) {
    return (struct engine_end){true, "stack", "the spell nested calls deeper than its stack"};
  }
  if (coded && code == WASMTIME_TRAP_UNREACHABLE) {
    bool full = guest_memory().size + MEMORY_NEARLY_FULL > memory_most;
    return full ? (struct engine_end){true, "memory", "the spell used up its memory"}
                : (struct engine_end){true, "trap", "the engine of the spell aborted"};
  }
  return (struct engine_end){true, "trap", "the engine of the spell did what it may not"};
}

struct engine_end engine_call(const char *function, wasmtime_val_raw_t *values, size_t count) {
  wasmtime_func_t callee;
  if (!find_function(function, &callee)) {
    refuse("the guest exports no function %s", function);
  }
  wasm_trap_t *trap = NULL;
  wasmtime_error_t *error =
      wasmtime.wasmtime_func_call_unchecked(context, &callee, values, count, &trap);
  if (error != NULL || trap != NULL) {
    return explain(trap);
  }
  return (struct engine_end){false, NULL, NULL};
}
