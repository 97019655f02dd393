#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <luge/ops/embedding.h>
#include <luge/train/parameters.h>

namespace luge::nn {

/// Sums, means or largest values of bags of rows, without the rows themselves: embedding_bag() with a table "name.weight" of
/// `count` vectors of `dim` numbers, standard normal at the start. Without sets.
class EmbeddingBag {
 public:
  /// Of `options` mode, include_last_offset, padding_idx and scale_grad_by_freq are the layer's own. The row padding_idx starts as
  /// zeros. Throws ValueError for sizes below 1, a padding_idx outside, an arena with sets and a name in use; then nothing has
  /// been added.
  EmbeddingBag(Parameters& params, std::string_view name, std::int64_t count, std::int64_t dim, EmbeddingBagOptions options = {});

  /// index (bags, size), or 1-d with offsets, -> (bags, dim); `weights`, of the index's shape, with BagMode::Sum alone. Throws
  /// ShapeError, DTypeError, IndexError, ValueError.
  Tensor operator()(const Tensor& index, const Tensor& offsets = {}, const Tensor& weights = {}) const;

  const Tensor& weight() const { return weight_; }

 private:
  Tensor weight_;
  EmbeddingBagOptions options_;
};

}  // namespace luge::nn
