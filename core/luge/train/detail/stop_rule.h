#pragma once
// Internal: what a rule keeps of its sets, and its check.

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/train/detail/hyper.h>
#include <luge/train/stop.h>

namespace luge::stop {

inline constexpr const char* kWhen = "stop.when";
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

inline std::int64_t number(Reason reason) { return static_cast<std::int64_t>(reason); }

class StopRule::Impl : public std::enable_shared_from_this<StopRule::Impl> {
 public:
  Impl(const Parameters& parameters, const Options& options);
  /// Goes on as `whole` would, with those sets that `parameters` has.
  Impl(const Impl& whole, const Parameters& parameters, const Tensor& sets);
  /// Sets that stand still have no parameters of a check before. The next check would say so.
  void forget_before();

  void check(const Tensor& loss);
  void restore_best();
  void restore(const std::vector<std::pair<std::string, Tensor>>& given);

  /// One value per set as users see it.
  Tensor shown(const Tensor& per_set) const { return per_set.reshape(parameters_.batched() ? Shape{sets_} : Shape{}); }
  void expect_best(const char* op) const {
    LUGE_CHECK(ValueError, best_.defined(), "{}: the rule was made without keep_best", op);
  }
  const Parameters& parameters() const { return parameters_; }
  /// After settle().
  const Tensor& reason() const { return reason_; }
  const Tensor& stopped_at() const { return stopped_at_; }
  const Tensor& best() const { return best_; }
  std::vector<std::pair<std::string, Tensor>> state() const;
  /// The report, with what explain() has found.
  Report report();
  std::vector<Quarantined> explain(const std::function<void()>& step, SourceLocation location);
  /// Takes what checks have noted since the last time into checks, reasons and steps. Waits for nothing.
  void settle();

 private:
  std::optional<Tensor> threshold(const char* name, const std::optional<PerSet>& given, Allowed allowed) const;
  Tensor fill(DType dtype, Scalar value) const {
    return full({sets_}, value, {.dtype = dtype, .device = parameters_.device()});
  }
  /// What belongs to one set in a row of its own.
  Tensor rows(const Tensor& x) const { return x.reshape({sets_, x.numel() / sets_}); }
  /// One value per set, so that it broadcasts with a parameter.
  Tensor beside(const Tensor& parameter, const Tensor& per_set) const;
  /// The largest magnitude in each set among all of these; NaN where one is. Undefined for none.
  Tensor largest(const std::vector<Tensor>& all) const;
  Tensor checked_loss(const Tensor& loss) const;
  void observe();
  /// How many of `steps` replays with `times` checks each may follow until settle() is due.
  std::int64_t make_room(std::int64_t steps, std::int64_t times);
  /// The gradients that a step would read.
  std::vector<Tensor> gradients() const;
  Tensor are_finite(const std::vector<Tensor>& gradients) const;
  std::vector<Tensor> changes() const;
  Tensor plateau(const Tensor& loss, const Tensor& judged);
  void keep(const Tensor& better, const Tensor& loss);

  Parameters parameters_;
  std::int64_t sets_;
  DType dtype_;
  std::optional<Tensor> loss_below_, min_delta_, gradient_below_, step_below_;
  std::optional<std::int64_t> patience_, max_steps_;
  bool nan_;

  Tensor zero_;                 // of the parameters' dtype: where choices start from
  Tensor checks_;               // int64, of shape ()
  Tensor reason_, stopped_at_;  // int32, int64
  Tensor noted_;                // since the last settle(), see stop_check.cpp
  Tensor clock_;                // of shape (): kSpan times the checks since then
  Tensor most_clock_;           // of shape (): the clock at which max_steps are taken
  std::int64_t recent_ = 0;     // checks since then, and maybe more
  std::vector<Quarantined> explained_;
  Tensor reference_, waited_;        // the loss that is to be improved upon, and checks since then (int32)
  Tensor best_;                      // the lowest finite loss
  std::vector<Tensor> best_values_;  // the parameters of that
  std::vector<Tensor> before_;       // the parameters at the check before; NaN for a set that took no step since
};

}  // namespace luge::stop
