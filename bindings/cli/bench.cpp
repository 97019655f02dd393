// luge bench: how fast the demo step and the training step are, for one set and for many.

#include <cmath>
#include <functional>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <luge/backend.h>
#include <luge/ops/create.h>
#include <luge/ops/loss.h>
#include <luge/train/optimizer.h>
#include <luge/train/parameters.h>

#include "bandwidth.h"
#include "options.h"
#include "parabola.h"
#include "table.h"
#include "timing.h"
#include "train.h"

namespace luge::cli {
namespace {

struct BenchOptions {
  std::vector<std::int64_t> sets{1, 1'000, 100'000, 1'000'000, 10'000'000};
  std::vector<std::int64_t> models{1, 4, 16, 64};
  double seconds = 0.5;
};

constexpr std::int64_t kPixels = 784, kHidden = 256, kClasses = 10, kBatch = 64;
constexpr int kGroups = 9;
/// Shorter than that the clock would be what is measured.
constexpr double kShortest = 1e-3;

struct Measured {
  std::int64_t sets = 0;
  double seconds = 0;  ///< of one step, the median
};

/// Median seconds of a step: groups of as many steps as fill a ninth of the time each, at least one.
double time_step(Device device, double seconds, const std::function<void()>& step) {
  Backend& queue = backend(device);
  const auto run = [&](std::int64_t steps) {
    const Stopwatch watch;
    for (std::int64_t i = 0; i < steps; ++i) step();
    queue.synchronize();
    return watch.seconds() / static_cast<double>(steps);
  };
  run(1);  // takes memory
  double once = run(1);
  for (std::int64_t steps = 2; once * static_cast<double>(steps) < kShortest; steps *= 2) once = run(steps);
  const auto steps = static_cast<std::int64_t>(std::max(1.0, std::ceil(seconds / kGroups / std::max(once, 1e-9))));
  std::vector<double> groups;
  const Stopwatch all;
  while (groups.size() < kGroups && (groups.empty() || all.seconds() < seconds)) groups.push_back(run(steps));
  return median(groups);
}

Measured demo_step(std::int64_t sets, const Common& common, double seconds) {
  Parameters params({.sets = sets, .device = common.device, .seed = common.seed});
  Tensor x = params.add("x", {}, init::uniform(-2, 2));
  Sgd optimizer(params, {.lr = full({sets}, 0.01, {.device = common.device})});
  Monitor monitor({.progress = false});
  return {sets, time_step(common.device, seconds, [&] {
            optimizer.zero_grad();
            Tensor loss = parabola(x);
            loss.sum().backward();
            optimizer.step();
            monitor.record(loss);
          })};
}

Measured train_step(std::int64_t sets, const Common& common, double seconds) {
  Parameters params({.sets = sets, .device = common.device, .seed = common.seed});
  const nn::Sequential model = make_mlp(params, kPixels, kHidden, kClasses);
  Adam optimizer(params, {.lr = 1e-3});
  const Tensor images = rand({kBatch, kPixels}, {.device = common.device});
  const Tensor labels = randint(0, kClasses, {kBatch}, {.dtype = int64, .device = common.device});
  Monitor monitor({.progress = false});
  return {sets, time_step(common.device, seconds, [&] {
            optimizer.zero_grad();
            Tensor loss = cross_entropy(model(images), labels, Reduction::PerSet);
            loss.sum().backward();
            optimizer.step();
            monitor.record(loss);
          })};
}

double parameters_per_second(const Measured& m) { return static_cast<double>(m.sets) / m.seconds; }
double bytes_per_second(const Measured& m) { return parameters_per_second(m) * kNumbersPerStep * sizeof(float); }
double samples_per_second(const Measured& m) { return static_cast<double>(m.sets * kBatch) / m.seconds; }

void print(const std::vector<Measured>& demo, const std::vector<Measured>& training, double copy) {
  fmt::print("demo step: zero_grad, 3x^2 - 2x + 3, backward, SGD, monitor; float32. {:.0f} bytes per parameter count as traffic;\n"
             "a copy of 128 MiB reaches {}. Few sets live in the caches.\n\n",
             kNumbersPerStep * sizeof(float), si(copy, "B/s"));
  Table first({{"sets"}, {"step"}, {"steps"}, {"parameter-steps"}, {"traffic"}, {"of copy"}});
  for (const Measured& m : demo)
    first.add_row({grouped(m.sets), si(m.seconds * 1e6, "us"), si(1 / m.seconds, "/s"), si(parameters_per_second(m), "/s"),
                   si(bytes_per_second(m), "B/s"), fmt::format("{:.0f} %", 100 * bytes_per_second(m) / copy)});
  fmt::print("{}\ntraining step: MLP {}-{}-{}, batch {}, cross entropy, Adam, monitor; float32\n\n", first.text(), kPixels, kHidden, kClasses, kBatch);
  Table second({{"models"}, {"step"}, {"steps"}, {"samples"}, {"per model"}});
  for (const Measured& m : training)
    second.add_row({grouped(m.sets), fmt::format("{:.3f} ms", m.seconds * 1e3), si(1 / m.seconds, "/s"), si(samples_per_second(m), "/s"),
                    fmt::format("{:.3f} ms", m.seconds * 1e3 / static_cast<double>(m.sets))});
  fmt::print("{}", second.text());
}

void print_json(const std::vector<Measured>& demo, const std::vector<Measured>& training, double copy, const Common& common) {
  using Json = nlohmann::ordered_json;
  Json first = Json::array(), second = Json::array();
  for (const Measured& m : demo)
    first.push_back({{"sets", m.sets},
                     {"seconds_per_step", m.seconds},
                     {"parameter_steps_per_second", parameters_per_second(m)},
                     {"bytes_per_second", bytes_per_second(m)},
                     {"fraction_of_copy", bytes_per_second(m) / copy}});
  for (const Measured& m : training)
    second.push_back({{"models", m.sets}, {"seconds_per_step", m.seconds}, {"samples_per_second", samples_per_second(m)}});
  fmt::print("{}\n", Json{{"device", to_string(common.device)}, {"copy_bandwidth", copy}, {"demo_step", first}, {"training_step", second}}.dump(2));
}

void run(const BenchOptions& options, const Common& common) {
  const double copy = copy_bandwidth(common.device);
  std::vector<Measured> demo, training;
  for (const std::int64_t sets : options.sets) {
    fmt::print(stderr, "demo step, {} sets\n", grouped(sets));
    demo.push_back(demo_step(sets, common, options.seconds));
    backend(common.device).release_cache();
  }
  for (const std::int64_t models : options.models) {
    fmt::print(stderr, "training step, {} models\n", grouped(models));
    training.push_back(train_step(models, common, options.seconds));
    backend(common.device).release_cache();
  }
  if (common.json) {
    print_json(demo, training, copy, common);
  } else {
    print(demo, training, copy);
  }
}

}  // namespace

Command add_bench(CLI::App& program, Common& common) {
  CLI::App* const app = program.add_subcommand("bench", "Measure the demo step and the training step.");
  const auto options = std::make_shared<BenchOptions>();
  const CLI::Validator counts = whole_number(1, 1'000'000'000);
  app->add_option("--sets", options->sets, "sets of the demo step (default 1,1000,100000,1000000,10000000)")
      ->delimiter(',')->check(counts)->type_name("N,N,...");
  app->add_option("--models", options->models, "models of the training step (default 1,4,16,64)")
      ->delimiter(',')->check(counts)->type_name("N,N,...");
  app->add_option("--seconds", options->seconds, "time for each case (default 0.5)")->check(not_negative())->type_name("S");
  add_common_options(*app, common);
  return {app, [options, &common] { run(*options, common); }};
}

}  // namespace luge::cli
