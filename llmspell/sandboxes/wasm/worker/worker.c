/* llmspell-worker: runs one wasm guest, confined, over one channel.
 *
 *   llmspell-worker run --engine lua|javascript|python --wasmtime LIBRARY --module MACHINE_CODE
 *                       --prelude FILE --memory BYTES [--image FILE]
 *   llmspell-worker image (the same, without --image)
 *   llmspell-worker zygote …                      (as run; forks a worker for each order)
 *   llmspell-worker compile --wasmtime LIBRARY --input FILE.wasm --output-fd N
 *   llmspell-worker version --wasmtime LIBRARY
 *
 * `run` reads its confinement plan from descriptor 3, loads what is trusted (library, machine code,
 * prelude), confines itself in two stages, says hello, boots the guest, and only then lets it ask
 * for a spell. Loading comes before the first stage because that stage closes descriptors and may
 * change to a user who can read none of these files; no byte that a stranger wrote is handled until
 * both stages are done.
 *
 * `image` boots the guest in the same way and then sends its memory, in frames, instead of running
 * a spell. A `run` that gets such an image maps it and has no prelude to evaluate. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "channel.h"
#include "confine.h"
#include "engine.h"
#include "guest_memory.h"
#include "hostcalls.h"
#include "messages.h"
#include "refuse.h"

enum { CHANNEL = 3, PRELUDE_MOST = 8 << 20 };

/* Limits of the compiling child (bytes, seconds): the largest guest needs a tenth of each. */
enum { COMPILE_CPU_SECONDS = 300 };
static const rlim_t COMPILE_DATA_BYTES = (rlim_t)3 << 30;
static const rlim_t COMPILE_FILE_BYTES = (rlim_t)512 << 20;

struct option {
  const char *name;
  const char *value;
};

/* Every option takes a value, is known and is given once; those behind the first `needed` may be
 * left out. */
static void parse(int count, char **words, struct option *options, size_t known, size_t needed) {
  for (int i = 0; i < count; i += 2) {
    struct option *option = NULL;
    for (size_t k = 0; k < known; k++) {
      if (strcmp(words[i], options[k].name) == 0) {
        option = &options[k];
      }
    }
    if (option == NULL || option->value != NULL || i + 1 >= count) {
      refuse("can't use the argument %s", words[i]);
    }
    option->value = words[i + 1];
  }
  for (size_t k = 0; k < needed; k++) {
    if (options[k].value == NULL) {
      refuse("the argument %s is missing", options[k].name);
    }
  }
}

static uint64_t number(const char *name, const char *text) {
  char *end = NULL;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value > INT64_MAX) {
    refuse("%s is not a number: %s", name, text);
  }
  return value;
}

struct file {
  uint8_t *bytes;
  size_t size;
};

static struct file map_file(const char *path, size_t most) {
  int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  struct stat status;
  if (descriptor < 0 || fstat(descriptor, &status) != 0) {
    refuse("can't open %s: %s", path, strerror(errno));
  }
  if (!S_ISREG(status.st_mode) || status.st_size <= 0 || (uint64_t)status.st_size > most) {
    refuse("%s is no file of 1 to %zu bytes", path, most);
  }
  struct file file = {NULL, (size_t)status.st_size};
  file.bytes = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (file.bytes == MAP_FAILED) {
    refuse("can't map %s: %s", path, strerror(errno));
  }
  close(descriptor);
  return file;
}

/* Bytes of stack for wasm code, on this thread. An engine's own depth check sees only the stack
 * inside the guest's memory; it has to strike before this one does, because its error can be caught
 * and this one ends the run. The soft limit may be raised while the stack grows on demand. */
static size_t make_stack(void) {
  static const rlim_t wanted = (rlim_t)32 << 20;
  static const rlim_t least = (rlim_t)4 << 20;
  static const rlim_t for_the_host = (rlim_t)2 << 20;
  struct rlimit limit;
  if (getrlimit(RLIMIT_STACK, &limit) != 0) {
    refuse("the stack limit can't be read: %s", strerror(errno));
  }
  limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
  if (limit.rlim_cur < least || setrlimit(RLIMIT_STACK, &limit) != 0) {
    refuse("the hard stack limit (ulimit -Hs) is below 4 MiB; raise it");
  }
  return (size_t)(limit.rlim_cur - for_the_host);
}

