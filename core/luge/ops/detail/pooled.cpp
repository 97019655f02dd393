// Windows of few elements are folded element by element: each makes a tensor of as many values as there are windows, and
// capture fuses the comparisons into one pass. A window of many elements is taken dimension by dimension.

#include <luge/ops/detail/pooled.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>

#include <luge/autograd/grad_mode.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/derivative_node.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/index.h>
#include <luge/ops/reduce.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

constexpr std::int64_t kFewInLine = 16;  ///< elements that are folded one by one

std::int64_t elements_of(const std::vector<Along>& along) {
  std::int64_t count = 1;
  for (const Along& a : along) count *= a.kernel;
  return count;
}

/// Whether windows are taken as a whole. Those that overlap are cheaper dimension by dimension: elements that are in several
/// windows are compared, or added, once.
bool at_once(const std::vector<Along>& along) {
  bool tiles = true;
  int wide = 0;
  for (const Along& a : along) {
    tiles &= a.tiles();
    wide += a.kernel > 1;
  }
  return wide < 2 || (tiles && elements_of(along) <= kFewInLine);
}

/// Windows of one element each along all dimensions but `at`.
std::vector<Along> only(const std::vector<Along>& along, std::size_t at) {
  std::vector<Along> result = along;
  for (std::size_t d = 0; d < along.size(); ++d)
    if (d != at) result[d] = Along{.in = d < at ? along[d].in : along[d].out, .out = d < at ? along[d].in : along[d].out};
  return result;
}

Scalar lowest_of(DType dtype) {
  switch (dtype) {
    case DType::UInt8: return std::int64_t{0};
    case DType::Int8: return static_cast<std::int64_t>(std::numeric_limits<std::int8_t>::min());
    case DType::Int16: return static_cast<std::int64_t>(std::numeric_limits<std::int16_t>::min());
    case DType::Int32: return static_cast<std::int64_t>(std::numeric_limits<std::int32_t>::min());
    case DType::Int64: return std::numeric_limits<std::int64_t>::min();
    default: return -std::numeric_limits<double>::infinity();
  }
}

/// Element `i` of every window, row by row, with the dimensions of elements as 1. A copy without gaps: what follows is fused
/// into one pass, which strided operands are not.
Tensor element(const Windows& windows, std::int64_t i) {
  Tensor result = windows.values;
  for (std::size_t d = windows.elements.size(); d-- > 0;) {
    const int at = windows.elements[d];
    const std::int64_t size = windows.values.shape()[at];
    result = result.slice(at, i % size, i % size + 1);
    i /= size;
  }
  return result.contiguous();
}

/// What element() counts, of the dtype, broadcast against windows of this shape.
Tensor numbers_of(const Shape& shape, const std::vector<int>& elements, DType dtype, Device device) {
  Tensor result;
  std::int64_t step = 1;
  for (std::size_t d = elements.size(); d-- > 0;) {
    const std::int64_t size = shape[elements[d]];
    if (size == 1 && (d > 0 || result.defined())) continue;
    Shape row = Dims::filled(shape.ndim(), 1);
    row[elements[d]] = size;
    const Tensor own = (arange(size, {.dtype = DType::Int64, .device = device}) * step).to(dtype).view(row);
    result = result.defined() ? result + own : own;
    step *= size;
  }
  return result;
}

DimList element_dims(const Windows& windows) { return DimList(windows.elements); }

/// The number of the first element of each window that is in x, not in the padding before it; undefined without padding.
Tensor first_inside(const Windows& windows, const std::vector<Along>& along, DType dtype) {
  Tensor result;
  std::int64_t step = 1;
  for (std::size_t d = along.size(); d-- > 0;) {
    const Along& a = along[d];
    if (a.padding > 0) {
      const Tensor before = clamp(-starts(a, windows.values.device()), 0, std::nullopt);
      Shape shape = Dims::filled(windows.values.ndim(), 1);
      shape[windows.counts[d]] = a.out;
      const Tensor own = (floor_divide(before + (a.dilation - 1), a.dilation) * step).to(dtype).view(shape);
      result = result.defined() ? result + own : own;
    }
    step *= a.kernel;
  }
  return result;
}

struct Picked {
  Tensor values, numbers;  ///< dimensions of elements are 1
};

Picked folded(const Windows& windows, const Tensor& first, std::int64_t count, DType dtype) {
  const DType own = windows.values.dtype();
  const auto beats = [&](const Tensor& value, const auto& best) {
    const Tensor greater = value > best;
    return is_floating(own) ? greater.logical_or(value.isnan()) : greater;
  };
  Picked best{element(windows, 0), {}};
  if (first.defined()) best.numbers = where(beats(best.values, lowest_of(own)), 0, first);
  for (std::int64_t i = 1; i < count; ++i) {
    const Tensor value = element(windows, i), wins = beats(value, best.values);
    if (!best.numbers.defined()) best.numbers = zeros({}, {.dtype = dtype, .device = value.device()});
    best.numbers = where(wins, i, best.numbers);
    best.values = where(wins, value, best.values);
  }
  if (!best.numbers.defined()) best.numbers = zeros(best.values.shape(), {.dtype = dtype, .device = best.values.device()});
  if (best.values.storage() == windows.values.storage()) best.values = best.values.clone();
  return best;
}

