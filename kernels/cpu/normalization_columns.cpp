// Batch normalization of matrices (batch, groups): a row of common statistics is a column in memory. Some columns are worked
// on together, a lane each; blocks of images stay in the first-level cache while their moments are taken, as in
// normalization.cpp.
#include "normalization_columns.h"

#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(normalization_columns.cpp)
#include <hwy/foreach_target.h>

#include <cmath>

#include <luge/base/detail/dispatch.h>

#include "row_math.h"

#include "threads.h"

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

/// Columns worked on together, and images whose terms are added in the element type.
inline constexpr std::int64_t kTogether = 64, kImages = 32;

template <class T>
class NormColumns {
 public:
  NormColumns(const Normalization& call, std::int64_t set, std::int64_t first)
      : call_(call),
        first_(first),
        n_(std::min(kTogether, call.groups - first)),
        x_(of(call.x, set)),
        weight_(of(call.weight, set)),
        set_(set) {}

  void forward() {
    moments();
    const auto size = static_cast<double>(call_.batch);
    const T* const bias = of(call_.bias, set_);
    T mean[kTogether] = {}, rstd[kTogether] = {}, scale[kTogether] = {}, shift[kTogether] = {};
    for (std::int64_t i = 0; i < n_; ++i) {
      const double variance = squares_[i] / size;
      mean[i] = static_cast<T>(mean_[i]);
      rstd[i] = static_cast<T>(1 / std::sqrt(variance + call_.eps));
      scale[i] = weight_ ? rstd[i] * weight_[i] : rstd[i];
      if (bias) shift[i] = bias[i];
      if (T* const to = of(call_.mean, set_)) to[i] = mean[i];
      if (T* const to = of(call_.rstd, set_)) to[i] = rstd[i];
      if (T* const to = of(call_.variance, set_)) to[i] = static_cast<T>(variance);
    }
    T* const y = of(call_.y, set_);
    for (std::int64_t image = 0; image < call_.batch; ++image)
      write_row(y + image * call_.groups, n_, kPlain, [&](std::size_t i, Part part) HWY_ATTR {
        const Vec<T> v = (at(image, i, part) - lanes(mean, i)) * lanes(scale, i);
        return bias ? v + lanes(shift, i) : v;
      });
  }

  void backward() {
    const T *const dy = of(call_.dy, set_), *const means = of(call_.mean, set_), *const rstds = of(call_.rstd, set_);
    T mean[kTogether] = {}, rstd[kTogether] = {}, weight[kTogether] = {}, shift[kTogether] = {}, slope[kTogether] = {};
    for (std::int64_t i = 0; i < n_; ++i) {
      if (means) mean[i] = means[i];
      rstd[i] = rstds[i];
      weight[i] = weight_ ? weight_[i] : T(1);
    }
    double sum[kTogether] = {}, dot[kTogether] = {};
    const auto gradient = [&](std::int64_t image, std::size_t i, Part part) HWY_ATTR {
      return load_lanes(dy + image * call_.groups + i, part);
    };
    for (std::int64_t image = 0; image < call_.batch; image += kImages) {
      add_images(image, sum, [&](std::int64_t row, std::size_t i, Part part) HWY_ATTR { return gradient(row, i, part); });
      add_images(image, dot, [&](std::int64_t row, std::size_t i, Part part) HWY_ATTR {
        return gradient(row, i, part) * (at(row, i, part) - lanes(mean, i));
      });
    }
    const auto size = static_cast<double>(call_.batch);
    const auto give = [&](const Operand& operand, Store store, std::int64_t i, double value) {
      T* const to = of(operand, set_);
      if (to) to[i] = static_cast<T>(store == Store::Accumulate ? static_cast<double>(to[i]) + value : value);
    };
    for (std::int64_t i = 0; i < n_; ++i) {
      const auto w = static_cast<double>(weight[i]), r = static_cast<double>(rstd[i]);
      if (call_.centred) shift[i] = static_cast<T>(w * sum[i] / size);
      slope[i] = static_cast<T>(w * dot[i] / size * r * r);
      give(call_.dweight, call_.weight_store, i, dot[i] * r);
      give(call_.dbias, call_.bias_store, i, sum[i]);
    }
    T* const dx = of(call_.dx, set_);
    if (!dx) return;
    for (std::int64_t image = 0; image < call_.batch; ++image)
      write_row(dx + image * call_.groups, n_, {call_.store, false}, [&](std::size_t i, Part part) HWY_ATTR {
        const Vec<T> h = gradient(image, i, part) * lanes(weight, i);
        return (h - lanes(shift, i) - (at(image, i, part) - lanes(mean, i)) * lanes(slope, i)) * lanes(rstd, i);
      });
  }

