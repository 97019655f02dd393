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

/// What RAdam's step t is multiplied by (Liu et al., arXiv:1908.03265): the variance of the adaptive rate that a moving
/// average of its length has, in units of the one that it tends to. 0 up to a length of 5.
LUGE_FN double rectification(double beta2, double t) {
  const double power = pow(beta2, t), longest = 2.0 / (1.0 - beta2) - 1.0;
  const double length = longest - 2.0 * t * power / (1.0 - power);
  if (!(length > 5.0)) return 0.0;
  return sqrt((length - 4.0) * (length - 2.0) * longest / ((longest - 4.0) * (longest - 2.0) * length));
}

/// A number from its hyperparameters. What counts steps is computed in float64: in float32 1 - h^t would lose half of
/// its digits at the first steps.
template <class T>
LUGE_FN T derived(Derivation how, T h, T other, T third, double t) {
  const double x = static_cast<double>(h), y = static_cast<double>(other);
  switch (how) {
    case Derivation::Plain: return h;
    case Derivation::OneMinus: return T(1) - h;
    case Derivation::OneMinusPower: return static_cast<T>(1.0 - pow(x, t));
    case Derivation::RootOneMinusPower: return static_cast<T>(sqrt(1.0 - pow(x, t)));
    case Derivation::Decayed: return static_cast<T>(x / (1.0 + (t - 1.0) * y));
    case Derivation::IsFirstStep: return t == 1.0 ? T(1) : T(0);
    case Derivation::WarmMomentum: return static_cast<T>(x * (1.0 - 0.5 * pow(0.96, t * y)));
    case Derivation::NextWarmMomentum: return static_cast<T>(x * (1.0 - 0.5 * pow(0.96, (t + 1.0) * y)));
    case Derivation::Rectification: return static_cast<T>(rectification(x, t));
    case Derivation::AveragedRate: return static_cast<T>(x / pow(1.0 + y * x * t, static_cast<double>(third)));
    case Derivation::AveragingWeight: return static_cast<T>(t == 1.0 || t - 1.0 - x < 1.0 ? 1.0 : 1.0 / (t - 1.0 - x));
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

/// The greater one; NaN if either is.
template <class V>
LUGE_FN V greater_or_nan(V a, V b) {
  return select(a < b, b, select(is_nan(b), b, a));
}

/// A parameter with weight decay of its own, apart from the gradient's. A decay of 0 changes nothing.
template <class V>
LUGE_FN V shrunk(bool decays, V p, V rate, V weight_decay) {
  return decays ? select(weight_decay == V(0.0), p, p - rate * weight_decay * p) : p;
}

/// Adam (Kingma and Ba, arXiv:1412.6980) with weight decay added to the gradient, or, decoupled, AdamW (Loshchilov and
/// Hutter, arXiv:1711.05101). States: the first and the second moment; with AMSGrad (Reddi et al., arXiv:1904.09237)
/// also the greatest second moment so far, which then takes the place of the second.
template <bool decoupled, bool amsgrad>
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
  static constexpr int kStates = 2 + amsgrad;
  static constexpr double kFlops = 15 + amsgrad;

  template <class V, class Numbers>
  LUGE_FN static void step(const Numbers& n, bool decays, V& p, V g, V* states) {
    const V rate = n[0], decay = n[1], beta1 = n[2], one_minus_beta1 = n[3], bias1 = n[4];
    const V beta2 = n[5], one_minus_beta2 = n[6], root_bias2 = n[7], epsilon = n[8];
    V &m = states[0], &v = states[1];
    if (!decoupled) g = decayed(decays, g, decay, p);
    if (decoupled) p = shrunk(decays, p, rate, decay);
    m = beta1 * m + one_minus_beta1 * g;
    v = beta2 * v + one_minus_beta2 * (g * g);
    V second = v;
    if constexpr (amsgrad) second = states[2] = greater_or_nan(states[2], v);
    p = p - (rate / bias1) * (m / (sqrt(second) / root_bias2 + epsilon));
  }
};
using Adam = AdamRule<false, false>;
using AdamW = AdamRule<true, false>;
using AmsgradAdam = AdamRule<false, true>;
using AmsgradAdamW = AdamRule<true, true>;

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

/// Adadelta (Zeiler, arXiv:1212.5701). States: the mean squares of the gradient and of the change.
struct Adadelta {
  enum Hyper { kRho = 2, kEpsilon, kHypers };
  static constexpr Number kNumbers[] = {{kLr}, {kWeightDecay}, {kRho}, {kRho, Derivation::OneMinus}, {kEpsilon}};
  static constexpr int kStates = 2;
  static constexpr double kFlops = 16;

  template <class V, class Numbers>
  LUGE_FN static void step(const Numbers& n, bool decays, V& p, V g, V* states) {
    const V rate = n[0], rho = n[2], one_minus_rho = n[3], epsilon = n[4];
    V &square = states[0], &change = states[1];
    g = decayed(decays, g, V(n[1]), p);
    square = rho * square + one_minus_rho * (g * g);
    const V delta = sqrt(change + epsilon) / sqrt(square + epsilon) * g;
    change = rho * change + one_minus_rho * (delta * delta);
    p = p - rate * delta;
  }
};

/// Adamax (Kingma and Ba, arXiv:1412.6980). States: the first moment, and the greatest gradient, which decays.
struct Adamax {
  enum Hyper { kBeta1 = 2, kBeta2, kEpsilon, kHypers };
  static constexpr Number kNumbers[] = {{kLr},
                                        {kWeightDecay},
                                        {kBeta1},
                                        {kBeta1, Derivation::OneMinus},
                                        {kBeta1, Derivation::OneMinusPower},
                                        {kBeta2},
                                        {kEpsilon}};
  static constexpr int kStates = 2;
  static constexpr double kFlops = 11;

  template <class V, class Numbers>
  LUGE_FN static void step(const Numbers& n, bool decays, V& p, V g, V* states) {
    const V rate = n[0], beta1 = n[2], one_minus_beta1 = n[3], bias1 = n[4], beta2 = n[5], epsilon = n[6];
    V &m = states[0], &greatest = states[1];
    g = decayed(decays, g, V(n[1]), p);
    m = beta1 * m + one_minus_beta1 * g;
    greatest = greater_or_nan(beta2 * greatest, abs(g) + epsilon);
    p = p - (rate / bias1) * (m / greatest);
  }
};

/// NAdam (Dozat 2016): Adam with Nesterov momentum that grows from half of beta1 to beta1. States: the first and the
/// second moment, and the product of the momenta so far.
template <bool decoupled>
struct NAdamRule {
  enum Hyper { kBeta1 = 2, kBeta2, kEpsilon, kMomentumDecay, kHypers };
  static constexpr Number kNumbers[] = {{kLr},
                                        {kWeightDecay},
                                        {kBeta1},
                                        {kBeta1, Derivation::OneMinus},
                                        {kBeta2},
                                        {kBeta2, Derivation::OneMinus},
                                        {kBeta2, Derivation::RootOneMinusPower},
                                        {kEpsilon},
                                        {kBeta1, Derivation::WarmMomentum, kMomentumDecay},
                                        {kBeta1, Derivation::NextWarmMomentum, kMomentumDecay},
                                        {0, Derivation::IsFirstStep}};
  static constexpr int kStates = 3;
  static constexpr double kFlops = 24;

  template <class V, class Numbers>
  LUGE_FN static void step(const Numbers& n, bool decays, V& p, V g, V* states) {
    const V rate = n[0], decay = n[1], beta1 = n[2], one_minus_beta1 = n[3], beta2 = n[4], one_minus_beta2 = n[5];
    const V root_bias2 = n[6], epsilon = n[7], momentum = n[8], next = n[9], is_first = n[10], one(1.0);
    V &m = states[0], &v = states[1], &product = states[2];
    if (decoupled) p = shrunk(decays, p, rate, decay);
    if (!decoupled) g = decayed(decays, g, decay, p);
    product = select(is_first == V(0.0), product * momentum, momentum);
    m = beta1 * m + one_minus_beta1 * g;
    v = beta2 * v + one_minus_beta2 * (g * g);
    const V root = sqrt(v) / root_bias2 + epsilon;
    p = p - rate * (one - momentum) / (one - product) * (g / root);
    p = p - rate * next / (one - product * next) * (m / root);
  }
};
using NAdam = NAdamRule<false>;
using DecoupledNAdam = NAdamRule<true>;

/// RAdam (Liu et al., arXiv:1908.03265): Adam whose adaptive rate is rectified, and left out at the first steps.
/// States: the first and the second moment.
template <bool decoupled>
struct RAdamRule {
  enum Hyper { kBeta1 = 2, kBeta2, kEpsilon, kHypers };
  static constexpr Number kNumbers[] = {{kLr},
                                        {kWeightDecay},
                                        {kBeta1},
                                        {kBeta1, Derivation::OneMinus},
                                        {kBeta1, Derivation::OneMinusPower},
                                        {kBeta2},
                                        {kBeta2, Derivation::OneMinus},
                                        {kBeta2, Derivation::RootOneMinusPower},
                                        {kEpsilon},
                                        {kBeta2, Derivation::Rectification}};
  static constexpr int kStates = 2;
  static constexpr double kFlops = 17;

  template <class V, class Numbers>
  LUGE_FN static void step(const Numbers& n, bool decays, V& p, V g, V* states) {
    const V rate = n[0], decay = n[1], beta1 = n[2], one_minus_beta1 = n[3], bias1 = n[4], beta2 = n[5];
    const V one_minus_beta2 = n[6], root_bias2 = n[7], epsilon = n[8], rectification = n[9];
    V &m = states[0], &v = states[1];
    if (decoupled) p = shrunk(decays, p, rate, decay);
    if (!decoupled) g = decayed(decays, g, decay, p);
    m = beta1 * m + one_minus_beta1 * g;
    v = beta2 * v + one_minus_beta2 * (g * g);
    const V adaptive = rectification * (root_bias2 / (sqrt(v) + epsilon));
    p = p - rate * (m / bias1) * select(rectification == V(0.0), V(1.0), adaptive);
  }
};
using RAdam = RAdamRule<false>;
using DecoupledRAdam = RAdamRule<true>;

/// Averaged stochastic gradient descent (Polyak and Juditsky 1992). States: the rate of the next step, which is
/// computed one step ahead, and the average of the parameter.
struct Asgd {
  enum Hyper { kLambda = 2, kAlpha, kStart, kHypers };
  static constexpr Number kNumbers[] = {{kLr},
                                        {kWeightDecay},
                                        {kLambda},
                                        {kLr, Derivation::AveragedRate, kLambda, kAlpha},
                                        {kStart, Derivation::AveragingWeight},
                                        {0, Derivation::IsFirstStep}};
  static constexpr int kStates = 2;
  static constexpr double kFlops = 11;

  template <class V, class Numbers>
  LUGE_FN static void step(const Numbers& n, bool decays, V& p, V g, V* states) {
    const V rate = n[0], lambda = n[2], next = n[3], weight = n[4], is_first = n[5];
    V &eta = states[0], &average = states[1];
    g = decayed(decays, g, V(n[1]), p);
    eta = select(is_first == V(0.0), select(eta == V(0.0), rate, eta), rate);  // 0: the first gradient came later
    p = p * (V(1.0) - lambda * eta);
    p = p - eta * g;
    average = select(weight == V(1.0), p, average + (p - average) * weight);
    eta = next;
  }
};

/// Resilient backpropagation (Riedmiller and Braun 1993): the sign of the gradient alone, with a step of its own for
/// each element. States: the gradient before, which counts as 0 where its sign has changed, and the size of the step.
struct Rprop {
  enum Hyper { kSmaller = 2, kLarger, kLeast, kMost, kHypers };
  static constexpr Number kNumbers[] = {{kLr}, {kSmaller}, {kLarger}, {kLeast}, {kMost}, {0, Derivation::IsFirstStep}};
  static constexpr int kStates = 2;
  static constexpr double kFlops = 8;

  template <class V, class Numbers>
  LUGE_FN static void step(const Numbers& n, bool, V& p, V g, V* states) {
    const V rate = n[0], smaller = n[1], larger = n[2], least = n[3], most = n[4], is_first = n[5], zero(0.0);
    V &before = states[0], &size = states[1];
    const V turn = g * before;
    const V factor = select(turn > zero, larger, select(turn < zero, smaller, select(turn == zero, V(1.0), turn)));
    size = select(is_first == zero, select(size == zero, rate, size), rate) * factor;  // 0: the first gradient came later
    size = select(size < least, least, select(size > most, most, size));
    g = select(turn < zero, zero, g);
    p = p - select(g > zero, size, select(g < zero, -size, g * size));
    before = g;
  }
};

/// Lion (Chen et al., arXiv:2302.06675): the sign of a moment, with decoupled weight decay. State: the moment.
struct Lion {
  enum Hyper { kBeta1 = 2, kBeta2, kHypers };
  static constexpr Number kNumbers[] = {
      {kLr}, {kWeightDecay}, {kBeta1}, {kBeta1, Derivation::OneMinus}, {kBeta2}, {kBeta2, Derivation::OneMinus}};
  static constexpr int kStates = 1;
  static constexpr double kFlops = 10;

  template <class V, class Numbers>
  LUGE_FN static void step(const Numbers& n, bool decays, V& p, V g, V* states) {
    const V rate = n[0], beta1 = n[2], one_minus_beta1 = n[3], beta2 = n[4], one_minus_beta2 = n[5], zero(0.0);
    V& m = states[0];
    const V way = beta1 * m + one_minus_beta1 * g;
    p = shrunk(decays, p, rate, V(n[1]));
    p = p - select(way > zero, rate, select(way < zero, -rate, way));
    m = beta2 * m + one_minus_beta2 * g;
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
