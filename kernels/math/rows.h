#pragma once
// The list of elementwise ops: X(function, Formula, dtypes, text). One row is all that the CPU loops, the
// CUDA kernels, the public functions, the tests and the benchmarks need to know of an op.
//
// dtypes of the inputs:
//   Float    float32, float64; integers and bool are converted to float32 first, as in PyTorch
//   Numeric  int32, int64, float32, float64; what arithmetic of bools is, core/ops/elementwise.cpp says
//   Any      every type there is
//   Logical  bool; any other type is converted by "is not zero" first
//   Integral int32, int64; of bools it is the Logical row of the same name
// text is the formula in Python, of x, of a and b, or of c, a and b, with the functions of its math module: what the
// documentation says, and what tests hold the op against.

/// One input, no parameters, differentiable.
#define LUGE_UNARY_ROWS(X)                                \
  X(neg, Neg, Numeric, "-x")                              \
  X(square, Square, Numeric, "x * x")                     \
  X(abs, Abs, Numeric, "abs(x)")                          \
  X(sign, Sign, Numeric, "(x > 0) - (x < 0)")             \
  X(sqrt, Sqrt, Float, "sqrt(x)")                         \
  X(rsqrt, Rsqrt, Float, "1 / sqrt(x)")                   \
  X(exp, Exp, Float, "exp(x)")                            \
  X(expm1, Expm1, Float, "expm1(x)")                      \
  X(log, Log, Float, "log(x)")                            \
  X(log1p, Log1p, Float, "log1p(x)")                      \
  X(sin, Sin, Float, "sin(x)")                            \
  X(cos, Cos, Float, "cos(x)")                            \
  X(tanh, Tanh, Float, "tanh(x)")                         \
  X(sigmoid, Sigmoid, Float, "1 / (1 + exp(-x))")         \
  X(relu, Relu, Numeric, "max(x, 0)")                     \
  X(gelu, Gelu, Float, "x * (1 + erf(x / sqrt(2))) / 2")  \
  X(silu, Silu, Float, "x / (1 + exp(-x))")

/// One input and parameters (doubles, part of the call): X(function, Formula, dtypes, declaration,
/// arguments, text). The formula's kParameters counts them. clamp of integers is minimum(maximum(x, low), high), which
/// keeps all digits of its bounds.
#define LUGE_UNARY_PARAMETER_ROWS(X)                                                        \
  X(leaky_relu, LeakyRelu, Float, (double negative_slope = 0.01), (negative_slope),         \
    "x if x > 0 else negative_slope * x")                                                   \
  X(softplus, Softplus, Float, (double beta = 1.0), (beta), "log1p(exp(beta * x)) / beta")  \
  X(clamp, Clamp, Float, (std::optional<Scalar> low, std::optional<Scalar> high), (low, high),  \
    "min(max(x, low), high)")

/// Two inputs of one type, differentiable in both.
#define LUGE_BINARY_ROWS(X)                  \
  X(add, Add, Numeric, "a + b")              \
  X(sub, Sub, Numeric, "a - b")              \
  X(mul, Mul, Numeric, "a * b")              \
  X(div, Div, Float, "a / b")                \
  X(pow, Pow, Numeric, "a ** b")             \
  X(maximum, Maximum, Numeric, "max(a, b)")  \
  X(minimum, Minimum, Numeric, "min(a, b)")

/// Two inputs of one integer type, bit by bit.
#define LUGE_BITWISE_ROWS(X)                    \
  X(bitwise_and, BitwiseAnd, Integral, "a & b") \
  X(bitwise_or, BitwiseOr, Integral, "a | b")   \
  X(bitwise_xor, BitwiseXor, Integral, "a ^ b")

/// Two inputs of one type, bool result.
#define LUGE_COMPARE_ROWS(X)                                  \
  X(eq, Equal, Any, "a == b")                                 \
  X(ne, NotEqual, Any, "a != b")                              \
  X(lt, Less, Any, "a < b")                                   \
  X(le, LessEqual, Any, "a <= b")                             \
  X(gt, Greater, Any, "a > b")                                \
  X(ge, GreaterEqual, Any, "a >= b")                          \
  X(logical_and, LogicalAnd, Logical, "bool(a) and bool(b)")  \
  X(logical_or, LogicalOr, Logical, "bool(a) or bool(b)")     \
  X(logical_xor, LogicalXor, Logical, "bool(a) != bool(b)")

/// One input, bool result.
#define LUGE_TEST_ROWS(X)                       \
  X(logical_not, LogicalNot, Logical, "not x")  \
  X(isnan, IsNan, Float, "isnan(x)")            \
  X(isfinite, IsFinite, Float, "isfinite(x)")

/// A bool condition and two inputs of one type, differentiable in the latter.
#define LUGE_WHERE_ROWS(X) X(where, Where, Any, "a if c else b")

/// All rows, in the order of the Op enumeration; Y takes the rows with parameters.
#define LUGE_ELEMENTWISE_ROWS(X, Y)  \
  LUGE_UNARY_ROWS(X)                 \
  LUGE_UNARY_PARAMETER_ROWS(Y)       \
  LUGE_BINARY_ROWS(X)                \
  LUGE_BITWISE_ROWS(X)               \
  LUGE_COMPARE_ROWS(X)               \
  LUGE_TEST_ROWS(X)                  \
  LUGE_WHERE_ROWS(X)
