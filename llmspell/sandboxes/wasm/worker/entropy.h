#ifndef LLMSPELL_ENTROPY_H
#define LLMSPELL_ENTROPY_H

#include <stdbool.h>
#include <stddef.h>

/* Fills `destination` from getrandom(2). */
bool entropy(void *destination, size_t length);

#endif
