#pragma once

#include <cstdint>
#include <optional>

#include <luge/tensor/tensor.h>

namespace luge {

/// What becomes of the losses of the single samples.
enum class Reduction {
  None,  ///< kept as they are
  Mean,  ///< one number, PyTorch's default
  Sum,
  PerSet,  ///< one mean per index of the first dimension: the loss of each set of a batched model
};

/// (prediction - target)^2, of equal shapes; nothing broadcasts. With PerSet the leading dimension is that of the sets,
/// and a target without it serves all of them: (batch, 1) goes with (sets, batch, 1). Throws ShapeError.
///
/// Mean over an axis of sets divides every set's gradient by the number of sets: each set then trains as with a
/// learning rate so many times smaller. A loss cannot know which axis that is, so it does not warn; take PerSet and
/// sum().
Tensor mse_loss(const Tensor& prediction, const Tensor& target, Reduction reduction = Reduction::Mean);

/// As the arguments of torch.nn.functional.cross_entropy.
struct CrossEntropyOptions {
  Tensor weight = {};  ///< one for each class, (classes), of the logits' dtype; a mean is then a weighted one
  std::optional<std::int64_t> ignore_index =
      {};                      ///< samples of this label lose nothing and count for nothing in a mean
  double label_smoothing = 0;  ///< from 0 to 1: the part of the target that is spread over all classes
  Reduction reduction = Reduction::Mean;
};

/// -log(softmax(logits)[target]). Classes are dimension 1 of logits (batch, classes, ...), and dimension 0 of logits
/// (classes) of one sample. target is either int64 or int32 labels, of the logits' shape without the classes, or
/// probabilities of the classes, of the logits' shape and dtype; nothing broadcasts. With PerSet a leading dimension
/// of sets comes before all that, (sets, batch, classes, ...), and a target without it serves all sets. Only PerSet
/// knows sets: of logits (sets, batch, classes) any other reduction would take the batch for the classes.
///
/// A label outside [0, classes) throws IndexError on the CPU; on a GPU its loss is NaN. Throws ShapeError, DTypeError,
/// DeviceError, and ValueError for an ignore_index with probabilities or a label_smoothing outside [0, 1]. See mse_loss
/// for Mean and sets.
Tensor cross_entropy(const Tensor& logits, const Tensor& target, Reduction reduction = Reduction::Mean);
Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options);

}  // namespace luge
