#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <luge/ops/multi_head_attention.h>
#include <luge/train/parameters.h>

namespace luge::nn {

struct MultiheadAttentionOptions {
  double dropout = 0;
  bool bias = true;
  bool add_bias_kv = false;
  bool add_zero_attn = false;
  std::int64_t kdim = 0, vdim = 0;  ///< sizes of a key and of a value; 0: those of a query
  bool batch_first = false;
  /// Absent: uniform within 1 / sqrt(embed_dim), PyTorch's default.
  std::optional<Init> out_proj_init = {};
};

/// Attention of several heads (Vaswani et al., 2017), as torch.nn.MultiheadAttention. Its parameters live in the arena as
/// "name.in_proj_weight" (or "name.q_proj_weight", "name.k_proj_weight" and "name.v_proj_weight" where sizes differ),
/// "name.in_proj_bias", "name.bias_k", "name.bias_v", "name.out_proj.weight" and "name.out_proj.bias".
class MultiheadAttention {
 public:
  /// Throws ValueError for sizes below 1, heads that do not divide embed_dim, a dropout outside [0, 1], and names in use; then
  /// nothing has been added.
  MultiheadAttention(Parameters& params, std::string_view name, std::int64_t embed_dim, std::int64_t heads,
                     MultiheadAttentionOptions options = {});

  /// See multi_head_attention(); of `options` dropout_p, add_zero_attn and batch_first are the layer's own.
  MultiHeadResult operator()(const Tensor& query, const Tensor& key, const Tensor& value, MultiHeadOptions options = {}) const;

  const MultiHeadWeights& weights() const { return weights_; }

 private:
  std::int64_t heads_, first_set_;
  MultiheadAttentionOptions options_;
  MultiHeadWeights weights_;
};

}  // namespace luge::nn
