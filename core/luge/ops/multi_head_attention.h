#pragma once
// Attention of several heads, between products with learned weights.

#include <luge/tensor/tensor.h>

namespace luge {

/// E is the embedding's size. Weights may have a leading axis of sets, all or none.
struct MultiHeadWeights {
  /// (3 E, E): for queries, keys and values, one below the other. Undefined: the three that follow.
  Tensor in_proj_weight = {};
  Tensor q_proj_weight = {}, k_proj_weight = {}, v_proj_weight = {};  ///< (E, E), (E, size of a key), (E, size of a value)
  Tensor in_proj_bias = {};            ///< (3 E), or undefined
  Tensor bias_k = {}, bias_v = {};     ///< (1, 1, E): a key and its value more, or undefined
  Tensor out_proj_weight = {};         ///< (E, E)
  Tensor out_proj_bias = {};           ///< (E), or undefined
};

struct MultiHeadOptions {
  bool add_zero_attn = false;          ///< a key of zeros more, with a value of zeros
  double dropout_p = 0;                ///< of weights, while `training`
  bool training = true;
  /// Keys that nobody looks at (bool, true), or numbers that are added to their scores: (batch, S), or (S) without a batch.
  Tensor key_padding_mask = {};
  /// Keys that a query does not look at (bool, true), or numbers that are added: (L, S) or (batch x heads, L, S).
  Tensor attn_mask = {};
  bool need_weights = true;
  bool average_attn_weights = true;    ///< weights are the means over the heads
  /// Says that attn_mask, which must be there, is the causal one; it is then not looked at where no weights are needed and no
  /// keys are padded.
  bool is_causal = false;
  std::int64_t first_set = 0;          ///< weights are dropped as those of the sets from this one on
  bool batch_first = false;            ///< (batch, L, E) instead of (L, batch, E)
};

struct MultiHeadResult {
  Tensor output;                       ///< as the query
  Tensor weights;                      ///< (batch, L, S) or (batch, heads, L, S); undefined unless need_weights
};

/// query (L, batch, E), key (S, batch, ...) and value (S, batch, ...), or all without a batch -> (L, batch, E). With sets of
/// weights they may be the same for all sets or have their axis before the others; results have it, and so may
/// key_padding_mask. Without weights memory grows with L + S. A query that looks at nothing gets NaN if weights are needed, the
/// bias of the output if not, as in PyTorch. Throws ShapeError, DTypeError, ValueError.
MultiHeadResult multi_head_attention(const Tensor& query, const Tensor& key, const Tensor& value, std::int64_t heads,
                                     const MultiHeadWeights& weights, const MultiHeadOptions& options = {});

}  // namespace luge
