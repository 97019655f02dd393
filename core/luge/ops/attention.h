#pragma once
// Attention: means of values, weighted by how well keys fit queries.

#include <cstdint>
#include <optional>

#include <luge/tensor/tensor.h>

namespace luge {

struct AttentionOptions {
  /// bool: true where a query may look at a key; floating: added to the scores. Of the queries' dtype or float32;
  /// broadcasts to (..., queries, keys).
  Tensor attn_mask = {};
  /// Probability with which a weight is dropped; the others are divided by 1 - dropout_p. Below 0 as 0.
  double dropout_p = 0;
  /// Query i looks at keys 0 to i. Excludes a mask.
  bool is_causal = false;
  /// Absent: 1 / sqrt(size of a key).
  std::optional<double> scale = {};
  /// Groups of heads, dimension -3 of the queries, share one head of keys and one of values.
  bool enable_gqa = false;
  /// Dropped weights of the first index of the first dimension are those that a larger batch has at this one.
  std::int64_t first_set = 0;
};

/// softmax(query key^T * scale + mask) value (Vaswani et al., 2017, equation 1):
///   query (..., L, E), key (..., S, E), value (..., S, Ev) -> (..., L, Ev), leading dimensions broadcast
/// of one floating dtype; halves are computed in float32. A query whose scores are all -inf gets zeros. Memory grows with
/// L + S: weights exist for a block of queries at a time, and the way back computes them again (gradients of gradients
/// keep all of them). The gradient of a floating mask is summed to its shape.
/// Dropped weights are drawn from the global generator, the same on the way back, others at each replay of a captured step.
/// Throws ShapeError, DTypeError, DeviceError; ValueError for dropout_p above 1 and a mask beside is_causal.
Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const AttentionOptions& options = {});

}  // namespace luge
