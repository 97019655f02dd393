#pragma once
// Neighbouring elements, moved together where their address allows it.

#include <cstdint>
#include <type_traits>

#include "device.h"

namespace luge::cuda {

/// How the elements of a contiguous operand are reached.
enum class Access : unsigned char {
  Constant,  ///< a number given with the launch
  Uniform,   ///< one element of memory, for all
  Single,    ///< element by element: the address does not allow 16-byte accesses
  Packed     ///< 16 bytes at a time
};

template <class T>
struct Source {
  const T* data = nullptr;
  T constant{};
  Access access = Access::Constant;
};

template <class T>
struct Sink {
  T* data = nullptr;  ///< null: nobody wants this output
  bool accumulate = false;
  Access access = Access::Single;
};

template <class T, int n>
struct alignas(sizeof(T) * n) Pack {
  T values[n];
};

/// Elements first ... first + count - 1 of a source, count <= n.
template <int n, class T>
__device__ inline Pack<T, n> load(const Source<T>& source, std::int64_t first, int count) {
  if (source.access == Access::Packed && count == n) return *reinterpret_cast<const Pack<T, n>*>(source.data + first);
  Pack<T, n> pack;
  if (source.access >= Access::Single) {
#pragma unroll
    for (int i = 0; i < n; ++i) pack.values[i] = i < count ? source.data[first + i] : T{};
  } else {
    const T value = source.access == Access::Uniform ? *source.data : source.constant;
#pragma unroll
    for (int i = 0; i < n; ++i) pack.values[i] = value;
  }
  return pack;
}

template <int n, class T>
__device__ inline void store(const Sink<T>& sink, std::int64_t first, int count, Pack<T, n> pack) {
  if constexpr (sizeof(T) >= 4) {  // sums are done in types of 4 and 8 bytes
    if (sink.accumulate) {
      const Pack<T, n> old = load<n>(Source<T>{sink.data, T{}, sink.access}, first, count);
#pragma unroll
      for (int i = 0; i < n; ++i) pack.values[i] = old.values[i] + pack.values[i];
    }
  }
  if (sink.access == Access::Packed && count == n) {
    *reinterpret_cast<Pack<T, n>*>(sink.data + first) = pack;
    return;
  }
#pragma unroll
  for (int i = 0; i < n; ++i)
    if (i < count) sink.data[first + i] = pack.values[i];
}

}  // namespace luge::cuda
