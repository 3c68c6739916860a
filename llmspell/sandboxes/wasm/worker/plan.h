/* The confinement plan that is the first frame of every channel. */
#ifndef LLMSPELL_PLAN_H
#define LLMSPELL_PLAN_H

/* Waits for it and loads it; ends the process when there is none or it can't be used. */
void plan_load(void);

#endif
