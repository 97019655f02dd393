#pragma once

#include <luge/tensor/tensor.h>

namespace luge {

/// What becomes of the losses of the single samples.
enum class Reduction {
  None,    ///< kept as they are
  Mean,    ///< one number, PyTorch's default
  Sum,
  PerSet,  ///< one mean per index of the first dimension: the loss of each set of a batched model
};

/// (prediction - target)^2; the two broadcast.
Tensor mse_loss(const Tensor& prediction, const Tensor& target, Reduction reduction = Reduction::Mean);

/// -log(softmax(logits)[target]) over the last dimension of logits (..., classes). target is int64 or
/// int32, of shape (...) or one that broadcasts to it: labels (batch) serve logits (sets, batch,
/// classes). A label outside [0, classes) throws IndexError on the CPU; on a GPU its loss is NaN.
Tensor cross_entropy(const Tensor& logits, const Tensor& target, Reduction reduction = Reduction::Mean);

}  // namespace luge
