#pragma once
// Recurrent networks: one product of all steps with the input's weights, then step after step one with the state's.

#include <cstdint>
#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

/// Of one direction of one layer, with G numbers for each hidden one: 1, LSTM 4 (input, forget, cell, output gate), GRU 3
/// (reset, update, new).
///   weight_ih (G hidden, in), weight_hh (G hidden, out), bias_ih and bias_hh (G hidden)
///   weight_hr (out, hidden): of an LSTM, makes `out` numbers of the hidden ones; undefined: out = hidden
/// Each may have a leading axis of sets, all or none.
struct RecurrentWeights {
  Tensor weight_ih, weight_hh;
  Tensor bias_ih = {}, bias_hh = {}, weight_hr = {};  ///< undefined: none
};

struct RecurrentOptions {
  /// Every layer has a second direction, which reads the sequence from its end; outputs stand side by side.
  bool bidirectional = false;
  /// input (batch, steps, in) and output (batch, steps, out).
  bool batch_first = false;
  /// Probability with which an output of a layer but the last one is dropped while `training`.
  double dropout = 0;
  bool training = true;
  std::int64_t first_set = 0;  ///< outputs are dropped as those of the sets from this one on
};

struct Recurrent {
  Tensor output;  ///< of the last layer, step by step
  Tensor hidden;  ///< (layers x directions, batch, out): the state of each after its last step
  Tensor cell;    ///< of lstm(): (layers x directions, batch, hidden)
};

/// h' = tanh(W_ih x + b_ih + W_hh h + b_hh), from layer to layer.
///   input (steps, batch, in), or (steps, in) without a batch -> output (steps, batch, directions x out)
///   hidden (layers x directions, batch, out); undefined: zeros
/// `weights`: of layer after layer, each direction's. With sets the input may be the same for all or have the leading axis;
/// hidden has it, and so have the results. Throws ShapeError, also for a sequence without steps, DTypeError, ValueError.
Recurrent rnn_tanh(const Tensor& input, const Tensor& hidden, const std::vector<RecurrentWeights>& weights,
                   const RecurrentOptions& options = {});
/// The same with max(., 0).
Recurrent rnn_relu(const Tensor& input, const Tensor& hidden, const std::vector<RecurrentWeights>& weights,
                   const RecurrentOptions& options = {});
/// Gated recurrent units (Cho et al., 2014), with the reset gate behind the product:
///   r, z = sigmoid(.), n = tanh(W_in x + b_in + r (W_hn h + b_hn)), h' = (1 - z) n + z h
Recurrent gru(const Tensor& input, const Tensor& hidden, const std::vector<RecurrentWeights>& weights,
              const RecurrentOptions& options = {});
/// Long short-term memory (Hochreiter and Schmidhuber, 1997, with forget gates of Gers et al., 2000):
///   i, f, o = sigmoid(.), g = tanh(.), c' = f c + i g, h' = o tanh(c'), or weight_hr of that
Recurrent lstm(const Tensor& input, const Tensor& hidden, const Tensor& cell, const std::vector<RecurrentWeights>& weights,
               const RecurrentOptions& options = {});

/// One step: input (batch, in) or (in), the same of hidden, undefined: zeros. With sets as above.
Tensor rnn_tanh_cell(const Tensor& input, const Tensor& hidden, const RecurrentWeights& weights);
Tensor rnn_relu_cell(const Tensor& input, const Tensor& hidden, const RecurrentWeights& weights);
Tensor gru_cell(const Tensor& input, const Tensor& hidden, const RecurrentWeights& weights);
/// hidden and cell; without output.
Recurrent lstm_cell(const Tensor& input, const Tensor& hidden, const Tensor& cell, const RecurrentWeights& weights);

}  // namespace luge
