// Every optimizer update, once; in the meaning and naming of PyTorch's torch.optim. V is a scalar or
// a vector; a hyperparameter is a V too, because each set of a batch may have its own.
#include <luge/math/dialect.h>

#if defined(LUGE_MATH_UPDATES_H_) == defined(LUGE_TARGET_TOGGLE)
#ifdef LUGE_MATH_UPDATES_H_
#undef LUGE_MATH_UPDATES_H_
#else
#define LUGE_MATH_UPDATES_H_
#endif

LUGE_BEFORE_DIALECT
namespace luge::math::LUGE_DIALECT {

/// The gradient with weight decay. A decay of 0 adds nothing, as in PyTorch: not even 0 times infinity.
template <class V>
LUGE_FN V decayed(V g, V weight_decay, V p) {
  return select(weight_decay == V(0.0), g, g + weight_decay * p);
}

/// Stochastic gradient descent, optionally with momentum (Polyak) or Nesterov's variant
/// (Sutskever et al. 2013, in the form PyTorch uses).
template <class V>
struct Sgd {
  V lr, momentum, one_minus_dampening, weight_decay;
  bool decays = true;  ///< false: every weight_decay is 0

  /// Without a momentum buffer.
  LUGE_FN void step(V& p, V g) const { p = p - lr * (decays ? decayed(g, weight_decay, p) : g); }

  /// With one. At the first step the buffer takes the gradient as it is, without dampening.
  LUGE_FN void step(V& p, V g, V& buffer, bool first_step, bool nesterov) const {
    if (decays) g = decayed(g, weight_decay, p);
    buffer = first_step ? g : momentum * buffer + one_minus_dampening * g;
    p = p - lr * (nesterov ? g + momentum * buffer : buffer);
  }
};

/// Adam (Kingma and Ba, arXiv:1412.6980) with weight decay added to the gradient, or, decoupled,
/// AdamW (Loshchilov and Hutter, arXiv:1711.05101).
template <class V>
struct Adam {
  V lr, beta1, one_minus_beta1, beta2, one_minus_beta2, epsilon, weight_decay;
  V bias1;       ///< 1 - beta1^t, t counting from 1
  V sqrt_bias2;  ///< sqrt(1 - beta2^t)
  bool decays = true;  ///< false: every weight_decay is 0

  LUGE_FN void step(V& p, V g, V& m, V& v, bool decoupled) const {
    if (decays) {
      if (decoupled)
        p = select(weight_decay == V(0.0), p, p - lr * weight_decay * p);
      else
        g = decayed(g, weight_decay, p);
    }
    m = beta1 * m + one_minus_beta1 * g;
    v = beta2 * v + one_minus_beta2 * (g * g);
    p = p - (lr / bias1) * (m / (sqrt(v) / sqrt_bias2 + epsilon));
  }
};

}  // namespace luge::math::LUGE_DIALECT
LUGE_AFTER_DIALECT

#endif  // toggling guard
