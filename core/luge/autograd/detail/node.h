#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <luge/seam/backend.h>
#include <luge/tensor/tensor.h>

namespace luge {

/// Where one gradient is collected: on its way through a node, or for good in a leaf. The first
/// contribution overwrites, later ones accumulate; kernels are told which (law 4).
class GradSlot {
 public:
  /// A buffer to write a gradient of `shape` into, and how.
  struct Target {
    Tensor buffer;
    Store store;
  };

  bool written() const { return written_; }
  /// For kernels: makes the buffer on the first call and marks it written.
  Target open(const Shape& shape, DType dtype, Backend& backend);
  /// For gradients that already exist. `fresh`: nobody else holds this memory, the slot may keep it.
  void add(const Tensor& gradient, bool fresh);
  /// For gradients of gradients: the sum of what comes is recorded, and no memory is written.
  void add_recorded(const Tensor& gradient);
  /// Hands the collected gradient over and empties the slot.
  Tensor take();

  const Tensor& value() const { return value_; }
  void forget() { written_ = false; }
  /// A slot that may keep somebody else's memory without copying (it is read only once).
  void allow_alias() { may_alias_ = true; }
  bool may_alias() const { return may_alias_; }

 protected:
  Tensor value_;
  bool written_ = false;
  bool owned_ = true;
  bool may_alias_ = false;
};

/// What a leaf knows of its arena, even when that is gone.
struct ArenaMark {
  std::uint64_t epoch = 1;           ///< counted up by zero_grad: gradients of an earlier epoch are forgotten
  std::optional<std::int64_t> sets;  ///< whether parameters have a leading axis of sets, and of how many
};

/// The gradient of a leaf: loose memory of its own, or a window in an arena that keeps its address.
/// An arena forgets all its gradients at once by counting its epoch up.
class LeafGradient {
 public:
  /// Ready for writing: knows whether something has been written since zero_grad.
  GradSlot& slot();
  bool written() const { return slot_.written() && (!mark_ || seen_epoch_ == mark_->epoch); }
  /// Adds a gradient that may carry a history, which grad() then carries, too. AutogradError in an arena, whose
  /// gradients are memory that is written in place.
  void add_recorded(const Tensor& gradient);
  void check_records() const;
  /// Keeps the values and lets go of their history.
  void drop_history();
  /// What grad() returns: written values, zeros where an arena has none, undefined otherwise.
  Tensor read(TensorImpl& leaf);
  void zero();
  const Tensor& value() const { return slot_.value(); }
  /// The state after a replayed step: `value` was written by it, or nothing was.
  void restore(bool written, const Tensor& value);
  /// From now on the gradient lives in `window`; what was collected so far moves along.
  void bind(const Tensor& window, std::shared_ptr<const ArenaMark> mark, std::weak_ptr<void> arena);
  /// From now on the gradient has memory of its own, and nothing was collected; the sets are as they were.
  void release();
  /// The arena it lives in, or null: never in one, or that one is gone.
  std::shared_ptr<void> arena() const { return arena_.lock(); }
  /// Sets along the leaf's first axis: those of the arena that it lives in or came from. Absent for an ordinary leaf.
  std::optional<std::int64_t> sets() const { return mark_ ? mark_->sets : std::nullopt; }
  /// For a leaf that has neither an arena nor a gradient.
  void set_sets(std::int64_t sets);

 private:
  struct Slot : GradSlot {
    void bind(const Tensor& window) {
      value_ = window;
      owned_ = true;
      written_ = false;
    }
    void drop() { *this = {}; }
    bool has_history() const;
    void drop_history();
    void restore(bool written, const Tensor& value) {
      value_ = value;
      owned_ = true;
      written_ = written;
    }
  };

  Slot slot_;
  std::shared_ptr<const ArenaMark> mark_;
  std::weak_ptr<void> arena_;
  std::uint64_t seen_epoch_ = 0;
};

/// A tensor kept for the backward pass, and the version it had.
class SavedTensor {
 public:
  /// Keeps an op's input.
  void save(const Tensor& tensor);
  /// Keeps an op's output without owning the node that made it (which owns this).
  void save_output(const Tensor& tensor);
  bool empty() const { return !impl_; }
  /// Throws AutogradError naming `op` if the memory has been written since.
  Tensor get(const char* op) const;
  void clear() { impl_ = {}; }

 private:
  Ref<TensorImpl> impl_;
  std::uint64_t version_ = 0;
};

/// A recorded op: knows its inputs and how to turn the gradient of its output into theirs.
class Node : public RefCounted {
 public:
  explicit Node(const char* name);
  virtual ~Node() = default;

  const char* name() const { return name_; }
  /// From 1 on; grows from op to op on a thread, so an op's consumers have greater numbers than the op.
  std::uint64_t sequence() const { return sequence_; }
  GradSlot& slot() { return slot_; }
  bool used() const { return used_; }

  /// Registers the next input; the order is the one `input(i)` counts in.
  void add_input(const Tensor& tensor);

  /// One step of the sweep: the gradient of the output goes into the slots of the inputs.
  virtual void backward(const Tensor& gradient) = 0;
  /// The same in recorded ops, with create_graph: each gradient that is wanted goes to give(). AutogradError, in the
  /// name of the op, for a node that has none.
  virtual void differentiable_backward(const Tensor& gradient);
  /// Drops what was saved; the node cannot run again.
  void finish() {
    used_ = true;
    release_saved();
  }

 protected:
  virtual void release_saved() {}

  /// Where the gradient of input i goes, or null if nobody wants it.
  GradSlot* target(int i);
  /// Of a differentiable backward: whether somebody wants the gradient of input i, and the way to hand it over.
  bool wants(int i) { return target(i) != nullptr; }
  void give(int i, const Tensor& gradient);
  /// What was saved of input i or of the output, in its place in the graph. AutogradError as SavedTensor::get.
  Tensor saved_input(int i, const SavedTensor& saved);
  Tensor saved_output(const SavedTensor& saved);
  int inputs() const { return inputs_; }

 private:
  friend class Sweep;

  /// What an input came from: a recorded op, a leaf that collects, or neither.
  struct Edge {
    Ref<Node> node;
    Ref<TensorImpl> leaf;
  };
  Edge& edge(int i) {
    return i < kInline ? edges_[static_cast<std::size_t>(i)] : more_edges_[static_cast<std::size_t>(i - kInline)];
  }

  static constexpr int kInline = 3;
  const char* name_;
  std::uint64_t sequence_;
  int inputs_ = 0;
  bool used_ = false;
  bool queued_ = false;
  std::array<Edge, kInline> edges_;
  std::vector<Edge> more_edges_;
  GradSlot slot_;
};

/// Frees a node and, one after the other, all that only it kept alive: never recursive, so a chain of
/// a million ops does not overflow the stack.
void destroy(Node* node);

/// `values` as the result of `node`; it shares the memory.
Tensor with_history(const Tensor& values, Ref<Node> node);

/// Where the running sweep wants a leaf's gradient; null: nowhere.
GradSlot* leaf_slot(TensorImpl& leaf);

/// Makes `node` the history of `result`.
void record(Tensor& result, Ref<Node> node);

/// Throws AutogradError if `self` must not be changed in place now (a leaf, or a view whose base cannot be told), and
/// ShapeError if some of its elements share memory (an expanded tensor).
void check_writable(const Tensor& self, const char* op);

}  // namespace luge
