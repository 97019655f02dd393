// A tile of a chain: its loads, its jobs, its stores, and the sums over its rows.

#include <luge/base/detail/dispatch.h>
#include <luge/math/reducers.h>

#include "chain_walk.h"

#include <algorithm>
#include <cstring>

#include "../strided.h"

namespace luge::cpu {

namespace {

/// A tile's bytes, and a line more: tiles at multiples of 4096 bytes would wait for one another's stores.
constexpr std::int64_t kSlotBytes = kTile * 8 + 64;
constexpr int kMostPointers = 16;

}  // namespace

void finish_row(const Reduce& call, std::int64_t length, std::int64_t row, double total) {
  Extent kept = call.extent;
  kept.ndim -= call.reduced;
  const std::int64_t at = offset_at(kept, call.out.strides, row);
  with_floating(call.out.dtype, [&]<class T>() {
    T& out = static_cast<T*>(call.out.data)[at];
    const T own = call.op == ReduceOp::Mean ? math::scalar::Sum<T, true>::finish(total, length)
                                            : math::scalar::Sum<T, false>::finish(total, length);
    out = call.store == luge::Store::Accumulate ? static_cast<T>(out + own) : own;
  });
}

ChainLoop::Walk::Walk(const ChainLoop& loop, std::int64_t tile, std::int64_t steps)
    : loop_(loop),
      memory_((static_cast<std::int64_t>(loop.constants_.size()) + loop.slots_) * kSlotBytes + pointer_bytes(loop) +
              lane_bytes(loop)) {
  tiles_ = reinterpret_cast<std::byte**>(memory_.data());
  constants_ = tiles_ + loop.places_.size();
  lanes_ = memory_.data() + pointer_bytes(loop);
  std::byte* const slots = lanes_ + lane_bytes(loop);
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

ChainLoop::Walk::~Walk() {
  if (loop_.streams_) finish_streams();
}

void ChainLoop::Walk::tile(std::int64_t step, std::int64_t position, std::int64_t n) {
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
      scatter(from, window.data, window.dtype, luge::Store::Overwrite, loop_.chain_.extent, window.strides, position,
              n);
  }
}

void ChainLoop::Walk::tile(std::int64_t step, std::int64_t position, std::int64_t n, ChunkSum* sums) {
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
  for (std::size_t s = 0; s < reductions.size(); ++s)
    sums[s].add(dtype(reductions[s].value), value(reductions[s].value), n);
}

void ChainLoop::Walk::rows(std::int64_t step, std::int64_t first, std::int64_t n) {
  if (!loop_.row_pointers_.empty()) return rows_one_by_one(step, first, n);
  const std::int64_t length = loop_.row_;
  tile(step, first * length, n * length);
  for (const Chain::Reduction& sum : loop_.chain_.reductions)
    for (std::int64_t i = 0; i < n; ++i) {
      const DType type = dtype(sum.value);
      finish_row(sum.call, length, first + i, sum_chunk(type, value(sum.value) + bytes_of(type, i * length), length));
    }
}

/// By a segment that adds up each row while it computes it.
void ChainLoop::Walk::rows_one_by_one(std::int64_t step, std::int64_t first, std::int64_t n) {
  const auto& sums = loop_.chain_.reductions;
  const std::int64_t sum_bytes = bytes_of(dtype(sums.front().value), 2 * ChunkSum::kSums),
                     row_bytes = sum_bytes * static_cast<std::int64_t>(sums.size());
  void* pointers[kMostPointers];
  while (n > 0) {
    const std::int64_t now = std::min(n, kRowsTogether);
    std::size_t count = 0;
    for (const RowPointer& pointer : loop_.row_pointers_) pointers[count++] = pointer.data + first * pointer.row_bytes;
    pointers[count] = lanes_;
    loop_.jobs_[0].segment->run_rows(step, pointers, static_cast<std::size_t>(now));
    for (std::size_t s = 0; s < sums.size(); ++s)
      finish_rows(sums[s].call, dtype(sums[s].value), loop_.row_, first, now,
                  lanes_ + static_cast<std::int64_t>(s) * sum_bytes, row_bytes);
    first += now;
    n -= now;
  }
}

std::int64_t ChainLoop::Walk::rows_together() const {
  return loop_.row_pointers_.empty() ? kTile / loop_.row_ : kRowsTogether;
}

void ChainLoop::Walk::carry(std::int64_t step, std::int64_t steps, std::int64_t position, std::int64_t n) {
  const Segment& segment = *loop_.jobs_[0].segment;
  void* pointers[kMostPointers];
  load(position, n);
  point(segment, segment.carried(), position, pointers);
  segment.run_carrying(step, steps, pointers, static_cast<std::size_t>(n));
}

void ChainLoop::Walk::part(std::int64_t step, std::int64_t begin, std::int64_t end) {
  const std::int64_t length = loop_.row_;
  if (length == 0) {
    for (std::int64_t p = begin; p < end; p += kTile) tile(step, p, std::min(kTile, end - p));
  } else if (length <= kTile) {
    const std::int64_t together = rows_together(), last = end / length;
    for (std::int64_t r = begin / length; r < last; r += together) rows(step, r, std::min(together, last - r));
  } else {
    for (std::int64_t r = begin / length; r < end / length; ++r) long_row(step, r);
  }
}

/// A row in chunks, as single reductions cut it.
void ChainLoop::Walk::long_row(std::int64_t step, std::int64_t row) {
  const auto& reductions = loop_.chain_.reductions;
  const std::int64_t length = loop_.row_;
  std::vector<double> totals(reductions.size());
  for (std::int64_t first = 0; first < length; first += kSumChunk) {
    const std::int64_t n = std::min(kSumChunk, length - first);
    std::vector<ChunkSum> sums(reductions.size());
    for (std::int64_t done = 0; done < n; done += kTile)
      tile(step, row * length + first + done, std::min(kTile, n - done), sums.data());
    for (std::size_t s = 0; s < sums.size(); ++s) {
      const double total = sums[s].total();
      totals[s] = first == 0 ? total : totals[s] + total;
    }
  }
  for (std::size_t s = 0; s < totals.size(); ++s) finish_row(reductions[s].call, length, row, totals[s]);
}

/// Of the tables of tiles and constants, up to the next cache line.
std::int64_t ChainLoop::Walk::pointer_bytes(const ChainLoop& loop) {
  const auto bytes = static_cast<std::int64_t>((loop.places_.size() + loop.constants_.size()) * sizeof(std::byte*));
  return (bytes + 63) / 64 * 64;
}

std::int64_t ChainLoop::Walk::lane_bytes(const ChainLoop& loop) {
  if (loop.row_pointers_.empty()) return 0;
  return kRowsTogether * static_cast<std::int64_t>(loop.chain_.reductions.size()) *
         bytes_of(DType::Float64, 2 * ChunkSum::kSums);
}

/// Where a job writes a value of the tile at `position`.
std::byte* ChainLoop::Walk::target(int v, std::int64_t position) {
  const auto value = static_cast<std::size_t>(v);
  const Place& place = loop_.places_[value];
  if (place.memory != nullptr) tiles_[value] = place.memory + bytes_of(dtype(v), position);
  return tiles_[value];
}

void ChainLoop::Walk::load(std::int64_t position, std::int64_t n) {
  for (const Load& load : loop_.loads_) {
    const auto v = static_cast<std::size_t>(load.value);
    if (load.access == Access::Whole)
      tiles_[v] = loop_.places_[v].memory + bytes_of(load.window.dtype, position);
    else if (load.access == Access::Gather)
      gather(tiles_[v], load.window.data, size_of(load.window.dtype), loop_.chain_.extent, load.window.strides,
             position, n);
  }
}

void ChainLoop::Walk::run(const Job& job, std::int64_t step, std::int64_t position, std::int64_t n) {
  if (job.segment) return run(*job.segment, step, position, n);
  const void* in[Link::kMaxInputs];
  void* out[Link::kMaxOutputs];
  for (std::size_t i = 0; i < job.in.size(); ++i) {
    const int v = job.in[i];
    in[i] = v == kNothing ? nullptr : v < 0 ? constants_[~v] : tiles_[v];
  }
  for (std::size_t i = 0; i < job.out.size(); ++i)
    out[i] = job.out[i] == kNothing ? nullptr : target(job.out[i], position);
  if (job.tile != nullptr) return job.tile(in, out, job.parameters.data(), static_cast<std::size_t>(n));
  // An update steps in place: where its results belong elsewhere, what it goes on from is brought there.
  for (std::size_t i = 0; i < job.out.size(); ++i) {
    const std::size_t from = i == 0 ? 0 : i + 1;
    if (out[i] != nullptr && out[i] != in[from])
      std::memcpy(out[i], in[from], static_cast<std::size_t>(bytes_of(dtype(job.out[i]), n)));
  }
  const auto update =
      static_cast<std::size_t>(step) * loop_.chain_.updates.size() + static_cast<std::size_t>(job.update);
  updates_[update]->run(job.per_set, position, n, out[0], in[1], out + 1, in[Link::kActive]);
}

void ChainLoop::Walk::run(const Segment& segment, std::int64_t step, std::int64_t position, std::int64_t n) {
  void* pointers[kMostPointers];
  point(segment, segment.outputs(), position, pointers);
  segment.run(step, pointers, static_cast<std::size_t>(n));
}

void ChainLoop::Walk::sum(const Segment& segment, std::int64_t step, std::int64_t position, std::int64_t n,
                          ChunkSum* sums) {
  void* pointers[kMostPointers];
  static_assert(sizeof(ChunkSum) == ChunkSum::kSums * sizeof(double));
  pointers[point(segment, segment.stored(), position, pointers)] = sums->sums();
  segment.run_summing(step, pointers, static_cast<std::size_t>(n));
}

/// Pointers to a segment's inputs and to `outputs`; returns how many.
std::size_t ChainLoop::Walk::point(const Segment& segment, const std::vector<int>& outputs, std::int64_t position,
                                   void** pointers) {
  std::size_t count = 0;
  for (const Segment::Input& input : segment.inputs())
    pointers[count++] = input.value >= 0
                            ? tiles_[input.value]
                            : const_cast<std::byte*>(input.memory) + bytes_of(dtype(segment.outputs()[0]), position);
  for (const int out : outputs) pointers[count++] = target(out, position);
  return count;
}

}  // namespace luge::cpu
