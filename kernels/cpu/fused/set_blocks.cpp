#include "set_blocks.h"

#include <algorithm>
#include <deque>

#include <luge/base/threads.h>

#include "chain_walk.h"
#include "../kernels.h"
#include "../threads.h"

namespace luge::cpu {

namespace {

/// What the sets of a block touch: a part of the second-level cache.
constexpr std::int64_t kBlockBytes = std::int64_t{3} << 17;
/// Sets for each thread, so that none waits long for the last one.
constexpr std::int64_t kSetsPerThread = 4;

/// Work of a call in elements, as the kernels count it.
std::int64_t work_of(const Call& call) {
  const Cost cost = cost_of(call);
  return static_cast<std::int64_t>(std::max(cost.flops / 16, cost.bytes / 8));
}

}  // namespace

SetBlocks::SetBlocks(const SetSegment& segment)
    : segment_(segment),
      together_(std::clamp(kBlockBytes / std::max<std::int64_t>(segment.set_bytes, 1), std::int64_t{1}, segment.sets)),
      parts_(segment.parts.size()) {
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    Part& part = parts_[i];
    part.call = std::get_if<Call>(&segment.parts[i]);
    part.chain = std::get_if<Chain>(&segment.parts[i]);
    if (part.chain) {
      part.per_set = part.chain->extent.count() / segment.sets;
      part.loop.emplace(*part.chain, false);
      work_ += part.per_set * static_cast<std::int64_t>(part.chain->links.size() + 1);
    } else {
      work_ += work_of(*part.call) / segment.sets;
    }
  }
}

bool SetBlocks::suits_threads() const { return num_threads() == 1 || segment_.sets >= kSetsPerThread * num_threads(); }

void SetBlocks::run() {
  for (Part& part : parts_)
    if (part.loop) part.loop->prepare(1);
  parallel_for(segment_.sets, std::max<std::int64_t>(work_, 1),
               [this](std::int64_t begin, std::int64_t end) { run_sets(begin, end); });
  for (const Part& part : parts_) {
    if (!part.chain) continue;
    for (const Chain::UpdatePart& update : part.chain->updates)
      if (update.counts_step) ++*update.call.steps;
  }
}

void SetBlocks::run_sets(std::int64_t begin, std::int64_t end) {
  std::deque<ChainLoop::Walk> walks;  // which stay where they are
  for (const Part& part : parts_)
    if (part.loop) walks.emplace_back(*part.loop, kTile, 1);
  for (std::int64_t first = begin; first < end; first += together_) {
    const std::int64_t last = std::min(first + together_, end);
    auto walk = walks.begin();
    for (const Part& part : parts_) {
      if (part.loop)
        (walk++)->part(0, first * part.per_set, last * part.per_set);
      else
        std::visit([](const auto& call) { cpu::run(call); }, part_of(*part.call, segment_.sets, first, last));
    }
  }
}

}  // namespace luge::cpu
