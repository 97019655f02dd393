#pragma once
// Bringing strided memory into contiguous tiles and back.

#include <array>
#include <cstddef>
#include <cstdint>

#include <luge/seam/call.h>

namespace luge::cpu {

using StridesArray = std::array<std::int64_t, kMaxDims>;

/// True where walking the extent in row-major order touches consecutive elements.
bool is_contiguous(const Extent& extent, const StridesArray& strides);

/// True where every element is the same one.
bool is_constant(const Extent& extent, const StridesArray& strides);

/// The offset, in elements, of the element at flat row-major position `position`.
inline std::int64_t offset_at(const Extent& extent, const StridesArray& strides, std::int64_t position) {
  std::int64_t offset = 0;
  for (int d = extent.ndim - 1; d > 0; --d) {
    const auto i = static_cast<std::size_t>(d);
    offset += position % extent.sizes[i] * strides[i];
    position /= extent.sizes[i];
  }
  return extent.ndim == 0 ? 0 : offset + position * strides[0];
}

/// tile[i] = data[offset of element begin + i] for n elements of `size` bytes, in row-major order.
void gather(void* tile, const void* data, std::size_t size, const Extent& extent, const StridesArray& strides,
            std::int64_t begin, std::int64_t n);

/// The way back: writes the tile's elements, or adds them (Accumulate: float32 and float64).
void scatter(const void* tile, void* data, DType dtype, Store store, const Extent& extent, const StridesArray& strides,
             std::int64_t begin, std::int64_t n);

/// to[i] += from[i] over contiguous float32 or float64.
void accumulate(void* to, const void* from, DType dtype, std::int64_t n);

/// Writes n copies of one element of `size` bytes.
void fill(void* to, const void* element, std::size_t size, std::int64_t n);

/// The element that an Immediate operand stands for, as it lies in memory.
void write_immediate(void* to, const Operand& operand);

/// Copies past the caches, for outputs that are far larger than they: no cache line is read before it
/// is written. finish_streams() orders these stores before anything that follows.
void stream(void* to, const void* from, std::size_t bytes);
void finish_streams();

/// True where an output of this size is better written past the caches.
bool worth_streaming(std::int64_t bytes);

}  // namespace luge::cpu
