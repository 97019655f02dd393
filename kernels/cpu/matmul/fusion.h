#pragma once
// Products fused with what comes before and after them: a layer's bias, a relu and its gradient.

#include <luge/seam/call.h>

#include "product.h"

namespace luge::cpu {

/// What a product is fused with. Operands have c's dimensions, their sets, rows and columns.
struct ProductFusion {
  /// Is added to in place of c: contiguous in the direction in which c is, or repeats in it. Absent: as the call says.
  Operand before;
  Epilogue epilogue = Epilogue::None;
  Operand y;  ///< of ReluBackward; contiguous in the direction in which c is

  bool is_some() const { return before.is_memory() || epilogue != Epilogue::None; }
};

/// Whether run_fused takes the call.
bool takes_fusion(const MatMul& call);

/// The product with the bits that a copy of `before` to c, the call accumulating on it, and the epilogue as a call of
/// its own leave.
void run_fused(const MatMul& call, const ProductFusion& fusion);

}  // namespace luge::cpu
