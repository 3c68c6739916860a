#include "numbers.h"

/* This file falls back on what the others no longer see. */
#undef strtod
#undef snprintf

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef unsigned __int128 uint128;

enum { GENERAL_DIGITS = 14, LEAST_GENERAL_EXPONENT = -4, FRACTION_MOST = 9, TEXT_MOST = 48 };
enum { MANTISSA_BITS = 52, EXPONENT_BIAS = 1075, EXPONENT_FIELD = 0x7ff, SHIFT_MOST = 120 };
enum { EXACT_POWER_MOST = 22, DIGITS_MOST = 19, EXPONENT_MOST = 9999 };

/* Each is a double without rounding. */
static const double exact_powers[EXACT_POWER_MOST + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

static bool is_digit(char character) { return character >= '0' && character <= '9'; }

static uint64_t power_of_ten(uint32_t exponent) {
  uint64_t power = 1;
  while (exponent-- > 0) {
    power *= 10;
  }
  return power;
}

/* A mantissa below 2^53 and a power of ten up to 10^22 are exact, so that one multiplication or
 * division rounds once, and rightly (Clinger 1990). False for all other text. */
static bool read_simple(const char *text, const char **end, double *value) {
  bool negative = *text == '-';
  text += negative || *text == '+';
  uint64_t mantissa = 0;
  int digits = 0;
  int exponent = 0;
  if (!is_digit(*text) || (*text == '0' && (text[1] | 0x20) == 'x')) {
    return false;
  }
  for (; is_digit(*text); text++) {
    mantissa = mantissa * 10 + (uint64_t)(*text - '0');
    if (++digits > DIGITS_MOST) {
      return false;
    }
  }
  if (*text == '.') {
    for (text++; is_digit(*text); text++) {
      mantissa = mantissa * 10 + (uint64_t)(*text - '0');
      exponent--;
      if (++digits > DIGITS_MOST) {
        return false;
      }
    }
  }
  if ((*text | 0x20) == 'e') {
    const char *at = text + 1;
    bool down = *at == '-';
    at += down || *at == '+';
    int written = 0;
    if (!is_digit(*at)) {
      return false;
    }
    for (; is_digit(*at); at++) {
      written = written * 10 + (*at - '0');
      if (written > EXPONENT_MOST) {
        return false;
      }
    }
    exponent += down ? -written : written;
    text = at;
  }
  if (mantissa >> (MANTISSA_BITS + 1) != 0 || exponent > EXACT_POWER_MOST ||
      exponent < -EXACT_POWER_MOST) {
    return false;
  }
  double number = (double)mantissa;
  number = exponent < 0 ? number / exact_powers[-exponent] : number * exact_powers[exponent];
  *value = negative ? -number : number;
  *end = text;
  return true;
}

double guest_strtod(const char *text, char **end) {
  const char *stop;
  double value;
  if (!read_simple(text, &stop, &value)) {
    return strtod(text, end);
  }
  if (end != NULL) {
    *end = (char *)(uintptr_t)stop;
  }
  return value;
}

/* |value| · 10^decimals, rounded to nearest, ties to even. False when it is out of range. */
static bool scaled(double value, uint32_t decimals, uint64_t *result) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  uint32_t field = (uint32_t)(bits >> MANTISSA_BITS) & EXPONENT_FIELD;
  if (field == 0 || field >= EXPONENT_BIAS || field < EXPONENT_BIAS - SHIFT_MOST) {
    return false; /* 0, tiny, at least 2^52, infinite or no number */
  }
  uint32_t shift = EXPONENT_BIAS - field;
  uint64_t mantissa = (bits & ((1ull << MANTISSA_BITS) - 1)) | 1ull << MANTISSA_BITS;
  uint128 product = (uint128)mantissa * power_of_ten(decimals);
  uint128 whole = product >> shift;
  uint128 rest = product - (whole << shift);
  uint128 half = (uint128)1 << (shift - 1);
  if (whole >> 63 != 0) {
    return false;
  }
  *result = (uint64_t)whole + (rest > half || (rest == half && (whole & 1)));
  return true;
}

