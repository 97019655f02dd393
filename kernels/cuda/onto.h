#pragma once
// Products that are added to something else than what they overwrite: a layer's bias.

#include <luge/seam/call.h>

#include "context.h"

namespace luge::cuda {

/// Whether run_onto takes the call: a product by cuBLASLt, by an algorithm that reads `before` where it lies.
bool takes_before(const Context& context, const MatMul& call, const Operand& before);

/// c = before + a b, by the algorithm and with the bits of an accumulating call after a copy of `before` to c. `before`
/// has c's dimensions and shares no memory with c; takes_before holds.
void run_onto(const Context& context, const MatMul& call, const Operand& before);

}  // namespace luge::cuda
