// Layer, RMS, group, instance and batch normalization. All sums are in float64.
//   by rows      layer, RMS, group and instance normalization: a warp takes a short row, a block a long one, and holds what
//                fits into its registers (rows.cuh)
//   over batch   batch normalization: each image's part of a row is a span, with a warp or a block of its own; if it is one
//                element, a thread takes a slab of images. Moments of spans and slabs are merged by the formula of
//                T. F. Chan, G. H. Golub, R. J. LeVeque, 1983
// Gradients of weights are added in two stages: first over a slab of images or a span, then over those, in order. What is added
// together depends on the sizes of one set alone.

#include <algorithm>

#include <luge/base/detail/dispatch.h>

#include "index.cuh"
#include "kernels.h"
#include "rows.cuh"

namespace luge::cuda {

namespace {

/// Images whose contributions to a weight one thread adds, and the most slabs of them.
constexpr std::int64_t kSlabImages = 32, kMostSlabs = 128;

struct Pair {
  double first, second;
};
struct AddPairs {
  __device__ static Pair merge(const Pair& a, const Pair& b) { return {a.first + b.first, a.second + b.second}; }
};
struct Add {
  __device__ static double merge(double a, double b) { return a + b; }
};

/// An operand whose sets are `stride` apart; without memory it is absent.
template <class T>
struct BySet {
  T* data = nullptr;
  std::int64_t stride = 0;

  BySet() = default;
  explicit BySet(const Operand& operand)
      : data(operand.is_memory() ? static_cast<T*>(operand.data) : nullptr), stride(operand.is_memory() ? operand.strides[0] : 0) {}
  __device__ T* of(std::int64_t set) const { return data ? data + set * stride : nullptr; }
};

/// A call as its kernels get it.
template <class T>
struct Norm {
  BySet<const T> x, dy, weight, bias, kept_mean, kept_rstd;
  BySet<T> y, mean, rstd, variance, dx, dweight, dbias;
  std::int64_t sets, batch, groups, channels, inner, rows, row_size, weights;
  double eps;
  bool centred, adds_x, adds_weight, adds_bias;

  explicit Norm(const Normalization& call)
      : x(call.x), dy(call.dy), weight(call.weight), bias(call.bias), kept_mean(call.mean), kept_rstd(call.rstd), y(call.y),
        mean(call.mean), rstd(call.rstd), variance(call.variance), dx(call.dx), dweight(call.dweight), dbias(call.dbias),
        sets(call.sets), batch(call.batch), groups(call.groups), channels(call.channels), inner(call.inner), rows(call.rows()),
        row_size(call.row_size()), weights(call.weights()), eps(call.eps), centred(call.centred),
        adds_x(call.store == Store::Accumulate), adds_weight(call.weight_store == Store::Accumulate),
        adds_bias(call.bias_store == Store::Accumulate) {}

