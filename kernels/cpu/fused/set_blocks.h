#pragma once
// A segment of a plan, block of sets by block of sets: what a set computes is still in a cache when it is read again.

#include <cstdint>
#include <optional>
#include <vector>

#include <luge/seam/detail/plan.h>

#include "chain.h"
#include "copies.h"

namespace luge::cpu {

class SetBlocks {
 public:
  explicit SetBlocks(const SetSegment& segment);
  SetBlocks(const SetBlocks&) = delete;
  SetBlocks& operator=(const SetBlocks&) = delete;

  /// Whether there are enough sets to keep all threads busy.
  bool suits_threads() const;
  void run();

 private:
  struct Part {
    SetPart what;
    std::optional<ChainLoop> loop;
    std::int64_t per_set = 0;  ///< elements of a chain for a set

    const Chain* chain() const { return std::get_if<Chain>(&what.work); }
    void run(std::int64_t sets, std::int64_t begin, std::int64_t end) const;
  };

  void run_sets(std::int64_t begin, std::int64_t end);

  const std::int64_t sets_;
  std::int64_t together_, work_ = 0;  ///< sets of a block, work of a set
  std::vector<Part> parts_;
};

}  // namespace luge::cpu
