// Formulas of arithmetic: sums, products, quotients with their remainders, extremes, rounding.
#include <luge/math/formula.h>

#if defined(LUGE_MATH_ARITHMETIC_H_) == defined(LUGE_TARGET_TOGGLE)
#ifdef LUGE_MATH_ARITHMETIC_H_
#undef LUGE_MATH_ARITHMETIC_H_
#else
#define LUGE_MATH_ARITHMETIC_H_
#endif

LUGE_BEFORE_DIALECT
namespace luge::math::LUGE_DIALECT {

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

/// min(max(x, low), high), so that high counts where low lies above it. The gradient passes inside, not at a bound, as in
/// PyTorch 2.15; a bound that is infinite is none. A bound is not NaN: core sees to that.
struct Clamp : Traits<1, kSavesInputs, 2> {
  static constexpr double kKink = 1;  // tests clamp to [-1, 1]
  template <class V>
  LUGE_FN static V forward(V x, V low, V high) {
    const V raised = select(x < low, low, x);
    return select(raised > high, high, raised);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V, V low, V high) {
    const V zero(0.0), none_below(-kInfinity), none_above(kInfinity);
    const V above = select(x > low, dy, select(low == none_below, select(x == low, dy, zero), zero));
    return select(x < high, above, select(high == none_above, select(x == high, above, zero), zero));
  }
};

}  // namespace luge::math::LUGE_DIALECT
LUGE_AFTER_DIALECT

#endif  // toggling guard
