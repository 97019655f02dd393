#pragma once
// One thread's walk over tiles of a chain; chain_run.cpp and set_loop.cpp say in which order.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "chain.h"
#include "../reduce_space.h"
#include "../scratch.h"
#include "../update_loop.h"

namespace luge::cpu {

/// Elements of a tile: a dozen tiles of float32 share the first-level cache.
inline constexpr std::int64_t kTile = 1024;
/// Steps done at once; there are sums for each of them.
inline constexpr std::int64_t kMostSteps = 128;

/// Rows that a segment takes one by one, from one look at their sums to the next.
inline constexpr std::int64_t kRowsTogether = 64;

/// The result of one row's sum goes where the call says.
void finish_row(const Reduce& call, std::int64_t length, std::int64_t row, double total);

class ChainLoop::Walk {
 public:
  /// In tiles of at most `tile` elements, for `steps` steps.
  Walk(const ChainLoop& loop, std::int64_t tile, std::int64_t steps);
  ~Walk();
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;

  /// Step number `step` (from 0) of the n elements from `position` on.
  void tile(std::int64_t step, std::int64_t position, std::int64_t n);
  /// The same, and adds the chain's values that are summed to their sums.
  void tile(std::int64_t step, std::int64_t position, std::int64_t n, ChunkSum* sums);
  /// The same for n whole rows that make a tile, and writes their sums.
  void rows(std::int64_t step, std::int64_t first, std::int64_t n);
  /// `steps` steps from number `step` on, of which only what the next ones go on from is stored, and what is recorded.
  void carry(std::int64_t step, std::int64_t steps, std::int64_t position, std::int64_t n);
  /// Rows that rows() takes best.
  std::int64_t rows_together() const;
  /// The same for elements that make a part of a chain without recordings, in whole rows where it sums.
  void part(std::int64_t step, std::int64_t begin, std::int64_t end);

  const std::byte* value(int v) const { return tiles_[static_cast<std::size_t>(v)]; }
  DType dtype(int v) const { return loop_.chain_.values[static_cast<std::size_t>(v)]; }

 private:
  static std::int64_t pointer_bytes(const ChainLoop& loop);
  static std::int64_t lane_bytes(const ChainLoop& loop);
  void rows_one_by_one(std::int64_t step, std::int64_t first, std::int64_t n);
  std::byte* target(int v, std::int64_t position);
  void load(std::int64_t position, std::int64_t n);
  void run(const Job& job, std::int64_t step, std::int64_t position, std::int64_t n);
  void run(const Segment& segment, std::int64_t step, std::int64_t position, std::int64_t n);
  void sum(const Segment& segment, std::int64_t step, std::int64_t position, std::int64_t n, ChunkSum* sums);
  void long_row(std::int64_t step, std::int64_t row);
  std::size_t point(const Segment& segment, const std::vector<int>& outputs, std::int64_t position, void** pointers);

  const ChainLoop& loop_;
  Scratch<std::byte> memory_;
  std::byte** tiles_;  ///< by value
  std::byte** constants_;
  std::byte* lanes_;    ///< of the sums of some rows
  std::vector<std::unique_ptr<UpdateLoop>> updates_;  ///< of the first step, the second, ...
};

}  // namespace luge::cpu
