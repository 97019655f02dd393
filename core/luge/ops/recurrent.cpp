#include <luge/ops/recurrent.h>

#include <luge/autograd/detail/autocast.h>
#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/activation.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/drop_factors.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/join.h>
#include <luge/ops/matmul.h>
#include <luge/ops/split.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

enum class Unit { Tanh, Relu, Lstm, Gru };

/// Numbers per hidden one.
std::int64_t gates_of(Unit unit) { return unit == Unit::Lstm ? 4 : unit == Unit::Gru ? 3 : 1; }

struct State {
  Tensor hidden, cell;
};

std::int64_t hidden_size(Unit unit, const RecurrentWeights& w) { return w.weight_ih.size(-2) / gates_of(unit); }
std::int64_t out_size(const RecurrentWeights& w) { return w.weight_hh.size(-1); }

/// W_ih x and what of the biases does not depend on the state: x (.., rows, in).
Tensor of_input(Unit unit, const Tensor& x, const RecurrentWeights& w) {
  if (!w.bias_ih.defined()) return linear(x, w.weight_ih);
  return linear(x, w.weight_ih, unit == Unit::Gru ? w.bias_ih : w.bias_ih + w.bias_hh);
}

/// `x` is of_input() of one step.
State step(Unit unit, const Tensor& x, const State& before, const RecurrentWeights& w) {
  const Tensor h = linear(before.hidden, w.weight_hh, unit == Unit::Gru ? w.bias_hh : Tensor());
  if (unit == Unit::Tanh) return {tanh(x + h), {}};
  if (unit == Unit::Relu) return {relu(x + h), {}};
  const std::int64_t size = hidden_size(unit, w);
  const auto part = [&](const Tensor& all, std::int64_t from, std::int64_t count = 1) {
    return all.slice(-1, from * size, (from + count) * size);
  };
  if (unit == Unit::Gru) {
    const Tensor gates = sigmoid(part(x, 0, 2) + part(h, 0, 2));
    const Tensor fresh = tanh(part(x, 2) + part(gates, 0) * part(h, 2));
    return {fresh + part(gates, 1) * (before.hidden - fresh), {}};
  }
  const Tensor all = x + h;
  const Tensor first = sigmoid(part(all, 0, 2)), fresh = tanh(part(all, 2)), open = sigmoid(part(all, 3));
  const Tensor cell = part(first, 1) * before.cell + part(first, 0) * fresh;
  const Tensor hidden = open * tanh(cell);
  return {w.weight_hr.defined() ? linear(hidden, w.weight_hr) : hidden, cell};
}

// ---- arguments ----------------------------------------------------------------------------------

void check_weight(const char* op, const char* name_of_weight, const Tensor& weight, const RecurrentWeights& w, const Shape& shape) {
  Shape expected = shape;
  if (w.weight_ih.ndim() == 3) expected.insert(0, w.weight_ih.size(0));
  LUGE_CHECK(ShapeError, weight.shape() == expected, "{}: {} has shape {}; beside a weight_ih of {} it must be {}", op,
             name_of_weight, to_string(weight.shape()), to_string(w.weight_ih.shape()), to_string(expected));
  LUGE_CHECK(DTypeError, weight.dtype() == w.weight_ih.dtype(), "{}: {} is {} and weight_ih is {}; both must be of one dtype", op,
             name_of_weight, name(weight.dtype()), name(w.weight_ih.dtype()));
}

void check_weights(const char* op, Unit unit, const RecurrentWeights& w, std::int64_t in) {
  const std::int64_t gates = gates_of(unit);
  checked(w.weight_ih, op, "weight_ih");
  checked(w.weight_hh, op, "weight_hh");
  const int ndim = w.weight_ih.ndim();
  LUGE_CHECK(ShapeError, (ndim == 2 || ndim == 3) && w.weight_ih.size(-2) > 0 && w.weight_ih.size(-2) % gates == 0,
             "{}: weight_ih has shape {}; it must be ({} x hidden, in), or that with sets before it", op,
             to_string(w.weight_ih.shape()), gates);
  const std::int64_t hidden = hidden_size(unit, w), rows = gates * hidden;
  LUGE_CHECK(ShapeError, w.weight_ih.size(-1) == in, "{}: weight_ih has shape {}; what it is to be multiplied by has {} numbers", op,
             to_string(w.weight_ih.shape()), in);
  LUGE_CHECK(DTypeError, is_floating(w.weight_ih.dtype()), "{}: weight_ih is {}; allowed are the floating dtypes", op,
             name(w.weight_ih.dtype()));
  LUGE_CHECK(ValueError, w.bias_ih.defined() == w.bias_hh.defined(), "{}: one of bias_ih and bias_hh is missing", op);
  LUGE_CHECK(ValueError, !w.weight_hr.defined() || unit == Unit::Lstm, "{}: weight_hr is given, which only an lstm has", op);
  const std::int64_t out = w.weight_hr.defined() && w.weight_hr.ndim() >= 2 ? w.weight_hr.size(-2) : hidden;
  check_weight(op, "weight_hh", w.weight_hh, w, {rows, out});
  if (w.weight_hr.defined()) check_weight(op, "weight_hr", w.weight_hr, w, {out, hidden});
  if (w.bias_ih.defined()) check_weight(op, "bias_ih", w.bias_ih, w, {rows});
  if (w.bias_hh.defined()) check_weight(op, "bias_hh", w.bias_hh, w, {rows});
}

