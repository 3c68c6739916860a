/* Included before every engine source: numbers to text and back without the C library's detour
 * through 128-bit floating point, which wasm has to emulate. Same results, byte for byte. */
#ifndef LLMSPELL_GUEST_NUMBERS_H
#define LLMSPELL_GUEST_NUMBERS_H

#include <stdio.h>
#include <stdlib.h>

/* As strtod. */
double guest_strtod(const char *text, char **end);

/* As snprintf; quick for exactly "%lld", "%.14g" and "%.0f" to "%.9f". */
__attribute__((format(printf, 3, 4))) int guest_snprintf(char *buffer, size_t size,
                                                         const char *format, ...);

#define strtod guest_strtod
#define snprintf guest_snprintf

#endif
