// A training step of the MLP 784-256-10 at batch 64, and the optimizers on ten million parameters.

#include <fmt/format.h>

#include <luge/nn/linear.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/loss.h>
#include <luge/train/init.h>
#include <luge/train/optimizer.h>
#include <luge/train/parameters.h>

#include "bandwidth.h"
#include "benchmarks.h"

namespace luge::bench {
namespace {

/// Multiplications and additions of one sample, forward, backward to the weights and to the hidden layer.
constexpr double kMlpFlops = 64 * 2.0 * (2 * 784 * 256 + 3 * 256 * 10);

template <class Optimizer>
void mlp_step(benchmark::State& state) {
  Parameters params;
  const nn::Linear hidden(params, "hidden", 784, 256), output(params, "output", 256, 10);
  Optimizer optimizer(params, {.lr = 1e-3});
  const Tensor images = uniform({64, 784}, 0, 1), labels = randint(0, 10, {64});
  for (auto _ : state) {
    optimizer.zero_grad();
    const Tensor loss = cross_entropy(output(relu(hidden(images))), labels);
    loss.backward();
    optimizer.step();
  }
  state.counters["flop/s"] = benchmark::Counter(kMlpFlops, benchmark::Counter::kIsIterationInvariantRate);
}

/// Only the update: the gradient of the first backward stays.
template <class Optimizer, class Options>
void update(benchmark::State& state, std::int64_t n, Options options, double bytes) {
  Parameters params;
  const Tensor p = params.add("p", {n}, init::uniform(-1, 1));
  Optimizer optimizer(params, options);
  square(p).sum().backward();
  const Traffic traffic;
  for (auto _ : state) optimizer.step();
  traffic.report(state, Ceiling::Copy, bytes * static_cast<double>(n));
}

template <class Optimizer, class Options>
void add_update(const char* name, Options options, double bytes) {
  constexpr std::int64_t n = 10'000'000;
  benchmark::RegisterBenchmark(fmt::format("optimizer/{}/{}", name, n).c_str(), [=](benchmark::State& state) {
    update<Optimizer>(state, n, options, bytes);
  })->UseRealTime();
}

}  // namespace

void add_training() {
  benchmark::RegisterBenchmark("mlp/784-256-10/batch_64/sgd", mlp_step<Sgd>)->UseRealTime();
  benchmark::RegisterBenchmark("mlp/784-256-10/batch_64/adam", mlp_step<Adam>)->UseRealTime();
  add_update<Sgd>("sgd", SgdOptions{.lr = 1e-6}, 12);
  add_update<Sgd>("sgd_momentum", SgdOptions{.lr = 1e-6, .momentum = 0.9}, 20);
  add_update<Adam>("adam", AdamOptions{.lr = 1e-6}, 28);
  add_update<AdamW>("adamw", AdamWOptions{.lr = 1e-6}, 28);
}

}  // namespace luge::bench
