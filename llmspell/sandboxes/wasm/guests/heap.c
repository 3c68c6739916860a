/* malloc for the guests: two-level segregated fit (Masmano et al., 2004).
 *
 * zig's own allocator keeps freed memory by size class for ever, so a spell that filled its memory,
 * caught the error and let everything go could still not get one larger block. Here neighbours
 * merge as soon as they are free. Every operation takes constant time. */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A block is a 4-byte header and its payload. Payloads start at multiples of 8 and have sizes of
 * 8k + 4, so that the next header comes right behind. Payloads of free blocks hold their list's
 * links and, in the last 4 bytes, their own address for the block behind. */
struct block {
  uint32_t header; /* payload size and flags */
  struct block *next;
  struct block *previous;
};

enum { IS_FREE = 1, PREVIOUS_IS_FREE = 2, FLAGS = 7 };
enum { HEADER = 4, STEP = 8, PAYLOAD_LEAST = 12, PAYLOAD_MOST = 0x7fff0000 };
enum { SECOND_BITS = 4, SECOND = 1 << SECOND_BITS, SMALL = SECOND * STEP, SMALL_BITS = 7 };
enum { FIRST = 32 - SMALL_BITS + 1, PAGE = 65536, GROWTH_MOST = 1 << 20 };

static uint32_t first_map;
static uint32_t second_map[FIRST];
static struct block *lists[FIRST][SECOND];
static struct block *end_block; /* size 0 and never free: merging stops at it */
static bool exhausted;
extern unsigned char __heap_base;

/* Declared in host.h, which this file must not need: it is tested by itself. */
bool heap_was_exhausted(void);
bool heap_was_exhausted(void) { return exhausted; }

static uint32_t size_of(const struct block *block) { return block->header & ~(uint32_t)FLAGS; }

/* Sizes are 8k + 4; the flags take the place of the 4. */
static uint32_t payload_size(const struct block *block) { return size_of(block) | HEADER; }

static void *payload(struct block *block) { return (char *)block + HEADER; }
static struct block *block_of(void *pointer) { return (struct block *)((char *)pointer - HEADER); }

static struct block *behind(struct block *block) {
  return (struct block *)((char *)payload(block) + payload_size(block));
}

static struct block **own_address(struct block *block) {
  return (struct block **)((char *)behind(block) - HEADER);
}

static struct block *before(struct block *block) {
  return *(struct block **)((char *)block - HEADER);
}

struct place {
  uint32_t first;
  uint32_t second;
};

static uint32_t highest_bit(uint32_t value) { return 31 - (uint32_t)__builtin_clz(value); }

/* The list that holds blocks of this size. */
static struct place place_of(uint32_t size) {
  if (size < SMALL) {
    return (struct place){0, size / STEP};
  }
  uint32_t bit = highest_bit(size);
  return (struct place){bit - SMALL_BITS + 1, (size >> (bit - SECOND_BITS)) ^ SECOND};
}

/* The first list in which every block is large enough. */
static struct place place_for(uint32_t size) {
  if (size >= SMALL) {
    size += (1u << (highest_bit(size) - SECOND_BITS)) - 1;
  }
  return place_of(size);
}

static void insert(struct block *block) {
  struct place at = place_of(payload_size(block));
  struct block *head = lists[at.first][at.second];
  block->header |= IS_FREE;
  block->next = head;
  block->previous = NULL;
  if (head != NULL) {
    head->previous = block;
  }
  lists[at.first][at.second] = block;
  first_map |= 1u << at.first;
  second_map[at.first] |= 1u << at.second;
  *own_address(block) = block;
  behind(block)->header |= PREVIOUS_IS_FREE;
}

static void take_out(struct block *block) {
  struct place at = place_of(payload_size(block));
  if (block->next != NULL) {
    block->next->previous = block->previous;
  }
  if (block->previous != NULL) {
    block->previous->next = block->next;
  } else {
    lists[at.first][at.second] = block->next;
    if (block->next == NULL) {
      second_map[at.first] &= ~(1u << at.second);
      if (second_map[at.first] == 0) {
        first_map &= ~(1u << at.first);
      }
    }
  }
  block->header &= ~(uint32_t)IS_FREE;
  behind(block)->header &= ~(uint32_t)PREVIOUS_IS_FREE;
}

static struct block *find(uint32_t size) {
  struct place at = place_for(size);
  if (at.first >= FIRST) {
    return NULL;
  }
  uint32_t second = second_map[at.first] & (~0u << at.second);
  if (second == 0) {
    uint32_t first = at.first + 1 < 32 ? first_map & (~0u << (at.first + 1)) : 0;
    if (first == 0) {
      return NULL;
    }
    at.first = (uint32_t)__builtin_ctz(first);
    second = second_map[at.first];
  }
  return lists[at.first][__builtin_ctz(second)];
}

static void set_size(struct block *block, uint32_t size) {
  block->header = (size & ~(uint32_t)FLAGS) | (block->header & (IS_FREE | PREVIOUS_IS_FREE));
}