static void load_plan(void) {
  static uint8_t plan[FRAME_MAX];
  if (channel_wait(-1) != CHANNEL_FRAME) {
    _exit(EXIT_DONE);
  }
  uint32_t size = channel_take(plan, sizeof plan);
  if (confine_load(plan, size) != 0) {
    refuse_with(EXIT_UNCONFINED, "the confinement plan can't be used: %s", confine_error());
  }
}

static void confine(void) {
  if (confine_stage1() != 0 || confine_stage2() != 0) {
    refuse_with(EXIT_UNCONFINED, "the confinement failed: %s", confine_error());
  }
}

static void prepare_zygote(void) {
  if (confine_stage1() != 0 || confine_zygote_prepare() != 0) {
    refuse_with(EXIT_UNCONFINED, "no zygote: %s", confine_error());
  }
}

/* Forks a worker for each order and comes back in each of them, confined, with a channel of its own.
 * Until then only our own prelude ran. */
static void serve_as_zygote(const char *engine) {
  if (confine_zygote_serve() != 0) {
    refuse_with(EXIT_UNCONFINED, "no zygote: %s", confine_error());
  }
  channel_open(CHANNEL);
  load_plan();
  if (confine_stage2() != 0) {
    refuse_with(EXIT_UNCONFINED, "the confinement failed: %s", confine_error());
  }
  message_hello(engine, confine_report_json());
}

static const struct engine_end NO_ROOM = {true, "memory",
                                         "the memory limit is too small for the engine"};

/* Evaluates the prelude as far as it goes without a spell. It travels through the guest's own
 * allocator into its own memory. */
static struct engine_end boot(const struct file *prelude) {
  wasmtime_val_raw_t values[2] = {{0}, {0}};
  struct engine_end end = engine_call("_initialize", values, 0);
  if (end.trapped) {
    return end;
  }
  values[0].i32 = (int32_t)prelude->size;
  end = engine_call("guest_alloc", values, 1);
  if (end.trapped) {
    return end;
  }
  int32_t place = values[0].i32;
  if (place == 0 || !guest_put((uint32_t)place, prelude->bytes, prelude->size)) {
    return NO_ROOM;
  }
  values[0].i32 = place;
  values[1].i32 = (int32_t)prelude->size;
  end = engine_call("guest_boot", values, 2);
  if (!end.trapped && values[0].i32 != 0) {
    _exit(EXIT_GUEST_FAILED); /* the guest reported it itself */
  }
  return end;
}

static struct engine_end run_spell(void) {
  wasmtime_val_raw_t values[1] = {{0}};
  struct engine_end end = engine_call("guest_run", values, 1);
  if (!end.trapped && values[0].i32 != 0) {
    _exit(EXIT_GUEST_FAILED);
  }
  return end;
}

_Noreturn static void finish(struct engine_end end) {
  if (end.trapped) {
    message_failed(end.kind, end.message);
    _exit(EXIT_GUEST_FAILED);
  }
  end_of_guest(0);
}

/* All that a booted guest is lies in its memory: no call into it is under way, and the one global
 * that changes at run time, its stack pointer, is back where it began. */
_Noreturn static void send_image(uint32_t stack_before) {
  wasmtime_val_raw_t values[1] = {{0}};
  struct engine_end end = engine_call("guest_stack", values, 1);
  if (end.trapped || (uint32_t)values[0].i32 != stack_before) {
    finish((struct engine_end){true, "trap", "the guest did not come back to where it began"});
  }
  struct guest_memory memory = guest_memory();
  for (size_t at = 0; at < memory.size; at += FRAME_MAX) {
    size_t rest = memory.size - at;
    if (!channel_send(memory.base + at, rest < FRAME_MAX ? rest : FRAME_MAX)) {
      _exit(EXIT_GUEST_FAILED);
    }
  }
  _exit(EXIT_DONE);
}

enum mode { RUN, IMAGE, ZYGOTE };

