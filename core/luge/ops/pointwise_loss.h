#pragma once
// Losses of single numbers, beside mse_loss: distances, and likelihoods of a distribution with one number for each
// prediction. Shapes are equal and nothing broadcasts, but for PerSet's target without the dimension of sets (loss.h),
// and for what is said; ShapeError. Of halves all steps but the last are float32. A `weight` that is defined multiplies
// the losses of the single samples, and is broadcast.

#include <optional>

#include <luge/ops/loss.h>

namespace luge {

/// |input - target|; with a weight a mean is divided by the sum of weights.
Tensor l1_loss(const Tensor& input, const Tensor& target, Reduction reduction = Reduction::Mean, const Tensor& weight = {});
/// d^2 / (2 beta) for |d| < beta, |d| - beta / 2 elsewhere; l1_loss for beta = 0. Throws ValueError for beta < 0.
Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, Reduction reduction = Reduction::Mean, double beta = 1);
/// d^2 / 2 for |d| <= delta, delta (|d| - delta / 2) elsewhere. Throws ValueError for delta <= 0.
Tensor huber_loss(const Tensor& input, const Tensor& target, Reduction reduction = Reduction::Mean, double delta = 1,
                  const Tensor& weight = {});
/// mse_loss with a weight for each sample; a mean is divided by the sum of weights.
Tensor mse_loss(const Tensor& input, const Tensor& target, Reduction reduction, const Tensor& weight);

/// -(target log(input) + (1 - target) log(1 - input)) of probabilities, with logarithms of -100 and more. Throws ValueError
/// on the CPU for an input outside [0, 1].
Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, Reduction reduction = Reduction::Mean,
                            const Tensor& weight = {});
/// The same of logits: sigmoid(input) in place of input, without overflow. pos_weight multiplies the term of the target
/// and is broadcast.
Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target, Reduction reduction = Reduction::Mean,
                                        const Tensor& weight = {}, const Tensor& pos_weight = {});

/// As the arguments of torch.nn.functional.kl_div.
struct KlDivOptions {
  bool log_target = false;  ///< the target holds logarithms
  bool batch_mean = false;  ///< the sum over the size of dimension 0, in place of the reduction
  Reduction reduction = Reduction::Mean;
};
/// target (log(target) - input), the Kullback-Leibler divergence of logarithms `input` from a target, which are broadcast.
Tensor kl_div(const Tensor& input, const Tensor& target, const KlDivOptions& options = {});

/// As the arguments of torch.nn.functional.poisson_nll_loss.
struct PoissonOptions {
  bool log_input = true;  ///< the input holds logarithms of the rates
  bool full = false;      ///< with Stirling's approximation of the target's factorial, for targets above 1
  double eps = 1e-8;      ///< added to a rate before its logarithm is taken
  Reduction reduction = Reduction::Mean;
};
/// exp(input) - target input, or of rates input - target log(input + eps); broadcast.
Tensor poisson_nll_loss(const Tensor& input, const Tensor& target, const PoissonOptions& options = {});

/// (log(var) + (input - target)^2 / var) / 2 with var of eps and more, which takes no gradient away; `full` adds
/// log(2 pi) / 2. var has input's shape, or that without the last dimension or with 1 in its place, or is a number. Throws
/// ValueError on the CPU for a var below 0.
Tensor gaussian_nll_loss(const Tensor& input, const Tensor& target, const Tensor& var, bool full = false, double eps = 1e-6,
                         Reduction reduction = Reduction::Mean);

/// As the arguments of torch.nn.functional.nll_loss.
struct NllOptions {
  Tensor weight = {};  ///< one for each class
  std::int64_t ignore_index = -100;
  Reduction reduction = Reduction::Mean;
};
/// -input[target], of logarithms of probabilities: input (classes), (batch, classes, ...), target labels of that shape
/// without the classes. Throws ShapeError, DTypeError, IndexError for a label outside [0, classes).
Tensor nll_loss(const Tensor& input, const Tensor& target, const NllOptions& options = {});

}  // namespace luge
