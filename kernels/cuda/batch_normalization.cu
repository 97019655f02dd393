// Batch normalization, and the gradients of the weights of every normalization.
//   images    each image's part of a row is a span, with a warp or a block of its own
//   columns   where that is one element, a thread takes a slab of images
// Moments of spans and slabs are merged by the formula of T. F. Chan, G. H. Golub, R. J. LeVeque, 1983. Gradients of weights
// are added in two stages: first over a slab of images or a span, then over those, in order. What is added together depends
// on the sizes of one set alone.

#include "normalization.cuh"

namespace luge::cuda::normalization {

namespace {

/// Images whose contributions to a weight one thread adds, and the most slabs of them.
constexpr std::int64_t kSlabImages = 32, kMostSlabs = 128;

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
#pragma unroll 16
      for (std::int64_t image = first; image < last; ++image) mean += static_cast<double>(x[image * norm.groups]);
      mean /= static_cast<double>(last - first);
    }
#pragma unroll 16
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

/// A column of some images, where inner is 1: neighbouring threads have neighbouring columns. Of all operands together
/// 64 bytes are loaded at once.
template <class T, int operands>
struct ColumnPart {
  static constexpr int kImages = 64 / static_cast<int>(sizeof(T)) / operands;

  std::int64_t set, group, at;  ///< `at`: of the first element in the set
  int images;

  __device__ ColumnPart(const Norm<T>& norm, std::int64_t unit, std::int64_t parts) {
    const std::int64_t item = quick_quotient(unit, norm.groups);
    set = quick_quotient(item, parts);
    group = unit - item * norm.groups;
    const std::int64_t first = (item - set * parts) * kImages, left = norm.batch - first;
    at = first * norm.groups + group;
    images = left < kImages ? static_cast<int>(left) : kImages;
  }
  static std::int64_t parts(const Norm<T>& norm) { return divide_up(norm.batch, kImages); }

  /// Whether all are there, at distances of 32 bits.
  __device__ bool is_whole(const Norm<T>& norm) const { return images == kImages && norm.groups <= (1 << 24); }
  /// All are on their way before the first is used. `whole`: all of them are there.
  template <bool whole>
  __device__ void load(const T* from, std::int64_t groups, T (&values)[kImages]) const {
    const auto apart = static_cast<std::conditional_t<whole, int, std::int64_t>>(groups);
    from += at;
#pragma unroll
    for (int i = 0; i < kImages; ++i)
      if (whole || i < images) values[i] = from[i * apart];
  }
  template <bool whole>
  __device__ void store(T* to, std::int64_t groups, const T (&values)[kImages]) const {
    const auto apart = static_cast<std::conditional_t<whole, int, std::int64_t>>(groups);
    to += at;
#pragma unroll
    for (int i = 0; i < kImages; ++i)
      if (whole || i < images) to[i * apart] = values[i];
  }
};

template <bool whole, class T>
__device__ inline void normalize_part(const Norm<T>& norm, const ColumnPart<T, 1>& part, const Pair* rows) {
  T values[ColumnPart<T, 1>::kImages] = {};
  part.template load<whole>(norm.x.of(part.set), norm.groups, values);
  const Affine<T> result(norm, rows[part.set * norm.groups + part.group], part.set, part.group);
#pragma unroll
  for (T& value : values) value = result(value);
  part.template store<whole>(norm.y.of(part.set), norm.groups, values);
}

/// A thread per part of a column.
template <class T>
__global__ void __launch_bounds__(kThreads, 3)
    normalize_columns_kernel(const Norm<T> norm, const Pair* rows, std::int64_t parts) {
  for (std::int64_t unit = grid_thread(); unit < norm.sets * parts * norm.groups; unit += grid_threads()) {
    const ColumnPart<T, 1> part(norm, unit, parts);
    if (part.is_whole(norm))
      normalize_part<true>(norm, part, rows);
    else
      normalize_part<false>(norm, part, rows);
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

template <bool whole, class T>
__device__ inline void part_backward(const Norm<T>& norm, const ColumnPart<T, 2>& part, const Pair* totals) {
  constexpr int n = ColumnPart<T, 2>::kImages;
  T x[n] = {}, dy[n] = {};
  part.template load<whole>(norm.x.of(part.set), norm.groups, x);
  part.template load<whole>(norm.dy.of(part.set), norm.groups, dy);
  const Slopes<T> slopes(norm, totals[part.set * norm.groups + part.group], part.set, part.group);
#pragma unroll
  for (int i = 0; i < n; ++i) dy[i] = slopes(x[i], dy[i]);
  T* const dx = norm.dx.of(part.set);
  if (norm.adds_x) {
    part.template load<whole>(dx, norm.groups, x);
#pragma unroll
    for (int i = 0; i < n; ++i) dy[i] = x[i] + dy[i];
  }
  part.template store<whole>(dx, norm.groups, dy);
}

/// A thread per part of a column.
template <class T>
__global__ void __launch_bounds__(kThreads, 3) columns_backward_kernel(const Norm<T> norm, const Pair* totals, std::int64_t parts) {
  for (std::int64_t unit = grid_thread(); unit < norm.sets * parts * norm.groups; unit += grid_threads()) {
    const ColumnPart<T, 2> part(norm, unit, parts);
    if (part.is_whole(norm))
      part_backward<true>(norm, part, totals);
    else
      part_backward<false>(norm, part, totals);
  }
}

// ---- launches -----------------------------------------------------------------------------------------

std::int64_t pair_bytes(std::int64_t count) { return count * static_cast<std::int64_t>(sizeof(Pair)); }

std::int64_t slabs_of(std::int64_t batch) { return std::clamp<std::int64_t>(batch / kSlabImages, 1, kMostSlabs); }

}  // namespace

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
    return launch(context, normalize_columns_kernel<T>, grid_stride(context, rows * ColumnPart<T, 1>::parts(norm), kThreads), norm,
                  merged.as<const Pair>(), ColumnPart<T, 1>::parts(norm));
  with_team<T>(norm.inner, [&]<class Team, int held>() {
    launch(context, normalize_spans_kernel<Team, T, held>, row_grid<Team>(context, rows * norm.batch), norm,
           merged.as<const Pair>());
  });
}

template <class T>
void batch_backward(const Context& context, const Norm<T>& norm) {
  const std::int64_t rows = norm.sets * norm.groups;
  const Scratch totals(context, pair_bytes(rows));
  learn(context, norm, true, totals.as<Pair>());
  if (!norm.dx.data) return;
  if (norm.inner == 1)
    return launch(context, columns_backward_kernel<T>, grid_stride(context, rows * ColumnPart<T, 2>::parts(norm), kThreads), norm,
                  totals.as<const Pair>(), ColumnPart<T, 2>::parts(norm));
  with_team<T>(norm.inner, [&]<class Team, int held>() {
    launch(context, spans_backward_kernel<Team, T, held>, row_grid<Team>(context, rows * norm.batch), norm,
           totals.as<const Pair>());
  });
}

template void learn(const Context&, const Norm<float>&, bool, Pair*);
template void learn(const Context&, const Norm<double>&, bool, Pair*);
template void batch_forward(const Context&, const Norm<float>&);
template void batch_forward(const Context&, const Norm<double>&);
template void batch_backward(const Context&, const Norm<float>&);
template void batch_backward(const Context&, const Norm<double>&);

}  // namespace luge::cuda::normalization
