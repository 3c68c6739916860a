/* What a program in the worker's place needs: it confines itself with the very library that ships, says
 * hello as a worker does, waits for the spell, and answers {"act": errno} (0: it worked) as the spell's value.
 *
 * PROGRAM free ACTS..                      acts at once, outside; the answers go to standard output
 * PROGRAM KIND LIBCONFINE ENGINE ACTS..    KIND wasm: applies both stages; native: the launcher did the first;
 *                                          zygote: it did, and each child of this process applies the second
 * Define `static void act(int free, int count, char **words)` after including this, and call `run_attack`. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char answers[1 << 16];
static size_t length;

static void note(const char *act, long result) {
    int error = result < 0 ? (errno ? errno : 1) : 0;
    length += (size_t)snprintf(answers + length, sizeof answers - length, "%s\"%s\":%d", length ? "," : "", act, error);
    errno = 0;
}

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

static int run_attack(int count, char **words, void (*act)(int, int, char **)) {
    if (count > 1 && !strcmp(words[1], "free")) {
        act(1, count - 2, words + 2);
        printf("{%s}\n", answers);
        return 0;
    }
    if (count < 4)
        fail("usage");
    void *library = dlopen(words[2], RTLD_NOW);
    if (!library)
        fail(dlerror());
    int (*load)(const uint8_t *, size_t) = (int (*)(const uint8_t *, size_t))dlsym(library, "confine_load");
    int (*stage1)(void) = (int (*)(void))dlsym(library, "confine_stage1");
    int (*stage2)(void) = (int (*)(void))dlsym(library, "confine_stage2");
    const char *(*report)(void) = (const char *(*)(void))dlsym(library, "confine_report_json");
    const char *(*error)(void) = (const char *(*)(void))dlsym(library, "confine_error");
    int (*prepare)(void) = (int (*)(void))dlsym(library, "confine_zygote_prepare");
    int (*serve)(void) = (int (*)(void))dlsym(library, "confine_zygote_serve");
    uint32_t size = 0;
    uint8_t *plan = read_frame(&size);
    if (!strcmp(words[1], "zygote")) {
        if (load(plan, size) || prepare() || serve())
            fail(error());
        plan = read_frame(&size);
    }
    if (load(plan, size) || (!strcmp(words[1], "wasm") && stage1()) || stage2())
        fail(error());
    static char text[1 << 17];
    snprintf(text, sizeof text, "{\"type\":\"hello\",\"version\":1,\"engine\":\"%s\",\"achieved\":%s}", words[3], report());
    send_text(text);
    read_frame(&size); /* run */
    act(0, count - 4, words + 4);
    snprintf(text, sizeof text, "{\"type\":\"done\",\"value\":{%s}}", answers);
    send_text(text);
    return 0;
}
