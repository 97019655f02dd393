#pragma once
// Functions that a backward pass calls with the gradients of chosen tensors.

#include <cstdint>
#include <functional>
#include <memory>

#include <luge/tensor/tensor.h>

namespace luge {

struct Hooks;

/// Gets the gradient of a tensor; what it returns replaces it, unless that is undefined.
using GradientHook = std::function<Tensor(const Tensor& gradient)>;
/// Gets a leaf when its gradient has been accumulated.
using LeafHook = std::function<void(const Tensor& leaf)>;

/// Takes a hook away. One that goes out of scope leaves the hook where it is.
class HookHandle {
 public:
  HookHandle(std::weak_ptr<Hooks> hooks, std::uint64_t number) : hooks_(std::move(hooks)), number_(number) {}
  /// A second call does nothing.
  void remove();
  std::uint64_t number() const { return number_; }

 private:
  std::weak_ptr<Hooks> hooks_;
  std::uint64_t number_;
};

/// Has backward() and grad() call `hook` with the whole gradient of `x`, in the order of registration, as
/// torch.Tensor.register_hook. The hook of an operation's result is called before the gradient goes on to what it was
/// made of, that of a leaf at the end of the pass, before its gradient accumulates. grad() calls those on the way to what
/// it is asked for. The hook may keep and change the gradient: it has memory of its own. With create_graph what it
/// computes is recorded.
///
/// The hook stays with the operation that made `x`: it knows nothing of later changes in place, and is freed with the
/// graph. A captured step calls it once, when it is captured, and replays what it computed.
///
/// `register_hook(h, [](const Tensor& gradient) { return 2 * gradient; });`
///
/// Throws AutogradError for a tensor that does not require a gradient; the pass throws ShapeError, DTypeError or
/// DeviceError for what does not stand for the gradient.
HookHandle register_hook(const Tensor& x, GradientHook hook);

/// Has backward() call `hook` with a leaf when its gradient has been accumulated, at the end of the pass; grad() does not.
/// Throws AutogradError for what is no leaf that requires a gradient.
HookHandle register_post_accumulate_grad_hook(const Tensor& leaf, LeafHook hook);

/// From now on an operation's result accumulates its gradient in grad(), as a leaf does: what its hooks left of it.
/// Nothing changes for a leaf. Throws AutogradError for a tensor that does not require a gradient.
void retain_grad(const Tensor& x);
/// Whether retain_grad() was called for an operation's result.
bool retains_grad(const Tensor& x);

/// Lets go of all hooks and of what was retained; for the end of a program.
void forget_all_hooks();

}  // namespace luge
