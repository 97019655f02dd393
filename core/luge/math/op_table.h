#pragma once
// The table of elementwise ops: X(function, Formula, dtypes, text, parameters...). A row here and a struct in
// elementwise.h are an op: the CPU loops, the machine code, the CUDA kernels, the functions and methods of C++ and
// Python, the layers of nn, the tests and the benchmarks are made of both. LUGE_OPS is all of it; its parts are by how
// an op is called.
//
// dtypes of the inputs:
//   Float    floating types; integers and bool are converted to float32 first, as in PyTorch
//   Numeric  integers and floating types; what arithmetic of bools is, core/luge/ops/elementwise.cpp says
//   Any      every type there is
//   Logical  bool; any other type is converted by "is not zero" first
//   Integral integers; of bools it is the Logical row of the same name, where there is one
// text is the formula in Python, of x, of a and b, or of a, b and c, with the functions of its math module, digamma,
// polygamma and erfinv:
// what the documentation says, and what tests hold the op against. A parameter is (name, default), a double and part of
// the call; the formula's kParameters counts them. A row of three inputs has the names that Python gives to the second
// and third instead.

/// f(x, parameters...), x.f(...), in place x.f_(...); a layer nn::Formula.
#define LUGE_UNARY_OPS(X)                                                                       \
  X(neg, Neg, Numeric, "-x")                                                                    \
  X(square, Square, Numeric, "x * x")                                                           \
  X(abs, Abs, Numeric, "abs(x)")                                                                \
  X(sign, Sign, Numeric, "(x > 0) - (x < 0)")                                                   \
  X(floor, Floor, Numeric, "floor(x)")                                                          \
  X(ceil, Ceil, Numeric, "ceil(x)")                                                             \
  X(trunc, Trunc, Numeric, "trunc(x)")                                                          \
  X(round, Round, Numeric, "round(x)")                                                          \
  X(reciprocal, Reciprocal, Float, "1 / x")                                                     \
  X(sqrt, Sqrt, Float, "sqrt(x)")                                                               \
  X(rsqrt, Rsqrt, Float, "1 / sqrt(x)")                                                         \
  X(exp, Exp, Float, "exp(x)")                                                                  \
  X(exp2, Exp2, Float, "2 ** x")                                                                \
  X(expm1, Expm1, Float, "expm1(x)")                                                            \
  X(log, Log, Float, "log(x)")                                                                  \
  X(log2, Log2, Float, "log2(x)")                                                               \
  X(log10, Log10, Float, "log10(x)")                                                            \
  X(log1p, Log1p, Float, "log1p(x)")                                                            \
  X(sin, Sin, Float, "sin(x)")                                                                  \
  X(cos, Cos, Float, "cos(x)")                                                                  \
  X(tan, Tan, Float, "tan(x)")                                                                  \
  X(asin, Asin, Float, "asin(x)")                                                               \
  X(acos, Acos, Float, "acos(x)")                                                               \
  X(atan, Atan, Float, "atan(x)")                                                               \
  X(sinh, Sinh, Float, "sinh(x)")                                                               \
  X(cosh, Cosh, Float, "cosh(x)")                                                               \
  X(tanh, Tanh, Float, "tanh(x)")                                                               \
  X(asinh, Asinh, Float, "asinh(x)")                                                            \
  X(acosh, Acosh, Float, "acosh(x)")                                                            \
  X(atanh, Atanh, Float, "atanh(x)")                                                            \
  X(erf, Erf, Float, "erf(x)")                                                                  \
  X(erfc, Erfc, Float, "erfc(x)")                                                               \
  X(erfinv, Erfinv, Float, "erfinv(x)")                                                         \
  X(lgamma, Lgamma, Float, "lgamma(x)")                                                         \
  X(digamma, Digamma, Float, "digamma(x)")                                                      \
  X(polygamma, Polygamma, Float, "polygamma(n, x)", (n, 1.0))                                   \
  X(sigmoid, Sigmoid, Float, "1 / (1 + exp(-x))")                                               \
  X(relu, Relu, Numeric, "max(x, 0)")                                                           \
  X(gelu, Gelu, Float, "x * (1 + erf(x / sqrt(2))) / 2")                                        \
  X(silu, Silu, Float, "x / (1 + exp(-x))")                                                     \
  X(leaky_relu, LeakyRelu, Float, "x if x > 0 else negative_slope * x", (negative_slope, 0.01)) \
  X(hardshrink, Hardshrink, Float, "x if abs(x) > lambd else 0", (lambd, 0.5))                  \
  X(softplus, Softplus, Float, "log1p(exp(beta * x)) / beta", (beta, 1.0))

