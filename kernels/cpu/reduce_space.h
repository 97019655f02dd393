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
inline constexpr std::int64_t kSumRun = 512;

/// The sum of at most kSumChunk contiguous float32 or float64, as a sum along a row computes it.
double sum_chunk(DType dtype, const void* x, std::int64_t n);

/// Bytes of the vectors in which sums are computed: they decide the order of a ChunkSum's lanes.
std::size_t sum_vector_bytes();

/// The same of a chunk that comes in parts; every part but the last is a multiple of kSumRun.
class ChunkSum {
 public:
  static constexpr std::int64_t kLanes = 16;

  void add(DType dtype, const void* x, std::int64_t n);
  /// For n elements, a multiple of kSumRun, that the caller adds to `lanes`.
  void add_from(const double* lanes, std::int64_t n) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) lanes_[lane] = lanes[lane];
    count_ += n;
  }
  const double* lanes() const { return lanes_; }
  double total(DType dtype) const;

 private:
  static constexpr std::int64_t kShort = 64;  ///< float32 that are summed in one go; half as many float64
  std::int64_t count_ = 0;
  double short_ = 0, lanes_[kLanes] = {};
};

/// Sums, products and extremes of bool, int32 and int64 (reduce_integers.cpp).
void reduce_integers(const Reduce& call, const ReduceSpace& space);

}  // namespace luge::cpu
