#include <luge/train/detail/stop_report.h>

#include <algorithm>

#include <fmt/format.h>

namespace luge::stop {

const char* name(Reason reason) {
  switch (reason) {
#define LUGE_ROW(Reason_, text) \
  case Reason::Reason_: return text;
    LUGE_STOP_REASONS(LUGE_ROW)
#undef LUGE_ROW
  }
  return "";
}

namespace {

/// "1 set", "12 sets"
std::string counted(std::int64_t count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

/// What explain() has found.
std::string origin(const Quarantined& one) {
  if (one.operation.empty()) return "";
  const char* const way = one.backward ? "backward" : "forward";
  return one.from_data ? fmt::format("; {} ({}) read such a value from outside of the step", one.operation, way)
                       : fmt::format("; {} ({}) gave the first such value", one.operation, way);
}

}  // namespace

Report report_of(const Tensor& checks, const Tensor& reason, const Tensor& stopped_at, const Tensor& active) {
  Report report;
  report.checks = checks.item<std::int64_t>();
  report.sets = reason.numel();
  report.first.fill(-1);
  report.last.fill(-1);
  const std::vector<double> flags = active.to_vector<double>();
  const std::vector<std::int64_t> reasons = reason.to_vector<std::int64_t>(),
                                  steps = stopped_at.to_vector<std::int64_t>();
  for (std::size_t set = 0; set < reasons.size(); ++set) {
    const auto why = static_cast<std::size_t>(reasons[set]);
    const std::int64_t step = steps[set];
    report.active += flags[set] != 0;
    report.held += why == 0 && flags[set] == 0;
    ++report.counts[why];
    report.first[why] = report.first[why] < 0 ? step : std::min(report.first[why], step);
    report.last[why] = std::max(report.last[why], step);
    const auto kind = static_cast<Reason>(reasons[set]);
    if (kind == Reason::NanLoss || kind == Reason::NanGradient)
      report.quarantined.push_back({.set = static_cast<std::int64_t>(set), .step = step, .reason = kind});
  }
  return report;
}

std::string Report::text() const {
  constexpr std::size_t kMostNamed = 10;
  std::string text = fmt::format("{} of {} active after {}\n", active, counted(sets, "set"), counted(checks, "check"));
  for (int i = 0; i < kReasons; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const auto reason = static_cast<Reason>(i);
    if (counts[at] == 0) continue;
    text += fmt::format("  {:<13}{}", stop::name(reason), counts[at]);
    if (reason == Reason::Running) {
      if (held > 0) text += fmt::format(", of which {} stand still by set_active or another rule", held);
    } else if (first[at] == last[at]) {
      text += fmt::format(", after {}", counted(first[at], "step"));
    } else {
      text += fmt::format(", after {} to {} steps", first[at], last[at]);
    }
    text += '\n';
  }
  for (std::size_t i = 0; i < std::min(quarantined.size(), kMostNamed); ++i) {
    const Quarantined& one = quarantined[i];
    text +=
        fmt::format("  set {} is in quarantine after {}: its {} is not finite{}\n", one.set, counted(one.step, "step"),
                    one.reason == Reason::NanLoss ? "loss (forward)" : "gradient (backward)", origin(one));
  }
  if (quarantined.size() > kMostNamed)
    text += fmt::format("  and {} more in quarantine\n", quarantined.size() - kMostNamed);
  text.pop_back();
  return text;
}

}  // namespace luge::stop
