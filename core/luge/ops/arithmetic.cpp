#include <luge/ops/arithmetic.h>

#include <cmath>
#include <cstdlib>
#include <numbers>
#include <type_traits>

#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/rounded_once.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/result_type.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

/// The dtype that the sum of several steps is computed in, and the one that it has.
struct Steps {
  DType result;
  DType in_between;
  Tensor of(const Tensor& x) const { return x.to(in_between); }
};

Steps steps(DType result) { return {result, is_floating(result) ? arithmetic_dtype(result) : result}; }

/// value as a factor of an integer or floating result: PyTorch cuts a floating one off for integers.
Scalar factor_of(Scalar value, DType result) { return is_floating(result) ? value : Scalar(value.to_int64()); }

Steps checked_steps(const char* op, const Tensor& x, const Tensor& a, const Tensor& b) {
  for (const Tensor* const each : {&x, &a, &b}) checked(*each, op);
  const DType dtype = result_type(x, a, b);
  LUGE_CHECK(DTypeError, dtype != DType::Bool, "{}: all arguments are bool; allowed are integer and floating dtypes", op);
  return steps(dtype);
}

}  // namespace

Tensor scaled(const char* op, const Tensor& x, Scalar alpha, DType dtype) {
  const bool whole = alpha.kind() != Scalar::Kind::Float;
  LUGE_CHECK(DTypeError, is_floating(dtype) || whole,
             "{}: alpha is {} and the result is {}; alpha must be an integer there", op, alpha.to_double(), name(dtype));
  LUGE_CHECK(DTypeError, alpha.kind() != Scalar::Kind::Bool || dtype == DType::Bool,
             "{}: alpha is a bool and the result is {}; a bool is for results of bool", op, name(dtype));
  const Steps in = steps(dtype);
  return in.of(x) * (dtype == DType::Bool ? Scalar(alpha.to<bool>(op)) : alpha);
}

Tensor add(const Tensor& a, const Tensor& b, Scalar alpha) {
  const Operation called("add");
  checked(a, "add");
  checked(b, "add", "other");
  const DType dtype = result_type(a, b);
  return (steps(dtype).of(a) + scaled("add", b, alpha, dtype)).to(dtype);
}

Tensor sub(const Tensor& a, const Tensor& b, Scalar alpha) {
  const Operation called("sub");
  checked(a, "sub");
  checked(b, "sub", "other");
  for (const Tensor* const each : {&a, &b})
    LUGE_CHECK(DTypeError, each->dtype() != DType::Bool,
               "sub: an argument is bool; use logical_xor, logical_not to invert a mask, or to() for numbers");
  const DType dtype = result_type(a, b);
  return (steps(dtype).of(a) - scaled("sub", b, alpha, dtype)).to(dtype);
}

Tensor rsub(const Tensor& a, const Tensor& b, Scalar alpha) {
  const Operation called("rsub");
  return sub(b, a, alpha);
}

Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, Scalar value) {
  const Operation called("addcmul");
  const Steps in = checked_steps("addcmul", x, a, b);
  const Tensor product = in.of(a) * in.of(b);
  const Scalar factor = factor_of(value, in.result);
  return (in.of(x) + (factor.to_double() == 1 ? product : product * factor)).to(in.result);
}

Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, Scalar value) {
  const Operation called("addcdiv");
  const Steps in = checked_steps("addcdiv", x, a, b);
  LUGE_CHECK(DTypeError, is_floating(a.dtype()) || is_floating(b.dtype()),
             "addcdiv: tensor1 is {} and tensor2 is {}; one of them must be of a floating dtype", name(a.dtype()),
             name(b.dtype()));
  const Tensor scaled = value.to_double() == 1 ? in.of(a) : in.of(a) * value;
  return (in.of(x) + scaled / in.of(b)).to(in.result);
}

namespace {

template <class A, class B>
Tensor truncated_quotient(const A& a, const B& b) {
  const Operation called("div");
  const DType dtype = result_type(a, b);
  LUGE_CHECK(DTypeError, dtype != DType::Bool, "div: both are bool; allowed are integer and floating dtypes");
  // a - fmod(a, b) is a multiple of b.
  if (!is_floating(dtype)) return floor_divide(sub(a, fmod(a, b)), b);
  const auto wide = [&](const auto& x) {
    if constexpr (std::is_same_v<std::decay_t<decltype(x)>, Tensor>)
      return x.to(arithmetic_dtype(dtype));
    else
      return x;
  };
  return trunc(div(wide(a), wide(b))).to(dtype);
}

void check_whole(const char* op, const Tensor& a, const Tensor& b) {
  checked(a, op);
  checked(b, op, "other");
  const DType dtype = result_type(a, b);
  LUGE_CHECK(DTypeError, is_integral(dtype), "{}: input is {} and other is {}; both must be integers", op, name(a.dtype()),
             name(b.dtype()));
}

}  // namespace

