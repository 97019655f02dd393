// Matrix products: the layers of the MLP, large squares, and many small ones.

#include <string>

#include <benchmark/benchmark.h>
#include <cblas.h>
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

/// The same by the BLAS that luge links, member by member, into memory that is there: the rate to hold ours against.
void add_blas(const Size& s, bool transposed) {
  const std::string name =
      fmt::format("sgemm/{}x{}x{}x{}{}", s.batch, s.m, s.k, s.n, transposed ? "/transposed" : "");
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    const Tensor a = uniform({s.batch, s.m, s.k}), b = uniform({s.batch, s.k, s.n}), c = uniform({s.batch, s.m, s.n});
    const auto at = [](const Tensor& t, std::int64_t i) { return static_cast<float*>(t.data()) + i; };
    const int m = static_cast<int>(s.m), k = static_cast<int>(s.k), n = static_cast<int>(s.n);
    for (auto _ : state) {
      for (std::int64_t i = 0; i < s.batch; ++i)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, transposed ? CblasTrans : CblasNoTrans, m, n, k, 1.0F,
                    at(a, i * s.m * s.k), k, at(b, i * s.k * s.n), transposed ? k : n, 0.0F, at(c, i * s.m * s.n), n);
      benchmark::ClobberMemory();
    }
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
      {1000, 500, 20, 1},    {64, 48, 48, 48},    {64, 64, 64, 64},     {16, 128, 128, 128},
      {4, 256, 256, 256},    {1, 512, 784, 256},
  };
  constexpr Size kTransposed[] = {{1, 64, 784, 256}, {256, 256, 16, 64}, {256, 256, 64, 64}, {1, 512, 784, 256}};
  for (const Size& size : kSizes) {
    add(size, false);
    add_blas(size, false);
  }
  for (const Size& size : kTransposed) {
    add(size, true);
    add_blas(size, true);
  }
}

}  // namespace luge::bench
