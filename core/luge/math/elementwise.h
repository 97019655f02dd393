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
//   kHasDerivative   false where there is none to ask for; backward is never run then
// and a row of op_table.h, which says what is made of it.
#include <luge/math/error_functions.h>
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
  static constexpr bool kHasDerivative = !is_mask;
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

/// The one that is a number, if the other is NaN. A tie gives half of the gradient to each side; of two NaN the first
/// has all of it.
struct Fmax : Traits<2, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V a, V b) {
    return select(is_nan(a), b, select(a < b, b, a));
  }
  template <class V>
  LUGE_FN static Gradients<V, 2> backward(V dy, V a, V b, V) {
    const V zero(0.0), half = dy * V(0.5);
    return {select(a == b, half, select(is_nan(b), dy, select(b < a, dy, zero))),
            select(a == b, half, select(is_nan(b), zero, select(b < a, zero, dy)))};
  }
};

struct Fmin : Traits<2, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V a, V b) {
    return select(is_nan(a), b, select(b < a, b, a));
  }
  template <class V>
  LUGE_FN static Gradients<V, 2> backward(V dy, V a, V b, V) {
    const V zero(0.0), half = dy * V(0.5);
    return {select(a == b, half, select(is_nan(b), dy, select(a < b, dy, zero))),
            select(a == b, half, select(is_nan(b), zero, select(a < b, zero, dy)))};
  }
};

/// a / b rounded down: the whole number next to (a - remainder) / b, which is exact but for its last bits. What is no
/// number or infinite is a / b, and a zero has its sign.
template <class V>
LUGE_FN V floor_quotient(V a, V b) {
  const V zero(0.0), part = fmod(a, b), near = (a - part) / b, below = near - V(1.0);
  const V quotient = round(
      select(part < zero, select(b < zero, near, below), select(part > zero, select(b < zero, below, near), near)));
  const V exact = a / b;
  return select(b == zero, exact, select(quotient == zero, copy_sign(zero, exact), quotient));
}

/// Of integers by 0: 0; so is a remainder. The gradient is zero everywhere.
struct FloorDivide : Traits<2, kSavesNothing> {
  template <class V>
  LUGE_FN static V forward(V a, V b) {
    return floor_quotient(a, b);
  }
  template <class V>
  LUGE_FN static Gradients<V, 2> backward(V, V, V, V) {
    return {V(0.0), V(0.0)};
  }
};

/// a - b floor(a / b), exactly but for one rounding where fmod has the other sign: the result has that of b.
struct Remainder : Traits<2, kSavesInputs> {
  static constexpr int kPasses = 0b01;
  static constexpr int kReads[] = {0, 0b11};
  template <class V>
  LUGE_FN static V forward(V a, V b) {
    const V zero(0.0), part = fmod(a, b), other = part + b;
    return select(part < zero, select(b < zero, part, other), select(part > zero, select(b < zero, other, part), part));
  }
  template <class V>
  LUGE_FN static Gradients<V, 2> backward(V dy, V a, V b, V) {
    return {dy, -dy * floor_quotient(a, b)};
  }
};

/// a - b trunc(a / b), exactly.
struct Fmod : Traits<2, kSavesInputs> {
  static constexpr int kPasses = 0b01;
  static constexpr int kReads[] = {0, 0b11};
  template <class V>
  LUGE_FN static V forward(V a, V b) {
    return fmod(a, b);
  }
  template <class V>
  LUGE_FN static Gradients<V, 2> backward(V dy, V a, V b, V) {
    return {dy, -dy * trunc(a / b)};
  }
};

/// |a| with the sign of b. The gradient is 0 at a = 0.
struct CopySign : Traits<2, kSavesInputs | kSavesOutput> {
  static constexpr int kReads[] = {0b01, 0};
  static constexpr double kKink = 0;
  template <class V>
  LUGE_FN static V forward(V a, V b) {
    return copy_sign(a, b);
  }
  template <class V>
  LUGE_FN static Gradients<V, 2> backward(V dy, V a, V, V y) {
    const V zero(0.0);
    return {select(a == zero, zero, dy * (y / a)), zero};
  }
};

/// The next number from a in the direction of b. The gradient passes to a where it moves, as in PyTorch.
struct NextAfter : Traits<2, kSavesInputs> {
  static constexpr int kReads[] = {0b11, 0};
  template <class V>
  LUGE_FN static V forward(V a, V b) {
    return nextafter(a, b);
  }
  template <class V>
  LUGE_FN static Gradients<V, 2> backward(V dy, V a, V b, V) {
    const V zero(0.0);
    return {select(a == b, zero, dy), zero};
  }
};

