#pragma once
// An optimizer's step over elements that are handed in piece by piece: how a fused step updates.

#include <cstdint>
#include <memory>

#include <luge/seam/call.h>

namespace luge::cpu {

/// The call.numbers() numbers that its rule's step number `step` (the first is 1) reads, of set 0, as the arena's dtype
/// holds them.
void update_numbers(const Update& call, std::int64_t step, double* numbers);

class UpdateLoop {
 public:
  virtual ~UpdateLoop() = default;
  /// Steps over n elements from element `begin` on of a parameter with `per_set` elements a set. The pointers
  /// show element `begin`; each may be memory of its own. `active`, unless null, are the flags of these elements' sets,
  /// in place of the call's, where a set is one element.
  virtual void run(std::int64_t per_set, std::int64_t begin, std::int64_t n, void* value, const void* grad,
                   void* const* states, const void* active) = 0;
};

/// For step number `step`; it is not counted.
std::unique_ptr<UpdateLoop> update_loop(const Update& call, std::int64_t step);

}  // namespace luge::cpu
