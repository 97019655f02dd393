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
//   Integral integers; of bools it is the Logical row of the same name
// text is the formula in Python, of x, of a and b, or of a, b and c, with the functions of its math module and digamma:
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
  X(sqrt, Sqrt, Float, "sqrt(x)")                                                               \
  X(rsqrt, Rsqrt, Float, "1 / sqrt(x)")                                                         \
  X(exp, Exp, Float, "exp(x)")                                                                  \
  X(expm1, Expm1, Float, "expm1(x)")                                                            \
  X(log, Log, Float, "log(x)")                                                                  \
  X(log1p, Log1p, Float, "log1p(x)")                                                            \
  X(sin, Sin, Float, "sin(x)")                                                                  \
  X(cos, Cos, Float, "cos(x)")                                                                  \
  X(atan, Atan, Float, "atan(x)")                                                               \
  X(tanh, Tanh, Float, "tanh(x)")                                                               \
  X(erf, Erf, Float, "erf(x)")                                                                  \
  X(lgamma, Lgamma, Float, "lgamma(x)")                                                         \
  X(digamma, Digamma, Float, "digamma(x)")                                                      \
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
  X(isfinite, IsFinite, Float, "isfinite(x)")

/// f(a, b) of tensors and numbers, x.f(b), in place x.f_(b).
#define LUGE_BINARY_OPS(X)                      \
  X(add, Add, Numeric, "a + b")                 \
  X(sub, Sub, Numeric, "a - b")                 \
  X(mul, Mul, Numeric, "a * b")                 \
  X(div, Div, Float, "a / b")                   \
  X(pow, Pow, Numeric, "a ** b")                \
  X(maximum, Maximum, Numeric, "max(a, b)")     \
  X(minimum, Minimum, Numeric, "min(a, b)")     \
  X(bitwise_and, BitwiseAnd, Integral, "a & b") \
  X(bitwise_or, BitwiseOr, Integral, "a | b")   \
  X(bitwise_xor, BitwiseXor, Integral, "a ^ b")

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