void check_input(const char* op, const Tensor& input, const Tensor& weight) {
  LUGE_CHECK(DTypeError, input.dtype() == weight.dtype(), "{}: input is {} and the weights are {}; both must be of one dtype", op,
             name(input.dtype()), name(weight.dtype()));
  LUGE_CHECK(DeviceError, input.device() == weight.device(), "{}: input is on {} and the weights on {}; bring them together with to()",
             op, to_string(input.device()), to_string(weight.device()));
}

/// A state of this shape: the one that is given, or zeros.
Tensor state_of(const char* op, const char* argument, const Tensor& given, const Shape& shape, const Tensor& like) {
  if (!given.defined()) return zeros(shape, {.dtype = like.dtype(), .device = like.device()});
  LUGE_CHECK(ShapeError, given.shape() == shape, "{}: {} has shape {}; it must be {}", op, argument, to_string(given.shape()),
             to_string(shape));
  LUGE_CHECK(DTypeError, given.dtype() == like.dtype(), "{}: {} is {} and input is {}; both must be of one dtype", op, argument,
             name(given.dtype()), name(like.dtype()));
  LUGE_CHECK(DeviceError, given.device() == like.device(), "{}: {} is on {} and input on {}; bring them together with to()", op,
             argument, to_string(given.device()), to_string(like.device()));
  return given;
}

// ---- layers -------------------------------------------------------------------------------------

/// (..., a, b, n) as rows (..., a b, n), and back with other numbers.
Tensor as_rows(const Tensor& x) {
  Shape shape = x.shape();
  shape[x.ndim() - 2] *= shape[x.ndim() - 3];
  shape.erase(x.ndim() - 3);
  return x.reshape(shape);
}
Tensor as_steps(const Tensor& rows, std::int64_t steps, std::int64_t batch) {
  Shape shape = rows.shape();
  shape[rows.ndim() - 2] = batch;
  shape.insert(rows.ndim() - 2, steps);
  return rows.reshape(shape);
}

Tensor dropped(const Tensor& x, double p, bool sets, std::int64_t first_set) {
  if (p == 1) return x * 0;
  const Tensor kept = no_grad([&] { return drop_factors(x, p, sets, first_set); });
  return x * kept;
}

/// What one direction gives for x (.., steps, batch, in), and its state after the last step.
Tensor one_direction(Unit unit, const Tensor& x, const RecurrentWeights& w, bool reverse, State& state) {
  const std::int64_t steps = x.size(-3), batch = x.size(-2);
  const Tensor products = as_steps(of_input(unit, as_rows(x), w), steps, batch);
  const int time = products.ndim() - 3;
  std::vector<Tensor> outputs(static_cast<std::size_t>(steps));
  for (std::int64_t i = 0; i < steps; ++i) {
    const std::int64_t t = reverse ? steps - 1 - i : i;
    state = step(unit, products.select(time, t), state, w);
    outputs[static_cast<std::size_t>(t)] = state.hidden;
  }
  return stack(outputs, time);
}

/// As autocast has it.
RecurrentWeights cast(const RecurrentWeights& w) {
  return {autocast_low(w.weight_ih), autocast_low(w.weight_hh), autocast_low(w.bias_ih), autocast_low(w.bias_hh),
          autocast_low(w.weight_hr)};
}

