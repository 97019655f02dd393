#pragma once
// Where what is local to a segment lies while a block works on a set, and when its threads wait for one another.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <luge/seam/detail/plan.h>

#include "segment_parts.h"

namespace luge::cuda {

struct SegmentLayout {
  /// One life of a local: from the part that fills it to the last one that reads that.
  struct Home {
    std::byte* data;        ///< of set 0 in global memory
    std::int64_t bytes;
    std::size_t first, last;
    int offset = kNowhere;      ///< in shared memory
    std::byte* far = nullptr;   ///< where it does not fit: the local whose memory it takes, with the block's number for the set's
  };
  static constexpr int kNowhere = -1;

  std::vector<Home> homes;
  std::vector<bool> waits;   ///< by part: all threads of the block arrive before it begins
  int bytes = 0;             ///< of shared memory; what parts themselves need is at its beginning
  // Of a set, in global memory:
  double moved = 0;          ///< bytes that the parts move, but for locals
  double moved_locals = 0;   ///< bytes of locals
  std::int64_t local_bytes = 0;  ///< that those take, for each block

  /// Where the memory at `data`, of set 0, is while a part runs: in shared memory, in that of the block, or where it was.
  struct Place {
    std::optional<int> offset;
    std::byte* data;
    bool of_block;
  };
  Place place_of(std::size_t part, const void* data) const;
  std::optional<int> offset_of(std::size_t part, const void* data) const { return place_of(part, data).offset; }
};

/// As much in shared memory as `budget` bytes take. scratch[p]: bytes that part p needs for itself. None where those do
/// not fit.
std::optional<SegmentLayout> lay_out(const std::vector<SegmentPart>& parts,
                                     const std::vector<SetSegment::Local>& locals, std::int64_t sets,
                                     const std::vector<int>& scratch, std::int64_t budget);

}  // namespace luge::cuda
