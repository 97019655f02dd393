#pragma once
// Internal: tensors of indices and class labels.

#include <optional>

#include <luge/tensor/tensor.h>

namespace luge {

/// `index` as int64. Throws DTypeError unless it is int32 or int64; on the CPU also IndexError for a
/// value outside [low, size), naming it, where it stands, and the dimension where one is given. (On a GPU the kernels
/// guard themselves.)
Tensor checked_labels(const char* op, const Tensor& index, std::int64_t size, std::int64_t low = 0,
                      std::optional<int> dim = {});
/// The same for indices that count from the end where negative: they are brought to the front.
Tensor wrapped_labels(const char* op, const Tensor& index, std::int64_t size, std::optional<int> dim = {});

}  // namespace luge
