#include "set_blocks.h"

#include <algorithm>
#include <deque>
#include <utility>

#include <luge/base/threads.h>

#include "chain_walk.h"
#include "../kernels.h"
#include "../matmul/fusion.h"
#include "../scratch.h"
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

void run_part(const SetPart& part) {
  const Call& call = std::get<Call>(part.work);
  if (part.fusion.is_some())
    run_fused(std::get<MatMul>(call), part.fusion);
  else
    std::visit([](const auto& kind) { cpu::run(kind); }, call);
}

}  // namespace

SetBlocks::SetBlocks(const SetSegment& segment)
    : sets_(segment.sets),
      together_(std::clamp(kBlockBytes / std::max<std::int64_t>(segment.set_bytes, 1), std::int64_t{1}, segment.sets)) {
  for (SetPart& what : fused_parts(segment.parts, segment.locals, sets_)) {
    Part& part = parts_.emplace_back();
    part.what = std::move(what);
    if (const Chain* const chain = part.chain()) {
      part.per_set = chain->extent.count() / sets_;
      part.loop.emplace(*chain, false);
      work_ += part.per_set * static_cast<std::int64_t>(chain->links.size() + 1);
    } else {
      work_ += work_of(std::get<Call>(part.what.work)) / sets_;
    }
  }
  find_locals(segment);
}

/// Chains keep the addresses that they were made with, so what one touches stays where it is.
void SetBlocks::find_locals(const SetSegment& segment) {
  for (const SetSegment::Local& local : segment.locals) {
    const std::int64_t all = local.set_bytes * sets_;
    bool is_touched = false;
    for (Part& part : parts_) {
      if (!part.chain()) continue;
      for_each_effect(std::get<Chain>(part.what.work), [&](const Effect& effect) {
        const std::byte* const data = static_cast<const std::byte*>(*effect.data);
        is_touched |= data + effect.low < local.data + all && local.data < data + effect.high;
      });
    }
    if (is_touched) continue;
    locals_.push_back({local.data, local.set_bytes, all, local_bytes_});
    // A line more: buffers at multiples of 4096 bytes would wait for one another's stores.
    local_bytes_ += (local.set_bytes * together_ + 63) / 64 * 64 + 64;
  }
}

/// A call for some sets, with what is local in working memory.
SetPart SetBlocks::part_for(const Part& part, std::int64_t begin, std::int64_t end, std::byte* working) const {
  SetPart some{part_of(std::get<Call>(part.what.work), sets_, begin, end), part.what.fusion};
  for (Operand* const operand : {&some.fusion.before, &some.fusion.y})
    if (operand->is_memory())
      operand->data = static_cast<std::byte*>(operand->data) + bytes_of(operand->dtype, begin * operand->strides[0]);
  if (locals_.empty()) return some;
  for_each_effect(some, [&](const Effect& effect) {
    auto* const data = static_cast<std::byte*>(*effect.data);
    for (const Local& local : locals_)
      if (data >= local.data && data < local.data + local.all_bytes) {
        *effect.data = working + local.offset + (data - local.data - begin * local.set_bytes);
        return;
      }
  });
  return some;
}

/// For the sets of a whole block, behind which there is another.
void SetBlocks::make_ready(Ready& ready, const Part& part, std::int64_t begin, std::byte* working) const {
  ready.part = part_for(part, begin, begin + together_, working);
  SetPart next = part_for(part, begin + together_, begin + 2 * together_, working);
  std::vector<const std::byte*> to;
  for_each_effect(next, [&](const Effect& effect) { to.push_back(static_cast<const std::byte*>(*effect.data)); });
  auto then = to.begin();
  for_each_effect(ready.part, [&](const Effect& effect) {
    const std::int64_t bytes = *then++ - static_cast<const std::byte*>(*effect.data);
    const auto is_known = [&](const Ready::Address& address) { return address.place == effect.data; };
    if (bytes != 0 && std::none_of(ready.moving.begin(), ready.moving.end(), is_known))
      ready.moving.push_back({effect.data, bytes});
  });
}

bool SetBlocks::suits_threads() const { return num_threads() == 1 || sets_ >= kSetsPerThread * num_threads(); }

void SetBlocks::run() {
  for (Part& part : parts_)
    if (part.loop) part.loop->prepare(1);
  parallel_for(sets_, std::max<std::int64_t>(work_, 1),
               [this](std::int64_t begin, std::int64_t end) { run_sets(begin, end); });
  for (const Part& part : parts_) {
    const Chain* const chain = part.chain();
    if (!chain) continue;
    for (const Chain::UpdatePart& update : chain->updates)
      if (update.counts_step) ++*update.call.steps;
  }
}

void SetBlocks::run_sets(std::int64_t begin, std::int64_t end) {
  Scratch<std::byte> working(local_bytes_);
  std::deque<ChainLoop::Walk> walks;  // which stay where they are
  std::deque<Ready> calls;
  const std::int64_t whole = begin + (end - begin) / together_ * together_;
  for (const Part& part : parts_)
    if (part.loop)
      walks.emplace_back(*part.loop, kTile, 1);
    else if (whole - begin > together_)
      make_ready(calls.emplace_back(), part, begin, working.data());
  for (std::int64_t first = begin; first < end; first += together_) {
    const std::int64_t last = std::min(first + together_, end);
    auto walk = walks.begin();
    auto ready = calls.begin();
    for (const Part& part : parts_) {
      if (part.loop) {
        (walk++)->part(0, first * part.per_set, last * part.per_set);
      } else if (last <= whole && !calls.empty()) {
        run_part(ready->part);
        for (const auto& [place, bytes] : (ready++)->moving) *place = static_cast<std::byte*>(*place) + bytes;
      } else {
        run_part(part_for(part, first, last, working.data()));
      }
    }
  }
}

}  // namespace luge::cpu
