#include <luge/train/detail/hyper.h>

#include <cmath>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

const char* words(Allowed allowed) {
  switch (allowed) {
    case Allowed::Number: return "a number";
    case Allowed::NotNegative: return "0 or more";
    case Allowed::Finite: return "0 or more and finite";
    case Allowed::UpToOne: return "from 0 to 1";
    case Allowed::InsideOne: return "above 0 and less than 1";
    case Allowed::AboveOne: return "above 1 and finite";
    case Allowed::BelowOne: break;
  }
  return "at least 0 and less than 1";
}

bool fits(double value, Allowed allowed) {
  if (allowed == Allowed::Number) return !std::isnan(value);
  if (allowed == Allowed::BelowOne) return value >= 0 && value < 1;
  if (allowed == Allowed::UpToOne) return value >= 0 && value <= 1;
  if (allowed == Allowed::InsideOne) return value > 0 && value < 1;
  if (allowed == Allowed::AboveOne) return value > 1 && std::isfinite(value);
  return value >= 0 && (allowed == Allowed::NotNegative || std::isfinite(value));
}

/// A number is judged as the kernels will see it: 1 - 1e-9 is 1 in float32.
void check_number(const char* op, const char* name, double value, Allowed allowed, DType dtype) {
  const double stored = dtype == DType::Float32 ? static_cast<double>(static_cast<float>(value)) : value;
  if (fits(stored, allowed)) return;
  if (fits(value, allowed))
    raise<ValueError>("{}: {} is {}, which {} holds as {}; it must be {}", op, name, value, luge::name(dtype), stored,
                      words(allowed));
  raise<ValueError>("{}: {} is {}; it must be {}", op, name, value, words(allowed));
}

/// The least and the greatest value decide; NaN counts as both.
void check_tensor(const char* op, const char* name, const Tensor& values, Allowed allowed) {
  const Unobserved once;
  const Tensor flat = values.reshape({values.numel()});
  for (const Tensor& at : {flat.argmin(), flat.argmax()}) {
    const std::int64_t set = at.item<std::int64_t>();
    const double value = flat[set].item();
    LUGE_CHECK(ValueError, fits(value, allowed), "{}: {} of set {} is {}; it must be {}", op, name, set, value,
               words(allowed));
  }
}

Tensor chained(const std::vector<std::shared_ptr<ScheduleTerm>>& schedules, Tensor rate) {
  for (const auto& term : schedules) rate = term->formula(rate, term->count.to(DType::Float64));
  return rate;
}

}  // namespace

Tensor hyper_values(const char* op, const char* name, const PerSet& given, Allowed allowed,
                    const Parameters& parameters, Waiting waiting, SourceLocation location) {
  const DType dtype = parameters.dtype();
  const Device device = parameters.device();
  if (!given.is_tensor()) {
    check_number(op, name, given.value(), allowed, dtype);
    return scalar(given.value(), {.dtype = dtype, .device = device});
  }
  const Tensor& values = given.values();
  const TensorImpl& impl = checked(values, op, name);
  const std::int64_t sets = parameters.sets();
  LUGE_CHECK(DTypeError, is_floating(impl.dtype), "{}: {} is {}; allowed are the floating dtypes", op, name,
             luge::name(impl.dtype));
  LUGE_CHECK(ShapeError, impl.shape.empty() || impl.shape == Shape{sets},
             "{}: {} has shape {}; allowed are one number and a tensor of shape ({},), one value per set", op, name,
             to_string(impl.shape), sets);
  const NoGrad guard;
  const Tensor converted = values.detach().to(dtype);
  if (values.device().is_cpu() || waiting == Waiting::Allowed) check_tensor(op, name, converted, allowed);
  const Tensor moved = converted.to(device, location);
  return moved.storage() == values.storage() ? moved.clone() : moved;
}

void assign_in_place(Tensor& to, const Tensor& fresh) {
  if (to.defined() && (fresh.shape().empty() || fresh.shape() == to.shape()))
    to.copy_(fresh);
  else
    to = fresh;
}

void LearningRate::assign(const Tensor& fresh) {
  assign_in_place(values, fresh);
  if (const std::shared_ptr<LearningRate> rate = follower.lock())
    assign_in_place(rate->values, values.ndim() == 0 ? values.clone() : values.index_select(0, follower_sets));
}

void LearningRate::lead(const std::shared_ptr<LearningRate>& rate, const Tensor& sets) {
  follower = rate;
  follower_sets = sets;
  if (rate) rate->follows = true;
}

void LearningRate::assign_base(const Tensor& fresh) { assign_in_place(base, fresh); }

Tensor LearningRate::scheduled() const { return chained(schedules, base).to(values.dtype()); }

void LearningRate::renew_base() { base = (base.defined() ? base : values).to(DType::Float64).clone(); }

void LearningRate::rebase() {
  if (schedules.empty()) return;
  const NoGrad guard;
  const Tensor offset = chained(schedules, zeros_like(base)), slope = chained(schedules, ones_like(base)) - offset;
  const Tensor wanted = values.to(DType::Float64), is_flat = slope.eq(0);
  // A schedule that is at 0 says nothing of its base: the new learning rate is then the base.
  assign_in_place(base, where(is_flat, wanted, (wanted - offset) / where(is_flat, 1, slope)));
}

}  // namespace luge
