// Formulas of the activations of networks.
#include <luge/math/transcendental.h>

#if defined(LUGE_MATH_ACTIVATIONS_H_) == defined(LUGE_TARGET_TOGGLE)
#ifdef LUGE_MATH_ACTIVATIONS_H_
#undef LUGE_MATH_ACTIVATIONS_H_
#else
#define LUGE_MATH_ACTIVATIONS_H_
#endif

LUGE_BEFORE_DIALECT
namespace luge::math::LUGE_DIALECT {

/// Whether V is of float32 and not of float64.
template <class V>
LUGE_FN auto is_single() {
  const V one(1.0);
  return one + V(0x1p-40) == one;
}

struct Tanh : Traits<1, kSavesOutput> {
  template <class V>
  LUGE_FN static V forward(V x) { return tanh(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) { return dy * (V(1.0) - y * y); }
};

/// x / (1 + power) for 0 <= power, rounded once: what 1 + power and the quotient lost comes back.
template <class V>
LUGE_FN V over_one_and(V x, V power) {
  const V one(1.0), sum = one + power, inverse = one / sum, quotient = x * inverse;
  const V lost = select(power < one, power - (sum - one), one - (sum - power));
  return fma(fma(-quotient, lost, fma(-quotient, sum, x)), inverse, quotient);
}

/// 1 / (1 + e^-x), by the exponential that is at most 1: of a very negative x it is what is left.
template <class V>
LUGE_FN V logistic(V x) {
  const V power = exp(-abs(x));
  return over_one_and(select(x < V(0.0), power, V(1.0)), power);
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

// Vectors and the machine code of fused chains have some of what follows in fewer operations (kernels/cpu/functions.h).

/// The normal distribution at x: e^(-x^2 / 2), and what Phi(-|x|) has besides as its factor.
template <class V>
LUGE_FN GaussianParts<V> normal_parts(V x) {
  const V size = abs(x), within = select(size > V(40.0), V(40.0), size), root = V(0.70710678118654752440);
  const V rest = select(is_single<V>(), V(1.2101617104478970e-08), V(-4.8336466567264567e-17));  // of the root
  const V argument = within * root;
  return GaussianParts<V>(V(0.5) * within, within, argument, fma(within, rest, fma(within, root, -argument)));
}
template <class V>
LUGE_FN V gelu(V x) {
  const GaussianParts<V> parts = normal_parts(x);
  const V half = V(0.5) * parts.scaled, rest = V(0.5) * parts.rest, product = x * half;
  const V lost = fma(x, rest, fma(x, half, -product));
  // The exponential comes last: it may be too small to have all digits. -0 where nothing is left.
  const V tail = -abs(fma(product, parts.density, lost * parts.density));
  return select(x < V(0.0), tail, x * (V(1.0) - (half + rest) * parts.density));
}
/// x Phi(x) with the exact normal distribution function, Hendrycks and Gimpel, arXiv:1606.08415.
struct Gelu : Traits<1, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) { return gelu(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) {
    const V cdf = V(0.5) * complementary_erf(x * V(-0.70710678118654752440));
    const V pdf = V(0.39894228040143267794) * exp(V(-0.5) * x * x);
    return dy * (cdf + x * pdf);
  }
};

template <class V>
LUGE_FN V silu(V x) {
  // Far out e^-x would overflow and e^x has lost digits: there it is e^(x + shift) e^-shift. The sum is exact, and
  // these shifts are such that e^-shift is so, too, to a thousandth of a unit in the last place.
  const auto single = is_single<V>();
  const V far = select(single, V(-87.0), V(-708.0)), shift = select(single, V(53.328125), V(398.484375));
  // e^-398.484375 in parts that float32 holds, too: compilers refuse a constant that it does not.
  const V part = select(single, V(1.0), V(0x1p-126)), parts = part * part;
  const V factor = select(single, V(6.91655097896963e-24), V(0x1.140225e513e1ap-71)) * parts * parts;
  const V power = exp(select(x < far, x + shift, -x)), product = x * power, lost = fma(x, power, -product);
  const V near = over_one_and(x, power);
  const V tail = -abs(fma(product, factor, lost * factor));  // -0 where nothing is left
  return select(x < far, tail, select(x > V(90.0), x, select(x == V(0.0), x, near)));
}
/// x sigmoid(x), Elfwing et al., arXiv:1702.03118; also called swish.
struct Silu : Traits<1, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) { return silu(x); }
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
    return fma(log1p_exp(-abs(z)), V(1.0) / beta, select(z < V(0.0), V(0.0), x));
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V, V beta) { return dy * logistic(beta * x); }
};

}  // namespace luge::math::LUGE_DIALECT
LUGE_AFTER_DIALECT

#endif  // toggling guard
