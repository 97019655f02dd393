#include <luge/ops/detail/windows.h>

#include <algorithm>

#include <fmt/ranges.h>

#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/index.h>
#include <luge/ops/window.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

bool Along::tiles() const {
  if (adaptive) return out > 0 && in % out == 0;
  return stride == kernel && dilation == 1 && padding == 0 && inside();
}

bool Along::inside() const { return adaptive || (padding == 0 && (out - 1) * stride + span() <= in); }

namespace {

constexpr std::int64_t kMost = std::int64_t{1} << 31;

std::int64_t number(const char* op, const char* argument, const Window& given, int dims, int d, std::int64_t least) {
  LUGE_CHECK(ValueError, given.size() == 1 || given.size() == static_cast<std::size_t>(dims),
             "{}: {} has {} numbers; it must have one{}", op, argument, given.size(),
             dims > 1 ? fmt::format(", or one for each of {} dimensions", dims) : "");
  const std::int64_t value = given.size() == 1 ? given[0] : given[static_cast<std::size_t>(d)];
  LUGE_CHECK(ValueError, value >= least && value < kMost, "{}: {} is {}; it must be {} or more", op, argument, value, least);
  return value;
}

/// The size of x in dimension `d` of those that windows are in.
std::int64_t size_of(const char* op, const Tensor& x, int dims, int d) {
  static constexpr const char* kSizes[] = {"length", "height, width", "depth, height, width"};
  LUGE_CHECK(ShapeError, x.ndim() >= dims + 1, "{}: the tensor has shape {}; it must be (..., channels, {})", op,
             to_string(x.shape()), kSizes[dims - 1]);
  return x.shape()[x.ndim() - dims + d];
}

}  // namespace

std::vector<Along> along_dims(const char* op, const Tensor& x, int dims, const Window& kernel, const Window& stride,
                              const Window& padding, const Window& dilation, bool ceil_mode) {
  std::vector<Along> result;
  for (int d = 0; d < dims; ++d) {
    Along along;
    along.in = size_of(op, x, dims, d);
    along.kernel = number(op, "kernel_size", kernel, dims, d, 1);
    along.stride = number(op, "stride", stride.empty() ? kernel : stride, dims, d, 1);
    along.padding = number(op, "padding", padding, dims, d, 0);
    along.dilation = number(op, "dilation", dilation, dims, d, 1);
    LUGE_CHECK(ValueError, along.kernel <= kMost / along.dilation, "{}: kernel_size {} with dilation {} is too large", op, along.kernel,
               along.dilation);
    LUGE_CHECK(ValueError, along.padding <= along.kernel / 2, "{}: padding is {}; it must be at most half of kernel_size, {}", op,
               along.padding, along.kernel);
    const std::int64_t room = along.in + 2 * along.padding - along.span();
    const std::int64_t up = ceil_mode ? along.stride - 1 : 0;
    along.out = room + up < 0 ? 0 : (room + up) / along.stride + 1;
    // The last window begins in x or in the padding before it.
    if (ceil_mode && (along.out - 1) * along.stride >= along.in + along.padding) --along.out;
    LUGE_CHECK(ShapeError, along.in > 0 && along.out > 0,
               "{}: the tensor has shape {}; a dimension of size {} with padding {} has no room for a window that is {} long", op,
               to_string(x.shape()), along.in, along.padding, along.span());
    result.push_back(along);
  }
  return result;
}

std::vector<Along> adaptive_dims(const char* op, const Tensor& x, int dims, const Window& size) {
  std::vector<Along> result;
  for (int d = 0; d < dims; ++d) {
    Along along;
    along.adaptive = true;
    along.in = size_of(op, x, dims, d);
    along.out = number(op, "output_size", size, dims, d, -1);
    if (along.out < 0) along.out = along.in;
    LUGE_CHECK(ShapeError, along.in > 0, "{}: the tensor has shape {}; its last {} dimensions must not be empty", op,
               to_string(x.shape()), dims);
    LUGE_CHECK(ShapeError, along.out < kMost / along.in, "{}: output_size {} is too large", op, along.out);
    for (std::int64_t i = 0; i < along.out; ++i)
      along.kernel = std::max(along.kernel, ((i + 1) * along.in + along.out - 1) / along.out - i * along.in / along.out);
    along.stride = along.kernel;
    result.push_back(along);
  }
  return result;
}

