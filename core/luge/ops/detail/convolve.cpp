#include <luge/ops/detail/convolve.h>

#include <array>
#include <utility>

#include <luge/autograd/detail/node.h>
#include <luge/autograd/grad_mode.h>
#include <luge/ops/detail/sum_to.h>
#include <luge/ops/matmul.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/detail/values.h>

namespace luge {

namespace {

using Role = Convolution::Role;
using Sizes = Convolution::Sizes;

/// Tensors by the role in which they are the result.
constexpr std::size_t at(Role role) { return static_cast<std::size_t>(role); }

/// The two inputs of a role.
constexpr std::array<Role, 2> inputs_of(Role role) {
  if (role == Role::Output) return {Role::Input, Role::Weight};
  if (role == Role::Input) return {Role::Output, Role::Weight};
  return {Role::Input, Role::Output};
}

Shape shape_of(const ConvolutionSizes& sizes, Role role) {
  Shape shape;
  if (sizes.has_sets) shape.push_back(sizes.sets);
  if (role == Role::Weight) {
    shape.push_back(sizes.groups * sizes.out_channels);
    shape.push_back(sizes.in_channels);
  } else {
    shape.push_back(sizes.batch);
    shape.push_back(sizes.groups * (role == Role::Output ? sizes.out_channels : sizes.in_channels));
  }
  const Sizes& space = role == Role::Weight ? sizes.kernel : role == Role::Output ? sizes.out : sizes.in;
  for (int d = 3 - sizes.dims; d < 3; ++d) shape.push_back(space[static_cast<std::size_t>(d)]);
  return shape;
}

/// The tensor, or a copy of it, whose last `inner` dimensions have no gaps.
Tensor without_gaps(const Tensor& x, int inner) {
  std::int64_t step = 1;
  for (int d = x.ndim() - 1; d >= x.ndim() - inner; --d) {
    if (x.shape()[d] != 1 && x.strides()[d] != step) return x.contiguous();
    step *= x.shape()[d];
  }
  return x;
}

/// result (=, +=) the role's value of the two others. Below autograd.
void compute(const ConvolutionSizes& sizes, Role role, const Tensor& a, const Tensor& b, const Tensor& bias, const Tensor& result,
             Store store) {
  if (result.numel() == 0) return;
  const NoGrad guard;
  if (a.numel() == 0 || b.numel() == 0) {  // an empty sum: there are no images
    if (store == Store::Overwrite) fill_values(result, 0);
    return;
  }
  Convolution call;
  call.role = role;
  call.dims = sizes.dims;
  call.sets = sizes.sets;
  call.batch = sizes.batch;
  call.groups = sizes.groups;
  call.in_channels = sizes.in_channels;
  call.out_channels = sizes.out_channels;
  call.in = sizes.in;
  call.out = sizes.out;
  call.kernel = sizes.kernel;
  call.stride = sizes.stride;
  call.dilation = sizes.dilation;
  call.padding = sizes.padding;
  call.store = store;
  call.allow_tf32 = is_storage_only(result.dtype()) || float32_matmul_precision() != MatmulPrecision::Highest;
  std::array<Tensor, 3> tensors;
  tensors[at(role)] = result;
  tensors[at(inputs_of(role)[0])] = a;
  tensors[at(inputs_of(role)[1])] = b;
  for (Tensor& tensor : tensors)
    if (tensor.impl() != result.impl()) {
      const bool is_weight = &tensor == &tensors[at(Role::Weight)];
      tensor = without_gaps(tensor, sizes.dims + (is_weight ? 2 : 1));
    }
  // Strides of sets, if there are any, and of the batch, which weights have none of.
  const auto give = [&](Operand& to, const Tensor& tensor, int outer, bool leads) {
    to = operand(tensor);
    to.strides.fill(0);
    std::size_t place = leads ? 0 : 1;
    for (int d = 0; d < outer; ++d) to.strides[place++] = tensor.strides()[d];
  };
  const Tensor &x = tensors[at(Role::Input)], &w = tensors[at(Role::Weight)], &y = tensors[at(Role::Output)];
  const bool own_x = x.ndim() == sizes.dims + 3, own_y = y.ndim() == sizes.dims + 3;
  give(call.x, x, own_x ? 2 : 1, own_x);
  give(call.y, y, own_y ? 2 : 1, own_y);
  give(call.w, w, sizes.has_sets ? 1 : 0, true);
  Tensor packed;
  if (bias.defined()) {
    packed = without_gaps(bias, 1);
    give(call.bias, packed, sizes.has_sets ? 1 : 0, true);
  }
  result.storage()->backend().run(call);
}

class ConvolutionNode final : public Node {
 public:
  /// Keeps a factor only where the other one wants a gradient.
  ConvolutionNode(const ConvolutionSizes& sizes, Role role, const Tensor& a, const Tensor& b, const Tensor& bias)
      : Node(sizes.op), sizes_(sizes), role_(role), shapes_{a.shape(), b.shape()} {
    add_input(a);
    add_input(b);
    if (bias.defined()) add_input(bias);
    if (needs_grad(b)) saved_[0].save(a);
    if (needs_grad(a)) saved_[1].save(b);
  }

