#pragma once
// Many steps of a plan whose sets never meet: few sets at a time take all of them while their data is in a cache.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <luge/seam/detail/plan.h>

#include "chain.h"
#include "../scratch.h"

namespace luge::cpu {

class SetLoop {
 public:
  /// Of more than one set; the plan lives longer.
  explicit SetLoop(const SetPlan& plan);
  SetLoop(const SetLoop&) = delete;
  SetLoop& operator=(const SetLoop&) = delete;

  /// The chains, `steps` times.
  void run(std::int64_t steps);

 private:
  /// The losses of a recording: those of the step at hand, which its chain stores, and of all steps of a block.
  struct Losses {
    Losses(const Record& call, std::int64_t steps);

    Record call;
    std::int64_t set_bytes;
    Scratch<std::byte> now, all;
  };
  struct Part {
    const Chain* chain;
    std::int64_t per_set;  ///< elements of a set
    std::optional<Losses> losses;
    std::optional<ChainLoop> loop;
  };

  void run_block(std::int64_t steps);
  void run_sets(std::int64_t begin, std::int64_t end, std::int64_t steps);

  const std::int64_t sets_;
  std::int64_t most_steps_, together_;  ///< steps of a block, sets that take them together
  std::vector<Part> parts_;
};

}  // namespace luge::cpu
