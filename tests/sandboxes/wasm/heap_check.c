/* Drives guests/heap.c with random calls and checks every byte. Returns 0, or the failing step. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 512 };
static unsigned char *slots[SLOTS];
static uint32_t sizes[SLOTS];

static uint32_t state;
static uint32_t next_random(void) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

static int intact(int slot, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    if (slots[slot][i] != (unsigned char)(slot * 31 + i)) {
      return 0;
    }
  }
  return 1;
}

static void fill(int slot) {
  for (uint32_t i = 0; i < sizes[slot]; i++) {
    slots[slot][i] = (unsigned char)(slot * 31 + i);
  }
}

__attribute__((export_name("check"))) int32_t check(uint32_t seed, int32_t steps) {
  state = seed | 1;
  for (int32_t step = 1; step <= steps; step++) {
    int slot = (int)(next_random() % SLOTS);
    uint32_t size = next_random() >> (next_random() % 20 + 12);
    if (slots[slot] == NULL) {
      slots[slot] = next_random() % 4 ? malloc(size) : calloc(size, 1);
    } else if (next_random() % 2) {
      if (!intact(slot, sizes[slot])) {
        return step;
      }
      uint32_t kept = size < sizes[slot] ? size : sizes[slot];
      unsigned char *moved = realloc(slots[slot], size);
      if (moved == NULL) {
        continue;
      }
      slots[slot] = moved;
      if (!intact(slot, kept)) {
        return step;
      }
    } else {
      if (!intact(slot, sizes[slot])) {
        return step;
      }
      free(slots[slot]);
      slots[slot] = NULL;
      continue;
    }
    if (slots[slot] != NULL) {
      if ((uintptr_t)slots[slot] % 8 != 0) {
        return -step;
      }
      sizes[slot] = size;
      fill(slot);
    }
  }
  for (int slot = 0; slot < SLOTS; slot++) {
    if (slots[slot] != NULL && !intact(slot, sizes[slot])) {
      return steps + 1;
    }
    free(slots[slot]);
    slots[slot] = NULL;
  }
  return 0;
}

/* Fills memory with small blocks, frees them all, and asks for nearly everything in one piece. */
__attribute__((export_name("refill"))) int32_t refill(uint32_t each, uint32_t large) {
  void **list = NULL;
  for (void **block; (block = malloc(each)) != NULL; list = block) {
    *block = list;
  }
  while (list != NULL) {
    void **next = *list;
    free(list);
    list = next;
  }
  void *whole = malloc(large);
  free(whole);
  return whole != NULL;
}
