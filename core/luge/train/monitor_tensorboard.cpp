// What TensorBoard gets of a training: as much of it as nobody has written yet.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>

#include <fmt/format.h>

#include <luge/base/detail/check.h>
#include <luge/train/detail/event_file.h>
#include <luge/train/monitor.h>

namespace luge {

struct Monitor::Logged {
  struct Distribution {
    std::int64_t step;
    std::string name;
    Summary summary;
  };
  struct Written {
    std::int64_t steps = 0;
    std::size_t distributions = 0;
  };
  std::vector<Distribution> distributions;
  std::map<std::string, Written> written;  ///< into each folder
};

namespace {

constexpr const char* kOp = "Monitor::write_tensorboard";
/// Kept sets that get a curve each; of more than that, quantiles are written.
constexpr std::size_t kSingleSets = 8;
const std::vector<double> kQuantiles = {0.05, 0.25, 0.5, 0.75, 0.95};

std::string quantile_name(double probability) { return fmt::format("q{:g}", 100 * probability); }

void add_losses(EventFile& file, const HistoryRow& row) {
  file.add("loss/mean", row.mean);
  file.add("loss/min", row.min);
  file.add("loss/max", row.max);
  if (row.not_finite > 0) file.add("loss/not_finite", static_cast<double>(row.not_finite));
  if (row.sets.size() <= kSingleSets) {
    for (std::size_t set = 0; set < row.sets.size(); ++set) file.add(fmt::format("loss/set_{}", set), row.sets[set]);
    return;
  }
  const std::vector<double> values = quantiles_of(row.sets, kQuantiles);
  for (std::size_t i = 0; i < values.size(); ++i) file.add("loss/kept_" + quantile_name(kQuantiles[i]), values[i]);
}

void add_summary(EventFile& file, const std::string& name, const Summary& summary) {
  file.add(name + "/mean", summary.mean);
  file.add(name + "/min", summary.min);
  file.add(name + "/max", summary.max);
  for (std::size_t i = 0; i < summary.quantiles.size(); ++i)
    file.add(name + "/" + quantile_name(summary.probabilities[i]), summary.quantiles[i]);
  if (summary.not_finite > 0) file.add(name + "/not_finite", static_cast<double>(summary.not_finite));
  if (summary.count > 0) file.add(name, summary);
}

}  // namespace

Monitor::Logged& Monitor::logged() {
  if (!logged_) logged_ = std::make_shared<Logged>();
  return *logged_;
}

Summary Monitor::distribution(const std::string& name, const Tensor& x, const SummaryOptions& options,
                              SourceLocation location) {
  Summary summary = summarize(x, options, location);
  logged().distributions.push_back({std::max<std::int64_t>(recorded() - 1, 0), name, summary});
  return summary;
}

void Monitor::write_tensorboard(const std::string& folder, const TensorboardOptions& options, SourceLocation location) {
  LUGE_CHECK(ValueError, options.every >= 1, "{}: every is {}; it must be 1 or more", kOp, options.every);
  const std::vector<HistoryRow>& rows = history(location);
  const std::unique_ptr<EventFile> file = make_event_file(kOp, folder);

  // A row knows the seconds since the monitor began.
  const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const double began = now - elapsed();
  const auto time_of = [&](std::int64_t step) {
    if (rows.empty()) return now;
    return began + rows[static_cast<std::size_t>(std::min<std::int64_t>(step, std::ssize(rows) - 1))].seconds;
  };
  std::error_code failure;
  const std::string place = std::filesystem::canonical(folder, failure).string();
  LUGE_CHECK(IoError, !failure, "{}: '{}': {}", kOp, folder, failure.message());
  Logged::Written& written = logged().written[place];
  const std::vector<Logged::Distribution>& distributions = logged().distributions;
  std::multimap<std::int64_t, const Logged::Distribution*> at;
  for (std::size_t i = written.distributions; i < distributions.size(); ++i)
    at.emplace(distributions[i].step, &distributions[i]);
  const auto add = [&](std::int64_t step, bool losses) {
    file->begin(step, time_of(step));
    if (losses) add_losses(*file, rows[static_cast<std::size_t>(step)]);
    for (auto [next, last] = at.equal_range(step); next != last; ++next)
      add_summary(*file, next->second->name, next->second->summary);
    at.erase(step);
    file->end();
  };
  std::int64_t last = 0;
  for (std::int64_t step = 0; step < std::ssize(rows); ++step) {
    const bool losses = step >= written.steps && step % options.every == 0;
    if (!losses && !at.contains(step)) continue;
    add(step, losses);
    last = step;
  }
  while (!at.empty()) add(last = at.begin()->first, false);  // of steps before a restore

  if (!options.hparams.empty() || !options.metrics.empty()) {
    file->add(options.hparams, options.metrics, now);
    file->begin(last, now);
    for (const auto& [name, value] : options.metrics) file->add(name, value);
    file->end();
  }
  file->commit();
  written = {std::ssize(rows), distributions.size()};
}

}  // namespace luge
