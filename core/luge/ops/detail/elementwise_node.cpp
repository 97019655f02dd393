#include <luge/ops/detail/elementwise_node.h>

#include <algorithm>
#include <utility>

#include <luge/base/detail/check.h>
#include <luge/ops/detail/expression.h>
#include <luge/ops/detail/sum_to.h>
#include <luge/seam/detail/op_traits.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

class ElementwiseNode final : public Node {
 public:
  ElementwiseNode(Op op, const ElementwiseParameters& parameters, const Tensor& result,
                  std::span<const ElementwiseArgument> arguments)
      : Node(luge::name(op)), op_(op), arguments_(static_cast<int>(arguments.size())), parameters_(parameters) {
    for (int i = 0; i < arguments_; ++i) {
      const ElementwiseArgument& argument = arguments[static_cast<std::size_t>(i)];
      Input& input = inputs_[static_cast<std::size_t>(i)];
      if (!argument.tensor) {
        input.number = argument.number;
        add_input({});
        continue;
      }
      add_input(*argument.tensor);
      input.is_tensor = true;
      input.shape = argument.tensor->impl()->shape;
      bool read_later = false;
      for (int of = 0; of < arguments_; ++of) {
        const Tensor* const tensor = arguments[static_cast<std::size_t>(of)].tensor;
        read_later |= tensor && needs_grad(*tensor) && reads_input(op, of, i);
      }
      if (read_later) input.saved.save(*argument.tensor);
    }
    if (traits(op).saves & math::scalar::kSavesOutput) output_.save_output(result);
  }

  void backward(const Tensor& gradient) override {
    check_differentiable();
    GradSlot* targets[kMostElementwiseArguments] = {};
    for (int i = 0; i < arguments_; ++i) {
      targets[i] = target(i);
      if (targets[i] && passes_gradient(op_, i)) {
        sum_to(gradient, inputs_[static_cast<std::size_t>(i)].shape, *targets[i], false);
        targets[i] = nullptr;
      }
    }
    // Inputs that share a slot (x * x) take turns, because a call's outputs must not overlap.
    for (bool again = true; again;) {
      GradSlot* turn[kMostElementwiseArguments] = {};
      again = false;
      for (int i = 0; i < arguments_; ++i) {
        if (!targets[i]) continue;
        if (std::find(turn, turn + i, targets[i]) == turn + i)
          turn[i] = std::exchange(targets[i], nullptr);
        else
          again = true;
      }
      run(gradient, turn);
    }
  }

  void differentiable_backward(const Tensor& gradient) override {
    check_differentiable();
    const auto read = [&](int i) {
      const Input& input = inputs_[static_cast<std::size_t>(i)];
      if (!input.is_tensor) return symbolic::Expression(input.number.to_double());
      return input.saved.empty() ? symbolic::Expression() : symbolic::Expression(saved_input(i, input.saved));
    };
    symbolic::Expression in[kMostElementwiseArguments + 2], gradients[kMostElementwiseArguments];
    in[0] = symbolic::Expression(gradient);
    for (int i = 0; i < arguments_; ++i) in[i + 1] = read(i);
    if (!output_.empty()) in[arguments_ + 1] = symbolic::Expression(saved_output(output_));
    if (op_ == Op::Where) {
      const symbolic::Expression zero(0.0);
      gradients[1] = {in[1], in[0], zero};
      gradients[2] = {in[1], zero, in[0]};
    } else {
      differentiate(op_, in, parameters_.data(), gradients);
    }
    for (int i = 0; i < arguments_; ++i) {
      if (!wants(i)) continue;
      Tensor found = gradients[i].tensor(gradient);
      if (found.shape() != gradient.shape()) found = found.expand(gradient.shape());  // a number: the derivative is 0
      give(i, sum_to(found, inputs_[static_cast<std::size_t>(i)].shape));
    }
  }

  void release_saved() override {
    for (Input& input : inputs_) input.saved.clear();
    output_.clear();
  }

 private:
  void check_differentiable() const {
    LUGE_CHECK(AutogradError, is_differentiable(op_), "{}: there is no derivative; detach() its arguments", name());
  }

  struct Input {
    SavedTensor saved;
    Shape shape;
    Scalar number;
    bool is_tensor = false;
  };

