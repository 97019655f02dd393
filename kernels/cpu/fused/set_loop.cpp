#include "set_loop.h"

#include <algorithm>
#include <cstring>
#include <deque>

#include "chain_walk.h"
#include "../kernels.h"
#include "../threads.h"

namespace luge::cpu {

namespace {

/// Elements of a chain that go through their steps together: some tiles, which the second-level cache holds.
constexpr std::int64_t kTogether = 8 * kTile;
/// Losses that are kept until the steps of a block are done.
constexpr std::int64_t kMostLossBytes = std::int64_t{1} << 26;

std::int64_t loss_bytes(const Record& call) { return bytes_of(call.losses.dtype, call.n); }

/// The chain, with a store of what it records in place of that.
Chain storing(const Chain& chain, void* losses) {
  Chain result = chain;
  result.recordings.clear();
  const auto& [value, call] = chain.recordings.front();
  Operand window = call.losses;
  window.kind = Operand::Kind::Memory;
  window.data = losses;
  std::int64_t next = 1;
  for (int d = chain.extent.ndim - 1; d >= 0; --d) {
    window.strides[static_cast<std::size_t>(d)] = next;
    next *= chain.extent.sizes[static_cast<std::size_t>(d)];
  }
  result.stores.push_back({value, window});
  return result;
}

}  // namespace

SetLoop::Losses::Losses(const Record& record, std::int64_t steps)
    : call(record), set_bytes(0), now(loss_bytes(record)), all(loss_bytes(record) * steps) {
  call.losses.kind = Operand::Kind::Memory;
  call.losses.strides[0] = 1;
}

SetLoop::SetLoop(const SetPlan& plan) : sets_(plan.sets), parts_(plan.chains.size()) {
  std::int64_t bytes = 1, most = 1;
  for (const Chain& chain : plan.chains) {
    most = std::max(most, chain.extent.count() / sets_);
    for (const Chain::Recording& recording : chain.recordings) bytes += loss_bytes(recording.call);
  }
  most_steps_ = std::clamp(kMostLossBytes / bytes, std::int64_t{1}, kMostSteps);
  together_ = std::max(kTogether / most, std::int64_t{1});
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    Part& part = parts_[i];
    part.chain = &plan.chains[i];
    part.per_set = part.chain->extent.count() / sets_;
    if (part.chain->recordings.empty()) {
      part.loop.emplace(*part.chain, false);
    } else {
      part.losses.emplace(part.chain->recordings.front().call, most_steps_);
      part.losses->set_bytes = bytes_of(part.losses->call.losses.dtype, part.per_set);
      part.loop.emplace(storing(*part.chain, part.losses->now.data()), false);
    }
  }
}

void SetLoop::run(std::int64_t steps) {
  for (std::int64_t done = 0; done < steps; done += most_steps_) run_block(std::min(most_steps_, steps - done));
}

void SetLoop::run_block(std::int64_t steps) {
  std::int64_t work = 0;
  for (Part& part : parts_) {
    part.loop->prepare(steps);
    work += part.per_set * static_cast<std::int64_t>(part.chain->links.size() + 1);
  }
  parallel_for(sets_, work * steps, [&](std::int64_t begin, std::int64_t end) { run_sets(begin, end, steps); });
  for (Part& part : parts_) {
    for (const Chain::UpdatePart& update : part.chain->updates)
      if (update.counts_step) *update.call.steps += steps;
    if (!part.losses) continue;
    for (std::int64_t step = 0; step < steps; ++step) {
      part.losses->call.losses.data = part.losses->all.data() + step * loss_bytes(part.losses->call);
      cpu::run(part.losses->call);
    }
  }
}

void SetLoop::run_sets(std::int64_t begin, std::int64_t end, std::int64_t steps) {
  std::deque<ChainLoop::Walk> walks;  // which stay where they are
  for (const Part& part : parts_) walks.emplace_back(*part.loop, kTile, steps);
  for (std::int64_t first = begin; first < end; first += together_) {
    const std::int64_t last = std::min(first + together_, end);
    for (std::int64_t step = 0; step < steps; ++step)
      for (std::size_t i = 0; i < parts_.size(); ++i) {
        Part& part = parts_[i];
        walks[i].part(step, first * part.per_set, last * part.per_set);
        if (!part.losses) continue;
        Losses& losses = *part.losses;
        const std::int64_t at = first * losses.set_bytes;
        std::memcpy(losses.all.data() + step * loss_bytes(losses.call) + at, losses.now.data() + at,
                    static_cast<std::size_t>((last - first) * losses.set_bytes));
      }
  }
}

}  // namespace luge::cpu
