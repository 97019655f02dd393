#include <luge/train/stop.h>

#include <algorithm>
#include <limits>

#include <luge/autograd/detail/node.h>
#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/train/detail/arena.h>
#include <luge/train/detail/explain.h>
#include <luge/train/detail/hyper.h>
#include <luge/train/detail/stop_report.h>

namespace luge::stop {

namespace {

constexpr const char* kWhen = "stop.when";
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::int64_t number(Reason reason) { return static_cast<std::int64_t>(reason); }

/// A check notes of each set one number of the parameters' dtype, so that it is a kernel with the loss and the update:
///   0          nothing
///   kGoesOn    the set was judged and goes on
///   kSpan * n + reason   it stopped, after n checks that followed those of `checks_`
/// float32 holds such numbers for twice as many checks as kMostNoted.
constexpr double kGoesOn = -1, kSpan = 8;
constexpr std::int64_t kMostNoted = std::int64_t{1} << 20;
static_assert(kReasons <= kSpan && 2 * kMostNoted * kSpan <= 1 << 24);

}  // namespace

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

  Tensor zero_;                      // of the parameters' dtype: where choices start from
  Tensor checks_;                    // int64, of shape ()
  Tensor reason_, stopped_at_;       // int32, int64
  Tensor noted_;                     // since the last settle(), see kSpan
  Tensor clock_;                     // of shape (): kSpan times the checks since then
  Tensor most_clock_;                // of shape (): the clock at which max_steps are taken
  std::int64_t recent_ = 0;          // checks since then, and maybe more
  std::vector<Quarantined> explained_;
  Tensor reference_, waited_;        // the loss that is to be improved upon, and checks since then (int32)
  Tensor best_;                      // the lowest finite loss
  std::vector<Tensor> best_values_;  // the parameters of that
  std::vector<Tensor> before_;       // the parameters at the check before; NaN for a set that took no step since
};

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

// ---- a check ------------------------------------------------------------------------------------

Tensor StopRule::Impl::checked_loss(const Tensor& loss) const {
  const TensorImpl& impl = luge::checked(loss, "StopRule.check", "loss");
  LUGE_CHECK(DTypeError, impl.dtype == dtype_, "StopRule.check: loss is {}; it must be {}, as the parameters are",
             luge::name(impl.dtype), luge::name(dtype_));
  LUGE_CHECK(DeviceError, loss.device() == parameters_.device(),
             "StopRule.check: loss is on {} and the parameters are on {}", to_string(loss.device()),
             to_string(parameters_.device()));
  const bool fits = impl.shape == Shape{sets_} || (impl.shape.empty() && !parameters_.batched());
  LUGE_CHECK(ShapeError, fits, "StopRule.check: loss has shape {}; it must be {}", to_string(impl.shape),
             parameters_.batched() ? fmt::format("({},), one loss per set", sets_) : "() or (1,)");
  return loss.detach().reshape({sets_});
}

void StopRule::Impl::observe() {
  if (!observer) return;
  observer->has_effect({.owner = weak_from_this(),
                        .owner_name = "StopRule",
                        .before = [this](std::int64_t steps, std::int64_t times) { return make_room(steps, times); },
                        .after = [this](std::int64_t count) { recent_ += count; },
                        .undo = {}});
  parameters_.arena_->observe();
}

Tensor StopRule::Impl::beside(const Tensor& parameter, const Tensor& per_set) const {
  Shape shape;
  for (int d = 0; parameters_.batched() && d < parameter.ndim(); ++d) shape.push_back(d == 0 ? sets_ : 1);
  return per_set.reshape(shape);
}

Tensor StopRule::Impl::largest(const std::vector<Tensor>& all) const {
  Tensor most;
  for (const Tensor& x : all) {
    const Tensor magnitudes = abs(rows(x));
    const Tensor own = magnitudes.numel() == sets_ ? magnitudes.reshape({sets_}) : magnitudes.max(1);
    most = most.defined() ? maximum(most, own) : own;
  }
  return most;
}

std::vector<Tensor> StopRule::Impl::gradients() const {
  std::vector<Tensor> result;
  for (const Tensor& parameter : parameters_.tensors())
    if (parameter.requires_grad() && parameter.impl()->leaf->written() && parameter.numel() > 0)
      result.push_back(parameter.grad());
  return result;
}

Tensor StopRule::Impl::are_finite(const std::vector<Tensor>& gradients) const {
  Tensor finite;
  for (const Tensor& gradient : gradients) {
    // A mean reads a gradient once and needs no memory; nothing that is not finite gets lost in it.
    const Tensor row = rows(gradient);
    const Tensor own = isfinite(row.numel() == sets_ ? row.reshape({sets_}) : row.mean(1));
    finite = finite.defined() ? logical_and(finite, own) : own;
  }
  return finite;
}

std::vector<Tensor> StopRule::Impl::changes() const {
  const std::vector<Tensor> parameters = parameters_.tensors();
  std::vector<Tensor> result;
  for (std::size_t p = 0; p < parameters.size(); ++p)
    if (parameters[p].numel() > 0) result.push_back(parameters[p] - before_[p]);
  return result;
}

