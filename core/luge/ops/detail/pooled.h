#pragma once
// Internal: the largest element and the sum of every window.

#include <vector>

#include <luge/ops/detail/windows.h>
#include <luge/ops/pooling.h>

namespace luge {

/// Of x (batch, dims...): values (batch, outs...), and, where they are asked for, row-major places in x's dims.
Pooled largest(const char* op, const Tensor& x, const std::vector<Along>& along, bool with_indices);
Tensor window_sums(const char* op, const Tensor& x, const std::vector<Along>& along);

}  // namespace luge
