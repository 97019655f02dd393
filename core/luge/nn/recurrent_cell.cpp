#include <luge/nn/recurrent_cell.h>

#include <cmath>
#include <string>
#include <vector>

#include <luge/base/detail/check.h>

namespace luge::nn {

RecurrentCell::RecurrentCell(const char* kind, std::int64_t gates, Parameters& params, std::string_view name, std::int64_t input_size,
                             std::int64_t hidden_size, const RecurrentCellOptions& options)
    : relu_(options.relu) {
  LUGE_CHECK(ValueError, input_size >= 1 && hidden_size >= 1, "{} {}: input_size is {} and hidden_size {}; both must be 1 or more", kind,
             name, input_size, hidden_size);
  const Init start = init::uniform(-1 / std::sqrt(static_cast<double>(hidden_size)), 1 / std::sqrt(static_cast<double>(hidden_size)));
  const std::int64_t rows = gates * hidden_size;
  const std::string own(name);
  std::vector<ParameterSpec> specs{{own + ".weight_ih", {rows, input_size}, start}, {own + ".weight_hh", {rows, hidden_size}, start}};
  if (options.bias) {
    specs.push_back({own + ".bias_ih", {rows}, start});
    specs.push_back({own + ".bias_hh", {rows}, start});
  }
  const std::vector<Tensor> added = params.add(specs);
  weights_ = {.weight_ih = added[0], .weight_hh = added[1]};
  if (!options.bias) return;
  weights_.bias_ih = added[2];
  weights_.bias_hh = added[3];
}

RnnCell::RnnCell(Parameters& params, std::string_view name, std::int64_t input_size, std::int64_t hidden_size,
                 const RecurrentCellOptions& options)
    : RecurrentCell("RnnCell", 1, params, name, input_size, hidden_size, options) {}
Tensor RnnCell::operator()(const Tensor& input, const Tensor& hidden) const {
  return relu_ ? rnn_relu_cell(input, hidden, weights_) : rnn_tanh_cell(input, hidden, weights_);
}

LstmCell::LstmCell(Parameters& params, std::string_view name, std::int64_t input_size, std::int64_t hidden_size,
                   const RecurrentCellOptions& options)
    : RecurrentCell("LstmCell", 4, params, name, input_size, hidden_size, options) {}
Recurrent LstmCell::operator()(const Tensor& input, const Tensor& hidden, const Tensor& cell) const {
  return lstm_cell(input, hidden, cell, weights_);
}

GruCell::GruCell(Parameters& params, std::string_view name, std::int64_t input_size, std::int64_t hidden_size,
                 const RecurrentCellOptions& options)
    : RecurrentCell("GruCell", 3, params, name, input_size, hidden_size, options) {}
Tensor GruCell::operator()(const Tensor& input, const Tensor& hidden) const { return gru_cell(input, hidden, weights_); }

}  // namespace luge::nn
