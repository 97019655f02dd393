// Reductions over 64 MB: everything, each row, each column.

#include <functional>
#include <string>

#include <luge/tensor/tensor.h>

#include "bandwidth.h"
#include "benchmarks.h"

namespace luge::bench {
namespace {

constexpr std::int64_t kSide = 4096;
static_assert(kSide * kSide == kLarge);

using Reduction = std::function<Tensor(const Tensor&)>;

void add(const std::string& name, const Reduction& reduction) {
  benchmark::RegisterBenchmark(("reduction/" + name).c_str(), [=](benchmark::State& state) {
    const Tensor x = uniform({kSide, kSide}, 0.5, 1.5);
    const Traffic traffic;
    for (auto _ : state) benchmark::DoNotOptimize(reduction(x).data());
    traffic.report(state, Ceiling::Read, 4.0 * kLarge);
  })->UseRealTime();
}

void add_backward(const std::string& name, const Reduction& reduction, double bytes_per_element) {
  benchmark::RegisterBenchmark(("reduction/" + name + "/backward").c_str(), [=](benchmark::State& state) {
    Tensor x = uniform({kSide, kSide}, 0.5, 1.5);
    x.requires_grad_();
    const Tensor result = reduction(x);
    const Tensor gradient = uniform(result.shape());
    const Traffic traffic;
    for (auto _ : state) {
      x.zero_grad();
      result.backward(gradient, true);
    }
    traffic.report(state, Ceiling::Copy, bytes_per_element * kLarge);
  })->UseRealTime();
}

}  // namespace

void add_reductions() {
#define LUGE_BENCH(method)                                                        \
  add(#method "/all", [](const Tensor& x) { return x.method(); });                \
  add(#method "/rows", [](const Tensor& x) { return x.method(1); });              \
  add(#method "/columns", [](const Tensor& x) { return x.method(0); });
  LUGE_BENCH(sum)
  LUGE_BENCH(mean)
  LUGE_BENCH(prod)
  LUGE_BENCH(max)
  LUGE_BENCH(min)
  LUGE_BENCH(argmax)
  LUGE_BENCH(argmin)
#undef LUGE_BENCH
  add("logsumexp/rows", [](const Tensor& x) { return x.logsumexp(1); });
  add("logsumexp/columns", [](const Tensor& x) { return x.logsumexp(0); });
  // The gradient of a sum is written once; the extreme also reads x.
  add_backward("sum/all", [](const Tensor& x) { return x.sum(); }, 4);
  add_backward("sum/rows", [](const Tensor& x) { return x.sum(1); }, 4);
  add_backward("sum/columns", [](const Tensor& x) { return x.sum(0); }, 4);
  add_backward("max/rows", [](const Tensor& x) { return x.max(1); }, 8);
}

}  // namespace luge::bench
