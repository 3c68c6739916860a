/* The JavaScript guest (QuickJS-NG): an engine, the global `__host`, and a prelude that drives
 * everything. */
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "quickjs.h"

/* Counted on the guest's own stack. The real stack below wasm code is the smaller one: at this
 * value every kind of recursion that was tried ends in a RangeError and not in a trap. */
enum { STACK_LIMIT = JS_STACK_LIMIT_KIB * 1024 };
enum { RANDOM_BYTES_MOST = 65536, RANDOM_POOL = 64 };

/* __host.send(text): true, or false when it is not 1 byte … 1 MiB of UTF-8. */
static JSValue js_send(JSContext *js, JSValueConst self, int count, JSValueConst *arguments) {
  (void)self;
  (void)count;
  size_t length;
  const char *text = JS_ToCStringLen(js, &length, arguments[0]);
  if (text == NULL) {
    return JS_EXCEPTION;
  }
  bool sent = length <= INT32_MAX && host_send(text, (int32_t)length) == 0;
  JS_FreeCString(js, text);
  return JS_NewBool(js, sent);
}

/* __host.recv(milliseconds, null or undefined): the next frame, or null on timeout. A closed
 * channel ends the guest: nobody is left to hear what it would do next. */
static JSValue js_recv(JSContext *js, JSValueConst self, int count, JSValueConst *arguments) {
  (void)self;
  (void)count;
  double timeout = HOST_WAIT_FOREVER;
  if (!JS_IsUndefined(arguments[0]) && !JS_IsNull(arguments[0]) &&
      JS_ToFloat64(js, &timeout, arguments[0]) != 0) {
    return JS_EXCEPTION;
  }
  int32_t length = host_recv(timeout);
  if (length == HOST_CLOSED) {
    host_exit(0);
  }
  if (length == HOST_TIMEOUT) {
    return JS_NULL;
  }
  char *room = js_malloc(js, (size_t)length);
  if (room == NULL) {
    return JS_EXCEPTION;
  }
  host_read(room);
  JSValue text = JS_NewStringLen(js, room, (size_t)length);
  js_free(js, room);
  return text;
}

/* __host.clock(kind): milliseconds; 0 is the time of day, 1 the monotonic clock. */
static JSValue js_clock(JSContext *js, JSValueConst self, int count, JSValueConst *arguments) {
  (void)self;
  (void)count;
  int32_t kind = HOST_CLOCK_REAL;
  if (!JS_IsUndefined(arguments[0]) && JS_ToInt32(js, &kind, arguments[0]) != 0) {
    return JS_EXCEPTION;
  }
  return JS_NewFloat64(js, host_clock(kind));
}

/* __host.random(n): n random bytes as 2n hexadecimal digits, n in 0 … 65536. */
static JSValue js_random(JSContext *js, JSValueConst self, int count, JSValueConst *arguments) {
  static const char digits[] = "0123456789abcdef";
  (void)self;
  (void)count;
  int32_t length;
  if (JS_ToInt32(js, &length, arguments[0]) != 0) {
    return JS_EXCEPTION;
  }
  if (length < 0 || length > RANDOM_BYTES_MOST) {
    return JS_ThrowRangeError(js, "0 to 65536 bytes at a time");
  }
  char *text = js_malloc(js, 2 * (size_t)length + 1);
  if (text == NULL) {
    return JS_EXCEPTION;
  }
  /* The bytes go into the upper half and are spread over the whole from the front. */
  unsigned char *bytes = (unsigned char *)text + length;
  host_random(bytes, length);
  for (int32_t i = 0; i < length; i++) {
    unsigned char byte = bytes[i];
    text[2 * i] = digits[byte >> 4];
    text[2 * i + 1] = digits[byte & 15];
  }
  JSValue result = JS_NewStringLen(js, text, 2 * (size_t)length);
  js_free(js, text);
  return result;
}

/* __host.compile(source, name): evaluates a script under that file name and gives its value. */
static JSValue js_compile(JSContext *js, JSValueConst self, int count, JSValueConst *arguments) {
  (void)self;
  (void)count;
  size_t length;
  const char *source = JS_ToCStringLen(js, &length, arguments[0]);
  const char *name = source == NULL ? NULL : JS_ToCString(js, arguments[1]);
  JSValue value = JS_EXCEPTION;
  if (name != NULL) {
    value = JS_Eval(js, source, length, name, JS_EVAL_TYPE_GLOBAL);
    JS_FreeCString(js, name);
  }
  if (source != NULL) {
    JS_FreeCString(js, source);
  }
  return value;
}

/* __host.run_jobs(): runs promise reactions until none is left; how many there were. */
static JSValue js_run_jobs(JSContext *js, JSValueConst self, int count, JSValueConst *arguments) {
  (void)self;
  (void)count;
  (void)arguments;
  JSRuntime *runtime = JS_GetRuntime(js);
  int32_t done = 0;
  for (;;) {
    JSContext *of_job;
    int status = JS_ExecutePendingJob(runtime, &of_job);
    if (status == 0) {
      return JS_NewInt32(js, done);
    }
    if (status < 0) {
      return JS_EXCEPTION; /* one context only, so its exception is ours */
    }
    done++;
  }
}

/* The prelude's listener of rejections; one context lives as long as the guest. */
static JSValue rejection_listener = JS_UNDEFINED;

/* Called when a promise is rejected that has no handler, and again when such a one gets it. The
 * listener is the prelude's and only writes the promise down: no code of the spell runs here. */
static void track_rejection(JSContext *js, JSValueConst promise, JSValueConst reason,
                            bool is_handled, void *nothing) {
  (void)nothing;
  JSValueConst arguments[] = {promise, reason, JS_NewBool(js, is_handled)};
  JSValue result = JS_Call(js, rejection_listener, JS_UNDEFINED, 3, arguments);
  if (JS_IsException(result)) {
    JS_FreeValue(js, JS_GetException(js)); /* no memory: that is about to be told anyway */
  }
  JS_FreeValue(js, result);
}

