#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <luge/capture/step.h>
#include <luge/sweep/result.h>
#include <luge/sweep/space.h>
#include <luge/train/stop_train.h>

namespace luge::sweep {

/// Successive halving (Karnin et al. 2013; Jamieson and Talwalkar 2016): at each rung, after min_steps, min_steps eta,
/// min_steps eta^2, ... steps, one setting in eta goes on, the others are stopped. Of n settings floor(n / eta^k), at
/// least one, go on after the k-th rung. A setting is judged by the mean score of its seeds, which go on or stop
/// together; one with a score that is not finite is the worst. A setting that a rule has stopped is judged by the score
/// it ended with.
struct Halving {
  std::int64_t eta = 4;  ///< 2 or more
  /// Steps before the first rung, fewer than the sweep has; 0: so many that one setting is left at the last rung, which
  /// is after steps / eta.
  std::int64_t min_steps = 0;
};

/// A rung: how many settings go on after so many steps.
struct Rung {
  std::int64_t steps = 0, settings = 0;
};
/// The rungs of a sweep of so many settings and steps. Throws ValueError for halving that stops none of them.
std::vector<Rung> rungs(const Halving& halving, std::int64_t settings, std::int64_t steps);

/// How far a sweep is.
struct Look {
  std::int64_t steps = 0, of_steps = 0;
  std::int64_t active = 0;    ///< sets that go on
  std::int64_t best_set = 0;  ///< by the present scores
  double best = 0;            ///< NaN: no score is finite
  double seconds = 0;
};

struct RunOptions {
  /// Most steps of a set; 1 or more.
  std::int64_t steps = 0;
  /// Steps between two looks at the scores; 0: a fiftieth of `steps`. A look waits for the device, and keeps a number
  /// for each set.
  std::int64_t every = 0;
  std::optional<Halving> halving = {};
  /// Scores of all sets for their present parameters: shape (sets), the lower the better, for instance losses of data
  /// that no step has seen. It runs without recording gradients. Absent: the loss of the look's last step.
  std::function<Tensor()> validate = {};
  /// The rule that the step checks, for the reasons and steps of sets that it stops.
  const stop::StopRule* rule = nullptr;
  /// Called at every look; false ends the sweep.
  std::function<bool(const Look&)> watch = {};
  /// Asked before every `asked_every` steps, which are then taken so many at a time; true ends the sweep after a last
  /// look.
  std::function<bool()> interrupted = {};
  std::int64_t asked_every = 1;
  /// What the score is, for tables; empty: "loss", or "validation".
  std::string score_name = {};
};

/// Takes so many steps of every active set and returns the loss of the last one, of shape (sets); what it returns is
/// not read where there is a `validate`.
using Advance = std::function<Tensor(std::int64_t steps)>;

/// Trains every set by its setting, looks at the scores every so many steps, and stops the sets that fall behind
/// (halving). It ends early when no set is active. Sets are stopped by Parameters::set_active and keep their
/// parameters. Throws ShapeError unless the optimizer's parameters have as many sets as there are settings, and for
/// scores of another shape; ValueError for steps, every or halving out of range, and where no set is active at the
/// beginning.
Result run(const Advance& advance, Optimizer& optimizer, const Settings& settings, const RunOptions& options,
           SourceLocation location = SourceLocation::current());
/// Of a captured step that returns its losses. One that ran before any rule was made and before
/// Parameters::set_active cannot leave sets alone: CaptureError with halving.
inline Result run(Step<Tensor>& step, Optimizer& optimizer, const Settings& settings, const RunOptions& options,
                  SourceLocation location = SourceLocation::current()) {
  return run([&step](std::int64_t steps) { return step.run(steps); }, optimizer, settings, options, location);
}

/// Steps by live compaction (stop::train): the sets that go on are computed together, and one that has stopped costs
/// nothing, which makes halving pay. What run() takes as `advance`.
///
///   sweep::LiveSteps steps(optimizer, rule, {}, [&](stop::Live& live) { ...; live.rule.check(loss); ...; return loss;
///   }); const auto result = sweep::run(steps, optimizer, settings, {.steps = 1000, .halving = Halving{}, .rule =
///   &rule});
///
/// The step works on live.params, live.optimizer and live.rule, and must call live.rule.check; `data` are tensors with
/// a leading axis of sets, which live.data gives. It is captured anew at every call, which is at every look. Every set
/// has the bits that it has without. Throws what stop::train does.
class LiveSteps {
 public:
  LiveSteps(Optimizer& optimizer, stop::StopRule& rule, stop::PerSetData data, std::function<Tensor(stop::Live&)> step,
            SourceLocation location = SourceLocation::current())
      : optimizer_(&optimizer), rule_(&rule), data_(std::move(data)), step_(std::move(step)), location_(location) {}

  /// Takes steps. Returns the losses of all sets; of one that stood still that of its last step.
  Tensor operator()(std::int64_t steps);

 private:
  Optimizer* optimizer_;
  stop::StopRule* rule_;
  stop::PerSetData data_;
  std::function<Tensor(stop::Live&)> step_;
  SourceLocation location_;
  Tensor last_;
};

}  // namespace luge::sweep
