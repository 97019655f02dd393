// The walk over a chain's tiles, and what becomes of its reductions.

#include "chain.h"

#include <algorithm>
#include <cstring>

#include "losses.h"
#include "reduce_space.h"
#include "scratch.h"
#include "strided.h"
#include "threads.h"
#include "update_loop.h"

namespace luge::cpu {

namespace {

/// Elements of a tile: a dozen tiles of float32 share the first-level cache.
constexpr std::int64_t kTile = 1024;
/// Steps done at once; there are sums for each of them.
constexpr std::int64_t kMostSteps = 128;
/// A tile's bytes, and a line more: tiles at multiples of 4096 bytes would wait for one another's stores.
constexpr std::int64_t kSlotBytes = kTile * 8 + 64;
static_assert(kSumChunk == kLossChunk && kSumChunk % kTile == 0);

std::int64_t bytes_of(DType dtype, std::int64_t count) { return count * static_cast<std::int64_t>(size_of(dtype)); }

/// The result of one row's sum goes where the call says.
void finish_row(const Reduce& call, std::int64_t length, std::int64_t row, double total) {
  Extent kept = call.extent;
  kept.ndim -= call.reduced;
  const std::int64_t at = offset_at(kept, call.out.strides, row);
  const double value = call.op == ReduceOp::Mean ? total / static_cast<double>(length) : total;
  const auto put = [&]<class T>(T* out) {
    out[at] = call.store == luge::Store::Accumulate ? static_cast<T>(out[at] + static_cast<T>(value)) : static_cast<T>(value);
  };
  call.out.dtype == DType::Float32 ? put(static_cast<float*>(call.out.data)) : put(static_cast<double*>(call.out.data));
}

}  // namespace

/// One thread's walk over a range of elements.
class ChainLoop::Walk {
 public:
  /// In tiles of at most `tile` elements, for `steps` steps.
  Walk(const ChainLoop& loop, std::int64_t tile, std::int64_t steps)
      : loop_(loop),
        memory_((static_cast<std::int64_t>(loop.constants_.size()) + loop.slots_) * kSlotBytes + pointer_bytes(loop)) {
    tiles_ = reinterpret_cast<std::byte**>(memory_.data());
    constants_ = tiles_ + loop.places_.size();
    std::byte* const slots = memory_.data() + pointer_bytes(loop);
    for (std::size_t v = 0; v < loop.places_.size(); ++v)
      tiles_[v] = loop.places_[v].slot >= 0 ? slots + loop.places_[v].slot * kSlotBytes : nullptr;
    for (std::size_t c = 0; c < loop.constants_.size(); ++c) {
      std::byte* const to = constants_[c] = slots + (loop.slots_ + static_cast<std::int64_t>(c)) * kSlotBytes;
      write_immediate(to, loop.constants_[c]);
      fill(to, to, size_of(loop.constants_[c].dtype), tile);
    }
    for (const Load& load : loop.loads_)
      if (load.access == Access::Constant && tiles_[static_cast<std::size_t>(load.value)])
        fill(tiles_[static_cast<std::size_t>(load.value)], load.window.data, size_of(load.window.dtype), tile);
    if (loop.updates_)
      for (std::int64_t step = 1; step <= steps; ++step)
        for (const Chain::UpdatePart& part : loop.chain_.updates)
          updates_.push_back(update_loop(part.call, *part.call.steps + step));
  }
  ~Walk() {
    if (loop_.streams_) finish_streams();
  }
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;

  /// Step number `step` (from 0) of the n elements from `position` on.
  void tile(std::int64_t step, std::int64_t position, std::int64_t n) {
    load(position, n);
    for (const Job& job : loop_.jobs_) run(job, step, position, n);
    for (const Store& store : loop_.stores_) {
      const std::byte* const from = tiles_[static_cast<std::size_t>(store.value)];
      const Operand& window = store.window;
      const auto bytes = static_cast<std::size_t>(bytes_of(window.dtype, n));
      std::byte* const to = static_cast<std::byte*>(window.data) + bytes_of(window.dtype, position);
      if (store.streams)
        stream(to, from, bytes);
      else if (store.contiguous)
        std::memcpy(to, from, bytes);
      else
        scatter(from, window.data, window.dtype, luge::Store::Overwrite, loop_.chain_.extent, window.strides, position, n);
    }
  }

  /// The same, and adds the chain's values that are summed to their sums.
  void tile(std::int64_t step, std::int64_t position, std::int64_t n, ChunkSum* sums) {
    const auto& reductions = loop_.chain_.reductions;
    if (loop_.sums_ && n >= kSumRun) {
      const std::int64_t whole = n / kSumRun * kSumRun;
      load(position, whole);
      sum(*loop_.jobs_[0].segment, step, position, whole, sums);
      position += whole;
      n -= whole;
    }
    if (n == 0) return;
    tile(step, position, n);
    for (std::size_t s = 0; s < reductions.size(); ++s) sums[s].add(dtype(reductions[s].value), value(reductions[s].value), n);
  }

  const std::byte* value(int v) const { return tiles_[static_cast<std::size_t>(v)]; }
  DType dtype(int v) const { return loop_.chain_.values[static_cast<std::size_t>(v)]; }

