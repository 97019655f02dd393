// What the monitor keeps of a step's losses.
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(record.cpp)
#include <hwy/foreach_target.h>

#include <luge/base/detail/dispatch.h>

#include "vector.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <limits>

#include "kernels.h"
#include "losses.h"
#include "reduce_space.h"
#include "scratch.h"
#include "threads.h"

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

using Sums = Vec<double>[LossChunk::kLanes / static_cast<std::int64_t>(kLanes<double>)];

/// Adds kLanes<T> losses to the sums from `first` on.
HWY_INLINE void add_to(Vec<double>* first, Vec<double> losses) { *first = *first + losses; }
HWY_INLINE void add_to(Vec<double>* first, Vec<float> losses) {
  const Vec<double>::D d;
#if HWY_TARGET == HWY_SCALAR
  *first = *first + Vec<double>(hn::PromoteTo(d, losses.raw));
#else
  const hn::Half<Vec<float>::D> half;
  first[0] = first[0] + Vec<double>(hn::PromoteTo(d, hn::LowerHalf(half, losses.raw)));
  first[1] = first[1] + Vec<double>(hn::PromoteTo(d, hn::UpperHalf(half, losses.raw)));
#endif
}

/// Adds n losses, a multiple of kLanes, of which some may not be finite: those add nothing.
template <class T>
HWY_NOINLINE void add_some(const T* losses, std::int64_t n, double* sums, math::Summary& all) {
  constexpr auto kN = static_cast<std::int64_t>(kLanes<T>), kWide = static_cast<std::int64_t>(kLanes<double>);
  const typename Vec<T>::D d;
  const Vec<T> infinity(std::numeric_limits<double>::infinity()), zero(0.0);
  Sums lanes;
  for (std::int64_t q = 0; q < LossChunk::kLanes / kWide; ++q) lanes[q] = load(sums + q * kWide);
  Vec<T> least = infinity, most = -infinity;
  std::int64_t finite = 0;
  for (std::int64_t i = 0; i < n; i += LossChunk::kLanes)
    for (std::int64_t q = 0; q < LossChunk::kLanes / kN; ++q) {
      const Vec<T> x = load(losses + i + q * kN);
      const Mask<T> known = abs(x) < infinity;
      least = Vec<T>(hn::Min(least.raw, select(known, x, infinity).raw));
      most = Vec<T>(hn::Max(most.raw, select(known, x, -infinity).raw));
      finite += static_cast<std::int64_t>(hn::CountTrue(d, known.raw));
      add_to(lanes + q * kN / kWide, select(known, x, zero));
    }
  for (std::int64_t q = 0; q < LossChunk::kLanes / kWide; ++q) store(sums + q * kWide, lanes[q]);
  all = math::Summarize::merge(all, {0, static_cast<double>(hn::GetLane(hn::MinOfLanes(d, least.raw))),
                                     static_cast<double>(hn::GetLane(hn::MaxOfLanes(d, most.raw))), finite});
}

