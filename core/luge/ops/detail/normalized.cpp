#include <luge/ops/detail/normalized.h>

#include <algorithm>
#include <vector>

#include <luge/autograd/grad_mode.h>
#include <luge/ops/detail/sum_to.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

/// A dense tensor that begins with an axis of sets, 1 for all of them.
Operand by_set(const Tensor& tensor) {
  if (!tensor.defined()) return {};
  Operand result = operand(tensor);
  result.strides[0] = tensor.shape()[0] == 1 ? 0 : tensor.numel() / tensor.shape()[0];
  return result;
}

Tensor dense(const Tensor& tensor) { return tensor.defined() ? tensor.contiguous() : tensor; }

/// A gradient in the making: the slot's own memory, or some with all sets where an input was the same for all of them.
class Gradient {
 public:
  Gradient(GradSlot* slot, Shape own, std::int64_t sets, DType dtype, Backend& backend) : slot_(slot), own_(own) {
    if (!slot) return;
    if (own[0] == sets) {
      to_ = slot->open(own, dtype, backend);
      return;
    }
    own[0] = sets;
    to_ = {empty_tensor(own, dtype, backend), Store::Overwrite};
    spread_ = true;
  }
  void give(Operand& operand, Store& store) const {
    if (!slot_) return;
    operand = by_set(to_.buffer);
    store = to_.store;
  }
  void finish() const {
    if (slot_ && spread_) sum_to(to_.buffer, own_, *slot_, true);
  }

 private:
  GradSlot* slot_;
  Shape own_;
  GradSlot::Target to_{};
  bool spread_ = false;
};

}  // namespace

std::optional<Normalization> normalization(const Tensor& x, const Tensor& weight, const Tensor& bias, const DimList& dims, double eps,
                                           bool centred) {
  const Shape& shape = x.shape();
  Normalization call;
  call.eps = eps;
  call.centred = centred;
  for (const Tensor* const tensor : {&x, &weight, &bias})
    if (tensor->defined()) {
      if (tensor->numel() == 0) return std::nullopt;
      call.sets = std::max(call.sets, tensor->shape()[0]);
    }
  call.batch = shape[1];
  const std::vector<int> over(dims.values().begin(), dims.values().end());
  if (shape.ndim() == 3 && over == std::vector{2}) {
    call.channels = shape[2];
  } else if (shape.ndim() == 5 && over == std::vector{3, 4}) {
    call.groups = shape[2], call.channels = shape[3], call.inner = shape[4];
  } else if (shape.ndim() == 4 && over == std::vector{3}) {
    call.groups = shape[2], call.inner = shape[3];
  } else if (shape.ndim() == 4 && over == std::vector{1, 3}) {
    call.groups = shape[2], call.inner = shape[3];
    call.over_batch = true;
  } else {
    return std::nullopt;
  }
  return call;
}

RowNumbers empty_numbers(const Normalization& call, const Tensor& x, bool for_way_back, bool variance) {
  const auto make = [&](bool wanted) {
    if (!wanted) return Tensor();
    return empty_tensor({call.sets, call.over_batch ? 1 : call.batch, call.groups}, arithmetic_dtype(x.dtype()), x.storage()->backend());
  };
  return {.mean = make(call.centred && (for_way_back || variance)), .rstd = make(for_way_back), .variance = make(variance)};
}

Tensor run_forward(Normalization call, const Tensor& x, const Tensor& weight, const Tensor& bias, const RowNumbers& numbers) {
  const NoGrad guard;
  Shape shape = x.shape();
  shape[0] = call.sets;
  const Tensor own_weight = dense(weight), own_bias = dense(bias);
  Tensor y = empty_tensor(shape, x.dtype(), x.storage()->backend());
  call.x = by_set(x);
  call.weight = by_set(own_weight);
  call.bias = by_set(own_bias);
  call.y = by_set(y);
  call.mean = by_set(numbers.mean);
  call.rstd = by_set(numbers.rstd);
  call.variance = by_set(numbers.variance);
  x.storage()->backend().run(call);
  return y;
}

void run_backward(Normalization call, const Tensor& gradient, const Tensor& x, const Tensor& weight, const RowNumbers& numbers,
                  const NormalizationSlots& slots) {
  const NoGrad guard;
  Backend& backend = x.storage()->backend();
  const Tensor dy = gradient.contiguous(), own_weight = dense(weight);
  call.direction = Direction::Backward;
  call.x = by_set(x);
  call.weight = by_set(own_weight);
  call.mean = by_set(numbers.mean);
  call.rstd = by_set(numbers.rstd);
  call.dy = by_set(dy);
  const Gradient dx(slots.x, x.shape(), call.sets, x.dtype(), backend);
  const Gradient dweight(slots.weight, slots.weight_shape, call.sets, weight.defined() ? weight.dtype() : x.dtype(), backend);
  const Gradient dbias(slots.bias, slots.bias_shape, call.sets, slots.bias_dtype, backend);
  dx.give(call.dx, call.store);
  dweight.give(call.dweight, call.weight_store);
  dbias.give(call.dbias, call.bias_store);
  backend.run(call);
  for (const Gradient* const found : {&dx, &dweight, &dbias}) found->finish();
}

}  // namespace luge
