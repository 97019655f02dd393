// What a residual costs in a fit, with its first and second derivative, once for both backends. rho(z) of z = (r / C)^2
// as SciPy's least_squares defines it; Tukey's biweight as Beaton and Tukey, Technometrics 16 (1974).
#include <luge/math/dialect.h>

#if defined(LUGE_MATH_FIT_LOSSES_H_) == defined(LUGE_TARGET_TOGGLE)
#ifdef LUGE_MATH_FIT_LOSSES_H_
#undef LUGE_MATH_FIT_LOSSES_H_
#else
#define LUGE_MATH_FIT_LOSSES_H_
#endif

LUGE_BEFORE_DIALECT
namespace luge::math::LUGE_DIALECT {

/// Of one observation: twice its part of the cost; what multiplies the derivatives of the model in the gradient; what
/// multiplies their products in the matrix of a step, never negative; the same in the second derivative.
template <class V>
struct FitTerm {
  V cost, score, curvature, bend;
};
/// A loss, its first and its second derivative.
template <class V>
struct Rho {
  V value, slope, bend;
};

struct SoftL1Loss {
  template <class V>
  LUGE_FN static Rho<V> rho(V z) {
    const V root = sqrt(V(1.0) + z);
    return {V(2.0) * (z / (root + V(1.0))), V(1.0) / root, V(-0.5) / (root * root * root)};
  }
};
struct HuberLoss {
  template <class V>
  LUGE_FN static Rho<V> rho(V z) {
    const auto near = z <= V(1.0);
    const V root = sqrt(select(near, V(1.0), z));
    return {select(near, z, V(2.0) * root - V(1.0)), V(1.0) / root,
            select(near, V(0.0), V(-0.5) / (root * root * root))};
  }
};
struct CauchyLoss {
  template <class V>
  LUGE_FN static Rho<V> rho(V z) {
    const V slope = V(1.0) / (V(1.0) + z);
    return {log1p(z), slope, -(slope * slope)};
  }
};
struct TukeyLoss {
  template <class V>
  LUGE_FN static Rho<V> rho(V z) {
    const V left = select(z < V(1.0), V(1.0) - z, V(0.0));
    return {(V(1.0) - left * left * left) / V(3.0), left * left, V(-2.0) * left};
  }
};

/// Gauss and Newton's curvature of a loss is that of the model alone times rho' + 2 z rho''. Where that is small or
/// negative, beyond the bend of the loss, a part of rho' keeps the step a descent.
template <class Loss, class V>
LUGE_FN FitTerm<V> robust_term(V r, V scale) {
  const V part = r / scale;
  const V z = part * part;
  const Rho<V> rho = Loss::rho(z);
  const V bent = rho.slope + V(2.0) * (z * rho.bend), least = V(0.1) * rho.slope;
  return {scale * scale * rho.value, rho.slope * r, select(bent < least, least, bent), bent};
}

/// The deviance of Poisson counts, and the expected curvature (Fisher's scoring). An expectation that is not positive
/// has a cost of NaN, which no step accepts.
template <class V>
LUGE_FN FitTerm<V> poisson_term(V f, V y) {
  const V zero(0.0), nan = V(__builtin_bit_cast(double, 0x7FF8000000000000ull));
  const auto valid = f > zero;
  const V ratio = y / f;
  const V information = select(y > zero, y * log(select(y > zero, ratio, V(1.0))), zero);
  const V deviance = V(2.0) * (f - y + information);
  const V expected = V(1.0) / f;
  return {select(valid, deviance, nan), V(1.0) - ratio, expected, expected};
}

/// What an observation's weight makes of a square, of a robust loss and of a deviance.
struct SquareTerm {
  template <class V>
  LUGE_FN FitTerm<V> operator()(V f, V y, V weight) const {
    const V r = (f - y) * weight, square = weight * weight;
    return {r * r, r * weight, square, square};
  }
};
template <class Loss>
struct RobustTerm {
  double scale;
  template <class V>
  LUGE_FN FitTerm<V> operator()(V f, V y, V weight) const {
    const FitTerm<V> part = robust_term<Loss>((f - y) * weight, V(scale));
    const V square = weight * weight;
    return {part.cost, part.score * weight, part.curvature * square, part.bend * square};
  }
};
struct PoissonTerm {
  template <class V>
  LUGE_FN FitTerm<V> operator()(V f, V y, V) const {
    return poisson_term(f, y);
  }
};

}  // namespace luge::math::LUGE_DIALECT
LUGE_AFTER_DIALECT

#endif  // toggling guard