Tensor as_batch(const Tensor& x, const std::vector<Along>& along) {
  const int dims = static_cast<int>(along.size()), lead = x.ndim() - dims;
  Shape shape{1};
  for (int d = 0; d < lead; ++d) shape[0] *= x.shape()[d];
  for (int d = 0; d < dims; ++d) shape.push_back(x.shape()[lead + d]);
  return x.reshape(shape);
}

Shape pooled_shape(const Tensor& x, const std::vector<Along>& along) {
  Shape shape = x.shape();
  for (std::size_t d = 0; d < along.size(); ++d) shape[x.ndim() - static_cast<int>(along.size() - d)] = along[d].out;
  return shape;
}

Tensor starts(const Along& along, Device device) {
  const Tensor i = arange(along.out, {.dtype = DType::Int64, .device = device});
  return along.adaptive ? floor_divide(i * along.in, std::max<std::int64_t>(along.out, 1)) : i * along.stride - along.padding;
}

Tensor ends(const Along& along, Device device) {
  if (!along.adaptive) return starts(along, device) + along.span();
  const Tensor i = arange(1, along.out + 1, 1, {.dtype = DType::Int64, .device = device});
  return floor_divide(i * along.in + (along.out - 1), std::max<std::int64_t>(along.out, 1));
}

Windows windows_of(const Tensor& x, const std::vector<Along>& along, Scalar value) {
  const int dims = static_cast<int>(along.size());
  std::vector<std::int64_t> borders;  // of the last dimension first
  bool bordered = false;
  for (int d = dims - 1; d >= 0; --d) {
    const Along& a = along[static_cast<std::size_t>(d)];
    const std::int64_t behind = a.inside() ? 0 : std::max<std::int64_t>(0, (a.out - 1) * a.stride + a.span() - a.padding - a.in);
    borders.insert(borders.end(), {a.padding, behind});
    bordered |= a.padding > 0 || behind > 0;
  }
  Windows result{bordered ? pad(x, borders, PadMode::Constant, value) : x, std::vector<int>(along.size()), std::vector<int>(along.size())};
  // From the last dimension on: what a new one moves was new before.
  for (int d = dims - 1; d >= 0; --d) {
    const Along& a = along[static_cast<std::size_t>(d)];
    Tensor& values = result.values;
    const int at = d + 1;
    result.counts[static_cast<std::size_t>(d)] = at;
    if (!a.tiles() && !a.adaptive) {
      values = unfold(values.slice(at, 0, (a.out - 1) * a.stride + a.span()), at, a.span(), a.stride);
      if (a.dilation > 1) values = values.slice(-1, 0, a.span(), a.dilation);
      result.elements[static_cast<std::size_t>(d)] = values.ndim() - 1;
      continue;
    }
    if (!a.tiles()) {  // the last element stands in the places that a shorter window does not have
      const Tensor first = starts(a, x.device()).unsqueeze(1), last = ends(a, x.device()).unsqueeze(1) - 1;
      const Tensor places = minimum(first + arange(a.kernel, {.dtype = DType::Int64, .device = x.device()}), last);
      values = index_select(values, at, places.reshape({a.out * a.kernel}));
    } else if (values.shape()[at] != a.out * a.kernel) {
      values = values.slice(at, 0, a.out * a.kernel);
    }
    Shape shape = values.shape();
    shape[at] = a.out;
    shape.insert(at + 1, a.kernel);
    values = values.reshape(shape);
    for (int later = d + 1; later < dims; ++later) {
      ++result.counts[static_cast<std::size_t>(later)];
      ++result.elements[static_cast<std::size_t>(later)];
    }
    result.elements[static_cast<std::size_t>(d)] = at + 1;
  }
  return result;
}

}  // namespace luge
