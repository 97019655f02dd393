#pragma once
// The monitor's summary of losses that are handed in piece by piece.

#include <cstdint>

#include <luge/math/losses.h>
#include <luge/seam/call.h>

namespace luge::cpu {

/// Losses of one partial summary; chunks are merged in order, so threads do not show.
inline constexpr std::int64_t kLossChunk = 8192;

/// A chunk of losses, which may come in parts; every part but the last is a multiple of kLanes.
class LossChunk {
 public:
  void add(DType dtype, const void* losses, std::int64_t n);
  math::Summary total() const;

  static constexpr std::int64_t kLanes = 16;

 private:
  math::Summary all_ = math::Summarize::identity();  ///< without the sum, which is
  double sums_[kLanes] = {};                         ///< of the losses number i, i + kLanes, ...
};

/// Of at most kLossChunk losses.
math::Summary summarize(DType dtype, const void* losses, std::int64_t n);

/// Copies those of the losses [first, first + n) that the monitor keeps one by one, of the step that is recorded
/// when `ahead` others are.
void keep_losses(const Record& call, std::int64_t ahead, DType dtype, const void* losses, std::int64_t first,
                 std::int64_t n);

/// Ends the recording of a step whose losses are summarised in `all`.
void record(const Record& call, const math::Summary& all);

}  // namespace luge::cpu