/* __host.on_rejection(listener): calls listener(promise, reason, is_handled) from now on. */
static JSValue js_on_rejection(JSContext *js, JSValueConst self, int count,
                               JSValueConst *arguments) {
  (void)self;
  (void)count;
  JS_FreeValue(js, rejection_listener);
  rejection_listener = JS_DupValue(js, arguments[0]);
  JS_SetHostPromiseRejectionTracker(JS_GetRuntime(js), track_rejection, NULL);
  return JS_UNDEFINED;
}

/* __host.out_of_memory(): whether a small allocation ever failed. Then the engine throws null, as
 * it has no room for an error object, and only so can that be told from a spell's `throw null`. */
static JSValue js_out_of_memory(JSContext *js, JSValueConst self, int count,
                                JSValueConst *arguments) {
  (void)self;
  (void)count;
  (void)arguments;
  return JS_NewBool(js, heap_was_exhausted());
}

/* Random words fetched and not yet used. */
static uint64_t pool[RANDOM_POOL];
static int pool_left;

/* Math.random from real randomness: the engine's own starts from the clock, which a spell could
 * predict (KX-18). 53 bits, as the language asks. */
static JSValue js_math_random(JSContext *js, JSValueConst self, int count,
                              JSValueConst *arguments) {
  (void)self;
  (void)count;
  (void)arguments;
  if (pool_left == 0) {
    host_random(pool, sizeof pool);
    pool_left = RANDOM_POOL;
  }
  return JS_NewFloat64(js, (double)(pool[--pool_left] >> 11) * 0x1p-53);
}

struct function {
  const char *name;
  JSCFunction *body;
  int parameters;
};

static bool define(JSContext *js, JSValueConst object, const struct function *function) {
  JSValue value = JS_NewCFunction(js, function->body, function->name, function->parameters);
  return !JS_IsException(value) &&
         JS_DefinePropertyValueStr(js, object, function->name, value,
                                   JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE) >= 0;
}

static bool open_host(JSContext *js) {
  static const struct function functions[] = {
      {"send", js_send, 1},   {"recv", js_recv, 1},       {"clock", js_clock, 1},
      {"random", js_random, 1}, {"compile", js_compile, 2}, {"run_jobs", js_run_jobs, 0},
      {"on_rejection", js_on_rejection, 1}, {"out_of_memory", js_out_of_memory, 0},
  };
  static const struct function math_random = {"random", js_math_random, 0};
  JSValue global = JS_GetGlobalObject(js);
  JSValue host = JS_NewObject(js);
  JSValue math = JS_GetPropertyStr(js, global, "Math");
  bool done = !JS_IsException(host) && !JS_IsException(math) && define(js, math, &math_random);
  for (size_t i = 0; done && i < sizeof functions / sizeof *functions; i++) {
    done = define(js, host, &functions[i]);
  }
  JS_FreeValue(js, math);
  done = done && JS_DefinePropertyValueStr(js, host, "boots", JS_TRUE, JS_PROP_CONFIGURABLE) >= 0;
  done = done && JS_DefinePropertyValueStr(js, global, "__host", host,
                                           JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE) >= 0;
  JS_FreeValue(js, global);
  return done;
}

/* Tells what ended the prelude, without running more of the guest than turning it into text. */
static void fail_with_exception(JSContext *js) {
  JSValue exception = JS_GetException(js);
  size_t length = 0;
  const char *message = JS_ToCStringLen(js, &length, exception);
  if (message == NULL) {
    guest_fail("memory", "the engine has no memory left", 29);
    return;
  }
  const char *kind = strstr(message, "out of memory") != NULL              ? "memory"
                     : strstr(message, "Maximum call stack size") != NULL ? "stack"
                                                                          : "trap";
  guest_fail(kind, message, (uint32_t)length);
}

static JSContext *context;
static JSValue run_function = JS_UNDEFINED;

GUEST_EXPORT("guest_alloc") void *guest_alloc(int32_t size) {
  /* The engine wants its source to end in a zero byte; there is room for it. */
  return size > 0 ? calloc((size_t)size + 1, 1) : NULL;
}

GUEST_EXPORT("guest_boot") int32_t guest_boot(char *text, int32_t length) {
  JSRuntime *runtime = JS_NewRuntime();
  if (runtime != NULL) {
    JS_SetMaxStackSize(runtime, STACK_LIMIT);
    context = JS_NewContext(runtime);
  }
  if (context == NULL || !open_host(context)) {
    guest_fail("memory", "not enough memory to start JavaScript", 37);
    return 1;
  }
  JSValue value = JS_Eval(context, text, (size_t)length, "llmspell", JS_EVAL_TYPE_GLOBAL);
  free(text);
  if (JS_IsException(value)) {
    fail_with_exception(context);
    return 1;
  }
  if (JS_IsFunction(context, value)) {
    run_function = value;
    JS_RunGC(runtime); /* garbage would be part of every copy */
  }
  return 0;
}

GUEST_EXPORT("guest_run") int32_t guest_run(void) {
  pool_left = 0; /* no other copy of this memory may have the same numbers */
  if (JS_IsUndefined(run_function)) {
    return 0;
  }
  JS_UpdateStackTop(JS_GetRuntime(context));
  JS_AddPerformance(context); /* again: its time origin is now, and not that of the boot */
  JSValue value = JS_Call(context, run_function, JS_UNDEFINED, 0, NULL);
  if (JS_IsException(value)) {
    fail_with_exception(context);
    return 1;
  }
  return 0;
}
