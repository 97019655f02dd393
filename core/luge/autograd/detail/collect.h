#pragma once
// Where a sweep brings the gradients of leaves: into the leaves, to grad(), or to hooks first.

#include <cstddef>
#include <deque>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include <luge/autograd/detail/hooks.h>
#include <luge/autograd/detail/node.h>

namespace luge {

/// Where gradients go instead of into leaves.
class Collector {
 public:
  virtual ~Collector() = default;
  /// The slot of a leaf; null: nobody asks for it.
  virtual GradSlot* slot(TensorImpl& leaf) = 0;
  /// The whole gradient of a node's result.
  virtual void pass(const Node* node, const Tensor& gradient) = 0;
  /// The tensors whose gradients are asked for; null: all leaves.
  virtual const std::vector<Tensor>* asked() const { return nullptr; }
};

/// The gradients that grad() is asked for.
class Collected final : public Collector {
 public:
  Collected(const std::vector<Tensor>& inputs, bool recorded)
      : inputs_(inputs), slots_(inputs.size()), recorded_(recorded) {}

  GradSlot* slot(TensorImpl& leaf) override;
  void pass(const Node* node, const Tensor& gradient) override;
  const std::vector<Tensor>* asked() const override { return &inputs_; }
  void add(GradSlot& slot, const Tensor& gradient) const;
  /// A tensor that is asked for twice is collected once.
  std::vector<Tensor> take();

 private:
  Tensor hooked(const TensorImpl& input, Tensor gradient) const;

  const std::vector<Tensor>& inputs_;
  std::vector<GradSlot> slots_;
  bool recorded_;
};

/// Gradients with a history on their way to all leaves, which change when all are known.
class ForLeaves final : public Collector {
 public:
  GradSlot* slot(TensorImpl& leaf) override;
  void pass(const Node*, const Tensor&) override {}
  /// In the order of the first contributions. `seed` is the gradient that the sweep began with.
  void hand_over(const Tensor& seed);

 private:
  std::unordered_map<const TensorImpl*, std::size_t> places_;
  std::vector<std::pair<Ref<TensorImpl>, GradSlot>> slots_;
};

/// The gradients of leaves with hooks, which get them when all are known.
class HookedLeaves {
 public:
  HookedLeaves();
  ~HookedLeaves();
  HookedLeaves(const HookedLeaves&) = delete;
  HookedLeaves& operator=(const HookedLeaves&) = delete;

  /// The slot of a leaf; null: it has no hooks.
  GradSlot* slot(TensorImpl& leaf);
  /// In the order of the first contributions.
  void hand_over();

 private:
  struct Place {
    Ref<TensorImpl> leaf;
    std::shared_ptr<Hooks> hooks;
    GradSlot gradient;
  };
  std::unordered_map<const TensorImpl*, std::size_t> places_;
  std::deque<Place> slots_;  ///< nodes keep pointers to slots while they run
  HookedLeaves* before_;
};

/// Of this thread's sweep; null where gradients go into leaves.
Collector* current_collector();

/// While it lives, this thread's sweep brings gradients there.
class Collecting {
 public:
  explicit Collecting(Collector* to);
  ~Collecting();
  Collecting(const Collecting&) = delete;
  Collecting& operator=(const Collecting&) = delete;

 private:
  Collector* before_;
};

/// Recorded gradients as their owner may have them: contiguous, and in memory that is neither another one's nor that
/// of `others`, however they came to share it.
void separate(std::vector<Tensor>& gradients, const std::vector<Tensor>& others);

}  // namespace luge
