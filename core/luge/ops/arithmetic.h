#pragma once
// Arithmetic that is made of the elementwise operations. All broadcast and promote their dtypes.

#include <optional>

#include <luge/tensor/tensor.h>

namespace luge {

/// a + alpha b. Throws DTypeError for a floating alpha with an integer result.
Tensor add(const Tensor& a, const Tensor& b, Scalar alpha);
/// a - alpha b. Throws DTypeError as add does, and for bools.
Tensor sub(const Tensor& a, const Tensor& b, Scalar alpha);
/// b - alpha a.
Tensor rsub(const Tensor& a, const Tensor& b, Scalar alpha = 1);
/// alpha x, to be added to something so that the sum is of `dtype`. Throws DTypeError as add does; `op` was called.
Tensor scaled(const char* op, const Tensor& x, Scalar alpha, DType dtype);

/// x + value a b, rounded once where it is a half. Throws DTypeError for bools.
Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, Scalar value = 1);
/// x + value a / b, rounded once where it is a half. Throws DTypeError where a and b are both integers or bools.
Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, Scalar value = 1);

/// a / b rounded towards zero; integers stay integers. Throws as floor_divide does, and DTypeError for bools.
Tensor trunc_divide(const Tensor& a, const Tensor& b);
Tensor trunc_divide(const Tensor& a, Scalar b);
Tensor trunc_divide(Scalar a, const Tensor& b);
/// x - trunc(x). Throws DTypeError for anything but floating dtypes.
Tensor frac(const Tensor& x);
/// x rounded to so many decimal digits, negative ones before the point; ties go to the even neighbour. Throws DTypeError for
/// digits of anything but floating dtypes.
Tensor round(const Tensor& x, int decimals);
/// The greatest common divisor and the least common multiple of integers, 0 or more; DTypeError for other dtypes.
Tensor gcd(const Tensor& a, const Tensor& b);
Tensor lcm(const Tensor& a, const Tensor& b);

/// x in radians or degrees; integers and bool are float32.
Tensor deg2rad(const Tensor& x);
Tensor rad2deg(const Tensor& x);

/// a^b in float64, whatever the arguments are.
Tensor float_power(const Tensor& a, const Tensor& b);
Tensor float_power(const Tensor& a, Scalar b);
Tensor float_power(Scalar a, const Tensor& b);
/// x 2^exponent; of integers float32.
Tensor ldexp(const Tensor& x, const Tensor& exponent);
Tensor ldexp(const Tensor& x, Scalar exponent);

}  // namespace luge
