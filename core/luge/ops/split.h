#pragma once
// A tensor in parts along a dimension. All parts are views.

#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

/// Parts of `size` along `dim`; the last one is what is left. ValueError for a size below 0, or of 0 where the dimension
/// is not empty; ShapeError for a 0-d tensor.
std::vector<Tensor> split(const Tensor& x, std::int64_t size, int dim = 0);
/// Parts of these sizes, which add up to that of the dimension, or ValueError.
std::vector<Tensor> split(const Tensor& x, const std::vector<std::int64_t>& sizes, int dim = 0);
/// At most `chunks` parts of equal size, but for the last one. ValueError for fewer than 1.
std::vector<Tensor> chunk(const Tensor& x, std::int64_t chunks, int dim = 0);
/// Exactly `sections` parts, the first of which are larger by 1 where they cannot be equal. ValueError for fewer than 1.
std::vector<Tensor> tensor_split(const Tensor& x, std::int64_t sections, int dim = 0);
/// The parts between these positions, which are clipped as those of a slice are.
std::vector<Tensor> tensor_split(const Tensor& x, const std::vector<std::int64_t>& indices, int dim = 0);
/// Every index along `dim`, which disappears.
std::vector<Tensor> unbind(const Tensor& x, int dim = 0);

}  // namespace luge
