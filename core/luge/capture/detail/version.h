#pragma once
// Internal: one recording of a step, what was made of it, and how it is replayed.

#include <cstdint>
#include <memory>
#include <vector>

#include <luge/capture/detail/arguments.h>
#include <luge/capture/detail/memory_plan.h>
#include <luge/capture/detail/range.h>
#include <luge/capture/detail/recorder.h>
#include <luge/capture/step.h>
#include <luge/seam/detail/plan.h>

namespace luge {

/// How often captured steps themselves hold a gradient: its tensor, and its storage.
struct Holders {
  int tensors = 0, storages = 0;
};

class StepVersion {
 public:
  Recording recording;
  StepResults results;
  std::vector<ArgumentUse> arguments;
  std::vector<bool> held;        ///< of the recording's leaves: whether somebody else has the gradient
  std::vector<Holders> holders;  ///< of the recording's leaves, where gradients may be dropped
  bool is_settled = false;       ///< the step does the same every time
  bool differs = false;          ///< it did something else than the step before
  Plan plan;
  StepFigures figures;
  std::int64_t replays = 0;
  std::int64_t timed = 0;  ///< of the replays: reading the clock takes a quarter of the smallest step
  double seconds = 0;      ///< that those took

  /// Whether the step itself freezes or thaws leaves, or leaves their gradients in other memory than it found them in:
  /// a replay would not.
  bool changes_leaves() const { return changes_leaves_; }
  /// For one that is not replayed any more: leaves that it made are gone when the program lets go of them.
  void forget_leaves();
  /// Takes what was recorded.
  void take(Recording recorded);
  /// Whether gradients are written and leaves require gradients where they did when it was recorded. `alive`: whether
  /// all that it works on is surely there; if not, check_alive() knows.
  bool fits(bool& alive) const;
  /// Whether a gradient that it goes on from is in other memory by now.
  bool is_displaced() const;
  /// Throws CaptureError where memory or an owner of effects is gone.
  void check_alive() const;
  /// Plans and compiles the recorded calls.
  void build(const CaptureOptions& options);
  /// Whether nobody can tell what the gradient of a leaf is after a step.
  bool is_dropped(std::size_t leaf, const CaptureOptions& options) const;
  /// Replays up to `most` steps; returns how many. Throws IndexError, before anything has changed, where labels are out
  /// of range by now.
  std::int64_t replay(std::int64_t most, const CaptureOptions& options);

 private:
  /// The first replays are timed, then one of so many; runs of many steps always.
  static constexpr std::int64_t kTimedAtFirst = 16, kTimedOneOf = 16;

  void lay_out(const std::vector<Call>& calls, bool fused, const CaptureOptions& options);
  std::vector<Range> temporaries_of(const SetSegment& segment, const std::vector<Life>& lives,
                                    const std::vector<std::ptrdiff_t>& offsets) const;
  bool outlives(const void* data, const CaptureOptions& options) const;
  /// Whether a replay leaves gradients as the recording found them, so that another may follow.
  bool may_repeat(const CaptureOptions& options) const;

  /// Whether nobody but captured steps, this one's results included, has the memory.
  bool is_abandoned(const Storage& storage) const;

  bool changes_leaves_ = false;
  std::vector<std::size_t> outside_results_;  ///< results in memory from outside
  Tensor random_state_;
  Ref<Storage> block_;
  std::unique_ptr<Executable> executable_;
};

}  // namespace luge
