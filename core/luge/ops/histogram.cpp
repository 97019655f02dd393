#include <luge/ops/histogram.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/detail/search.h>
#include <luge/seam/observer.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

constexpr std::int64_t kMostGuessed = std::int64_t{1} << 16;

void check_bins(const char* op, std::int64_t bins) {
  LUGE_CHECK(ValueError, bins > 0, "{}: bins is {}; it must be at least 1", op, bins);
}

void check_range(const char* op, double low, double high) {
  LUGE_CHECK(ValueError, std::isfinite(low) && std::isfinite(high), "{}: the range from {} to {} is not finite", op, low,
             high);
  LUGE_CHECK(ValueError, low <= high, "{}: the range is from {} to {}; its end must not lie before its begin", op, low,
             high);
}

/// The least and the largest element, read on the host; 0 and 0 of none.
std::pair<double, double> ends(const char* op, const Tensor& x, SourceLocation location) {
  refuse_capture(op, kHostRead, location);
  if (x.numel() == 0) return {0, 0};
  return {x.min().item(), x.max().item()};
}

/// How many of x's elements, or what weights, fall to each of `bins` places; `find` finds places in [0, bins] for a row of
/// them, of which the last one stands for none.
template <class Find>
Tensor counted(const Tensor& x, const Tensor& weight, std::int64_t bins, const Find& find) {
  const std::int64_t n = x.numel();
  const Tensor flat = x.detach().reshape({n});
  const Tensor one = ones({1}, {.dtype = DType::Int64, .device = x.device()});
  const Tensor shares = weight.defined() ? weight.detach().reshape({n}) : one.expand({n});
  const Tensor sums = zeros({bins + 1}, {.dtype = shares.dtype(), .device = x.device()});
  for_parts(n, x, [&](std::int64_t begin, std::int64_t end) {
    add_at(sums, find(flat.slice(0, begin, end)), shares.slice(0, begin, end));
  });
  return sums.slice(0, 0, bins).to(x.dtype()).clone();
}

Histogram finished(const Tensor& hist, const Tensor& edges, bool density) {
  if (!density) return {hist, edges};
  const std::int64_t bins = hist.numel();
  return {hist / (hist.sum() * (edges.slice(0, 1) - edges.slice(0, 0, bins))), edges};
}

/// Which elements lie between the first and the last edge.
Tensor inside(const Tensor& row, const Tensor& edges) {
  return row.ge(edges.slice(0, 0, 1)).logical_and(row.le(edges.slice(0, edges.numel() - 1)));
}

/// Places among edges that are equally far apart, but for rounding: a guess, corrected by one.
Tensor guessed(const Tensor& row, const Tensor& edges, double low, double high) {
  const std::int64_t bins = edges.numel() - 1;
  const Tensor is_inside = inside(row, edges), x = where(is_inside, row, low);
  const Tensor steps = (x - low) * (static_cast<double>(bins) / (high - low));
  const Tensor guess = clamp(steps.to(DType::Int64), Scalar(0), Scalar(bins - 1));
  const Tensor lower = where(x.lt(pick(edges, guess)), guess - 1, guess);
  const Tensor place = where(x.ge(pick(edges.slice(0, 1), lower)), lower + 1, lower);
  return where(is_inside, minimum(place, bins - 1), bins);
}

void check_histogram(const Tensor& x, const Tensor& weight) {
  const TensorImpl& impl = checked(x, "histogram");
  LUGE_CHECK(DTypeError, impl.dtype == DType::Float32 || impl.dtype == DType::Float64,
             "histogram: the tensor is {}; allowed are float32 and float64", name(impl.dtype));
  if (!weight.defined()) return;
  LUGE_CHECK(DTypeError, weight.dtype() == impl.dtype, "histogram: weight is {} and the tensor {}; they must have one dtype",
             name(weight.dtype()), name(impl.dtype));
  LUGE_CHECK(ShapeError, weight.shape() == impl.shape, "histogram: weight is {} and the tensor {}; they must have one shape",
             to_string(weight.shape()), to_string(impl.shape));
  LUGE_CHECK(DeviceError, weight.device() == x.device(), "histogram: weight is on {} and the tensor on {}",
             to_string(weight.device()), to_string(x.device()));
}

}  // namespace

