/* A zygote without an engine: each child applies its plan and answers with the report, or with what failed. */
#include "confine.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Leaks can't be traced in here; exitcode tells every other finding from an ordinary end. */
const char *__asan_default_options(void) { return "detect_leaks=0:exitcode=99"; }

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

static int load(void) {
    uint32_t size;
    if (read_exactly(&size, sizeof size))
        return -1;
    uint8_t *plan = malloc(size);
    int result = size && (!plan || read_exactly(plan, size)) ? -1 : confine_load(plan, size);
    free(plan);
    return result;
}

static unsigned before, in_zygote, in_child;
static void count_before(void) { before++; }
static void count_in_zygote(void) { in_zygote++; }
static void count_in_child(void) { in_child++; }

int main(void) {
    if (load() || confine_stage1() || confine_zygote_prepare())
        return 71;
    confine_zygote_around_fork(count_before, count_in_zygote, count_in_child);
    if (confine_zygote_serve())
        return 72;
    /* Once before each fork, and after it on one side each: the zygote's count is that of the others. */
    if (in_child != 1 || before != in_zygote + 1)
        return 73;
    const char *answer = load() || confine_stage2() ? confine_error() : confine_details_json();
    if (write(3, answer, strlen(answer)) < 0)
        return 74;
    char byte;
    while (read(3, &byte, 1) > 0)
        ;
    return 0;
}