Recurrent run(const char* op, Unit unit, const Tensor& given_input, const Tensor& given_hidden, const Tensor& given_cell,
              const std::vector<RecurrentWeights>& given, const RecurrentOptions& options) {
  const Operation called(op);
  checked(given_input, op);
  const Tensor input = autocast_low(given_input), hidden = autocast_low(given_hidden), cell = autocast_low(given_cell);
  std::vector<RecurrentWeights> weights;
  for (const RecurrentWeights& one : given) weights.push_back(cast(one));
  const std::size_t directions = options.bidirectional ? 2 : 1;
  LUGE_CHECK(ValueError, !weights.empty() && weights.size() % directions == 0,
             "{}: {} weights are given; there must be {} for each layer", op, weights.size(), directions);
  LUGE_CHECK(ValueError, options.dropout >= 0 && options.dropout <= 1, "{}: dropout is {}; it must be from 0 to 1", op, options.dropout);
  checked(weights[0].weight_ih, op, "weight_ih");
  const bool sets = weights[0].weight_ih.ndim() == 3, own = sets && input.ndim() == 4, unbatched = input.ndim() == 2;
  const std::int64_t in = weights[0].weight_ih.size(-1);
  LUGE_CHECK(ShapeError, (unbatched || input.ndim() == 3 || own) && input.shape().back() == in,
             "{}: input has shape {}; allowed are ({}, {}) and (steps, {}){}", op, to_string(input.shape()),
             options.batch_first ? "batch, steps" : "steps, batch", in, in, sets ? ", or the first with sets before it" : "");
  LUGE_CHECK(ShapeError, !own || input.size(0) == weights[0].weight_ih.size(0), "{}: input has shape {} and weight_ih {}; the sets must be as many",
             op, to_string(input.shape()), to_string(weights[0].weight_ih.shape()));
  check_input(op, input, weights[0].weight_ih);
  const std::int64_t out = weights[0].weight_hh.defined() ? out_size(weights[0]) : 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    check_weights(op, unit, weights[i], i < directions ? in : static_cast<std::int64_t>(directions) * out);
    LUGE_CHECK(ShapeError, out_size(weights[i]) == out && hidden_size(unit, weights[i]) == hidden_size(unit, weights[0]) &&
                   weights[i].weight_ih.ndim() == weights[0].weight_ih.ndim(),
               "{}: weight_hh of layer {} has shape {} and that of the first {}; all layers must be of one size", op, i / directions,
               to_string(weights[i].weight_hh.shape()), to_string(weights[0].weight_hh.shape()));
  }

  Tensor x = input;
  if (unbatched)
    x = x.unsqueeze(1);
  else if (options.batch_first)
    x = x.transpose(-2, -3);
  LUGE_CHECK(ShapeError, x.size(-3) > 0, "{}: input has shape {}; there must be a step", op, to_string(input.shape()));
  const int at = sets ? 1 : 0;  // the dimension of layers and directions
  const auto shape_of = [&](std::int64_t size) {
    Shape shape;
    if (sets) shape.push_back(weights[0].weight_ih.size(0));
    shape.push_back(static_cast<std::int64_t>(weights.size()));
    if (!unbatched) shape.push_back(x.size(-2));
    shape.push_back(size);
    return shape;
  };
  Tensor hiddens = state_of(op, "hidden", hidden, shape_of(out), x), cells;
  if (unit == Unit::Lstm) cells = state_of(op, "cell", cell, shape_of(hidden_size(unit, weights[0])), x);
  if (unbatched) {
    hiddens = hiddens.unsqueeze(-2);
    if (cells.defined()) cells = cells.unsqueeze(-2);
  }

  std::vector<Tensor> last_hiddens, last_cells;
  for (std::size_t first = 0; first < weights.size(); first += directions) {
    std::vector<Tensor> outputs;
    for (std::size_t d = 0; d < directions; ++d) {
      const auto index = static_cast<std::int64_t>(first + d);
      State state{hiddens.select(at, index), cells.defined() ? cells.select(at, index) : Tensor()};
      outputs.push_back(one_direction(unit, x, weights[first + d], d == 1, state));
      last_hiddens.push_back(state.hidden);
      if (cells.defined()) last_cells.push_back(state.cell);
    }
    x = directions == 1 ? outputs[0] : cat(outputs, -1);
    if (options.training && options.dropout > 0 && first + directions < weights.size()) x = dropped(x, options.dropout, sets, options.first_set);
  }
  Recurrent result{x, stack(last_hiddens, at), cells.defined() ? stack(last_cells, at) : Tensor()};
  if (unbatched) {
    result = {x.squeeze(-2), result.hidden.squeeze(-2), result.cell.defined() ? result.cell.squeeze(-2) : Tensor()};
  } else if (options.batch_first) {
    result.output = x.transpose(-2, -3);
  }
  return result;
}

