// What the monitor keeps of a step's losses.

#include "kernels.h"
#include "losses.h"
#include "scratch.h"
#include "threads.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <limits>

namespace luge::cpu {
template <class T>
void LossChunk::add(const T* losses, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const double loss = static_cast<double>(losses[i]);
    if (!std::isfinite(loss)) continue;
    LossPartial& chain = chains_[i % kChains];
    chain.sum += loss;
    chain.min = std::min(chain.min, loss);
    chain.max = std::max(chain.max, loss);
    ++chain.finite;
  }
}

void LossChunk::add(DType dtype, const void* losses, std::int64_t n) {
  dtype == DType::Float32 ? add(static_cast<const float*>(losses), n) : add(static_cast<const double*>(losses), n);
}

LossPartial LossChunk::total() const {
  LossPartial all = chains_[0];
  for (std::int64_t c = 1; c < kChains; ++c) all.add(chains_[c]);
  return all;
}

LossPartial summarize(DType dtype, const void* losses, std::int64_t n) {
  LossChunk chunk;
  chunk.add(dtype, losses, n);
  return chunk.total();
}

void record(const Record& call, const LossPartial& all) {
  const std::int64_t step = *call.counter, slot = step % call.capacity;
  constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
  LossSummary& summary = call.ring[slot];
  summary.mean = all.finite > 0 ? all.sum / static_cast<double>(all.finite) : kNothing;
  summary.min = all.finite > 0 ? all.min : kNothing;
  summary.max = all.finite > 0 ? all.max : kNothing;
  summary.not_finite = call.n - all.finite;
  std::atomic_ref(summary.sequence).store(step + 1, std::memory_order_release);
  *call.counter = step + 1;
}

void keep_losses(const Record& call, std::int64_t ahead, DType dtype, const void* losses, std::int64_t first,
                 std::int64_t n) {
  if (call.rows == nullptr || first >= call.kept) return;
  double* const row = call.rows + (*call.counter + ahead) % call.capacity * call.kept;
  for (std::int64_t i = 0; i < std::min(n, call.kept - first); ++i)
    row[first + i] = dtype == DType::Float32 ? static_cast<double>(static_cast<const float*>(losses)[i])
                                             : static_cast<const double*>(losses)[i];
}

void run(const Record& call) {
  const DType dtype = call.losses.dtype;
  const auto* const losses = static_cast<const std::byte*>(call.losses.data);
  keep_losses(call, 0, dtype, losses, 0, call.n);
  if (call.n <= kLossChunk) return record(call, summarize(dtype, losses, call.n));
  const std::int64_t chunks = (call.n + kLossChunk - 1) / kLossChunk;
  const auto chunk_bytes = kLossChunk * static_cast<std::int64_t>(size_of(dtype));
  Scratch<LossPartial> partials(chunks);
  parallel_for(chunks, kLossChunk, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c)
      partials[c] = summarize(dtype, losses + c * chunk_bytes, std::min(kLossChunk, call.n - c * kLossChunk));
  });
  LossPartial all;
  for (std::int64_t c = 0; c < chunks; ++c) all.add(partials[c]);
  record(call, all);
}

}  // namespace luge::cpu
