#pragma once
// A segment of a plan, block of sets by block of sets: what a set computes is still in a cache when it is read again.

#include <cstdint>
#include <optional>
#include <vector>

#include <luge/seam/detail/plan.h>

#include "chain.h"
#include "set_parts.h"

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
  };
  /// Memory of calls that takes every block in turn, so that it stays in a cache.
  struct Local {
    std::byte* data;
    std::int64_t set_bytes, all_bytes;
    std::int64_t offset;  ///< in the working memory
  };

  /// A call for some sets, and how its addresses go on from them to the next as many.
  struct Ready {
    struct Address {
      void** place;
      std::int64_t bytes;
    };
    SetPart part;
    std::vector<Address> moving;
  };

  void find_locals(const SetSegment& segment);
  SetPart part_for(const Part& part, std::int64_t begin, std::int64_t end, std::byte* working) const;
  void make_ready(Ready& ready, const Part& part, std::int64_t begin, std::byte* working) const;
  void run_sets(std::int64_t begin, std::int64_t end);

  const std::int64_t sets_;
  std::int64_t together_, work_ = 0;  ///< sets of a block, work of a set
  std::vector<Part> parts_;
  std::vector<Local> locals_;
  std::int64_t local_bytes_ = 0;
};

}  // namespace luge::cpu
