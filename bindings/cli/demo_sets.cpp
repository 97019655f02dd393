// luge demo --sets N: the same loop for N starts with N learning rates, each held against its closed form.

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <luge/autograd/grad_mode.h>
#include <luge/seam/backend.h>
#include <luge/capture/step.h>
#include <luge/ops/create.h>
#include <luge/base/threads.h>
#include <luge/train/optimizer.h>
#include <luge/train/parameters.h>
#include <luge/report/table.h>

#include "bandwidth.h"
#include "demo.h"
#include "parabola.h"
#include "timing.h"

namespace luge::cli {

using namespace report;

namespace {

constexpr double kLeast = -2, kMost = 2, kMostLr = 0.3;
/// Arrays of one number per set that a step keeps at hand, and what may fit into caches: for a remark.
constexpr std::int64_t kArrays = 7, kCache = std::int64_t{1} << 25;
/// Sets that travel between host and device at a time.
constexpr std::int64_t kChunk = std::int64_t{1} << 22;
/// Sets whose losses the report shows one by one.
constexpr std::int64_t kKept = 8;
/// Steps that are replayed at once.
constexpr std::int64_t kAtOnce = 16;

/// Points that fill the open unit square evenly, any number of them in any order: the additive
/// recurrence of Roberts, "The unreasonable effectiveness of quasirandom sequences" (2018), whose
/// steps are 1/g and 1/g^2 with g^3 = g + 1.
double spread(std::int64_t set, double step) {
  const double u = 0.5 + static_cast<double>(set) * step;
  return 0x1p-21 + (u - std::floor(u)) * (1 - 0x1p-20);  // neither 0 nor 1, also in float32
}

template <class T>
T start_of(std::int64_t set) {
  return static_cast<T>(kLeast + (kMost - kLeast) * spread(set, 0.7548776662466927));
}

template <class T>
T lr_of(std::int64_t set) {
  return static_cast<T>(kMostLr * spread(set, 0.5698402909980532));
}

/// destination[i] = value(i), a chunk at a time.
template <class T, class Value>
void fill(Tensor destination, Value value) {
  const NoGrad no_grad;
  std::vector<T> chunk;
  const std::int64_t n = destination.numel();
  for (std::int64_t first = 0; first < n; first += kChunk) {
    const std::int64_t count = std::min(kChunk, n - first);
    chunk.resize(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count; ++i) chunk[static_cast<std::size_t>(i)] = value(first + i);
    destination.slice(0, first, first + count).copy_(from_host(chunk, {count}));
  }
}

/// The reference is computed with more digits than what it checks.
template <class T>
using Reference = std::conditional_t<std::is_same_v<T, float>, double, long double>;

SetsCheck empty_check() {
  SetsCheck check;
  for (int b = 0; b < kRateBins; ++b) check.by_rate.push_back({.lr = kMostLr * (b + 0.5) / kRateBins});
  check.units_histogram.resize(kUnitBins);
  check.loss_histogram.resize(kLossBins);
  return check;
}

/// The bin of `where`, which runs from 0 to 1 over all; both ends take what is beyond.
std::size_t bin(double where, int bins) {
  return static_cast<std::size_t>(std::clamp(where * bins, 0.0, static_cast<double>(bins - 1)));
}

template <class T>
void check_one(SetsCheck& check, std::int64_t set, T x, std::int64_t steps) {
  using R = Reference<T>;
  const T lr = lr_of<T>(set);
  const R expected = closed_form<R>(start_of<T>(set), lr, steps);
  const auto error = static_cast<double>(std::abs(static_cast<R>(x) - expected));
  if (!std::isfinite(error)) {
    ++check.not_finite;
    return;
  }
  const double unit = std::numeric_limits<T>::epsilon() / std::min(1.0, 6 * static_cast<double>(lr));
  const double units = error / unit;
  if (check.worst_set < 0 || units > check.worst_units) {
    check.worst_units = units;
    check.worst_set = set;
  }
  RateBin& rate = check.by_rate[bin(lr / kMostLr, kRateBins)];
  ++rate.count;
  rate.worst_error = std::max(rate.worst_error, error);
  rate.worst_units = std::max(rate.worst_units, units);
  ++check.units_histogram[bin(units / kMostUnits, kUnitBins)];
  // f - 8/3 = 3 (x - 1/3)^2 exactly, where the difference of rounded numbers would only show their last digit.
  const auto excess = static_cast<double>(3 * std::pow(static_cast<R>(x) - R(1) / 3, R(2)));
  ++check.loss_histogram[bin((std::log10(std::max(excess, 1e-300)) - kLowestLoss) * 2 / kLossBins, kLossBins)];
}

void merge(SetsCheck& into, const SetsCheck& part) {
  if (part.worst_set >= 0 && (into.worst_set < 0 || part.worst_units > into.worst_units ||
                              (part.worst_units == into.worst_units && part.worst_set < into.worst_set))) {
    into.worst_units = part.worst_units;
    into.worst_set = part.worst_set;
  }
  into.not_finite += part.not_finite;
  for (std::size_t b = 0; b < kRateBins; ++b) {
    into.by_rate[b].count += part.by_rate[b].count;
    into.by_rate[b].worst_error = std::max(into.by_rate[b].worst_error, part.by_rate[b].worst_error);
    into.by_rate[b].worst_units = std::max(into.by_rate[b].worst_units, part.by_rate[b].worst_units);
  }
  for (std::size_t b = 0; b < kUnitBins; ++b) into.units_histogram[b] += part.units_histogram[b];
  for (std::size_t b = 0; b < kLossBins; ++b) into.loss_histogram[b] += part.loss_histogram[b];
}

/// All sets against their closed forms, a chunk at a time, in luge's number of threads.
template <class T>
SetsCheck check_sets(const Tensor& x, std::int64_t steps) {
  SetsCheck result = empty_check();
  std::mutex mutex;
  const std::int64_t n = x.numel();
  for (std::int64_t first = 0; first < n; first += kChunk) {
    const std::int64_t count = std::min(kChunk, n - first);
    const std::vector<T> values = x.slice(0, first, first + count).template to_vector<T>();
    const std::int64_t share = count / num_threads() + 1;
    const auto check_share = [&](std::int64_t begin) {
      SetsCheck part = empty_check();
      for (std::int64_t i = begin; i < std::min(begin + share, count); ++i)
        check_one(part, first + i, values[static_cast<std::size_t>(i)], steps);
      const std::lock_guard lock(mutex);
      merge(result, part);
    };
    std::vector<std::thread> others;
    for (std::int64_t begin = share; begin < count; begin += share) others.emplace_back(check_share, begin);
    check_share(0);
    for (std::thread& other : others) other.join();
  }
  return result;
}

/// Fills, trains, checks and measures.
template <class T>
SetsResult train_sets(const DemoOptions& options, const Common& common, Monitor& monitor) {
  Backend& queue = backend(common.device);
  SetsResult result;
  result.copy_bandwidth = copy_bandwidth(common.device);
  queue.release_cache();

  Parameters params({.sets = options.sets, .device = common.device, .dtype = options.dtype});
  Tensor x = params.add("x", {}, init::zeros());
  Tensor lr = empty({options.sets}, {.dtype = options.dtype, .device = common.device});
  fill<T>(x, start_of<T>);
  fill<T>(lr, lr_of<T>);
  Sgd optimizer(params, {.lr = lr});
  parabola(x).sum().backward();  // takes the memory that every step needs, before the clock runs
  queue.synchronize();

  const auto body = [&] {
    optimizer.zero_grad();
    Tensor loss = parabola(x);
    loss.sum().backward();
    optimizer.step();
    monitor.record(loss);
  };
  Step<void> step = capture(body, {.keep_gradients = false});
  result.bytes_per_parameter = kNumbersPerStep * sizeof(T);
  const Stopwatch watch;
  for (std::int64_t done = 0; done < options.epochs;) {
    if (options.eager) {
      body();
      ++done;
    } else {
      // The first is recorded; then a few at once, so that the progress line moves.
      const std::int64_t steps = done == 0 ? 1 : std::min(kAtOnce, options.epochs - done);
      step.run(steps);
      done += steps;
    }
  }
  queue.synchronize();
  result.seconds = watch.seconds();
  monitor.finish();
  if (!options.eager && options.epochs > 0) result.bytes_per_parameter = step.figures().bytes / static_cast<double>(options.sets);

  const auto steps = static_cast<double>(options.epochs);
  result.steps_per_second = options.epochs > 0 ? steps / result.seconds : 0;
  result.parameters_per_second = result.steps_per_second * static_cast<double>(options.sets);
  result.bytes_per_second = result.parameters_per_second * result.bytes_per_parameter;
  result.check = check_sets<T>(x.detach(), options.epochs);
  for (std::int64_t set = 0; set < std::min(kKept, options.sets); ++set) {
    result.kept_lr.push_back(lr_of<T>(set));
    result.kept_start.push_back(start_of<T>(set));
  }
  return result;
}

void print_results(const DemoOptions& options, const SetsResult& result) {
  const auto line = [](const char* what, const std::string& text) { fmt::print("{:<22}{}\n", what, text); };
  fmt::print("minimise f(x) = 3x^2 - 2x + 3 for {} sets at once: starts over (-2, 2), learning rates over (0, 0.3), {} epochs, {}\n\n",
             grouped(options.sets), options.epochs, name(options.dtype));
  line("worst error", fmt::format("{:.2f} eps / min(1, 6 lr), at set {}; every set was held against its own closed form",
                                  result.check.worst_units, result.check.worst_set));
  if (result.check.not_finite > 0) line("not finite", grouped(result.check.not_finite));
  line("time", fmt::format("{:.3f} s", result.seconds));
  line("steps", si(result.steps_per_second, "/s"));
  line("parameter-steps", si(result.parameters_per_second, "/s"));
  line("bytes", fmt::format("{}, {:.0f} per parameter and step: what the {} of a step read{} and write{}", si(result.bytes_per_second, "B/s"),
                            result.bytes_per_parameter, options.eager ? "calls" : "plan", options.eager ? "" : "s",
                            options.eager ? "" : "s"));
  line("copy bandwidth", fmt::format("{}, measured just before; the steps reach {:.0f} % of it", si(result.copy_bandwidth, "B/s"),
                                     100 * result.bytes_per_second / result.copy_bandwidth));
  if (options.sets * kArrays * static_cast<std::int64_t>(size_of(options.dtype)) < kCache)
    fmt::print("{:<22}so few sets may live in the caches, which a copy of 128 MiB does not\n", "");
}

void print_json(const DemoOptions& options, const Common& common, const SetsResult& result) {
  const nlohmann::ordered_json json = {
      {"sets", options.sets},
      {"epochs", options.epochs},
      {"dtype", name(options.dtype)},
      {"device", to_string(common.device)},
      {"worst_error_units", result.check.worst_units},
      {"worst_set", result.check.worst_set},
      {"not_finite", result.check.not_finite},
      {"seconds", result.seconds},
      {"steps_per_second", result.steps_per_second},
      {"parameter_steps_per_second", result.parameters_per_second},
      {"captured", !options.eager},
      {"bytes_per_parameter_step", result.bytes_per_parameter},
      {"bytes_per_second", result.bytes_per_second},
      {"copy_bandwidth", result.copy_bandwidth},
      {"fraction_of_copy", result.bytes_per_second / result.copy_bandwidth}};
  fmt::print("{}\n", json.dump(2));
}

}  // namespace

void run_demo_sets(const DemoOptions& options, const Common& common) {
  Monitor monitor({.total = options.epochs, .keep_sets = std::min(kKept, options.sets)});
  const SetsResult result = options.dtype == float64 ? train_sets<double>(options, common, monitor)
                                                     : train_sets<float>(options, common, monitor);
  if (common.json) {
    print_json(options, common, result);
  } else {
    print_results(options, result);
  }
  if (!options.report.empty()) write_demo_sets_report(options, common, result, monitor);
}

}  // namespace luge::cli