struct text {
  char characters[TEXT_MOST];
  uint32_t begin; /* it grows to the front */
};

static void prepend(struct text *text, char character) {
  text->characters[--text->begin] = character;
}

static void prepend_digits(struct text *text, uint64_t number, uint32_t least) {
  uint32_t written = 0;
  while (number != 0 || written < least) {
    prepend(text, (char)('0' + number % 10));
    number /= 10;
    written++;
  }
}

/* A number of `decimals` digits behind the point, given without the point. */
static void prepend_decimal(struct text *text, uint64_t number, uint32_t decimals) {
  uint64_t power = power_of_ten(decimals);
  if (decimals > 0) {
    prepend_digits(text, number % power, decimals);
    prepend(text, '.');
  }
  prepend_digits(text, number / power, 1);
}

static bool write_fixed(struct text *text, double value, uint32_t decimals) {
  uint64_t number;
  if (!scaled(value, decimals, &number)) {
    return false;
  }
  prepend_decimal(text, number, decimals);
  return true;
}

/* As "%.14g" where that uses no exponent: 14 digits less trailing zeros. */
static bool write_general(struct text *text, double value) {
  double size = value < 0 ? -value : value;
  if (!(size < exact_powers[GENERAL_DIGITS])) {
    return false;
  }
  int exponent = -1;
  while (size >= exact_powers[exponent + 1]) {
    exponent++;
  }
  uint64_t number;
  const uint64_t one = power_of_ten(GENERAL_DIGITS - 1);
  for (;; exponent--) {
    if (exponent < LEAST_GENERAL_EXPONENT ||
        !scaled(size, (uint32_t)(GENERAL_DIGITS - 1 - exponent), &number)) {
      return false;
    }
    if (number >= one) {
      break;
    }
  }
  uint32_t decimals = (uint32_t)(GENERAL_DIGITS - 1 - exponent);
  if (exponent == GENERAL_DIGITS - 1 && number >= 10 * one) {
    return false; /* rounded up to 10^14, which is written with an exponent */
  }
  while (decimals > 0 && number % 10 == 0) {
    number /= 10;
    decimals--;
  }
  prepend_decimal(text, number, decimals);
  return true;
}

static bool write_number(struct text *text, double value, const char *format) {
  if (strcmp(format, "%.14g") == 0) {
    if (!write_general(text, value)) {
      return false;
    }
  } else if (!write_fixed(text, value, (uint32_t)(format[2] - '0'))) {
    return false;
  }
  if (value < 0) {
    prepend(text, '-');
  }
  return true;
}

static void write_integer(struct text *text, long long value) {
  prepend_digits(text, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 1);
  if (value < 0) {
    prepend(text, '-');
  }
}

static bool is_quick_float(const char *format) {
  bool fixed = format[0] == '%' && format[1] == '.' && is_digit(format[2]) && format[3] == 'f' &&
               format[4] == '\0';
  return fixed || strcmp(format, "%.14g") == 0;
}

int guest_snprintf(char *buffer, size_t size, const char *format, ...) {
  struct text text = {.begin = TEXT_MOST};
  bool done = false;
  va_list arguments;
  va_start(arguments, format);
  if (strcmp(format, "%lld") == 0) {
    write_integer(&text, va_arg(arguments, long long));
    done = true;
  } else if (is_quick_float(format)) {
    done = write_number(&text, va_arg(arguments, double), format);
  }
  va_end(arguments);
  uint32_t length = TEXT_MOST - text.begin;
  if (done && length < size) {
    memcpy(buffer, text.characters + text.begin, length);
    buffer[length] = '\0';
    return (int)length;
  }
  va_start(arguments, format);
  int result = vsnprintf(buffer, size, format, arguments);
  va_end(arguments);
  return result;
}
