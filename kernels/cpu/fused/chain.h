#pragma once
// Fused calls on the CPU: a chain is walked in tiles that stay in the first-level cache, job by job. A job is
// a segment in machine code, or one link by the same tile function that the single call uses.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <luge/seam/detail/plan.h>

#include "segment.h"
#include "../tile.h"

namespace luge::cpu {

class ChainLoop {
 public:
  /// may_stream: whether outputs that no cache holds may go past the caches; not where steps are repeated.
  explicit ChainLoop(const Chain& chain, bool may_stream);
  ChainLoop(ChainLoop&&) = default;

  /// `steps` steps, tile by tile: an element depends on nothing but itself, so a tile takes all of its steps
  /// while it is in the first-level cache. `each`, if given, is called once for each step when its sums are in memory,
  /// step after step; all else of the chain may then be steps ahead.
  void run(std::int64_t steps, const std::function<void()>& each = {});
  bool streams() const { return streams_; }

  /// For those who walk it themselves: to be called before `steps` steps.
  void prepare(std::int64_t steps);
  class Walk;

 private:
  /// How a loaded value reaches its tile.
  /// Whole: stays in memory; Constant: fills the tile once; Gather: is copied, tile by tile, before anything is stored.
  enum class Access : std::uint8_t { Whole, Constant, Gather };
  /// Where a value's tile is: in memory at the tile's position, or in a slot of the working memory.
  struct Place {
    std::byte* memory = nullptr;  ///< of element 0
    int slot = -1;
    bool streams = false;         ///< past the caches
  };
  struct Load {
    Access access;
    bool far;                     ///< comes from memory rather than a cache
    int value;
    Operand window;
  };
  /// What a segment that takes rows one by one reads or writes of row 0.
  struct RowPointer {
    std::byte* data;
    std::int64_t row_bytes;
  };
  /// A value that has to be copied to where it belongs when its tile is ready.
  struct Store {
    int value;
    bool contiguous, streams;
    Operand window;
  };
  /// A link, a segment or an update, ready to be called.
  struct Job {
    std::unique_ptr<Segment> segment;
    TileFn tile = nullptr;         ///< neither this nor a segment: an update
    int update = 0;
    std::int64_t per_set = 0;
    std::array<double, 2> parameters{};
    std::vector<int> in, out;      ///< values; of `in` ~constant, too; kNothing: absent
    std::span<const Link> links;   ///< of the chain, that a segment consists of
  };

  static constexpr int kNothing = INT32_MIN;

  bool is_overwritten(const Chain::Window& load) const;
  void find_accesses();
  SegmentContext context(std::span<const Link> links, bool whole) const;
  void add_jobs(std::span<const Link> links);
  bool add_segment(std::span<const Link> links);
  void add_job(const Link& link);
  int constant(const Operand& number);
  void place_values();
  void place_slots(std::vector<int> last);
  std::int64_t walked_row_length() const;
  std::optional<RowWalk> row_walk(int value) const;
  int next_load(int value) const;
  void find_row_pointers();
  bool reads_besides(const Job& job, int out, int value) const;
  bool positions_are_aligned() const;

  bool is_one_segment() const;
  bool is_recorded(int value) const;
  std::int64_t elements_together() const;
  std::int64_t unseen_steps(std::int64_t steps, const std::function<void()>& each) const;
  template <class One>
  void take_steps(Walk& walk, std::int64_t unseen, std::int64_t steps, std::int64_t position, std::int64_t n, const One& one);
  void run_block(std::int64_t steps, const std::function<void()>& each);
  void run_flat(std::int64_t steps);
  void run_rows(std::int64_t steps);
  void run_chunks(std::int64_t steps, const std::function<void()>& each);

  Chain chain_;
  std::int64_t count_ = 0, row_ = 0;  ///< elements; elements of a row of the reductions (0: none)
  std::vector<Load> loads_;
  std::vector<Store> stores_;
  std::vector<Job> jobs_;
  std::vector<Place> places_;         ///< by value
  std::vector<Operand> constants_;
  int slots_ = 0;
  bool may_stream_, streams_ = false;
  bool updates_ = false;              ///< some update has a loop of its own
  bool sums_ = false;                 ///< the chain is one segment, which does the sums, too
  bool carries_ = false;              ///< and which takes steps of which it stores what the next one loads, and losses
  std::vector<RowPointer> row_pointers_;  ///< of the one segment, if it takes rows one by one
};

}  // namespace luge::cpu
