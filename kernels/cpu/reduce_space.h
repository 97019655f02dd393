#pragma once

#include <luge/seam/call.h>

#include "strided.h"

namespace luge::cpu {

/// The extent of a call taken apart: outputs and, for each, a row.
struct ReduceSpace {
  Extent kept, row;
  StridesArray kept_in, kept_out, row_in;
  std::int64_t outputs = 1, length = 1;
};

/// Elements of a row that are summed together; a longer row is the sum of such chunks, in order.
inline constexpr std::int64_t kSumChunk = 8192;

/// Elements summed in the element type, before they go on in float64.
inline constexpr std::int64_t kSumRun = 256;

/// The sum of at most kSumChunk contiguous float32 or float64, as a sum along a row computes it.
double sum_chunk(DType dtype, const void* x, std::int64_t n);

/// Writes the sums or means of n rows of `length` elements of `dtype`, at most kSumRun, from row `first` on; each row's 16
/// lanes are `row_bytes` behind those of the one before.
void finish_rows(const Reduce& call, DType dtype, std::int64_t length, std::int64_t first, std::int64_t n,
                 const void* lanes, std::int64_t row_bytes);

/// A sum_chunk that comes in parts; every part but the last is a multiple of kSumRun.
class ChunkSum {
 public:
  static constexpr std::int64_t kSums = 8;

  void add(DType dtype, const void* x, std::int64_t n);
  /// For those who add multiples of kSumRun elements themselves.
  double* sums() { return sums_; }
  double total() const;

 private:
  alignas(64) double sums_[kSums] = {};
};

/// Sums, products and extremes of bool, int32 and int64 (reduce_integers.cpp).
void reduce_integers(const Reduce& call, const ReduceSpace& space);

}  // namespace luge::cpu
