// Captured steps of Adam on many small networks at once and on larger ones, each beside its matrix products alone.

#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <cblas.h>
#include <fmt/format.h>

#include <luge/capture/step.h>
#include <luge/nn/linear.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/loss.h>
#include <luge/ops/matmul.h>
#include <luge/ops/reduce.h>
#include <luge/train/optimizer.h>
#include <luge/train/parameters.h>

#include "benchmarks.h"

namespace luge::bench {
namespace {

template <class Network>
void captured(benchmark::State& state, Network& network) {
  auto step = capture([&] { return network.step(); });
  step();
  for (auto _ : state) benchmark::DoNotOptimize(step());
  state.counters["flop/s"] = benchmark::Counter(network.flops(), benchmark::Counter::kIsIterationInvariantRate);
}

// ---- many small networks ------------------------------------------------------------------------

struct Ensemble {
  static constexpr std::int64_t kIn = 16, kHidden = 64, kBatch = 256;

  explicit Ensemble(std::int64_t sets)
      : params({.sets = sets}),
        first(params, "first", kIn, kHidden),
        second(params, "second", kHidden, kHidden),
        third(params, "third", kHidden, 1),
        optimizer(params, {.lr = 1e-3}) {}

  Tensor step() {
    optimizer.zero_grad();
    Tensor loss = mse_loss(third(relu(second(relu(first(x))))), y, Reduction::PerSet);
    loss.sum().backward();
    optimizer.step();
    return loss;
  }
  double flops() const {
    return static_cast<double>(params.sets()) * kBatch * 2.0 * (2 * kIn * kHidden + 3 * kHidden * kHidden + 3 * kHidden);
  }

  Parameters params;
  nn::Linear first, second, third;
  Adam optimizer;
  Tensor x = uniform({kBatch, kIn}), y = uniform({kBatch, 1});
};

/// Logistic regressions on rows of their own, or on the same rows.
struct Regressions {
  static constexpr std::int64_t kFeatures = 20, kRows = 500;

  Regressions(std::int64_t sets, bool is_shared)
      : params({.sets = sets}),
        linear(params, "linear", kFeatures, 1),
        optimizer(params, {.lr = 1e-2}),
        x(is_shared ? uniform({kRows, kFeatures}) : uniform({sets, kRows, kFeatures})),
        y((uniform({sets, kRows, 1}) > 0).to(float32)) {}

  Tensor step() {
    optimizer.zero_grad();
    const Tensor z = linear(x);
    Tensor loss = (softplus(z) - y * z).mean({1, 2});
    loss.sum().backward();
    optimizer.step();
    return loss;
  }
  double flops() const { return static_cast<double>(params.sets()) * kRows * 4.0 * kFeatures; }

  Parameters params;
  nn::Linear linear;
  Adam optimizer;
  Tensor x, y;
};

// ---- one larger network -------------------------------------------------------------------------

struct Classifier {
  static constexpr std::int64_t kIn = 784, kHidden = 256, kOut = 10;

  explicit Classifier(std::int64_t batch)
      : hidden(params, "hidden", kIn, kHidden),
        output(params, "output", kHidden, kOut),
        optimizer(params, {.lr = 1e-3}),
        images(uniform({batch, kIn}, 0, 1)),
        labels(randint(0, kOut, {batch})) {}

  Tensor step() {
    optimizer.zero_grad();
    Tensor loss = cross_entropy(output(relu(hidden(images))), labels);
    loss.backward();
    optimizer.step();
    return loss;
  }
  double flops() const { return static_cast<double>(images.size(0)) * 2.0 * (2 * kIn * kHidden + 3 * kHidden * kOut); }