Picked reduced(const Windows& windows, const Tensor& first, DType dtype) {
  const DimList dims = element_dims(windows);
  Picked best{windows.values.max(dims, true), windows.values.argmax(dims, true).to(dtype)};
  if (is_floating(windows.values.dtype())) {  // of several NaN the last one, as folded() has it
    const Tensor numbers = numbers_of(windows.values.shape(), windows.elements, dtype, best.values.device());
    best.numbers = where(best.values.isnan(), where(windows.values.isnan(), numbers, -1).max(dims, true), best.numbers);
  }
  // What is all padding, or equal to it, has its place in x.
  if (first.defined()) best.numbers = where(best.values == lowest_of(windows.values.dtype()), first, best.numbers);
  return best;
}

/// In one stage; `numbers` are those of the elements, (batch, outs...).
Picked stage(const char* op, const Tensor& x, const std::vector<Along>& along) {
  const Windows windows = windows_of(x, along, lowest_of(x.dtype()));
  const std::int64_t count = elements_of(along);
  const DType dtype = !is_floating(x.dtype()) || count > 1 << 24 ? DType::Int64 : arithmetic_dtype(x.dtype());
  const auto numbers = std::make_shared<Tensor>();
  const auto pick = [&] {
    const Tensor first = first_inside(windows, along, dtype);
    const Picked picked = count <= kFewInLine ? folded(windows, first, count, dtype) : reduced(windows, first, dtype);
    *numbers = picked.numbers;
    return picked.values;
  };
  const auto way_back = [numbers, dtype, shape = windows.values.shape(), elements = windows.elements](const Tensor& gradient,
                                                                                                      std::span<const Tensor>) {
    return std::vector<Tensor>{where(numbers_of(shape, elements, dtype, gradient.device()) == *numbers, gradient, 0)};
  };
  const Tensor values = with_derivative(op, {windows.values}, pick, way_back);
  const Shape shape = pooled_shape(x, along);
  return {values.reshape(shape), numbers->expand(values.shape()).reshape(shape)};
}

/// Places in dimension `a` of the elements with these numbers along it, for windows in dimension `at`.
Tensor places_of(const Tensor& numbers, const Along& a, int at) {
  Shape shape = Dims::filled(numbers.ndim(), 1);
  shape[at] = a.out;
  const Tensor first = starts(a, numbers.device()).view(shape);
  if (!a.adaptive) return first + numbers * a.dilation;
  return minimum(first + numbers, ends(a, numbers.device()).view(shape) - 1);
}

}  // namespace

Pooled largest(const char* op, const Tensor& x, const std::vector<Along>& along, bool with_indices) {
  if (at_once(along)) {
    const Picked picked = stage(op, x, along);
    Pooled result{picked.values, {}};
    if (!with_indices) return result;
    const NoGrad guard;
    Tensor rest = picked.numbers.to(DType::Int64);
    std::int64_t step = 1;
    for (std::size_t d = along.size(); d-- > 0;) {
      const Tensor own = remainder(rest, along[d].kernel);
      const Tensor places = places_of(own, along[d], static_cast<int>(d) + 1) * step;
      result.indices = result.indices.defined() ? result.indices + places : places;
      rest = floor_divide(rest, along[d].kernel);
      step *= along[d].in;
    }
    return result;
  }
  Pooled result{x, {}};
  std::int64_t step = 1;
  for (std::size_t d = along.size(); d-- > 0;) {
    const Picked picked = stage(op, result.values, only(along, d));
    result.values = picked.values;
    if (!with_indices) continue;
    const NoGrad guard;
    const int at = static_cast<int>(d) + 1;
    const Tensor places = places_of(picked.numbers.to(DType::Int64), along[d], at);
    result.indices = result.indices.defined() ? result.indices.gather(at, places) + places * step : places;
    step *= along[d].in;
  }
  return result;
}

namespace {

/// Windows with zeros in the places that the shorter ones of adaptive pooling do not have.
Tensor without_repeats(const Windows& windows, const std::vector<Along>& along) {
  Tensor values = windows.values;
  for (std::size_t d = 0; d < along.size(); ++d) {
    const Along& a = along[d];
    if (!a.adaptive || a.tiles()) continue;
    const Tensor sizes = ends(a, values.device()) - starts(a, values.device());
    const Tensor there = arange(a.kernel, {.dtype = DType::Int64, .device = values.device()}) < sizes.unsqueeze(1);
    Shape shape = Dims::filled(values.ndim(), 1);
    shape[windows.counts[d]] = a.out;
    shape[windows.elements[d]] = a.kernel;
    values = where(there.view(shape), values, 0);
  }
  return values;
}

Tensor sum_stage(const char* op, const Tensor& x, const std::vector<Along>& along) {
  Windows windows = windows_of(x, along, 0);
  windows.values = without_repeats(windows, along);
  const std::int64_t count = elements_of(along);
  const auto add = [&] {
    if (count > kFewInLine) return windows.values.sum(element_dims(windows), true);
    Tensor sum = element(windows, 0);
    for (std::int64_t i = 1; i < count; ++i) sum = i == 1 ? sum + element(windows, i) : sum.add_(element(windows, i));
    return count == 1 ? sum.clone() : sum;
  };
  const auto way_back = [shape = windows.values.shape()](const Tensor& gradient, std::span<const Tensor>) {
    return std::vector<Tensor>{gradient.expand(shape)};
  };
  return with_derivative(op, {windows.values}, add, way_back).reshape(pooled_shape(x, along));
}

}  // namespace

Tensor window_sums(const char* op, const Tensor& x, const std::vector<Along>& along) {
  bool tiles = true;
  for (const Along& a : along) tiles &= a.tiles();
  if (tiles || at_once(along)) return sum_stage(op, x, along);
  Tensor sums = x;
  for (std::size_t d = along.size(); d-- > 0;) sums = sum_stage(op, sums, only(along, d));
  return sums;
}

}  // namespace luge
