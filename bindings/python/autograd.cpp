// The graph from Python: recording on and off, gradients of chosen tensors, operations of the user's own.

#include <mutex>
#include <unordered_set>

#include <nanobind/stl/function.h>

#include <fmt/format.h>

#include <luge/autograd/detail/node.h>

#include "python.h"

namespace luge::python {

namespace {

/// A luge.autograd.Function: its gradients come from Python.
class FunctionNode final : public Node {
 public:
  FunctionNode(std::vector<Tensor> inputs, nb::object backward) : Node("Function"), backward_(std::move(backward)) {
    for (const Tensor& input : inputs) {
      add_input(input);
      shapes_.push_back(input.shape());
    }
    const std::lock_guard guard(lock());
    alive().insert(this);
  }
  ~FunctionNode() override {
    release_saved();
    const std::lock_guard guard(lock());
    alive().erase(this);
  }

  /// Lets go of all Python functions, when the interpreter is about to end. The cycle collector does not see that a
  /// tensor holds one through the graph; a function reaches its module's variables, and they the tensor.
  static void release_all() {
    std::vector<nb::object> released;  // freed without the lock, because that can free nodes
    const std::lock_guard guard(lock());
    for (FunctionNode* const node : alive()) released.push_back(std::move(node->backward_));
  }

  void backward(const Tensor& gradient) override {
    const std::vector<std::optional<Tensor>> found = gradients(gradient, false);
    for (std::size_t i = 0; i < found.size(); ++i)
      if (found[i]) target(static_cast<int>(i))->add(found[i]->detach(), false);
  }

  void differentiable_backward(const Tensor& gradient) override {
    const std::vector<std::optional<Tensor>> found = gradients(gradient, true);
    for (std::size_t i = 0; i < found.size(); ++i)
      if (found[i]) give(static_cast<int>(i), *found[i]);
  }

  void release_saved() override {
    if (!backward_.is_valid()) return;
    const nb::gil_scoped_acquire locked;
    backward_.reset();
  }

 private:
  /// Calls `backward_`, which takes the gradient to a sequence with a tensor or None for each input. With `recorded` it
  /// also gets a function that puts a tensor that forward() saved into its place in the graph: that of an input, by its
  /// number, or that of the result, -1. What nobody wants is absent.
  std::vector<std::optional<Tensor>> gradients(const Tensor& gradient, bool recorded) {
    if (!backward_.is_valid()) throw AutogradError("Function: the interpreter is about to end");
    std::vector<std::optional<Tensor>> found;
    {
      const nb::gil_scoped_acquire locked;
      nb::object placed = nb::none();
      if (recorded)
        placed = nb::cpp_function(
            [node = Ref<FunctionNode>(this)](const Tensor& saved, int place) { return node->in_graph(saved, place); });
      found = nb::cast<std::vector<std::optional<Tensor>>>(backward_(wrap(gradient), placed));
    }
    if (found.size() != shapes_.size())
      throw AutogradError(
          fmt::format("Function: backward returned {} gradients; there are {} tensors", found.size(), shapes_.size()));
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (!wants(static_cast<int>(i))) found[i].reset();
      if (found[i] && found[i]->shape() != shapes_[i])
        throw ShapeError(fmt::format("Function: backward returned a gradient of shape {} for tensor {} of shape {}",
                                     to_string(found[i]->shape()), i, to_string(shapes_[i])));
    }
    return found;
  }

  Tensor in_graph(const Tensor& saved, int place) {
    SavedTensor same;
    same.save_output(saved);
    return place < 0 ? saved_output(same) : saved_input(place, same);
  }

  // Both outlive every node, which may be freed while the program ends.
  static std::mutex& lock() {
    static std::mutex& one = *new std::mutex;
    return one;
  }
  static std::unordered_set<FunctionNode*>& alive() {
    static auto& nodes = *new std::unordered_set<FunctionNode*>;
    return nodes;
  }

  nb::object backward_;
  std::vector<Shape> shapes_;
};

/// `result` with a history: it came from `inputs`, of which some require a gradient.
Tensor recorded(const Tensor& result, const std::vector<Tensor>& inputs, const nb::object& backward) {
  Tensor own = result.detach();
  record(own, Ref<Node>(new FunctionNode(inputs, backward)));
  return own;
}

nb::object gradients(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                     const std::vector<std::optional<Tensor>>& given, std::optional<bool> retain_graph,
                     bool create_graph, bool allow_unused) {
  std::vector<Tensor> grad_outputs;
  for (const std::optional<Tensor>& gradient : given) grad_outputs.push_back(gradient.value_or(Tensor()));
  std::vector<Tensor> found;
  {
    const nb::gil_scoped_release unlocked;
    found = grad(outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused);
  }
  nb::list result;
  for (Tensor& gradient : found) result.append(wrap(std::move(gradient)));
  return nb::tuple(result);
}

std::pair<bool, std::string> check(const nb::object& function, const std::vector<Tensor>& inputs, double eps,
                                   double atol, double rtol, bool of_gradients) {
  const auto call = [&](const std::vector<Tensor>& given) {
    nb::list arguments;
    for (const Tensor& input : given) arguments.append(wrap(input));
    return nb::cast<Tensor>(function(*nb::tuple(arguments)));
  };
  const GradcheckOptions options{.epsilon = eps, .absolute_tolerance = atol, .relative_tolerance = rtol};
  const GradcheckResult result = (of_gradients ? gradgradcheck : gradcheck)(call, inputs, options, location());
  return {result.passed, result.message};
}

}  // namespace

void bind_autograd(nb::module_& m) {
  m.def("is_grad_enabled", &grad_enabled,
        "Whether operations on this thread are recorded.\n\n>>> luge.is_grad_enabled()\nTrue");
  m.def("_set_grad_enabled", &set_grad_enabled, "on"_a,
        "Turns recording on this thread on or off; returns what it was.");
  m.def("_recorded", &recorded, "result"_a, "inputs"_a, "backward"_a,
        "`result` with a history: `backward` takes its gradient to one for each input, or None.");
  m.def("_release_functions", &FunctionNode::release_all, "Lets go of the functions of every graph; for the end.");
  nb::module_::import_("atexit").attr("register")(m.attr("_release_functions"));
  m.def("_grad", &gradients, "outputs"_a, "inputs"_a, "grad_outputs"_a, "retain_graph"_a.none(), "create_graph"_a,
        "allow_unused"_a, "d(outputs)/d(inputs) without touching any .grad.");
  m.def(
      "_gradcheck", &check, "function"_a, "inputs"_a, "eps"_a, "atol"_a, "rtol"_a, "of_gradients"_a,
      "Whether backward() agrees with central differences, and where it does not; or whether the gradients' own does.");
  m.def(
      "_as_argument",
      [](const Tensor& x) {
        FunctionArgument made = as_argument(x);
        return nb::make_tuple(wrap(std::move(made.input)), wrap(std::move(made.inside)));
      },
      "x"_a, "The same values as the result of an operation at which gradients stop, twice.");
  m.def("_stands_alone", &stands_alone, "outputs"_a, "inputs"_a,
        "Whether all that the outputs' graph leads to lies behind the inputs, which are results of operations.");
}

}  // namespace luge::python
