// Dropout: luge's functions, and what those of luge.nn.functional are made of.

#include <array>

#include <fmt/format.h>

#include <luge/ops/dropout.h>

#include "layers.h"
#include "one.h"

namespace luge::python {

namespace {

using Dropout = Tensor (*)(const Tensor&, double, bool, const std::optional<Draw>&);

struct Kind {
  const char* name;
  Dropout call;
  const char* text;
};

constexpr std::array<Kind, 4> kKinds{
    {{"dropout", &dropout,
      "Each element with probability `p` 0, else x / (1 - p); x itself unless `train`. Raises ValueError for a p outside [0, "
      "1], DTypeError.\n\n>>> luge.dropout(luge.ones(3), 0.5, False)\ntensor([1., 1., 1.])"},
     {"feature_dropout", &feature_dropout,
      "dropout of whole channels of (batch, channels, ...). Raises ShapeError for fewer than two dimensions.\n\n"
      ">>> luge.feature_dropout(luge.ones(1, 2), 1.0, True)\ntensor([[0., 0.]])"},
     {"alpha_dropout", &alpha_dropout,
      "dropout that keeps mean 0 and variance 1 of what selu gives; see dropout.\n\n"
      ">>> luge.alpha_dropout(luge.ones(2), 0.5, False)\ntensor([1., 1.])"},
     {"feature_alpha_dropout", &feature_alpha_dropout,
      "alpha_dropout of whole channels of (batch, channels, ...). Raises ShapeError for fewer than two dimensions.\n\n"
      ">>> luge.feature_alpha_dropout(luge.ones(1, 2), 0.5, False)\ntensor([[1., 1.]])"}}};

Tensor called(Dropout call, const Tensor& x, double p, bool train, const std::optional<Draw>& draw) {
  const Unlocked unlocked(x);
  return call(x, p, train, draw);
}

}  // namespace

void bind_dropout(nb::module_& m) {
  for (const Kind& kind : kKinds) {
    const auto [name, call, text] = kind;
    m.def(
        name,
        [call](const Tensor& x, double p, bool train) { return called(call, x, p, train, {}); }, "input"_a, "p"_a, "train"_a,
        text);
    const std::string changed = std::string(name) + "_";
    m.def(
        changed.c_str(),
        [name, call](nb::handle input, double p, bool train) {
          return in_place(name, input, {}, [&](const Tensor& x) { return called(call, x, p, train, {}); });
        },
        "input"_a, "p"_a, "train"_a, nb::sig(fmt::format("def {}(input: Tensor, p: float, train: bool) -> Tensor", changed).c_str()),
        "In place; returns the tensor itself.");
  }
  m.def(
      "_dropout",
      [](nb::handle input, const std::string& name, double p, bool train, bool inplace,
         std::optional<std::int64_t> first_set) -> nb::object {
        std::optional<Draw> draw;
        if (first_set) draw = Draw{.first_set = *first_set};
        for (const Kind& kind : kKinds)
          if (name == kind.name) {
            if (inplace)
              return in_place(kind.name, input, {}, [&](const Tensor& x) { return called(kind.call, x, p, train, draw); });
            return wrap(called(kind.call, as_tensor(input), p, train, draw));
          }
        throw ValueError("_dropout: no such kind");
      },
      "input"_a, "name"_a, "p"_a, "train"_a, "inplace"_a, "first_set"_a.none(),
      nb::sig("def _dropout(input: Tensor, name: str, p: float, train: bool, inplace: bool, first_set: int | None) -> Tensor"));
}

}  // namespace luge::python
