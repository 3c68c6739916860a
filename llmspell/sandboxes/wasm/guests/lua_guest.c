/* The Lua 5.4 guest: an engine, the global `__host`, and a prelude that drives everything. */
#include <stdlib.h>

#include "host.h"
#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

unsigned int guest_random_word(void) {
  unsigned int word;
  host_random(&word, sizeof word);
  return word;
}

/* __host.send(bytes): true, or false when the length is not 1 … 1 MiB. */
static int lua_send(lua_State *L) {
  size_t length;
  const char *bytes = luaL_checklstring(L, 1, &length);
  luaL_argcheck(L, length <= INT32_MAX, 1, "frame too long");
  lua_pushboolean(L, host_send(bytes, (int32_t)length) == 0);
  return 1;
}

/* __host.recv(milliseconds or nil): the next frame, or nil on timeout. A closed channel ends the
 * guest: nobody is left to hear what it would do next. */
static int lua_recv(lua_State *L) {
  lua_Number timeout = luaL_optnumber(L, 1, HOST_WAIT_FOREVER);
  int32_t length = host_recv(timeout);
  if (length == HOST_CLOSED) {
    host_exit(0);
  }
  if (length == HOST_TIMEOUT) {
    lua_pushnil(L);
    return 1;
  }
  luaL_Buffer buffer;
  char *room = luaL_buffinitsize(L, &buffer, (size_t)length);
  host_read(room);
  luaL_pushresultsize(&buffer, (size_t)length);
  return 1;
}

/* __host.clock(kind): milliseconds; 0 is the time of day, 1 the monotonic clock. */
static int lua_clock(lua_State *L) {
  lua_pushnumber(L, host_clock((int32_t)luaL_optinteger(L, 1, HOST_CLOCK_REAL)));
  return 1;
}

/* __host.random(n): n random bytes, n in 0 … 65536. */
static int lua_random(lua_State *L) {
  lua_Integer length = luaL_checkinteger(L, 1);
  luaL_argcheck(L, length >= 0 && length <= 65536, 1, "0 to 65536 bytes at a time");
  luaL_Buffer buffer;
  char *room = luaL_buffinitsize(L, &buffer, (size_t)length);
  host_random(room, (int32_t)length);
  luaL_pushresultsize(&buffer, (size_t)length);
  return 1;
}

static void open_libraries(lua_State *L) {
  static const luaL_Reg libraries[] = {
      {"_G", luaopen_base},          {"string", luaopen_string}, {"table", luaopen_table},
      {"math", luaopen_math},        {"utf8", luaopen_utf8},     {"coroutine", luaopen_coroutine},
  };
  for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
    luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
    lua_pop(L, 1);
  }
  static const char *const reach_files[] = {"dofile", "loadfile"};
  for (size_t i = 0; i < sizeof reach_files / sizeof *reach_files; i++) {
    lua_pushnil(L);
    lua_setglobal(L, reach_files[i]);
  }
}

/* Keys in the registry, which no Lua code reaches. */
static const char SEED[] = "llmspell.seed";
static const char RUN[] = "llmspell.run";

/* math.randomseed as the engine made it: it shares its state with every copy of math.random. */
static void keep_seed(lua_State *L) {
  lua_getglobal(L, "math");
  lua_getfield(L, -1, "randomseed");
  lua_setfield(L, LUA_REGISTRYINDEX, SEED);
  lua_pop(L, 1);
}

/* math.random starts from the clock and an address otherwise, which a spell could predict; and a
 * booted guest may live on in many copies. */
static void seed_math(lua_State *L) {
  lua_Integer seed[2];
  host_random(seed, sizeof seed);
  lua_getfield(L, LUA_REGISTRYINDEX, SEED);
  lua_pushinteger(L, seed[0]);
  lua_pushinteger(L, seed[1]);
  lua_call(L, 2, 0);
}

static void open_host(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"send", lua_send}, {"recv", lua_recv}, {"clock", lua_clock}, {"random", lua_random},
      {NULL, NULL},
  };
  luaL_newlib(L, functions);
  /* Of the debug library only traceback leaves this function: the rest reaches into other
   * functions' locals and the registry. */
  lua_pushcfunction(L, luaopen_debug);
  lua_call(L, 0, 1);
  lua_getfield(L, -1, "traceback");
  lua_setfield(L, -3, "traceback");
  lua_pop(L, 1);
  lua_pushboolean(L, 1);
  lua_setfield(L, -2, "boots");
  lua_setglobal(L, "__host");
}

struct prelude {
  const char *text;
  size_t length;
};

/* Runs protected, so that running out of memory while the engine opens is an error like any. */
static int boot(lua_State *L) {
  const struct prelude *prelude = lua_touserdata(L, 1);
  lua_settop(L, 0);
  open_libraries(L);
  keep_seed(L);
  seed_math(L);
  open_host(L);
  if (luaL_loadbufferx(L, prelude->text, prelude->length, "=llmspell", "t") != LUA_OK) {
    return lua_error(L);
  }
  lua_call(L, 0, 1);
  if (lua_isfunction(L, 1)) {
    lua_setfield(L, LUA_REGISTRYINDEX, RUN);
  }
  lua_settop(L, 0);
  lua_gc(L, LUA_GCCOLLECT); /* garbage would be part of every copy */
  return 0;
}

static int run(lua_State *L) {
  seed_math(L);
  if (lua_getfield(L, LUA_REGISTRYINDEX, RUN) == LUA_TFUNCTION) {
    lua_call(L, 0, 0);
  }
  return 0;
}

/* 0, or 1 after telling what went wrong. */
static int32_t protected(lua_State *L, lua_CFunction function, void *argument) {
  lua_pushcfunction(L, function);
  lua_pushlightuserdata(L, argument);
  int status = lua_pcall(L, 1, 0, 0);
  if (status == LUA_OK) {
    return 0;
  }
  size_t message_length = 0;
  const char *message = lua_tolstring(L, -1, &message_length);
  if (message == NULL) {
    message = "the prelude raised an error that is no text";
    message_length = 43;
  }
  guest_fail(status == LUA_ERRMEM ? "memory" : "trap", message, (uint32_t)message_length);
  return 1;
}

static lua_State *state;

GUEST_EXPORT("guest_alloc") void *guest_alloc(int32_t size) {
  return size > 0 ? malloc((size_t)size) : NULL;
}

GUEST_EXPORT("guest_boot") int32_t guest_boot(char *text, int32_t length) {
  state = luaL_newstate();
  if (state == NULL) {
    guest_fail("memory", "not enough memory to start Lua", 30);
    return 1;
  }
  lua_setwarnf(state, NULL, NULL);
  struct prelude prelude = {text, (size_t)length};
  int32_t failed = protected(state, boot, &prelude);
  free(text);
  return failed;
}

GUEST_EXPORT("guest_run") int32_t guest_run(void) { return protected(state, run, NULL); }
