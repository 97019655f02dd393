#pragma once
// Internal: hyperparameters on their way from what the user gave to where kernels read them.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <luge/seam/backend.h>
#include <luge/train/optimizer.h>

namespace luge {

/// What values a hyperparameter may take; NaN never.
enum class Allowed : std::uint8_t {
  Number,       ///< any number, infinities too
  NotNegative,  ///< 0 or more, infinity too
  Finite,       ///< 0 or more and finite
  BelowOne,     ///< at least 0 and less than 1
  UpToOne,      ///< from 0 to 1
  InsideOne,    ///< above 0 and less than 1
  AboveOne,     ///< above 1 and finite
};

/// Whether values on a GPU are worth waiting for to be checked.
enum class Waiting : std::uint8_t { Never, Allowed };

/// A copy of `given` in the dtype and on the device of `parameters`, of shape () or (sets). Throws
/// ValueError, ShapeError or DTypeError: "Sgd: lr is -1; it must be 0 or more and finite". `location` is
/// where the user gave it.
Tensor hyper_values(const char* op, const char* name, const PerSet& given, Allowed allowed,
                    const Parameters& parameters, Waiting waiting, SourceLocation location);

/// What a schedule does beside its formula; a part's hooks move to the schedule that takes it over.
struct ScheduleHooks {
  /// Called before n counts to this, for what only the host can compute: such a step cannot be captured.
  std::function<void(std::int64_t n)> on_host = {};
  /// The momentum after n steps, float64, of shape () or (sets), and what takes it in each group.
  std::function<Tensor(const Tensor& n, std::size_t group)> momentum = {};
  std::vector<std::vector<Tensor>> momentum_of = {};
  /// Tensors of its own that steps change, by name.
  std::vector<std::pair<std::string, Tensor>> state = {};
  std::int64_t host_count = 0;  ///< n, as long as there is on_host
  /// Steps that the user may take, of which `calls` are taken; absent: any number.
  std::optional<std::int64_t> most_steps = {};
  std::int64_t calls = 0;
};

/// One schedule of one parameter group. Its formula is affine in the learning rate that it is given.
struct ScheduleTerm {
  std::function<Tensor(const Tensor& base, const Tensor& n)> formula;  ///< all in float64
  Tensor count;                                                        ///< n, int64, of shape ()
  std::string kind;                                                    ///< "StepLr", "SequentialLr(LinearLr, StepLr)"
  Tensor last = {};                                                    ///< the learning rate that it set last
  /// The n that its parts had when it took them over, and theirs that they had taken over; float64, of shape ().
  std::vector<Tensor> begun = {};
  const char* part_of = nullptr;  ///< the schedule that steps it; null: the user does
  ScheduleHooks hooks = {};       ///< of the first group's

  /// Goes on as after `steps` steps: functions of the host are called with what they have missed.
  void go_on(std::int64_t steps);
};

/// The learning rate in force.
struct LearningRate {
  Tensor values;  ///< shape () or (sets), in the arena's dtype
  Tensor base;    ///< what the schedules start from, in float64; undefined before there are any
  std::vector<std::shared_ptr<ScheduleTerm>> schedules;  ///< each is given what the one before it makes

  /// The learning rate of an optimizer that stands for some of the sets: it takes every value that is assigned here.
  std::weak_ptr<LearningRate> follower = {};
  Tensor follower_sets = {};  ///< int64
  bool follows = false;

  /// What the schedules make of the base now, in the arena's dtype.
  Tensor scheduled() const;
  /// The same base in new memory: the schedules change, and a step recorded before fails because its base is gone.
  void renew_base();
  /// Changes the base so that the schedules go on from `values`.
  void rebase();

  /// Takes these values, of shape () or (sets) and of the same dtype, in place wherever they fit: a recorded step
  /// reads that address.
  void assign(const Tensor& fresh);
  /// From now on `rate`, which has been made alike, takes the values of these sets; null: nobody does any more.
  void lead(const std::shared_ptr<LearningRate>& rate, const Tensor& sets);
  /// The same of the base.
  void assign_base(const Tensor& fresh);
};

/// Takes the values of `fresh`, in place wherever it fits: a recorded step reads that address.
void assign_in_place(Tensor& to, const Tensor& fresh);

/// As kernels take it.
inline Hyper hyper(const Tensor& values) {
  if (observer) [[unlikely]]
    observer->uses(*values.storage());
  return {values.data(), values.numel() > 1 ? 1 : 0};
}

}  // namespace luge
