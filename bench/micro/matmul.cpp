// Matrix products: the layers of the MLP, large squares, and many small ones.

#include <string>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <luge/ops/matmul.h>

#include "benchmarks.h"

namespace luge::bench {
namespace {

struct Size {
  std::int64_t batch, m, k, n;
};

void add(const Size& s, bool transposed) {
  const std::string name =
      fmt::format("matmul/{}x{}x{}x{}{}", s.batch, s.m, s.k, s.n, transposed ? "/transposed" : "");
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    const Tensor a = uniform({s.batch, s.m, s.k});
    const Tensor b = transposed ? uniform({s.batch, s.n, s.k}).transpose(1, 2) : uniform({s.batch, s.k, s.n});
    for (auto _ : state) benchmark::DoNotOptimize(matmul(a, b).data());
    const double flops = 2.0 * static_cast<double>(s.batch * s.m * s.k * s.n);
    state.counters["flop/s"] = benchmark::Counter(flops, benchmark::Counter::kIsIterationInvariantRate);
  })->UseRealTime();
}

}  // namespace

void add_matmul() {
  constexpr Size kSizes[] = {
      {1, 1024, 1024, 1024}, {1, 512, 512, 512},  {1, 128, 128, 128},   {1, 32, 32, 32},
      {1, 64, 784, 256},     {1, 64, 256, 10},    {1, 784, 64, 256},    {1, 4096, 4096, 1},
      {1000, 4, 4, 4},       {1000, 8, 8, 8},     {1000, 16, 16, 16},   {1000, 32, 32, 32},
      {256, 256, 16, 64},    {256, 256, 64, 64},  {256, 256, 64, 1},    {16, 64, 784, 256},
  };
  for (const Size& size : kSizes) add(size, false);
  add({1, 64, 784, 256}, true);
  add({256, 256, 16, 64}, true);
}

}  // namespace luge::bench
