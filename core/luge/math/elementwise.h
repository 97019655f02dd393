// Every elementwise formula of luge, forward and derivative side by side, once.
//
// A formula is a struct:
//   forward(inputs..., parameters...)                      -> V, or a mask for comparisons and logic
//   backward(dy, inputs..., y, parameters...)              -> V (one input) or Gradients<V, inputs>, given dy and
//                                                             what was saved; none for masks and integers
//   kInputs, kParameters, kIsMask   how many there are, and whether the result is a mask
//   kSaves     which of inputs / output the derivative reads (anything else is never kept alive)
//   kReads     by gradient: which inputs it reads, bit by bit, where it reads fewer than all
//   kPasses    inputs whose gradient is that of the output, bit by bit
//   kLow,kHigh where tests and benchmarks draw float inputs from
//   kKink      a point whose neighbourhood gradient checks avoid (NaN: none)
// and a row of op_table.h, which says what is made of it.
#include <luge/math/gamma.h>

#if defined(LUGE_MATH_ELEMENTWISE_H_) == defined(LUGE_TARGET_TOGGLE)
#ifdef LUGE_MATH_ELEMENTWISE_H_
#undef LUGE_MATH_ELEMENTWISE_H_
#else
#define LUGE_MATH_ELEMENTWISE_H_
#endif

LUGE_BEFORE_DIALECT
namespace luge::math::LUGE_DIALECT {

/// The gradients of a formula's inputs.
template <class V, int n>
struct Gradients {
  V values[n];
  LUGE_FN V operator[](int i) const { return values[i]; }
};

inline constexpr int kSavesNothing = 0;
inline constexpr int kSavesInputs = 1;
inline constexpr int kSavesOutput = 2;
// A NaN; the run-time compiler has no __builtin_nan.
inline constexpr double kNoKink = __builtin_bit_cast(double, 0x7FF8000000000000ull);

template <int inputs, int saves, int parameters = 0, bool is_mask = false>
struct Traits {
  static constexpr int kInputs = inputs;
  static constexpr int kSaves = saves;
  static constexpr int kParameters = parameters;
  static constexpr bool kIsMask = is_mask;
  static constexpr int kReads[3] = {7, 7, 7};
  static constexpr int kPasses = 0;
  static constexpr double kLow = -3, kHigh = 3;
  static constexpr double kKink = kNoKink;
};

template <int... i>
struct Indices {};
template <int n, int... i>
struct FirstIndices : FirstIndices<n - 1, n - 1, i...> {};
template <int... i>
struct FirstIndices<0, i...> {
  using type = Indices<i...>;
};

template <class F, class V, int... i, int... p>
LUGE_FN auto forward_of(const V* in, const V* parameters, Indices<i...>, Indices<p...>) {
  return F::forward(in[i]..., parameters[p]...);
}
/// F::forward of as many inputs and parameters as it takes.
template <class F, class V>
LUGE_FN auto invoke_forward(const V* in, const V* parameters) {
  return forward_of<F>(in, parameters, typename FirstIndices<F::kInputs>::type(),
                       typename FirstIndices<F::kParameters>::type());
}

template <class F, class V, int... i, int... p>
LUGE_FN Gradients<V, F::kInputs> backward_of(const V* in, const V* parameters, Indices<i...>, Indices<p...>) {
  if constexpr (F::kInputs == 1)
    return {{F::backward(in[i]..., parameters[p]...)}};
  else
    return F::backward(in[i]..., parameters[p]...);
}
/// F::backward, whose inputs are dy, the op's inputs and its output.
template <class F, class V>
LUGE_FN Gradients<V, F::kInputs> invoke_backward(const V* in, const V* parameters) {
  return backward_of<F>(in, parameters, typename FirstIndices<F::kInputs + 2>::type(),
                        typename FirstIndices<F::kParameters>::type());
}

// ---- arithmetic ---------------------------------------------------------------------------------

struct Add : Traits<2, kSavesNothing> {
  static constexpr int kPasses = 0b11;
  template <class V>
  LUGE_FN static V forward(V a, V b) { return a + b; }
  template <class V>
  LUGE_FN static Gradients<V, 2> backward(V dy, V, V, V) { return {dy, dy}; }
};

struct Sub : Traits<2, kSavesNothing> {
  static constexpr int kPasses = 0b01;
  template <class V>
  LUGE_FN static V forward(V a, V b) { return a - b; }
  template <class V>
  LUGE_FN static Gradients<V, 2> backward(V dy, V, V, V) { return {dy, -dy}; }
};

struct Mul : Traits<2, kSavesInputs> {
  static constexpr int kReads[] = {0b10, 0b01};
  template <class V>
  LUGE_FN static V forward(V a, V b) { return a * b; }
  template <class V>
  LUGE_FN static Gradients<V, 2> backward(V dy, V a, V b, V) { return {dy * b, dy * a}; }
};

struct Div : Traits<2, kSavesInputs> {
  static constexpr int kReads[] = {0b10, 0b11};
  static constexpr double kLow = 0.5;
  template <class V>
  LUGE_FN static V forward(V a, V b) { return a / b; }
  template <class V>
  LUGE_FN static Gradients<V, 2> backward(V dy, V a, V b, V) {
    // -dy * a / b^2 in this order: dy / b is infinite where b is subnormal, and infinity times a = 0 would be NaN.
    return {dy / b, -dy * ((a / b) / b)};
  }
};

struct Pow : Traits<2, kSavesInputs | kSavesOutput> {
  static constexpr double kLow = 0.25;
  template <class V>
  LUGE_FN static V forward(V a, V b) { return pow(a, b); }
  /// d/da = b a^(b-1), 0 for b = 0; d/db = y log a, 0 where a = 0 and b >= 0 (as PyTorch defines it).
  template <class V>
  LUGE_FN static Gradients<V, 2> backward(V dy, V a, V b, V y) {
    const V zero(0.0);
    const V da = select(b == zero, zero, dy * (b * pow(a, b - V(1.0))));
    const V steep = dy * (y * log(a));
    const V db = select(a == zero, select(b >= zero, zero, steep), steep);
    return {da, db};
  }
};

/// NaN if either is NaN. As in PyTorch, a tie gives half of the gradient to each side, and a NaN all of it to both.
struct Maximum : Traits<2, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V a, V b) { return select(a < b, b, select(is_nan(b), b, a)); }
  template <class V>
  LUGE_FN static Gradients<V, 2> backward(V dy, V a, V b, V) {
    const V zero(0.0), half = dy * V(0.5);
    return {select(a == b, half, select(a < b, zero, dy)), select(a == b, half, select(b < a, zero, dy))};
  }
};

