/* The part of the wasmtime C API that this worker uses, declared by hand.
 *
 * The wasmtime package ships its library without headers. These declarations follow the C API of
 * wasmtime 50.0.1 (the package is pinned to exactly that version); a test compares every size and
 * argument count here with the package's own bindings. The library is opened at run time from an
 * absolute path, so nothing is linked and the loader's search path plays no part. */
#ifndef LLMSPELL_WASMTIME_H
#define LLMSPELL_WASMTIME_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct wasm_config_t wasm_config_t;
typedef struct wasm_engine_t wasm_engine_t;
typedef struct wasm_trap_t wasm_trap_t;
typedef struct wasm_functype_t wasm_functype_t;
typedef struct wasm_externtype_t wasm_externtype_t;
typedef struct wasm_importtype_t wasm_importtype_t;
typedef struct wasmtime_module wasmtime_module_t;
typedef struct wasmtime_store wasmtime_store_t;
typedef struct wasmtime_context wasmtime_context_t;
typedef struct wasmtime_linker wasmtime_linker_t;
typedef struct wasmtime_caller wasmtime_caller_t;
typedef struct wasmtime_error wasmtime_error_t;

typedef struct {
  size_t size;
  char *data;
} wasm_byte_vec_t;

typedef struct {
  size_t size;
  wasm_importtype_t **data;
} wasm_importtype_vec_t;

/* Only the size of a value type vector is read. */
typedef struct {
  size_t size;
  void **data;
} wasm_valtype_vec_t;

typedef struct {
  uint64_t store_id;
  size_t index;
} wasmtime_instance_t;

typedef struct {
  uint64_t store_id;
  void *object;
} wasmtime_func_t;

typedef struct {
  struct {
    uint64_t store_id;
    uint32_t index;
  } owner;
  uint32_t index;
} wasmtime_memory_t;

typedef struct {
  uint8_t kind;
  union {
    wasmtime_func_t func;
    wasmtime_memory_t memory;
    uint64_t room[3];
  } of;
} wasmtime_extern_t;

typedef union {
  int32_t i32;
  int64_t i64;
  float f32;
  double f64;
  uint8_t v128[16];
} wasmtime_val_raw_t;

enum { WASMTIME_EXTERN_FUNC = 0, WASMTIME_EXTERN_MEMORY = 3 };
enum { WASMTIME_TRAP_STACK_OVERFLOW = 0, WASMTIME_TRAP_UNREACHABLE = 9 };

static_assert(sizeof(wasm_byte_vec_t) == 16, "wasm_byte_vec_t");
static_assert(sizeof(wasmtime_instance_t) == 16, "wasmtime_instance_t");
static_assert(sizeof(wasmtime_func_t) == 16, "wasmtime_func_t");
static_assert(sizeof(wasmtime_memory_t) == 24, "wasmtime_memory_t");
static_assert(sizeof(wasmtime_extern_t) == 32, "wasmtime_extern_t");
static_assert(offsetof(wasmtime_extern_t, of) == 8, "wasmtime_extern_t.of");
static_assert(sizeof(wasmtime_val_raw_t) == 16, "wasmtime_val_raw_t");

typedef wasm_trap_t *(*wasmtime_callback_t)(void *environment, wasmtime_caller_t *caller,
                                            wasmtime_val_raw_t *arguments_and_results,
                                            size_t count);

