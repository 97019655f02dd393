// Softmax and cross entropy, forward and backward: rows that live in a cache line or two, and 64 MB.

#include <string>

#include <fmt/format.h>

#include <luge/ops/create.h>
#include <luge/ops/loss.h>
#include <luge/ops/softmax.h>

#include "bandwidth.h"
#include "benchmarks.h"

namespace luge::bench {
namespace {

struct Size {
  std::int64_t rows, columns;
};
constexpr Size kSizes[] = {{2048, 8192}, {kLarge / 16, 16}, {64, 10}};

std::string text(const Size& size) { return fmt::format("{}x{}", size.rows, size.columns); }

/// `apply` on logits and labels. A pass is one reading or writing of the logits.
template <class Apply>
void add(const char* name, Apply apply, int forward_passes, int backward_passes) {
  for (const Size& size : kSizes) {
    const double pass = 4.0 * static_cast<double>(size.rows * size.columns);
    const bool large = size.rows * size.columns == kLarge;
    benchmark::RegisterBenchmark(fmt::format("{}/forward/{}", name, text(size)).c_str(), [=](benchmark::State& state) {
      const Tensor x = uniform({size.rows, size.columns}, -4, 4);
      const Tensor labels = randint(0, size.columns, {size.rows});
      const Traffic traffic;
      for (auto _ : state) benchmark::DoNotOptimize(apply(x, labels).data());
      if (large) traffic.report(state, Ceiling::Copy, forward_passes * pass);
    })->UseRealTime();
    benchmark::RegisterBenchmark(fmt::format("{}/backward/{}", name, text(size)).c_str(), [=](benchmark::State& state) {
      Tensor x = uniform({size.rows, size.columns}, -4, 4);
      x.requires_grad_();
      const Tensor result = apply(x, randint(0, size.columns, {size.rows}));
      const Tensor gradient = uniform(result.shape());
      const Traffic traffic;
      for (auto _ : state) {
        x.zero_grad();
        result.backward(gradient, true);
      }
      if (large) traffic.report(state, Ceiling::Copy, backward_passes * pass);
    })->UseRealTime();
  }
}

}  // namespace

void add_rows() {
  add("softmax", [](const Tensor& x, const Tensor&) { return softmax(x, -1); }, 2, 3);
  add("log_softmax", [](const Tensor& x, const Tensor&) { return log_softmax(x, -1); }, 2, 3);
  add("cross_entropy", [](const Tensor& x, const Tensor& labels) { return cross_entropy(x, labels); }, 1, 2);
}

}  // namespace luge::bench