/// Whether sets have not improved for long enough; counts this check.
Tensor StopRule::Impl::plateau(const Tensor& loss, const Tensor& judged) {
  const Tensor improved = loss.lt(reference_ - *min_delta_), waited = where(improved, 0, waited_ + 1);
  reference_.copy_(where(logical_and(judged, improved), loss, reference_));
  waited_.copy_(where(judged, waited, waited_));
  return waited.ge(*patience_);
}

void StopRule::Impl::keep(const Tensor& better, const Tensor& loss) {
  best_.copy_(where(better, loss, best_));
  const std::vector<Tensor> parameters = parameters_.tensors();
  for (std::size_t p = 0; p < parameters.size(); ++p)
    best_values_[p].copy_(where(beside(parameters[p], better), parameters[p], best_values_[p]));
}

void StopRule::Impl::check(const Tensor& loss) {
  const NoGrad guard;
  const Tensor now = checked_loss(loss);
  const std::vector<Tensor> gradients = nan_ || gradient_below_ ? this->gradients() : std::vector<Tensor>();
  LUGE_CHECK(ValueError, !gradient_below_ || !gradients.empty(),
             "StopRule.check: the rule has a gradient_below and no parameter has a gradient; call check between "
             "backward() and the optimizer's step()");
  if (!observer && recent_ >= kMostNoted) settle();
  ++recent_;
  observe();
  Tensor flags = parameters_.arena_->active();
  const Tensor finite = isfinite(now);
  const Tensor judged = patience_ || best_.defined() || step_below_ ? flags.ne(0) : Tensor();
  const Tensor size = gradient_below_ ? largest(gradients) : Tensor();

  // From the last reason to the first, which has the last word.
  Tensor why = zero_;
  const auto blame = [&](const Tensor& holds, Reason reason) { why = where(holds, number(reason), why); };
  const auto blame_unless = [&](const Tensor& holds, Reason reason) { why = where(holds, why, number(reason)); };
  if (max_steps_) blame(clock_.ge(most_clock_), Reason::MaxSteps);
  if (patience_) blame(plateau(now, judged), Reason::Plateau);
  if (step_below_)
    if (const Tensor change = largest(changes()); change.defined()) blame(change.le(*step_below_), Reason::Step);
  if (gradient_below_) blame(size.le(*gradient_below_), Reason::Gradient);
  if (loss_below_) blame(now.le(*loss_below_), Reason::Loss);
  if (nan_) {
    if (!gradients.empty()) blame_unless(gradient_below_ ? isfinite(size) : are_finite(gradients), Reason::NanGradient);
    blame_unless(finite, Reason::NanLoss);
  }
  const Tensor goes_on = why.eq(number(Reason::Running));

  if (best_.defined()) keep(logical_and(logical_and(judged, finite), now.lt(best_)), now);
  // 0 of a set that stands still. A kernel that knows the loss makes it: a mask of the flags alone would be another's.
  const Tensor note = flags * where(goes_on, kGoesOn, why + clock_);
  noted_.copy_(where(note.eq(0), noted_, note));
  if (step_below_) {
    const Tensor takes_a_step = logical_and(judged, goes_on);
    const std::vector<Tensor> parameters = parameters_.tensors();
    for (std::size_t p = 0; p < parameters.size(); ++p)
      before_[p].copy_(where(beside(parameters[p], takes_a_step), parameters[p], kNaN));
  }
  flags.copy_(where(goes_on, flags, 0));
  clock_.add_(kSpan);
}

std::int64_t StopRule::Impl::make_room(std::int64_t steps, std::int64_t times) {
  const auto room = [&] { return (kMostNoted - recent_) / times; };
  if (room() < steps) settle();
  return std::min(steps, std::max<std::int64_t>(room(), 1));
}

void StopRule::Impl::settle() {
  const NoGrad guard;
  const Tensor count = floor(noted_ * (1 / kSpan)), stopped = noted_.gt(0), went_on = noted_.eq(kGoesOn);
  const auto take = [&](Tensor& to, const Tensor& value, std::int64_t otherwise) {
    to.copy_(where(stopped, value, where(went_on, otherwise, to)));
  };
  take(reason_, (noted_ - kSpan * count).to(DType::Int32), number(Reason::Running));
  take(stopped_at_, checks_ + count.to(DType::Int64), -1);
  checks_.add_((clock_ * (1 / kSpan)).to(DType::Int64));
  noted_.fill_(0);
  clock_.fill_(0);
  if (max_steps_) most_clock_.copy_((*max_steps_ - checks_).to(dtype_) * kSpan);
  if (!observer) recent_ = 0;
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
    const auto found = std::find_if(given.begin(), given.end(), [&name = name](const auto& one) { return one.first == name; });
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
    LUGE_CHECK(ValueError, std::any_of(own.begin(), own.end(), [&name = name](const auto& one) { return one.first == name; }),
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
  return StopRule(std::make_shared<StopRule::Impl>(optimizer.parameters(), options));
}

}  // namespace luge::stop
