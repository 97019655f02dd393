#pragma once

#include <optional>
#include <vector>

#include <luge/tensor/tensor.h>

namespace luge::nn {

/// Brings leaves, with their gradients, to another dtype or device in place, as torch.nn.Module.to: every handle on
/// them stays valid, so tied weights stay tied. Tensors that are no floating numbers keep their dtype. Throws
/// ValueError for a tensor that lives in an arena (a Parameters, or an optimizer's) and would change: an arena has one
/// dtype and one device for life. Nothing has changed then. `op` is for errors.
void convert(const std::vector<Tensor>& leaves, std::optional<DType> dtype, std::optional<Device> device,
             const char* op = "to", SourceLocation location = SourceLocation::current());

}  // namespace luge::nn
