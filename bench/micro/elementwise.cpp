// Every row of core/luge/math/op_table.h, forward and backward, on 64 MB and on a thousand elements.

#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "bandwidth.h"
#include "benchmarks.h"
#include "elementwise_rows.h"

namespace luge::bench {
namespace {

using Row = ElementwiseRow;

void forward(benchmark::State& state, const Row& row, std::int64_t n) {
  const std::vector<Tensor> inputs = draw(row, n);
  const Traffic traffic;
  for (auto _ : state) benchmark::DoNotOptimize(row.apply(inputs).data());
  const auto count = static_cast<double>(n);
  if (n == kLarge) traffic.report(state, Ceiling::Copy, count * forward_bytes(row));
}

void backward(benchmark::State& state, const Row& row, std::int64_t n) {
  std::vector<Tensor> inputs = draw(row, n);
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

}  // namespace

void add_elementwise() {
  for (const Row& row : elementwise_rows()) add_row(row);
}

}  // namespace luge::bench
