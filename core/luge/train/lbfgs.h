#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include <luge/train/optimizer.h>

namespace luge {

struct LbfgsOptions {
  double lr = 1;                              ///< 0 or more and finite
  std::int64_t max_iter = 20;                 ///< of a step
  std::optional<std::int64_t> max_eval = {};  ///< calls of the closure in a step; absent: 5 / 4 max_iter
  double tolerance_grad = 1e-7;               ///< of the gradient's largest element
  double tolerance_change = 1e-9;             ///< of the loss and of the parameters
  std::int64_t history_size = 100;            ///< 1 or more
  bool strong_wolfe = false;                  ///< searches along each direction; else it goes by lr
  bool maximize = false;
};

/// L-BFGS (Liu and Nocedal, Mathematical Programming 45, 1989) as torch.optim.LBFGS: a step runs up to max_iter iterations, each
/// of which moves all parameters along one quasi-Newton direction, by lr or by a search for a point that fulfils the strong
/// Wolfe conditions (Nocedal and Wright, "Numerical optimization", algorithms 3.5, 3.6 and 7.4).
///
///   `Lbfgs optimizer(params, {.strong_wolfe = true});`
///   `optimizer.step([&] { optimizer.zero_grad(); Tensor loss = f(); loss.backward(); return loss; });`
///
/// It takes one parameter group of one arena and reads the loss on the host: a step that is captured throws CaptureError. Sets
/// are not fitted one by one: it throws ValueError for more than one set; curve_fit() fits them. Its history is no part of state():
/// from a checkpoint it goes on with an empty one.
///
/// Throws as every optimizer does.
class Lbfgs : public Optimizer {
 public:
  explicit Lbfgs(const Parameters& parameters, const LbfgsOptions& options = {});
  explicit Lbfgs(const std::vector<Tensor>& leaves, const LbfgsOptions& options = {});

  /// Runs up to max_iter iterations. `closure` forgets the gradients, computes the loss, calls backward() and returns the loss,
  /// of one element; it is called once or more often. Returns the loss before the first iteration.
  Tensor step(const std::function<Tensor()>& closure, SourceLocation location = SourceLocation::current());
  /// Throws ValueError: a step needs a closure.
  void step() override;
  /// Calls of the closure so far, and iterations.
  std::int64_t evaluations() const { return evaluations_; }
  std::int64_t iterations() const { return iterations_; }

 private:
  /// A step forward in the history: along `way` the gradient changed by `change`.
  struct Pair {
    Tensor change, way;
    double inverse = 0;  ///< 1 / (change . way)
  };

  Tensor flat_gradient() const;
  void move(const Tensor& direction, double t);
  /// The quasi-Newton direction, after the history has taken in the last iteration.
  Tensor next_direction(const Tensor& gradient);

  LbfgsOptions options_;
  std::int64_t evaluations_ = 0, iterations_ = 0;
  std::deque<Pair> history_;
  double scale_ = 1;                     ///< of the inverse Hessian's first guess
  Tensor direction_, previous_gradient_;  ///< of the last iteration
  double t_ = 0;
};

}  // namespace luge
