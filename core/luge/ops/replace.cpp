#include <luge/ops/replace.h>

#include <cmath>
#include <limits>

#include <luge/base/detail/check.h>
#include <luge/ops/elementwise.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

/// `value` as an element of the dtype. Throws ValueError where there is none.
Scalar as_element(const char* op, Scalar value, DType dtype) {
  value.check_stored(op, dtype);
  if (dtype == DType::Bool) return value.to<bool>(op);
  return is_floating(dtype) ? Scalar(value.to_double()) : Scalar(value.to_int64());
}

void check_mask(const Tensor& x, const Tensor& mask) {
  checked(x, "masked_fill");
  const DType dtype = checked(mask, "masked_fill", "mask").dtype;
  LUGE_CHECK(DTypeError, dtype == DType::Bool, "masked_fill: the mask is {}; it must be bool", name(dtype));
}

double largest(DType dtype) {
  switch (dtype) {
    case DType::Float16: return 65504;
    case DType::BFloat16: return std::ldexp(255, 120);
    case DType::Float32: return std::numeric_limits<float>::max();
    default: return std::numeric_limits<double>::max();
  }
}

}  // namespace

Tensor masked_fill(const Tensor& x, const Tensor& mask, Scalar value) {
  const Operation called("masked_fill");
  check_mask(x, mask);
  return where(mask, as_element("masked_fill", value, x.dtype()), x);
}

Tensor masked_fill(const Tensor& x, const Tensor& mask, const Tensor& value) {
  const Operation called("masked_fill");
  check_mask(x, mask);
  const Shape& shape = checked(value, "masked_fill", "value").shape;
  LUGE_CHECK(ShapeError, shape.empty(), "masked_fill: the value has shape {}; it must be a number or have no dimensions",
             to_string(shape));
  return where(mask, value.to(x.dtype()), x);
}

Tensor nan_to_num(const Tensor& x, double nan, std::optional<double> posinf, std::optional<double> neginf) {
  const Operation called("nan_to_num");
  const DType dtype = checked(x, "nan_to_num").dtype;
  if (!is_floating(dtype)) return x.clone();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const Tensor above = where(x == kInfinity, posinf.value_or(largest(dtype)), x);
  const Tensor bounded = where(x == -kInfinity, neginf.value_or(-largest(dtype)), above);
  return where(isnan(x), nan, bounded);
}

Tensor threshold(const Tensor& x, Scalar threshold, Scalar value) {
  const Operation called("threshold");
  const DType dtype = checked(x, "threshold").dtype;
  LUGE_CHECK(DTypeError, dtype != DType::Bool, "threshold: the tensor is bool; allowed are integer and floating dtypes");
  if (is_floating(dtype)) return where(x <= threshold, value.to_double(), x);
  return where(x <= threshold.to_int64(), value.to_int64(), x);
}

Tensor isclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
  const Operation called("isclose");
  const DType dtype = checked(a, "isclose").dtype;
  LUGE_CHECK(DTypeError, checked(b, "isclose", "other").dtype == dtype,
             "isclose: input is {} and other is {}; their dtypes must be equal", name(dtype), name(b.dtype()));
  LUGE_CHECK(ValueError, rtol >= 0, "isclose: rtol is {}; it must be 0 or more", rtol);
  LUGE_CHECK(ValueError, atol >= 0, "isclose: atol is {}; it must be 0 or more", atol);
  Tensor close = a == b;
  if (equal_nan && is_floating(dtype)) close = close.logical_or(isnan(a).logical_and(isnan(b)));
  if (rtol == 0 && atol == 0) return close;
  // The difference of integers is one; what is allowed is not. Halves are compared as their values are.
  const DType between = is_floating(dtype) ? arithmetic_dtype(dtype) : DType::Float32;
  const Tensor reference = b.to(between);
  const Tensor allowed = abs(reference * rtol) + atol;
  const Tensor actual = is_floating(dtype) ? abs(a.to(between) - reference)
                        : dtype == DType::Bool ? a.logical_xor(b).to(between)
                                               : abs(a.to(DType::Int64) - b.to(DType::Int64)).to(between);
  return close.logical_or(isfinite(actual).logical_and(actual <= allowed));
}

bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan, SourceLocation location) {
  const Operation called("allclose");
  return isclose(a, b, rtol, atol, equal_nan).all().item<bool>(location);
}

}  // namespace luge