_Noreturn static void run(int count, char **words, enum mode mode) {
  struct option options[] = {{"--engine", NULL},  {"--wasmtime", NULL}, {"--module", NULL},
                             {"--prelude", NULL}, {"--memory", NULL},   {"--image", NULL}};
  parse(count, words, options, mode == IMAGE ? 5 : 6, 5);
  const char *engine = options[0].value;
  const char *image = options[5].value;
  if (strcmp(engine, "python") != 0 && strcmp(engine, "lua") != 0 &&
      strcmp(engine, "javascript") != 0) {
    refuse("there is no engine %s", engine);
  }
  uint64_t memory = number(options[4].name, options[4].value);

  signal(SIGPIPE, SIG_IGN); /* a supervisor that is gone is an end, not an accident */
  size_t stack = make_stack();
  channel_open(CHANNEL);
  load_plan();

  wasmtime_open(options[1].value);
  struct file prelude = {NULL, 0};
  if (image == NULL) {
    prelude = map_file(options[3].value, PRELUDE_MOST);
  }
  engine_load(options[2].value, &hostcall_imports, memory, stack);
  bool has_room = image == NULL || engine_resume(image);

  if (mode == ZYGOTE) {
    prepare_zygote();
  } else {
    confine();
    message_hello(engine, confine_report_json());
  }
  wasmtime_val_raw_t stack_pointer = {0};
  struct engine_end end = NO_ROOM;
  if (has_room) {
    end = engine_call("guest_stack", &stack_pointer, 1);
  }
  if (!end.trapped && image == NULL) {
    end = boot(&prelude);
  }
  if (!end.trapped && mode == IMAGE) {
    send_image((uint32_t)stack_pointer.i32);
  }
  if (end.trapped) {
    finish(end);
  }
  if (mode == ZYGOTE) {
    serve_as_zygote(engine);
  }
  finish(run_spell());
}

static void limit(int resource, rlim_t most) {
  struct rlimit current;
  if (getrlimit(resource, &current) == 0 && current.rlim_max < most) {
    most = current.rlim_max;
  }
  struct rlimit wanted = {most, most};
  if (setrlimit(resource, &wanted) != 0) {
    refuse("the compiler's limits can't be set: %s", strerror(errno));
  }
}

static int compile(int count, char **words) {
  struct option options[] = {{"--wasmtime", NULL}, {"--input", NULL}, {"--output-fd", NULL}};
  parse(count, words, options, 3, 3);
  uint64_t descriptor = number(options[2].name, options[2].value);
  limit(RLIMIT_CPU, COMPILE_CPU_SECONDS);
  limit(RLIMIT_DATA, COMPILE_DATA_BYTES);
  limit(RLIMIT_FSIZE, COMPILE_FILE_BYTES);
  limit(RLIMIT_CORE, 0);
  wasmtime_open(options[0].value);
  struct file wasm = map_file(options[1].value, (size_t)COMPILE_FILE_BYTES);
  engine_compile(wasm.bytes, wasm.size, (int)descriptor);
  return EXIT_DONE;
}

static int version(int count, char **words) {
  struct option options[] = {{"--wasmtime", NULL}};
  parse(count, words, options, 1, 1);
  wasmtime_open(options[0].value);
  printf("config %d\n", ENGINE_CONFIG_VERSION);
  return fflush(stdout) == 0 ? EXIT_DONE : EXIT_UNUSABLE;
}

int main(int count, char **words) {
  if (count >= 2 && strcmp(words[1], "run") == 0) {
    run(count - 2, words + 2, RUN);
  }
  if (count >= 2 && strcmp(words[1], "image") == 0) {
    run(count - 2, words + 2, IMAGE);
  }
  if (count >= 2 && strcmp(words[1], "zygote") == 0) {
    run(count - 2, words + 2, ZYGOTE);
  }
  if (count >= 2 && strcmp(words[1], "compile") == 0) {
    _exit(compile(count - 2, words + 2));
  }
  if (count >= 2 && strcmp(words[1], "version") == 0) {
    _exit(version(count - 2, words + 2));
  }
  refuse("the first argument is run, image, zygote, compile or version");
}
