// Attention of luge.nn.functional, and what MultiheadAttention computes.

#include <luge/ops/attention.h>
#include <luge/ops/multi_head_attention.h>

#include "layers.h"

namespace luge::python {

namespace {

using Given = std::optional<Tensor>;

Tensor defined(const Given& given) { return given.value_or(Tensor()); }

/// With PyTorch's arguments, but for fixed keys and values; and batch_first.
nb::tuple multi_head(const Tensor& query, const Tensor& key, const Tensor& value, std::int64_t heads, const std::vector<Given>& weights,
                     bool add_zero_attn, double dropout_p, bool training, const Given& key_padding_mask, bool need_weights,
                     const Given& attn_mask, bool average_attn_weights, bool is_causal, bool batch_first, std::int64_t first_set) {
  const auto at = [&](std::size_t i) { return i < weights.size() ? defined(weights[i]) : Tensor(); };
  const MultiHeadWeights all{.in_proj_weight = at(0),
                             .q_proj_weight = at(1),
                             .k_proj_weight = at(2),
                             .v_proj_weight = at(3),
                             .in_proj_bias = at(4),
                             .bias_k = at(5),
                             .bias_v = at(6),
                             .out_proj_weight = at(7),
                             .out_proj_bias = at(8)};
  const MultiHeadOptions options{.add_zero_attn = add_zero_attn,
                                 .dropout_p = dropout_p,
                                 .training = training,
                                 .key_padding_mask = defined(key_padding_mask),
                                 .attn_mask = defined(attn_mask),
                                 .need_weights = need_weights,
                                 .average_attn_weights = average_attn_weights,
                                 .is_causal = is_causal,
                                 .first_set = first_set,
                                 .batch_first = batch_first};
  MultiHeadResult found;
  {
    const Unlocked unlocked(query, key);
    found = multi_head_attention(query, key, value, heads, all, options);
  }
  return nb::make_tuple(wrap(std::move(found.output)), wrap(std::move(found.weights)));
}

}  // namespace

void bind_attention(nb::module_& m) {
  nb::module_ own = nb::borrow<nb::module_>(m.attr("_functional"));
  own.def(
      "scaled_dot_product_attention",
      [](const Tensor& query, const Tensor& key, const Tensor& value, std::optional<Tensor> attn_mask, double dropout_p,
         bool is_causal, std::optional<double> scale, bool enable_gqa) {
        const AttentionOptions options{.attn_mask = attn_mask.value_or(Tensor()),
                                       .dropout_p = dropout_p,
                                       .is_causal = is_causal,
                                       .scale = scale,
                                       .enable_gqa = enable_gqa};
        const Unlocked unlocked(query, key);
        return scaled_dot_product_attention(query, key, value, options);
      },
      "query"_a, "key"_a, "value"_a, "attn_mask"_a = nb::none(), "dropout_p"_a = 0.0, "is_causal"_a = false, nb::kw_only(),
      "scale"_a = nb::none(), "enable_gqa"_a = false,
      "softmax(query key^T * scale + attn_mask) value: query (..., L, E), key (..., S, E) and value (..., S, Ev) give (..., L, Ev); "
      "leading dimensions broadcast. `attn_mask` is bool, true where a query may look at a key, or added to the scores. Memory "
      "grows with L + S. Weights are dropped with probability `dropout_p`, always. Raises ShapeError, DTypeError; ValueError for "
      "dropout_p above 1 or a mask beside `is_causal`.\n\n"
      ">>> q = luge.zeros(1, 2)\n"
      ">>> luge.nn.functional.scaled_dot_product_attention(q, luge.ones(2, 2), luge.tensor([[1.0], [3.0]]))\n"
      "tensor([[2.]])");
  own.def("_multi_head_attention", &multi_head, "query"_a, "key"_a, "value"_a, "heads"_a, "weights"_a, "add_zero_attn"_a, "dropout_p"_a,
          "training"_a, "key_padding_mask"_a.none(), "need_weights"_a, "attn_mask"_a.none(), "average_attn_weights"_a, "is_causal"_a,
          "batch_first"_a, "first_set"_a = 0, "Output and weights; see luge.nn.functional.multi_head_attention_forward.");
}

}  // namespace luge::python
