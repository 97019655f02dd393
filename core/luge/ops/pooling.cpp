#include <luge/ops/pooling.h>

#include <memory>
#include <span>

#include <fmt/ranges.h>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/derivative_node.h>
#include <luge/ops/detail/pooled.h>
#include <luge/ops/detail/rounded_once.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/scatter.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

void check_floating(const char* op, const Tensor& x) {
  const DType dtype = checked(x, op).dtype;
  LUGE_CHECK(DTypeError, is_floating(dtype), "{}: the tensor is {}; allowed are the floating dtypes", op, name(dtype));
}

Pooled max_pool(const char* op, const Tensor& x, const std::vector<Along>& along, bool with_indices) {
  LUGE_CHECK(DTypeError, x.dtype() != DType::Bool, "{}: the tensor is bool; allowed are numbers", op);
  const Shape shape = pooled_shape(x, along);
  Pooled result = largest(op, as_batch(x, along), along, with_indices);
  result.values = result.values.reshape(shape);
  if (with_indices) result.indices = result.indices.reshape(shape);
  return result;
}

Pooled max_pool(const char* op, const Tensor& x, int dims, const Window& kernel, const MaxPoolOptions& options, bool with_indices) {
  const Operation called(op);
  checked(x, op);
  return max_pool(op, x,
                  along_dims(op, x, dims, kernel, options.stride, options.padding, options.dilation, options.ceil_mode),
                  with_indices);
}

/// How many elements of each window count, (out): those of x, or of x and its padding.
Tensor counts(const Along& a, bool padding, Device device) {
  const std::int64_t border = padding ? a.padding : 0;
  return clamp(ends(a, device), std::nullopt, a.in + border) - clamp(starts(a, device), -border, std::nullopt);
}

Tensor means(const char* op, const Tensor& x, const std::vector<Along>& along, bool count_padding,
             std::optional<std::int64_t> divisor) {
  const Tensor sums = window_sums(op, widened(as_batch(x, along)), along);
  double elements = 1;
  bool equal = true;
  for (const Along& a : along) {
    elements *= static_cast<double>(a.kernel);
    const bool within = a.adaptive ? a.tiles() : a.inside() || (count_padding && (a.out - 1) * a.stride + a.kernel <= a.in + 2 * a.padding);
    equal &= within;
  }
  Tensor result;
  if (divisor || equal) {
    result = sums / (divisor ? static_cast<double>(*divisor) : elements);
  } else {
    Tensor all;
    for (std::size_t d = 0; d < along.size(); ++d) {
      Shape shape = Dims::filled(sums.ndim(), 1);
      shape[static_cast<int>(d) + 1] = along[d].out;
      const Tensor own = counts(along[d], count_padding, x.device()).view(shape);
      all = all.defined() ? all * own : own;
    }
    result = sums / all.to(sums.dtype());
  }
  return result.reshape(pooled_shape(x, along)).to(x.dtype());
}

Tensor avg_pool(const char* op, const Tensor& x, int dims, const Window& kernel, const AvgPoolOptions& options) {
  const Operation called(op);
  check_floating(op, x);
  LUGE_CHECK(ValueError, !options.divisor_override || *options.divisor_override != 0, "{}: divisor_override is 0; it must be another number",
             op);
  return means(op, x, along_dims(op, x, dims, kernel, options.stride, options.padding, {1}, options.ceil_mode),
               options.count_include_pad, options.divisor_override);
}

Tensor adaptive_avg_pool(const char* op, const Tensor& x, int dims, const Window& size) {
  const Operation called(op);
  check_floating(op, x);
  return means(op, x, adaptive_dims(op, x, dims, size), false, {});
}

Pooled adaptive_max_pool(const char* op, const Tensor& x, int dims, const Window& size) {
  const Operation called(op);
  checked(x, op);
  return max_pool(op, x, adaptive_dims(op, x, dims, size), true);
}

Tensor lp_pool(const char* op, const Tensor& x, int dims, double p, const Window& kernel, const Window& stride, bool ceil_mode) {
  const Operation called(op);
  check_floating(op, x);
  LUGE_CHECK(ValueError, p != 0, "{}: norm_type is 0; it must be another number", op);
  const std::vector<Along> along = along_dims(op, x, dims, kernel, stride, {0}, {1}, ceil_mode);
  double elements = 1;
  for (const Along& a : along) elements *= static_cast<double>(a.kernel);
  const Tensor wide = widened(x);
  const Tensor mean = means(op, pow(wide, p), along, true, {});
  return pow(sign(mean) * relu(abs(mean)) * elements, 1 / p).to(x.dtype());
}

}  // namespace