/* Puts a block that belongs to nobody into its list, merged with free neighbours. */
static void release(struct block *block) {
  struct block *next = behind(block);
  if (next->header & IS_FREE) {
    take_out(next);
    set_size(block, payload_size(block) + HEADER + payload_size(next));
  }
  if (block->header & PREVIOUS_IS_FREE) {
    struct block *previous = before(block);
    take_out(previous);
    set_size(previous, payload_size(previous) + HEADER + payload_size(block));
    block = previous;
  }
  insert(block);
}

/* Gives back what is behind `size` bytes of a block in use, if it makes a block. */
static void trim(struct block *block, uint32_t size) {
  uint32_t rest = payload_size(block) - size;
  if (rest >= HEADER + PAYLOAD_LEAST) {
    set_size(block, size);
    struct block *remainder = behind(block);
    remainder->header = 0;
    set_size(remainder, rest - HEADER);
    release(remainder);
  }
}

static bool start(void) {
  uintptr_t base = ((uintptr_t)&__heap_base + STEP - 1) / STEP * STEP + HEADER;
  uintptr_t end = (uintptr_t)__builtin_wasm_memory_size(0) * PAGE - HEADER;
  if (end < base + HEADER + PAYLOAD_LEAST) {
    if (__builtin_wasm_memory_grow(0, 1) == (size_t)-1) {
      return false;
    }
    end += PAGE;
  }
  struct block *whole = (struct block *)base;
  whole->header = 0;
  set_size(whole, (uint32_t)(end - base - HEADER));
  end_block = (struct block *)end;
  end_block->header = 0;
  insert(whole);
  return true;
}

/* Adds memory for at least `size` more bytes in one block: a good deal more, so that it is asked
 * for seldom, or just enough when that is refused. */
static bool grow(uint32_t size) {
  uint32_t wanted = size + HEADER + STEP + (size >> SECOND_BITS);
  if (end_block->header & PREVIOUS_IS_FREE) {
    uint32_t there = payload_size(before(end_block));
    wanted = there < wanted ? wanted - there : STEP;
  }
  uint32_t enough = (wanted + PAGE - 1) / PAGE;
  uint32_t plenty = (uint32_t)__builtin_wasm_memory_size(0) / 8;
  plenty = plenty < GROWTH_MOST / PAGE ? plenty : GROWTH_MOST / PAGE;
  uint32_t pages = enough > plenty ? enough : plenty;
  if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1) {
    pages = enough;
    if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1) {
      return false;
    }
  }
  struct block *added = end_block;
  end_block = (struct block *)((char *)end_block + (size_t)pages * PAGE);
  end_block->header = 0;
  set_size(added, pages * PAGE - HEADER);
  release(added);
  return true;
}

static uint32_t rounded(size_t size) {
  uint32_t up = ((uint32_t)size + HEADER - 1) / STEP * STEP + HEADER;
  return up < PAYLOAD_LEAST ? PAYLOAD_LEAST : up;
}

void *malloc(size_t wanted) {
  if (wanted > PAYLOAD_MOST || (end_block == NULL && !start())) {
    errno = ENOMEM;
    return NULL;
  }
  uint32_t size = rounded(wanted);
  struct block *block = find(size);
  if (block == NULL && grow(size)) {
    block = find(size);
  }
  if (block == NULL) {
    exhausted = exhausted || size <= PAGE;
    errno = ENOMEM;
    return NULL;
  }
  take_out(block);
  trim(block, size);
  return payload(block);
}

void free(void *pointer) {
  if (pointer != NULL) {
    release(block_of(pointer));
  }
}

/* Compilers know that malloc and memset together are calloc, which this is. */
__attribute__((no_builtin("calloc"))) void *calloc(size_t count, size_t each) {
  size_t size;
  if (__builtin_mul_overflow(count, each, &size)) {
    errno = ENOMEM;
    return NULL;
  }
  void *pointer = malloc(size);
  return pointer == NULL ? NULL : memset(pointer, 0, size);
}

void *realloc(void *pointer, size_t wanted) {
  if (pointer == NULL) {
    return malloc(wanted);
  }
  if (wanted > PAYLOAD_MOST) {
    errno = ENOMEM;
    return NULL;
  }
  struct block *block = block_of(pointer);
  uint32_t size = rounded(wanted);
  uint32_t old = payload_size(block);
  struct block *next = behind(block);
  if (size > old && (next->header & IS_FREE) && old + HEADER + payload_size(next) >= size) {
    take_out(next);
    set_size(block, old + HEADER + payload_size(next));
  }
  if (size <= payload_size(block)) {
    trim(block, size);
    return pointer;
  }
  void *moved = malloc(wanted);
  if (moved != NULL) {
    memcpy(moved, pointer, old);
    free(pointer);
  }
  return moved;
}

size_t malloc_usable_size(void *pointer);
size_t malloc_usable_size(void *pointer) {
  return pointer == NULL ? 0 : payload_size(block_of(pointer));
}
