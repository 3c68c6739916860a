#include "entropy.h"

#include <errno.h>
#include <stdint.h>
#include <sys/random.h>
#include <sys/types.h>

/* Up to this many bytes getrandom never gives less than it was asked for. */
enum { AT_ONCE = 256 };

bool entropy(void *destination, size_t length) {
  uint8_t *next = destination;
  while (length > 0) {
    size_t wanted = length < AT_ONCE ? length : AT_ONCE;
    ssize_t got = getrandom(next, wanted, 0);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return false;
    }
    next += got;
    length -= (size_t)got;
  }
  return true;
}
