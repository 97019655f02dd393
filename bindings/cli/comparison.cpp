#include "comparison.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>

#include <luge/seam/backend.h>
#include <luge/ops/create.h>
#include <luge/ops/loss.h>
#include <luge/train/monitor.h>
#include <luge/train/optimizer.h>
#include <luge/train/parameters.h>
#include <luge/report/report.h>

#include "classifier.h"
#include "parabola.h"
#include "timing.h"

namespace luge::cli {

using namespace report;

namespace {

constexpr int kGroups = 9;
/// Shorter than that the clock would be what is measured.
constexpr double kShortest = 1e-3;

/// Median seconds of a step: groups of as many steps as fill a ninth of the time each, at least one.
double time_step(Device device, double seconds, const std::function<void()>& step) {
  Backend& queue = backend(device);
  const auto run = [&](std::int64_t steps) {
    const Stopwatch watch;
    for (std::int64_t i = 0; i < steps; ++i) step();
    queue.synchronize();
    return watch.seconds() / static_cast<double>(steps);
  };
  run(1);  // takes memory, and records a captured step
  double once = run(1);
  for (std::int64_t steps = 2; once * static_cast<double>(steps) < kShortest; steps *= 2) once = run(steps);
  const auto steps = static_cast<std::int64_t>(std::max(1.0, std::ceil(seconds / kGroups / std::max(once, 1e-9))));
  std::vector<double> groups;
  const Stopwatch all;
  while (groups.size() < kGroups && (groups.empty() || all.seconds() < seconds)) groups.push_back(run(steps));
  return median(groups);
}

Comparison compare(std::int64_t sets, Device device, double seconds, bool eager, const std::function<void()>& body) {
  Comparison result;
  result.sets = sets;
  result.eager_seconds = time_step(device, seconds, body);
  if (eager) return result;
  Step<void> step = capture(body);
  result.captured_seconds = time_step(device, seconds, [&] { step(); });
  result.figures = step.figures();
  result.plan = step.plan();
  return result;
}

}  // namespace

Comparison compare_demo(std::int64_t sets, DType dtype, const Common& common, double seconds, bool eager) {
  Parameters params({.sets = sets, .device = common.device, .dtype = dtype, .seed = common.seed});
  Tensor x = params.add("x", {}, init::uniform(-2, 2));
  Sgd optimizer(params, {.lr = full({sets}, 0.01, {.device = common.device})});
  Monitor monitor({.progress = false});
  return compare(sets, common.device, seconds, eager, [&] {
    optimizer.zero_grad();
    Tensor loss = parabola(x);
    loss.sum().backward();
    optimizer.step();
    monitor.record(loss);
  });
}

Comparison compare_training(std::int64_t sets, const MlpShape& shape, const Common& common, double seconds, bool eager) {
  Parameters params({.sets = sets, .device = common.device, .seed = common.seed});
  const nn::Sequential model = make_mlp(params, shape.inputs, shape.hidden, shape.classes);
  Adam optimizer(params, {.lr = 1e-3});
  const Tensor images = rand({shape.batch, shape.inputs}, {.device = common.device});
  const Tensor labels = randint(0, shape.classes, {shape.batch}, {.dtype = int64, .device = common.device});
  Monitor monitor({.progress = false});
  return compare(sets, common.device, seconds, eager, [&] {
    optimizer.zero_grad();
    Tensor loss = cross_entropy(model(images), labels, Reduction::PerSet);
    loss.sum().backward();
    optimizer.step();
    monitor.record(loss);
  });
}

void add_comparison(Report& report, const Comparison& comparison) {
  const StepFigures& figures = comparison.figures;
  report.add_facts("Eager and captured",
                   {{"eager step", fmt::format("{:.4g} us", comparison.eager_seconds * 1e6)},
                    {"captured step", fmt::format("{:.4g} us: {:.3g} times as fast", comparison.captured_seconds * 1e6, comparison.speedup())},
                    {"kernel calls", fmt::format("{} eagerly, {} captured", figures.recorded_calls, figures.launches)},
                    {"bytes read and written", fmt::format("{} eagerly, {} captured", si(figures.recorded_bytes, "B"), si(figures.bytes, "B"))},
                    {"memory of the step's own", fmt::format("{} eagerly, {} captured", si(static_cast<double>(figures.recorded_peak), "B"),
                                                             si(static_cast<double>(figures.peak), "B"))}});
  report.write_file("plan.txt", comparison.plan);
  report.add_file("plan.txt", "what a captured step runs, call by call");
}

}  // namespace luge::cli
