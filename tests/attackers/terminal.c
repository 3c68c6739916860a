/* What a worker might do to the user's terminal (SL-16, SL-17). One word: how many descriptors to try. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <termios.h>

#include "in_place.h"

static void ask(const char *name, unsigned long request) {
    /* The best of all descriptors: one that answers is enough for an attacker. */
    char window[64] = "x";
    long best = -1;
    for (int fd = 0; fd < 64; fd++) {
        if (fd != 3 && syscall(SYS_ioctl, fd, request, window) >= 0)
            best = 0;
    }
    errno = ENOTTY;
    note(name, best);
}

static void act(int free, char **acts) {
    (void)free;
    (void)acts;
    ask("window", TIOCGWINSZ);
    ask("settings", TCGETS);
    ask("group", TIOCGPGRP);
    ask("push", TIOCSTI);
    ask("push_high_bits", 0x100000000UL | TIOCSTI);
    ask("console", 0x541C);
    ask("console_high_bits", 0x10000541CUL);
    ask("take", TIOCSCTTY);
    ask("take_group", TIOCSPGRP);
    ask("raw", TCSETS);
    note("open_tty", open("/dev/tty", O_RDWR));
    note("open_console", open("/dev/console", O_RDWR));
    note("open_ptmx", open("/dev/ptmx", O_RDWR));
}

int main(int count, char **words) { return in_place(count, words, act); }
