// Making and dropping tensors.

#include <fmt/format.h>

#include <luge/ops/create.h>

#include "bandwidth.h"
#include "benchmarks.h"

namespace luge::bench {

void add_allocation() {
  for (const std::int64_t n : {std::int64_t{1}, kSmall, std::int64_t{1'000'000}, kLarge}) {
    benchmark::RegisterBenchmark(fmt::format("allocation/empty/{}", n).c_str(), [=](benchmark::State& state) {
      for (auto _ : state) benchmark::DoNotOptimize(empty({n}).data());
    });
  }
  benchmark::RegisterBenchmark(fmt::format("allocation/zeros/{}", kLarge).c_str(), [](benchmark::State& state) {
    const Traffic traffic;
    for (auto _ : state) benchmark::DoNotOptimize(zeros({kLarge}).data());
    traffic.report(state, Ceiling::Copy, 4.0 * kLarge);
  })->UseRealTime();
}

}  // namespace luge::bench
