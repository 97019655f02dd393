// Functions that a backward pass calls with gradients, and what a tensor shows of its graph.

#include "hooks.h"

#include <memory>

#include <fmt/format.h>

#include <luge/autograd/detail/node.h>
#include <luge/autograd/hooks.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge::python {

namespace {

using Shared = std::shared_ptr<nb::object>;

/// A Python function that may be freed by a thread that does not hold the interpreter's lock.
Shared shared(const nb::object& function) {
  return Shared(new nb::object(function), [](nb::object* held) {
    const nb::gil_scoped_acquire locked;
    delete held;
  });
}

void check_callable(const char* op, nb::handle hook) {
  if (!PyCallable_Check(hook.ptr())) throw TypeError(fmt::format("{}: hook is of type {}; it must be callable", op, type_of(hook)));
}

HookHandle add_hook(const Tensor& x, const nb::object& hook) {
  check_callable("register_hook", hook);
  return register_hook(x, [function = shared(hook)](const Tensor& gradient) -> Tensor {
    const nb::gil_scoped_acquire locked;
    const nb::object found = (*function)(wrap(gradient));
    if (found.is_none()) return {};
    if (!is_tensor(found))
      throw TypeError(fmt::format("register_hook: the hook returned a {}; it must return a Tensor or None", type_of(found)));
    return as_tensor(found);
  });
}

HookHandle add_leaf_hook(const Tensor& leaf, const nb::object& hook) {
  check_callable("register_post_accumulate_grad_hook", hook);
  return register_post_accumulate_grad_hook(leaf, [function = shared(hook)](const Tensor& of) {
    const nb::gil_scoped_acquire locked;
    (*function)(wrap(of));
  });
}

/// The recorded operation that made a tensor.
struct MadeBy {
  Ref<Node> node;
};

nb::object made_by(const Tensor& x) {
  if (!needs_grad(x) || !x.impl()->grad_fn) return nb::none();
  return nb::cast(MadeBy{x.impl()->grad_fn});
}

}  // namespace

void bind_hooks(nb::module_& m, nb::class_<Tensor>& tensor) {
  nb::class_<HookHandle>(m, "_HookHandle", "What registering a hook returns: remove() takes the hook away, and so does the end of a "
                                           "`with` block.")
      .def("remove", &HookHandle::remove, "Takes the hook away; a second call does nothing.")
      .def_prop_ro("id", &HookHandle::number, "A number that no other hook of a tensor has.")
      .def("__enter__", [](nb::handle self) { return nb::borrow(self); }, nb::sig("def __enter__(self) -> _HookHandle"))
      .def(
          "__exit__", [](HookHandle& self, const nb::args&) { self.remove(); }, nb::sig("def __exit__(self, *args: object) -> None"));
  nb::class_<MadeBy>(m, "_MadeBy", "The recorded operation that made a tensor.")
      .def("name", [](const MadeBy& self) { return std::string(self.node->name()); }, "The operation's name.")
      .def("__repr__", [](const MadeBy& self) { return fmt::format("<{}>", self.node->name()); })
      .def("__hash__", [](const MadeBy& self) { return reinterpret_cast<std::uintptr_t>(self.node.get()) >> 4; })
      .def("__eq__", [](const MadeBy& self, nb::handle other) {
        return nb::isinstance<MadeBy>(other) && nb::cast<const MadeBy&>(other).node.get() == self.node.get();
      }, nb::sig("def __eq__(self, other: object) -> bool"));
  m.def("_release_hooks", &forget_all_hooks, "Lets go of all hooks of tensors; for the end.");
  nb::module_::import_("atexit").attr("register")(m.attr("_release_hooks"));

  tensor
      .def("register_hook", &add_hook, "hook"_a,
           nb::sig("def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> _HookHandle"),
           "Calls hook(gradient) in every backward pass with the whole gradient of this tensor; what it returns, unless it is None, "
           "replaces the gradient.\n\n"
           "Hooks are called in the order of registration: those of an operation's result before the gradient goes on, those of "
           "leaves at the end of the pass. autograd.grad() calls those on the way to its inputs. A captured step calls them once, "
           "when it is captured. Raises AutogradError for a tensor that does not require a gradient.\n\n"
           ">>> x = luge.tensor([1.0, 2.0], requires_grad=True)\n>>> handle = x.register_hook(lambda gradient: 10 * gradient)\n"
           ">>> x.sum().backward()\n>>> x.grad\ntensor([10., 10.])\n>>> handle.remove()")
      .def("register_post_accumulate_grad_hook", &add_leaf_hook, "hook"_a,
           nb::sig("def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> _HookHandle"),
           "Calls hook(leaf) at the end of every backward() that has added to this leaf's .grad. Raises AutogradError for what is no "
           "leaf that requires a gradient.\n\n"
           ">>> x = luge.ones(2, requires_grad=True)\n"
           ">>> handle = x.register_post_accumulate_grad_hook(lambda leaf: print(leaf.grad))\n"
           ">>> x.sum().backward()\ntensor([1., 1.])")
      .def("retain_grad", &retain_grad,
           "Has the result of an operation accumulate its gradient in .grad, as a leaf does. Raises AutogradError for a tensor that "
           "does not require a gradient.\n\n"
           ">>> h = luge.ones(2, requires_grad=True) * 2\n>>> h.retain_grad()\n>>> (h * h).sum().backward()\n>>> h.grad\n"
           "tensor([4., 4.])")
      .def_prop_ro("retains_grad", &retains_grad, "Whether retain_grad() was called for an operation's result.")
      .def_prop_ro("grad_fn", &made_by, nb::sig("def grad_fn(self) -> _MadeBy | None"),
                   "The recorded operation that made this tensor, which has a name(); None for a leaf.");
}

}  // namespace luge::python
