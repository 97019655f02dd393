#pragma once
// The elementwise operations as free functions: exp(x), maximum(a, b), where(c, a, b), a + b, ...
// All broadcast, promote their dtypes and are recorded. One set of functions per row of
// kernels/math/rows.h, where formulas, derivatives and accepted dtypes are.

#include <luge/tensor/tensor.h>

namespace luge {

#define LUGE_ROW(function, ...) Tensor function(const Tensor& x);
LUGE_UNARY_ROWS(LUGE_ROW)
LUGE_TEST_ROWS(LUGE_ROW)
#undef LUGE_ROW

#define LUGE_ROW(function, Formula, dtypes, declaration, arguments, ...)                    \
  inline Tensor function(const Tensor& x, LUGE_UNPACK declaration) {                   \
    return unary_with_parameters(Op::Formula, x, {LUGE_UNPACK arguments});             \
  }
#define LUGE_UNPACK(...) __VA_ARGS__
LUGE_UNARY_PARAMETER_ROWS(LUGE_ROW)
#undef LUGE_UNPACK
#undef LUGE_ROW

/// clamp with a bound for each element, broadcast; an undefined tensor is no bound. The gradient goes to the one of the
/// three that the result is, to x where it equals a bound, and nowhere where the result is NaN.
Tensor clamp(const Tensor& x, const Tensor& low, const Tensor& high);

#define LUGE_ROW(function, ...)                    \
  Tensor function(const Tensor& a, const Tensor& b); \
  Tensor function(const Tensor& a, Scalar b);        \
  Tensor function(Scalar a, const Tensor& b);
LUGE_BINARY_ROWS(LUGE_ROW)
LUGE_BITWISE_ROWS(LUGE_ROW)
LUGE_COMPARE_ROWS(LUGE_ROW)
#undef LUGE_ROW

/// Every bit of an integer the other way round; logical_not of bools.
Tensor bitwise_not(const Tensor& x);

/// condition ? a : b, all broadcast together; condition is bool, anything else a DTypeError.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
Tensor where(const Tensor& condition, const Tensor& a, Scalar b);
Tensor where(const Tensor& condition, Scalar a, const Tensor& b);
/// bool, int64 or float32, as the numbers are.
Tensor where(const Tensor& condition, Scalar a, Scalar b);

#define LUGE_OPERATOR(symbol, function)                                                        \
  inline Tensor operator symbol(const Tensor& a, const Tensor& b) { return function(a, b); }   \
  inline Tensor operator symbol(const Tensor& a, Scalar b) { return function(a, b); }          \
  inline Tensor operator symbol(Scalar a, const Tensor& b) { return function(a, b); }
LUGE_OPERATOR(+, add)
LUGE_OPERATOR(-, sub)
LUGE_OPERATOR(*, mul)
LUGE_OPERATOR(/, div)
LUGE_OPERATOR(&, bitwise_and)
LUGE_OPERATOR(|, bitwise_or)
LUGE_OPERATOR(^, bitwise_xor)
LUGE_OPERATOR(==, eq)
LUGE_OPERATOR(!=, ne)
LUGE_OPERATOR(<, lt)
LUGE_OPERATOR(<=, le)
LUGE_OPERATOR(>, gt)
LUGE_OPERATOR(>=, ge)
#undef LUGE_OPERATOR

inline Tensor operator-(const Tensor& x) { return neg(x); }
inline Tensor operator~(const Tensor& x) { return bitwise_not(x); }

}  // namespace luge
