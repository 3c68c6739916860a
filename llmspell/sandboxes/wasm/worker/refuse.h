/* The ways this program ends other than well. Nothing else is ever printed. */
#ifndef LLMSPELL_REFUSE_H
#define LLMSPELL_REFUSE_H

enum {
  EXIT_DONE = 0,
  EXIT_UNUSABLE = 64,    /* wrong arguments, library, module or prelude */
  EXIT_GUEST_FAILED = 70, /* the guest trapped or ended with an error; a `failed` frame was sent */
  EXIT_UNCONFINED = 77,  /* the confinement could not be applied; no spell was asked for */
};

/* Writes one line to descriptor 2 and ends with EXIT_UNUSABLE. Only before the guest runs. */
__attribute__((format(printf, 1, 2), noreturn)) void refuse(const char *format, ...);
__attribute__((format(printf, 2, 3), noreturn)) void refuse_with(int status, const char *format,
                                                                 ...);

#endif
