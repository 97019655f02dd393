// Recurrent networks, one binding for each kind, which luge.nn's layers call.

#include <luge/ops/recurrent.h>

#include <fmt/format.h>

#include "layers.h"

namespace luge::python {

namespace {

using Given = std::optional<Tensor>;
/// weight_ih, weight_hh, bias_ih, bias_hh and weight_hr, of each direction of each layer.
using Lists = std::vector<std::vector<Given>>;

RecurrentWeights weights_of(const std::vector<Given>& given) {
  const auto at = [&](std::size_t i) { return i < given.size() ? given[i].value_or(Tensor()) : Tensor(); };
  return {at(0), at(1), at(2), at(3), at(4)};
}

Recurrent layers(const std::string& kind, const Tensor& input, const Given& hidden, const Given& cell, const Lists& lists,
                 bool bidirectional, bool batch_first, double dropout, bool training, std::int64_t first_set) {
  std::vector<RecurrentWeights> weights;
  for (const std::vector<Given>& list : lists) weights.push_back(weights_of(list));
  const RecurrentOptions options{
      .bidirectional = bidirectional, .batch_first = batch_first, .dropout = dropout, .training = training, .first_set = first_set};
  const Tensor h = hidden.value_or(Tensor()), c = cell.value_or(Tensor());
  const Unlocked unlocked(kQuick);
  if (kind == "LSTM") return lstm(input, h, c, weights, options);
  if (kind == "GRU") return gru(input, h, weights, options);
  return kind == "RNN_RELU" ? rnn_relu(input, h, weights, options) : rnn_tanh(input, h, weights, options);
}

Recurrent cells(const std::string& kind, const Tensor& input, const Given& hidden, const Given& cell, const std::vector<Given>& list) {
  const RecurrentWeights weights = weights_of(list);
  const Tensor h = hidden.value_or(Tensor()), c = cell.value_or(Tensor());
  const Unlocked unlocked(kQuick);
  if (kind == "LSTM") return lstm_cell(input, h, c, weights);
  if (kind == "GRU") return {{}, gru_cell(input, h, weights), {}};
  return {{}, kind == "RNN_RELU" ? rnn_relu_cell(input, h, weights) : rnn_tanh_cell(input, h, weights), {}};
}

}  // namespace

void bind_recurrent(nb::module_& m) {
  nb::module_ own = nb::borrow<nb::module_>(m.attr("_functional"));
  own.def(
      "_recurrent",
      [](const std::string& kind, const Tensor& input, const Given& hidden, const Given& cell, const Lists& weights, bool bidirectional,
         bool batch_first, double dropout, bool training, std::int64_t first_set) {
        Recurrent found = layers(kind, input, hidden, cell, weights, bidirectional, batch_first, dropout, training, first_set);
        return nb::make_tuple(wrap(std::move(found.output)), wrap(std::move(found.hidden)), wrap(std::move(found.cell)));
      },
      "kind"_a, "input"_a, "hidden"_a.none(), "cell"_a.none(), "weights"_a, "bidirectional"_a, "batch_first"_a, "dropout"_a, "training"_a,
      "first_set"_a = 0, "Output, hidden and cell of 'LSTM', 'GRU', 'RNN_TANH' or 'RNN_RELU'.");
  own.def(
      "_recurrent_cell",
      [](const std::string& kind, const Tensor& input, const Given& hidden, const Given& cell, const std::vector<Given>& weights) {
        Recurrent found = cells(kind, input, hidden, cell, weights);
        return nb::make_tuple(wrap(std::move(found.hidden)), wrap(std::move(found.cell)));
      },
      "kind"_a, "input"_a, "hidden"_a.none(), "cell"_a.none(), "weights"_a, "Hidden and cell after one step.");
}

}  // namespace luge::python
