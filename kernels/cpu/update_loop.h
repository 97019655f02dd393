#pragma once
// An optimizer's step over elements that are handed in piece by piece: how a fused step updates.

#include <array>
#include <cstdint>
#include <memory>

#include <luge/call.h>

namespace luge::cpu {

/// What a rule reads besides its elements; as the members of kernels/math/updates.h, which have longer names.
enum UpdateNumber {
  kLr, kDecay, kMomentum, kKept, kBeta1, kRest1, kBeta2, kRest2, kEpsilon, kBias1, kRootBias2,
  kFirstStep,  ///< 1 at the first step
  kUpdateNumbers
};

/// The numbers of step number `step` (the first is 1), of those that all sets share, as the arena's dtype holds
/// them.
void update_numbers(const Update& call, std::int64_t step, std::array<double, kUpdateNumbers>& numbers);

class UpdateLoop {
 public:
  virtual ~UpdateLoop() = default;
  /// Steps over n elements from element `begin` on of a parameter with `per_set` elements a set. The pointers
  /// show element `begin`; each may be memory of its own.
  virtual void run(std::int64_t per_set, std::int64_t begin, std::int64_t n, void* value, const void* grad,
                   void* first, void* second) = 0;
};

/// For step number `step`; it is not counted.
std::unique_ptr<UpdateLoop> update_loop(const Update& call, std::int64_t step);

}  // namespace luge::cpu