/// Adds n losses to `sums` and `all`, whose own sum stays as it is. What is not finite adds nothing; it shows in the sums of
/// a run, which is then added with care.
template <class T>
void add_losses_as(const T* losses, std::int64_t n, double* sums, math::Summary& all) {
  constexpr auto kN = static_cast<std::int64_t>(kLanes<T>), kWide = static_cast<std::int64_t>(kLanes<double>);
  constexpr std::int64_t kVectors = LossChunk::kLanes / kN, kSums = LossChunk::kLanes / kWide;
  const typename Vec<T>::D d;
  const Vec<T> infinity(std::numeric_limits<double>::infinity());
  Vec<T> least = infinity, most = -infinity;
  std::int64_t finite = 0, i = 0;
  const std::int64_t whole = n - n % LossChunk::kLanes;
  for (std::int64_t run = 0; i < whole; i += run) {
    run = std::min(kSumRun, whole - i);
    Sums lanes;
    for (std::int64_t q = 0; q < kSums; ++q) lanes[q] = load(static_cast<const double*>(sums + q * kWide));
    Vec<T> low = least, high = most;
    for (std::int64_t j = 0; j < run; j += LossChunk::kLanes)
      for (std::int64_t q = 0; q < kVectors; ++q) {
        const Vec<T> x = load(losses + i + j + q * kN);
        low = Vec<T>(hn::Min(low.raw, x.raw));
        high = Vec<T>(hn::Max(high.raw, x.raw));
        add_to(lanes + q * kN / kWide, x);
      }
    Vec<double> doubtful(0.0);  // what is not finite times 0 is NaN
    for (std::int64_t q = 0; q < kSums; ++q) doubtful = doubtful + lanes[q] * Vec<double>(0.0);
    if (any(!(doubtful == Vec<double>(0.0)))) {
      add_some(losses + i, run, sums, all);
      continue;
    }
    for (std::int64_t q = 0; q < kSums; ++q) store(sums + q * kWide, lanes[q]);
    least = low;
    most = high;
    finite += run;
  }
  all = math::Summarize::merge(all, {0, static_cast<double>(hn::GetLane(hn::MinOfLanes(d, least.raw))),
                                     static_cast<double>(hn::GetLane(hn::MaxOfLanes(d, most.raw))), finite});
  for (; i < n; ++i) {
    double& sum = sums[i % LossChunk::kLanes];
    all.sum = sum;
    all = math::Summarize::include(all, static_cast<double>(losses[i]));
    sum = all.sum;
  }
}

void add_losses(DType dtype, const void* losses, std::int64_t n, double* sums, math::Summary& all) {
  with_floating(dtype, [&]<class T>() { add_losses_as(static_cast<const T*>(losses), n, sums, all); });
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {

HWY_EXPORT(add_losses);
void LossChunk::add(DType dtype, const void* losses, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(add_losses)(dtype, losses, n, sums_, all_);
}

math::Summary LossChunk::total() const {
  math::Summary all = all_;
  all.sum = 0;
  for (const double sum : sums_) all.sum += sum;
  return all;
}

math::Summary summarize(DType dtype, const void* losses, std::int64_t n) {
  LossChunk chunk;
  chunk.add(dtype, losses, n);
  return chunk.total();
}

void record(const Record& call, const math::Summary& all) {
  const std::int64_t step = *call.counter, slot = step % call.capacity;
  LossSummary& summary = call.ring[slot];
  summary.mean = all.mean();
  summary.min = all.least();
  summary.max = all.most();
  summary.not_finite = call.n - all.finite;
  std::atomic_ref(summary.sequence).store(step + 1, std::memory_order_release);
  *call.counter = step + 1;
}

void keep_losses(const Record& call, std::int64_t ahead, DType dtype, const void* losses, std::int64_t first,
                 std::int64_t n) {
  if (call.rows == nullptr || first >= call.kept) return;
  double* const row = call.rows + (*call.counter + ahead) % call.capacity * call.kept;
  with_floating(dtype, [&]<class T>() {
    const T* const from = static_cast<const T*>(losses);
    std::copy_n(from, std::min(n, call.kept - first), row + first);
  });
}

void run(const Record& call) {
  const DType dtype = call.losses.dtype;
  const auto* const losses = static_cast<const std::byte*>(call.losses.data);
  keep_losses(call, 0, dtype, losses, 0, call.n);
  if (call.n <= kLossChunk) return record(call, summarize(dtype, losses, call.n));
  const std::int64_t chunks = (call.n + kLossChunk - 1) / kLossChunk;
  const auto chunk_bytes = kLossChunk * static_cast<std::int64_t>(size_of(dtype));
  Scratch<math::Summary> partials(chunks);
  parallel_for(chunks, kLossChunk, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c)
      partials[c] = summarize(dtype, losses + c * chunk_bytes, std::min(kLossChunk, call.n - c * kLossChunk));
  });
  math::Summary all = partials[0];
  for (std::int64_t c = 1; c < chunks; ++c) all = math::Summarize::merge(all, partials[c]);
  record(call, all);
}

}  // namespace luge::cpu
#endif
