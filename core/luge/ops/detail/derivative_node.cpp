#include <luge/ops/detail/derivative_node.h>

#include <utility>

#include <luge/autograd/grad_mode.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

class DerivativeNode final : public Node {
 public:
  DerivativeNode(const char* name, std::span<const Tensor> inputs, Derivative derivative)
      : Node(name), derivative_(std::move(derivative)), saved_(inputs.size()) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      add_input(inputs[i]);
      saved_[i].save(inputs[i]);
    }
  }

  void backward(const Tensor& gradient) override {
    std::vector<Tensor> inputs;
    for (const SavedTensor& saved : saved_) inputs.push_back(saved.get(name()));
    const std::vector<Tensor> found = derivative_(gradient, inputs);
    for (std::size_t i = 0; i < found.size(); ++i) {
      GradSlot* const slot = target(static_cast<int>(i));
      if (slot && found[i].defined()) slot->add(found[i], found[i].impl() != gradient.impl());
    }
  }

  void differentiable_backward(const Tensor& gradient) override {
    std::vector<Tensor> inputs;
    for (std::size_t i = 0; i < saved_.size(); ++i) inputs.push_back(saved_input(static_cast<int>(i), saved_[i]));
    const std::vector<Tensor> found = derivative_(gradient, inputs);
    for (std::size_t i = 0; i < found.size(); ++i)
      if (found[i].defined() && wants(static_cast<int>(i))) give(static_cast<int>(i), found[i]);
  }

  void release_saved() override {
    for (SavedTensor& saved : saved_) saved.clear();
  }

 private:
  Derivative derivative_;
  std::vector<SavedTensor> saved_;
};

}  // namespace

Tensor with_derivative(const char* name, std::initializer_list<Tensor> inputs, const std::function<Tensor()>& formula,
                       Derivative derivative) {
  Tensor result = no_grad(formula);
  bool wanted = false;
  for (const Tensor& input : inputs) wanted |= needs_grad(input);
  if (wanted && grad_enabled() && is_floating(result.dtype()))
    record(result, Ref<Node>(new DerivativeNode(name, {inputs.begin(), inputs.size()}, std::move(derivative))));
  return result;
}

}  // namespace luge
