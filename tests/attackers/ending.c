/* Ends that a supervisor must name: `ending … HOW`. See in_place.h for how it is started.
 *
 * stubborn   takes no signal that can be refused, stops itself where it may, and never answers
 * crash      a null pointer; `full` takes all the memory it gets before
 * gone       leaves with a call under way, and with success as its exit code; `stays` waits for the answer */
#define _GNU_SOURCE
#include "in_place.h"

#include <signal.h>
#include <sys/mman.h>

static void refuse_signals(void) {
    sigset_t all;
    for (int number = 1; number < 65; number++)
        signal(number, SIG_IGN);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
}

static void act(int free, char **words) {
    const char *how = words[0];
    if (!strcmp(how, "stubborn")) {
        refuse_signals();
        printf("ready\n");
        fflush(stdout);
        if (!free)
            kill(getpid(), SIGSTOP);
        for (;;)
            usleep(100000);
    }
    if (!strcmp(how, "gone") || !strcmp(how, "stays")) {
        send_text("{\"type\":\"call\",\"id\":1,\"method\":\"storage.set\",\"args\":{\"key\":\"k\",\"value\":1}}");
        uint32_t size;
        if (!strcmp(how, "gone"))
            _exit(0);
        note_number("answered", strstr((char *)read_frame(&size), "\"ok\":true") != NULL);
        return;
    }
    if (!strcmp(how, "full"))
        for (char *at; (at = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) != MAP_FAILED;)
            memset(at, 1, 1 << 20);
    *(volatile int *)(uintptr_t)(free * 0) = 1;
}

int main(int count, char **words) { return in_place(count, words, act); }
