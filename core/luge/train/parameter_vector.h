#pragma once

#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

/// All elements of the tensors, one behind the other, (count): a part of the graph. As torch.nn.utils.parameters_to_vector. Throws
/// ValueError for an empty list, DTypeError and DeviceError unless all share one dtype and one device.
Tensor parameters_to_vector(const std::vector<Tensor>& parameters);
/// The other way: overwrites the values of the tensors, outside of the graph, with those of a vector. Throws ShapeError unless it has
/// as many elements; nothing has changed then.
void vector_to_parameters(const Tensor& vector, const std::vector<Tensor>& parameters);

}  // namespace luge
