#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <luge/train/stop.h>

/// Live compaction: a training whose stopped sets cost nothing, because those that still go on move together.
///
///   const auto training = stop::train(optimizer, rule, {{"y", y}}, [&](stop::Live& live) {
///     live.optimizer.zero_grad();
///     const Tensor loss = square(exp(-x / live.params["t"].unsqueeze(1)) - live.data("y")).mean(1);
///     loss.sum().backward();
///     live.rule.check(loss);
///     live.optimizer.step();
///     return loss;
///   });
namespace luge::stop {

/// Tensors with a leading axis of sets, by name.
using PerSetData = std::vector<std::pair<std::string, Tensor>>;

/// What a step works on: the sets that still go on, as if they were all there are. As long as no set has moved these
/// are the parameters, the optimizer and the rule that train() was given; afterwards others that were made alike. To be
/// used in the step only.
class Live {
 public:
  Live(const Live&) = delete;
  Live& operator=(const Live&) = delete;

  /// Under the same names: live.params["hidden.weight"].
  Parameters params;

 private:
  std::shared_ptr<Optimizer> own_optimizer_;  // the references point to what is in here, if anything
  std::shared_ptr<StopRule> own_rule_;

 public:
  Optimizer& optimizer;
  StopRule& rule;
  /// The numbers of the sets, int64 of shape (sets of params). Some may be of sets that have stopped and stand still.
  Tensor sets;

  /// These sets of the tensor that train() was given under this name. Throws ValueError naming what there is.
  Tensor data(std::string_view name) const;
  const PerSetData& data() const { return data_; }
  /// Whether these are all sets.
  bool is_whole() const { return !own_rule_; }
  /// What the references point to if sets have moved; null before.
  const std::shared_ptr<Optimizer>& own_optimizer() const { return own_optimizer_; }
  const std::shared_ptr<StopRule>& own_rule() const { return own_rule_; }

 private:
  friend class Trainer;
  Live(Optimizer& given_optimizer, StopRule& given_rule, PerSetData data);
  /// A copy of these sets.
  Live(Live& whole, const Tensor& numbers);
  /// Copies the sets to where they came from.
  void write_back(Live& whole) const;
  /// While it is lent, the parameters throw ValueError where a step would change them.
  void lend(bool lent);

  PerSetData data_;
};

struct TrainOptions {
  /// Steps between two looks at the sets: each waits for the device, and sets may move there.
  std::int64_t every = 25;
  /// Steps in all; absent: until no set is active.
  std::optional<std::int64_t> max_steps = {};
  /// false: no set moves. The results are the same, bit by bit.
  bool compact = true;
  /// Fewer sets than this are not worth a move.
  std::int64_t min_sets = 1;
  /// Called several times a second where the device allows; what it throws ends the training.
  std::function<void()> between = {};
};

/// `every` steps.
struct Round {
  std::int64_t active = 0;  ///< sets that went on when it began
  std::int64_t size = 0;    ///< sets that its steps computed, those included that stood still
  std::int64_t steps = 0;
};

/// What a training did.
class Training {
 public:
  std::vector<Round> rounds;
  std::int64_t sets = 0, steps = 0;
  std::int64_t computed = 0;  ///< steps of single sets that were computed
  std::int64_t needed = 0;    ///< those of them that were of active sets, the ones in which sets stopped included
  Report stops;               ///< what the rule says at the end

  /// The loss that the step returned last in each round: of shape (rounds, sets), or (rounds) for an ordinary model, on
  /// the device; NaN for a set that no longer went on when the round began. Undefined where the step returned nothing.
  /// It is put together here: until now the losses of the sets that went on are all that is kept.
  Tensor losses() const;
  /// A few lines for people, without a line break at the end.
  std::string text() const;

 private:
  friend class Trainer;
  struct Losses {
    Tensor sets;  // undefined: all
    Tensor values;
  };
  std::vector<Losses> losses_;
};

/// What train() does; `step` returns the losses or an undefined tensor.
Training run_training(Optimizer& optimizer, StopRule& rule, const PerSetData& data,
                      const std::function<Tensor(Live&)>& step, const TrainOptions& options, SourceLocation location);

/// Captures `step`, a function of a Live that returns nothing or a Tensor with one loss per set, and runs it until no
/// set is active, or `max_steps` times. After every `every` steps it looks at how many sets are active. If they fit
/// into a smaller size, they move to parameters of that size, with their optimizer state, their hyperparameters, what
/// the rule knows of them and their `data`, and the step is captured anew. Sizes are that of all sets, then 2^k and 3 *
/// 2^k. Afterwards, and when an exception leaves the function, everything is where it was: in the parameters, the
/// optimizer and the rule that were given, by the numbers of the sets.
///
/// The step must call live.rule.check. What else it uses is the same for all sets. Every set has the bits that it has
/// without compaction, if it depends on no other set: random numbers that the step draws for each set do, as their
/// numbering goes by place, so draw them before and give them as data, or the same ones for all sets. Schedules of the
/// optimizer may be stepped in the step; a rate for each set is then computed for all sets. Gradients move along.
///
/// Needs, beside the whole and one size at a time, what the moved sets take: parameters, gradients, the optimizer's and
/// the rule's state, data. That is less than the whole takes, and less from move to move.
///
/// Throws ValueError for options out of range, a rule of another optimizer, data without the leading axis of sets or
/// with a gradient, and a step that does not call check; ShapeError for a loss that is not one per set; CaptureError
/// for a step that cannot be captured.
template <class Function>
Training train(Optimizer& optimizer, StopRule& rule, const PerSetData& data, Function step,
               const TrainOptions& options = {}, SourceLocation location = SourceLocation::current()) {
  return run_training(
      optimizer, rule, data,
      [&step](Live& live) -> Tensor {
        if constexpr (std::is_void_v<std::invoke_result_t<Function&, Live&>>) {
          step(live);
          return {};
        } else {
          return step(live);
        }
      },
      options, location);
}

}  // namespace luge::stop
