// The demo step as users write it, and the loop that a patient person would write by hand.

#include <string>

#include <fmt/format.h>

#include <luge/capture/step.h>
#include <luge/ops/elementwise.h>
#include <luge/base/threads.h>
#include <luge/train/init.h>
#include <luge/train/monitor.h>
#include <luge/train/optimizer.h>
#include <luge/train/parameters.h>

#include "bandwidth.h"
#include "benchmarks.h"

namespace luge::bench {
namespace {

/// Passes of four bytes over all parameters in one eager step:
///   forward   3 x: 2,  (3 x) x: 3,  2 x: 2,  difference: 3,  + 3: 2,  sum: 1
///   backward  2 x into the gradient: 1;  (3 x) x into both factors: 5;  3 x into the gradient: 3
///   step      3
/// (The gradients of sum, + 3 and the difference are one number each, repeated by strides.)
constexpr double kEagerBytes = 4 * 25;

/// Uses `threads` threads while it lives.
class Threads {
 public:
  explicit Threads(int threads) : before_(num_threads()) { set_num_threads(threads); }
  ~Threads() { set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

void eager(benchmark::State& state, std::int64_t n, int threads) {
  const Threads use(threads);
  Parameters params({.sets = n});
  const Tensor x = params.add("x", {}, init::uniform(-2, 2));
  Sgd optimizer(params, {.lr = 0.01});
  const Traffic traffic;
  for (auto _ : state) {
    optimizer.zero_grad();
    Tensor loss = 3 * x * x - 2 * x + 3;
    loss.sum().backward();
    optimizer.step();
  }
  const auto count = static_cast<double>(n);
  state.counters["bytes_per_parameter"] = kEagerBytes;
  state.counters["parameters/s"] = benchmark::Counter(count, benchmark::Counter::kIsIterationInvariantRate);
  if (4 * n >= std::int64_t{16} << 20) traffic.report(state, Ceiling::Copy, count * kEagerBytes);
}

struct DemoStep {
  DemoStep(std::int64_t n, bool keep_gradient)
      : params({.sets = n}),
        x(params.add("x", {}, init::uniform(-2, 2))),
        optimizer(params, {.lr = 0.01}),
        step(capture(
            [this] {
              optimizer.zero_grad();
              const Tensor loss = (3 * x * x - 2 * x + 3).sum();
              loss.backward();
              optimizer.step();
              return loss;
            },
            {.keep_gradients = keep_gradient})) {}

  Parameters params;
  Tensor x;
  Sgd optimizer;
  Step<Tensor> step;
};

void captured(benchmark::State& state, std::int64_t n, bool keep_gradient) {
  const Threads use(1);
  DemoStep demo(n, keep_gradient);
  demo.step();
  const Traffic traffic;
  for (auto _ : state) benchmark::DoNotOptimize(demo.step());
  const auto count = static_cast<double>(n);
  const double bytes = keep_gradient ? 12 : 8;
  state.counters["bytes_per_parameter"] = bytes;
  state.counters["parameters/s"] = benchmark::Counter(count, benchmark::Counter::kIsIterationInvariantRate);
  if (4 * n >= std::int64_t{16} << 20) traffic.report(state, Ceiling::Copy, count * bytes);
}

constexpr std::int64_t kSteps = 80;

/// Many steps at once, whose losses a monitor keeps; an iteration is one step.
void captured_recorded(benchmark::State& state, std::int64_t n) {
  const Threads use(1);
  Parameters params({.sets = n});
  const Tensor x = params.add("x", {}, init::uniform(-2, 2));
  Sgd optimizer(params, {.lr = uniform({n}, 0.001, 0.02)});
  Monitor monitor({.progress = false});
  auto step = capture([&] {
    optimizer.zero_grad();
    const Tensor loss = 3 * x * x - 2 * x + 3;
    loss.sum().backward();
    optimizer.step();
    monitor.record(loss);
  });
  step();
  while (state.KeepRunningBatch(kSteps)) step.run(kSteps);
}

/// Many steps at once; an iteration is one step.
void captured_many(benchmark::State& state, std::int64_t n) {
  const Threads use(1);
  DemoStep demo(n, true);
  demo.step();
  while (state.KeepRunningBatch(kSteps)) benchmark::DoNotOptimize(demo.step.run(kSteps));
}

void by_hand(benchmark::State& state, std::int64_t n, bool keep_gradient) {
  const Threads use(1);
  Tensor x = uniform({n}, -2, 2), gradient = uniform({n});
  auto* const values = static_cast<float*>(x.data());
  auto* const gradients = static_cast<float*>(gradient.data());
  const Traffic traffic;
  for (auto _ : state)
    benchmark::DoNotOptimize(keep_gradient ? fused_demo_step(values, gradients, n, 0.01f)
                                           : fused_demo_step(values, n, 0.01f));
  const auto count = static_cast<double>(n);
  const double bytes = keep_gradient ? 12 : 8;
  state.counters["bytes_per_parameter"] = bytes;
  state.counters["parameters/s"] = benchmark::Counter(count, benchmark::Counter::kIsIterationInvariantRate);
  if (4 * n >= std::int64_t{16} << 20) traffic.report(state, Ceiling::Copy, count * bytes);
}

}  // namespace

void add_demo() {
  const int all = num_threads();
  for (const std::int64_t n : {std::int64_t{1}, std::int64_t{1000}, std::int64_t{1'000'000}, std::int64_t{10'000'000}}) {
    const auto add = [n](const char* what, auto body) {
      benchmark::RegisterBenchmark(fmt::format("demo/{}/{}", what, n).c_str(), body)->UseRealTime();
    };
    add("eager/one_thread", [=](benchmark::State& state) { eager(state, n, 1); });
    if (all > 1) add("eager/all_threads", [=](benchmark::State& state) { eager(state, n, all); });
    add("captured/8_bytes", [=](benchmark::State& state) { captured(state, n, false); });
    add("captured/12_bytes", [=](benchmark::State& state) { captured(state, n, true); });
    add("captured/run_80", [=](benchmark::State& state) { captured_many(state, n); });
    add("captured/recorded_80", [=](benchmark::State& state) { captured_recorded(state, n); });
    add("by_hand/8_bytes", [=](benchmark::State& state) { by_hand(state, n, false); });
    add("by_hand/12_bytes", [=](benchmark::State& state) { by_hand(state, n, true); });
  }
}

}  // namespace luge::bench
