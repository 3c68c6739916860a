/* llmspell-launch PROGRAM ARGUMENT..   confines itself by stage 1 of a plan and becomes PROGRAM
 * llmspell-launch --check              runs the whole plan and answers with the report; no spell ever runs here
 *
 * The plan is the first frame on descriptor 3: a 4-byte little-endian length and that many bytes. */
#include "confine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHANNEL_FD = 3, FRAME_MAX = 1 << 20, EXIT_USAGE = 64, EXIT_CONFINE = 71, EXIT_EXEC = 72 };

static int fail(int code, const char *what, const char *why) {
    fprintf(stderr, "llmspell-launch: %s: %s\n", what, why);
    return code;
}

static int read_exactly(void *into, size_t size) {
    unsigned char *at = into;
    while (size) {
        ssize_t got = read(CHANNEL_FD, at, size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return -1;
        at += got;
        size -= (size_t)got;
    }
    return 0;
}

static int load_plan(void) {
    unsigned char header[4];
    if (read_exactly(header, sizeof header))
        return -1;
    size_t size = header[0] | (size_t)header[1] << 8 | (size_t)header[2] << 16 | (size_t)header[3] << 24;
    if (!size || size > FRAME_MAX)
        return -1;
    unsigned char *plan = malloc(size);
    int result = plan && !read_exactly(plan, size) ? confine_load(plan, size) : -1;
    free(plan);
    return result;
}

static int answer(const char *text) {
    size_t size = strlen(text);
    unsigned char header[4] = {(unsigned char)size, (unsigned char)(size >> 8), (unsigned char)(size >> 16), 0};
    if (write(CHANNEL_FD, header, sizeof header) != sizeof header)
        return EXIT_CONFINE;
    return write(CHANNEL_FD, text, size) == (ssize_t)size ? 0 : EXIT_CONFINE;
}

int main(int count, char **arguments) {
    static char *const environment[] = {"LC_ALL=C.UTF-8", NULL};
    if (count < 2)
        return fail(EXIT_USAGE, "usage", "llmspell-launch PROGRAM ARGUMENT..");
    if (load_plan())
        return fail(EXIT_CONFINE, "plan", confine_error());
    int check = !strcmp(arguments[1], "--check");
    /* Started by another launcher, --check finds stage 1 done and the plan holds stage 2 only. */
    if (!(check && confine_is_stage2_only()) && confine_stage1())
        return fail(EXIT_CONFINE, "stage 1", confine_error());
    if (check) {
        if (confine_stage2())
            return fail(EXIT_CONFINE, "stage 2", confine_error());
        return answer(confine_details_json());
    }
    execve(arguments[1], arguments + 1, environment);
    return fail(EXIT_EXEC, arguments[1], strerror(errno));
}
