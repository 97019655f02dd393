#pragma once

#include <cstdint>
#include <string_view>

#include <luge/ops/recurrent.h>
#include <luge/train/parameters.h>

namespace luge::nn {

struct RecurrentCellOptions {
  bool bias = true;
  bool relu = false;  ///< of RnnCell: max(., 0) instead of tanh
};

/// What single steps of recurrent networks share. Parameters "name.weight_ih", "name.weight_hh", "name.bias_ih" and "name.bias_hh",
/// uniform within 1 / sqrt(hidden_size).
///   ordinary Parameters   input (batch, in) or (in), state (batch, hidden) or (hidden), undefined: zeros -> the next state
///   Parameters with sets  input the same for all sets, or (sets, ...); the state has the sets, and so has the next one
class RecurrentCell {
 public:
  const RecurrentWeights& weights() const { return weights_; }

 protected:
  /// Throws ValueError for sizes below 1 and names in use; then nothing has been added.
  RecurrentCell(const char* kind, std::int64_t gates, Parameters& params, std::string_view name, std::int64_t input_size,
                std::int64_t hidden_size, const RecurrentCellOptions& options);

  bool relu_;
  RecurrentWeights weights_;
};

/// A step of Rnn. All throw ShapeError, DTypeError.
class RnnCell : public RecurrentCell {
 public:
  RnnCell(Parameters& params, std::string_view name, std::int64_t input_size, std::int64_t hidden_size,
          const RecurrentCellOptions& options = {});
  Tensor operator()(const Tensor& input, const Tensor& hidden = {}) const;
};

/// A step of Lstm: hidden and cell of what it gives; there is no output.
class LstmCell : public RecurrentCell {
 public:
  LstmCell(Parameters& params, std::string_view name, std::int64_t input_size, std::int64_t hidden_size,
           const RecurrentCellOptions& options = {});
  Recurrent operator()(const Tensor& input, const Tensor& hidden = {}, const Tensor& cell = {}) const;
};

/// A step of Gru.
class GruCell : public RecurrentCell {
 public:
  GruCell(Parameters& params, std::string_view name, std::int64_t input_size, std::int64_t hidden_size,
          const RecurrentCellOptions& options = {});
  Tensor operator()(const Tensor& input, const Tensor& hidden = {}) const;
};

}  // namespace luge::nn
