/* Feeds plans from standard input (descriptor 3) to the parser: u32 length, bytes; answers 'y' or 'n'. */
#include "confine.h"

#include <stdlib.h>
#include <unistd.h>

const char *__asan_default_options(void) { return "detect_leaks=1:exitcode=99"; }

static int read_exactly(void *into, size_t size) {
    for (char *at = into; size;) {
        ssize_t got = read(3, at, size);
        if (got <= 0)
            return -1;
        at += got;
        size -= (size_t)got;
    }
    return 0;
}

int main(void) {
    uint32_t size;
    while (!read_exactly(&size, sizeof size)) {
        /* Its own allocation each time: the sanitizer sees a read of one byte too many. */
        uint8_t *plan = malloc(size);
        if (size && (!plan || read_exactly(plan, size)))
            return 2;
        const char *answer = confine_load(plan, size) ? "n" : "y";
        free(plan);
        if (write(3, answer, 1) != 1)
            return 3;
    }
    confine_load(NULL, 0);
    return 0;
}
