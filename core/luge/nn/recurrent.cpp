#include <luge/nn/recurrent.h>

#include <cmath>
#include <string>

#include <luge/base/detail/check.h>

namespace luge::nn {

RecurrentLayer::RecurrentLayer(const char* kind, std::int64_t gates, Parameters& params, std::string_view name, std::int64_t input_size,
                               std::int64_t hidden_size, const RecurrentLayerOptions& options)
    : options_(options), first_set_(params.options().first_set) {
  LUGE_CHECK(ValueError, input_size >= 1 && hidden_size >= 1 && options.num_layers >= 1,
             "{} {}: input_size is {}, hidden_size {} and num_layers {}; all must be 1 or more", kind, name, input_size, hidden_size,
             options.num_layers);
  LUGE_CHECK(ValueError, options.dropout >= 0 && options.dropout <= 1, "{} {}: dropout is {}; it must be from 0 to 1", kind, name,
             options.dropout);
  LUGE_CHECK(ValueError, options.proj_size == 0 || (gates == 4 && options.proj_size > 0 && options.proj_size < hidden_size),
             "{} {}: proj_size is {}; only an Lstm has one, which must be below hidden_size, {}", kind, name, options.proj_size, hidden_size);
  const std::int64_t directions = options.bidirectional ? 2 : 1, rows = gates * hidden_size,
                     out = options.proj_size == 0 ? hidden_size : options.proj_size;
  const double bound = 1 / std::sqrt(static_cast<double>(hidden_size));
  weights_.resize(static_cast<std::size_t>(options.num_layers * directions));
  std::vector<ParameterSpec> specs;
  std::vector<Tensor*> places;
  for (std::int64_t i = 0; i < options.num_layers * directions; ++i) {
    const std::string suffix = "_l" + std::to_string(i / directions) + (i % directions == 1 ? "_reverse" : "");
    RecurrentWeights& w = weights_[static_cast<std::size_t>(i)];
    const auto add = [&](const char* entry, Tensor& place, const Shape& shape) {
      specs.push_back({std::string(name) + "." + entry + suffix, shape, init::uniform(-bound, bound)});
      places.push_back(&place);
    };
    add("weight_ih", w.weight_ih, {rows, i < directions ? input_size : directions * out});
    add("weight_hh", w.weight_hh, {rows, out});
    if (options.bias) add("bias_ih", w.bias_ih, {rows});
    if (options.bias) add("bias_hh", w.bias_hh, {rows});
    if (options.proj_size > 0) add("weight_hr", w.weight_hr, {out, hidden_size});
  }
  const std::vector<Tensor> added = params.add(specs);
  for (std::size_t i = 0; i < added.size(); ++i) *places[i] = added[i];
}

RecurrentOptions RecurrentLayer::how(bool training) const {
  return {.bidirectional = options_.bidirectional,
          .batch_first = options_.batch_first,
          .dropout = options_.dropout,
          .training = training,
          .first_set = first_set_};
}

Rnn::Rnn(Parameters& params, std::string_view name, std::int64_t input_size, std::int64_t hidden_size, const RecurrentLayerOptions& options)
    : RecurrentLayer("Rnn", 1, params, name, input_size, hidden_size, options) {}
Recurrent Rnn::operator()(const Tensor& input, const Tensor& hidden, bool training) const {
  return options_.relu ? rnn_relu(input, hidden, weights_, how(training)) : rnn_tanh(input, hidden, weights_, how(training));
}

Lstm::Lstm(Parameters& params, std::string_view name, std::int64_t input_size, std::int64_t hidden_size, const RecurrentLayerOptions& options)
    : RecurrentLayer("Lstm", 4, params, name, input_size, hidden_size, options) {}
Recurrent Lstm::operator()(const Tensor& input, const Tensor& hidden, const Tensor& cell, bool training) const {
  return lstm(input, hidden, cell, weights_, how(training));
}

Gru::Gru(Parameters& params, std::string_view name, std::int64_t input_size, std::int64_t hidden_size, const RecurrentLayerOptions& options)
    : RecurrentLayer("Gru", 3, params, name, input_size, hidden_size, options) {}
Recurrent Gru::operator()(const Tensor& input, const Tensor& hidden, bool training) const {
  return gru(input, hidden, weights_, how(training));
}

}  // namespace luge::nn
