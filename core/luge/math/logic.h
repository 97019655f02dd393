// Formulas of bits, comparisons, logic and choice.
#include <luge/math/formula.h>

#if defined(LUGE_MATH_LOGIC_H_) == defined(LUGE_TARGET_TOGGLE)
#ifdef LUGE_MATH_LOGIC_H_
#undef LUGE_MATH_LOGIC_H_
#else
#define LUGE_MATH_LOGIC_H_
#endif

LUGE_BEFORE_DIALECT
namespace luge::math::LUGE_DIALECT {

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
