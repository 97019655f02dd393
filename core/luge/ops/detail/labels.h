#pragma once
// Internal: tensors of indices and class labels.

#include <optional>

#include <luge/seam/observer.h>
#include <luge/tensor/tensor.h>

namespace luge {

/// On the CPU IndexError for a label that is not allowed, naming it, where it stands, and the dimension where one is given.
/// (On a GPU the kernels guard themselves.) `labels` is of an integer dtype. A replay checks memory from outside of the step
/// again: the tensor as it was given, not what was made of it.
void check_labels(const char* op, const Tensor& labels, const LabelRange& allowed, std::optional<int> dim = {});
/// `index` as int64, checked to be in [low, size). Throws DTypeError unless it is int32 or int64.
Tensor checked_labels(const char* op, const Tensor& index, std::int64_t size, std::int64_t low = 0,
                      std::optional<int> dim = {});
/// The same for indices that count from the end where negative: they are brought to the front.
Tensor wrapped_labels(const char* op, const Tensor& index, std::int64_t size, std::optional<int> dim = {});

/// Labels some of which count for nothing.
struct KeptLabels {
  Tensor labels;   ///< int64, 0 where ignored
  Tensor ignored;  ///< bool
};
/// Labels of which those that are `ignore_index` count for nothing. Throws as check_labels does.
KeptLabels kept_labels(const char* op, const Tensor& target, std::int64_t size, std::int64_t ignore_index);

}  // namespace luge