  void run(const Tensor& gradient, GradSlot* const* targets) {
    bool any = false;
    for (int i = 0; i < arguments_; ++i) any |= targets[i] != nullptr;
    if (!any || gradient.numel() == 0) return empty_gradients(gradient, targets);

    Elementwise call;
    call.op = op_;
    call.direction = Direction::Backward;
    call.parameters = parameters_;
    call.inputs = arguments_ + 2;
    call.outputs = arguments_;
    call.in[0] = operand(gradient);
    Tensor kept[kMostElementwiseArguments + 1];
    std::array<Binding, Elementwise::kMaxInputs + Elementwise::kMaxOutputs> bindings;
    std::size_t count = 0;
    bindings[count++] = {call.in.data(), &gradient};
    const auto read = [&](std::size_t position, const SavedTensor& saved, Tensor& tensor) {
      tensor = saved.get(name());
      call.in[position] = operand(tensor);
      bindings[count++] = {&call.in[position], &tensor};
    };
    // An input that no wanted gradient reads was not kept: any number does in its place.
    const bool unread = (traits(op_).saves & math::scalar::kSavesInputs) && op_ != Op::Where;
    for (int i = 0; i < arguments_; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const Input& input = inputs_[at];
      if (!input.saved.empty())
        read(at + 1, input.saved, kept[i]);
      else if (!input.is_tensor || unread)
        call.in[at + 1] = immediate(input.number, gradient.dtype());
    }
    if (!output_.empty()) read(static_cast<std::size_t>(arguments_) + 1, output_, kept[arguments_]);

    const Shape& shape = gradient.impl()->shape;
    const Shape compact = varying_shape(shape, std::span(bindings.data(), count));
    const std::size_t inputs_bound = count;
    Tensor results[kMostElementwiseArguments];
    bool direct[kMostElementwiseArguments] = {};
    for (int i = 0; i < arguments_; ++i) {
      if (!targets[i]) continue;
      const auto at = static_cast<std::size_t>(i);
      // Straight into the slot where nothing has to be summed; the value computed once and repeated by
      // strides where all inputs repeat (a sum's gradient on its way down).
      direct[i] = inputs_[at].shape == shape && (compact == shape || !targets[i]->may_alias());
      if (direct[i]) {
        const GradSlot::Target slot = targets[i]->open(shape, gradient.dtype(), gradient.storage()->backend());
        results[i] = slot.buffer;
        call.store[at] = slot.store;
      } else {
        results[i] = empty_tensor(compact, gradient.dtype(), gradient.storage()->backend());
      }
      call.out[at] = operand(results[i]);
      bindings[count++] = {&call.out[at], &results[i]};
    }
    // Outputs of different extents do not share a call; direct ones span all of `shape`.
    bool all_direct = true;
    for (int i = 0; i < arguments_; ++i) all_direct &= !targets[i] || direct[i];
    if (compact == shape || all_direct) {
      dispatch(call, shape, std::span(bindings.data(), count), gradient);
    } else {
      for (std::size_t b = inputs_bound; b < count; ++b) {
        Elementwise single = call;
        for (Operand& out : single.out) out.kind = Operand::Kind::Absent;
        const auto at = static_cast<std::size_t>(bindings[b].operand - call.out.data());
        single.out[at] = call.out[at];
        std::array<Binding, Elementwise::kMaxInputs + 1> one;
        for (std::size_t i = 0; i < inputs_bound; ++i)
          one[i] = {&single.in[static_cast<std::size_t>(bindings[i].operand - call.in.data())], bindings[i].tensor};
        one[inputs_bound] = {&single.out[at], bindings[b].tensor};
        dispatch(single, bindings[b].tensor->impl()->shape, std::span(one.data(), inputs_bound + 1), gradient);
      }
    }
    for (int i = 0; i < arguments_; ++i)
      if (targets[i] && !direct[i])
        sum_to(compact == shape ? results[i] : results[i].expand(shape), inputs_[static_cast<std::size_t>(i)].shape,
               *targets[i], compact == shape);
  }

  static void dispatch(Elementwise& call, const Shape& shape, std::span<const Binding> bindings, const Tensor& on) {
    set_extent(call.extent, shape, bindings);
    on.storage()->backend().run(call);
  }

  /// `shape` with size 1 in the dimensions along which no input changes.
  static Shape varying_shape(const Shape& shape, std::span<const Binding> inputs) {
    Shape result = Dims::filled(shape.ndim(), 1);
    for (const Binding& binding : inputs) {
      const TensorImpl& impl = *binding.tensor->impl();
      const int lead = shape.ndim() - impl.shape.ndim();
      for (int d = lead; d < shape.ndim(); ++d)
        if (impl.shape[d - lead] != 1 && impl.strides[d - lead] != 0) result[d] = shape[d];
    }
    return result;
  }

  /// A gradient without elements: inputs that were broadcast against an empty one still get zeros.
  void empty_gradients(const Tensor& gradient, GradSlot* const* targets) {
    for (int i = 0; i < arguments_; ++i)
      if (targets[i]) sum_to(gradient, inputs_[static_cast<std::size_t>(i)].shape, *targets[i], false);
  }

  Op op_;
  int arguments_;
  ElementwiseParameters parameters_;
  std::array<Input, kMostElementwiseArguments> inputs_;
  SavedTensor output_;
};

}  // namespace

Ref<Node> elementwise_node(Op op, const ElementwiseParameters& parameters, const Tensor& result,
                           std::span<const ElementwiseArgument> arguments) {
  return Ref<Node>(new ElementwiseNode(op, parameters, result, arguments));
}

}  // namespace luge
