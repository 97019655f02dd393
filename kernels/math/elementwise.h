// Every elementwise formula of luge, forward and derivative side by side, once.
//
// A formula is a struct:
//   forward(inputs..., parameters...)                      -> V, or a mask for comparisons and logic
//   backward(dy, inputs..., y, parameters...)              -> V (one input) or Two<V> (two inputs):
//                                                             the gradients, given dy and what was saved
//   kSaves     which of inputs / output the derivative reads (anything else is never kept alive)
//   kLow,kHigh where tests and benchmarks draw float inputs from
//   kKink      a point whose neighbourhood gradient checks avoid (NaN: none)
// and one row in rows.h. The CPU loops, the CUDA kernels, the public functions, the tests and the
// benchmarks all expand that list.
#include <luge/math/dialect.h>

#if defined(LUGE_MATH_ELEMENTWISE_H_) == defined(LUGE_TARGET_TOGGLE)
#ifdef LUGE_MATH_ELEMENTWISE_H_
#undef LUGE_MATH_ELEMENTWISE_H_
#else
#define LUGE_MATH_ELEMENTWISE_H_
#endif

LUGE_BEFORE_DIALECT
namespace luge::math::LUGE_DIALECT {

/// The gradients of a two-input formula.
template <class V>
struct Two {
  V a, b;
};

inline constexpr int kSavesNothing = 0;
inline constexpr int kSavesInputs = 1;
inline constexpr int kSavesOutput = 2;
// A NaN; the run-time compiler has no __builtin_nan.
inline constexpr double kNoKink = __builtin_bit_cast(double, 0x7FF8000000000000ull);

template <int saves, int parameters = 0>
struct Traits {
  static constexpr int kSaves = saves;
  static constexpr int kParameters = parameters;
  static constexpr double kLow = -3, kHigh = 3;
  static constexpr double kKink = kNoKink;
};

// ---- arithmetic ---------------------------------------------------------------------------------

struct Add : Traits<kSavesNothing> {
  template <class V>
  LUGE_FN static V forward(V a, V b) { return a + b; }
  template <class V>
  LUGE_FN static Two<V> backward(V dy, V, V, V) { return {dy, dy}; }
};

struct Sub : Traits<kSavesNothing> {
  template <class V>
  LUGE_FN static V forward(V a, V b) { return a - b; }
  template <class V>
  LUGE_FN static Two<V> backward(V dy, V, V, V) { return {dy, -dy}; }
};

struct Mul : Traits<kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V a, V b) { return a * b; }
  template <class V>
  LUGE_FN static Two<V> backward(V dy, V a, V b, V) { return {dy * b, dy * a}; }
};

struct Div : Traits<kSavesInputs> {
  static constexpr double kLow = 0.5;
  template <class V>
  LUGE_FN static V forward(V a, V b) { return a / b; }
  template <class V>
  LUGE_FN static Two<V> backward(V dy, V a, V b, V) {
    // -dy * a / b^2 in this order: dy / b is infinite where b is subnormal, and infinity times a = 0 would be NaN.
    return {dy / b, -dy * ((a / b) / b)};
  }
};

struct Pow : Traits<kSavesInputs | kSavesOutput> {
  static constexpr double kLow = 0.25;
  template <class V>
  LUGE_FN static V forward(V a, V b) { return pow(a, b); }
  /// d/da = b a^(b-1), 0 for b = 0; d/db = y log a, 0 where a = 0 and b >= 0 (as PyTorch defines it).
  template <class V>
  LUGE_FN static Two<V> backward(V dy, V a, V b, V y) {
    const V zero(0.0);
    const V da = select(b == zero, zero, dy * (b * pow(a, b - V(1.0))));
    const V steep = dy * (y * log(a));
    const V db = select(a == zero, select(b >= zero, zero, steep), steep);
    return {da, db};
  }
};

/// NaN if either is NaN. As in PyTorch, a tie gives half of the gradient to each side, and a NaN all of it to both.
struct Maximum : Traits<kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V a, V b) { return select(a < b, b, select(is_nan(b), b, a)); }
  template <class V>
  LUGE_FN static Two<V> backward(V dy, V a, V b, V) {
    const V zero(0.0), half = dy * V(0.5);
    return {select(a == b, half, select(a < b, zero, dy)), select(a == b, half, select(b < a, zero, dy))};
  }
};