Tensor trunc_divide(const Tensor& a, const Tensor& b) { return truncated_quotient(a, b); }
Tensor trunc_divide(const Tensor& a, Scalar b) { return truncated_quotient(a, b); }
Tensor trunc_divide(Scalar a, const Tensor& b) { return truncated_quotient(a, b); }

Tensor frac(const Tensor& x) {
  const Operation called("frac");
  const DType dtype = checked(x, "frac").dtype;
  LUGE_CHECK(DTypeError, is_floating(dtype), "frac: the tensor is {}; allowed are the floating dtypes", name(dtype));
  return x - trunc(x);
}

Tensor round(const Tensor& x, int decimals) {
  const Operation called("round");
  if (decimals == 0) return round(x);
  const DType dtype = checked(x, "round").dtype;
  LUGE_CHECK(DTypeError, is_floating(dtype), "round: the tensor is {} and decimals is {}; integers have no decimals",
             name(dtype), decimals);
  const double power = std::pow(10.0, std::abs(decimals));
  return rounded_once(x, [&](const Tensor& wide) {
    return decimals > 0 ? round(wide * power) / power : round(wide / power) * power;
  });
}

Tensor gcd(const Tensor& a, const Tensor& b) {
  const Operation called("gcd");
  check_whole("gcd", a, b);
  const DType dtype = result_type(a, b);
  const Shape shape = broadcast_shapes("gcd", a.shape(), b.shape());
  const DType between = arithmetic_dtype(dtype);  // so that the least number has an absolute value
  Tensor large = abs(a.to(between)).expand(shape), small = abs(b.to(between)).expand(shape);
  // Euclid's steps, as many as the longest of the dtype takes: that of two neighbouring Fibonacci numbers.
  const int steps = static_cast<int>(size_of(dtype)) * 12;
  for (int i = 0; i < steps; ++i) {
    const Tensor done = small == 0;
    const Tensor rest = remainder(large, where(done, 1, small));
    large = where(done, large, small);
    small = rest * done.logical_not();
  }
  return abs(large).to(dtype);
}

Tensor lcm(const Tensor& a, const Tensor& b) {
  const Operation called("lcm");
  check_whole("lcm", a, b);
  const DType dtype = result_type(a, b);
  const DType between = arithmetic_dtype(dtype);
  const Tensor x = a.to(between), y = b.to(between), divisor = gcd(x, y);
  return abs(floor_divide(x, where(divisor == 0, 1, divisor)) * y).to(dtype);
}

Tensor deg2rad(const Tensor& x) {
  const Operation called("deg2rad");
  checked(x, "deg2rad");
  return x * (std::numbers::pi / 180);
}

Tensor rad2deg(const Tensor& x) {
  const Operation called("rad2deg");
  checked(x, "rad2deg");
  return x * (180 / std::numbers::pi);
}

Tensor float_power(const Tensor& a, const Tensor& b) {
  const Operation called("float_power");
  return pow(a.to(DType::Float64), b.to(DType::Float64));
}

Tensor float_power(const Tensor& a, Scalar b) {
  const Operation called("float_power");
  return pow(a.to(DType::Float64), b.to_double());
}

Tensor float_power(Scalar a, const Tensor& b) {
  const Operation called("float_power");
  return pow(a.to_double(), b.to(DType::Float64));
}

Tensor ldexp(const Tensor& x, const Tensor& exponent) {
  const Operation called("ldexp");
  checked(x, "ldexp");
  checked(exponent, "ldexp", "other");
  if (!is_floating(x.dtype()) || is_floating(exponent.dtype())) return x * pow(2.0, exponent);
  return (widened(x) * pow(Scalar(2.0), exponent.to(arithmetic_dtype(x.dtype())))).to(x.dtype());
}

Tensor ldexp(const Tensor& x, Scalar exponent) {
  const Operation called("ldexp");
  checked(x, "ldexp");
  return ldexp(x, scalar(exponent, {.dtype = exponent.default_dtype(), .device = x.device()}));
}

}  // namespace luge
