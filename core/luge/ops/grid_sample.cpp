#include <luge/ops/grid_sample.h>

#include <array>

#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/rounded_once.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/index.h>
#include <luge/ops/join.h>
#include <luge/ops/matmul.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

/// From -1 ... 1 to places in elements.
Tensor in_elements(const Tensor& x, std::int64_t size, bool align_corners) {
  const auto count = static_cast<double>(size);
  return align_corners ? (x + 1) / 2 * (count - 1) : ((x + 1) * count - 1) / 2;
}

/// A place mirrored at both ends as often as it takes.
Tensor reflected(const Tensor& place, double low, double high) {
  if (low == high) return place * 0;
  const double span = high - low;
  const Tensor distance = abs(place - low);
  const Tensor times = floor(distance.detach() / span);
  const Tensor rest = distance - times * span;
  const Tensor even = fmod(times, 2) == 0;
  return where(even, rest + low, span - rest + low);
}

Tensor padded(const Tensor& place, std::int64_t size, const GridSampleOptions& options) {
  const auto last = static_cast<double>(size - 1);
  switch (options.padding) {
    case GridPadding::Zeros: return place;
    case GridPadding::Border: return place.clamp(0, last);
    case GridPadding::Reflection: break;
  }
  return (options.align_corners ? reflected(place, 0, last) : reflected(place, -0.5, last + 0.5)).clamp(0, last);
}

/// One neighbour along one dimension: a whole number, and what it counts for.
struct Neighbour {
  Tensor place, weight;
};

/// The elements at one neighbour of each dimension, weighted; 0 outside.
Tensor term(const Tensor& flat, const Shape& spatial, const std::vector<Neighbour>& at) {
  Tensor index, weight, inside;
  for (int d = 0; d < spatial.ndim(); ++d) {
    const auto k = static_cast<std::size_t>(d);
    const auto last = static_cast<double>(spatial[d] - 1);
    const Tensor place = at[k].place.detach();
    const Tensor within = (place >= 0).logical_and(place <= last);
    const Tensor whole = where(within, place, 0).to(DType::Int64);
    index = index.defined() ? index * spatial[d] + whole : whole;
    inside = inside.defined() ? inside.logical_and(within) : within;
    weight = weight.defined() ? weight * at[k].weight : at[k].weight;
  }
  const Tensor values = gather(flat, 2, index.unsqueeze(1).expand({-1, flat.size(1), -1}));
  return values * where(inside, weight, 0).unsqueeze(1);
}

/// Keys' kernel at distances 1 + t, t, 1 - t and 2 - t.
std::array<Tensor, 4> cubic_weights(const Tensor& t) {
  constexpr double kA = -0.75;
  const auto near = [&](const Tensor& d) { return (d * (kA + 2) - (kA + 3)) * d * d + 1; };
  const auto far = [&](const Tensor& d) { return ((d * kA - 5 * kA) * d + 8 * kA) * d - 4 * kA; };
  return {far(t + 1), near(t), near(1 - t), far(2 - t)};
}

void check_arguments(const Tensor& input, const Tensor& grid, const GridSampleOptions& options) {
  constexpr const char* kOp = "grid_sample";
  const TensorImpl& x = checked(input, kOp);
  const TensorImpl& at = checked(grid, kOp, "grid");
  LUGE_CHECK(DTypeError, is_floating(x.dtype) && at.dtype == x.dtype,
             "{}: input is {} and grid is {}; they must be of one floating dtype", kOp, name(x.dtype), name(at.dtype));
  const int ndim = x.shape.ndim();
  LUGE_CHECK(ShapeError, ndim == 4 || ndim == 5, "{}: input has shape {}; it must have 4 or 5 dimensions", kOp, to_string(x.shape));
  LUGE_CHECK(ShapeError, at.shape.ndim() == ndim && at.shape[0] == x.shape[0] && at.shape.back() == ndim - 2,
             "{}: input has shape {} and grid has {}; grid must be ({}, {}{})", kOp, to_string(x.shape), to_string(at.shape),
             x.shape[0], ndim == 4 ? "rows, columns, " : "depth, rows, columns, ", ndim - 2);
  for (int d = 2; d < ndim; ++d)
    LUGE_CHECK(ShapeError, x.shape[d] > 0, "{}: input has shape {}; there is nothing to sample", kOp, to_string(x.shape));
  LUGE_CHECK(ValueError, options.mode != GridMode::Cubic || ndim == 4, "{}: mode 'bicubic' is for 4 dimensions; input has shape {}",
             kOp, to_string(x.shape));
}

