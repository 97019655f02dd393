#pragma once
// Copies that a matrix product of the same segment adds to: a layer's bias, laid out for every row.

#include <variant>
#include <vector>

#include <luge/seam/detail/plan.h>

namespace luge::cpu {

/// A part of a segment; a product may begin from other memory than its own (run_onto).
struct SetPart {
  std::variant<Call, Chain> work;
  Operand before;  ///< of a MatMul, with the strides of its c; or absent
};

/// The parts of a segment, without copies into memory that a product alone goes on from: it reads what was copied.
std::vector<SetPart> without_copies(const SetSegment& segment);

}  // namespace luge::cpu
