#include <luge/capture/detail/space.h>

#include <luge/base/dtype.h>

namespace luge {

namespace {

std::int64_t size(const Extent& extent, int d) { return extent.sizes[static_cast<std::size_t>(d)]; }
std::int64_t stride(const Operand& operand, int d) { return operand.strides[static_cast<std::size_t>(d)]; }

}  // namespace

std::optional<Extent> common_refinement(const Extent& a, const Extent& b) {
  // From the last dimension on; `inner` elements lie behind both of what is left.
  Extent reversed;
  int i = a.ndim - 1, j = b.ndim - 1;
  std::int64_t left_a = i >= 0 ? size(a, i) : 1, left_b = j >= 0 ? size(b, j) : 1;
  while (i >= 0 || j >= 0) {
    if (left_a == 1 && i >= 0) {
      left_a = --i >= 0 ? size(a, i) : 1;
      continue;
    }
    if (left_b == 1 && j >= 0) {
      left_b = --j >= 0 ? size(b, j) : 1;
      continue;
    }
    const std::int64_t step = left_a < left_b ? left_a : left_b;
    if (step == 1 || left_a % step != 0 || left_b % step != 0 || reversed.ndim == kMaxDims) return {};
    reversed.sizes[static_cast<std::size_t>(reversed.ndim++)] = step;
    left_a /= step;
    left_b /= step;
  }
  Extent result;
  for (int d = reversed.ndim - 1; d >= 0; --d) result.sizes[static_cast<std::size_t>(result.ndim++)] = size(reversed, d);
  if (result.ndim == 0) result.sizes[static_cast<std::size_t>(result.ndim++)] = 1;
  return result;
}

Operand refined(const Operand& operand, const Extent& extent, const Extent& refinement) {
  Operand result = operand;
  if (!operand.is_memory()) return result;
  int d = extent.ndim - 1;
  std::int64_t inner = 1;  // elements of dimension d that finer dimensions have taken
  for (int r = refinement.ndim - 1; r >= 0; --r) {
    while (d >= 0 && inner == size(extent, d)) --d, inner = 1;
    result.strides[static_cast<std::size_t>(r)] = d >= 0 ? stride(operand, d) * inner : 0;
    inner *= size(refinement, r);
  }
  return result;
}

bool same_window(const Operand& a, const Operand& b, const Extent& extent) {
  if (a.data != b.data || a.dtype != b.dtype) return false;
  for (int d = 0; d < extent.ndim; ++d)
    if (size(extent, d) != 1 && stride(a, d) != stride(b, d)) return false;
  return true;
}

bool walks_evenly(const Operand& operand, const Extent& extent) {
  if (!operand.is_memory()) return true;
  const std::int64_t last = extent.ndim == 0 ? 1 : stride(operand, extent.ndim - 1);
  return last == 0 || last == 1 || size(extent, extent.ndim - 1) == 1;
}

}  // namespace luge
