#pragma once
// Internal: a chain that grows call by call.

#include <functional>
#include <vector>

#include <luge/capture/detail/range.h>
#include <luge/seam/detail/plan.h>

namespace luge {

class ChainBuilder {
 public:
  /// A chain that begins with this call, if calls of its kind can be fused.
  static bool takes(const Call& call);
  /// Empty if this call is none of those: an integer fill, a copy that overlaps itself.
  explicit ChainBuilder(const Call& call);
  /// A chain that begins with parameter `parameter`'s part of an optimizer step; it must have elements.
  ChainBuilder(const Update& call, int parameter);

  /// Adds a call whose space and windows fit; false, and nothing has changed, if they do not.
  bool add(const Call& call);
  /// Adds parameter `parameter`'s part of an optimizer step if the chain makes or reads its gradient.
  bool add(const Update& call, int parameter);
  bool empty() const { return known_.empty(); }
  /// The chain holds the last part of this optimizer step, and counts it.
  void count(const Update& call);

  /// The chain with those stores and reductions only that `needed` asks for, and without links that nobody needs.
  Chain finish(const std::function<bool(const Operand& window, const Extent& extent)>& needed) const;

  const Extent& extent() const { return chain_.extent; }

 private:
  /// Memory that the chain knows: what it holds at this point.
  struct Known {
    Operand window;
    int value;
    bool written;
  };

  Range range_of(const Operand& window) const;

  /// Where a parameter's elements lie in a block of the arena, over the chain's space.
  Operand part(const Update& call, int parameter, const void* block) const;
  /// Where the flags of the sets lie, over the chain's space: that of a parameter with one element for each set.
  Operand flags_of(const Update& call) const;

  bool add_formula(const Elementwise& call);
  bool add_copy(const Copy& call);
  bool add_reduction(const Reduce& call);
  bool add_recording(const Record& call);

  /// Cuts the chain's space so that one of `extent` fits; false if none does.
  bool refine(const Extent& extent);
  /// Whether a window may be read, or written, next to what the chain knows and its reductions write.
  bool fits(const Operand& window, bool writes) const;
  /// What the window holds: loads it if the chain does not know.
  ChainInput read(const Operand& window);
  const Known* find(const Operand& window) const;
  void write(const Operand& window, int value);
  int new_value(DType dtype);

  Chain chain_;
  std::vector<Known> known_;
  std::vector<Range> outputs_;  ///< that reductions write: nobody else in the chain may touch them
  std::vector<Range> inputs_;   ///< that updates read besides their windows: nobody in the chain may write them
};

}  // namespace luge
