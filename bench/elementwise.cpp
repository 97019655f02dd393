// Every row of kernels/math/rows.h, forward and backward, on 64 MB and on a thousand elements.

#include <functional>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <luge/math/elementwise.h>
#include <luge/op.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>

#include "bandwidth.h"
#include "benchmarks.h"

namespace luge::bench {
namespace {

using Inputs = std::vector<Tensor>;

struct Row {
  Op op;
  int inputs;                    ///< values, not counting a condition
  double low, high;              ///< where the formula's inputs are drawn from
  int saves;
  bool differentiable, gives_bool;
  std::function<Tensor(const Inputs&)> apply;
};

DType input_dtype(const Row& row) { return accepted(row.op) == DTypes::Logical ? boolean : float32; }

Inputs draw(const Row& row, std::int64_t n) {
  Inputs inputs;
  if (row.op == Op::Where) inputs.push_back(rand({n}) < 0.5);
  for (int i = 0; i < row.inputs; ++i) inputs.push_back(uniform({n}, row.low, row.high).to(input_dtype(row)));
  return inputs;
}

double size(DType dtype) { return static_cast<double>(size_of(dtype)); }

double forward_bytes(const Row& row) {
  const double condition = row.op == Op::Where ? 1 : 0;
  return condition + row.inputs * size(input_dtype(row)) + (row.gives_bool ? 1 : 4);
}

/// Gradient of the output and what was saved are read, a gradient per input is written. add and sub
/// save nothing: they hand the gradient on, and a leaf takes a copy.
double backward_bytes(const Row& row) {
  if (row.op == Op::Add || row.op == Op::Sub) return 16;
  const int saved = (row.saves & math::scalar::kSavesInputs ? row.inputs : 0) + (row.saves & math::scalar::kSavesOutput ? 1 : 0);
  if (row.op == Op::Where) return 4 + 1 + 8;
  return 4 * (1 + saved + row.inputs);
}

void forward(benchmark::State& state, const Row& row, std::int64_t n) {
  const Inputs inputs = draw(row, n);
  const Traffic traffic;
  for (auto _ : state) benchmark::DoNotOptimize(row.apply(inputs).data());
  const auto count = static_cast<double>(n);
  if (n == kLarge) traffic.report(state, Ceiling::Copy, count * forward_bytes(row));
}

void backward(benchmark::State& state, const Row& row, std::int64_t n) {
  Inputs inputs = draw(row, n);
  const std::span<Tensor> values = std::span(inputs).subspan(row.op == Op::Where ? 1 : 0);
  for (Tensor& value : values) value.requires_grad_();
  const Tensor result = row.apply(inputs);
  const Tensor gradient = uniform({n});
  const Traffic traffic;
  for (auto _ : state) {
    for (Tensor& value : values) value.zero_grad();
    result.backward(gradient, true);
  }
  const auto count = static_cast<double>(n);
  if (n == kLarge) traffic.report(state, Ceiling::Copy, count * backward_bytes(row));
}

void add_row(const Row& row) {
  for (const std::int64_t n : {kLarge, kSmall}) {
    const auto add = [&](const char* direction, auto run) {
      const std::string name = fmt::format("elementwise/{}/{}/{}", luge::name(row.op), direction, n);
      benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { run(state, row, n); })->UseRealTime();
    };
    add("forward", forward);
    if (row.differentiable) add("backward", backward);
  }
}

template <class F>
Row row_of(Op op, int inputs, bool differentiable, std::function<Tensor(const Inputs&)> apply) {
  const bool gives_bool = op >= Op::Equal && op <= Op::IsFinite;
  return {op, inputs, F::kLow, F::kHigh, F::kSaves, differentiable, gives_bool, std::move(apply)};
}

}  // namespace

void add_elementwise() {
#define LUGE_ROW(function, Formula, ...) \
  add_row(row_of<math::scalar::Formula>(Op::Formula, 1, true, [](const Inputs& x) { return luge::function(x[0]); }));
  LUGE_UNARY_ROWS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, ...) \
  add_row(row_of<math::scalar::Formula>(Op::Formula, 1, true, [](const Inputs& x) {                       \
    return unary_with_parameters(Op::Formula, x[0], {0.5, 1.5});                                          \
  }));
  LUGE_UNARY_PARAMETER_ROWS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, ...) \
  add_row(row_of<math::scalar::Formula>(Op::Formula, 2, true, [](const Inputs& x) { return luge::function(x[0], x[1]); }));
  LUGE_BINARY_ROWS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, ...) \
  add_row(row_of<math::scalar::Formula>(Op::Formula, 2, false, [](const Inputs& x) { return luge::function(x[0], x[1]); }));
  LUGE_COMPARE_ROWS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, ...) \
  add_row(row_of<math::scalar::Formula>(Op::Formula, 1, false, [](const Inputs& x) { return luge::function(x[0]); }));
  LUGE_TEST_ROWS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, ...)                                                      \
  add_row(row_of<math::scalar::Formula>(Op::Formula, 2, true, [](const Inputs& x) {           \
    return luge::function(x[0], x[1], x[2]);                                                  \
  }));
  LUGE_WHERE_ROWS(LUGE_ROW)
#undef LUGE_ROW
}

}  // namespace luge::bench
