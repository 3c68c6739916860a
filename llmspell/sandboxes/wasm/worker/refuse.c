#include "refuse.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static void say(const char *format, va_list arguments) {
  char line[1024] = "llmspell-worker: ";
  size_t used = sizeof "llmspell-worker: " - 1;
  size_t room = sizeof line - used - 1;
  int wanted = vsnprintf(line + used, room, format, arguments);
  if (wanted > 0) {
    used += (size_t)wanted < room ? (size_t)wanted : room - 1;
  }
  /* Reasons that come from libraries may span lines; ours is one. */
  for (size_t i = 0; i < used; i++) {
    line[i] = line[i] == '\n' ? ' ' : line[i];
  }
  line[used++] = '\n';
  ssize_t ignored = write(STDERR_FILENO, line, used);
  (void)ignored;
}

void refuse(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say(format, arguments);
  va_end(arguments);
  _exit(EXIT_UNUSABLE);
}

void refuse_with(int status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say(format, arguments);
  va_end(arguments);
  _exit(status);
}
