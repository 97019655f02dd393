#pragma once
// From a position in a row-major iteration space to the offset of each operand.

#include <cstdint>

#include "device.h"

namespace luge::cuda {

/// The most dimensions that a space has.
inline constexpr int kWalkDims = 8;

/// Division by a number known at launch, for dividends below 2^31: a multiplication and a shift
/// (Granlund and Montgomery, "Division by invariant integers using multiplication", PLDI 1994).
class Divider {
 public:
  Divider() = default;
  /// 0 < divisor < 2^31
  explicit Divider(unsigned divisor) {
    while (shift_ < 32 && (std::uint64_t{1} << shift_) < divisor) ++shift_;
    magic_ = static_cast<unsigned>((std::uint64_t{1} << 32) * ((std::uint64_t{1} << shift_) - divisor) / divisor + 1);
  }

  __device__ unsigned quotient(unsigned dividend) const {
#if defined(__CUDA_ARCH__)
    const unsigned high = __umulhi(dividend, magic_);
#else
    const auto high = static_cast<unsigned>((static_cast<unsigned long long>(dividend) * magic_) >> 32);
#endif
    return (high + dividend) >> shift_;
  }

 private:
  unsigned magic_ = 1;
  unsigned shift_ = 0;
};

/// a / b for non-negative numbers; most of them are short, and a 64-bit division costs many times more.
__device__ inline std::int64_t quick_quotient(std::int64_t a, std::int64_t b) {
  if (((a | b) >> 32) == 0) return static_cast<unsigned>(a) / static_cast<unsigned>(b);
  return a / b;
}

/// `operands` windows over the same sizes. Index arithmetic is in 32 bits where everything fits.
template <int operands>
struct Walk {
  using Position = std::int64_t;
  using Index = std::int64_t;
  std::int64_t count = 1;
  int ndim = 1;
  bool narrow = true;
  Divider divide[kWalkDims];
  std::int64_t sizes[kWalkDims];
  std::int64_t strides[operands][kWalkDims];

  __device__ void offsets(std::int64_t position, std::int64_t (&result)[operands]) const {
    if (narrow) {
      auto rest = static_cast<unsigned>(position);
      int sum[operands] = {};
      for (int d = ndim - 1; d > 0; --d) {
        const unsigned next = divide[d].quotient(rest);
        const auto index = static_cast<int>(rest - next * static_cast<unsigned>(sizes[d]));
#pragma unroll
        for (int o = 0; o < operands; ++o) sum[o] += index * static_cast<int>(strides[o][d]);
        rest = next;
      }
#pragma unroll
      for (int o = 0; o < operands; ++o) result[o] = sum[o] + static_cast<int>(rest) * static_cast<int>(strides[o][0]);
    } else {
      std::int64_t rest = position;
#pragma unroll
      for (int o = 0; o < operands; ++o) result[o] = 0;
      for (int d = ndim - 1; d > 0; --d) {
        const std::int64_t next = rest / sizes[d];
        const std::int64_t index = rest - next * sizes[d];
#pragma unroll
        for (int o = 0; o < operands; ++o) result[o] += index * strides[o][d];
        rest = next;
      }
#pragma unroll
      for (int o = 0; o < operands; ++o) result[o] += rest * strides[o][0];
    }
  }

  /// The offset where there is one operand.
  __device__ std::int64_t offset(std::int64_t position) const {
    static_assert(operands == 1);
    std::int64_t result[1];
    offsets(position, result);
    return result[0];
  }
};

/// The same for at most three dimensions, the last one first, and for what fits into 32 bits: two multiplications to
/// divide, and one for each operand and dimension.
template <int operands>
struct ShortWalk {
  using Position = unsigned;
  using Index = int;
  static constexpr int kDims = 3;

  unsigned count = 1;
  Divider divide[kDims - 1];
  unsigned sizes[kDims - 1] = {1, 1};
  int strides[operands][kDims] = {};

  __device__ void offsets(unsigned position, int (&result)[operands]) const {
    const unsigned row = divide[0].quotient(position), plane = divide[1].quotient(row);
    const auto last = static_cast<int>(position - row * sizes[0]), middle = static_cast<int>(row - plane * sizes[1]);
#pragma unroll
    for (int o = 0; o < operands; ++o)
      result[o] = last * strides[o][0] + middle * strides[o][1] + static_cast<int>(plane) * strides[o][2];
  }
};

}  // namespace luge::cuda