struct Minimum : Traits<kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V a, V b) { return select(b < a, b, select(is_nan(b), b, a)); }
  template <class V>
  LUGE_FN static Two<V> backward(V dy, V a, V b, V) {
    const V zero(0.0), half = dy * V(0.5);
    return {select(a == b, half, select(b < a, zero, dy)), select(a == b, half, select(a < b, zero, dy))};
  }
};

struct Neg : Traits<kSavesNothing> {
  template <class V>
  LUGE_FN static V forward(V x) { return -x; }
  template <class V>
  LUGE_FN static V backward(V dy, V, V) { return -dy; }
};

struct Square : Traits<kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) { return x * x; }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) { return (dy + dy) * x; }
};

struct Abs : Traits<kSavesInputs> {
  static constexpr double kKink = 0;
  template <class V>
  LUGE_FN static V forward(V x) { return abs(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) {
    const V zero(0.0);
    return select(x > zero, dy, select(x < zero, -dy, zero));
  }
};

/// -1, 0 (of a zero of either sign) or 1; NaN stays NaN. The gradient is zero everywhere.
struct Sign : Traits<kSavesNothing> {
  static constexpr double kKink = 0;
  template <class V>
  LUGE_FN static V forward(V x) {
    const V zero(0.0);
    return select(x > zero, V(1.0), select(x < zero, V(-1.0), x - x));
  }
  template <class V>
  LUGE_FN static V backward(V, V, V) { return V(0.0); }
};

/// min(max(x, low), high), so that high counts where low lies above it. The gradient passes inside, both ends
/// included. A bound is not NaN: core sees to that.
struct Clamp : Traits<kSavesInputs, 2> {
  static constexpr double kKink = 1;  // tests clamp to [-1, 1]
  template <class V>
  LUGE_FN static V forward(V x, V low, V high) {
    const V raised = select(x < low, low, x);
    return select(raised > high, high, raised);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V, V low, V high) {
    const V zero(0.0);
    return select(x >= low, select(x <= high, dy, zero), zero);
  }
};

// ---- powers, exponentials, logarithms, trigonometry ---------------------------------------------

struct Sqrt : Traits<kSavesOutput> {
  static constexpr double kLow = 0.1;
  template <class V>
  LUGE_FN static V forward(V x) { return sqrt(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) { return dy / (y + y); }
};

struct Rsqrt : Traits<kSavesOutput> {
  static constexpr double kLow = 0.1;
  template <class V>
  LUGE_FN static V forward(V x) { return V(1.0) / sqrt(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) { return dy * (V(-0.5) * y * (y * y)); }
};

struct Exp : Traits<kSavesOutput> {
  template <class V>
  LUGE_FN static V forward(V x) { return exp(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) { return dy * y; }
};

struct Expm1 : Traits<kSavesOutput> {
  template <class V>
  LUGE_FN static V forward(V x) { return expm1(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) { return dy * (y + V(1.0)); }
};

struct Log : Traits<kSavesInputs> {
  static constexpr double kLow = 0.1;
  template <class V>
  LUGE_FN static V forward(V x) { return log(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) { return dy / x; }
};

struct Log1p : Traits<kSavesInputs> {
  static constexpr double kLow = -0.8;
  template <class V>
  LUGE_FN static V forward(V x) { return log1p(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) { return dy / (x + V(1.0)); }
};

struct Sin : Traits<kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) { return sin(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) { return dy * cos(x); }
};

struct Cos : Traits<kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) { return cos(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) { return -dy * sin(x); }
};

// ---- activations --------------------------------------------------------------------------------

struct Tanh : Traits<kSavesOutput> {
  template <class V>
  LUGE_FN static V forward(V x) { return tanh(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) { return dy * (V(1.0) - y * y); }
};

/// 1 / (1 + e^-x). The exponential overflows to infinity for very negative x, which divides to 0.
struct Sigmoid : Traits<kSavesOutput> {
  template <class V>
  LUGE_FN static V forward(V x) { return V(1.0) / (V(1.0) + exp(-x)); }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) { return dy * (y * (V(1.0) - y)); }
};

/// max(x, 0); the gradient passes where the result is not 0, and so where it is NaN.
struct Relu : Traits<kSavesOutput> {
  static constexpr double kKink = 0;
  template <class V>
  LUGE_FN static V forward(V x) {
    const V zero(0.0);
    return select(x < zero, zero, x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) {
    const V zero(0.0);
    return select(y <= zero, zero, dy);
  }
};

struct LeakyRelu : Traits<kSavesInputs, 1> {
  static constexpr double kKink = 0;
  template <class V>
  LUGE_FN static V forward(V x, V negative_slope) { return select(x < V(0.0), negative_slope * x, x); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V, V negative_slope) { return select(x > V(0.0), dy, negative_slope * dy); }
};

/// x Phi(x) with the exact normal distribution function, Hendrycks and Gimpel, arXiv:1606.08415.
struct Gelu : Traits<kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) { return V(0.5) * x * (V(1.0) + erf(x * V(0.70710678118654752440))); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) {
    const V cdf = V(0.5) * (V(1.0) + erf(x * V(0.70710678118654752440)));
    const V pdf = V(0.39894228040143267794) * exp(V(-0.5) * x * x);
    return dy * (cdf + x * pdf);
  }
};

/// x sigmoid(x), Elfwing et al., arXiv:1702.03118; also called swish.
struct Silu : Traits<kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) { return x / (V(1.0) + exp(-x)); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) {
    const V s = V(1.0) / (V(1.0) + exp(-x));
    return dy * (s * (V(1.0) + x * (V(1.0) - s)));
  }
};

/// log(1 + e^(beta x)) / beta, without overflow: the part of x where z = beta x is positive, and log1p(e^-|z|) / beta.
struct Softplus : Traits<kSavesInputs, 1> {
  template <class V>
  LUGE_FN static V forward(V x, V beta) {
    const V z = beta * x;
    return select(z < V(0.0), V(0.0), x) + log1p(exp(-abs(z))) / beta;
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V, V beta) { return dy / (V(1.0) + exp(-(beta * x))); }
};

// ---- bits ---------------------------------------------------------------------------------------

struct BitwiseAnd : Traits<kSavesNothing> {
  template <class I>
  LUGE_FN static I forward(I a, I b) { return a & b; }
};
struct BitwiseOr : Traits<kSavesNothing> {
  template <class I>
  LUGE_FN static I forward(I a, I b) { return a | b; }
};
struct BitwiseXor : Traits<kSavesNothing> {
  template <class I>
  LUGE_FN static I forward(I a, I b) { return a ^ b; }
};

// ---- comparisons and logic: the result is a mask, stored as bool; no derivative ------------------

struct Equal : Traits<kSavesNothing> {
  template <class V>
  LUGE_FN static auto forward(V a, V b) { return a == b; }
};
struct NotEqual : Traits<kSavesNothing> {
  template <class V>
  LUGE_FN static auto forward(V a, V b) { return a != b; }
};
struct Less : Traits<kSavesNothing> {
  template <class V>
  LUGE_FN static auto forward(V a, V b) { return a < b; }
};
struct LessEqual : Traits<kSavesNothing> {
  template <class V>
  LUGE_FN static auto forward(V a, V b) { return a <= b; }
};
struct Greater : Traits<kSavesNothing> {
  template <class V>
  LUGE_FN static auto forward(V a, V b) { return a > b; }
};
struct GreaterEqual : Traits<kSavesNothing> {
  template <class V>
  LUGE_FN static auto forward(V a, V b) { return a >= b; }
};
struct LogicalAnd : Traits<kSavesNothing> {
  LUGE_FN static bool forward(bool a, bool b) { return a && b; }
};
struct LogicalOr : Traits<kSavesNothing> {
  LUGE_FN static bool forward(bool a, bool b) { return a || b; }
};
struct LogicalXor : Traits<kSavesNothing> {
  LUGE_FN static bool forward(bool a, bool b) { return a != b; }
};
struct LogicalNot : Traits<kSavesNothing> {
  template <class B>
  LUGE_FN static bool forward(B a) { return a == B(0); }
};
struct IsNan : Traits<kSavesNothing> {
  template <class V>
  LUGE_FN static auto forward(V x) { return is_nan(x); }
};
struct IsFinite : Traits<kSavesNothing> {
  template <class V>
  LUGE_FN static auto forward(V x) { return x - x == V(0.0); }
};

// ---- choice -------------------------------------------------------------------------------------

/// condition ? a : b. The condition arrives as a mask; a and b share a type.
struct Where : Traits<kSavesInputs> {
  template <class M, class V>
  LUGE_FN static V forward(M condition, V a, V b) { return select(condition, a, b); }
  template <class M, class V>
  LUGE_FN static Two<V> backward(V dy, M condition) {
    const V zero(0.0);
    return {select(condition, dy, zero), select(condition, zero, dy)};
  }
};

}  // namespace luge::math::LUGE_DIALECT
LUGE_AFTER_DIALECT

#endif  // toggling guard
