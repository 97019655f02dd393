#include <luge/capture/step.h>

#include <algorithm>
#include <array>
#include <optional>

#include <luge/autograd/detail/autocast.h>
#include <luge/capture/detail/arguments.h>
#include <luge/capture/detail/describe.h>
#include <luge/capture/detail/recordings.h>
#include <luge/base/detail/check.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

/// The dtypes in which a region of autocast computes on either kind of device; none where it leaves them as they are.
using Precision = std::array<std::optional<DType>, 2>;

Precision precision() {
  Precision now;
  for (std::size_t i = 0; i < now.size(); ++i)
    if (autocast_mode.enabled[i]) now[i] = autocast_mode.dtype[i];
  return now;
}

}  // namespace

/// Recordings for each signature of the arguments, and for each precision of the region in which the step is called.
class CapturedStep::Impl {
 public:
  Impl(Body body, CaptureOptions options, SourceLocation location)
      : body_(std::move(body)), options_(options), location_(location) {}

  const StepResults& run(std::int64_t steps, const std::vector<Tensor>& arguments) {
    LUGE_CHECK(ValueError, steps >= 1, "run: steps is {}; it must be 1 or more", steps);
    LUGE_CHECK(CaptureError, !observer, "{}: a captured step runs within another one; call the function itself",
               named("capture", location_));
    if (arguments.empty() && current_ && current_->arguments.inputs().empty() && current_->precision == precision())
      return current_->recordings->run(steps);
    for (std::size_t i = 0; i < arguments.size(); ++i) check(i, arguments[i]);
    const auto known = std::find_if(signatures_.begin(), signatures_.end(), [&](const std::unique_ptr<Signature>& one) {
      return one->takes(arguments);
    });
    if (known != signatures_.end()) {
      current_ = known->get();
      return current_->run(steps, arguments);
    }
    LUGE_CHECK(CaptureError, signatures_.size() < kMostSignatures,
               "{}: the step was called with arguments of {} different shapes, dtypes or devices; allowed are {}, each of "
               "which has a plan of its own; pad the arguments to fewer shapes",
               named("capture", location_), signatures_.size() + 1, kMostSignatures);
    auto signature = std::make_unique<Signature>(arguments, *this);
    const StepResults& results = signature->run(steps, arguments);
    signatures_.push_back(std::move(signature));
    current_ = signatures_.back().get();
    return results;
  }

  const StepVersion& recorded(const char* op) const {
    LUGE_CHECK(CaptureError, current_ && current_->recordings->current(),
               "{}: nothing is recorded yet; call the step once before", op);
    return *current_->recordings->current();
  }

 private:
  /// A last batch and a few shapes more: a step that is called with others all the time is not one step.
  static constexpr std::size_t kMostSignatures = 16;

  /// The tensors that stand for the arguments, and what was recorded with them.
  struct Signature {
    Signature(const std::vector<Tensor>& given, Impl& step) : arguments(given, step.location_) {
      const auto body = [this, &step] {
        const std::vector<Tensor> handles = arguments.handles();
        StepResults results = step.body_(handles);
        arguments.check_leaves(handles);
        return results;
      };
      recordings.emplace(body, step.options_, step.location_, &arguments);
    }
    bool takes(const std::vector<Tensor>& given) const { return precision == luge::precision() && arguments.take(given); }
    const StepResults& run(std::int64_t steps, const std::vector<Tensor>& given) {
      arguments.fill(given);
      try {
        const StepResults& results = recordings->run(steps);
        arguments.give_back();
        return results;
      } catch (...) {
        arguments.give_back();  // of the steps before the one that failed
        throw;
      }
    }

    const Precision precision = luge::precision();
    Arguments arguments;
    std::optional<Recordings> recordings;
  };

  void check(std::size_t i, const Tensor& argument) const {
    LUGE_CHECK(ValueError, argument.defined(), "step: argument {} is an undefined tensor", i);
    LUGE_CHECK(AutogradError, !needs_grad(argument),
               "step: argument {} of shape {} requires a gradient; a captured step copies its arguments, so no gradient "
               "reaches them; call detach(), or let the function use the tensor itself",
               i, to_string(argument.shape()));
  }

  Body body_;
  CaptureOptions options_;
  SourceLocation location_;
  std::vector<std::unique_ptr<Signature>> signatures_;
  Signature* current_ = nullptr;
};

CapturedStep::CapturedStep(Body body, CaptureOptions options, SourceLocation location)
    : impl_(std::make_unique<Impl>(std::move(body), options, location)) {}
CapturedStep::~CapturedStep() = default;
CapturedStep::CapturedStep(CapturedStep&&) noexcept = default;
CapturedStep& CapturedStep::operator=(CapturedStep&&) noexcept = default;

const StepResults& CapturedStep::run(std::int64_t steps, const std::vector<Tensor>& arguments) {
  return impl_->run(steps, arguments);
}
StepFigures CapturedStep::figures() const { return impl_->recorded("figures").figures; }

StepStats CapturedStep::stats() const {
  const StepVersion& version = impl_->recorded("stats");
  StepStats stats{.replays = version.replays, .seconds = 0, .bytes_per_second = 0};
  if (version.replays == 0) return stats;
  stats.seconds = version.seconds / static_cast<double>(version.timed);
  stats.bytes_per_second = version.figures.bytes / stats.seconds;
  return stats;
}

std::string CapturedStep::plan() const {
  const StepVersion& version = impl_->recorded("plan");
  return describe(version.plan, version.figures, *version.recording.backend);
}

}  // namespace luge