  /// Of a row, once its moments are known; by one thread.
  __device__ void keep(std::int64_t set, std::int64_t row, double row_mean, double row_variance, double row_rstd) const {
    if (mean.data) mean.of(set)[row] = static_cast<T>(row_mean);
    if (variance.data) variance.of(set)[row] = static_cast<T>(row_variance);
    if (rstd.data) rstd.of(set)[row] = static_cast<T>(row_rstd);
  }
  __device__ T mean_of(std::int64_t set, std::int64_t row) const { return centred ? kept_mean.of(set)[row] : T(0); }
  __device__ T rstd_of(std::int64_t set, std::int64_t row) const { return kept_rstd.of(set)[row]; }
};

__device__ inline double rstd_from(double variance, double eps) { return 1.0 / math::scalar::sqrt(variance + eps); }

/// Sums of deviations from `mean` and of their squares. Padding behind the row plays no part.
template <class Team, class T, int held>
__device__ inline double square_deviations(const RowBatches<Team, T, 1, held>& row, std::int64_t columns, double mean) {
  double squares = 0;
  row.each([&](std::int64_t first, const Batch<Team, T>(&x)[1], auto whole) {
#pragma unroll
    for (int i = 0; i < kBatch<T>; ++i)
      if (whole || first + i * Team::kSize < columns) {
        const double d = static_cast<double>(x[0].values[i]) - mean;
        squares += d * d;
      }
  });
  return Team::template reduce<true>(squares, Add{});
}

template <class Team, class T, int held>
__device__ inline double row_total(const RowBatches<Team, T, 1, held>& row) {
  double sum = 0;
  row.each([&](std::int64_t, const Batch<Team, T>(&x)[1], auto) {
#pragma unroll
    for (int i = 0; i < kBatch<T>; ++i) sum += static_cast<double>(x[0].values[i]);  // 0 beyond the row
  });
  return Team::template reduce<true>(sum, Add{});
}

/// Which weight an element of a row is multiplied by.
template <bool by_element, class T>
__device__ inline std::int64_t channel_of(const Norm<T>& norm, std::int64_t column) {
  return by_element ? column : quick_quotient(column, norm.inner);
}

/// Blocks of a kernel by rows that a multiprocessor should have room for: addresses of weights take registers, too.
template <class T, int operands, int held, bool by_element>
[[maybe_unused]] constexpr int kRowBlocks = operands == 1 ? (sizeof(T) == 4 && !by_element ? 3 : 2) : held == 0 ? 3 : sizeof(T) == 4 && by_element ? 2 : 1;

// ---- by rows --------------------------------------------------------------------------------------

template <class Team, class T, int held, bool by_element>
__global__ void __launch_bounds__(kThreads, kRowBlocks<T, 1, held, by_element>) normalize_rows_kernel(const Norm<T> norm) {
  for (std::int64_t at = Team::first(); at < norm.sets * norm.rows; at += Team::step()) {
    const std::int64_t set = quick_quotient(at, norm.rows), r = at - set * norm.rows;
    const RowBatches<Team, T, 1, held> row({norm.x.of(set) + r * norm.row_size}, norm.row_size, T(0));
    const auto n = static_cast<double>(norm.row_size);
    const double mean = norm.centred ? row_total(row) / n : 0.0;
    const double variance = square_deviations(row, norm.row_size, mean) / n, rstd = rstd_from(variance, norm.eps);
    if (Team::rank() == 0) norm.keep(set, r, mean, variance, rstd);
    const std::int64_t channel = (r - quick_quotient(r, norm.groups) * norm.groups) * norm.channels;
    const T *const weight = norm.weight.of(set), *const bias = norm.bias.of(set);
    T* const y = norm.y.of(set) + r * norm.row_size;
    const T level = static_cast<T>(mean), scale = static_cast<T>(rstd);
    row.each([&](std::int64_t first, const Batch<Team, T>(&x)[1], auto whole) {
      Batch<Team, T> values;
#pragma unroll
      for (int i = 0; i < kBatch<T>; ++i) {
        T value = (x[0].values[i] - level) * scale;
        if (weight || bias) {
          const std::int64_t column = first + i * Team::kSize;
          if (whole || column < norm.row_size) {
            const std::int64_t c = channel + channel_of<by_element>(norm, column);
            if (weight) value *= weight[c];
            if (bias) value += bias[c];
          }
        }
        values.values[i] = value;
      }
      values.template store<whole>(y, first, norm.row_size, false);
    });
  }
}

template <class Team, class T, int held, bool by_element>
__global__ void __launch_bounds__(kThreads, kRowBlocks<T, 2, held, by_element>) rows_backward_kernel(const Norm<T> norm) {
  for (std::int64_t at = Team::first(); at < norm.sets * norm.rows; at += Team::step()) {
    const std::int64_t set = quick_quotient(at, norm.rows), r = at - set * norm.rows, begin = r * norm.row_size;
    const RowBatches<Team, T, 2, held> row({norm.x.of(set) + begin, norm.dy.of(set) + begin}, norm.row_size, T(0));
    const T mean = norm.mean_of(set, r), rstd = norm.rstd_of(set, r);
    const T* weight = norm.weight.of(set);
    if (weight) weight += (r - quick_quotient(r, norm.groups) * norm.groups) * norm.channels;
    const auto weighted = [&](T dy, std::int64_t column) { return weight ? dy * weight[channel_of<by_element>(norm, column)] : dy; };
    Pair sums{0, 0};
    row.each([&](std::int64_t first, const Batch<Team, T>(&values)[2], auto whole) {
#pragma unroll
      for (int i = 0; i < kBatch<T>; ++i) {
        const std::int64_t column = first + i * Team::kSize;
        if (!(whole || column < norm.row_size)) continue;
        const T h = weighted(values[1].values[i], column), d = values[0].values[i] - mean;
        sums.first += static_cast<double>(h);
        sums.second += static_cast<double>(h) * static_cast<double>(d);
      }
    });
    sums = Team::template reduce<true>(sums, AddPairs{});
    const auto n = static_cast<double>(norm.row_size);
    const T shift = norm.centred ? static_cast<T>(sums.first / n) : T(0);
    const T slope = static_cast<T>(sums.second / n * static_cast<double>(rstd) * static_cast<double>(rstd));
    T* const dx = norm.dx.of(set) + begin;
    row.each([&](std::int64_t first, const Batch<Team, T>(&values)[2], auto whole) {
      Batch<Team, T> result;
#pragma unroll
      for (int i = 0; i < kBatch<T>; ++i) {
        const std::int64_t column = first + i * Team::kSize;
        if (!(whole || column < norm.row_size)) continue;
        const T h = weighted(values[1].values[i], column);
        result.values[i] = (h - shift - (values[0].values[i] - mean) * slope) * rstd;
      }
      result.template store<whole>(dx, first, norm.row_size, norm.adds_x);
    });
  }
}

// ---- gradients of weights -----------------------------------------------------------------------------

/// Images of slab number `slab`.
__device__ inline std::int64_t slab_begin(std::int64_t slab, std::int64_t batch, std::int64_t slabs) { return slab * batch / slabs; }

/// A thread per weight and slab of images, where inner is 1. sums: (sets, slabs, weights).
template <class T>
__global__ void __launch_bounds__(kThreads)
    slab_sums_kernel(const Norm<T> norm, Pair* sums, std::int64_t slabs, bool over_batch) {
  for (std::int64_t at = grid_thread(); at < norm.sets * slabs * norm.weights; at += grid_threads()) {
    const std::int64_t item = quick_quotient(at, norm.weights), column = at - item * norm.weights;
    const std::int64_t set = quick_quotient(item, slabs), slab = item - set * slabs;
    const std::int64_t group = quick_quotient(column, norm.channels);
    const std::int64_t first = slab_begin(slab, norm.batch, slabs), last = slab_begin(slab + 1, norm.batch, slabs);
    const T *const x = norm.x.of(set) + column, *const dy = norm.dy.of(set) + column;
    Pair sum{0, 0};
#pragma unroll 4
    for (std::int64_t image = first; image < last; ++image) {
      const std::int64_t row = over_batch ? group : image * norm.groups + group;
      const T gradient = dy[image * norm.weights];
      const T xhat = (x[image * norm.weights] - norm.mean_of(set, row)) * norm.rstd_of(set, row);
      sum.first += static_cast<double>(gradient) * static_cast<double>(xhat);
      sum.second += static_cast<double>(gradient);
    }
    sums[at] = sum;
  }
}

/// A team per span, the elements of an image with one weight. sums: (sets, batch, weights).
template <class Team, class T, int held>
__global__ void __launch_bounds__(kThreads, kBlocks<T, 2, held>)
    span_sums_kernel(const Norm<T> norm, Pair* sums, bool over_batch) {
  const std::int64_t spans = norm.batch * norm.weights;
  for (std::int64_t at = Team::first(); at < norm.sets * spans; at += Team::step()) {
    const std::int64_t set = quick_quotient(at, spans), span = at - set * spans, begin = span * norm.inner;
    const RowBatches<Team, T, 2, held> row({norm.x.of(set) + begin, norm.dy.of(set) + begin}, norm.inner, T(0));
    const std::int64_t image_and_group = quick_quotient(span, norm.channels);
    const std::int64_t number =
        over_batch ? image_and_group - quick_quotient(image_and_group, norm.groups) * norm.groups : image_and_group;
    const T mean = norm.mean_of(set, number);
    Pair sum{0, 0};
    row.each([&](std::int64_t, const Batch<Team, T>(&values)[2], auto) {
#pragma unroll
      for (int i = 0; i < kBatch<T>; ++i) {  // dy is 0 beyond the span, and x - mean finite
        const T d = values[0].values[i] - mean;
        const auto dy = static_cast<double>(values[1].values[i]);
        sum.second += dy;
        sum.first += dy * static_cast<double>(d);
      }
    });
    sum = Team::template reduce<false>(sum, AddPairs{});
    if (Team::rank() == 0) sums[at] = {sum.first * static_cast<double>(norm.rstd_of(set, number)), sum.second};
  }
}

/// A thread per weight adds its sums over the parts, (sets, parts, weights), and keeps the totals, (sets, weights), if asked.
template <class T>
__global__ void __launch_bounds__(kThreads)
    fold_sums_kernel(const Norm<T> norm, const Pair* sums, std::int64_t parts, Pair* totals) {
  for (std::int64_t at = grid_thread(); at < norm.sets * norm.weights; at += grid_threads()) {
    const std::int64_t set = quick_quotient(at, norm.weights), column = at - set * norm.weights;
    Pair total{0, 0};
#pragma unroll 4
    for (std::int64_t part = 0; part < parts; ++part)
      total = AddPairs::merge(total, sums[(set * parts + part) * norm.weights + column]);
    if (totals) totals[at] = total;
    const auto give = [&](const BySet<T>& to, double value, bool adds) {
      if (!to.data) return;
      T* const place = to.of(set) + column;
      *place = static_cast<T>(adds ? static_cast<double>(*place) + value : value);
    };
    give(norm.dweight, total.first, norm.adds_weight);
    give(norm.dbias, total.second, norm.adds_bias);
  }
}

// ---- over the batch -----------------------------------------------------------------------------------

/// A team per span. moments: (sets, batch, groups), the mean and the sum of squares of deviations from it.
template <class Team, class T, int held>
__global__ void __launch_bounds__(kThreads, kBlocks<T, 1, held>) span_moments_kernel(const Norm<T> norm, Pair* moments) {
  const std::int64_t spans = norm.batch * norm.groups;
  for (std::int64_t at = Team::first(); at < norm.sets * spans; at += Team::step()) {
    const std::int64_t set = quick_quotient(at, spans), span = at - set * spans;
    const RowBatches<Team, T, 1, held> row({norm.x.of(set) + span * norm.inner}, norm.inner, T(0));
    const double mean = norm.centred ? row_total(row) / static_cast<double>(norm.inner) : 0.0;
    const double squares = square_deviations(row, norm.inner, mean);
    if (Team::rank() == 0) moments[at] = {mean, squares};
  }
}

/// The same by a thread per column and slab of images, where inner is 1. moments: (sets, slabs, groups).
template <class T>
__global__ void __launch_bounds__(kThreads) slab_moments_kernel(const Norm<T> norm, Pair* moments, std::int64_t slabs) {
  for (std::int64_t at = grid_thread(); at < norm.sets * slabs * norm.groups; at += grid_threads()) {
    const std::int64_t item = quick_quotient(at, norm.groups), column = at - item * norm.groups;
    const std::int64_t set = quick_quotient(item, slabs), slab = item - set * slabs;
    const std::int64_t first = slab_begin(slab, norm.batch, slabs), last = slab_begin(slab + 1, norm.batch, slabs);
    const T* const x = norm.x.of(set) + column;
    double mean = 0, squares = 0;
    if (norm.centred) {
#pragma unroll 8
      for (std::int64_t image = first; image < last; ++image) mean += static_cast<double>(x[image * norm.groups]);
      mean /= static_cast<double>(last - first);
    }
#pragma unroll 8
    for (std::int64_t image = first; image < last; ++image) {
      const double d = static_cast<double>(x[image * norm.groups]) - mean;
      squares += d * d;
    }
    moments[at] = {mean, squares};
  }
}

/// A warp per row merges the moments of its parts, (sets, parts, groups). rows: (sets, groups), the mean and rstd.
template <class T>
__global__ void __launch_bounds__(kThreads)
    merge_moments_kernel(const Norm<T> norm, const Pair* moments, std::int64_t parts, Pair* rows) {
  for (std::int64_t at = WarpTeam::first(); at < norm.sets * norm.groups; at += WarpTeam::step()) {
    const std::int64_t set = quick_quotient(at, norm.groups), group = at - set * norm.groups;
    const Pair* const own = moments + set * parts * norm.groups + group;
    const auto count = [&](std::int64_t part) {
      return static_cast<double>((slab_begin(part + 1, norm.batch, parts) - slab_begin(part, norm.batch, parts)) * norm.inner);
    };
    double mean = 0;
    for (std::int64_t part = WarpTeam::rank(); part < parts; part += kWarp) mean += own[part * norm.groups].first * count(part);
    mean = WarpTeam::reduce<true>(mean, Add{}) / static_cast<double>(norm.row_size);
    double squares = 0;
    for (std::int64_t part = WarpTeam::rank(); part < parts; part += kWarp) {
      const Pair moment = own[part * norm.groups];
      const double apart = moment.first - mean;
      squares += moment.second + apart * apart * count(part);
    }
    const double variance = WarpTeam::reduce<true>(squares, Add{}) / static_cast<double>(norm.row_size);
    const double rstd = rstd_from(variance, norm.eps);
    if (WarpTeam::rank() != 0) continue;
    norm.keep(set, group, mean, variance, rstd);
    rows[at] = {mean, rstd};
  }
}

/// What an element of a row becomes.
template <class T>
struct Affine {
  T mean, scale, shift;

