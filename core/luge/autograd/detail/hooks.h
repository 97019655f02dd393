#pragma once
// Internal: where hooks are kept. They are rare, so nodes and tensors have no field for them: a table does, and nobody
// looks into it while it is empty.

#include <atomic>
#include <cstddef>
#include <memory>

#include <luge/autograd/detail/node.h>

namespace luge {

struct Hooks;

/// How many entries the table has.
inline constinit std::atomic<std::size_t> hooked_places{0};
/// Whether it has any: asked for every node and tensor that is freed.
inline bool hooks_exist() { return hooked_places.load(std::memory_order_relaxed) != 0; }
/// The hooks of a node's result or of a leaf; null: none.
std::shared_ptr<Hooks> hooks_of(const Node& node);
std::shared_ptr<Hooks> hooks_of(const TensorImpl& leaf);
/// What they make of a gradient; `recorded`: it carries a history.
Tensor through(const Hooks& hooks, const Tensor& gradient, bool recorded);
/// Calls those that want the leaf with its gradient.
void call_after(const Hooks& hooks, const Tensor& leaf);

/// What an operation's result has retained; undefined: nothing.
Tensor retained_gradient(const TensorImpl& impl);
void forget_retained(const TensorImpl& impl);
/// A change in place gave the tensor a new history: what retains its gradient goes along.
void follow_history(const TensorImpl& impl);

/// A node or a tensor is about to be freed.
void forget_hooks(const Node& node);
void forget_hooks(const TensorImpl& impl);

}  // namespace luge
