#pragma once
// THE SEAM: types that only memory holds (is_storage_only) end here. Kernels compute with others; a call with such
// operands runs on copies of them in their arithmetic_dtype, and what it writes is converted back, rounded once. The
// copies are calls like any other: an observer sees them.

#include <algorithm>

#include <luge/seam/call.h>

namespace luge {

class Backend;

/// Whether the call has operands that its kernels do not take.
inline bool has_storage_only(const Elementwise& call) {
  const auto narrow = [](const Operand& operand) { return !operand.is_absent() && is_storage_only(operand.dtype); };
  return std::any_of(call.in.begin(), call.in.begin() + call.inputs, narrow) ||
         std::any_of(call.out.begin(), call.out.begin() + call.outputs, narrow);
}
/// Copies convert what a kernel does in one step; sums are done in a wider type.
inline bool has_storage_only(const Copy& call) {
  return !converts_at_once(call.in.dtype, call.out.dtype) ||
         (call.store == Store::Accumulate && is_storage_only(call.out.dtype));
}
/// Elements that move only may have any type.
inline bool has_storage_only(const Gather& call) {
  return call.direction == Direction::Backward && call.store == Store::Accumulate && is_storage_only(call.source.dtype);
}
/// Arenas are of types that arithmetic is done in.
inline bool has_storage_only(const Update&) { return false; }
inline bool has_storage_only(const ClipNorm&) { return false; }
template <class Kind>
bool has_storage_only(const Kind& call) {
  Kind copy = call;
  bool any = false;
  for_each_operand(copy, [&any](const Operand& operand, const Extent&, bool, bool) {
    any = any || (!operand.is_absent() && is_storage_only(operand.dtype));
  });
  return any;
}

/// Runs the call on copies of such operands.
template <class Kind>
void run_widened(Backend& backend, const Kind& call);

}  // namespace luge
