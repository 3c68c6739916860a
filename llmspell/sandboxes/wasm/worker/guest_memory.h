/* The one way to turn a number a guest gave into an address.
 *
 * Guest memory can grow and move at every call, so nothing keeps a pointer across calls. */
#ifndef LLMSPELL_GUEST_MEMORY_H
#define LLMSPELL_GUEST_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct guest_memory {
  uint8_t *base;
  size_t size;
};

struct guest_memory guest_memory(void);

/* The address of `length` bytes at `offset`, or NULL when not all of them are the guest's.
 * Both are widened first: 32-bit sums could wrap around the check. */
static inline void *guest_span(uint32_t offset, uint64_t length) {
  struct guest_memory memory = guest_memory();
  if (memory.base == NULL || length > memory.size || offset > memory.size - length) {
    return NULL;
  }
  return memory.base + offset;
}

/* Guest numbers need not be aligned, hence the copies. */
static inline int guest_put(uint32_t offset, const void *value, size_t size) {
  void *place = guest_span(offset, size);
  if (place == NULL) {
    return 0;
  }
  memcpy(place, value, size);
  return 1;
}

static inline int guest_get(uint32_t offset, void *value, size_t size) {
  const void *place = guest_span(offset, size);
  if (place == NULL) {
    return 0;
  }
  memcpy(value, place, size);
  return 1;
}

#endif
