// In which order a chain's tiles are walked, and what becomes of its reductions.

#include <algorithm>

#include "chain_walk.h"
#include "../losses.h"
#include "../threads.h"

namespace luge::cpu {

static_assert(kSumChunk == kLossChunk && kSumChunk % kTile == 0);

void ChainLoop::run(std::int64_t steps) {
  for (std::int64_t done = 0; done < steps; done += kMostSteps) run_block(std::min(kMostSteps, steps - done));
}

void ChainLoop::prepare(std::int64_t steps) {
  for (Job& job : jobs_)
    if (job.segment) job.segment->prepare(steps);
}

void ChainLoop::run_block(std::int64_t steps) {
  prepare(steps);
  if (row_ == 0)
    run_flat(steps);
  else if (row_ <= kTile && chain_.recordings.empty())
    run_rows(steps);
  else
    run_chunks(steps);
  for (const Chain::UpdatePart& part : chain_.updates)
    if (part.counts_step) *part.call.steps += steps;
}

void ChainLoop::run_flat(std::int64_t steps) {
  // Nothing lies in tiles where one segment is all there is: it takes whole ranges.
  const bool whole = steps == 1 && slots_ == 0 && constants_.empty() && !updates_;
  parallel_for(
      count_, static_cast<std::int64_t>(chain_.links.size()) * steps,
      [&](std::int64_t begin, std::int64_t end) {
        const std::int64_t part = whole ? end - begin : kTile;
        Walk walk(*this, std::min(part, end - begin), steps);
        for (std::int64_t p = begin; p < end; p += part)
          for (std::int64_t step = 0; step < steps; ++step) walk.tile(step, p, std::min(part, end - p));
      },
      kTile);
}

/// Whole rows in a tile.
void ChainLoop::run_rows(std::int64_t steps) {
  const std::int64_t rows = count_ / row_, together = kTile / row_;
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
void ChainLoop::run_chunks(std::int64_t steps) {
  const auto& sums = chain_.reductions;
  const auto& recordings = chain_.recordings;
  const std::int64_t rows = count_ / row_, chunks = (row_ + kSumChunk - 1) / kSumChunk;
  const auto each_sum = static_cast<std::int64_t>(sums.size()), each_loss = static_cast<std::int64_t>(recordings.size());
  // By chunk, step and sum.
  Scratch<double> totals(rows * chunks * steps * each_sum);
  Scratch<math::Summary> losses(rows * chunks * steps * each_loss);
  const auto sums_at = [&](std::int64_t chunk, std::int64_t step) { return &totals[(chunk * steps + step) * each_sum]; };
  const auto losses_at = [&](std::int64_t chunk, std::int64_t step) { return &losses[(chunk * steps + step) * each_loss]; };
  // A segment that does all takes a chunk as a whole; where steps are repeated, as much as a cache holds.
  const std::int64_t most = !sums_ ? kTile : steps == 1 ? kSumChunk : 2 * kTile;
  const std::int64_t work = std::min(row_, kSumChunk) * static_cast<std::int64_t>(chain_.links.size()) * steps;
  parallel_for(rows * chunks, work, [&](std::int64_t begin, std::int64_t end) {
    Walk walk(*this, std::min(kTile, row_), steps);
    std::vector<ChunkSum> chunk_sums(static_cast<std::size_t>(steps * each_sum));
    std::vector<LossChunk> chunk_losses(static_cast<std::size_t>(steps * each_loss));
    for (std::int64_t c = begin; c < end; ++c) {
      const std::int64_t first = c % chunks * kSumChunk, n = std::min(kSumChunk, row_ - first),
                         position = c / chunks * row_ + first;
      std::fill(chunk_sums.begin(), chunk_sums.end(), ChunkSum());
      std::fill(chunk_losses.begin(), chunk_losses.end(), LossChunk());
      for (std::int64_t done = 0; done < n; done += most) {
        const std::int64_t part = std::min(most, n - done);
        for (std::int64_t step = 0; step < steps; ++step) {
          walk.tile(step, position + done, part, chunk_sums.data() + step * each_sum);
          for (std::int64_t r = 0; r < each_loss; ++r) {
            const Chain::Recording& recording = recordings[static_cast<std::size_t>(r)];
            const DType dtype = walk.dtype(recording.value);
            keep_losses(recording.call, step, dtype, walk.value(recording.value), first + done, part);
            chunk_losses[static_cast<std::size_t>(step * each_loss + r)].add(dtype, walk.value(recording.value), part);
          }
        }
      }
      for (std::size_t i = 0; i < chunk_sums.size(); ++i)
        sums_at(c, 0)[i] = chunk_sums[i].total(walk.dtype(sums[i % sums.size()].value));
      for (std::size_t i = 0; i < chunk_losses.size(); ++i) losses_at(c, 0)[i] = chunk_losses[i].total();
    }
  });
  for (std::int64_t step = 0; step < steps; ++step) {
    for (std::int64_t s = 0; s < each_sum; ++s)
      for (std::int64_t row = 0; row < rows; ++row) {
        double total = sums_at(row * chunks, step)[s];
        for (std::int64_t c = 1; c < chunks; ++c) total += sums_at(row * chunks + c, step)[s];
        finish_row(sums[static_cast<std::size_t>(s)].call, row_, row, total);
      }
    for (std::int64_t r = 0; r < each_loss; ++r) {
      math::Summary all = losses_at(0, step)[r];
      for (std::int64_t c = 1; c < chunks; ++c) all = math::Summarize::merge(all, losses_at(c, step)[r]);
      record(recordings[static_cast<std::size_t>(r)].call, all);
    }
  }
}

}  // namespace luge::cpu