  Parameters params;
  nn::Linear hidden, output;
  Adam optimizer;
  Tensor images, labels;
};

// ---- products alone -----------------------------------------------------------------------------

/// c = a b of so many sets; a^T and b^T lie in memory where it says so.
struct LayerProduct {
  std::int64_t m, n, k;
  bool turned_a, turned_b;
};

/// Those of two layers' outputs, weights' gradients and inputs' gradients.
std::vector<LayerProduct> layer_products(std::int64_t batch, std::vector<std::int64_t> widths) {
  std::vector<LayerProduct> shapes;
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    const std::int64_t in = widths[i], out = widths[i + 1];
    shapes.push_back({batch, out, in, false, true});
    shapes.push_back({out, in, batch, true, false});
    if (i > 0) shapes.push_back({batch, in, out, false, false});
  }
  return shapes;
}

/// The products of a step, one after the other, by luge or by the BLAS that it links.
void products(benchmark::State& state, std::int64_t sets, const std::vector<LayerProduct>& shapes, bool by_blas) {
  struct Operands {
    Tensor a, b, c;
  };
  std::vector<Operands> all;
  double flops = 0;
  for (const LayerProduct& s : shapes) {
    const Tensor a = s.turned_a ? uniform({sets, s.k, s.m}) : uniform({sets, s.m, s.k});
    const Tensor b = s.turned_b ? uniform({sets, s.n, s.k}) : uniform({sets, s.k, s.n});
    all.push_back({s.turned_a ? a.transpose(1, 2) : a, s.turned_b ? b.transpose(1, 2) : b, uniform({sets, s.m, s.n})});
    flops += 2.0 * static_cast<double>(sets * s.m * s.n * s.k);
  }
  const auto blas = [](const LayerProduct& s, const Operands& x, std::int64_t set) {
    const auto at = [set](const Tensor& t, std::int64_t size) { return static_cast<float*>(t.data()) + set * size; };
    const auto size = [](std::int64_t n) { return static_cast<int>(n); };
    cblas_sgemm(CblasRowMajor, s.turned_a ? CblasTrans : CblasNoTrans, s.turned_b ? CblasTrans : CblasNoTrans, size(s.m),
                size(s.n), size(s.k), 1.0F, at(x.a, s.m * s.k), size(s.turned_a ? s.m : s.k), at(x.b, s.k * s.n),
                size(s.turned_b ? s.k : s.n), 0.0F, at(x.c, s.m * s.n), size(s.n));
  };
  auto step = capture([&] {
    for (Operands& x : all) x.c.copy_(matmul(x.a, x.b));
  });
  if (!by_blas) step();
  for (auto _ : state) {
    if (by_blas) {
      for (std::int64_t set = 0; set < sets; ++set)
        for (std::size_t i = 0; i < shapes.size(); ++i) blas(shapes[i], all[i], set);
      benchmark::ClobberMemory();
    } else {
      step();
    }
  }
  state.counters["flop/s"] = benchmark::Counter(flops, benchmark::Counter::kIsIterationInvariantRate);
}

void add(const std::string& name, std::int64_t sets, const std::vector<LayerProduct>& shapes) {
  for (const bool by_blas : {false, true})
    benchmark::RegisterBenchmark(fmt::format("{}/products{}", name, by_blas ? "/blas" : "").c_str(),
                                 [=](benchmark::State& state) { products(state, sets, shapes, by_blas); })
        ->UseRealTime();
}

}  // namespace

void add_networks() {
  benchmark::RegisterBenchmark("networks/256x16-64-64-1/batch_256/adam", [](benchmark::State& state) {
    Ensemble network(256);
    captured(state, network);
  })->UseRealTime();
  add("networks/256x16-64-64-1/batch_256", 256, layer_products(256, {16, 64, 64, 1}));
  for (const bool is_shared : {false, true})
    benchmark::RegisterBenchmark(is_shared ? "networks/1000xlogistic/20x500_shared/adam" : "networks/1000xlogistic/20x500/adam",
                                 [=](benchmark::State& state) {
                                   Regressions network(1000, is_shared);
                                   captured(state, network);
                                 })->UseRealTime();
  for (const std::int64_t batch : {64, 512}) {
    const std::string name = fmt::format("networks/784-256-10/batch_{}", batch);
    benchmark::RegisterBenchmark((name + "/adam").c_str(), [=](benchmark::State& state) {
      Classifier network(batch);
      captured(state, network);
    })->UseRealTime();
    add(name, 1, layer_products(batch, {784, 256, 10}));
  }
}

}  // namespace luge::bench
