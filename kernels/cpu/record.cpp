// What the monitor keeps of a step's losses.

#include "kernels.h"
#include "scratch.h"
#include "threads.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

namespace luge::cpu {
namespace {

constexpr std::int64_t kChunk = 8192;

/// Of some losses; chunks are merged in order, so threads do not show.
struct Partial {
  double sum = 0, min = std::numeric_limits<double>::infinity(), max = -std::numeric_limits<double>::infinity();
  std::int64_t finite = 0;

  void add(const Partial& other) {
    sum += other.sum;
    min = std::min(min, other.min);
    max = std::max(max, other.max);
    finite += other.finite;
  }
};

template <class T>
Partial summarize(const T* losses, std::int64_t n) {
  // Four chains of additions: one would wait for itself.
  constexpr std::int64_t kChains = 4;
  Partial chains[kChains];
  for (std::int64_t i = 0; i < n; ++i) {
    const double loss = static_cast<double>(losses[i]);
    if (!std::isfinite(loss)) continue;
    Partial& chain = chains[i % kChains];
    chain.sum += loss;
    chain.min = std::min(chain.min, loss);
    chain.max = std::max(chain.max, loss);
    ++chain.finite;
  }
  for (std::int64_t c = 1; c < kChains; ++c) chains[0].add(chains[c]);
  return chains[0];
}

template <class T>
void record_as(const Record& call) {
  const T* const losses = static_cast<const T*>(call.losses.data);
  Partial all;
  if (call.n <= kChunk) {
    all = summarize(losses, call.n);
  } else {
    const std::int64_t chunks = (call.n + kChunk - 1) / kChunk;
    Scratch<Partial> partials(chunks);
    parallel_for(chunks, kChunk, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t c = begin; c < end; ++c)
        partials[c] = summarize(losses + c * kChunk, std::min(kChunk, call.n - c * kChunk));
    });
    for (std::int64_t c = 0; c < chunks; ++c) all.add(partials[c]);
  }
  const std::int64_t step = *call.counter, slot = step % call.capacity;
  constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
  LossSummary& summary = call.ring[slot];
  summary.mean = all.finite > 0 ? all.sum / static_cast<double>(all.finite) : kNothing;
  summary.min = all.finite > 0 ? all.min : kNothing;
  summary.max = all.finite > 0 ? all.max : kNothing;
  summary.not_finite = call.n - all.finite;
  if (call.rows != nullptr) {
    double* const row = call.rows + slot * call.kept;
    for (std::int64_t i = 0; i < std::min(call.kept, call.n); ++i) row[i] = static_cast<double>(losses[i]);
  }
  std::atomic_ref(summary.sequence).store(step + 1, std::memory_order_release);
  *call.counter = step + 1;
}

}  // namespace

void run(const Record& call) { call.losses.dtype == float32 ? record_as<float>(call) : record_as<double>(call); }

}  // namespace luge::cpu