 private:
  /// Of the tables of tiles and constants, up to the next cache line.
  static std::int64_t pointer_bytes(const ChainLoop& loop) {
    const auto bytes = static_cast<std::int64_t>((loop.places_.size() + loop.constants_.size()) * sizeof(std::byte*));
    return (bytes + 63) / 64 * 64;
  }

  /// Where a job writes a value of the tile at `position`.
  std::byte* target(int v, std::int64_t position) {
    const auto value = static_cast<std::size_t>(v);
    const Place& place = loop_.places_[value];
    if (place.memory != nullptr) tiles_[value] = place.memory + bytes_of(dtype(v), position);
    return tiles_[value];
  }

  void load(std::int64_t position, std::int64_t n) {
    for (const Load& load : loop_.loads_) {
      const auto v = static_cast<std::size_t>(load.value);
      if (load.access == Access::Whole)
        tiles_[v] = loop_.places_[v].memory + bytes_of(load.window.dtype, position);
      else if (load.access == Access::Gather)
        gather(tiles_[v], load.window.data, size_of(load.window.dtype), loop_.chain_.extent, load.window.strides, position, n);
    }
  }

  void run(const Job& job, std::int64_t step, std::int64_t position, std::int64_t n) {
    if (job.segment) return run(*job.segment, step, position, n);
    const void* in[Elementwise::kMaxInputs];
    void* out[Elementwise::kMaxOutputs];
    for (std::size_t i = 0; i < job.in.size(); ++i) {
      const int v = job.in[i];
      in[i] = v == kNothing ? nullptr : v < 0 ? constants_[~v] : tiles_[v];
    }
    for (std::size_t i = 0; i < job.out.size(); ++i) out[i] = job.out[i] == kNothing ? nullptr : target(job.out[i], position);
    if (job.tile != nullptr) return job.tile(in, out, job.parameters.data(), static_cast<std::size_t>(n));
    // An update steps in place: where its results belong elsewhere, what it goes on from is brought there.
    const std::size_t from[] = {0, 2, 3};
    for (std::size_t i = 0; i < 3; ++i)
      if (out[i] != nullptr && out[i] != in[from[i]])
        std::memcpy(out[i], in[from[i]], static_cast<std::size_t>(bytes_of(dtype(job.out[i]), n)));
    const auto update = static_cast<std::size_t>(step) * loop_.chain_.updates.size() + static_cast<std::size_t>(job.update);
    updates_[update]->run(job.per_set, position, n, out[0], in[1], out[1], out[2]);
  }

  void run(const Segment& segment, std::int64_t step, std::int64_t position, std::int64_t n) {
    void* pointers[kMostPointers];
    point(segment, segment.outputs(), position, pointers);
    segment.run(step, pointers, static_cast<std::size_t>(n));
  }

  void sum(const Segment& segment, std::int64_t step, std::int64_t position, std::int64_t n, ChunkSum* sums) {
    void* pointers[kMostPointers];
    alignas(64) double lanes[kMostPointers][ChunkSum::kLanes];
    const std::size_t count = loop_.chain_.reductions.size();
    for (std::size_t s = 0; s < count; ++s) std::copy_n(sums[s].lanes(), ChunkSum::kLanes, lanes[s]);
    pointers[point(segment, segment.stored(), position, pointers)] = lanes;
    segment.run_summing(step, pointers, static_cast<std::size_t>(n));
    for (std::size_t s = 0; s < count; ++s) sums[s].add_from(lanes[s], n);
  }

  /// Pointers to a segment's inputs and to `outputs`; returns how many.
  std::size_t point(const Segment& segment, const std::vector<int>& outputs, std::int64_t position, void** pointers) {
    std::size_t count = 0;
    for (const Segment::Input& input : segment.inputs())
      pointers[count++] = input.value >= 0
                              ? tiles_[input.value]
                              : const_cast<std::byte*>(input.memory) + bytes_of(dtype(segment.outputs()[0]), position);
    for (const int out : outputs) pointers[count++] = target(out, position);
    return count;
  }
  static constexpr int kMostPointers = 16;

  const ChainLoop& loop_;
  Scratch<std::byte> memory_;
  std::byte** tiles_;  ///< by value
  std::byte** constants_;
  std::vector<std::unique_ptr<UpdateLoop>> updates_;  ///< of the first step, the second, ...
};

void ChainLoop::run(std::int64_t steps) {
  for (std::int64_t done = 0; done < steps; done += kMostSteps) run_block(std::min(kMostSteps, steps - done));
}

void ChainLoop::run_block(std::int64_t steps) {
  for (Job& job : jobs_)
    if (job.segment) job.segment->prepare(steps);
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
          for (std::int64_t step = 0; step < steps; ++step) {
            walk.tile(step, r * row_, n * row_);
            for (const Chain::Reduction& sum : chain_.reductions) {
              const DType dtype = walk.dtype(sum.value);
              for (std::int64_t i = 0; i < n; ++i)
                finish_row(sum.call, row_, r + i, sum_chunk(dtype, walk.value(sum.value) + bytes_of(dtype, i * row_), row_));
            }
          }
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
  Scratch<LossPartial> losses(rows * chunks * steps * each_loss);
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
      LossPartial all = losses_at(0, step)[r];
      for (std::int64_t c = 1; c < chunks; ++c) all.add(losses_at(c, step)[r]);
      record(recordings[static_cast<std::size_t>(r)].call, all);
    }
  }
}

}  // namespace luge::cpu
