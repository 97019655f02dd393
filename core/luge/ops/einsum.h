#pragma once
// Sums of products, written with a letter for each index.

#include <string>
#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

/// The sum over all letters that the output has not, as numpy.einsum and torch.einsum: "ij,jk->ik". A letter that an operand
/// has twice runs along its diagonal; "..." stands for dimensions without letters, which broadcast; without "->" the output has the
/// letters that appear once, in alphabetical order with capitals first, after those dimensions. Sizes of 1 broadcast.
/// Two operands at a time are contracted by matmul(), or multiplied where nothing is summed; of more than two, the pair that leaves the
/// smallest tensor is next. Throws ValueError for a wrong equation, ShapeError for sizes that differ, and what matmul() throws.
Tensor einsum(const std::string& equation, const std::vector<Tensor>& operands);

}  // namespace luge
