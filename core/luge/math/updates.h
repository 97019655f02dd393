// Every optimizer update, once; in the meaning and naming of PyTorch's torch.optim.
//
// A rule is a struct:
//   Hyper      names its hyperparameters after kLr and kWeightDecay
//   kNumbers   the numbers that its step reads: hyperparameters, and what is derived from them and the step count
//   kStates    how many numbers it keeps with each parameter, at most kMaxStates
//   kFlops     per element
//   step(n, decays, p, g, states)   updates p and its states by the gradient g; n[i] is number i. V is a scalar, a
//              vector or a traced value. A number is a V too, because each set of a batch may have its own. `decays`
//              is false if every weight_decay is 0.
// and a row of update_table.h.
#include <luge/math/dialect.h>
#include <luge/math/update_table.h>

#if defined(LUGE_MATH_UPDATES_H_) == defined(LUGE_TARGET_TOGGLE)
#ifdef LUGE_MATH_UPDATES_H_
#undef LUGE_MATH_UPDATES_H_
#else
#define LUGE_MATH_UPDATES_H_
#endif

LUGE_BEFORE_DIALECT
namespace luge::math::LUGE_DIALECT {

/// A number from its hyperparameters. What counts steps is computed in float64: in float32 1 - h^t would lose half of
/// its digits at the first steps.
template <class T>
LUGE_FN T derived(Derivation how, T h, T other, double t) {
  switch (how) {
    case Derivation::Plain: return h;
    case Derivation::OneMinus: return T(1) - h;
    case Derivation::OneMinusPower: return static_cast<T>(1.0 - pow(static_cast<double>(h), t));
    case Derivation::RootOneMinusPower: return static_cast<T>(sqrt(1.0 - pow(static_cast<double>(h), t)));
    case Derivation::Decayed:
      return static_cast<T>(static_cast<double>(h) / (1.0 + (t - 1.0) * static_cast<double>(other)));
    case Derivation::IsFirstStep: return t == 1.0 ? T(1) : T(0);
  }
  return h;
}

/// The gradient with weight decay. A decay of 0 adds nothing, as in PyTorch: not even 0 times infinity.
template <class V>
LUGE_FN V decayed(bool decays, V g, V weight_decay, V p) {
  return decays ? select(weight_decay == V(0.0), g, g + weight_decay * p) : g;
}

/// What clipping multiplies a gradient by whose norm is to be `most` at most. A norm of NaN makes all of it NaN.
template <class T>
LUGE_FN T clip_factor(T norm, T most) {
  const T factor = most / (norm + T(1e-6));
  return factor > T(1) ? T(1) : factor;
}

/// Stochastic gradient descent.
struct Sgd {
  enum Hyper { kHypers = 2 };
  static constexpr Number kNumbers[] = {{kLr}, {kWeightDecay}};
  static constexpr int kStates = 0;
  static constexpr double kFlops = 4;

  template <class V, class Numbers>
  LUGE_FN static void step(const Numbers& n, bool decays, V& p, V g, V*) {
    p = p - n[0] * decayed(decays, g, V(n[1]), p);
  }
};

/// The same with momentum (Polyak), or Nesterov's variant (Sutskever et al. 2013, in the form that PyTorch uses).
/// State: the buffer. At the first step it takes the gradient as it is, without dampening.
template <bool nesterov>
struct SgdWithMomentum {
  enum Hyper { kMomentum = 2, kDampening, kHypers };
  static constexpr Number kNumbers[] = {
      {kLr}, {kWeightDecay}, {kMomentum}, {kDampening, Derivation::OneMinus}, {0, Derivation::IsFirstStep}};
  static constexpr int kStates = 1;
  static constexpr double kFlops = nesterov ? 8 : 6;

  template <class V, class Numbers>
  LUGE_FN static void step(const Numbers& n, bool decays, V& p, V g, V* states) {
    const V rate = n[0], momentum = n[2], one_minus_dampening = n[3], is_first = n[4];
    V& buffer = states[0];
    g = decayed(decays, g, V(n[1]), p);
    buffer = select(is_first == V(0.0), momentum * buffer + one_minus_dampening * g, g);
    p = p - rate * (nesterov ? g + momentum * buffer : buffer);
  }
};
using MomentumSgd = SgdWithMomentum<false>;
using NesterovSgd = SgdWithMomentum<true>;

/// Adam (Kingma and Ba, arXiv:1412.6980) with weight decay added to the gradient, or, decoupled, AdamW (Loshchilov and
/// Hutter, arXiv:1711.05101). States: the first and the second moment.
template <bool decoupled>
struct AdamRule {
  enum Hyper { kBeta1 = 2, kBeta2, kEpsilon, kHypers };
  static constexpr Number kNumbers[] = {{kLr},
                                        {kWeightDecay},
                                        {kBeta1},
                                        {kBeta1, Derivation::OneMinus},
                                        {kBeta1, Derivation::OneMinusPower},
                                        {kBeta2},
                                        {kBeta2, Derivation::OneMinus},
                                        {kBeta2, Derivation::RootOneMinusPower},
                                        {kEpsilon}};
  static constexpr int kStates = 2;
  static constexpr double kFlops = 15;

