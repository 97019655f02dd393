#include <luge/ops/similarity.h>

#include <cmath>

#include <luge/autograd/detail/autocast.h>
#include <luge/base/detail/check.h>
#include <luge/ops/detail/derivative_node.h>
#include <luge/ops/detail/norm.h>
#include <luge/ops/detail/rounded_once.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/result_type.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

Tensor norm_along(const Tensor& x, double p, int dim, bool keepdim) {
  const Tensor size = abs(x);
  if (std::isinf(p)) return p > 0 ? size.max(dim, keepdim) : size.min(dim, keepdim);
  if (p == 0) return (x != 0).to(x.dtype()).sum(dim, keepdim);
  if (p == 1) return size.sum(dim, keepdim);
  const Tensor powers = (p == 2 ? square(x) : pow(size, p)).sum(dim, keepdim);
  // The root of 0 has no derivative; the norm's is taken to be 0.
  const Tensor empty = powers == 0;
  const Tensor guarded = where(empty, 1, powers);
  return where(empty, 0, p == 2 ? sqrt(guarded) : pow(guarded, 1 / p));
}

Tensor normalize(const Tensor& x, double p, int dim, double eps) {
  const Operation called("normalize");
  const DType dtype = checked(x, "normalize").dtype;
  LUGE_CHECK(DTypeError, is_floating(dtype), "normalize: the tensor is {}; allowed are the floating dtypes", name(dtype));
  return rounded_once(
      x, [&](const Tensor& wide) { return wide / norm_along(wide, p, dim, true).clamp(eps, std::nullopt); });
}

Tensor cosine_similarity(const Tensor& a, const Tensor& b, int dim, double eps) {
  const Operation called("cosine_similarity");
  checked(a, "cosine_similarity", "x1");
  checked(b, "cosine_similarity", "x2");
  const DType dtype = autocast_float32(result_type(a, b), a.device());
  LUGE_CHECK(DTypeError, is_floating(dtype),
             "cosine_similarity: x1 is {} and x2 is {}; one of them must be of a floating dtype", name(a.dtype()),
             name(b.dtype()));
  const Shape shape = broadcast_shapes("cosine_similarity", a.shape(), b.shape());
  const int along = normalize_dim("cosine_similarity", dim, shape.ndim());
  const auto unit = [&](const Tensor& x) {
    const Tensor wide = x.to(arithmetic_dtype(dtype)).expand(shape), size = norm_along(wide, 2, along, true);
    // The bound takes no gradient away.
    return wide / with_derivative(
                      "cosine_similarity", {size}, [&] { return clamp(size, eps, std::nullopt); },
                      [](const Tensor& gradient, std::span<const Tensor>) { return std::vector<Tensor>{gradient}; });
  };
  return (unit(a) * unit(b)).sum(along).to(dtype);
}

Tensor pairwise_distance(const Tensor& a, const Tensor& b, double p, double eps, bool keepdim) {
  const Operation called("pairwise_distance");
  checked(a, "pairwise_distance", "x1");
  checked(b, "pairwise_distance", "x2");
  const DType dtype = promote(result_type(a, b), Scalar::Kind::Float);
  const Tensor difference = a.to(arithmetic_dtype(dtype)) - b.to(arithmetic_dtype(dtype)) + eps;
  if (difference.ndim() == 0) return norm_along(difference.unsqueeze(0), p, 0, keepdim).to(dtype);
  return norm_along(difference, p, difference.ndim() - 1, keepdim).to(dtype);
}

}  // namespace luge
