// Sorting: one row of ten million, as many rows of a thousand, rows of 16; and the hundred largest.

#include <string>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/sort.h>

#include "benchmarks.h"

namespace luge::bench {
namespace {

constexpr std::int64_t kCount = 10'000'000;

/// Millions of elements per second, whatever is done with them.
template <class Apply>
void add(const char* name, DType dtype, std::int64_t columns, Apply apply) {
  const std::string whole = fmt::format("sort/{}/{}/{}x{}", name, luge::name(dtype), kCount / columns, columns);
  benchmark::RegisterBenchmark(whole.c_str(), [=](benchmark::State& state) {
    const Tensor numbers = randn({kCount / columns, columns});
    const Tensor x = (is_floating(dtype) ? numbers : numbers * 1e6).to(dtype);
    for (auto _ : state) benchmark::DoNotOptimize(apply(x));
    state.counters["Melements/s"] =
        benchmark::Counter(static_cast<double>(x.numel()) / 1e6, benchmark::Counter::kIsIterationInvariantRate);
  })->UseRealTime();
}

}  // namespace

void add_sort() {
  const auto in_order = [](const Tensor& x) { return sort(x).values.data(); };
  for (const DType dtype : {float32, float64, int32, int64})
    for (const std::int64_t columns : {kCount, std::int64_t{1000}, std::int64_t{16}})
      add("all", dtype, columns, in_order);
  for (const std::int64_t columns : {kCount, std::int64_t{1000}})
    for (const std::int64_t k : {10, 100})
      add(fmt::format("top{}", k).c_str(), float32, columns, [k](const Tensor& x) { return topk(x, k).values.data(); });
}

}  // namespace luge::bench
