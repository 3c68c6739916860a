/* Compares guests/numbers.c with the C library, whose results are exact. Both live in wasm. */
#include <stdint.h>
#include <string.h>

#include "numbers.h"

#undef strtod
#undef snprintf

static uint64_t state;
static uint64_t next_random(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

/* Numbers as spells have them: short decimals, ratios, ties, neighbours of both, any bits. */
static double any_number(void) {
  uint64_t random = next_random();
  double value = (double)(int64_t)(random >> (random % 40 + 12));
  switch (next_random() % 6) {
    case 0: break;
    case 1: value /= (double)(1u << next_random() % 24); break;
    case 2: value /= (double)(next_random() % 1000 + 1); break;
    case 3:
      for (uint32_t tens = next_random() % 20; tens > 0; tens--) {
        value /= 10;
      }
      break;
    case 4: memcpy(&value, &random, sizeof value); break;
    default: value = (double)(next_random() % 100000) + 0.5; break;
  }
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  bits += next_random() % 8 == 0 ? next_random() % 5 - 2 : 0;
  bits ^= next_random() % 2 << 63;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static const char *const formats[] = {"%.14g", "%.0f", "%.1f", "%.2f", "%.3f", "%.6f", "%.9f"};

static int same_text(double value) {
  for (uint32_t i = 0; i < sizeof formats / sizeof *formats; i++) {
    char ours[512];
    char theirs[512];
    size_t room = next_random() % 16 == 0 ? next_random() % 24 : sizeof ours;
    int length = guest_snprintf(ours, room, formats[i], value);
    if (snprintf(theirs, room, formats[i], value) != length ||
        (room > 0 && strcmp(ours, theirs) != 0)) {
      return 0;
    }
  }
  return 1;
}

static int same_value(const char *text) {
  char *ours;
  char *theirs;
  double mine = guest_strtod(text, &ours);
  double right = strtod(text, &theirs);
  return ours == theirs && (memcmp(&mine, &right, sizeof mine) == 0 || mine != mine);
}

__attribute__((export_name("check_writing"))) int32_t check_writing(uint32_t seed, int32_t steps) {
  state = seed * 2654435761u | 1;
  for (int32_t step = 1; step <= steps; step++) {
    if (!same_text(any_number())) {
      return step;
    }
    char ours[32];
    char theirs[32];
    long long integer = (long long)(next_random() >> next_random() % 64);
    integer = next_random() % 2 ? integer : -integer;
    guest_snprintf(ours, sizeof ours, "%lld", integer);
    snprintf(theirs, sizeof theirs, "%lld", integer);
    if (strcmp(ours, theirs) != 0) {
      return -step;
    }
  }
  return 0;
}

/* Numerals, whole and mutilated. */
__attribute__((export_name("check_reading"))) int32_t check_reading(uint32_t seed, int32_t steps) {
  static const char *const shapes[] = {"%.15g", "%.17g", "%.6g", "%f", "%.3e", "%.20f", "%a", "%.0f"};
  static const char odd[] = " 0123456789.eE+-xXinf_p";
  state = seed * 2654435761u | 1;
  for (int32_t step = 1; step <= steps; step++) {
    char text[512] = {0};
    snprintf(text, sizeof text - 1, shapes[next_random() % 8], any_number());
    if (next_random() % 2) {
      text[next_random() % (strlen(text) + 1)] = odd[next_random() % (sizeof odd - 1)];
    }
    if (!same_value(text)) {
      return step;
    }
  }
  return 0;
}

/* The smallest and largest of what is handled quickly, and their neighbours. */
__attribute__((export_name("check_edges"))) int32_t check_edges(void) {
  static const char *const texts[] = {
      "0", "-0", "0.0", "-0.0", "1e22", "1e23", "1e-22", "1e-23", "9007199254740991",
      "9007199254740992", "9007199254740993", "18446744073709551616", "1.", ".5", "5.e3", "1e",
      "1e+", "1e9999", "1e99999999999", "0x10", "-0x1p3", "inf", "nan", "", "-", "+1", "--1",
      "99999999999999.5", "99999999999999", "100000000000000", "0.0001", "0.00009999999999999999",
      "0.09999999999999999", "0.99999999999999999", "0.999999999999995", "0.5", "1.5", "2.5",
      "0.125", "0.375", "4503599627370495.5", "4503599627370496", "1e308", "5e-324", "1e-5",
  };
  for (int32_t i = 0; i < (int32_t)(sizeof texts / sizeof *texts); i++) {
    if (!same_value(texts[i]) || !same_text(strtod(texts[i], NULL))) {
      return i + 1;
    }
  }
  return 0;
}
