#include <luge/ops/detail/formula.h>

#include <algorithm>

#include <luge/autograd/detail/node.h>
#include <luge/autograd/grad_mode.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

class FormulaNode final : public Node {
 public:
  FormulaNode(const char* op, std::initializer_list<Tensor> inputs, bool saves_inputs, Derivative derivative)
      : Node(op), derivative_(std::move(derivative)), in_(inputs.size()) {
    std::size_t i = 0;
    for (const Tensor& input : inputs) {
      add_input(input);
      if (saves_inputs) in_[i].save(input);
      ++i;
    }
  }
  void save_result(const Tensor& result) { out_.save_output(result); }

  void backward(const Tensor& gradient) override {
    Derivation given = wanted(gradient);
    for (std::size_t i = 0; i < in_.size(); ++i)
      if (!in_[i].empty()) given.in[i] = in_[i].get(name());
    if (!out_.empty()) given.out = out_.get(name());
    const std::vector<Tensor> found = derivative_(given);
    for (std::size_t i = 0; i < in_.size(); ++i)
      if (GradSlot* const slot = target(static_cast<int>(i)); slot && found[i].defined()) slot->add(found[i], true);
  }

  void differentiable_backward(const Tensor& gradient) override {
    Derivation given = wanted(gradient);
    for (std::size_t i = 0; i < in_.size(); ++i)
      if (!in_[i].empty()) given.in[i] = saved_input(static_cast<int>(i), in_[i]);
    if (!out_.empty()) given.out = saved_output(out_);
    const std::vector<Tensor> found = derivative_(given);
    for (std::size_t i = 0; i < in_.size(); ++i)
      if (found[i].defined()) give(static_cast<int>(i), found[i]);
  }

  void release_saved() override {
    for (SavedTensor& saved : in_) saved.clear();
    out_.clear();
    derivative_ = nullptr;
  }

 private:
  Derivation wanted(const Tensor& gradient) {
    Derivation given{gradient, std::vector<Tensor>(in_.size()), {}, {}};
    for (std::size_t i = 0; i < in_.size(); ++i) given.wants.push_back(wants(static_cast<int>(i)));
    return given;
  }

  Derivative derivative_;
  std::vector<SavedTensor> in_;
  SavedTensor out_;
};

}  // namespace

void record_formula(const char* op, Tensor& result, std::initializer_list<Tensor> inputs, bool saves_inputs,
                    bool saves_output, Derivative derivative) {
  if (!grad_enabled() || std::none_of(inputs.begin(), inputs.end(), [](const Tensor& input) { return needs_grad(input); }))
    return;
  auto* const node = new FormulaNode(op, inputs, saves_inputs, std::move(derivative));
  const Ref<Node> owner(node);
  if (saves_output) node->save_result(result);
  record(result, owner);
}

}  // namespace luge