/// 0, b or 1 as a is below 0, equal to it or above; 0 of NaN.
struct Heaviside : Traits<2, kSavesNothing> {
  static constexpr bool kHasDerivative = false;
  template <class V>
  LUGE_FN static V forward(V a, V b) {
    const V zero(0.0);
    return select(a == zero, b, select(a > zero, V(1.0), zero));
  }
  template <class V>
  LUGE_FN static Gradients<V, 2> backward(V, V, V, V) {
    return {V(0.0), V(0.0)};
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

struct Ceil : Traits<1, kSavesNothing> {
  static constexpr double kLow = 0.1, kHigh = 0.9;
  template <class V>
  LUGE_FN static V forward(V x) {
    return ceil(x);
  }
  template <class V>
  LUGE_FN static V backward(V, V, V) {
    return V(0.0);
  }
};

struct Trunc : Traits<1, kSavesNothing> {
  static constexpr double kLow = 0.1, kHigh = 0.9;
  template <class V>
  LUGE_FN static V forward(V x) {
    return trunc(x);
  }
  template <class V>
  LUGE_FN static V backward(V, V, V) {
    return V(0.0);
  }
};

/// Ties to even.
struct Round : Traits<1, kSavesNothing> {
  static constexpr double kLow = 0.6, kHigh = 1.4;  // it jumps halfway between whole numbers
  template <class V>
  LUGE_FN static V forward(V x) {
    return round(x);
  }
  template <class V>
  LUGE_FN static V backward(V, V, V) {
    return V(0.0);
  }
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

struct Reciprocal : Traits<1, kSavesOutput> {
  static constexpr double kLow = 0.5;
  template <class V>
  LUGE_FN static V forward(V x) {
    return V(1.0) / x;
  }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) {
    return -dy * (y * y);
  }
};

inline constexpr double kLn2 = 0.69314718055994530942, kLn10 = 2.30258509299404568402;

struct Exp : Traits<1, kSavesOutput> {
  template <class V>
  LUGE_FN static V forward(V x) { return exp(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) { return dy * y; }
};

struct Exp2 : Traits<1, kSavesOutput> {
  template <class V>
  LUGE_FN static V forward(V x) {
    return exp2(x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) {
    return dy * (y * V(kLn2));
  }
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

struct Log2 : Traits<1, kSavesInputs> {
  static constexpr double kLow = 0.1;
  template <class V>
  LUGE_FN static V forward(V x) {
    return log2(x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) {
    return dy / (x * V(kLn2));
  }
};

struct Log10 : Traits<1, kSavesInputs> {
  static constexpr double kLow = 0.1;
  template <class V>
  LUGE_FN static V forward(V x) {
    return log10(x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) {
    return dy / (x * V(kLn10));
  }
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

struct Tan : Traits<1, kSavesOutput> {
  static constexpr double kLow = -1.4, kHigh = 1.4;
  template <class V>
  LUGE_FN static V forward(V x) {
    return tan(x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) {
    return dy * (V(1.0) + y * y);
  }
};

struct Asin : Traits<1, kSavesInputs> {
  static constexpr double kLow = -0.9, kHigh = 0.9;
  template <class V>
  LUGE_FN static V forward(V x) {
    return asin(x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) {
    return dy / sqrt((V(1.0) - x) * (V(1.0) + x));
  }
};

struct Acos : Traits<1, kSavesInputs> {
  static constexpr double kLow = -0.9, kHigh = 0.9;
  template <class V>
  LUGE_FN static V forward(V x) {
    return acos(x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) {
    return -dy / sqrt((V(1.0) - x) * (V(1.0) + x));
  }
};

struct Atan : Traits<1, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) { return atan(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) { return dy / (V(1.0) + x * x); }
};

struct Sinh : Traits<1, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) {
    return sinh(x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) {
    return dy * cosh(x);
  }
};

struct Cosh : Traits<1, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) {
    return cosh(x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) {
    return dy * sinh(x);
  }
};

struct Asinh : Traits<1, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) {
    return asinh(x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) {
    return dy / sqrt(x * x + V(1.0));
  }
};

struct Acosh : Traits<1, kSavesInputs> {
  static constexpr double kLow = 1.1, kHigh = 6;
  template <class V>
  LUGE_FN static V forward(V x) {
    return acosh(x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) {
    return dy / sqrt(V(0.0) + (x - V(1.0)) * (x + V(1.0)));
  }
};

struct Atanh : Traits<1, kSavesInputs> {
  static constexpr double kLow = -0.9, kHigh = 0.9;
  template <class V>
  LUGE_FN static V forward(V x) {
    return atanh(x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) {
    return dy / ((V(1.0) - x) * (V(1.0) + x));
  }
};

/// The angle of the point (b, a) in (-pi, pi]. The gradient is 0 at the origin.
struct Atan2 : Traits<2, kSavesInputs> {
  static constexpr double kKink = 0;
  template <class V>
  LUGE_FN static V forward(V a, V b) {
    return atan2(a, b);
  }
  template <class V>
  LUGE_FN static Gradients<V, 2> backward(V dy, V a, V b, V) {
    // Of b / (a^2 + b^2) without the squares of what is large or small.
    const V zero(0.0), one(1.0), x = abs(a), y = abs(b), most = select(x < y, y, x), ratio = select(x < y, x, y) / most;
    const V part = dy / (one + ratio * ratio);
    return {select(most == zero, zero * b, part * (b / most) / most),
            select(most == zero, zero * b, -part * (a / most) / most)};
  }
};

/// sqrt(a^2 + b^2) without overflow on the way.
struct Hypot : Traits<2, kSavesInputs | kSavesOutput> {
  static constexpr int kReads[] = {0b01, 0b10};
  static constexpr double kKink = 0;
  template <class V>
  LUGE_FN static V forward(V a, V b) {
    return hypot(a, b);
  }
  template <class V>
  LUGE_FN static Gradients<V, 2> backward(V dy, V a, V b, V y) {
    return {dy * (a / y), dy * (b / y)};
  }
};

/// log(e^a + e^b): the larger one and what the difference adds.
struct LogAddExp : Traits<2, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V a, V b) {
    const V apart = select(a == b, V(0.0), -abs(a - b));
    return select(a < b, b, a) + log1p(exp(apart));
  }
  template <class V>
  LUGE_FN static Gradients<V, 2> backward(V dy, V a, V b, V) {
    return {dy / (V(1.0) + exp(b - a)), dy / (V(1.0) + exp(a - b))};
  }
};

struct LogAddExp2 : Traits<2, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V a, V b) {
    const V apart = select(a == b, V(0.0), -abs(a - b));
    return select(a < b, b, a) + log1p(exp2(apart)) * V(1.44269504088896340736);
  }
  template <class V>
  LUGE_FN static Gradients<V, 2> backward(V dy, V a, V b, V) {
    return {dy / (V(1.0) + exp2(b - a)), dy / (V(1.0) + exp2(a - b))};
  }
};

/// a log b, and 0 for a = 0 whatever number b is.
template <class V>
LUGE_FN V times_log(V a, V b) {
  return select(is_nan(b), b, select(a == V(0.0), V(0.0), a * log(b)));
}
/// The gradient of a is 0 where a = 0 and b <= 0, as in PyTorch.
struct Xlogy : Traits<2, kSavesInputs> {
  static constexpr double kLow = 0.25;
  template <class V>
  LUGE_FN static V forward(V a, V b) {
    return times_log(a, b);
  }
  template <class V>
  LUGE_FN static Gradients<V, 2> backward(V dy, V a, V b, V) {
    const V zero(0.0), da = times_log(dy, b);
    return {select(a == zero, select(b <= zero, zero, da), da), dy * a / b};
  }
};

struct Erf : Traits<1, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) { return erf(x); }
  /// 2 / sqrt(pi) e^(-x^2)
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) { return dy * (V(1.12837916709551257390) * exp(-(x * x))); }
};

/// e^(-x^2) and e^(x^2) erfc(|x|), of an x in (-40, 40): what rounding took from x^2 is a factor of the latter.
template <class V>
struct GaussianParts {
  V density, scaled;

  /// For x^2 = y x and scale |x| = argument.
  LUGE_FN GaussianParts(V y, V x, V argument) {
    const V square = y * x, rest = fma(y, x, -square), at = scaled_erfc(argument);
    density = exp(-square);
    scaled = fma(-rest, at, at);
  }
};

/// 1 - erf(x), with all digits where erf rounds to 1.
template <class V>
LUGE_FN V complementary_erf(V x) {
  const V size = abs(x), within = select(size > V(40.0), V(40.0), size);
  const GaussianParts<V> parts(within, within, within);
  const V tail = parts.density * parts.scaled;
  return select(x < V(0.0), V(2.0) - tail, tail);
}
struct Erfc : Traits<1, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) {
    return complementary_erf(x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) {
    return dy * (V(-1.12837916709551257390) * exp(-(x * x)));
  }
};

/// The y with erf(y) = x; sqrt(pi) / 2 e^(y^2) is its slope.
struct Erfinv : Traits<1, kSavesOutput> {
  static constexpr double kLow = -0.9, kHigh = 0.9;
  template <class V>
  LUGE_FN static V forward(V x) {
    return erfinv(x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) {
    return dy * (V(0.88622692545275801365) * exp(y * y));
  }
};

/// log |gamma(x)|
struct Lgamma : Traits<1, kSavesInputs> {
  static constexpr double kLow = 0.4, kHigh = 6;  // its poles are 0, -1, -2, ...
  template <class V>
  LUGE_FN static V forward(V x) { return lgamma(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) { return dy * digamma(x); }
};

/// The derivative of lgamma.
struct Digamma : Traits<1, kSavesInputs> {
  static constexpr double kLow = 0.4, kHigh = 6;
  template <class V>
  LUGE_FN static V forward(V x) { return digamma(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) { return dy * trigamma(x); }
};

/// The derivative of order n of digamma.
struct Polygamma : Traits<1, kSavesInputs, 1> {
  static constexpr double kLow = 0.4, kHigh = 6;
  template <class V>
  LUGE_FN static V forward(V x, V n) {
    return polygamma(x, n);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V, V n) {
    return dy * polygamma(x, n + V(1.0));
  }
};

// ---- activations --------------------------------------------------------------------------------

struct Tanh : Traits<1, kSavesOutput> {
  template <class V>
  LUGE_FN static V forward(V x) { return tanh(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) { return dy * (V(1.0) - y * y); }
};

/// 1 / (1 + e^-x), by the exponential that is at most 1: of a very negative x it is what is left.
template <class V>
LUGE_FN V logistic(V x) {
  const V power = exp(-abs(x));
  return select(x < V(0.0), power, V(1.0)) / (V(1.0) + power);
}

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

/// The normal distribution at x: e^(-x^2 / 2), and what Phi(-|x|) has besides as its factor.
template <class V>
LUGE_FN GaussianParts<V> normal_parts(V x) {
  const V size = abs(x), within = select(size > V(40.0), V(40.0), size);
  return GaussianParts<V>(V(0.5) * within, within, within * V(0.70710678118654752440));
}
/// x Phi(x) with the exact normal distribution function, Hendrycks and Gimpel, arXiv:1606.08415.
struct Gelu : Traits<1, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) {
    const GaussianParts<V> parts = normal_parts(x);
    const V half = V(0.5) * parts.scaled;
    // The exponential comes last: it may be too small to have all digits.
    return select(x < V(0.0), x * half * parts.density, x * (V(1.0) - half * parts.density));
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) {
    const V cdf = V(0.5) * complementary_erf(x * V(-0.70710678118654752440));
    const V pdf = V(0.39894228040143267794) * exp(V(-0.5) * x * x);
    return dy * (cdf + x * pdf);
  }
};

/// x sigmoid(x), Elfwing et al., arXiv:1702.03118; also called swish.
struct Silu : Traits<1, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) {
    // Far out the exponential is too small to have all digits: there its root counts twice, beside which 1 stays 1.
    const V size = abs(x), one(1.0);
    const V far = select(one + V(0x1p-40) == one, V(87.0), V(708.0));  // of float32, of float64
    const V power = exp(select(size > far, V(-0.5) * size, -size));
    const V weight = select(x < V(0.0), power, one);
    return x * weight * select(size > far, weight, one) / (one + power);
  }
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

struct LeftShift : Traits<2, kSavesNothing> {
  template <class I>
  LUGE_FN static I forward(I a, I b) {
    return left_shifted(a, b);
  }
};
struct RightShift : Traits<2, kSavesNothing> {
  template <class I>
  LUGE_FN static I forward(I a, I b) {
    return right_shifted(a, b);
  }
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
struct IsInf : Traits<1, kSavesNothing, 0, true> {
  template <class V>
  LUGE_FN static auto forward(V x) {
    return abs(x) == V(kInfinity);
  }
};
struct IsPosInf : Traits<1, kSavesNothing, 0, true> {
  template <class V>
  LUGE_FN static auto forward(V x) {
    return x == V(kInfinity);
  }
};
struct IsNegInf : Traits<1, kSavesNothing, 0, true> {
  template <class V>
  LUGE_FN static auto forward(V x) {
    return x == V(-kInfinity);
  }
};
/// Of zeros and NaN, too.
struct SignBit : Traits<1, kSavesNothing, 0, true> {
  template <class V>
  LUGE_FN static auto forward(V x) {
    return copy_sign(V(1.0), x) < V(0.0);
  }
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
