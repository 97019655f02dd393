// Attention of luge.nn.functional.

#include <luge/ops/attention.h>

#include "layers.h"

namespace luge::python {

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
}

}  // namespace luge::python
