// In which order a chain's tiles are walked, and what becomes of its reductions.

#include <algorithm>
#include <functional>
#include <memory>

#include "chain_walk.h"
#include "../losses.h"
#include "../threads.h"

namespace luge::cpu {

/// Chunks that a segment takes in one go.
constexpr std::int64_t kChunksTogether = 16;

static_assert(kSumChunk == kLossChunk && kSumChunk % kTile == 0);

void ChainLoop::run(std::int64_t steps, const std::function<void()>& each) {
  for (std::int64_t done = 0; done < steps; done += kMostSteps) run_block(std::min(kMostSteps, steps - done), each);
}

/// Elements that take many steps while all that is stored of them is in the first-level cache.
std::int64_t ChainLoop::elements_together() const {
  const auto windows = static_cast<std::int64_t>(chain_.loads.size());
  return std::max(kTile, 4 * kTile / std::max<std::int64_t>(windows, 1) / kSumRun * kSumRun);
}

void ChainLoop::prepare(std::int64_t steps) {
  for (Job& job : jobs_)
    if (job.segment) job.segment->prepare(steps);
}

void ChainLoop::run_block(std::int64_t steps, const std::function<void()>& each) {
  prepare(steps);
  if (row_ == 0)
    run_flat(steps);
  else if (row_ <= kTile && chain_.recordings.empty() && !each)
    run_rows(steps);
  else
    run_chunks(steps, each);
  if (row_ == 0 && each)
    for (std::int64_t step = 0; step < steps; ++step) each();
  for (const Chain::UpdatePart& part : chain_.updates)
    if (part.counts_step) *part.call.steps += steps;
}

/// Steps whose sums nobody sees.
std::int64_t ChainLoop::unseen_steps(std::int64_t steps, const std::function<void()>& each) const {
  return carries_ && chain_.recordings.empty() && !each ? steps - 1 : 0;
}

/// The steps of a tile: one(step) is the last one, where nothing that the others compute is seen, or each.
template <class One>
void ChainLoop::take_steps(Walk& walk, std::int64_t unseen, std::int64_t steps, std::int64_t position, std::int64_t n,
                           const One& one) {
  if (unseen > 0) walk.carry(0, unseen, position, n);
  for (std::int64_t step = unseen; step < steps; ++step) one(step);
}

void ChainLoop::run_flat(std::int64_t steps) {
  // Nothing lies in tiles where one segment is all there is: it takes whole ranges, or what a cache holds.
  const bool free = slots_ == 0 && constants_.empty() && !updates_;
  parallel_for(
      count_, static_cast<std::int64_t>(chain_.links.size()) * steps,
      [&](std::int64_t begin, std::int64_t end) {
        const std::int64_t part = free && steps == 1 ? end - begin : free ? elements_together() : kTile;
        Walk walk(*this, std::min(part, end - begin), steps);
        for (std::int64_t p = begin; p < end; p += part) {
          const std::int64_t n = std::min(part, end - p);
          take_steps(walk, unseen_steps(steps, {}), steps, p, n, [&](std::int64_t step) { walk.tile(step, p, n); });
        }
      },
      kTile);
}

/// Whole rows in a tile.
void ChainLoop::run_rows(std::int64_t steps) {
  const std::int64_t rows = count_ / row_, together = row_pointers_.empty() ? kTile / row_ : kRowsTogether;
  parallel_for(
      rows, row_ * static_cast<std::int64_t>(chain_.links.size()) * steps,
      [&](std::int64_t begin, std::int64_t end) {
        Walk walk(*this, std::min(together, end - begin) * row_, steps);
        for (std::int64_t r = begin; r < end; r += together) {
          const std::int64_t n = std::min(together, end - r);
          for (std::int64_t step = 0; step < steps; ++step) walk.rows(step, r, n);
        }
      },
      together);
}

/// Rows in chunks, as single reductions cut them.
void ChainLoop::run_chunks(std::int64_t steps, const std::function<void()>& each) {
  const auto& sums = chain_.reductions;
  const auto& recordings = chain_.recordings;
  const std::int64_t rows = count_ / row_, chunks = (row_ + kSumChunk - 1) / kSumChunk;
  const auto each_sum = static_cast<std::int64_t>(sums.size()), each_loss = static_cast<std::int64_t>(recordings.size());
  const std::int64_t unseen = unseen_steps(steps, each), seen = steps - unseen;
  // By chunk, step that is seen, and sum.
  Scratch<double> totals(rows * chunks * seen * each_sum);
  Scratch<math::Summary> losses(rows * chunks * seen * each_loss);
  const auto sums_at = [&](std::int64_t chunk, std::int64_t at) { return &totals[(chunk * seen + at) * each_sum]; };
  const auto losses_at = [&](std::int64_t chunk, std::int64_t at) { return &losses[(chunk * seen + at) * each_loss]; };
  // A segment that does all takes many chunks in one go; where steps are repeated, as much as a cache holds.
  const std::int64_t most = !sums_ ? kTile : steps == 1 ? kSumChunk : elements_together();
  const std::int64_t work = std::min(row_, kSumChunk) * static_cast<std::int64_t>(chain_.links.size()) * steps;
  parallel_for(rows * chunks, work, [&](std::int64_t begin, std::int64_t end) {
    Walk walk(*this, std::min(kTile, row_), steps);
    const std::int64_t chunk_sum_count = std::max(seen, kChunksTogether) * each_sum, chunk_loss_count = seen * each_loss;
    Scratch<ChunkSum> chunk_sums(chunk_sum_count);
    Scratch<LossChunk> chunk_losses(chunk_loss_count);
    for (std::int64_t c = begin, together; c < end; c += together) {
      const std::int64_t first = c % chunks * kSumChunk, n = std::min(kSumChunk, row_ - first),
                         position = c / chunks * row_ + first;
      together = sums_ && steps == 1 ? std::min({(row_ - first) / kSumChunk, end - c, kChunksTogether}) : 0;
      if (together > 0) {
        std::uninitialized_fill_n(chunk_sums.data(), together * each_sum, ChunkSum());
        walk.tile(0, position, together * kSumChunk, chunk_sums.data());
        for (std::int64_t i = 0; i < together * each_sum; ++i)
          sums_at(c, 0)[i] = chunk_sums[i].total();
        continue;
      }
      together = 1;
      std::uninitialized_fill_n(chunk_sums.data(), chunk_sum_count, ChunkSum());
      std::uninitialized_fill_n(chunk_losses.data(), chunk_loss_count, LossChunk());
      for (std::int64_t done = 0; done < n; done += most) {
        const std::int64_t part = std::min(most, n - done);
        take_steps(walk, unseen, steps, position + done, part, [&](std::int64_t step) {
          if (carries_ && sums.empty() && step < steps - 1)
            walk.carry(step, 1, position + done, part);
          else
            walk.tile(step, position + done, part, chunk_sums.data() + (step - unseen) * each_sum);
          for (std::int64_t r = 0; r < each_loss; ++r) {
            const Chain::Recording& recording = recordings[static_cast<std::size_t>(r)];
            const DType dtype = walk.dtype(recording.value);
            keep_losses(recording.call, step, dtype, walk.value(recording.value), first + done, part);
            chunk_losses[(step - unseen) * each_loss + r].add(dtype, walk.value(recording.value), part);
          }
        });
      }
      for (std::int64_t i = 0; i < seen * each_sum; ++i)
        sums_at(c, 0)[i] = chunk_sums[i].total();
      for (std::int64_t i = 0; i < chunk_loss_count; ++i) losses_at(c, 0)[i] = chunk_losses[i].total();
    }
  });
  for (std::int64_t at = 0; at < seen; ++at) {
    for (std::int64_t s = 0; s < each_sum; ++s)
      for (std::int64_t row = 0; row < rows; ++row) {
        double total = sums_at(row * chunks, at)[s];
        for (std::int64_t c = 1; c < chunks; ++c) total += sums_at(row * chunks + c, at)[s];
        finish_row(sums[static_cast<std::size_t>(s)].call, row_, row, total);
      }
    for (std::int64_t r = 0; r < each_loss; ++r) {
      math::Summary all = losses_at(0, at)[r];
      for (std::int64_t c = 1; c < chunks; ++c) all = math::Summarize::merge(all, losses_at(c, at)[r]);
      record(recordings[static_cast<std::size_t>(r)].call, all);
    }
    if (each) each();
  }
}

}  // namespace luge::cpu
