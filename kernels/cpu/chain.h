#pragma once
// Fused calls on the CPU: a chain is walked in tiles that stay in the first-level cache, link by link, with the
// same tile functions that the single calls use.

#include <cstdint>
#include <vector>

#include <luge/plan.h>

#include "tile.h"

namespace luge::cpu {

class ChainLoop {
 public:
  explicit ChainLoop(const Chain& chain);
  void run() const;

 private:
  /// How a loaded value reaches its tile.
  enum class Access : std::uint8_t { Whole, Constant, Gather };
  /// Where a value's tile is: in memory at the tile's position, or in a slot of the working memory.
  struct Place {
    std::byte* memory = nullptr;  ///< of element 0
    int slot = -1;
  };
  struct Load {
    Access access;
    bool far;                     ///< comes from memory rather than a cache
    int value;
    Operand window;
  };
  /// A value that has to be copied to where it belongs when its tile is ready.
  struct Store {
    int value;
    bool contiguous, streams;
    Operand window;
  };
  /// A link, ready to be called.
  struct Job {
    TileFn tile;                  ///< null: an update
    int update = 0;
    std::int64_t per_set = 0;
    std::array<double, 2> parameters{};
    std::array<int, Elementwise::kMaxInputs> in;    ///< value, or ~constant, or kNothing
    std::array<int, Elementwise::kMaxOutputs> out;
  };
  class Walk;

  static constexpr int kNothing = INT32_MIN;

  void place_values(const Chain& chain);
  int constant(const Operand& number);
  void add_job(const Link& link);

  Chain chain_;
  std::int64_t count_ = 0, row_ = 0;  ///< elements; elements of a row of the reductions (0: none)
  std::vector<Load> loads_;
  std::vector<Store> stores_;
  std::vector<Job> jobs_;
  std::vector<Place> places_;         ///< by value
  std::vector<Operand> constants_;
  int slots_ = 0;
};

}  // namespace luge::cpu
