#pragma once
// What the 16-bit floating formats are, told apart from the library's conversions: numbers are scaled and rounded as
// whole numbers, in long double, which holds every float64 and int64.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include <luge/base/dtype.h>

namespace luge::test {

struct HalfFormat {
  int exponent_bits, fraction_bits;
  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
};

inline HalfFormat format_of(DType dtype) { return dtype == float16 ? HalfFormat{5, 10} : HalfFormat{8, 7}; }

inline long double half_value(std::uint16_t bits, HalfFormat format) {
  const int fraction = bits & ((1 << format.fraction_bits) - 1);
  const int exponent = (bits >> format.fraction_bits) & ((1 << format.exponent_bits) - 1);
  const long double sign = bits >> 15 ? -1 : 1;
  if (exponent == (1 << format.exponent_bits) - 1)
    return fraction ? std::numeric_limits<long double>::quiet_NaN()
                    : sign * std::numeric_limits<long double>::infinity();
  const int whole = exponent == 0 ? fraction : fraction + (1 << format.fraction_bits);
  return sign * std::ldexp(static_cast<long double>(whole),
                           (exponent == 0 ? 1 : exponent) - format.bias() - format.fraction_bits);
}

/// The nearest half of a number that is not NaN; of two, the one whose last bit is 0.
inline std::uint16_t half_bits(long double x, HalfFormat format) {
  const auto sign = static_cast<unsigned>(std::signbit(x) ? 0x8000 : 0);
  const int infinity = ((1 << format.exponent_bits) - 1) << format.fraction_bits;
  x = std::abs(x);
  int exponent = -100000;
  if (x != 0 && !std::isinf(x)) std::frexp(x, &exponent);  // x = 0.1... * 2^exponent
  const int least = 1 - format.bias() - format.fraction_bits;  // of a subnormal's last bit
  const int last = std::max(exponent - 1 - format.fraction_bits, least);
  // Counted in last places, numbers of one exponent and the next are neighbours: a carry is right by itself.
  const long double places = std::isinf(x) ? x : std::nearbyint(std::ldexp(x, -last));
  const long double bits = places + std::ldexp(static_cast<long double>(last - least), format.fraction_bits);
  const int size = bits >= infinity ? infinity : static_cast<int>(bits);
  return static_cast<std::uint16_t>(sign | static_cast<unsigned>(size));
}

inline bool is_half_nan(std::uint16_t bits, HalfFormat format) {
  return (bits & 0x7FFF) > ((1 << format.exponent_bits) - 1) << format.fraction_bits;
}

}  // namespace luge::test
