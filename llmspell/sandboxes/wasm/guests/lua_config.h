/* Included before every Lua source: what the engine takes from its surroundings. */
#ifndef LLMSPELL_LUA_CONFIG_H
#define LLMSPELL_LUA_CONFIG_H

#include "numbers.h"

/* There are no signals in the guest; this keeps <signal.h> out of it. */
#define l_signalT int

/* Real randomness instead of the clock and addresses, which a spell could predict (KX-18). */
unsigned int guest_random_word(void);
#define luai_makeseed(L) guest_random_word()
#define l_randomizePivot() guest_random_word()

/* Nothing in the guest is a terminal: the prelude's print sends output frames instead. */
#define lua_writestring(s, l) ((void)(s), (void)(l))
#define lua_writeline() ((void)0)
#define lua_writestringerror(s, p) ((void)(s), (void)(p))

/* Errors and yields are wasm exceptions. The nearest handler is the right one, as in C++. */
struct lua_State;
void guest_try(void (*run)(struct lua_State *L, void *data), struct lua_State *L, void *data);
#define LUAI_THROW(L, c) __builtin_wasm_throw(0, (c))
#define LUAI_TRY(L, c, a) guest_try(f, L, ud)
#define luai_jmpbuf int

#endif
