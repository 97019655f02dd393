#pragma once
// Internal: functions of one tensor that are computed in float64 and differentiated by a formula of their own.

#include <span>
#include <vector>

#include <luge/base/detail/check.h>
#include <luge/ops/detail/derivative_node.h>
#include <luge/ops/elementwise.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

/// `formula` of x as float64, with the derivative that `slope` gives for float64 tensors, rounded to x's dtype; of integers
/// and bool float32.
template <class Formula, class Slope>
Tensor with_slope(const char* name, const Tensor& x, const Formula& formula, const Slope& slope) {
  const Operation called(name);
  checked(x, name);
  const DType dtype = is_floating(x.dtype()) ? x.dtype() : DType::Float32;
  return with_derivative(
             name, {x.to(DType::Float64)}, [&, wide = x.detach().to(DType::Float64)] { return formula(wide); },
             [slope](const Tensor& gradient, std::span<const Tensor> in) {
               return std::vector<Tensor>{gradient * slope(in[0])};
             })
      .to(dtype);
}

}  // namespace luge
