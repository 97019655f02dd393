#pragma once
// Internal: where a tensor is not 0.

#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

/// Flat positions (int64, 1-d) in order. Reads on the host; CaptureError, in the name of `op`, while a step is captured.
Tensor flat_places(const char* op, const Tensor& x);
/// How many elements of a mask (bool) are true up to each one, it included: int64, 1-d, in row-major order. Not recorded.
Tensor running_count(const Tensor& mask);
/// Positions by dimension, one tensor for each of x's.
std::vector<Tensor> places(const char* op, const Tensor& x);

}  // namespace luge
