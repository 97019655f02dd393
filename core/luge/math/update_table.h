#pragma once
// The table of update rules: X(Rule, optimizer, step, states...). A row here and a struct in updates.h are a rule: the
// CPU loops, the machine code, the CUDA kernels, the generated kernels and the optimizers' calls are made of both.
// `optimizer` is the class that users make it with, `step` what errors and plans call its call, `states` PyTorch's names
// of what it keeps with each parameter, in the struct's order: checkpoints have them.
#define LUGE_UPDATE_RULES(X)                                                                         \
  X(Sgd, "Sgd", "sgd step")                                                                          \
  X(MomentumSgd, "Sgd", "sgd step", "momentum_buffer")                                               \
  X(NesterovSgd, "Sgd", "sgd step", "momentum_buffer")                                               \
  X(Adam, "Adam", "adam step", "exp_avg", "exp_avg_sq")                                              \
  X(AdamW, "AdamW", "adamw step", "exp_avg", "exp_avg_sq")                                           \
  X(AmsgradAdam, "Adam", "adam step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")                     \
  X(AmsgradAdamW, "AdamW", "adamw step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")                  \
  X(RmsProp, "RmsProp", "rmsprop step", "square_avg")                                                \
  X(CenteredRmsProp, "RmsProp", "rmsprop step", "square_avg", "grad_avg")                            \
  X(MomentumRmsProp, "RmsProp", "rmsprop step", "square_avg", "momentum_buffer")                     \
  X(CenteredMomentumRmsProp, "RmsProp", "rmsprop step", "square_avg", "grad_avg", "momentum_buffer") \
  X(Adagrad, "Adagrad", "adagrad step", "sum")                                                       \
  X(Adadelta, "Adadelta", "adadelta step", "square_avg", "acc_delta")                                \
  X(Adamax, "Adamax", "adamax step", "exp_avg", "exp_inf")                                           \
  X(NAdam, "NAdam", "nadam step", "exp_avg", "exp_avg_sq", "mu_product")                             \
  X(DecoupledNAdam, "NAdam", "nadam step", "exp_avg", "exp_avg_sq", "mu_product")                    \
  X(RAdam, "RAdam", "radam step", "exp_avg", "exp_avg_sq")                                           \
  X(DecoupledRAdam, "RAdam", "radam step", "exp_avg", "exp_avg_sq")                                  \
  X(Asgd, "Asgd", "asgd step", "eta", "ax")                                                          \
  X(Rprop, "Rprop", "rprop step", "prev", "step_size")                                               \
  X(Lion, "Lion", "lion step", "exp_avg")

namespace luge::math {

/// The most states that a rule has.
inline constexpr int kMaxStates = 3;

/// The first hyperparameters of every rule.
enum : int { kLr, kWeightDecay };

/// How a number comes from a hyperparameter h, up to two more, and t, the number of the step, which counts from 1.
enum class Derivation : unsigned char {
  Plain,              ///< h
  OneMinus,           ///< 1 - h
  OneMinusPower,      ///< 1 - h^t
  RootOneMinusPower,  ///< sqrt(1 - h^t)
  Decayed,            ///< h / (1 + (t - 1) other)
  IsFirstStep,        ///< 1 if t is 1, otherwise 0; h plays no part
  WarmMomentum,       ///< h (1 - 0.96^(t other) / 2)
  NextWarmMomentum,   ///< the same of the step after
  Rectification,      ///< of RAdam with beta2 = h; 0 while the variance of the step is not tractable
  AveragedRate,       ///< h / (1 + other h t)^third
  AveragingWeight,    ///< 1 / max(1, t - 1 - h), and 1 if t is 1
};

struct Number {
  int hyper;
  Derivation how = Derivation::Plain;
  int other = 0, third = 0;

  /// Whether it is another at every step.
  constexpr bool counts_steps() const { return how != Derivation::Plain && how != Derivation::OneMinus; }
  /// Whether h, the other and the third one play a part.
  constexpr bool reads_hyper() const { return how != Derivation::IsFirstStep; }
  constexpr bool reads_other() const {
    return how == Derivation::Decayed || how == Derivation::WarmMomentum || how == Derivation::NextWarmMomentum ||
           reads_third();
  }
  constexpr bool reads_third() const { return how == Derivation::AveragedRate; }
};

}  // namespace luge::math
