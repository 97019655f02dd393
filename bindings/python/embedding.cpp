// Rows of tables, and bags of them.

#include <luge/ops/embedding.h>

#include <fmt/format.h>

#include "layers.h"

namespace luge::python {

void bind_embedding(nb::module_& m) {
  m.def(
      "_embedding",
      [](const Tensor& input, const Tensor& weight, std::optional<std::int64_t> padding_idx, bool scale_grad_by_freq) {
        const Unlocked unlocked(weight);
        return embedding(input, weight, {.padding_idx = padding_idx, .scale_grad_by_freq = scale_grad_by_freq});
      },
      "input"_a, "weight"_a, "padding_idx"_a = nb::none(), "scale_grad_by_freq"_a = false, "luge.nn.functional.embedding.");
  m.def(
      "_renormalize_rows_",
      [](Tensor& weight, const Tensor& input, double max_norm, double norm_type) {
        const Unlocked unlocked(weight);
        renormalize_rows_(weight, input, max_norm, norm_type);
      },
      "weight"_a, "input"_a, "max_norm"_a, "norm_type"_a, nb::sig("def _renormalize_rows_(weight: Tensor, input: Tensor, max_norm: float, norm_type: float) -> None"),
      "Scales the rows that input names down to max_norm, in place.");
  m.def(
      "_embedding_bag",
      [](const Tensor& input, const Tensor& weight, const std::optional<Tensor>& offsets, bool scale_grad_by_freq,
         const std::string& mode, const std::optional<Tensor>& per_sample_weights, bool include_last_offset,
         std::optional<std::int64_t> padding_idx) {
        const BagMode how = mode == "sum"    ? BagMode::Sum
                            : mode == "mean" ? BagMode::Mean
                            : mode == "max"
                                ? BagMode::Max
                                : throw ValueError(fmt::format("embedding_bag: mode is '{}'; it must be 'sum', 'mean' or 'max'", mode));
        const Unlocked unlocked(weight);
        return embedding_bag(input, weight, {.mode = how,
                                             .offsets = offsets.value_or(Tensor()),
                                             .include_last_offset = include_last_offset,
                                             .weights = per_sample_weights.value_or(Tensor()),
                                             .padding_idx = padding_idx,
                                             .scale_grad_by_freq = scale_grad_by_freq});
      },
      "input"_a, "weight"_a, "offsets"_a.none(), "scale_grad_by_freq"_a, "mode"_a, "per_sample_weights"_a.none(),
      "include_last_offset"_a, "padding_idx"_a.none(), "luge.nn.functional.embedding_bag.");
}

}  // namespace luge::python
