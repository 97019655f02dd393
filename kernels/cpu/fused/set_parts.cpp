#include "set_parts.h"

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

Bytes bytes_of_effect(const Effect& effect) {
  const auto data = reinterpret_cast<std::intptr_t>(*effect.data);
  return {data + effect.low, data + effect.high};
}

Bytes bytes_of_window(Operand window, const Extent& extent) {
  return bytes_of_effect(window_effect(window, extent, true, true));
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

}  // namespace luge::cpu
