// Losses.

#include <fmt/format.h>

#include "losses.h"

namespace luge::python {

Reduction reduction_of(const char* op, const std::string& text) {
  if (text == "mean") return Reduction::Mean;
  if (text == "sum") return Reduction::Sum;
  if (text == "none") return Reduction::None;
  if (text == "per_set") return Reduction::PerSet;
  throw ValueError(fmt::format("{}: reduction is '{}'; it must be 'mean', 'sum', 'none' or 'per_set'", op, text));
}

void bind_losses(nb::module_& m) {
  m.def(
      "cross_entropy",
      [](const Tensor& input, const Tensor& target, const std::optional<Tensor>& weight,
         std::optional<std::int64_t> ignore_index, const std::string& reduction, double label_smoothing) {
        // PyTorch's default of -100: what is given is looked at where a label is out of range, if labels can be read.
        const bool labels = !is_floating(target.dtype());
        if (labels && !ignore_index && (observer || input.device().is_cuda())) ignore_index = -100;
        CrossEntropyOptions options{.weight = weight.value_or(Tensor()),
                                    .ignore_index = labels || ignore_index.value_or(0) >= 0 ? ignore_index : std::nullopt,
                                    .label_smoothing = label_smoothing,
                                    .reduction = reduction_of("cross_entropy", reduction)};
        const Unlocked unlocked(input);
        try {
          return cross_entropy(input, target, options);
        } catch (const IndexError&) {
          if (options.ignore_index) throw;
          options.ignore_index = -100;
          return cross_entropy(input, target, options);
        }
      },
      "input"_a, "target"_a, "weight"_a = nb::none(), nb::kw_only(), "ignore_index"_a = nb::none(),
      "reduction"_a = "mean", "label_smoothing"_a = 0.0,
      "-log(softmax(input)[target]). Classes are dimension 1 of the logits (batch, classes, ...), dimension 0 of logits "
      "(classes).\n\n`target` holds labels, int64 or int32, of the logits' shape without the classes, or probabilities "
      "of the classes, of the logits' shape and dtype; nothing broadcasts. With reduction='per_set' a dimension of sets "
      "comes before all that, (sets, batch, classes, ...), and a target without it serves all sets.\n\n`weight`: one "
      "for each class. `ignore_index`: samples of this label count for nothing, without one those of -100; other labels outside "
      "[0, classes) raise IndexError on the CPU; in a captured step and on a GPU their loss is NaN. `label_smoothing`: the part of the target "
      "that is spread over all classes. `reduction` as in mse_loss.\n\n"
      ">>> luge.nn.functional.cross_entropy(luge.zeros(1, 2), luge.tensor([1]))\ntensor(0.6931)");
}

}  // namespace luge::python
