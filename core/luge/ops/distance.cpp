#include <luge/ops/distance.h>

#include <cmath>

#include <luge/autograd/detail/autocast.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/diagonal.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/index.h>
#include <luge/ops/matmul.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

/// x^power where x > 0, and 0 with a gradient of 0 elsewhere.
Tensor power_above_zero(const Tensor& x, double power) {
  const Tensor above = x.gt(0);
  const Tensor safe = where(above, x, 1);
  // NaN is not above 0, and stays.
  return where(above, power == 0.5 ? safe.sqrt() : safe.pow(power), x.detach().mul(0));
}

/// The p-norm along the last dimension.
Tensor norm_of(const Tensor& difference, double p) {
  const int last = difference.ndim() - 1;
  if (difference.shape()[last] == 0) return difference.sum(last);
  if (p == 0) return where(difference.ne(0), full_like(difference, 1), difference.mul(0)).sum(last);
  if (p == 1) return difference.abs().sum(last);
  if (p == 2) return power_above_zero(difference.square().sum(last), 0.5);
  if (std::isinf(p)) return p > 0 ? difference.abs().max(last) : difference.abs().min(last);
  if (p < 0) return difference.abs().pow(p).sum(last).pow(1 / p);
  return power_above_zero(power_above_zero(difference.abs(), p).sum(last), 1 / p);
}

/// |a|^2 + |b|^2 - 2 a b, which may come out just below 0.
Tensor by_product(const Tensor& a, const Tensor& b) {
  const Tensor squares = a.square().sum(-1, true) + b.square().sum(-1, true).transpose(-1, -2);
  return power_above_zero((squares - matmul(a, b.transpose(-1, -2)) * 2).clamp(0, {}), 0.5);
}

void check_p(const char* op, double p) { LUGE_CHECK(ValueError, p >= 0, "{}: p is {}; it must be 0 or more", op, p); }

}  // namespace

Tensor cdist(const Tensor& x1, const Tensor& x2, double p, DistanceBy by) {
  const Operation called("cdist");
  checked(x1, "cdist", "x1");
  checked(x2, "cdist", "x2");
  const Tensor a = autocast_float32(x1), b = autocast_float32(x2);
  LUGE_CHECK(DTypeError, is_floating(a.dtype()) && a.dtype() == b.dtype(), "cdist: the tensors are {} and {}; both must be of one floating dtype",
             name(a.dtype()), name(b.dtype()));
  LUGE_CHECK(ShapeError, a.ndim() >= 2 && b.ndim() >= 2 && a.shape().back() == b.shape().back(),
             "cdist: the tensors are {} and {}; they must be (..., n, d) and (..., m, d)", to_string(a.shape()), to_string(b.shape()));
  check_p("cdist", p);
  const std::int64_t rows = a.size(-2), columns = b.size(-2);
  if (p == 2 && by != DistanceBy::Difference && (by == DistanceBy::Product || rows > 25 || columns > 25)) return by_product(a, b);
  return norm_of(a.unsqueeze(-2) - b.unsqueeze(-3), p);
}

Tensor pdist(const Tensor& given, double p) {
  const Operation called("pdist");
  checked(given, "pdist");
  const Tensor x = autocast_float32(given);
  LUGE_CHECK(ShapeError, x.ndim() == 2, "pdist: the tensor has shape {}; it must be 2-d", to_string(x.shape()));
  LUGE_CHECK(DTypeError, is_floating(x.dtype()), "pdist: the tensor is {}; it must be of a floating dtype", name(x.dtype()));
  check_p("pdist", p);
  const std::int64_t n = x.size(0);
  const Tensor pairs = triu_indices(n, n, 1, {.dtype = DType::Int64, .device = x.device()});
  return norm_of(index_select(x, 0, pairs[0]) - index_select(x, 0, pairs[1]), p);
}

Tensor dist(const Tensor& a, const Tensor& b, double p) {
  const Operation called("dist");
  checked(a, "dist");
  checked(b, "dist", "other");
  const Tensor difference = autocast_float32(a) - autocast_float32(b);
  LUGE_CHECK(DTypeError, is_floating(difference.dtype()), "dist: the tensors are {} and {}; one must be of a floating dtype",
             name(a.dtype()), name(b.dtype()));
  return norm_of(difference.reshape({difference.numel()}), p);
}

}  // namespace luge
