// Clipping of gradients by their norm, set by set.
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(clip_norm.cpp)
#include <hwy/foreach_target.h>

#include <luge/base/detail/dispatch.h>

#include "reducers.h"

#include <luge/math/updates.h>

#include <cmath>

#include "kernels.h"
#include "scratch.h"
#include "threads.h"

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

/// Sum of squares of one set's part of one parameter.
template <class T>
HWY_NOINLINE double square_sum(const T* x, std::int64_t n) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; i += kChunk)
    sum += FloatSum<T, Squared>::chunk(x + i, std::min(kChunk, n - i), i, T(0));
  return sum;
}

/// The same with the chunks shared out over threads; same bits.
template <class T>
double square_sum_shared(const T* x, std::int64_t n) {
  const std::int64_t chunks = (n + kChunk - 1) / kChunk;
  Scratch<double> partials(chunks);
  parallel_for(chunks, kChunk, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c)
      partials[c] = FloatSum<T, Squared>::chunk(x + c * kChunk, std::min(kChunk, n - c * kChunk), c * kChunk, T(0));
  });
  double sum = 0;
  for (std::int64_t c = 0; c < chunks; ++c) sum += partials[c];
  return sum;
}

template <class T>
HWY_NOINLINE void scale_run(T* x, std::int64_t n, T factor) {
  for (std::int64_t i = 0; i < n; ++i) x[i] *= factor;
}

/// Norm and factor of a set whose squares add up to `sum`.
template <class T>
T factor_of(const ClipNorm& call, std::int64_t set, double sum) {
  const T norm = static_cast<T>(std::sqrt(sum));
  static_cast<T*>(call.norm)[set] = norm;
  return scalar_math::clip_factor(norm, static_cast<const T*>(call.max_norm.data)[set * call.max_norm.stride]);
}

template <class T>
void clip_as(const ClipNorm& call) {
  const ArenaLayout& layout = call.layout;
  T* const grad = static_cast<T*>(call.grad);
  if (layout.sets == 1) {
    double sum = 0;
    for (int p = 0; p < layout.parameters; ++p) sum += square_sum_shared(grad + layout.offset[p], layout.per_set[p]);
    const T factor = factor_of<T>(call, 0, sum);
    if (factor == T(1)) return;
    for (int p = 0; p < layout.parameters; ++p) {
      parallel_for(layout.per_set[p], 1, [&](std::int64_t begin, std::int64_t end) {
        scale_run(grad + layout.offset[p] + begin, end - begin, factor);
      });
    }
    return;
  }
  const std::int64_t work = std::max<std::int64_t>(layout.size / layout.sets, 1);
  parallel_for(layout.sets, work, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t s = begin; s < end; ++s) {
      double sum = 0;
      for (int p = 0; p < layout.parameters; ++p)
        sum += square_sum(grad + layout.offset[p] + s * layout.per_set[p], layout.per_set[p]);
      const T factor = factor_of<T>(call, s, sum);
      if (factor == T(1)) continue;
      for (int p = 0; p < layout.parameters; ++p)
        scale_run(grad + layout.offset[p] + s * layout.per_set[p], layout.per_set[p], factor);
    }
  });
}

void clip(const ClipNorm& call) { with_floating(call.dtype, [&]<class T>() { return clip_as<T>(call); }); }

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {
HWY_EXPORT(clip);
void run(const ClipNorm& call) { HWY_DYNAMIC_DISPATCH(clip)(call); }
}  // namespace luge::cpu
#endif
