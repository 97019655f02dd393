#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <luge/ops/recurrent.h>
#include <luge/train/parameters.h>

namespace luge::nn {

struct RecurrentLayerOptions {
  std::int64_t num_layers = 1;
  bool bias = true;
  bool batch_first = false;
  double dropout = 0;             ///< between layers, while training
  bool bidirectional = false;
  std::int64_t proj_size = 0;     ///< of Lstm: size of its outputs; 0: the hidden size
  bool relu = false;              ///< of Rnn: max(., 0) instead of tanh
};

/// What the recurrent layers share. Parameters live in the arena by PyTorch's names, "name.weight_ih_l0",
/// "name.bias_hh_l1_reverse", ..., uniform within 1 / sqrt(hidden_size). See luge/ops/recurrent.h for shapes and errors.
class RecurrentLayer {
 public:
  const std::vector<RecurrentWeights>& weights() const { return weights_; }

 protected:
  /// Throws ValueError for sizes below 1, a dropout outside [0, 1], a proj_size that is not below hidden_size, and names in use.
  RecurrentLayer(const char* kind, std::int64_t gates, Parameters& params, std::string_view name, std::int64_t input_size,
                 std::int64_t hidden_size, const RecurrentLayerOptions& options);
  RecurrentOptions how(bool training) const;

  RecurrentLayerOptions options_;
  std::int64_t first_set_;
  std::vector<RecurrentWeights> weights_;
};

/// h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or max(., 0).
class Rnn : public RecurrentLayer {
 public:
  Rnn(Parameters& params, std::string_view name, std::int64_t input_size, std::int64_t hidden_size,
      const RecurrentLayerOptions& options = {});
  Recurrent operator()(const Tensor& input, const Tensor& hidden = {}, bool training = true) const;
};

/// Long short-term memory.
class Lstm : public RecurrentLayer {
 public:
  Lstm(Parameters& params, std::string_view name, std::int64_t input_size, std::int64_t hidden_size,
       const RecurrentLayerOptions& options = {});
  Recurrent operator()(const Tensor& input, const Tensor& hidden = {}, const Tensor& cell = {}, bool training = true) const;
};

/// Gated recurrent units.
class Gru : public RecurrentLayer {
 public:
  Gru(Parameters& params, std::string_view name, std::int64_t input_size, std::int64_t hidden_size,
      const RecurrentLayerOptions& options = {});
  Recurrent operator()(const Tensor& input, const Tensor& hidden = {}, bool training = true) const;
};

}  // namespace luge::nn
