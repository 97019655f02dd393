#pragma once
// Internal: normalizations that one call of the seam computes. Below autograd.

#include <optional>

#include <luge/autograd/detail/node.h>
#include <luge/seam/call.h>
#include <luge/tensor/tensor.h>

namespace luge {

/// The call's sizes and options, without operands, for moments over `dims` of x of standardized()'s shapes; nothing where no
/// call computes that.
std::optional<Normalization> normalization(const Tensor& x, const Tensor& weight, const Tensor& bias, const DimList& dims, double eps,
                                           bool centred);

/// (sets, batch, groups) or (sets, 1, groups) numbers of a row each, of the dtype that arithmetic is done in.
struct RowNumbers {
  Tensor mean, rstd, variance;  ///< undefined: not wanted
};

/// y, with the sets of all operands. Fills the numbers that are defined.
Tensor run_forward(Normalization call, const Tensor& x, const Tensor& weight, const Tensor& bias, const RowNumbers& numbers);
RowNumbers empty_numbers(const Normalization& call, const Tensor& x, bool for_way_back, bool variance);

/// Adds gradients to the slots of inputs; null: not wanted.
struct NormalizationSlots {
  GradSlot *x = nullptr, *weight = nullptr, *bias = nullptr;
  Shape weight_shape, bias_shape;
  DType bias_dtype = DType::Float32;
};
void run_backward(Normalization call, const Tensor& gradient, const Tensor& x, const Tensor& weight, const RowNumbers& numbers,
                  const NormalizationSlots& slots);

}  // namespace luge
