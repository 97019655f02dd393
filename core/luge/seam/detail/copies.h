#pragma once
// Copies that a matrix product of the same plan adds to: a layer's bias, laid out for every row.

#include <cstdint>
#include <functional>
#include <vector>

#include <luge/seam/detail/plan.h>

namespace luge {

/// Bytes of memory. Signed: strides lead either way.
struct Bytes {
  std::intptr_t low, high;

  bool overlaps(const Bytes& other) const { return low < other.high && other.low < high; }
  bool contains(const Bytes& other) const { return low <= other.low && other.high <= high; }
};

Bytes bytes_of_effect(const Effect& effect);
Bytes bytes_of_window(Operand window, const Extent& extent);

/// An item of a plan; a product may begin from other memory than its own.
struct PlanPart {
  Plan::Item work;
  Operand before;        ///< of a MatMul, with the strides of its c; or absent
  bool is_empty = false;  ///< nothing is left to do: products read what it copied
};

/// Whether a backend computes c = before + a b by this call, with the bits of the copy and the call.
using TakesBefore = std::function<bool(const MatMul& call, const Operand& before)>;

/// The same items, without copies into memory that a product alone goes on from: it reads what was copied. `before`
/// is contiguous along c's rows, or repeats there, and repeats from row to row where there are several of several elements.
std::vector<PlanPart> without_copies(const std::vector<Plan::Item>& items, const TakesBefore& takes_before);

}  // namespace luge
