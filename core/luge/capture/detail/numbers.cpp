#include <luge/capture/detail/numbers.h>

#include <luge/capture/detail/recorder.h>

namespace luge {

namespace {

std::uintptr_t address_of(const void* data) { return reinterpret_cast<std::uintptr_t>(data); }

}  // namespace

/// Puts the number in where the input is one number for all elements. False where it still is memory.
bool KnownNumbers::replace(Operand& input, const Extent& extent) const {
  if (!input.is_memory()) return true;
  for (int d = 0; d < extent.ndim; ++d)
    if (extent.sizes[static_cast<std::size_t>(d)] != 1 && input.strides[static_cast<std::size_t>(d)] != 0) return false;
  const auto found = numbers_.find(address_of(input.data));
  if (found == numbers_.end() || found->second.dtype != input.dtype) return false;
  input.kind = Operand::Kind::Immediate;
  input.data = nullptr;
  input.floating = found->second.floating;
  return true;
}

/// False if some input still is memory.
bool KnownNumbers::replace_inputs(Call& call) const {
  bool all = true;
  if (auto* const formula = std::get_if<Elementwise>(&call)) {
    for (int i = 0; i < formula->inputs; ++i) all &= replace(formula->in[static_cast<std::size_t>(i)], formula->extent);
    return all;
  }
  auto* const copy = std::get_if<Copy>(&call);
  return copy && replace(copy->in, copy->extent);
}

void KnownNumbers::read(Backend& backend, const Operand& executed, const Operand& out) {
  if (!out.is_memory() || !is_floating(out.dtype) || is_storage_only(out.dtype)) return;
  if (address_of(out.data) < StepBuffer::kBase) return;
  Operand number = out;
  if (out.dtype == DType::Float32) {
    float value = 0;
    backend.copy_to_host(&value, executed.data, sizeof value);
    number.floating = static_cast<double>(value);
  } else {
    backend.copy_to_host(&number.floating, executed.data, sizeof number.floating);
  }
  numbers_[address_of(out.data)] = number;
}

Call KnownNumbers::note(Backend& backend, const Call& executed, const Call& call) {
  Call noted = call;
  const bool of_numbers = replace_inputs(noted);
  for_each_effect(call, [&](const Effect& effect) {
    if (!effect.writes) return;
    const auto data = static_cast<std::intptr_t>(address_of(*effect.data));
    numbers_.erase(numbers_.lower_bound(static_cast<std::uintptr_t>(data + effect.low)),
                   numbers_.lower_bound(static_cast<std::uintptr_t>(data + effect.high)));
  });
  if (!of_numbers) return noted;

  if (const auto* const formula = std::get_if<Elementwise>(&call)) {
    const auto& outs = std::get<Elementwise>(executed).out;
    if (formula->extent.count() != 1) return noted;
    for (std::size_t i = 0; i < static_cast<std::size_t>(formula->outputs); ++i)
      if (formula->store[i] == Store::Overwrite) read(backend, outs[i], formula->out[i]);
  } else if (const auto* const copy = std::get_if<Copy>(&call)) {
    if (copy->extent.count() != 1) return noted;
    if (copy->store == Store::Overwrite) read(backend, std::get<Copy>(executed).out, copy->out);
  }
  return call;  // as it was: it may have to run for somebody who reads memory
}

}  // namespace luge
