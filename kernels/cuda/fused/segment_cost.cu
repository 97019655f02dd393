#include "segment_cost.h"

#include <algorithm>

namespace luge::cuda {

namespace {

/// Of a multiprocessor of an H200: 4.3 TB/s of a copy over 132 of them at 1.98 GHz.
constexpr double kBytesPerCycle = 16.4;
/// The same of what the second-level cache holds, as much as it may be.
constexpr double kCachedPerCycle = 21;
constexpr double kCache = 40e6;
/// From one kernel of a graph to the next, with the ramp at both ends: 2 us. An estimate, too.
constexpr double kLaunch = 4000;
/// Until what comes from global memory is there, or from shared memory.
constexpr double kFar = 800, kNear = 60;
/// Instructions that a multiprocessor starts in a cycle, by threads.
constexpr double kWidth = 128;
/// In what share of the cycles there is something to start: the two warps that a scheduler has of one block wait at the same
/// time more often than four do. Estimates, not measured.
double efficiency(int blocks) { return blocks == 1 ? 0.75 : 0.85; }

/// Of a part and one set.
struct PartCost {
  double busy = 0;   ///< cycles in which instructions start
  double waits = 0;  ///< for the first data
  double bytes = 0;  ///< of global memory, where all operands are there
};

double touched(const SegmentPart& part) {
  double bytes = 0;
  for_each_touch(part, [&](const SegmentTouch& touch) {
    Operand window = *touch.window;
    Extent extent = touch.extent;
    extent.sizes[0] = 1;
    bytes += static_cast<double>(window_effect(window, extent, touch.reads, touch.writes).bytes) *
             (touch.reads && touch.writes ? 2 : 1);
  });
  return bytes;
}

double busy(const MatMul&, const ProductTile& tile) { return tile.cycles; }
/// A conversion to float64 takes eight times as long as an addition.
double busy(const Reduce& call, const ProductTile&) { return static_cast<double>(per_set(call.extent)) / 16; }
double busy(const Chain& chain, const ProductTile&) {
  const double moves = static_cast<double>(chain.loads.size() + chain.stores.size());
  const double formulas = static_cast<double>(chain.links.size() + 10 * chain.updates.size());
  const double sums = static_cast<double>(chain.reductions.size());
  return static_cast<double>(per_set(chain.extent)) * ((2 * moves + 4 * formulas) / kWidth + sums / 16);
}

PartCost cost_of(const SegmentPart& part, const ProductTile& tile) {
  return {std::visit([&](const auto& kind) { return busy(kind, tile); }, part), kFar, touched(part)};
}

}  // namespace

double segment_cycles(const std::vector<SegmentPart>& parts, const std::vector<ProductTile>& tiles,
                      const SegmentLayout& layout, std::int64_t sets, int blocks, const SegmentMachine& machine) {
  double busy = 0, waits = 0;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const PartCost cost = cost_of(parts[p], tiles[p]);
    bool is_far = false;
    for_each_touch(parts[p], [&](const SegmentTouch& touch) {
      is_far |= touch.reads && !layout.offset_of(p, touch.window->data);
    });
    busy += cost.busy;
    if (layout.waits[p]) waits += is_far ? cost.waits : kNear;
  }
  const auto of_multiprocessor = static_cast<double>(divide_up(sets, machine.multiprocessors));
  busy /= efficiency(static_cast<int>(std::min<double>(blocks, of_multiprocessor)));
  const double turns = static_cast<double>(divide_up(sets, std::int64_t{machine.multiprocessors} * blocks));
  const bool is_cached = static_cast<double>(layout.local_bytes) * machine.multiprocessors * blocks <= kCache;
  const double traffic =
      layout.moved / kBytesPerCycle + layout.moved_locals / (is_cached ? kCachedPerCycle : kBytesPerCycle);
  // One block alone neither computes while it moves memory, nor the other way round.
  const double alone = busy + waits + (blocks == 1 ? traffic / 2 : 0);
  return kLaunch + std::max({of_multiprocessor * busy, turns * alone, of_multiprocessor * traffic});
}

double separate_cycles(const std::vector<SegmentPart>& parts, const std::vector<ProductTile>& tiles, std::int64_t sets,
                       std::size_t items, const SegmentMachine& machine) {
  const double of_multiprocessor = static_cast<double>(sets) / machine.multiprocessors;
  double cycles = kLaunch * static_cast<double>(items);
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const PartCost cost = cost_of(parts[p], tiles[p]);
    cycles += of_multiprocessor * std::max(cost.busy / efficiency(2), cost.bytes / kBytesPerCycle);
  }
  return cycles;
}

}  // namespace luge::cuda
