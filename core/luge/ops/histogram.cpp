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

/// x's elements in a row, and a place for each: that of its interval, or `bins` where it is in none.
Histogram counted(const Tensor& flat, const Tensor& place, std::int64_t bins, const Tensor& edges, const Tensor& weight,
                  bool density) {
  Tensor hist = weight.defined() ? totals(weight.detach().reshape({flat.numel()}), place, bins + 1)
                                 : occurrences(place, bins + 1).to(flat.dtype());
  hist = hist.slice(0, 0, bins).clone();
  if (density) hist = hist / (hist.sum() * (edges.slice(0, 1) - edges.slice(0, 0, bins)));
  return {hist, edges};
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
  if (!weights.defined()) return occurrences(place, size).to(DType::Int64);
  return totals(weights.detach().to(weights.dtype() == DType::Float32 ? DType::Float32 : DType::Float64), place, size);
}

Tensor histc(const Tensor& x, std::int64_t bins, double min, double max, SourceLocation location) {
  const TensorImpl& impl = checked(x, "histc");
  LUGE_CHECK(DTypeError, is_floating(impl.dtype), "histc: the tensor is {}; allowed are the floating dtypes",
             name(impl.dtype));
  check_bins("histc", bins);
  check_range("histc", min, max);
  const Operation called("histc");
  const NoGrad guard;
  const Tensor flat = x.detach().reshape({impl.numel}).to(arithmetic_dtype(impl.dtype));
  if (min == max) {
    std::tie(min, max) = ends("histc", flat, location);
    check_range("histc", min, max);
  }
  if (min == max) min -= 1, max += 1;
  const Tensor inside = flat.ge(min).logical_and(flat.le(max));
  const Tensor low = full({}, min, {.dtype = flat.dtype(), .device = x.device()});
  const Tensor width = full({}, max, {.dtype = flat.dtype(), .device = x.device()}) - low;
  const Tensor found = (where(inside, flat, low) - low) * static_cast<double>(bins) / width;
  const Tensor place = where(inside, minimum(found.to(DType::Int64), bins - 1), bins);
  return counted(flat, place, bins, {}, {}, false).hist.to(impl.dtype);
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
  const Tensor edges = bins.detach().contiguous(), flat = x.detach().reshape({x.numel()});
  const Tensor last = edges.slice(0, count);
  const Tensor inside = flat.ge(edges.slice(0, 0, 1)).logical_and(flat.le(last));
  const Tensor found = minimum(bisect(edges, flat, true) - 1, count - 1);
  return counted(flat, where(inside, found, count), count, edges, weight, density);
}

Histogram histogram(const Tensor& x, std::int64_t bins, std::optional<std::pair<double, double>> range,
                    const Tensor& weight, bool density, SourceLocation location) {
  check_histogram(x, weight);
  check_bins("histogram", bins);
  auto [low, high] = range ? *range : ends("histogram", x, location);
  check_range("histogram", low, high);
  if (low == high && (range || x.numel() > 0)) low -= 0.5, high += 0.5;
  if (low == high) high += 1;
  const Operation called("histogram");
  return histogram(x, linspace(low, high, bins + 1, {.dtype = x.dtype(), .device = x.device()}), weight, density);
}

}  // namespace luge
