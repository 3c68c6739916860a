/* A worker that is a zygote forks where an ordinary one would run its booted guest. */
#ifndef LLMSPELL_ZYGOTE_H
#define LLMSPELL_ZYGOTE_H

/* From now on the first zygote_point() serves fork orders. `engine` stays valid. */
void zygote_arm(const char *engine);

/* Called when a guest is booted and before it hears of a spell. In a zygote it comes back in each child only, confined and with
 * its own channel; in every other process at once. */
void zygote_point(void);

#endif
