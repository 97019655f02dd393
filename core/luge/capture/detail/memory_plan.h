#pragma once
// Internal: a place for everything that a step allocates, in one block.

#include <cstdint>
#include <vector>

#include <luge/capture/detail/recorder.h>
#include <luge/seam/detail/plan.h>

namespace luge {

/// Whether buffers that are not in use at the same time may lie in one place.
enum class Sharing : std::uint8_t { Shared, Apart };

/// The items from the first that uses a buffer to the last one.
struct Life {
  std::size_t first = 0, last = 0;
  bool used = false;
};

/// Of each buffer.
std::vector<Life> lives_of(std::vector<Plan::Item>& items, const std::vector<StepBuffer>& buffers);

/// Gives each buffer that does not outlive the step an offset in a block, such that buffers in use at the same
/// time do not overlap; buffers that no item touches get none. All that a segment's items use is in use at the same time,
/// because sets go through it apart; only buffers of equal size, which sets cut alike, may then follow one another in one
/// place. Returns the size of the block.
std::size_t plan_memory(std::vector<Plan::Item>& items, const std::vector<SetSegment>& segments,
                        const std::vector<StepBuffer>& buffers, Sharing sharing, std::vector<std::ptrdiff_t>& offsets);

/// Moves the items' pointers from the buffers' recorded addresses into the block.
void relocate(std::vector<Plan::Item>& items, const std::vector<StepBuffer>& buffers,
              const std::vector<std::ptrdiff_t>& offsets, void* block);

}  // namespace luge