Tensor bincount(const Tensor& x, const Tensor& weights, std::int64_t minlength, SourceLocation location) {
  const TensorImpl& impl = checked(x, "bincount");
  LUGE_CHECK(DTypeError, is_integral(impl.dtype), "bincount: the tensor is {}; allowed are the integer dtypes",
             name(impl.dtype));
  LUGE_CHECK(ShapeError, impl.shape.ndim() == 1, "bincount: the tensor is {}; it must have one dimension",
             to_string(impl.shape));
  LUGE_CHECK(ValueError, minlength >= 0, "bincount: minlength is {}; it must not be negative", minlength);
  if (weights.defined()) {
    LUGE_CHECK(ShapeError, weights.shape() == impl.shape, "bincount: weights is {} and the tensor {}; they must have one shape",
               to_string(weights.shape()), to_string(impl.shape));
    LUGE_CHECK(DeviceError, weights.device() == x.device(), "bincount: weights is on {} and the tensor on {}",
               to_string(weights.device()), to_string(x.device()));
  }
  refuse_capture("bincount", kHostRead, location);
  const Operation called("bincount");
  const NoGrad guard;
  if (impl.numel == 0) return zeros({minlength}, {.dtype = DType::Int64, .device = x.device()});
  const auto low = x.min().item<std::int64_t>();
  LUGE_CHECK(ValueError, low >= 0, "bincount: the tensor has {}; its elements must not be negative", low);
  const std::int64_t size = std::max(minlength, x.max().item<std::int64_t>() + 1);
  const Tensor place = x.to(DType::Int64);
  const DType dtype = !weights.defined()                      ? DType::Int64
                      : weights.dtype() == DType::Float32 ? DType::Float32
                                                          : DType::Float64;
  const Tensor sums = zeros({size}, {.dtype = dtype, .device = x.device()});
  const Tensor one = ones({1}, {.dtype = dtype, .device = x.device()});
  add_at(sums, place, weights.defined() ? weights.detach().to(dtype) : one.expand({impl.numel}));
  return sums;
}

Tensor histc(const Tensor& x, std::int64_t bins, double min, double max, SourceLocation location) {
  const TensorImpl& impl = checked(x, "histc");
  LUGE_CHECK(DTypeError, is_floating(impl.dtype), "histc: the tensor is {}; allowed are the floating dtypes",
             name(impl.dtype));
  check_bins("histc", bins);
  check_range("histc", min, max);
  const Operation called("histc");
  const NoGrad guard;
  const Tensor wide = x.detach().to(arithmetic_dtype(impl.dtype));
  if (min == max) {
    std::tie(min, max) = ends("histc", wide, location);
    check_range("histc", min, max);
  }
  if (min == max) min -= 1, max += 1;
  const TensorOptions alike{.dtype = wide.dtype(), .device = x.device()};
  const Tensor low = full({}, min, alike), width = full({}, max, alike) - low;
  const Tensor hist = counted(wide, {}, bins, [&](const Tensor& row) {
    const Tensor is_inside = row.ge(min).logical_and(row.le(max));
    const Tensor steps = (where(is_inside, row, low) - low) * static_cast<double>(bins) / width;
    return where(is_inside, minimum(steps.to(DType::Int64), bins - 1), bins);
  });
  return hist.to(impl.dtype);
}

Histogram histogram(const Tensor& x, const Tensor& bins, const Tensor& weight, bool density) {
  check_histogram(x, weight);
  checked(bins, "histogram", "bins");
  LUGE_CHECK(ShapeError, bins.ndim() == 1 && bins.numel() >= 2,
             "histogram: bins is {}; it must have one dimension with at least two edges", to_string(bins.shape()));
  LUGE_CHECK(DTypeError, bins.dtype() == x.dtype(), "histogram: bins is {} and the tensor {}; they must have one dtype",
             name(bins.dtype()), name(x.dtype()));
  LUGE_CHECK(DeviceError, bins.device() == x.device(), "histogram: bins is on {} and the tensor on {}",
             to_string(bins.device()), to_string(x.device()));
  const Operation called("histogram");
  const NoGrad guard;
  const std::int64_t count = bins.numel() - 1;
  const Tensor edges = bins.detach().contiguous();
  const Tensor hist = counted(x, weight, count, [&](const Tensor& row) {
    return where(inside(row, edges), minimum(bisect(edges, row, true) - 1, count - 1), count);
  });
  return finished(hist, edges, density);
}

Histogram histogram(const Tensor& x, std::int64_t bins, std::optional<std::pair<double, double>> range,
                    const Tensor& weight, bool density, SourceLocation location) {
  check_histogram(x, weight);
  check_bins("histogram", bins);
  double low = 0, high = 0;
  std::tie(low, high) = range ? *range : ends("histogram", x, location);
  check_range("histogram", low, high);
  if (low == high && (range || x.numel() > 0)) low -= 0.5, high += 0.5;
  if (low == high) high += 1;
  const Operation called("histogram");
  const NoGrad guard;
  const Tensor edges = linspace(low, high, bins + 1, {.dtype = x.dtype(), .device = x.device()});
  // Guesses need more bits than there are bins.
  if (bins > kMostGuessed) return histogram(x, edges, weight, density);
  const Tensor hist = counted(x, weight, bins, [&](const Tensor& row) { return guessed(row, edges, low, high); });
  return finished(hist, edges, density);
}

}  // namespace luge
