// Which parts of a segment are done, with which tiles, and how many blocks share a multiprocessor.

#include "segment_source.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "segment_cost.h"
#include "segment_text.h"

namespace luge::cuda {

namespace {

/// With more the kernel takes long to compile.
constexpr std::size_t kMostParts = 64;
constexpr int kMostBlocks = 3;

/// How many blocks a multiprocessor has, and what lies in the shared memory that each of them gets.
struct Choice {
  int blocks;
  SegmentLayout layout;
  double cycles;
};

std::optional<Choice> choose(const std::vector<SegmentPart>& parts, const std::vector<ProductTile>& tiles,
                             const SetSegment& segment, const SegmentMachine& machine) {
  const std::vector<int> scratch = scratch_of(parts, tiles);
  int most = kMostBlocks;
  for (std::size_t p = 0; p < parts.size(); ++p)
    if (std::holds_alternative<MatMul>(parts[p])) most = std::min(most, tiles[p].blocks);
  std::optional<Choice> best;
  for (int blocks = 1; blocks <= most; ++blocks) {
    std::optional<SegmentLayout> layout = lay_out(parts, segment.locals, segment.sets, scratch, machine.budget(blocks));
    if (!layout) break;
    const double cycles = segment_cycles(parts, tiles, *layout, segment.sets, blocks, machine);
    if (!best || cycles < best->cycles) best = Choice{blocks, *std::move(layout), cycles};
  }
  if (best && best->cycles >= separate_cycles(parts, tiles, segment.sets, segment.last - segment.first, machine)) best.reset();
  return best;
}

}  // namespace

std::int64_t SegmentMachine::budget(int blocks) const {
  constexpr std::int64_t kStatic = 1024;  // numbers of optimizer steps
  return std::min(shared_of_block, shared_of_multiprocessor / blocks - reserved_by_block) - kStatic;
}

std::optional<SegmentKernel> generate(const SetSegment& segment, const SegmentMachine& machine, unsigned* finished) {
  const std::optional<std::vector<SegmentPart>> parts = parts_of(segment);
  if (!parts || parts->size() > kMostParts) return std::nullopt;
  std::vector<ProductTile> tiles(parts->size());
  bool multiplies = false;
  for (std::size_t p = 0; p < parts->size(); ++p)
    if (const auto* const product = std::get_if<MatMul>(&(*parts)[p])) {
      tiles[p] = choose_tile(*product);
      multiplies = true;
    }
  if (!multiplies) return std::nullopt;  // such a plan takes many steps at once (SetPlan)
  const std::optional<Choice> choice = choose(*parts, tiles, segment, machine);
  if (!choice) return std::nullopt;
  return segment_text(*parts, tiles, choice->layout, segment.sets, choice->blocks, finished);
}

}  // namespace luge::cuda
