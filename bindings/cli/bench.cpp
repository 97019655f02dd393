// luge bench: how fast the demo step and the training step are, eager and captured, for one set and for many.

#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <luge/seam/backend.h>
#include <luge/report/table.h>

#include "bandwidth.h"
#include "comparison.h"
#include "options.h"
#include "parabola.h"

namespace luge::cli {

using namespace report;

namespace {

struct BenchOptions {
  std::vector<std::int64_t> sets{1, 1'000, 100'000, 1'000'000, 10'000'000};
  std::vector<std::int64_t> models{1, 4, 16, 64};
  double seconds = 0.5;
  bool eager = false;
};

constexpr MlpShape kMlp;

double parameters_per_second(const Comparison& m) { return static_cast<double>(m.sets) / m.seconds(); }
double bytes_per_second(const Comparison& m) {
  return m.has_captured() ? m.figures.bytes / m.seconds() : parameters_per_second(m) * kNumbersPerStep * sizeof(float);
}
double samples_per_second(const Comparison& m) { return static_cast<double>(m.sets * kMlp.batch) / m.seconds(); }

std::string microseconds(double seconds) { return seconds > 0 ? fmt::format("{:.4g} us", seconds * 1e6) : "-"; }
std::string times(const Comparison& m) { return m.has_captured() ? fmt::format("{:.2f}", m.speedup()) : "-"; }

void print(const std::vector<Comparison>& demo, const std::vector<Comparison>& training, double copy) {
  fmt::print("demo step: zero_grad, 3x^2 - 2x + 3, backward, SGD, monitor; float32. Traffic is what the calls read and write, {:.0f} bytes\n"
             "per parameter eagerly, and what the plan does where the step is captured; a copy of 128 MiB reaches {}.\nFew sets live in the caches.\n\n",
             kNumbersPerStep * sizeof(float), si(copy, "B/s"));
  Table first({{"sets"}, {"eager"}, {"captured"}, {"ratio"}, {"parameter-steps"}, {"traffic"}, {"of copy"}});
  for (const Comparison& m : demo)
    first.add_row({grouped(m.sets), microseconds(m.eager_seconds), microseconds(m.captured_seconds), times(m), si(parameters_per_second(m), "/s"),
                   si(bytes_per_second(m), "B/s"), fmt::format("{:.0f} %", 100 * bytes_per_second(m) / copy)});
  fmt::print("{}\ntraining step: MLP {}-{}-{}, batch {}, cross entropy, Adam, monitor; float32\n\n", first.text(), kMlp.inputs, kMlp.hidden, kMlp.classes,
             kMlp.batch);
  Table second({{"models"}, {"eager"}, {"captured"}, {"ratio"}, {"samples"}, {"per model"}});
  for (const Comparison& m : training)
    second.add_row({grouped(m.sets), microseconds(m.eager_seconds), microseconds(m.captured_seconds), times(m), si(samples_per_second(m), "/s"),
                    microseconds(m.seconds() / static_cast<double>(m.sets))});
  fmt::print("{}", second.text());
}

void print_json(const std::vector<Comparison>& demo, const std::vector<Comparison>& training, double copy, const Common& common) {
  using Json = nlohmann::ordered_json;
  const auto both = [](Json row, const Comparison& m) {
    row["eager_seconds_per_step"] = m.eager_seconds;
    if (m.has_captured()) {
      row["captured_seconds_per_step"] = m.captured_seconds;
      row["speedup"] = m.speedup();
      row["launches"] = m.figures.launches;
      row["eager_calls"] = m.figures.recorded_calls;
    }
    return row;
  };
  Json first = Json::array(), second = Json::array();
  for (const Comparison& m : demo)
    first.push_back(both({{"sets", m.sets},
                          {"seconds_per_step", m.seconds()},
                          {"parameter_steps_per_second", parameters_per_second(m)},
                          {"bytes_per_second", bytes_per_second(m)},
                          {"fraction_of_copy", bytes_per_second(m) / copy}},
                         m));
  for (const Comparison& m : training)
    second.push_back(both({{"models", m.sets}, {"seconds_per_step", m.seconds()}, {"samples_per_second", samples_per_second(m)}}, m));
  fmt::print("{}\n", Json{{"device", to_string(common.device)}, {"copy_bandwidth", copy}, {"demo_step", first}, {"training_step", second}}.dump(2));
}

void run(const BenchOptions& options, const Common& common) {
  const double copy = copy_bandwidth(common.device);
  std::vector<Comparison> demo, training;
  for (const std::int64_t sets : options.sets) {
    fmt::print(stderr, "demo step, {} sets\n", grouped(sets));
    demo.push_back(compare_demo(sets, float32, common, options.seconds, options.eager));
    backend(common.device).release_cache();
  }
  for (const std::int64_t models : options.models) {
    fmt::print(stderr, "training step, {} models\n", grouped(models));
    training.push_back(compare_training(models, kMlp, common, options.seconds, options.eager));
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
  app->add_option("--seconds", options->seconds, "time for each case, eager and captured (default 0.5)")->check(not_negative())->type_name("S");
  app->add_flag("--eager", options->eager, "measure eager steps only");
  add_common_options(*app, common);
  return {app, [options, &common] { run(*options, common); }};
}

}  // namespace luge::cli