  void backward(const Tensor& gradient) override {
    for (int i = 0; i < 2; ++i) {
      GradSlot* const slot = target(i);
      if (!slot) continue;
      const Role wanted = inputs_of(role_)[static_cast<std::size_t>(i)];
      const Tensor other = saved_[static_cast<std::size_t>(1 - i)].get(name());
      const auto [first, second] = ordered(wanted, gradient, other);
      const Shape whole = shape_of(sizes_, wanted), &shape = shapes_[static_cast<std::size_t>(i)];
      Backend& backend = gradient.storage()->backend();
      if (whole == shape) {
        const GradSlot::Target to = slot->open(shape, gradient.dtype(), backend);
        compute(sizes_, wanted, first, second, {}, to.buffer, to.store);
      } else {  // images that all sets share
        const Tensor result = empty_tensor(whole, gradient.dtype(), backend);
        compute(sizes_, wanted, first, second, {}, result, Store::Overwrite);
        sum_to(result, shape, *slot, true);
      }
    }
    if (GradSlot* const slot = inputs() > 2 ? target(2) : nullptr) {
      const Shape shape = bias_shape(gradient);
      const GradSlot::Target to = slot->open(shape, gradient.dtype(), gradient.storage()->backend());
      Shape spread = gradient.shape();
      spread[sizes_.has_sets ? 1 : 0] = 1;
      for (int d = gradient.ndim() - sizes_.dims; d < gradient.ndim(); ++d) spread[d] = 1;
      const Tensor buffer = no_grad([&] { return to.buffer.view(spread); });
      if (gradient.numel() > 0)
        reduce_values(ReduceOp::Sum, gradient, buffer, to.store);
      else if (to.store == Store::Overwrite)
        fill_values(buffer, 0);
    }
  }

  void differentiable_backward(const Tensor& gradient) override {
    for (int i = 0; i < 2; ++i) {
      if (!wants(i)) continue;
      const Role wanted = inputs_of(role_)[static_cast<std::size_t>(i)];
      const Tensor other = saved_input(1 - i, saved_[static_cast<std::size_t>(1 - i)]);
      const auto [first, second] = ordered(wanted, gradient, other);
      give(i, sum_to(convolve(wanted, sizes_, first, second), shapes_[static_cast<std::size_t>(i)]));
    }
    if (inputs() > 2 && wants(2)) {
      std::vector<int> dims{sizes_.has_sets ? 1 : 0};
      for (int d = gradient.ndim() - sizes_.dims; d < gradient.ndim(); ++d) dims.push_back(d);
      give(2, gradient.sum(DimList(dims)));
    }
  }

  void release_saved() override {
    for (SavedTensor& saved : saved_) saved.clear();
  }

 private:
  /// The inputs of the role `wanted`, in their order: what has come for this node's result, and the other input.
  std::pair<Tensor, Tensor> ordered(Role wanted, const Tensor& gradient, const Tensor& other) const {
    return inputs_of(wanted)[0] == role_ ? std::pair(gradient, other) : std::pair(other, gradient);
  }
  Shape bias_shape(const Tensor& gradient) const {
    Shape shape;
    if (sizes_.has_sets) shape.push_back(sizes_.sets);
    shape.push_back(gradient.shape()[gradient.ndim() - sizes_.dims - 1]);
    return shape;
  }

  ConvolutionSizes sizes_;
  Role role_;
  std::array<Shape, 2> shapes_;
  std::array<SavedTensor, 2> saved_;
};

}  // namespace

Tensor convolve(Role role, const ConvolutionSizes& sizes, const Tensor& first, const Tensor& second, const Tensor& bias) {
  Tensor result = empty_tensor(shape_of(sizes, role), first.dtype(), first.storage()->backend());
  compute(sizes, role, first, second, bias, result, Store::Overwrite);
  if (grad_enabled() && (needs_grad(first) || needs_grad(second) || needs_grad(bias)))
    record(result, Ref<Node>(new ConvolutionNode(sizes, role, first, second, bias)));
  return result;
}

}  // namespace luge