Tensor sampled(const Tensor& input, const Tensor& grid, const GridSampleOptions& options) {
  const int dims = input.ndim() - 2;
  const std::int64_t batch = input.size(0), channels = input.size(1);
  Shape spatial, result = Shape{batch, channels};
  for (int d = 0; d < dims; ++d) {
    spatial.push_back(input.shape()[d + 2]);
    result.push_back(grid.shape()[d + 1]);
  }
  const std::int64_t elements = element_count(spatial);
  std::int64_t points = 1;
  for (int d = 0; d < dims; ++d) points *= grid.shape()[d + 1];
  const Tensor flat = input.reshape({batch, channels, elements}), at = grid.reshape({batch, points, dims});
  std::vector<std::vector<Neighbour>> choices;
  for (int d = 0; d < dims; ++d) {
    const std::int64_t size = spatial[d];
    const Tensor x = in_elements(at.select(2, dims - 1 - d), size, options.align_corners);
    if (options.mode == GridMode::Cubic) {
      const Tensor low = floor(x.detach());
      const std::array<Tensor, 4> weights = cubic_weights(x - low);
      std::vector<Neighbour> four;
      for (int i = 0; i < 4; ++i) four.push_back({round(padded(low + (i - 1), size, options)), weights[static_cast<std::size_t>(i)]});
      choices.push_back(std::move(four));
      continue;
    }
    const Tensor place = padded(x, size, options);
    if (options.mode == GridMode::Nearest) {
      choices.push_back({{round(place.detach()), ones_like(place.detach())}});
      continue;
    }
    const Tensor low = floor(place.detach()), part = place - low;
    choices.push_back({{low, 1 - part}, {low + 1, part}});
  }
  Tensor sum;
  std::vector<std::size_t> chosen(choices.size(), 0);
  for (bool more = true; more;) {
    std::vector<Neighbour> neighbours;
    for (std::size_t d = 0; d < choices.size(); ++d) neighbours.push_back(choices[d][chosen[d]]);
    const Tensor next = term(flat, spatial, neighbours);
    sum = sum.defined() ? sum + next : next;
    more = false;
    for (std::size_t d = choices.size(); d-- > 0 && !more;) {
      chosen[d] = (chosen[d] + 1) % choices[d].size();
      more = chosen[d] != 0;
    }
  }
  return sum.reshape(result);
}

}  // namespace

Tensor grid_sample(const Tensor& input, const Tensor& grid, const GridSampleOptions& options) {
  const Operation called("grid_sample");
  check_arguments(input, grid, options);
  return rounded_once(input, [&](const Tensor& wide) { return sampled(wide, grid.to(wide.dtype()), options); });
}

Tensor affine_grid(const Tensor& theta, const std::vector<std::int64_t>& size, bool align_corners) {
  constexpr const char* kOp = "affine_grid";
  const Operation called(kOp);
  const TensorImpl& maps = checked(theta, kOp, "theta");
  LUGE_CHECK(DTypeError, is_floating(maps.dtype), "{}: theta is {}; allowed are the floating dtypes", kOp, name(maps.dtype));
  LUGE_CHECK(ValueError, size.size() == 4 || size.size() == 5, "{}: size has {} numbers; it must have 4 or 5", kOp, size.size());
  for (const std::int64_t number : size) LUGE_CHECK(ValueError, number > 0, "{}: a size is {}; it must be 1 or more", kOp, number);
  const auto dims = static_cast<std::int64_t>(size.size()) - 2;
  LUGE_CHECK(ShapeError, maps.shape == Shape({size[0], dims, dims + 1}), "{}: theta has shape {}; it must be ({}, {}, {})", kOp,
             to_string(maps.shape), size[0], dims, dims + 1);
  return rounded_once(theta, [&](const Tensor& wide) {
    const TensorOptions options{.dtype = wide.dtype(), .device = wide.device()};
    Shape lattice;
    std::int64_t points = 1;
    for (std::int64_t d = 0; d < dims; ++d) {
      lattice.push_back(size[static_cast<std::size_t>(d) + 2]);
      points *= size[static_cast<std::size_t>(d) + 2];
    }
    std::vector<Tensor> columns;
    for (std::int64_t d = dims - 1; d >= 0; --d) {
      const std::int64_t count = size[static_cast<std::size_t>(d) + 2];
      Tensor places = count > 1 ? linspace(-1, 1, count, options) : zeros({1}, options);
      if (!align_corners) places = places * (static_cast<double>(count - 1) / static_cast<double>(count));
      Shape along = Dims::filled(lattice.ndim(), 1);
      along[static_cast<int>(d)] = count;
      columns.push_back(places.reshape(along).expand(lattice).reshape({points}));
    }
    columns.push_back(ones({points}, options));
    const Tensor base = stack(columns, 1);
    Shape result = Shape{size[0]};
    for (const std::int64_t number : lattice) result.push_back(number);
    result.push_back(dims);
    return matmul(base.unsqueeze(0), wide.transpose(1, 2)).reshape(result);
  });
}

}  // namespace luge