Recurrent run_cell(const char* op, Unit unit, const Tensor& given_input, const Tensor& given_hidden, const Tensor& given_cell,
                   const RecurrentWeights& given) {
  const Operation called(op);
  checked(given_input, op);
  const Tensor input = autocast_low(given_input), hidden = autocast_low(given_hidden), cell = autocast_low(given_cell);
  const RecurrentWeights w = cast(given);
  checked(w.weight_ih, op, "weight_ih");
  const bool sets = w.weight_ih.ndim() == 3, own = sets && input.ndim() == 3, unbatched = input.ndim() == 1;
  const std::int64_t in = w.weight_ih.size(-1);
  LUGE_CHECK(ShapeError, (unbatched || input.ndim() == 2 || own) && input.shape().back() == in,
             "{}: input has shape {}; allowed are (batch, {}) and ({}){}", op, to_string(input.shape()), in, in,
             sets ? ", or the first with sets before it" : "");
  LUGE_CHECK(ShapeError, !own || input.size(0) == w.weight_ih.size(0), "{}: input has shape {} and weight_ih {}; the sets must be as many",
             op, to_string(input.shape()), to_string(w.weight_ih.shape()));
  check_input(op, input, w.weight_ih);
  check_weights(op, unit, w, in);
  const Tensor x = unbatched ? input.unsqueeze(0) : input;
  const auto shape_of = [&](std::int64_t size) {
    Shape shape;
    if (sets) shape.push_back(w.weight_ih.size(0));
    if (!unbatched) shape.push_back(x.size(-2));
    shape.push_back(size);
    return shape;
  };
  State state{state_of(op, "hidden", hidden, shape_of(out_size(w)), x), {}};
  if (unit == Unit::Lstm) state.cell = state_of(op, "cell", cell, shape_of(hidden_size(unit, w)), x);
  if (unbatched) {
    state.hidden = state.hidden.unsqueeze(-2);
    if (state.cell.defined()) state.cell = state.cell.unsqueeze(-2);
  }
  state = step(unit, of_input(unit, x, w), state, w);
  if (!unbatched) return {{}, state.hidden, state.cell};
  return {{}, state.hidden.squeeze(-2), state.cell.defined() ? state.cell.squeeze(-2) : Tensor()};
}

}  // namespace

Recurrent rnn_tanh(const Tensor& input, const Tensor& hidden, const std::vector<RecurrentWeights>& weights,
                   const RecurrentOptions& options) {
  return run("rnn_tanh", Unit::Tanh, input, hidden, {}, weights, options);
}
Recurrent rnn_relu(const Tensor& input, const Tensor& hidden, const std::vector<RecurrentWeights>& weights,
                   const RecurrentOptions& options) {
  return run("rnn_relu", Unit::Relu, input, hidden, {}, weights, options);
}
Recurrent gru(const Tensor& input, const Tensor& hidden, const std::vector<RecurrentWeights>& weights, const RecurrentOptions& options) {
  return run("gru", Unit::Gru, input, hidden, {}, weights, options);
}
Recurrent lstm(const Tensor& input, const Tensor& hidden, const Tensor& cell, const std::vector<RecurrentWeights>& weights,
               const RecurrentOptions& options) {
  return run("lstm", Unit::Lstm, input, hidden, cell, weights, options);
}

Tensor rnn_tanh_cell(const Tensor& input, const Tensor& hidden, const RecurrentWeights& weights) {
  return run_cell("rnn_tanh_cell", Unit::Tanh, input, hidden, {}, weights).hidden;
}
Tensor rnn_relu_cell(const Tensor& input, const Tensor& hidden, const RecurrentWeights& weights) {
  return run_cell("rnn_relu_cell", Unit::Relu, input, hidden, {}, weights).hidden;
}
Tensor gru_cell(const Tensor& input, const Tensor& hidden, const RecurrentWeights& weights) {
  return run_cell("gru_cell", Unit::Gru, input, hidden, {}, weights).hidden;
}
Recurrent lstm_cell(const Tensor& input, const Tensor& hidden, const Tensor& cell, const RecurrentWeights& weights) {
  return run_cell("lstm_cell", Unit::Lstm, input, hidden, cell, weights);
}

}  // namespace luge