/// f(x), x.f(): bool.
#define LUGE_TEST_OPS(X)                       \
  X(logical_not, LogicalNot, Logical, "not x") \
  X(isnan, IsNan, Float, "isnan(x)")           \
  X(isinf, IsInf, Float, "isinf(x)")           \
  X(isposinf, IsPosInf, Float, "x == inf")     \
  X(isneginf, IsNegInf, Float, "x == -inf")    \
  X(isfinite, IsFinite, Float, "isfinite(x)")  \
  X(signbit, SignBit, Float, "copysign(1, x) < 0")

/// f(a, b) of tensors and numbers, x.f(b), in place x.f_(b).
#define LUGE_BINARY_OPS(X)                                               \
  X(add, Add, Numeric, "a + b")                                          \
  X(sub, Sub, Numeric, "a - b")                                          \
  X(mul, Mul, Numeric, "a * b")                                          \
  X(div, Div, Float, "a / b")                                            \
  X(pow, Pow, Numeric, "a ** b")                                         \
  X(floor_divide, FloorDivide, Numeric, "a // b")                        \
  X(remainder, Remainder, Numeric, "a % b")                              \
  X(fmod, Fmod, Numeric, "fmod(a, b)")                                   \
  X(maximum, Maximum, Numeric, "max(a, b)")                              \
  X(minimum, Minimum, Numeric, "min(a, b)")                              \
  X(fmax, Fmax, Numeric, "a if isnan(b) or a > b else b")                \
  X(fmin, Fmin, Numeric, "a if isnan(b) or a < b else b")                \
  X(atan2, Atan2, Float, "atan2(a, b)")                                  \
  X(hypot, Hypot, Float, "hypot(a, b)")                                  \
  X(copysign, CopySign, Float, "copysign(a, b)")                         \
  X(nextafter, NextAfter, Float, "nextafter(a, b)")                      \
  X(heaviside, Heaviside, Numeric, "b if a == 0 else 1 if a > 0 else 0") \
  X(logaddexp, LogAddExp, Float, "log(exp(a) + exp(b))")                 \
  X(logaddexp2, LogAddExp2, Float, "log2(2 ** a + 2 ** b)")              \
  X(xlogy, Xlogy, Float, "0 if a == 0 else a * log(b)")                  \
  X(bitwise_and, BitwiseAnd, Integral, "a & b")                          \
  X(bitwise_or, BitwiseOr, Integral, "a | b")                            \
  X(bitwise_xor, BitwiseXor, Integral, "a ^ b")                          \
  X(bitwise_left_shift, LeftShift, Integral, "a << b")                   \
  X(bitwise_right_shift, RightShift, Integral, "a >> b")

/// f(a, b) of tensors and numbers, x.f(b): bool.
#define LUGE_COMPARE_OPS(X)                                  \
  X(eq, Equal, Any, "a == b")                                \
  X(ne, NotEqual, Any, "a != b")                             \
  X(lt, Less, Any, "a < b")                                  \
  X(le, LessEqual, Any, "a <= b")                            \
  X(gt, Greater, Any, "a > b")                               \
  X(ge, GreaterEqual, Any, "a >= b")                         \
  X(logical_and, LogicalAnd, Logical, "bool(a) and bool(b)") \
  X(logical_or, LogicalOr, Logical, "bool(a) or bool(b)")    \
  X(logical_xor, LogicalXor, Logical, "bool(a) != bool(b)")

/// f(a, b, c) of tensors, the last one a number, too; x.f(b, c), in place x.f_(b, c).
#define LUGE_TERNARY_OPS(X) X(lerp, Lerp, Float, "a + c * (b - a)", end, weight)

/// Functions that are written by hand.
#define LUGE_OWN_OPS(X)                            \
  X(clamp, Clamp, Float, "min(max(x, low), high)") \
  X(where, Where, Any, "a if c else b")

/// Every op, in the order of the Op enumeration.
#define LUGE_OPS(X) \
  LUGE_UNARY_OPS(X) LUGE_TEST_OPS(X) LUGE_BINARY_OPS(X) LUGE_COMPARE_OPS(X) LUGE_TERNARY_OPS(X) LUGE_OWN_OPS(X)

/// LUGE_PARAMETERS(m, n, (a, 1), (b, 2)) is m(a, 1) n(b, 2), and nothing without parameters.
#define LUGE_PARAMETERS(m, n, ...) __VA_OPT__(LUGE_FIRST_PARAMETER(m, n, __VA_ARGS__))
#define LUGE_FIRST_PARAMETER(m, n, first, ...) m first __VA_OPT__(LUGE_SECOND_PARAMETER(n, __VA_ARGS__))
#define LUGE_SECOND_PARAMETER(n, second) n second
/// In a declaration, in a definition, behind other parameters in both, and in a list of values.
#define LUGE_DECLARED(name, value) double name = value
#define LUGE_DEFINED(name, value) double name
#define LUGE_MORE_DECLARED(name, value) , double name = value
#define LUGE_MORE_DEFINED(name, value) , double name
#define LUGE_LISTED(name, value) name,
