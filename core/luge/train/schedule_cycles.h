#pragma once
// Learning-rate schedules that go down by a power, up and down in cycles, or to a constant for averaging.

#include <functional>
#include <optional>
#include <vector>

#include <luge/train/schedule.h>

namespace luge {

/// One number for all parameter groups, or one for each.
using PerGroup = std::vector<double>;

struct PolynomialLrOptions {
  std::int64_t total_iters = 5;  ///< 1 or more
  double power = 1.0;            ///< 0 or more and finite
};

/// base * (1 - min(n, total_iters) / total_iters)^power
class PolynomialLr : public LrScheduler {
 public:
  explicit PolynomialLr(Optimizer& optimizer, const PolynomialLrOptions& options = {});
};

struct CosineAnnealingWarmRestartsOptions {
  std::int64_t t_0 = 0;     ///< to be given; 1 or more: the length of the first cycle
  std::int64_t t_mult = 1;  ///< 1 or more: each cycle is as many times as long as the one before
  double eta_min = 0;       ///< finite
};

/// eta_min + (base - eta_min) * (1 + cos(pi * t / length)) / 2, t being how far the cycle has gone: down to eta_min, then
/// at the base again (Loshchilov and Hutter, arXiv:1608.03983).
class CosineAnnealingWarmRestarts : public LrScheduler {
 public:
  CosineAnnealingWarmRestarts(Optimizer& optimizer, const CosineAnnealingWarmRestartsOptions& options);
  using LrScheduler::step;
  /// Goes to this epoch, which may lie between two steps: epoch + i / batches. Later steps count from there. Throws
  /// ValueError below 0, CaptureError where a step is captured.
  void step(double epoch, SourceLocation location = SourceLocation::current());

 private:
  struct Made;
  CosineAnnealingWarmRestarts(Optimizer& optimizer, const Made& made);
  Tensor fraction_;  ///< what the epoch has beyond n; float64
};

enum class Annealing : std::uint8_t { Cos, Linear };

struct OneCycleLrOptions {
  PerGroup max_lr = {};          ///< to be given; above 0 and finite
  std::int64_t total_steps = 0;  ///< to be given; 1 or more
  double pct_start = 0.3;        ///< from 0 to 1: the part of the steps that goes up
  Annealing anneal_strategy = Annealing::Cos;
  bool cycle_momentum = true;  ///< momentum, or beta1, goes the other way; ValueError for an optimizer without either
  PerGroup base_momentum = {0.85};
  PerGroup max_momentum = {0.95};
  double div_factor = 25;         ///< above 0: it begins at max_lr / div_factor
  double final_div_factor = 1e4;  ///< above 0: it ends at the beginning's / final_div_factor
  bool three_phase = false;       ///< up, down to where it began, then further down; else up and all the way down
};

/// One cycle from max_lr / div_factor to max_lr and down (Smith and Topin, arXiv:1708.07120), whatever the optimizer's
/// learning rate was. A step beyond total_steps throws ValueError; within replays the learning rate stays.
class OneCycleLr : public LrScheduler {
 public:
  OneCycleLr(Optimizer& optimizer, const OneCycleLrOptions& options);
};

struct CyclicLrOptions {
  PerGroup base_lr = {};  ///< to be given; 0 or more and finite
  PerGroup max_lr = {};   ///< to be given; finite
  double step_size_up = 2000;
  std::optional<double> step_size_down = {};  ///< absent: as step_size_up
  enum class Mode : std::uint8_t {
    Triangular,   ///< every cycle as high as the first
    Triangular2,  ///< half as high as the one before
    ExpRange,     ///< gamma^n times as high
  } mode = Mode::Triangular;
  double gamma = 1.0;
  /// How high the cycle goes, in place of the mode: of the cycle's number, from 1 on, or of n. Called on the host, so that
  /// such a step cannot be captured.
  std::function<double(double)> scale_fn = {};
  bool scale_by_iterations = false;  ///< scale_fn is given n
  bool cycle_momentum = true;  ///< momentum, or beta1, goes the other way; ValueError for an optimizer without either
  PerGroup base_momentum = {0.8};
  PerGroup max_momentum = {0.9};
};

/// From base_lr up to max_lr in step_size_up steps, down in step_size_down, and again (Smith, arXiv:1506.01186), whatever
/// the optimizer's learning rate was.
class CyclicLr : public LrScheduler {
 public:
  CyclicLr(Optimizer& optimizer, const CyclicLrOptions& options);

 private:
  struct Made;
  CyclicLr(Optimizer& optimizer, const Made& made);
};

struct SwaLrOptions {
  PerGroup swa_lr = {};             ///< to be given; finite
  std::int64_t anneal_epochs = 10;  ///< 0 or more
  Annealing anneal_strategy = Annealing::Cos;
};

/// From the base to swa_lr in anneal_epochs steps, then constant: for stochastic weight averaging (Averaged).
class SwaLr : public LrScheduler {
 public:
  SwaLr(Optimizer& optimizer, const SwaLrOptions& options);
};

}  // namespace luge