Tensor max_pool1d(const Tensor& x, const Window& kernel, const MaxPoolOptions& options) {
  return max_pool("max_pool1d", x, 1, kernel, options, false).values;
}
Tensor max_pool2d(const Tensor& x, const Window& kernel, const MaxPoolOptions& options) {
  return max_pool("max_pool2d", x, 2, kernel, options, false).values;
}
Tensor max_pool3d(const Tensor& x, const Window& kernel, const MaxPoolOptions& options) {
  return max_pool("max_pool3d", x, 3, kernel, options, false).values;
}
Pooled max_pool1d_with_indices(const Tensor& x, const Window& kernel, const MaxPoolOptions& options) {
  return max_pool("max_pool1d", x, 1, kernel, options, true);
}
Pooled max_pool2d_with_indices(const Tensor& x, const Window& kernel, const MaxPoolOptions& options) {
  return max_pool("max_pool2d", x, 2, kernel, options, true);
}
Pooled max_pool3d_with_indices(const Tensor& x, const Window& kernel, const MaxPoolOptions& options) {
  return max_pool("max_pool3d", x, 3, kernel, options, true);
}

Tensor avg_pool1d(const Tensor& x, const Window& kernel, const AvgPoolOptions& options) {
  return avg_pool("avg_pool1d", x, 1, kernel, options);
}
Tensor avg_pool2d(const Tensor& x, const Window& kernel, const AvgPoolOptions& options) {
  return avg_pool("avg_pool2d", x, 2, kernel, options);
}
Tensor avg_pool3d(const Tensor& x, const Window& kernel, const AvgPoolOptions& options) {
  return avg_pool("avg_pool3d", x, 3, kernel, options);
}

Tensor adaptive_avg_pool1d(const Tensor& x, const Window& size) { return adaptive_avg_pool("adaptive_avg_pool1d", x, 1, size); }
Tensor adaptive_avg_pool2d(const Tensor& x, const Window& size) { return adaptive_avg_pool("adaptive_avg_pool2d", x, 2, size); }
Tensor adaptive_avg_pool3d(const Tensor& x, const Window& size) { return adaptive_avg_pool("adaptive_avg_pool3d", x, 3, size); }
Pooled adaptive_max_pool1d(const Tensor& x, const Window& size) { return adaptive_max_pool("adaptive_max_pool1d", x, 1, size); }
Pooled adaptive_max_pool2d(const Tensor& x, const Window& size) { return adaptive_max_pool("adaptive_max_pool2d", x, 2, size); }
Pooled adaptive_max_pool3d(const Tensor& x, const Window& size) { return adaptive_max_pool("adaptive_max_pool3d", x, 3, size); }

Tensor lp_pool1d(const Tensor& x, double p, const Window& kernel, const Window& stride, bool ceil_mode) {
  return lp_pool("lp_pool1d", x, 1, p, kernel, stride, ceil_mode);
}
Tensor lp_pool2d(const Tensor& x, double p, const Window& kernel, const Window& stride, bool ceil_mode) {
  return lp_pool("lp_pool2d", x, 2, p, kernel, stride, ceil_mode);
}
Tensor lp_pool3d(const Tensor& x, double p, const Window& kernel, const Window& stride, bool ceil_mode) {
  return lp_pool("lp_pool3d", x, 3, p, kernel, stride, ceil_mode);
}

Tensor max_unpool(const Tensor& x, const Tensor& indices, const std::vector<std::int64_t>& size) {
  const int dims = static_cast<int>(size.size());
  const char* const op = dims == 1 ? "max_unpool1d" : dims == 2 ? "max_unpool2d" : "max_unpool3d";
  const Operation called(op);
  checked(x, op);
  checked(indices, op, "indices");
  LUGE_CHECK(DTypeError, indices.dtype() == DType::Int64, "{}: indices are {}; they must be int64", op, name(indices.dtype()));
  LUGE_CHECK(ShapeError, indices.shape() == x.shape(), "{}: indices have shape {}; it must be the tensor's, {}", op,
             to_string(indices.shape()), to_string(x.shape()));
  LUGE_CHECK(ShapeError, dims >= 1 && x.ndim() > dims, "{}: the tensor has shape {}; it must have more than {} dimensions", op,
             to_string(x.shape()), dims);
  Shape result, flat, whole{1};
  std::int64_t each = 1;
  for (int d = 0; d < x.ndim() - dims; ++d) {
    result.push_back(x.shape()[d]);
    whole[0] *= x.shape()[d];
  }
  for (int d = x.ndim() - dims; d < x.ndim(); ++d) each *= x.shape()[d];
  for (const std::int64_t one : size) {
    LUGE_CHECK(ValueError, one >= 0, "{}: output_size is {}; all must be 0 or more", op, one);
    result.push_back(one);
  }
  flat = {whole[0], each};
  std::int64_t places = 1;
  for (const std::int64_t one : size) places *= one;
  whole.push_back(places);
  const Tensor at = indices.reshape(flat), values = x.reshape(flat);
  const auto put = [&] {
    return scatter(zeros(whole, {.dtype = x.dtype(), .device = x.device()}), 1, at, values);
  };
  const auto way_back = [at](const Tensor& gradient, std::span<const Tensor>) { return std::vector<Tensor>{gradient.gather(1, at)}; };
  return with_derivative(op, {values}, put, way_back).reshape(result);
}

}  // namespace luge