struct Minimum : Traits<2, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V a, V b) { return select(b < a, b, select(is_nan(b), b, a)); }
  template <class V>
  LUGE_FN static Gradients<V, 2> backward(V dy, V a, V b, V) {
    const V zero(0.0), half = dy * V(0.5);
    return {select(a == b, half, select(b < a, zero, dy)), select(a == b, half, select(a < b, zero, dy))};
  }
};

struct Neg : Traits<1, kSavesNothing> {
  template <class V>
  LUGE_FN static V forward(V x) { return -x; }
  template <class V>
  LUGE_FN static V backward(V dy, V, V) { return -dy; }
};

struct Square : Traits<1, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) { return x * x; }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) { return (dy + dy) * x; }
};

struct Abs : Traits<1, kSavesInputs> {
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
struct Sign : Traits<1, kSavesNothing> {
  static constexpr double kKink = 0;
  template <class V>
  LUGE_FN static V forward(V x) {
    const V zero(0.0);
    return select(x > zero, V(1.0), select(x < zero, V(-1.0), x - x));
  }
  template <class V>
  LUGE_FN static V backward(V, V, V) { return V(0.0); }
};

struct Floor : Traits<1, kSavesNothing> {
  static constexpr double kLow = 0.1, kHigh = 0.9;  // it jumps at whole numbers
  template <class V>
  LUGE_FN static V forward(V x) { return floor(x); }
  template <class V>
  LUGE_FN static V backward(V, V, V) { return V(0.0); }
};

/// a + c (b - a), from the nearer end as PyTorch has it, so that c = 1 gives b.
struct Lerp : Traits<3, kSavesInputs> {
  static constexpr int kReads[] = {0b100, 0b100, 0b011};
  template <class V>
  LUGE_FN static V forward(V a, V b, V c) {
    const V span = b - a;
    return select(c < V(0.5), a + c * span, b - span * (V(1.0) - c));
  }
  template <class V>
  LUGE_FN static Gradients<V, 3> backward(V dy, V a, V b, V c, V) {
    return {dy * (V(1.0) - c), dy * c, dy * (b - a)};
  }
};

/// min(max(x, low), high), so that high counts where low lies above it. The gradient passes inside, both ends
/// included. A bound is not NaN: core sees to that.
struct Clamp : Traits<1, kSavesInputs, 2> {
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

struct Sqrt : Traits<1, kSavesOutput> {
  static constexpr double kLow = 0.1;
  template <class V>
  LUGE_FN static V forward(V x) { return sqrt(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) { return dy / (y + y); }
};

struct Rsqrt : Traits<1, kSavesOutput> {
  static constexpr double kLow = 0.1;
  template <class V>
  LUGE_FN static V forward(V x) { return V(1.0) / sqrt(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) { return dy * (V(-0.5) * y * (y * y)); }
};

struct Exp : Traits<1, kSavesOutput> {
  template <class V>
  LUGE_FN static V forward(V x) { return exp(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) { return dy * y; }
};

struct Expm1 : Traits<1, kSavesOutput> {
  template <class V>
  LUGE_FN static V forward(V x) { return expm1(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) { return dy * (y + V(1.0)); }
};

struct Log : Traits<1, kSavesInputs> {
  static constexpr double kLow = 0.1;
  template <class V>
  LUGE_FN static V forward(V x) { return log(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) { return dy / x; }
};

struct Log1p : Traits<1, kSavesInputs> {
  static constexpr double kLow = -0.8;
  template <class V>
  LUGE_FN static V forward(V x) { return log1p(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) { return dy / (x + V(1.0)); }
};

struct Sin : Traits<1, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) { return sin(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) { return dy * cos(x); }
};

struct Cos : Traits<1, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) { return cos(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) { return -dy * sin(x); }
};

struct Atan : Traits<1, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) { return atan(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) { return dy / (V(1.0) + x * x); }
};

struct Erf : Traits<1, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) { return erf(x); }
  /// 2 / sqrt(pi) e^(-x^2)
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) { return dy * (V(1.12837916709551257390) * exp(-(x * x))); }
};

/// log |gamma(x)|
struct Lgamma : Traits<1, kSavesInputs> {
  static constexpr double kLow = 0.4, kHigh = 6;  // its poles are 0, -1, -2, ...
  template <class V>
  LUGE_FN static V forward(V x) { return lgamma(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) { return dy * digamma(x); }
};

/// The derivative of lgamma. That of its own has no row, so create_graph refuses it by the name of trigamma.
struct Digamma : Traits<1, kSavesInputs> {
  static constexpr double kLow = 0.4, kHigh = 6;
  template <class V>
  LUGE_FN static V forward(V x) { return digamma(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) { return dy * trigamma(x); }
};

// ---- activations --------------------------------------------------------------------------------

struct Tanh : Traits<1, kSavesOutput> {
  template <class V>
  LUGE_FN static V forward(V x) { return tanh(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) { return dy * (V(1.0) - y * y); }
};

/// 1 / (1 + e^-x). The exponential overflows to infinity for very negative x, which divides to 0.
template <class V>
LUGE_FN V logistic(V x) { return V(1.0) / (V(1.0) + exp(-x)); }

struct Sigmoid : Traits<1, kSavesOutput> {
  template <class V>
  LUGE_FN static V forward(V x) { return logistic(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) { return dy * (y * (V(1.0) - y)); }
};

/// max(x, 0); the gradient passes where the result is not 0, and so where it is NaN.
struct Relu : Traits<1, kSavesOutput> {
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

struct LeakyRelu : Traits<1, kSavesInputs, 1> {
  static constexpr double kKink = 0;
  template <class V>
  LUGE_FN static V forward(V x, V negative_slope) { return select(x < V(0.0), negative_slope * x, x); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V, V negative_slope) { return select(x > V(0.0), dy, negative_slope * dy); }
};

/// x beyond lambd on either side, else 0; NaN stays NaN, and so does what comes back to it.
struct Hardshrink : Traits<1, kSavesInputs, 1> {
  static constexpr double kKink = 0.75;  // tests choose this lambd
  template <class V>
  LUGE_FN static V forward(V x, V lambd) {
    return select(x >= -lambd, select(x <= lambd, V(0.0), x), x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V, V lambd) {
    return select(x >= -lambd, select(x <= lambd, V(0.0), dy), dy);
  }
};

/// x Phi(x) with the exact normal distribution function, Hendrycks and Gimpel, arXiv:1606.08415.
struct Gelu : Traits<1, kSavesInputs> {
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
struct Silu : Traits<1, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) { return x / (V(1.0) + exp(-x)); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) {
    const V s = logistic(x);
    return dy * (s * (V(1.0) + x * (V(1.0) - s)));
  }
};

/// log(1 + e^(beta x)) / beta, without overflow: the part of x where z = beta x is positive, and log1p(e^-|z|) / beta.
struct Softplus : Traits<1, kSavesInputs, 1> {
  template <class V>
  LUGE_FN static V forward(V x, V beta) {
    const V z = beta * x;
    return select(z < V(0.0), V(0.0), x) + log1p(exp(-abs(z))) / beta;
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V, V beta) { return dy * logistic(beta * x); }
};

// ---- bits ---------------------------------------------------------------------------------------

struct BitwiseAnd : Traits<2, kSavesNothing> {
  template <class I>
  LUGE_FN static I forward(I a, I b) { return a & b; }
};
struct BitwiseOr : Traits<2, kSavesNothing> {
  template <class I>
  LUGE_FN static I forward(I a, I b) { return a | b; }
};
struct BitwiseXor : Traits<2, kSavesNothing> {
  template <class I>
  LUGE_FN static I forward(I a, I b) { return a ^ b; }
};

// ---- comparisons and logic: the result is a mask, stored as bool; no derivative ------------------

struct Equal : Traits<2, kSavesNothing, 0, true> {
  template <class V>
  LUGE_FN static auto forward(V a, V b) { return a == b; }
};
struct NotEqual : Traits<2, kSavesNothing, 0, true> {
  template <class V>
  LUGE_FN static auto forward(V a, V b) { return a != b; }
};
struct Less : Traits<2, kSavesNothing, 0, true> {
  template <class V>
  LUGE_FN static auto forward(V a, V b) { return a < b; }
};
struct LessEqual : Traits<2, kSavesNothing, 0, true> {
  template <class V>
  LUGE_FN static auto forward(V a, V b) { return a <= b; }
};
struct Greater : Traits<2, kSavesNothing, 0, true> {
  template <class V>
  LUGE_FN static auto forward(V a, V b) { return a > b; }
};
struct GreaterEqual : Traits<2, kSavesNothing, 0, true> {
  template <class V>
  LUGE_FN static auto forward(V a, V b) { return a >= b; }
};
struct LogicalAnd : Traits<2, kSavesNothing, 0, true> {
  LUGE_FN static bool forward(bool a, bool b) { return a && b; }
};
struct LogicalOr : Traits<2, kSavesNothing, 0, true> {
  LUGE_FN static bool forward(bool a, bool b) { return a || b; }
};
struct LogicalXor : Traits<2, kSavesNothing, 0, true> {
  LUGE_FN static bool forward(bool a, bool b) { return a != b; }
};
struct LogicalNot : Traits<1, kSavesNothing, 0, true> {
  template <class B>
  LUGE_FN static bool forward(B a) { return a == B(0); }
};
struct IsNan : Traits<1, kSavesNothing, 0, true> {
  template <class V>
  LUGE_FN static auto forward(V x) { return is_nan(x); }
};
struct IsFinite : Traits<1, kSavesNothing, 0, true> {
  template <class V>
  LUGE_FN static auto forward(V x) { return x - x == V(0.0); }
};

// ---- choice -------------------------------------------------------------------------------------

/// condition ? a : b. The condition arrives as a mask; a and b share a type.
struct Where : Traits<3, kSavesInputs> {
  static constexpr int kReads[] = {0b001, 0b001, 0b001};
  template <class M, class V>
  LUGE_FN static V forward(M condition, V a, V b) { return select(condition, a, b); }
  template <class M, class V>
  LUGE_FN static Gradients<V, 2> backward(V dy, M condition) {
    const V zero(0.0);
    return {select(condition, dy, zero), select(condition, zero, dy)};
  }
};

}  // namespace luge::math::LUGE_DIALECT
LUGE_AFTER_DIALECT

#endif  // toggling guard
