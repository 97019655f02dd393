#pragma once
// Internal: tensors whose dimensions have labels, and their products.

#include <cstdint>
#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

using Label = std::uint8_t;  ///< below 64

/// A tensor with a label for each dimension, each once.
struct Labelled {
  Tensor tensor;
  std::vector<Label> labels;

  std::uint64_t mask() const {
    std::uint64_t mask = 0;
    for (const Label label : labels) mask |= std::uint64_t{1} << label;
    return mask;
  }
};

/// A view with the last dimension at place `dim`.
Tensor moved_from_end(const Tensor& x, int dim);

/// Summed over the labels that `kept` has not; integers and bool as int64.
Labelled summed(const Labelled& x, std::uint64_t kept);

/// The view with these labels in order. Labels that x has not are new dimensions of size 1; x has no others.
Tensor arranged(const Labelled& x, const std::vector<Label>& order);

/// The product of two, summed over the labels that `kept` has not. `order`: of the result's labels, where somebody will ask for
/// one; the result may have another.
Labelled contracted(const Labelled& a, const Labelled& b, std::uint64_t kept, const std::vector<Label>& order);

}  // namespace luge
