/* Included before every Lua source: what the engine takes from its surroundings. */
#ifndef LLMSPELL_LUA_CONFIG_H
#define LLMSPELL_LUA_CONFIG_H

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

#endif
