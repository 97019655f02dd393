#pragma once
// Internal: a function without arguments as a step: recorded once for each state that it meets, then replayed.

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <luge/capture/detail/arguments.h>
#include <luge/capture/detail/version.h>

namespace luge {

class Recordings {
 public:
  /// `arguments` are what the body is called with, if it is.
  Recordings(std::function<StepResults()> body, CaptureOptions options, SourceLocation location, Arguments* arguments = nullptr)
      : body_(std::move(body)), options_(options), location_(location), arguments_(arguments) {}

  /// `steps` steps, recorded or replayed; the results of the last.
  const StepResults& run(std::int64_t steps);
  /// What ran last; null before the first step.
  const StepVersion* current() const { return current_; }

 private:
  /// A step goes on from few different states: more recordings than this are a program that changes.
  static constexpr std::size_t kMostVersions = 8;

  StepVersion* fitting(bool& alive) const;
  /// Runs the function and records it; in place of `last`, if that was recorded from the same state.
  void record(StepVersion* last);
  std::unique_ptr<StepVersion> recorded(const StepVersion* last) const;
  /// A step that leaves memory of its own with somebody else may go on from that the next time, where a replay would
  /// not. Therefore its function runs until it did the same twice in a row.
  void compare(StepVersion& version, const StepVersion& last, const Recording& recording) const;
  /// Whether somebody else has memory that the step allocated, gradients and results aside.
  bool is_shared(const StepVersion& version) const;
  /// Whether somebody else has the gradient that a leaf has after the step: as a tensor, a view or an array. A result
  /// of the step counts as a view.
  static bool is_held(const Recording::Leaf& leaf, const Holders& holders);
  bool is_held(const StepVersion& version, const Recording::Leaf& leaf) const;
  Holders holders(const StepVersion& version, const Tensor& gradient) const;
  /// Counts once for all replays, which the next recording makes out of date.
  void count_holders();
  /// Gradients that somebody has taken hold of since then are kept from now on.
  void keep_held(StepVersion& version) const;
  const Tensor& checked_result(const Tensor& result) const;

  std::function<StepResults()> body_;
  CaptureOptions options_;
  SourceLocation location_;
  Arguments* arguments_;
  std::vector<std::unique_ptr<StepVersion>> versions_;
  StepVersion* current_ = nullptr;
};

}  // namespace luge