  __device__ Affine(const Norm<T>& norm, const Pair& row, std::int64_t set, std::int64_t group)
      : mean(static_cast<T>(row.first)), scale(static_cast<T>(row.second)), shift(0) {
    if (norm.weight.data) scale *= norm.weight.of(set)[group];
    if (norm.bias.data) shift = norm.bias.of(set)[group];
  }
  __device__ T operator()(T x) const { return (x - mean) * scale + shift; }
};

/// A thread per element, where inner is 1.
template <class T>
__global__ void __launch_bounds__(kThreads) normalize_columns_kernel(const Norm<T> norm, const Pair* rows) {
  const std::int64_t each = norm.batch * norm.groups;
  for (std::int64_t at = grid_thread(); at < norm.sets * each; at += grid_threads()) {
    const std::int64_t set = quick_quotient(at, each), place = at - set * each;
    const std::int64_t group = place - quick_quotient(place, norm.groups) * norm.groups;
    norm.y.of(set)[place] = Affine<T>(norm, rows[set * norm.groups + group], set, group)(norm.x.of(set)[place]);
  }
}

template <class Team, class T, int held>
__global__ void __launch_bounds__(kThreads, kBlocks<T, 1, held>) normalize_spans_kernel(const Norm<T> norm, const Pair* rows) {
  const std::int64_t spans = norm.batch * norm.groups;
  for (std::int64_t at = Team::first(); at < norm.sets * spans; at += Team::step()) {
    const std::int64_t set = quick_quotient(at, spans), span = at - set * spans, begin = span * norm.inner;
    const std::int64_t group = span - quick_quotient(span, norm.groups) * norm.groups;
    const RowBatches<Team, T, 1, held> row({norm.x.of(set) + begin}, norm.inner, T(0));
    const Affine<T> result(norm, rows[set * norm.groups + group], set, group);
    T* const y = norm.y.of(set) + begin;
    row.each([&](std::int64_t first, const Batch<Team, T>(&x)[1], auto whole) {
      Batch<Team, T> values;
#pragma unroll
      for (int i = 0; i < kBatch<T>; ++i) values.values[i] = result(x[0].values[i]);
      values.template store<whole>(y, first, norm.inner, false);
    });
  }
}

/// The gradient of an element of a row, of which fold_sums_kernel has left the total.
template <class T>
struct Slopes {
  T mean, rstd, weight, shift, slope;

