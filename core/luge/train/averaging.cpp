#include <luge/train/averaging.h>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/seam/observer.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/detail/values.h>
#include <luge/train/detail/arena.h>

namespace luge {

Averaged::Averaged(const Parameters& parameters, const AveragedOptions& options)
    : parameters_(parameters), ema_decay_(options.ema_decay) {
  LUGE_CHECK(ValueError, !ema_decay_ || (*ema_decay_ >= 0 && *ema_decay_ <= 1),
             "Averaged: ema_decay is {}; it must be from 0 to 1", ema_decay_.value_or(0));
  Parameters::Arena& arena = *parameters_.arena_;
  LUGE_CHECK(ValueError, !arena.tensors().empty(), "Averaged: there are no parameters; add them before");
  arena.seal();
  const Unobserved once;
  const std::int64_t size = arena.layout().size;
  block_ = Tensor(new TensorImpl(arena.make_block(), parameters_.dtype(), {size}, {1}, 0, size));
  count_ = zeros({}, {.dtype = DType::Int64, .device = parameters_.device()});
}

/// All values as one tensor.
Tensor Averaged::values() const {
  const Parameters::Arena& arena = *parameters_.arena_;
  const std::int64_t size = arena.layout().size;
  return Tensor(new TensorImpl(arena.value_block(), parameters_.dtype(), {size}, {1}, 0, size));
}

void Averaged::update() {
  const NoGrad guard;
  parameters_.arena_->observe();
  const Tensor value = values();
  const DType dtype = parameters_.dtype();
  const Tensor n = count_.to(dtype);
  const Tensor way = ema_decay_ ? full({}, 1 - *ema_decay_, {.dtype = dtype, .device = parameters_.device()}) : 1 / (n + 1);
  // Of the two ways to write it, the one that is exact at the near end.
  const Tensor change = value - block_;
  const Tensor moved = where(way.lt(0.5), block_ + change * way, value - change * (1 - way));
  block_.copy_(where(n.eq(0), value, moved));
  count_.add_(1);
}

void Averaged::swap() {
  const NoGrad guard;
  parameters_.arena_->observe();
  Tensor value = values();
  const Tensor kept = value.clone();
  value.copy_(block_);
  block_.copy_(kept);
  parameters_.arena_->bump_values(parameters_.arena_->layout());
}

Tensor Averaged::operator[](std::string_view name) const {
  return tensors()[parameters_.arena_->find(name)];
}

std::vector<Tensor> Averaged::tensors() const {
  std::vector<Tensor> result;
  for (const Parameters::Arena::Member& member : parameters_.arena_->members())
    result.push_back(window_tensor(block_, member.shape, contiguous_strides(member.shape), member.offset));
  return result;
}

}  // namespace luge
