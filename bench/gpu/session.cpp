#include "session.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <luge/seam/backend.h>
#include <luge/ops/elementwise.h>

namespace luge::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kGroups = 9;
/// Shorter than that the clock and the waiting would be what is measured.
constexpr double kShortest = 2e-3;

/// Seconds of a call of step, group by group, sorted.
std::vector<double> time_groups(Device device, double budget, const std::function<void()>& step) {
  Backend& queue = backend(device);
  const auto run = [&](std::int64_t calls) {
    const auto begin = Clock::now();
    for (std::int64_t i = 0; i < calls; ++i) step();
    queue.synchronize();
    return std::chrono::duration<double>(Clock::now() - begin).count() / static_cast<double>(calls);
  };
  run(1);  // takes memory, and records a captured step
  const auto begin = Clock::now();
  const auto spent = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
  double once = run(1);
  while (spent() < budget / 2) once = run(1);  // a GPU that waited has slow clocks
  for (std::int64_t calls = 2; once * static_cast<double>(calls) < kShortest; calls *= 2) once = run(calls);
  const double wanted = std::max(budget / kGroups, kShortest);
  const auto calls = static_cast<std::int64_t>(std::max(1.0, std::ceil(wanted / std::max(once, 1e-9))));
  std::vector<double> groups;
  const double end = spent() + 2 * budget;
  while (groups.size() < kGroups && (groups.empty() || spent() < end)) groups.push_back(run(calls));
  std::sort(groups.begin(), groups.end());
  return groups;
}

}  // namespace

bool Session::wants(const std::string& group) const {
  const std::vector<std::string>& groups = settings_.groups;
  return groups.empty() || std::find(groups.begin(), groups.end(), group) != groups.end();
}

void Session::measure(const Case& what, const std::function<Work()>& prepare) const {
  nlohmann::ordered_json row{{"library", "luge"}, {"case", what.name}, {"way", what.way}};
  try {
    const Work work = prepare();
    if (work.error) {
      const double error = work.error();
      // JSON has no NaN: without the word a broken result would look like one that nobody checked.
      if (std::isfinite(error))
        row["error"] = error;
      else
        row["failed"] = "the error against float64 is not finite";
    }
    const std::vector<double> groups = time_groups(settings_.device, settings_.seconds, work.step);
    const auto per_step = [&](double seconds) { return seconds / static_cast<double>(work.steps); };
    const double seconds = per_step(groups[groups.size() / 2]);
    row["seconds"] = seconds;
    row["fastest"] = per_step(groups.front());
    row["slowest"] = per_step(groups.back());
    if (what.bytes > 0) row["bytes_per_second"] = what.bytes / seconds;
    if (what.flops > 0) row["flops_per_second"] = what.flops / seconds;
  } catch (const std::exception& error) {
    row["failed"] = error.what();
  }
  fmt::print(settings_.output, "{}\n", row.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  std::fflush(settings_.output);
  try {
    backend(settings_.device).release_cache();
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", what.name, error.what());
  }
}

Tensor exact(const Tensor& tensor) { return tensor.detach().to(Device::cpu()).to(float64); }

double relative_error(const Tensor& got, const Tensor& reference) {
  const Tensor difference = exact(got) - exact(reference);
  const double wrong = std::sqrt(square(difference).sum().item()), size = std::sqrt(square(exact(reference)).sum().item());
  return wrong == 0 ? 0 : wrong / size;
}

}  // namespace luge::bench