  __device__ Slopes(const Norm<T>& norm, const Pair& total, std::int64_t set, std::int64_t group)
      : mean(norm.mean_of(set, group)), rstd(norm.rstd_of(set, group)), weight(norm.weight.data ? norm.weight.of(set)[group] : T(1)) {
    const auto n = static_cast<double>(norm.row_size), by = static_cast<double>(weight);
    shift = norm.centred ? static_cast<T>(total.second * by / n) : T(0);
    slope = static_cast<T>(total.first * by / n * static_cast<double>(rstd));
  }
  __device__ T operator()(T x, T dy) const { return (dy * weight - shift - (x - mean) * slope) * rstd; }
};

/// totals: (sets, groups).
template <class Team, class T, int held>
__global__ void __launch_bounds__(kThreads, kBlocks<T, 2, held>) spans_backward_kernel(const Norm<T> norm, const Pair* totals) {
  const std::int64_t spans = norm.batch * norm.groups;
  for (std::int64_t at = Team::first(); at < norm.sets * spans; at += Team::step()) {
    const std::int64_t set = quick_quotient(at, spans), span = at - set * spans, begin = span * norm.inner;
    const std::int64_t group = span - quick_quotient(span, norm.groups) * norm.groups;
    const RowBatches<Team, T, 2, held> row({norm.x.of(set) + begin, norm.dy.of(set) + begin}, norm.inner, T(0));
    const Slopes<T> slopes(norm, totals[set * norm.groups + group], set, group);
    T* const dx = norm.dx.of(set) + begin;
    row.each([&](std::int64_t first, const Batch<Team, T>(&values)[2], auto whole) {
      Batch<Team, T> result;
#pragma unroll
      for (int i = 0; i < kBatch<T>; ++i) result.values[i] = slopes(values[0].values[i], values[1].values[i]);
      result.template store<whole>(dx, first, norm.inner, norm.adds_x);
    });
  }
}

/// A thread per element, where inner is 1.
template <class T>
__global__ void __launch_bounds__(kThreads) columns_backward_kernel(const Norm<T> norm, const Pair* totals) {
  const std::int64_t each = norm.batch * norm.groups;
  for (std::int64_t at = grid_thread(); at < norm.sets * each; at += grid_threads()) {
    const std::int64_t set = quick_quotient(at, each), place = at - set * each;
    const std::int64_t group = place - quick_quotient(place, norm.groups) * norm.groups;
    const Slopes<T> slopes(norm, totals[set * norm.groups + group], set, group);
    put(norm.dx.of(set) + place, slopes(norm.x.of(set)[place], norm.dy.of(set)[place]), norm.adds_x);
  }
}

// ---- launches -----------------------------------------------------------------------------------------

std::int64_t pair_bytes(std::int64_t count) { return count * static_cast<std::int64_t>(sizeof(Pair)); }

std::int64_t slabs_of(std::int64_t batch) { return std::clamp<std::int64_t>(batch / kSlabImages, 1, kMostSlabs); }

template <class T>
void batch_forward(const Context& context, const Norm<T>& norm) {
  const bool columns = norm.inner == 1;
  const std::int64_t parts = columns ? slabs_of(norm.batch) : norm.batch, rows = norm.sets * norm.groups;
  const Scratch moments(context, pair_bytes(rows * parts)), merged(context, pair_bytes(rows));
  if (columns)
    launch(context, slab_moments_kernel<T>, grid_stride(context, rows * parts, kThreads), norm, moments.as<Pair>(), parts);
  else
    with_team<T>(norm.inner, [&]<class Team, int held>() {
      launch(context, span_moments_kernel<Team, T, held>, row_grid<Team>(context, rows * parts), norm, moments.as<Pair>());
    });
  launch(context, merge_moments_kernel<T>, row_grid<WarpTeam>(context, rows), norm, moments.as<const Pair>(), parts,
         merged.as<Pair>());
  if (columns)
    return launch(context, normalize_columns_kernel<T>, grid_stride(context, rows * norm.batch, kThreads), norm,
                  merged.as<const Pair>());
  with_team<T>(norm.inner, [&]<class Team, int held>() {
    launch(context, normalize_spans_kernel<Team, T, held>, row_grid<Team>(context, rows * norm.batch), norm,
           merged.as<const Pair>());
  });
}

template <class T>
void forward(const Context& context, const Norm<T>& norm, bool over_batch) {
  if (over_batch) return batch_forward(context, norm);
  with_team<T>(norm.row_size, [&]<class Team, int held>() {
    launch(context, norm.inner == 1 ? normalize_rows_kernel<Team, T, held, true> : normalize_rows_kernel<Team, T, held, false>,
           row_grid<Team>(context, norm.sets * norm.rows), norm);
  });
}

/// Adds over slabs or spans, then over those; keeps the totals, (sets, weights), if asked.
template <class T>
void learn(const Context& context, const Norm<T>& norm, bool over_batch, Pair* totals) {
  const bool columns = norm.inner == 1;
  const std::int64_t parts = columns ? slabs_of(norm.batch) : norm.batch, count = norm.sets * parts * norm.weights;
  const Scratch sums(context, pair_bytes(count));
  if (columns)
    launch(context, slab_sums_kernel<T>, grid_stride(context, count, kThreads), norm, sums.as<Pair>(), parts, over_batch);
  else
    with_team<T>(norm.inner, [&]<class Team, int held>() {
      launch(context, span_sums_kernel<Team, T, held>, row_grid<Team>(context, count), norm, sums.as<Pair>(), over_batch);
    });
  launch(context, fold_sums_kernel<T>, grid_stride(context, norm.sets * norm.weights, kThreads), norm, sums.as<const Pair>(), parts,
         totals);
}

template <class T>
void batch_backward(const Context& context, const Norm<T>& norm) {
  const std::int64_t rows = norm.sets * norm.groups;
  const Scratch totals(context, pair_bytes(rows));
  learn(context, norm, true, totals.as<Pair>());
  if (!norm.dx.data) return;
  if (norm.inner == 1)
    return launch(context, columns_backward_kernel<T>, grid_stride(context, rows * norm.batch, kThreads), norm,
                  totals.as<const Pair>());
  with_team<T>(norm.inner, [&]<class Team, int held>() {
    launch(context, spans_backward_kernel<Team, T, held>, row_grid<Team>(context, rows * norm.batch), norm,
           totals.as<const Pair>());
  });
}

template <class T>
void backward(const Context& context, const Norm<T>& norm, bool over_batch) {
  if (over_batch) return batch_backward(context, norm);
  if (norm.dx.data)
    with_team<T>(norm.row_size, [&]<class Team, int held>() {
      launch(context, norm.inner == 1 ? rows_backward_kernel<Team, T, held, true> : rows_backward_kernel<Team, T, held, false>,
             row_grid<Team>(context, norm.sets * norm.rows), norm);
    });
  if (norm.dweight.data || norm.dbias.data) learn(context, norm, false, static_cast<Pair*>(nullptr));
}

}  // namespace

void run(const Context& context, const Normalization& call) {
  with_floating(call.x.dtype, [&]<class T>() {
    const Norm<T> norm(call);
    return call.direction == Direction::Forward ? forward<T>(context, norm, call.over_batch)
                                                : backward<T>(context, norm, call.over_batch);
  });
}

}  // namespace luge::cuda
