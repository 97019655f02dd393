#pragma once
// Products that are added to something else than what they overwrite: a layer's bias.

#include <luge/seam/call.h>

namespace luge::cpu {

/// Whether run_onto takes the call.
bool takes_before(const MatMul& call);

/// c = before + a b, with the bits that a copy of `before` to c and an accumulating call leave. `before` has c's
/// dimensions; in the direction of c's contiguous one it is contiguous or repeats.
void run_onto(const MatMul& call, const Operand& before);

}  // namespace luge::cpu
