// The loss of several labels for each sample.

#include <luge/ops/multilabel_loss.h>

#include "layers.h"
#include "losses.h"

namespace luge::python {

void bind_multilabel_loss(nb::module_& m) {
  m.def(
      "_multilabel_margin_loss",
      [](const Tensor& input, const Tensor& target, const std::string& reduction) {
        const Reduction how = reduction_of("multilabel_margin_loss", reduction);
        const Unlocked unlocked(input);
        return multilabel_margin_loss(input, target, how);
      },
      "input"_a, "target"_a, "reduction"_a, "luge.nn.functional.multilabel_margin_loss.");
}

}  // namespace luge::python
