#pragma once
// Links of a chain as one loop in machine code, where this processor and their formulas allow it.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <luge/seam/detail/plan.h>

namespace luge::cpu {

class Segment {
 public:
  struct Input {
    int value = -1;                     ///< of the chain; -1: memory laid out along the chain's elements
    const std::byte* memory = nullptr;  ///< of element 0
  };

  virtual ~Segment() = default;

  /// To be called before a chain runs: reads what is the same for all elements, in each of the `steps` steps
  /// that come next.
  virtual void prepare(std::int64_t steps) = 0;
  /// Step number `step` (from 0) of those, for n elements; pointers to the inputs' and then the outputs' elements.
  virtual void run(std::int64_t step, void* const* pointers, std::size_t n) const = 0;
  /// The same for a multiple of kSumRun elements. Of the outputs only the stored ones have pointers; behind them
  /// comes one to the ChunkSum::sums of the context's sums, one after the other, which are added to; behind them are
  /// those of the next kSumChunk elements, and so on.
  virtual void run_summing(std::int64_t step, void* const* pointers, std::size_t n) const = 0;
  /// The same for n rows, each summed on its own; the lanes are 16 of the element type for each sum of each row.
  virtual void run_rows(std::int64_t step, void* const* pointers, std::size_t n) const = 0;
  /// `steps` steps from number `step` on, of which only the carried outputs have pointers.
  virtual void run_carrying(std::int64_t step, std::int64_t steps, void* const* pointers, std::size_t n) const = 0;

  const std::vector<Input>& inputs() const { return inputs_; }
  const std::vector<int>& outputs() const { return outputs_; }  ///< values of the chain
  /// Whether it can sum, and which outputs it then stores: those that are more than summed.
  bool sums() const { return sums_; }
  const std::vector<int>& stored() const { return stored_; }
  /// Whether it can take rows one by one.
  bool walks_rows() const { return walks_rows_; }
  /// The outputs that are wanted of each step; where there are none it cannot take many steps.
  const std::vector<int>& carried() const { return carried_; }

 protected:
  std::vector<Input> inputs_;
  std::vector<int> outputs_, stored_, carried_;
  bool sums_ = false, walks_rows_ = false;
};

/// How a window goes on from row to row, and whether it repeats one element along a row.
struct RowWalk {
  std::int64_t row_bytes;
  bool repeats;
};

/// What a segment has to know of its chain.
struct SegmentContext {
  const Chain& chain;
  /// Whether more is done with a value than the links and sums do.
  std::function<bool(int value)> is_used_outside;
  /// Values that are summed up over the chain's elements.
  std::vector<int> sums;
  /// The memory of a value that is the same for all elements; null for any other.
  std::function<const void*(int value)> scalar;
  std::function<bool(int value)> is_far, streams;
  /// Whether a value of each step is wanted: the next step loads it, or it is recorded. Of others the last step's is.
  std::function<bool(int value)> is_carried;
  /// The value that the next step loads where this one stores a value; -1: none.
  std::function<int(int value)> next_load;
  std::int64_t row_length;  ///< of rows to be taken one by one; 0: there are none
  /// How the memory of a load or store goes through rows; -1: memory laid out along the chain's elements.
  std::function<std::optional<RowWalk>(int value)> row_walk;
};

/// Null where these links do not make a loop: a formula that needs more than instructions, mixed dtypes, too
/// many registers, another processor. The environment variable LUGE_JIT=0 makes it always null.
std::unique_ptr<Segment> compile_segment(const SegmentContext& context, std::span<const Link> links);

}  // namespace luge::cpu
