/* A worker that is a zygote forks where an ordinary one waits for its first message. */
#ifndef LLMSPELL_ZYGOTE_H
#define LLMSPELL_ZYGOTE_H

/* From now on the first zygote_point() serves fork orders. `engine` stays valid. */
void zygote_arm(const char *engine);

/* Called before a guest waits for a message. In a zygote it comes back in each child only, confined and with
 * its own channel; in every other process at once. */
void zygote_point(void);

#endif
