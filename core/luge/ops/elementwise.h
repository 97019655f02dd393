#pragma once
// The elementwise operations as free functions: exp(x), maximum(a, b), where(c, a, b), a + b, ...
// All broadcast, promote their dtypes and are recorded. One set of functions per row of
// core/luge/math/op_table.h, where formulas, derivatives and accepted dtypes are.

#include <optional>

#include <luge/tensor/tensor.h>

namespace luge {

#define LUGE_ROW(function, Formula, dtypes, text, ...) \
  Tensor function(const Tensor& x LUGE_PARAMETERS(LUGE_MORE_DECLARED, LUGE_MORE_DECLARED, __VA_ARGS__));
LUGE_UNARY_OPS(LUGE_ROW)
LUGE_TEST_OPS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, ...)                      \
  Tensor function(const Tensor& a, const Tensor& b); \
  Tensor function(const Tensor& a, Scalar b);        \
  Tensor function(Scalar a, const Tensor& b);
LUGE_BINARY_OPS(LUGE_ROW)
LUGE_COMPARE_OPS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, ...)                                       \
  Tensor function(const Tensor& a, const Tensor& b, const Tensor& c); \
  Tensor function(const Tensor& a, const Tensor& b, Scalar c);
LUGE_TERNARY_OPS(LUGE_ROW)
#undef LUGE_ROW

/// min(max(x, low), high); either bound may be missing, NaN where one is NaN. Integers keep all digits of their bounds.
Tensor clamp(const Tensor& x, std::optional<Scalar> low, std::optional<Scalar> high);
/// clamp with a bound for each element, broadcast; an undefined tensor is no bound. The gradient goes to the one of the
/// three that the result is, to x where it equals a bound, and nowhere where the result is NaN.
Tensor clamp(const Tensor& x, const Tensor& low, const Tensor& high);

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
