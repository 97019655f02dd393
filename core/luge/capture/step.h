#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <luge/base/source_location.h>
#include <luge/tensor/tensor.h>

namespace luge {

struct CaptureOptions {
  /// false: gradients that only the step itself uses need not reach memory. Afterwards grad() reads zeros.
  bool keep_gradients = true;
};

/// What a step takes, by counting: of the calls as they were recorded, and of the plan that is replayed.
struct StepFigures {
  std::int64_t recorded_calls = 0;   ///< kernel calls of the eager step
  std::int64_t launches = 0;         ///< calls and fused chains of the plan
  double recorded_bytes = 0;         ///< that cross the memory bus in the eager step, caches aside
  double bytes = 0;                  ///< in the plan
  double flops = 0;                  ///< floating-point operations
  std::int64_t recorded_peak = 0;    ///< bytes of the step's own memory, at most, in the eager step
  std::int64_t peak = 0;             ///< in the plan: one block
};

/// What replays took.
struct StepStats {
  std::int64_t replays = 0;
  double seconds = 0;                ///< per replay that was timed, on the host's clock; on a GPU the time to queue it
  double bytes_per_second = 0;
};

/// What a captured function returns, and in which form it is to be put together again, as far as that says more.
struct StepResults {
  std::vector<Tensor> tensors;
  std::shared_ptr<const void> form;
};

/// The part of Step that does not depend on what the captured function takes and returns.
class CapturedStep {
 public:
  /// The function, given the tensors that stand for its arguments.
  using Body = std::function<StepResults(const std::vector<Tensor>& inputs)>;

  CapturedStep(Body body, CaptureOptions options, SourceLocation location);
  ~CapturedStep();
  CapturedStep(CapturedStep&&) noexcept;
  CapturedStep& operator=(CapturedStep&&) noexcept;

  const StepResults& run(std::int64_t steps, const std::vector<Tensor>& arguments = {});
  StepFigures figures() const;
  StepStats stats() const;
  std::string plan() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// A training step that was recorded once and is replayed from then on: fused, with its memory planned, and
/// with the bits of the eager step. Made by capture().
///
/// The first call runs the captured function and records what crosses to the device; it is a step like any
/// other. Later calls replay it without running the function. Feed a step by refilling its tensors in place
/// (copy_); change a learning rate with set_lr. Gradients that the step goes on from are looked at: where they
/// are written and were not when it was recorded (or the reverse), the function runs and is recorded anew.
///
/// A function of tensors makes a step of as many: step(images, labels) copies them into tensors that stand for them in the
/// function and copies back what it changed. Arguments of another shape, dtype or device (the smaller last batch) record another
/// plan, up to 16. An argument must not require a gradient. CaptureError for one that is changed and shares memory.
///
/// Throws CaptureError, with parameters, gradients and optimizer state as they were before the call, if the
/// function reads values on the host or brings some to the device (item, to_vector, from_host, printing),
/// replaces a tensor it works on, or works on two devices; the error names the line that captured the step and, where
/// it is a call that cannot be captured, the line of the call. Also if a tensor, Parameters or Monitor that it
/// worked on is gone when it is to be replayed.
template <class Result, int inputs = 0>
class Step {
  static_assert(std::is_void_v<Result> || std::is_same_v<Result, Tensor> || std::is_same_v<Result, std::vector<Tensor>>,
                "capture: the function may return nothing, a Tensor or a std::vector<Tensor>");

 public:
  Step(CapturedStep::Body body, CaptureOptions options, SourceLocation location)
      : step_(std::move(body), options, location) {}

  /// One step. Returns the function's results: the same tensors, filled anew, at every call; they have no
  /// graph, and a value that is to be kept is to be copied. Throws CaptureError for arguments of a 17th kind, and
  /// AutogradError for one that requires a gradient.
  template <class... Arguments>
    requires(sizeof...(Arguments) == inputs && (std::is_convertible_v<const Arguments&, const Tensor&> && ...))
  Result operator()(const Arguments&... arguments) {
    return run(1, arguments...);
  }

  /// `steps` steps without the host in between; returns the results of the last. Throws ValueError below 1.
  template <class... Arguments>
    requires(sizeof...(Arguments) == inputs && (std::is_convertible_v<const Arguments&, const Tensor&> && ...))
  Result run(std::int64_t steps, const Arguments&... arguments) {
    const std::vector<Tensor>& results = step_.run(steps, {static_cast<const Tensor&>(arguments)...}).tensors;
    if constexpr (std::is_same_v<Result, Tensor>) return results.front();
    if constexpr (std::is_same_v<Result, std::vector<Tensor>>) return results;
  }

  /// What will run, as text: every call and chain in order, with the bytes it moves, and the sums before and
  /// after fusion. Throws CaptureError before the first step.
  std::string plan() const { return step_.plan(); }
  StepFigures figures() const { return step_.figures(); }
  StepStats stats() const { return step_.stats(); }

 private:
  CapturedStep step_;
};

/// How many tensors a function takes, from 0 to 8; -1 where it takes something else.
template <class Function, class... Tensors>
constexpr int tensors_taken() {
  if constexpr (std::is_invocable_v<Function&, Tensors...>)
    return sizeof...(Tensors);
  else if constexpr (sizeof...(Tensors) < 8)
    return tensors_taken<Function, Tensors..., const Tensor&>();
  else
    return -1;
}

/// Calls a function and lists what it returns.
template <class Result, class Call>
StepResults results_of(const Call& call) {
  StepResults results;
  if constexpr (std::is_void_v<Result>)
    call();
  else if constexpr (std::is_same_v<Result, Tensor>)
    results.tensors.push_back(call());
  else
    results.tensors = call();
  return results;
}

/// Captures a step: `auto step = capture([&] { optimizer.zero_grad(); ...; optimizer.step(); return loss; });`
/// then `step()` as often as wanted. See Step.
template <class Function>
auto capture(Function function, CaptureOptions options = {}, SourceLocation location = SourceLocation::current()) {
  constexpr int inputs = tensors_taken<Function>();
  static_assert(inputs >= 0, "capture: the function may take up to 8 tensors, as const Tensor& or Tensor, and nothing else");
  return [&]<std::size_t... i>(std::index_sequence<i...>) {
    const auto call = [](Function& called, const std::vector<Tensor>& given) { return called(given[i]...); };
    using Result = decltype(call(function, {}));
    return Step<Result, inputs>(
        [function = std::move(function), call](const std::vector<Tensor>& given) mutable -> StepResults {
          return results_of<Result>([&]() -> Result { return call(function, given); });
        },
        options, location);
  }(std::make_index_sequence<static_cast<std::size_t>(inputs)>());
}

}  // namespace luge
