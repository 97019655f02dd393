// What an operation costs beside its arithmetic: tensors of one element.

#include <benchmark/benchmark.h>

#include <luge/autograd/grad_mode.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>

#include "benchmarks.h"

namespace luge::bench {
namespace {

Tensor leaf() { return uniform({1}).requires_grad_(); }

template <class F>
void add_op(const char* name, bool taped, F op) {
  benchmark::RegisterBenchmark(name, [=](benchmark::State& state) {
    const Tensor a = taped ? leaf() : uniform({1}), b = taped ? leaf() : uniform({1});
    for (auto _ : state) benchmark::DoNotOptimize(op(a, b).impl());
  });
}

Tensor chain(Tensor x, int length) {
  for (int i = 0; i < length; ++i) x = x * 0.999;
  return x;
}

benchmark::Counter per(int count) {
  using benchmark::Counter;
  return Counter(count, static_cast<Counter::Flags>(Counter::kIsIterationInvariantRate | Counter::kInvert));
}

}  // namespace

void add_autograd() {
  const auto add = [](const Tensor& a, const Tensor& b) { return a + b; };
  const auto mul = [](const Tensor& a, const Tensor& b) { return a * b; };
  add_op("autograd/add/untaped", false, add);
  add_op("autograd/add/taped", true, add);
  add_op("autograd/mul/untaped", false, mul);
  add_op("autograd/matmul/untaped", false, [](const Tensor& a, const Tensor& b) { return a.matmul(b); });
  add_op("autograd/sum/untaped", false, [](const Tensor& a, const Tensor&) { return a.sum(); });
  add_op("autograd/mul/taped", true, mul);
  add_op("autograd/mul_number/taped", true, [](const Tensor& a, const Tensor&) { return 2 * a; });
  add_op("autograd/exp/taped", true, [](const Tensor& a, const Tensor&) { return exp(a); });
  add_op("autograd/sum/taped", true, [](const Tensor& a, const Tensor&) { return a.sum(); });
  add_op("autograd/view/taped", true, [](const Tensor& a, const Tensor&) { return a.view({1, 1}); });

  benchmark::RegisterBenchmark("autograd/chain_of_10/forward", [](benchmark::State& state) {
    const Tensor x = leaf();
    for (auto _ : state) benchmark::DoNotOptimize(chain(x, 10).impl());
    state.counters["per_op"] = per(10);
  });
  benchmark::RegisterBenchmark("autograd/chain_of_10/forward_backward", [](benchmark::State& state) {
    Tensor x = leaf();
    for (auto _ : state) {
      x.zero_grad();
      chain(x, 10).backward();
    }
    state.counters["per_op"] = per(10);
  });
  benchmark::RegisterBenchmark("autograd/chain_of_1000/backward", [](benchmark::State& state) {
    Tensor x = leaf();
    const Tensor y = chain(x, 1000);
    for (auto _ : state) {
      x.zero_grad();
      y.backward({}, true);
    }
    state.counters["per_node"] = per(1000);
  });
  benchmark::RegisterBenchmark("autograd/no_grad/mul", [](benchmark::State& state) {
    const Tensor a = leaf(), b = leaf();
    const NoGrad guard;
    for (auto _ : state) benchmark::DoNotOptimize((a * b).impl());
  });
}

}  // namespace luge::bench