/* X(result, name, parameters): one line for each function that is used. */
#define WASMTIME_FUNCTIONS(X)                                                                      \
  X(wasm_config_t *, wasm_config_new, (void))                                                      \
  X(wasm_engine_t *, wasm_engine_new_with_config, (wasm_config_t *))                               \
  X(void, wasmtime_config_wasm_exceptions_set, (wasm_config_t *, bool))                            \
  X(void, wasmtime_config_consume_fuel_set, (wasm_config_t *, bool))                               \
  X(void, wasmtime_config_epoch_interruption_set, (wasm_config_t *, bool))                         \
  X(void, wasmtime_config_memory_init_cow_set, (wasm_config_t *, bool))                            \
  X(void, wasmtime_config_async_stack_size_set, (wasm_config_t *, size_t))                         \
  X(void, wasmtime_config_max_wasm_stack_set, (wasm_config_t *, size_t))                           \
  X(wasmtime_error_t *, wasmtime_module_new,                                                       \
    (wasm_engine_t *, const uint8_t *, size_t, wasmtime_module_t **))                              \
  X(wasmtime_error_t *, wasmtime_module_serialize, (wasmtime_module_t *, wasm_byte_vec_t *))       \
  X(wasmtime_error_t *, wasmtime_module_deserialize_file,                                          \
    (wasm_engine_t *, const char *, wasmtime_module_t **))                                         \
  X(void, wasmtime_module_imports, (const wasmtime_module_t *, wasm_importtype_vec_t *))           \
  X(const wasm_byte_vec_t *, wasm_importtype_module, (const wasm_importtype_t *))                  \
  X(const wasm_byte_vec_t *, wasm_importtype_name, (const wasm_importtype_t *))                    \
  X(const wasm_externtype_t *, wasm_importtype_type, (const wasm_importtype_t *))                  \
  X(const wasm_functype_t *, wasm_externtype_as_functype_const, (const wasm_externtype_t *))       \
  X(const wasm_valtype_vec_t *, wasm_functype_params, (const wasm_functype_t *))                   \
  X(const wasm_valtype_vec_t *, wasm_functype_results, (const wasm_functype_t *))                  \
  X(wasmtime_store_t *, wasmtime_store_new, (wasm_engine_t *, void *, void (*)(void *)))           \
  X(wasmtime_context_t *, wasmtime_store_context, (wasmtime_store_t *))                            \
  X(void, wasmtime_store_limiter,                                                                  \
    (wasmtime_store_t *, int64_t, int64_t, int64_t, int64_t, int64_t))                             \
  X(wasmtime_linker_t *, wasmtime_linker_new, (wasm_engine_t *))                                   \
  X(wasmtime_error_t *, wasmtime_linker_define_func_unchecked,                                     \
    (wasmtime_linker_t *, const char *, size_t, const char *, size_t, const wasm_functype_t *,     \
     wasmtime_callback_t, void *, void (*)(void *)))                                               \
  X(wasmtime_error_t *, wasmtime_linker_instantiate,                                               \
    (const wasmtime_linker_t *, wasmtime_context_t *, const wasmtime_module_t *,                   \
     wasmtime_instance_t *, wasm_trap_t **))                                                       \
  X(bool, wasmtime_instance_export_get,                                                            \
    (wasmtime_context_t *, const wasmtime_instance_t *, const char *, size_t,                      \
     wasmtime_extern_t *))                                                                         \
  X(wasmtime_error_t *, wasmtime_func_call_unchecked,                                              \
    (wasmtime_context_t *, const wasmtime_func_t *, wasmtime_val_raw_t *, size_t,                  \
     wasm_trap_t **))                                                                              \
  X(uint8_t *, wasmtime_memory_data, (const wasmtime_context_t *, const wasmtime_memory_t *))      \
  X(size_t, wasmtime_memory_data_size, (const wasmtime_context_t *, const wasmtime_memory_t *))    \
  X(wasmtime_error_t *, wasmtime_memory_grow,                                                      \
    (wasmtime_context_t *, const wasmtime_memory_t *, uint64_t, uint64_t *))                       \
  X(wasm_trap_t *, wasmtime_trap_new, (const char *, size_t))                                      \
  X(bool, wasmtime_trap_code, (const wasm_trap_t *, uint8_t *))                                    \
  X(void, wasm_trap_message, (const wasm_trap_t *, wasm_byte_vec_t *))                             \
  X(void, wasmtime_error_message, (const wasmtime_error_t *, wasm_byte_vec_t *))

#define WASMTIME_POINTER(result, name, parameters) result(*name) parameters;
struct wasmtime_api {
  WASMTIME_FUNCTIONS(WASMTIME_POINTER)
};
#undef WASMTIME_POINTER

extern struct wasmtime_api wasmtime;

/* Opens the library at an absolute path and finds every function; ends the process with a
 * sentence when it can't. */
void wasmtime_open(const char *path);

#endif
