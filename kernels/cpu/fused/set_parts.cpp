#include "set_parts.h"

#include <utility>

namespace luge::cpu {

void for_each_effect(SetPart& part, const Effects::Visit& visit) {
  std::visit([&](auto& either) { luge::for_each_effect(either, visit); }, part.work);
  auto* const call = std::get_if<Call>(&part.work);
  const auto* const product = call ? std::get_if<MatMul>(call) : nullptr;
  if (!product) return;
  const Extent extent = product->batch.with(product->m).with(product->n);
  for (Operand* const operand : {&part.fusion.before, &part.fusion.y})
    if (operand->is_memory()) visit(window_effect(*operand, extent, true, false));
}

bool is_block(const MatMul& product) {
  const auto row = static_cast<std::size_t>(product.batch.ndim);
  const Operand& c = product.c;
  return row <= 1 && (product.n == 1 || c.strides[row + 1] == 1) && (product.m == 1 || c.strides[row] == product.n);
}

bool disturbs(const SetPart& part, const Bytes& touched, const Bytes& written) {
  bool found = false;
  SetPart copy = part;
  for_each_effect(copy, [&](const Effect& effect) {
    const Bytes bytes = bytes_of_effect(effect);
    found |= bytes.overlaps(touched) || (effect.writes && bytes.overlaps(written));
  });
  return found;
}

std::vector<SetPart> fused_parts(const std::vector<Plan::Item>& items, const std::vector<SetSegment::Local>& locals,
                                 std::int64_t sets) {
  const auto takes = [](const MatMul& call, const Operand&) { return takes_fusion(call); };
  std::vector<SetPart> parts;
  for (PlanPart& part : without_copies(items, takes)) {
    if (part.is_empty) continue;
    SetPart& left = parts.emplace_back();
    left.work = std::move(part.work);
    left.fusion.before = part.before;
  }
  fuse_activations(parts, locals, sets);
  return parts;
}

}  // namespace luge::cpu
