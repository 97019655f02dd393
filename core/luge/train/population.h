#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <luge/ops/draw.h>
#include <luge/train/init.h>
#include <luge/train/optimizer.h>

/// Operations on the sets of a training as members of a population: copy, begin anew, vary, select. All are made of
/// operations on the device, wait for nothing and can be captured.
///
///   const Tensor source = population::exploit(optimizer, losses, {.fraction = 0.2});  // the worst take from the best
///   population::explore(optimizer, source);                                           // and vary their learning rates
///
/// Scores have one value for each set, of shape (sets); the lower the better, as losses are, also where the optimizer
/// maximizes. NaN is the worst score of all; of equal scores the set with the lower index is the better one.
namespace luge::population {

struct CloneOptions {
  /// Hyperparameters that have one value for each set go along.
  bool hyperparameters = true;
};

/// Set i takes parameters, optimizer state and hyperparameters from set source[i], as they were before the call; where
/// source[i] is i nothing changes. The clone goes on bit for bit as its source would. Which sets are active stays. A
/// schedule goes on from the rate that its set has now. `source` is int64 or int32 of shape (sets), on the arena's
/// device. Throws ValueError for parameters without sets; ShapeError, DTypeError, DeviceError; IndexError for an index
/// outside [0, sets) on the CPU at once, on a GPU at the next synchronisation.
void clone(Optimizer& optimizer, const Tensor& source, CloneOptions options = {});
/// The same of tensors of shape (sets, ...), such as a stop rule's state: slice i becomes what slice source[i] was.
void clone(const std::vector<Tensor>& tensors, const Tensor& source);

/// The sets of the mask begin anew, as those of a new optimizer on a new arena: initial values drawn afresh as their
/// Init says, the optimizer's moments as they begin with, and steps counted from here, so that Adam corrects the bias
/// of its first ones again. Hyperparameters, schedules and which sets are active stay.
///
/// With a seed set i takes the values that set i of a Parameters of that seed has; without one the next numbers of the
/// global generator, so that a captured step draws others at each replay. `mask` is bool of shape (sets) or (), on the
/// arena's device. A step that was captured before the first call throws CaptureError if its rule counts steps
/// (momentum, Adam, AdamW, Adagrad): it would count them for all sets alike. Throws ValueError for loose leaves, whose
/// initial values nobody knows; ShapeError, DTypeError, DeviceError; nothing has changed then.
void restart(Optimizer& optimizer, const Tensor& mask, std::optional<std::uint64_t> seed = {});

/// What values are multiplied by.
struct Factors {
  /// Between these two, evenly on a logarithmic scale.
  double low = 0.8, high = 1.25;
  /// If not empty: one of these instead, each as likely as the others.
  std::vector<double> any_of = {};
};

/// The values times random factors, one for each element, where the mask holds; the others as they are. `values` are
/// floating, of shape (sets, ...): a hyperparameter, or a parameter. `mask` is bool of shape (sets); undefined: all.
/// Throws ValueError unless factors are above 0 and finite and low is at most high; ShapeError, DTypeError,
/// DeviceError.
Tensor perturb(const Tensor& values, const Factors& factors = {}, const Tensor& mask = {}, const Draw& draw = {});

/// The values with others where the mask holds, drawn as `init` says. A hyperparameter on a logarithmic scale:
/// exp(resample(log(lr), init::uniform(std::log(1e-4), std::log(1e-1)))). Throws as perturb does.
Tensor resample(const Tensor& values, const Init& init, const Tensor& mask = {}, const Draw& draw = {});

// ---- selection

/// The place of each set, the best has 0: int64 of shape (sets). Throws ShapeError unless scores have one dimension.
Tensor ranks(const Tensor& scores);
/// The `count` best sets, the best first: int64. Throws ValueError unless 0 <= count <= sets.
Tensor best(const Tensor& scores, std::int64_t count);
/// Multi-start: of each group of `starts` consecutive sets the best one; int64 of shape (sets / starts). Throws
/// ValueError unless starts divides the number of sets.
Tensor best_of(const Tensor& scores, std::int64_t starts);

/// Successive halving: of the sets that are active the `keep` best stay active. Returns the mask of those, bool of
/// shape (sets). Throws ValueError unless 1 <= keep <= sets.
Tensor halve(Parameters& parameters, const Tensor& scores, std::int64_t keep);

/// How the worst find the best.
enum class Pairing : std::uint8_t {
  Random,  ///< each of the worst draws one of the best
  ByRank,  ///< the worst but n take from the n-th, over and over
};

struct ExploitOptions {
  /// What part of the sets is replaced: 0 < fraction <= 0.5; one set at least.
  double fraction = 0.2;
  Pairing pairing = Pairing::Random;
  bool hyperparameters = true;
  Draw draw = {};
};

/// Truncation selection of population-based training (M. Jaderberg et al., arXiv:1711.09846): each of the worst
/// fraction becomes a clone of one of the best fraction. A set whose score is NaN is replaced in any case and never a
/// source. What was replaced is active from then on. Returns the source of each set, its own index where it stayed:
/// int64 of shape (sets). Throws as clone does, and ValueError for a fraction out of range or fewer than two sets.
Tensor exploit(Optimizer& optimizer, const Tensor& scores, const ExploitOptions& options = {});

struct ExploreOptions {
  /// By their names in the optimizer's options. Each must have one value for each set.
  std::vector<std::string> hyperparameters = {"lr"};
  Factors factors = {};
  Draw draw = {};
};

/// Perturbs hyperparameters of the sets that were replaced, those with source[i] != i. Of momentum, dampening, beta1,
/// beta2 and alpha it is the distance from 1 that is multiplied, to 1 at most. Throws ValueError for a hyperparameter
/// that the optimizer has not or that is one number for all sets.
void explore(Optimizer& optimizer, const Tensor& source, const ExploreOptions& options = {});

// ---- schedules, as plain numbers

/// A rung of successive halving: `sets` sets go on until each has taken `steps` steps in all; then the best `keep`
/// stay.
struct Rung {
  std::int64_t sets = 0, steps = 0, keep = 0;
  friend bool operator==(const Rung&, const Rung&) = default;
};

/// Successive halving (K. Jamieson and A. Talwalkar, AISTATS 2016): from one rung to the next an eta-th part of the
/// sets takes eta times as many steps, until one is left, which has a rung of its own. Throws ValueError unless sets
/// and min_steps are 1 or more and eta is 2 or more, or where steps exceed 2^63 - 1.
std::vector<Rung> successive_halving(std::int64_t sets, std::int64_t min_steps, std::int64_t eta = 3);

/// The brackets of Hyperband (L. Li et al., JMLR 18, 2018, algorithm 1), from the one with the most sets to the one
/// without halving. No set takes more than max_steps steps. Throws ValueError unless max_steps is from 1 to 2^40 and
/// eta 2 or more.
std::vector<std::vector<Rung>> hyperband(std::int64_t max_steps, std::int64_t eta = 3);

}  // namespace luge::population
