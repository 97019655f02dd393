#pragma once
// The list of elementwise ops: X(function, Formula, dtypes). One row is all that the CPU loops, the
// CUDA kernels, the public functions, the tests and the benchmarks need to know of an op.
//
// dtypes of the inputs:
//   Float    float32, float64; integers and bool are converted to float32 first, as in PyTorch
//   Numeric  int32, int64, float32, float64; bool is converted to int64 first
//   Any      every type there is
//   Logical  bool; any other type is converted by "is not zero" first

/// One input, no parameters, differentiable.
#define LUGE_UNARY_ROWS(X)      \
  X(neg, Neg, Numeric)          \
  X(square, Square, Numeric)    \
  X(abs, Abs, Numeric)          \
  X(sign, Sign, Numeric)        \
  X(sqrt, Sqrt, Float)          \
  X(rsqrt, Rsqrt, Float)        \
  X(exp, Exp, Float)            \
  X(expm1, Expm1, Float)        \
  X(log, Log, Float)            \
  X(log1p, Log1p, Float)        \
  X(sin, Sin, Float)            \
  X(cos, Cos, Float)            \
  X(tanh, Tanh, Float)          \
  X(sigmoid, Sigmoid, Float)    \
  X(relu, Relu, Numeric)        \
  X(gelu, Gelu, Float)          \
  X(silu, Silu, Float)

/// One input and parameters (doubles, part of the call): X(function, Formula, dtypes, declaration,
/// arguments). The formula's kParameters counts them.
#define LUGE_UNARY_PARAMETER_ROWS(X)                                                            \
  X(leaky_relu, LeakyRelu, Float, (double negative_slope = 0.01), (negative_slope))             \
  X(softplus, Softplus, Float, (double beta = 1.0), (beta))                                     \
  X(clamp, Clamp, Numeric, (double low, double high), (low, high))

/// Two inputs of one type, differentiable in both.
#define LUGE_BINARY_ROWS(X)     \
  X(add, Add, Numeric)          \
  X(sub, Sub, Numeric)          \
  X(mul, Mul, Numeric)          \
  X(div, Div, Float)            \
  X(pow, Pow, Numeric)          \
  X(maximum, Maximum, Numeric)  \
  X(minimum, Minimum, Numeric)

/// Two inputs of one type, bool result.
#define LUGE_COMPARE_ROWS(X)             \
  X(eq, Equal, Any)                      \
  X(ne, NotEqual, Any)                   \
  X(lt, Less, Any)                       \
  X(le, LessEqual, Any)                  \
  X(gt, Greater, Any)                    \
  X(ge, GreaterEqual, Any)               \
  X(logical_and, LogicalAnd, Logical)    \
  X(logical_or, LogicalOr, Logical)      \
  X(logical_xor, LogicalXor, Logical)

/// One input, bool result.
#define LUGE_TEST_ROWS(X)              \
  X(logical_not, LogicalNot, Logical)  \
  X(isnan, IsNan, Float)               \
  X(isfinite, IsFinite, Float)

/// A bool condition and two inputs of one type, differentiable in the latter.
#define LUGE_WHERE_ROWS(X) X(where, Where, Any)

/// All rows, in the order of the Op enumeration; Y takes the rows with parameters.
#define LUGE_ELEMENTWISE_ROWS(X, Y) \
  LUGE_UNARY_ROWS(X)                \
  LUGE_UNARY_PARAMETER_ROWS(Y)      \
  LUGE_BINARY_ROWS(X)               \
  LUGE_COMPARE_ROWS(X)              \
  LUGE_TEST_ROWS(X)                 \
  LUGE_WHERE_ROWS(X)
