// A training step of the MLP 784-256-10 at batch 64, eager and captured, and the optimizers on ten million
// parameters.

#include <cblas.h>
#include <fmt/format.h>

#include <luge/capture/step.h>
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
struct Mlp {
  Mlp() : hidden(params, "hidden", 784, 256), output(params, "output", 256, 10), optimizer(params, {.lr = 1e-3}) {}

  Tensor step() {
    optimizer.zero_grad();
    Tensor loss = cross_entropy(output(relu(hidden(images))), labels);
    loss.backward();
    optimizer.step();
    return loss;
  }

  Parameters params;
  nn::Linear hidden, output;
  Optimizer optimizer;
  Tensor images = uniform({64, 784}, 0, 1), labels = randint(0, 10, {64});
};

template <class Optimizer>
void mlp_step(benchmark::State& state) {
  Mlp<Optimizer> mlp;
  for (auto _ : state) benchmark::DoNotOptimize(mlp.step());
  state.counters["flop/s"] = benchmark::Counter(kMlpFlops, benchmark::Counter::kIsIterationInvariantRate);
}

template <class Optimizer>
void mlp_captured(benchmark::State& state) {
  Mlp<Optimizer> mlp;
  auto step = capture([&] { return mlp.step(); });
  step();
  for (auto _ : state) benchmark::DoNotOptimize(step());
  state.counters["flop/s"] = benchmark::Counter(kMlpFlops, benchmark::Counter::kIsIterationInvariantRate);
}

/// Recording, fusing, planning and compiling, and the eager step that they begin with.
void mlp_capture(benchmark::State& state) {
  Mlp<Sgd> mlp;
  for (auto _ : state) {
    auto step = capture([&] { return mlp.step(); });
    benchmark::DoNotOptimize(step());
  }
}

/// The five matrix products of the step and nothing else, by the BLAS that luge uses.
void mlp_products(benchmark::State& state) {
  constexpr int kBatch = 64, kIn = 784, kHidden = 256, kOut = 10;
  const Tensor images = uniform({kBatch, kIn}), first = uniform({kHidden, kIn}), second = uniform({kOut, kHidden}),
               hidden = uniform({kBatch, kHidden}), logits = uniform({kBatch, kOut}), first_gradient = uniform({kHidden, kIn}),
               second_gradient = uniform({kOut, kHidden}), hidden_gradient = uniform({kBatch, kHidden});
  const auto at = [](const Tensor& tensor) { return static_cast<float*>(tensor.data()); };
  const auto product = [&](CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, const Tensor& a, int lda, const Tensor& b,
                           int ldb, const Tensor& c) {
    cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1.0F, at(a), lda, at(b), ldb, 0.0F, at(c), n);
  };
  for (auto _ : state) {
    product(CblasNoTrans, CblasTrans, kBatch, kHidden, kIn, images, kIn, first, kIn, hidden);
    product(CblasNoTrans, CblasTrans, kBatch, kOut, kHidden, hidden, kHidden, second, kHidden, logits);
    product(CblasTrans, CblasNoTrans, kOut, kHidden, kBatch, logits, kOut, hidden, kHidden, second_gradient);
    product(CblasNoTrans, CblasNoTrans, kBatch, kHidden, kOut, logits, kOut, second, kHidden, hidden_gradient);
    product(CblasTrans, CblasNoTrans, kHidden, kIn, kBatch, hidden_gradient, kHidden, images, kIn, first_gradient);
    benchmark::ClobberMemory();
  }
  state.counters["flop/s"] = benchmark::Counter(kMlpFlops, benchmark::Counter::kIsIterationInvariantRate);
}

/// What a replay costs beside the work of its calls.
void twenty_calls(benchmark::State& state, bool captured) {
  const Tensor x = uniform({1}, 1, 2);
  const auto body = [&] {
    Tensor y = x;
    for (int i = 0; i < 10; ++i) y = (y + 0.5) * x;
    return y;
  };
  auto step = capture(body);
  step();
  if (captured)
    for (auto _ : state) benchmark::DoNotOptimize(step());
  else
    for (auto _ : state) benchmark::DoNotOptimize(body());
}

/// Curve fits y = a exp(-x / t) + c on 50 points each, all at once.
struct CurveFits {
  static constexpr std::int64_t kPoints = 50;

  explicit CurveFits(std::int64_t sets)
      : params({.sets = sets}),
        a(params.add("a", {1}, init::uniform(0.5, 2))),
        t(params.add("t", {1}, init::uniform(0.5, 2))),
        c(params.add("c", {1}, init::uniform(-0.5, 0.5))),
        optimizer(params, {.lr = 1e-3}),
        x(uniform({kPoints}, 0, 5)),
        y(uniform({sets, kPoints}, 0, 1)) {}

  Tensor step() {
    optimizer.zero_grad();
    const Tensor loss = square(a * exp(-x / t) + c - y).mean(1);
    loss.sum().backward();
    optimizer.step();
    return loss;
  }

  Parameters params;
  Tensor a, t, c;
  Adam optimizer;
  Tensor x, y;
};

void fits_captured(benchmark::State& state, std::int64_t sets, std::int64_t steps) {
  CurveFits fits(sets);
  auto step = capture([&] { return fits.step(); });
  step();
  while (state.KeepRunningBatch(steps)) benchmark::DoNotOptimize(steps == 1 ? step() : step.run(steps));
  const auto points = static_cast<double>(sets * CurveFits::kPoints);
  state.counters["points/s"] = benchmark::Counter(points, benchmark::Counter::kIsIterationInvariantRate);
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
  benchmark::RegisterBenchmark("mlp/784-256-10/batch_64/captured/sgd", mlp_captured<Sgd>)->UseRealTime();
  benchmark::RegisterBenchmark("mlp/784-256-10/batch_64/captured/adam", mlp_captured<Adam>)->UseRealTime();
  benchmark::RegisterBenchmark("mlp/784-256-10/batch_64/capture", mlp_capture)->UseRealTime();
  benchmark::RegisterBenchmark("mlp/784-256-10/batch_64/products", mlp_products)->UseRealTime();
  for (const bool captured : {false, true})
    benchmark::RegisterBenchmark(captured ? "calls/20/captured" : "calls/20/eager",
                                 [=](benchmark::State& state) { twenty_calls(state, captured); })->UseRealTime();
  for (const std::int64_t sets : {1000, 100'000})
    for (const std::int64_t steps : {1, 32})
      benchmark::RegisterBenchmark(fmt::format("fits/{}x50/captured/run_{}", sets, steps).c_str(),
                                   [=](benchmark::State& state) { fits_captured(state, sets, steps); })
          ->UseRealTime();
  add_update<Sgd>("sgd", SgdOptions{.lr = 1e-6}, 12);
  add_update<Sgd>("sgd_momentum", SgdOptions{.lr = 1e-6, .momentum = 0.9}, 20);
  add_update<Adam>("adam", AdamOptions{.lr = 1e-6}, 28);
  add_update<AdamW>("adamw", AdamWOptions{.lr = 1e-6}, 28);
}

}  // namespace luge::bench
