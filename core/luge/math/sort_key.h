#pragma once
// The order of elements that are sorted, as unsigned numbers: once for all backends.

#include <cstdint>
#include <cstring>
#include <type_traits>

#include <luge/math/platform.h>

namespace luge::math {

/// As wide as the elements, and at least 32 bits.
template <class T>
using SortKey = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;

/// A number that is smaller for x than for y where x comes before y, and equal where neither does. NaN is the largest
/// element, 0.0 and -0.0 are equal, false comes before true. Floating numbers of one sign are ordered as their bits
/// are, negative ones the other way round (IEEE 754).
template <class T>
LUGE_FN SortKey<T> sort_key(T x, bool descending) {
  using Key = SortKey<T>;
  constexpr Key kSign = Key(1) << (8 * sizeof(Key) - 1);
  const Key last = ~Key(0);
  Key key;
  if constexpr (std::is_floating_point_v<T>) {
    const T number = x == T(0) ? T(0) : x;
    memcpy(&key, &number, sizeof key);
    key ^= (Key(0) - key / kSign) | kSign;  // all bits of negative ones, the sign of others
    key = x != x ? last : key;
  } else if constexpr (std::is_same_v<T, bool>) {
    key = x ? Key(1) : Key(0);
  } else {
    key = static_cast<Key>(x) ^ kSign;
  }
  return descending ? static_cast<Key>(~key) : key;
}

}  // namespace luge::math
