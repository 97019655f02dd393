#pragma once
// Which thread runs next, and which block.

#include <array>
#include <cstdint>
#include <string_view>

#include "simt/executor/api.h"

namespace simt {

/// An order of execution. A correct kernel gives the same results under all of them.
struct Order {
  enum class Kind : unsigned char {
    Ascending,   ///< threads and blocks by their numbers
    Descending,  ///< the other way round
    Random,      ///< any ready thread, blocks in a random permutation
    /// One warp runs as far ahead of the others as it can, as in probabilistic concurrency testing
    /// (Burckhardt et al., ASPLOS 2010): finds what a uniform choice almost never does.
    Priority
  };
  Kind kind = Kind::Ascending;
  std::uint64_t seed = 1;
};

/// "ascending", "descending", "random:SEED" or "priority:SEED". Throws std::invalid_argument.
SIMT_API Order parse_order(std::string_view text);

/// The ready threads of a block, by number; at most kMaxThreads.
class Schedule {
 public:
  void begin_launch(Order order, std::uint64_t blocks);

  /// The i-th block to run.
  std::uint64_t block(std::uint64_t i) const;

  /// All threads of a new block become ready.
  void begin_block(unsigned threads);

  bool empty() const { return ready_ == 0; }
  /// Before threads wake together, in the order to push them: from the last one down?
  bool wakes_backwards() const { return order_.kind == Order::Kind::Descending; }
  void push(unsigned thread);
  unsigned pop();

  /// Whether the running thread should stand back now, at an atomic; if so it is pushed by the caller.
  bool wants_yield();
  /// The warp of a thread that stands back goes behind some others.
  void demote(unsigned thread);

 private:
  static constexpr unsigned kCapacity = 1024, kWarps = 32;

  std::uint64_t random();
  unsigned pop_from_ring();
  unsigned pop_by_priority();

  Order order_;
  std::uint64_t random_state_ = 1;
  std::uint64_t blocks_ = 1, block_offset_ = 0, block_stride_ = 1;
  unsigned ready_ = 0;
  unsigned head_ = 0;  ///< of the ring, used by all kinds but Priority
  std::array<unsigned, kCapacity> ring_{};
  std::array<unsigned, kWarps> ready_lanes_{}, priority_{};
};

}  // namespace simt
