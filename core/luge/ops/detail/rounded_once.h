#pragma once
// Internal: composites of several steps, whose result is rounded once.

#include <utility>

#include <luge/tensor/tensor.h>

namespace luge {

/// `x` in the dtype that arithmetic is done in: halves as float32.
inline Tensor widened(const Tensor& x) { return is_floating(x.dtype()) ? x.to(arithmetic_dtype(x.dtype())) : x; }

/// What `formula` gives for x, of x's dtype where that is a floating one; the steps in between are not rounded to halves.
/// Integers and bool are float32.
template <class Formula>
Tensor rounded_once(const Tensor& x, const Formula& formula) {
  const DType dtype = is_floating(x.dtype()) ? x.dtype() : DType::Float32;
  return formula(x.to(arithmetic_dtype(dtype))).to(dtype);
}

}  // namespace luge
