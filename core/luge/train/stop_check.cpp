// What a rule does with every step: one kernel with the loss and the update, as far as capture can make it.

#include <luge/train/detail/stop_rule.h>

#include <algorithm>

#include <luge/autograd/detail/node.h>
#include <luge/autograd/grad_mode.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/train/detail/arena.h>

namespace luge::stop {

namespace {

/// A check notes of each set one number of the parameters' dtype, so that it is a kernel with the loss and the update:
///   0          nothing
///   kGoesOn    the set was judged and goes on
///   kSpan * n + reason   it stopped, after n checks that followed those of `checks_`
/// float32 holds such numbers for twice as many checks as kMostNoted.
constexpr double kGoesOn = -1, kSpan = 8;
constexpr std::int64_t kMostNoted = std::int64_t{1} << 20;
static_assert(kReasons <= kSpan && 2 * kMostNoted * kSpan <= 1 << 24);

}  // namespace

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

}  // namespace luge::stop
