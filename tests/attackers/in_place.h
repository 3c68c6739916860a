/* What a native attacker needs to be put in a worker's place: the plan, the hello, the answers.
 *
 * PROGRAM free ACTS..                      acts at once, outside: the control; the answers go to standard output
 * PROGRAM KIND LIBCONFINE ENGINE ACTS..    KIND wasm: applies both stages; native: the launcher did the first;
 *                                          zygote: a launched zygote; wasm-zygote: applies the first stage as well.
 *                                          Each child of a zygote applies the second stage and attacks.
 *
 * It uses the very library that ships, says hello as a worker does, waits for the spell, and answers with
 * {"act": number} as the spell's value: what it noted of each. */
#ifndef IN_PLACE_H
#define IN_PLACE_H

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static char answers[1 << 16];
static size_t length;

static inline void note_number(const char *act, long number) {
    length += (size_t)snprintf(answers + length, sizeof answers - length, "%s\"%s\":%ld", length ? "," : "", act, number);
}

/* The error of a call that failed, 0 for one that worked. */
static inline void note(const char *act, long result) { note_number(act, result < 0 ? (errno ? errno : 1) : 0); }

static void fail(const char *what) {
    fprintf(stderr, "attacker: %s\n", what);
    _exit(70);
}

static uint8_t *read_frame(uint32_t *size) {
    static uint8_t frame[1 << 20];
    size_t at = 0, wanted = 4;
    while (at < wanted) {
        ssize_t got = at < 4 ? read(3, (char *)size + at, 4 - at) : read(3, frame + at - 4, wanted - at);
        if (got <= 0)
            fail("no frame");
        at += (size_t)got;
        if (at == 4)
            wanted = 4 + *size;
    }
    return frame;
}

static void send_text(const char *text) {
    uint32_t size = (uint32_t)strlen(text);
    if (write(3, &size, 4) != 4 || write(3, text, size) != (ssize_t)size)
        fail("no channel");
}

/* Runs `act` free or in a worker's place; `act` gets the words behind the fixed ones. */
static int in_place(int count, char **words, void (*act)(int free, char **acts)) {
    if (count > 1 && !strcmp(words[1], "free")) {
        act(1, words + 2);
        printf("{%s}\n", answers);
        return 0;
    }
    if (count < 4)
        fail("usage");
    const char *kind = words[1];
    int is_zygote = strstr(kind, "zygote") != NULL, applies_first = !strncmp(kind, "wasm", 4);
    void *library = dlopen(words[2], RTLD_NOW);
    if (!library)
        fail(dlerror());
    int (*load)(const uint8_t *, size_t) = (int (*)(const uint8_t *, size_t))dlsym(library, "confine_load");
    int (*stage1)(void) = (int (*)(void))dlsym(library, "confine_stage1");
    int (*stage2)(void) = (int (*)(void))dlsym(library, "confine_stage2");
    int (*prepare)(void) = (int (*)(void))dlsym(library, "confine_zygote_prepare");
    int (*serve)(void) = (int (*)(void))dlsym(library, "confine_zygote_serve");
    const char *(*report)(void) = (const char *(*)(void))dlsym(library, "confine_report_json");
    const char *(*error)(void) = (const char *(*)(void))dlsym(library, "confine_error");
    uint32_t size = 0;
    uint8_t *plan = read_frame(&size);
    if (load(plan, size) || (applies_first && stage1()))
        fail(error());
    if (is_zygote) {
        if (prepare() || serve())
            fail(error());
        plan = read_frame(&size);
        if (load(plan, size))
            fail(error());
    }
    if (stage2())
        fail(error());
    static char text[1 << 17];
    snprintf(text, sizeof text, "{\"type\":\"hello\",\"version\":1,\"engine\":\"%s\",\"achieved\":%s}", words[3], report());
    send_text(text);
    read_frame(&size); /* run */
    act(0, words + 4);
    snprintf(text, sizeof text, "{\"type\":\"done\",\"value\":{%s}}", answers);
    send_text(text);
    return 0;
}
#endif
