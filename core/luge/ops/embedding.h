#pragma once
// Rows of a table by index, with the options of torch.nn.functional.embedding, and bags of them.
//
// weight (count, dim), of a floating dtype; index int32 or int64 in [0, count), else IndexError, on the CPU before anything
// is done. With a leading axis of sets, weight (sets, count, dim), index is (batch), the same for all sets, or (sets, ...).
// All throw DTypeError, ShapeError, and ValueError for a padding_idx outside [-count, count).

#include <cstdint>
#include <optional>

#include <luge/tensor/tensor.h>

namespace luge {

struct EmbeddingOptions {
  std::optional<std::int64_t> padding_idx = {};  ///< a row that gets no gradient; it may count from the end
  bool scale_grad_by_freq = false;               ///< a row's gradient is divided by how often the index names it
};

/// index (...) -> (..., dim).
Tensor embedding(const Tensor& index, const Tensor& weight, const EmbeddingOptions& options);

/// Scales the rows of weight that index names down to a p-norm of max_norm, in place and outside of the graph; returns weight.
Tensor& renormalize_rows_(Tensor& weight, const Tensor& index, double max_norm, double p = 2);

/// What a bag of rows becomes.
enum class BagMode : std::uint8_t { Sum, Mean, Max };

struct EmbeddingBagOptions {
  BagMode mode = BagMode::Mean;
  Tensor offsets = {};                           ///< where in a 1-d index each bag begins, in order, the first at 0
  bool include_last_offset = false;              ///< the last offset is the end of the last bag
  Tensor weights = {};                           ///< one for each index, that its row is multiplied with; of Sum alone
  std::optional<std::int64_t> padding_idx = {};  ///< a row that counts for nothing; it may count from the end
  bool scale_grad_by_freq = false;               ///< as of embedding(); not of Max
};

/// index (bags, size), or 1-d with offsets, -> (bags, dim). An empty bag is 0. Without sets. Equal largest values of a bag share
/// the gradient. Throws ValueError for options that do not go together, and, on the CPU, for offsets that do not begin with 0.
Tensor embedding_bag(const Tensor& index, const Tensor& weight, const EmbeddingBagOptions& options = {});

}  // namespace luge
