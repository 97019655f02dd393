#include <luge/ops/norm.h>

#include <cmath>
#include <limits>

#include <luge/autograd/detail/autocast.h>
#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/detail/reduction.h>
#include <luge/ops/elementwise.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool is_recorded(const Tensor& x) { return grad_enabled() && needs_grad(x); }

/// x^exponent where the slope is infinite at 0: the gradient is 0 there.
Tensor root(const Tensor& x, double exponent) {
  const auto power = [&](const Tensor& base) { return exponent == 0.5 ? sqrt(base) : pow(base, exponent); };
  if (!is_recorded(x)) return power(x);
  const Tensor zero = x == 0;
  return where(zero, exponent < 0 ? kInfinity : 0, power(where(zero, 1, x)));
}

/// What is not 0, as 1. It has a gradient, of zeros.
Tensor ones_where_nonzero(const Tensor& x) {
  const Tensor nonzero = x.ne(0);
  return is_recorded(x) ? where(nonzero, 1, sign(x)) : nonzero.to(x.dtype());
}

/// |x|^p, with gradient 0 at 0.
Tensor powers(const Tensor& x, double p) {
  const Tensor magnitude = abs(x);
  if (p == 3) return magnitude * square(x);  // a product of two takes less time than any power
  if (p == 4) return square(square(x));
  if (!is_recorded(x)) return pow(magnitude, p);
  const Tensor zero = x == 0;
  return where(zero, p < 0 ? kInfinity : 0, pow(where(zero, 1, magnitude), p));
}

/// x as it is computed with.
Tensor converted(const char* op, const Tensor& x, std::optional<DType> dtype) {
  const DType own = checked(x, op).dtype;
  LUGE_CHECK(DTypeError, is_floating(own), "{}: the tensor is {}; allowed are the floating dtypes", op, name(own));
  LUGE_CHECK(DTypeError, !dtype || is_floating(*dtype), "{}: dtype is {}; allowed are the floating dtypes", op,
             name(dtype.value_or(own)));
  LUGE_CHECK(DTypeError, !dtype || promote(own, *dtype) == *dtype, "{}: the tensor is {} and dtype is {}, which is narrower",
             op, name(own), name(dtype.value_or(own)));
  return x.to(dtype.value_or(own)).to(arithmetic_dtype(dtype.value_or(own)));
}

Tensor norm_over(const char* op, const Tensor& given, double p, const DimList* dims, bool keepdim,
                 std::optional<DType> dtype) {
  const Operation called(op);
  checked(given, op);
  const Tensor input = dtype ? given : autocast_float32(given);
  const Tensor x = converted(op, input, dtype);
  const DType result = dtype.value_or(input.dtype());
  const Reduced shapes = reduced_shapes(op, x, dims, keepdim);
  LUGE_CHECK(ShapeError, shapes.count > 0 || element_count(shapes.kept) == 0 || (p >= 0 && !std::isinf(p)),
             "{}: there is nothing to reduce in a tensor of shape {}; order {} has no value then", op,
             to_string(x.shape()), p);
  const auto over = [&](ReduceOp reduction, const Tensor& values) { return reduce(reduction, values, dims, keepdim); };
  Tensor norm;
  if (p == 2)
    norm = root(over(ReduceOp::SumSquares, x), 0.5);
  else if (p == 1)
    norm = over(ReduceOp::Sum, abs(x));
  else if (p == 0)
    norm = over(ReduceOp::Sum, ones_where_nonzero(x));
  else if (std::isinf(p))
    norm = over(p > 0 ? ReduceOp::Max : ReduceOp::Min, abs(x));
  else
    norm = root(over(ReduceOp::Sum, powers(x, p)), 1 / p);
  return norm.to(result);
}

}  // namespace

Tensor vector_norm(const Tensor& x, double p, std::optional<DType> dtype) {
  return norm_over("vector_norm", x, p, nullptr, false, dtype);
}
Tensor vector_norm(const Tensor& x, double p, const DimList& dims, bool keepdim, std::optional<DType> dtype) {
  return norm_over("vector_norm", x, p, &dims, keepdim, dtype);
}

}  // namespace luge