  template <class V, class Numbers>
  LUGE_FN static void step(const Numbers& n, bool decays, V& p, V g, V* states) {
    const V rate = n[0], decay = n[1], beta1 = n[2], one_minus_beta1 = n[3], bias1 = n[4];
    const V beta2 = n[5], one_minus_beta2 = n[6], root_bias2 = n[7], epsilon = n[8];
    V &m = states[0], &v = states[1];
    if (!decoupled) g = decayed(decays, g, decay, p);
    if (decoupled && decays) p = select(decay == V(0.0), p, p - rate * decay * p);
    m = beta1 * m + one_minus_beta1 * g;
    v = beta2 * v + one_minus_beta2 * (g * g);
    p = p - (rate / bias1) * (m / (sqrt(v) / root_bias2 + epsilon));
  }
};
using Adam = AdamRule<false>;
using AdamW = AdamRule<true>;

/// RMSprop (Tieleman and Hinton 2012); centred, it divides by the deviation rather than the root of the mean square
/// (Graves, arXiv:1308.0850). States: the mean square, the mean if centred, the buffer with momentum. Rounding can make
/// a variance less than 0; it then counts as 0.
template <bool centered, bool has_momentum>
struct RmsPropRule {
  enum Hyper { kAlpha = 2, kEpsilon, kMomentum, kHypers };
  static constexpr Number kNumbers[] = {{kLr},      {kWeightDecay}, {kAlpha}, {kAlpha, Derivation::OneMinus},
                                        {kEpsilon}, {kMomentum}};
  static constexpr int kStates = 1 + centered + has_momentum;
  static constexpr double kFlops = 9 + 5 * centered + 2 * has_momentum;

  template <class V, class Numbers>
  LUGE_FN static void step(const Numbers& n, bool decays, V& p, V g, V* states) {
    const V rate = n[0], alpha = n[2], one_minus_alpha = n[3], epsilon = n[4];
    g = decayed(decays, g, V(n[1]), p);
    V& square = states[0];
    square = alpha * square + one_minus_alpha * (g * g);
    V variance = square;
    if constexpr (centered) {
      V& mean = states[1];
      mean = mean + one_minus_alpha * (g - mean);
      variance = square - mean * mean;
      variance = select(variance < V(0.0), V(0.0), variance);
    }
    const V scaled = g / (sqrt(variance) + epsilon);
    if constexpr (has_momentum) {
      V& buffer = states[1 + centered];
      const V momentum = n[5];
      buffer = momentum * buffer + scaled;
      p = p - rate * buffer;
    } else {
      p = p - rate * scaled;
    }
  }
};
using RmsProp = RmsPropRule<false, false>;
using CenteredRmsProp = RmsPropRule<true, false>;
using MomentumRmsProp = RmsPropRule<false, true>;
using CenteredMomentumRmsProp = RmsPropRule<true, true>;

/// Adagrad (Duchi, Hazan and Singer 2011). State: the sum of squares.
struct Adagrad {
  enum Hyper { kLrDecay = 2, kEpsilon, kHypers };
  static constexpr Number kNumbers[] = {{kLr, Derivation::Decayed, kLrDecay}, {kWeightDecay}, {kEpsilon}};
  static constexpr int kStates = 1;
  static constexpr double kFlops = 7;

  template <class V, class Numbers>
  LUGE_FN static void step(const Numbers& n, bool decays, V& p, V g, V* states) {
    g = decayed(decays, g, V(n[1]), p);
    states[0] = states[0] + g * g;
    p = p - n[0] * (g / (sqrt(states[0]) + n[2]));
  }
};

/// How many numbers a rule's step reads; the next one says of a set whether it takes part.
template <class Rule>
inline constexpr int kNumbersOf = static_cast<int>(sizeof(Rule::kNumbers) / sizeof(luge::math::Number));

/// Which sides of a rule a call uses.
struct UpdateFlags {
  bool maximize;  ///< the gradient is that of what shall grow
  bool decays;    ///< some weight_decay is not 0
  bool has_idle;  ///< some set may stand still: number kNumbersOf<Rule> is 0 for those
};

/// A rule's step. A set that stands still keeps its values and states, whatever its gradient is.
template <class Rule, class V, class Numbers>
LUGE_FN void update(const Numbers& n, UpdateFlags flags, V& p, V g, V* states) {
  if (!flags.has_idle) return Rule::step(n, flags.decays, p, flags.maximize ? -g : g, states);
  const auto moves = n[kNumbersOf<Rule>] != V(0.0);
  V moved = p, moved_states[kMaxStates];
  for (int i = 0; i < Rule::kStates; ++i) moved_states[i] = states[i];
  Rule::step(n, flags.decays, moved, flags.maximize ? -g : g, moved_states);
  p = select(moves, moved, p);
  for (int i = 0; i < Rule::kStates; ++i) states[i] = select(moves, moved_states[i], states[i]);
}

}  // namespace luge::math::LUGE_DIALECT
LUGE_AFTER_DIALECT

#endif  // toggling guard
