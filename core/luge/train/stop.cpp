#include <luge/train/stop.h>

#include <algorithm>
#include <limits>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/train/detail/arena.h>
#include <luge/train/detail/explain.h>
#include <luge/train/detail/one_arena.h>
#include <luge/train/detail/stop_report.h>
#include <luge/train/detail/stop_rule.h>

namespace luge::stop {

// ---- making one ---------------------------------------------------------------------------------

StopRule::Impl::Impl(const Parameters& parameters, const Options& options)
    : parameters_(parameters), sets_(parameters.sets()), dtype_(parameters.dtype()), nan_(options.nan) {
  loss_below_ = threshold("loss_below", options.loss_below, Allowed::Number);
  gradient_below_ = threshold("gradient_below", options.gradient_below, Allowed::NotNegative);
  step_below_ = threshold("step_below", options.step_below, Allowed::NotNegative);
  if (options.plateau) {
    patience_ = options.plateau->patience;
    constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
    LUGE_CHECK(ValueError, *patience_ >= 1 && *patience_ <= kMost,
               "{}: the patience of plateau is {}; it must be from 1 to {}", kWhen, *patience_, kMost);
    min_delta_ = threshold("the min_delta of plateau", options.plateau->min_delta, Allowed::Finite);
  }
  max_steps_ = options.max_steps;
  LUGE_CHECK(ValueError, max_steps_.value_or(0) >= 0, "{}: max_steps is {}; it must be 0 or more", kWhen, *max_steps_);
  LUGE_CHECK(ValueError,
             nan_ || options.keep_best || loss_below_ || gradient_below_ || step_below_ || patience_ || max_steps_,
             "{}: there is nothing to watch: nan is false and no criterion is given", kWhen);

  const TensorOptions alike{.dtype = dtype_, .device = parameters_.device()};
  zero_ = scalar(0.0, alike);
  clock_ = scalar(0.0, alike);
  if (max_steps_) most_clock_ = scalar(0.0, alike);
  noted_ = fill(dtype_, 0.0);
  checks_ = scalar(0, {.dtype = DType::Int64, .device = parameters_.device()});
  reason_ = fill(DType::Int32, number(Reason::Running));
  stopped_at_ = fill(DType::Int64, -1);
  if (patience_) {
    reference_ = fill(dtype_, kInfinity);
    waited_ = fill(DType::Int32, 0);
  }
  if (options.keep_best) best_ = fill(dtype_, kInfinity);
  for (const Tensor& parameter : parameters_.tensors()) {
    if (options.keep_best) best_values_.push_back(parameter.detach().clone());
    if (step_below_) before_.push_back(full_like(parameter, kNaN).detach());
  }
  settle();
  parameters_.set_active(parameters_.active());  // so that a captured step may stop sets
}

StopRule::Impl::Impl(const Impl& whole, const Parameters& parameters, const Tensor& sets) : Impl(whole) {
  parameters_ = parameters;
  sets_ = parameters.sets();
  const auto choose = [&](Tensor& values) {
    if (values.defined()) values = values.ndim() == 0 ? values.clone() : values.index_select(0, sets);
  };
  for (std::optional<Tensor>* const threshold : {&loss_below_, &min_delta_, &gradient_below_, &step_below_})
    if (*threshold) choose(**threshold);
  for (Tensor* const values :
       {&checks_, &reason_, &stopped_at_, &noted_, &clock_, &most_clock_, &reference_, &waited_, &best_})
    choose(*values);
  for (std::vector<Tensor>* const parts : {&best_values_, &before_})
    for (Tensor& values : *parts) choose(values);
  explained_.clear();
  parameters_.set_active(whole.parameters_.active().index_select(0, sets));
}

void StopRule::Impl::forget_before() {
  const Tensor active = parameters_.active();
  for (Tensor& values : before_) values.copy_(where(beside(values, active), values, kNaN));
}

std::optional<Tensor> StopRule::Impl::threshold(const char* name, const std::optional<PerSet>& given,
                                                Allowed allowed) const {
  if (!given) return std::nullopt;
  return hyper_values(kWhen, name, *given, allowed, parameters_, Waiting::Allowed, {});
}

// ---- best parameters and state ------------------------------------------------------------------

void StopRule::Impl::restore_best() {
  expect_best("StopRule.restore_best");
  observe();
  const NoGrad guard;
  const Tensor known = isfinite(best_);
  std::vector<Tensor> parameters = parameters_.tensors();
  for (std::size_t p = 0; p < parameters.size(); ++p)
    parameters[p].copy_(where(beside(parameters[p], known), best_values_[p], parameters[p]));
}

std::vector<std::pair<std::string, Tensor>> StopRule::Impl::state() const {
  std::vector<std::pair<std::string, Tensor>> result{
      {"checks", checks_}, {"reason", reason_}, {"stopped_at", stopped_at_}};
  if (patience_) {
    result.emplace_back("plateau.loss", reference_);
    result.emplace_back("plateau.waited", waited_);
  }
  if (best_.defined()) result.emplace_back("best_loss", best_);
  const std::vector<std::string> names = parameters_.names();
  for (std::size_t p = 0; p < best_values_.size(); ++p) result.emplace_back("best." + names[p], best_values_[p]);
  for (std::size_t p = 0; p < before_.size(); ++p) result.emplace_back("before." + names[p], before_[p]);
  return result;
}

void StopRule::Impl::restore(const std::vector<std::pair<std::string, Tensor>>& given) {
  constexpr const char* kOp = "StopRule.restore";
  settle();
  std::vector<std::pair<std::string, Tensor>> own = state();
  std::vector<const Tensor*> values;
  for (const auto& [name, tensor] : own) {
    const auto found =
        std::find_if(given.begin(), given.end(), [&name = name](const auto& one) { return one.first == name; });
    LUGE_CHECK(ValueError, found != given.end(),
               "{}: the state has no '{}'; it is of a rule that was made with other criteria", kOp, name);
    const TensorImpl& impl = luge::checked(found->second, kOp, name.c_str());
    LUGE_CHECK(DTypeError, impl.dtype == tensor.dtype(), "{}: '{}' is {}; it must be {}", kOp, name,
               luge::name(impl.dtype), luge::name(tensor.dtype()));
    LUGE_CHECK(ShapeError, impl.shape == tensor.shape(), "{}: '{}' has shape {}; it must be {}", kOp, name,
               to_string(impl.shape), to_string(tensor.shape()));
    values.push_back(&found->second);
  }
  for (const auto& [name, tensor] : given)
    LUGE_CHECK(ValueError,
               std::any_of(own.begin(), own.end(), [&name = name](const auto& one) { return one.first == name; }),
               "{}: the state has '{}', which this rule has not; it is of a rule that was made with other criteria",
               kOp, name);
  for (std::size_t i = 0; i < own.size(); ++i)
    if (own[i].first == "reason") {
      const std::vector<std::int64_t> reasons = values[i]->to_vector<std::int64_t>();
      const auto bad = std::find_if(reasons.begin(), reasons.end(), [](auto r) { return r < 0 || r >= kReasons; });
      LUGE_CHECK(ValueError, bad == reasons.end(), "{}: the reason of set {} is {}; reasons are from 0 to {}", kOp,
                 bad - reasons.begin(), *bad, kReasons - 1);
    }
  const NoGrad guard;
  for (std::size_t i = 0; i < own.size(); ++i) own[i].second.copy_(*values[i]);
  settle();  // max_steps are counted from these checks
  parameters_.set_active(logical_and(parameters_.active(), shown(reason_.eq(number(Reason::Running)))));
}

// ---- reports ------------------------------------------------------------------------------------

Report StopRule::Impl::report() {
  settle();
  Report report = report_of(checks_, reason_, stopped_at_, parameters_.active());
  for (Quarantined& one : report.quarantined)
    for (const Quarantined& known : explained_)
      if (known.set == one.set && known.step == one.step && known.reason == one.reason) one = known;
  return report;
}

std::vector<Quarantined> StopRule::Impl::explain(const std::function<void()>& step, SourceLocation location) {
  std::vector<Quarantined> found = report().quarantined;
  if (found.empty()) return found;
  std::vector<std::int64_t> sets;
  for (const Quarantined& one : found) sets.push_back(one.set);
  const std::vector<Origin> origins = stop::origins(parameters_, sets, step, location);
  for (std::size_t i = 0; i < found.size(); ++i) {
    found[i].operation = origins[i].operation;
    found[i].backward = origins[i].backward;
    found[i].from_data = origins[i].from_data;
  }
  explained_ = found;
  return found;
}

// ---- what users see -----------------------------------------------------------------------------

StopRule::StopRule(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
StopRule::~StopRule() = default;
StopRule::StopRule(StopRule&&) noexcept = default;
StopRule& StopRule::operator=(StopRule&&) noexcept = default;

StopRule StopRule::of_sets(const Parameters& parameters, const Tensor& sets) const {
  const NoGrad guard;
  impl_->settle();
  impl_->forget_before();
  return StopRule(std::make_shared<Impl>(*impl_, parameters, sets));
}
const Parameters& StopRule::parameters() const { return impl_->parameters(); }
void StopRule::settle() { impl_->settle(); }

void StopRule::check(const Tensor& loss) { impl_->check(loss); }
Tensor StopRule::reason() const {
  impl_->settle();
  return impl_->shown(impl_->reason()).clone();
}
Tensor StopRule::stopped_at() const {
  impl_->settle();
  return impl_->shown(impl_->stopped_at()).clone();
}
Tensor StopRule::active() const { return impl_->parameters().active(); }
Tensor StopRule::best_loss() const {
  impl_->expect_best("StopRule.best_loss");
  return impl_->shown(impl_->best()).clone();
}
bool StopRule::all_stopped(SourceLocation location) const {
  refuse_capture("StopRule.all_stopped", kHostRead, location);
  return !active().any().item<bool>(location);
}
Report StopRule::report(SourceLocation location) const {
  refuse_capture("StopRule.report", kHostRead, location);
  return impl_->report();
}
std::vector<Quarantined> StopRule::explain(const std::function<void()>& step, SourceLocation location) {
  refuse_capture("StopRule.explain", "runs a step of its own, which it takes back", location);
  LUGE_CHECK(ValueError, step != nullptr, "StopRule.explain: step is empty; it must be the function that makes a step");
  return impl_->explain(step, location);
}
void StopRule::restore_best() { impl_->restore_best(); }
std::vector<std::pair<std::string, Tensor>> StopRule::state() const {
  impl_->settle();
  return impl_->state();
}
void StopRule::restore(const std::vector<std::pair<std::string, Tensor>>& state, SourceLocation location) {
  refuse_capture("StopRule.restore", kHostRead, location);
  impl_->restore(state);
}

StopRule when(Optimizer& optimizer, const Options& options, SourceLocation location) {
  refuse_capture(kWhen, "makes a rule, which is to outlive the step", location);
  expect_one_arena(kWhen, optimizer);
  return StopRule(std::make_shared<StopRule::Impl>(optimizer.parameters(), options));
}

}  // namespace luge::stop