 private:
  static constexpr RowStore kPlain{Store::Overwrite, false};

  /// From the first column on.
  T* of(const Operand& operand, std::int64_t set) const {
    return operand.is_memory() ? static_cast<T*>(operand.data) + set * operand.strides[0] + first_ : nullptr;
  }
  HWY_INLINE Vec<T> at(std::int64_t image, std::size_t i, Part part) const {
    return load_lanes(static_cast<const T*>(x_) + image * call_.groups + i, part);
  }
  static HWY_INLINE Vec<T> lanes(const T* of_columns, std::size_t i) { return load(of_columns + i); }

  /// sums[i] += terms of column i of at most kImages images from `image` on: term(image, i, part).
  template <class Term>
  HWY_INLINE void add_images(std::int64_t image, double* sums, const Term& term) const {
    constexpr auto kN = static_cast<std::int64_t>(kLanes<T>);
    const std::int64_t last = std::min(image + kImages, call_.batch);
    T partial[kTogether];
    for (std::int64_t i = 0; i < n_; i += kN) {
      const Part part{static_cast<std::size_t>(std::min(kN, n_ - i))};
      Vec<T> sum(0.0);
      for (std::int64_t row = image; row < last; ++row) sum = sum + term(row, static_cast<std::size_t>(i), part);
      store(partial + i, sum);
    }
    for (std::int64_t i = 0; i < n_; ++i) sums[i] += static_cast<double>(partial[i]);
  }

  /// mean_ and squares_, the sums of squares of deviations from it.
  HWY_NOINLINE void moments() {
    for (std::int64_t image = 0; image < call_.batch; image += kImages) {
      const auto before = static_cast<double>(image), n = static_cast<double>(std::min(kImages, call_.batch - image));
      double own[kTogether] = {}, rest[kTogether] = {}, squares[kTogether] = {};
      T level[kTogether] = {};
      if (call_.centred) {
        add_images(image, own, [&](std::int64_t row, std::size_t i, Part part) HWY_ATTR { return at(row, i, part); });
        for (std::int64_t i = 0; i < n_; ++i) level[i] = static_cast<T>(own[i] / n);
        add_images(image, rest, [&](std::int64_t row, std::size_t i, Part part) HWY_ATTR { return at(row, i, part) - lanes(level, i); });
      }
      add_images(image, squares, [&](std::int64_t row, std::size_t i, Part part) HWY_ATTR {
        const Vec<T> d = at(row, i, part) - lanes(level, i);
        return d * d;
      });
      for (std::int64_t i = 0; i < n_; ++i) {
        double mean = own[i] / n;
        if (call_.centred && std::isfinite(rest[i])) {
          mean = static_cast<double>(level[i]) + rest[i] / n;
          squares[i] = std::max(squares[i] - rest[i] * rest[i] / n, 0.0);
        }
        const double apart = mean - mean_[i];
        squares_[i] += squares[i] + (image == 0 ? 0 : apart * apart * (before * n / (before + n)));
        mean_[i] = (before * mean_[i] + n * mean) / (before + n);
      }
    }
  }

  const Normalization& call_;
  std::int64_t first_, n_;
  const T *x_, *weight_;
  std::int64_t set_;
  double mean_[kTogether] = {}, squares_[kTogether] = {};
};

void normalize_columns(const Normalization& call) {
  with_floating(call.x.dtype, [&]<class T>() {
    const std::int64_t parts = (call.groups + kTogether - 1) / kTogether;
    parallel_for(call.sets * parts, call.batch * kTogether * 3, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t item = begin; item < end; ++item) {
        NormColumns<T> columns(call, item / parts, item % parts * kTogether);
        call.direction == Direction::Forward ? columns.forward() : columns.backward();
      }
    });
  });
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {
HWY_EXPORT(normalize_columns);
void normalize_columns(const Normalization& call) { HWY_DYNAMIC_DISPATCH(normalize_columns)(call); }
}  // namespace luge::cpu
#endif
