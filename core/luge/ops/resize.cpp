#include <luge/ops/resize.h>

#include <algorithm>

#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/rounded_once.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/index.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

/// Along one dimension: its size before and after, and the distance of neighbours in x's elements.
struct Axis {
  int dim;
  std::int64_t from, to;
  double step;
};

/// Element i of the result is the sum of weight[i] x[index[i]] over these.
struct Tap {
  Tensor index;   ///< int64
  Tensor weight;  ///< undefined: 1
};

Tensor places(const Tensor& x, std::int64_t count) { return arange(0, count, 1, {.dtype = x.dtype(), .device = x.device()}); }

Tensor inside(const Tensor& index, std::int64_t size) { return index.to(DType::Int64).clamp(0, size - 1); }

std::vector<Tap> nearest_taps(const Tensor& x, const Axis& axis, double offset) {
  // Places are float32 numbers in PyTorch, whatever x is; a ratio of sizes that are 1 or 2 to 1 is taken as it is.
  const Tensor i = arange(0, axis.to, 1, {.dtype = DType::Float32, .device = x.device()});
  if (offset == 0 && axis.to == 2 * axis.from) return {{inside(floor(i * 0.5), axis.from), {}}};
  return {{inside(floor((offset == 0 ? i : i + offset) * axis.step), axis.from), {}}};
}

Tensor source_places(const Tensor& x, const Axis& axis, bool align_corners) {
  const Tensor i = places(x, axis.to);
  return align_corners ? i * axis.step : (i + 0.5) * axis.step - 0.5;
}

std::vector<Tap> linear_taps(const Tensor& x, const Axis& axis, bool align_corners) {
  const Tensor place = source_places(x, axis, align_corners).clamp(0, {});
  const Tensor low = floor(place).clamp(0, axis.from - 1);
  const Tensor part = (place - low).clamp(0, 1);
  return {{inside(low, axis.from), 1 - part}, {inside(low + 1, axis.from), part}};
}

std::vector<Tap> cubic_taps(const Tensor& x, const Axis& axis, bool align_corners) {
  constexpr double kA = -0.75;
  const Tensor place = source_places(x, axis, align_corners);
  const Tensor low = floor(place);
  const Tensor part = place - low;
  const auto near = [&](const Tensor& d) { return ((d * (kA + 2) - (kA + 3)) * d * d) + 1; };
  const auto far = [&](const Tensor& d) { return ((d * kA - 5 * kA) * d + 8 * kA) * d - 4 * kA; };
  return {{inside(low - 1, axis.from), far(part + 1)},
          {inside(low, axis.from), near(part)},
          {inside(low + 1, axis.from), near(1 - part)},
          {inside(low + 2, axis.from), far(2 - part)}};
}

std::vector<Tap> area_taps(const Tensor& x, const Axis& axis) {
  const Tensor i = arange(0, axis.to, 1, {.dtype = DType::Int64, .device = x.device()});
  const Tensor starts = floor_divide(i * axis.from, axis.to);
  const Tensor ends = floor_divide((i + 1) * axis.from + (axis.to - 1), axis.to);
  const Tensor share = 1 / (ends - starts).to(x.dtype());
  const std::int64_t most = (axis.from + axis.to - 1) / axis.to + (axis.from % axis.to ? 1 : 0);
  std::vector<Tap> taps;
  for (std::int64_t k = 0; k < most; ++k) {
    const Tensor at = starts + k;
    taps.push_back({inside(at, axis.from), where(at < ends, share, 0)});
  }
  return taps;
}

Tensor resampled(const Tensor& x, const Axis& axis, const ResizeOptions& options) {
  std::vector<Tap> taps;
  switch (options.mode) {
    case Resize::Nearest: taps = nearest_taps(x, axis, 0); break;
    case Resize::NearestExact: taps = nearest_taps(x, axis, 0.5); break;
    case Resize::Linear: taps = linear_taps(x, axis, options.align_corners); break;
    case Resize::Cubic: taps = cubic_taps(x, axis, options.align_corners); break;
    case Resize::Area: taps = area_taps(x, axis); break;
  }
  Shape along = Dims::filled(x.ndim(), 1);
  along[axis.dim] = axis.to;
  Tensor result;
  for (const Tap& tap : taps) {
    Tensor term = index_select(x, axis.dim, tap.index);
    if (tap.weight.defined()) term = term * tap.weight.reshape(along);
    result = result.defined() ? result + term : term;
  }
  return result;
}

double step_of(std::int64_t from, std::int64_t to, const ResizeOptions& options, std::size_t i) {
  if (options.align_corners) return to > 1 ? static_cast<double>(from - 1) / static_cast<double>(to - 1) : 0;
  if (!options.scales.empty()) return 1 / options.scales[i];
  return static_cast<double>(from) / static_cast<double>(to);
}

}  // namespace

Tensor resize(const Tensor& x, const std::vector<std::int64_t>& sizes, const ResizeOptions& options) {
  constexpr const char* kOp = "interpolate";
  const Operation called(kOp);
  const DType dtype = checked(x, kOp).dtype;
  LUGE_CHECK(DTypeError, is_floating(dtype), "{}: the tensor is {}; allowed are the floating dtypes", kOp, name(dtype));
  const int spatial = static_cast<int>(sizes.size());
  LUGE_CHECK(ShapeError, x.ndim() >= spatial, "{}: the tensor has shape {}; {} sizes are given", kOp, to_string(x.shape()), spatial);
  const bool smooth = options.mode == Resize::Linear || options.mode == Resize::Cubic;
  LUGE_CHECK(ValueError, smooth || !options.align_corners, "{}: align_corners goes with linear and cubic modes alone", kOp);
  LUGE_CHECK(ValueError, options.scales.empty() || options.scales.size() == sizes.size(),
             "{}: {} scales and {} sizes are given; there must be as many", kOp, options.scales.size(), sizes.size());
  for (const double scale : options.scales)
    LUGE_CHECK(ValueError, scale > 0, "{}: a scale is {}; it must be above 0", kOp, scale);
  for (int i = 0; i < spatial; ++i) {
    const std::int64_t size = sizes[static_cast<std::size_t>(i)], from = x.shape()[x.ndim() - spatial + i];
    LUGE_CHECK(ValueError, size > 0, "{}: size is {}; it must be 1 or more", kOp, size);
    LUGE_CHECK(ShapeError, from > 0, "{}: the tensor has shape {}; there is nothing to interpolate", kOp, to_string(x.shape()));
  }
  return rounded_once(x, [&](const Tensor& wide) {
    Tensor result = wide;
    for (int i = spatial - 1; i >= 0; --i) {
      const auto k = static_cast<std::size_t>(i);
      const int dim = x.ndim() - spatial + i;
      const std::int64_t from = x.shape()[dim], to = sizes[k];
      const Axis axis{dim, from, to, step_of(from, to, options, k)};
      // Sizes that stay have their elements stay, but for cubic ones with a scale of their own.
      const bool same = from == to && (options.mode == Resize::Nearest || options.scales.empty() || options.mode == Resize::Area);
      if (!same) result = resampled(result, axis, options);
    }
    return result;
  });
}

}  // namespace luge
