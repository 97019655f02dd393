#include <luge/seam/detail/plan.h>

namespace luge {

void Chain::effects(Effects& effects) {
  for (Window& load : loads) effects.reads(load.memory, extent);
  for (Window& store : stores) effects.writes(store.memory, extent);
  for (Reduction& reduction : reductions) reduction.call.effects(effects);
  for (Recording& recording : recordings) recording.call.effects(effects);
  for (UpdatePart& part : updates) part.call.effects(effects);
}

// ---- parts of calls -----------------------------------------------------------------------------

namespace {

/// Goes on to set `begin`, which lies so many strides of dimension 0 away.
void shift(Operand& operand, std::int64_t strides) {
  if (operand.is_memory())
    operand.data = static_cast<std::byte*>(operand.data) + bytes_of(operand.dtype, strides * operand.strides[0]);
}

struct Sets {
  std::int64_t begin, count;
};

void restrict_kind(Elementwise& call, std::int64_t, Sets to) {
  call.extent.sizes[0] = to.count;
  for (Operand& in : call.in) shift(in, to.begin);
  for (Operand& out : call.out) shift(out, to.begin);
}
void restrict_kind(Copy& call, std::int64_t, Sets to) {
  call.extent.sizes[0] = to.count;
  shift(call.in, to.begin);
  shift(call.out, to.begin);
}
void restrict_kind(Reduce& call, std::int64_t, Sets to) {
  call.extent.sizes[0] = to.count;
  shift(call.in, to.begin);
  shift(call.out, to.begin);
}
void restrict_kind(MatMul& call, std::int64_t, Sets to) {
  call.batch.sizes[0] = to.count;
  for (Operand* const operand : {&call.a, &call.b, &call.c}) shift(*operand, to.begin);
}
void restrict_kind(Softmax& call, std::int64_t sets, Sets to) {
  const std::int64_t rows = call.rows / sets;
  call.rows = rows * to.count;
  for (Operand* const operand : {&call.in, &call.y, &call.out}) shift(*operand, rows * to.begin);
}
void restrict_kind(CrossEntropy& call, std::int64_t sets, Sets to) {
  const std::int64_t rows = call.rows / sets;
  call.rows = rows * to.count;
  for (Operand* const operand : {&call.logits, &call.target, &call.lse, &call.dy, &call.out})
    shift(*operand, rows * to.begin);
}
void restrict_kind(Convolution& call, std::int64_t, Sets to) {
  call.sets = to.count;
  for (Operand* const operand : {&call.x, &call.w, &call.y, &call.bias}) shift(*operand, to.begin);
}
void restrict_kind(Normalization& call, std::int64_t, Sets to) {
  call.sets = to.count;
  for (Operand* const operand : {&call.x, &call.weight, &call.bias, &call.y, &call.mean, &call.rstd, &call.variance, &call.dy,
                                 &call.dx, &call.dweight, &call.dbias})
    shift(*operand, to.begin);
}
template <class Other>
void restrict_kind(Other&, std::int64_t, Sets) {}

}  // namespace

Call part_of(const Call& call, std::int64_t sets, std::int64_t begin, std::int64_t end) {
  Call part = call;
  std::visit([&](auto& kind) { restrict_kind(kind, sets, {begin, end - begin}); }, part);
  return part;
}

void for_each_effect(Plan::Item& item, const Effects::Visit& visit) {
  std::visit([&](auto& either) { for_each_effect(either, visit); }, item);
}

}  // namespace luge
