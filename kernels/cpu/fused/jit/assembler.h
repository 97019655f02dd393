#pragma once
// From a graph of operations to a loop in machine code.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "trace.h"

namespace luge::cpu::jit {

/// What a loop is to compute.
struct LoopShape {
  struct Output {
    int operation;
    bool streams;  ///< past the caches; the memory is aligned to 64 bytes
  };

  const Graph& graph;
  int inputs = 0, uniforms = 0;
  std::vector<bool> far;        ///< by input: comes from memory rather than a cache
  std::vector<Output> outputs;
  std::vector<int> sums;        ///< operations that are summed up; empty: none

  /// Rows of so many elements, each summed on its own, at most kSumRun; 0: no rows.
  std::int64_t row_length = 0;
  /// How an input or output goes on from row to row, and whether it repeats one element along a row.
  struct Walk {
    std::int64_t row_bytes;
    bool repeats;
  };
  std::vector<Walk> walks = {};  ///< where there are rows: of inputs, then of outputs

  /// By output: the input that it is in the next step. Elements then take all steps in registers, as many at a time as
  /// Loop::block says.
  std::vector<int> next_inputs = {};

  /// Elements that are vectors of this processor, each so many bytes behind the one before; 0: they are contiguous.
  int row_bytes = 0;
  /// The product of two operations is added to the accumulator, by a fused multiply-add, lane by lane.
  struct Product {
    int accumulator, a, b;
  };
  std::vector<Product> products = {};  ///< only with rows, and of float64
  int accumulators = 0;
};

/// For n elements; pointers: inputs, then outputs, each to contiguous elements; pool as Loop::pool lays it out.
/// With sums, n is a multiple of kSumRun, and behind the other pointers is one to eight float64 sums for each sum, to
/// which its elements are added in the order of ../reducers.h; those of the next kSumChunk elements follow. With a row length, n counts rows, and that pointer is to
/// 16 lanes of the element type for each sum of each row. With row_bytes, n counts vectors; with products, a pointer to the
/// accumulators is behind the others: as many vectors, row_bytes apart, which are added to.
/// Without sums, rows or row_bytes all of it is done `steps` times, each with a pool of its own, one after the other.
using LoopFn = void (*)(void* const* pointers, const void* pool, std::size_t n, std::size_t steps);

class Code;

/// A loop that computes operations of a graph for many elements.
class Loop {
 public:
  /// Bytes of a number in the pool, where it is repeated to fill any vector.
  static constexpr std::size_t kPoolEntry = 64;

  /// Null where the processor or the number of registers does not allow it.
  static std::unique_ptr<Loop> assemble(const LoopShape& shape);
  ~Loop();

  LoopFn function() const { return function_; }
  /// Elements of which n is a multiple; with LoopShape::next_inputs.
  std::size_t block() const { return block_; }
  /// Uniforms first, numbers behind: entry i at byte i * kPoolEntry. Numbers are filled in.
  const std::vector<std::byte>& pool() const { return pool_; }

 private:
  Loop() = default;

  std::unique_ptr<Code> code_;
  LoopFn function_ = nullptr;
  std::size_t block_ = 0;
  std::vector<std::byte> pool_;
};

/// Writes a number of `dtype` into a pool.
void set_pool_entry(std::byte* pool, std::size_t entry, DType dtype, double value);

/// Bytes of the vectors that loops of this processor work with.
std::size_t vector_bytes();

}  // namespace luge::cpu::jit
