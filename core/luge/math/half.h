#pragma once
// The floating numbers of 16 bits, as they lie in memory, and the way to and from wider types. Every conversion rounds
// once, to the nearest number, of two equally near to the one whose last bit is 0 (IEEE 754). Pieces are chosen by
// value, not by branches, so that loops over them become vectors.

#include <cstdint>
#include <cstring>
#include <type_traits>

#include <luge/math/platform.h>

namespace luge::math {

/// IEEE 754's binary16: 5 bits of exponent, 10 of fraction; the largest is 65504.
struct Float16 {
  std::uint16_t bits = 0;
};

/// The upper half of a float: 8 bits of exponent, 7 of fraction.
struct BFloat16 {
  std::uint16_t bits = 0;
};

template <class T>
inline constexpr bool kIsHalf = std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>;

LUGE_FN std::uint32_t bits_of(float x) {
  std::uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}
LUGE_FN float float_of(std::uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/// Exactly the same number.
LUGE_FN float to_float(BFloat16 x) { return float_of(static_cast<std::uint32_t>(x.bits) << 16); }
LUGE_FN float to_float(Float16 x) {
  const std::uint32_t sign = (x.bits & 0x8000u) << 16, size = x.bits & 0x7FFFu;
  const std::uint32_t normal = (size << 13) + (112u << 23);  // from exponents that begin at -15 to ones at -127
  const std::uint32_t special = size << 13 | 0x7F800000u;    // infinity and NaN
  const std::uint32_t subnormal = bits_of(static_cast<float>(static_cast<int>(size)) * 0x1p-24f);
  return float_of(sign | (size >= 0x7C00u ? special : size < 0x0400u ? subnormal : normal));
}

/// The nearest half. NaN stays NaN, with the upper bits of its payload.
template <class Half>
LUGE_FN Half to_half(float x) {
  const std::uint32_t bits = bits_of(x), size = bits & 0x7FFFFFFFu;
  if constexpr (std::is_same_v<Half, BFloat16>) {
    // A carry goes on into the exponent, at the end to infinity.
    const std::uint32_t rounded = (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16, nan = bits >> 16 | 0x40u;
    return {static_cast<std::uint16_t>(size > 0x7F800000u ? nan : rounded)};
  } else {
    const std::uint32_t normal = ((size + 0xFFFu + (size >> 13 & 1u)) >> 13) - (112u << 10);
    // Neighbours of 1/2 are 2^-24 apart, as subnormal halves are: the addition rounds.
    const std::uint32_t subnormal = bits_of(float_of(size) + 0.5f) - bits_of(0.5f);
    const std::uint32_t nan = 0x7E00u | (size >> 13 & 0x3FFu);
    const std::uint32_t result = size > 0x7F800000u    ? nan
                                 : size >= 0x477FF000u ? 0x7C00u  // from 65520 on: infinity
                                 : size < 0x38800000u  ? subnormal
                                                       : normal;
    return {static_cast<std::uint16_t>((bits >> 16 & 0x8000u) | result)};
  }
}

/// By way of a float that is cut off towards zero and whose last bit says whether anything was: the second rounding
/// then goes where a single one would have gone.
template <class Half>
LUGE_FN Half to_half(double x) {
  const float near = static_cast<float>(x);
  const double back = static_cast<double>(near);
  const bool inexact = back < x || back > x;
  const bool away = x > 0 ? back > x : back < x;
  const std::uint32_t cut = bits_of(near) - (away ? 1u : 0u);
  return to_half<Half>(float_of(inexact ? cut | 1u : cut));
}

template <class Half>
LUGE_FN Half to_half(std::int64_t x) {
  // A double holds 53 bits; beyond, one bit stands for the last eleven, which decide ties only.
  constexpr std::int64_t kExact = std::int64_t{1} << 53, kLast = 0x7FF;
  const bool exact = -kExact <= x && x <= kExact;
  const std::int64_t cut = exact || (x & kLast) == 0 ? x : (x & ~kLast) | (kLast + 1);
  return to_half<Half>(static_cast<double>(cut));
}

}  // namespace luge::math
