// The page about a training.

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include <luge/report/table.h>
#include <luge/train/monitor.h>

namespace luge {

namespace {

/// Points of a curve. A picture is no wider, and a million steps would make a page of a hundred megabytes.
constexpr std::size_t kPoints = 500;
/// Kept sets that get a colour and a name each, that are drawn at all, and that stand in the table.
constexpr std::size_t kNamed = report::kColourCount, kDrawn = 64, kListed = 100;
/// Means that span more than this factor are drawn on a logarithmic scale.
constexpr double kWideSpan = 100;

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

/// A stretch of steps that is one point of the picture.
struct Point {
  double step = 0, mean = kNothing, min = kNothing, max = kNothing;
  std::vector<double> sets;
};

/// The mean of the values that are finite; NaN: none is.
template <class Value>
double finite_mean(std::size_t first, std::size_t end, Value value) {
  double sum = 0, count = 0;
  for (std::size_t i = first; i < end; ++i) {
    const double x = value(i);
    if (!std::isfinite(x)) continue;
    sum += x;
    ++count;
  }
  return count > 0 ? sum / count : kNothing;
}

Point point_of(const std::vector<HistoryRow>& rows, std::size_t first, std::size_t end, std::size_t kept) {
  Point point{.step = (static_cast<double>(rows[first].step) + static_cast<double>(rows[end - 1].step)) / 2,
              .sets = {}};
  point.mean = finite_mean(first, end, [&](std::size_t i) { return rows[i].mean; });
  for (std::size_t i = first; i < end; ++i) {
    point.min = std::fmin(point.min, rows[i].min);  // of NaN and a number the number
    point.max = std::fmax(point.max, rows[i].max);
  }
  for (std::size_t set = 0; set < kept; ++set)
    point.sets.push_back(finite_mean(first, end, [&](std::size_t i) { return rows[i].sets[set]; }));
  return point;
}

struct Curve {
  std::size_t steps_per_point = 1;
  std::vector<Point> points;
};

Curve curve_of(const std::vector<HistoryRow>& rows, std::size_t kept) {
  Curve curve{.steps_per_point = (rows.size() + kPoints - 1) / kPoints, .points = {}};
  for (std::size_t first = 0; first < rows.size(); first += curve.steps_per_point)
    curve.points.push_back(point_of(rows, first, std::min(rows.size(), first + curve.steps_per_point), kept));
  return curve;
}

std::string csv_of(const Curve& curve, std::size_t kept) {
  std::string csv = "step,mean,min,max";
  for (std::size_t set = 0; set < kept; ++set) csv += fmt::format(",set_{}", set);
  csv += '\n';
  for (const Point& point : curve.points) {
    csv += fmt::format("{},{},{},{}", point.step, point.mean, point.min, point.max);
    for (const double loss : point.sets) csv += fmt::format(",{}", loss);
    csv += '\n';
  }
  return csv;
}

/// Whether the means span so much that a linear scale would hide where they end.
bool wants_logarithm(const Curve& curve) {
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const Point& point : curve.points) {
    if (point.min <= 0) return false;
    low = std::fmin(low, point.mean);
    high = std::fmax(high, point.mean);
  }
  return high > kWideSpan * low;
}

report::Plot plot_of(const Curve& curve, std::int64_t last_step, std::size_t kept, std::size_t all_kept) {
  std::string script =
      fmt::format("set xlabel \"step\"\nset ylabel \"loss\"\nset xrange [0:{}]\nset key {}\n{}",
                  std::max<std::int64_t>(last_step, 1), kept > 0 ? "outside right center" : "top right",
                  wants_logarithm(curve) ? "set logscale y\nset format y \"10^{%T}\"\n" : "");
  script += "plot 'loss.csv' skip 1 using 1:3:4 with filledcurves lc rgb \"#c0808890\" title \"smallest to largest\"";
  for (std::size_t set = 0; set < kept; ++set) {
    const std::string title = kept <= kNamed ? fmt::format("title \"set {}\"", set)
                              : set == 0     ? "title \"kept sets\""
                                             : "notitle";
    script += fmt::format(", \\\n  '' skip 1 using 1:{} with lines lw {} lc rgb \"{}\" {}", set + 5,
                          kept <= kNamed ? 1.2 : 0.5,
                          kept <= kNamed ? report::kColours[(set + 1) % report::kColourCount] : "#808890", title);
  }
  script += fmt::format(", \\\n  '' skip 1 using 1:2 with {} lw 2 lc rgb \"{}\" title \"mean\"\n",
                        curve.points.size() > 1 ? "lines" : "points pt 7", report::kColours[0]);
  std::string caption = "The mean over all sets, and from the smallest to the largest of them.";
  if (curve.steps_per_point > 1)
    caption += fmt::format(
        " A point stands for {} steps: the means of means and of single sets, the smallest and the largest loss.",
        curve.steps_per_point);
  if (kept < all_kept) caption += fmt::format(" Drawn are the first {} of {} kept sets.", kept, all_kept);
  return {"loss", "Loss", std::move(caption), std::move(script)};
}

report::Table table_of(const HistoryRow& first, const HistoryRow& last) {
  report::Table table({{"loss", true}, {fmt::format("step {}", first.step)}, {fmt::format("step {}", last.step)}});
  const auto add = [&](std::string name, double then, double now) {
    table.add_row({std::move(name), fmt::format("{:.7g}", then), fmt::format("{:.7g}", now)});
  };
  add("mean", first.mean, last.mean);
  add("smallest", first.min, last.min);
  add("largest", first.max, last.max);
  table.add_row({"sets that are not finite", report::grouped(first.not_finite), report::grouped(last.not_finite)});
  for (std::size_t set = 0; set < std::min(last.sets.size(), kListed); ++set)
    add(fmt::format("set {}", set), first.sets[set], last.sets[set]);
  return table;
}

std::string summary_of(const std::vector<HistoryRow>& rows) {
  if (rows.empty()) return "No step was recorded.";
  const HistoryRow &first = rows.front(), &last = rows.back();
  if (rows.size() == 1) return fmt::format("One step, with a mean loss of {:.7g}.", first.mean);
  return fmt::format("{} steps in {:.3g} s took the mean loss from {:.7g} to {:.7g}.",
                     report::grouped(static_cast<long long>(rows.size())), last.seconds, first.mean, last.mean);
}

}  // namespace

report::Written Monitor::report(const std::string& directory, const ReportOptions& options, SourceLocation location) {
  const std::vector<HistoryRow>& rows = history(location);
  report::Report page(directory, options.title, summary_of(rows));
  write_csv(page.path("history.csv"), location);
  write_jsonl(page.path("history.jsonl"), location);
  const bool any = std::any_of(rows.begin(), rows.end(), [](const HistoryRow& row) { return std::isfinite(row.mean); });
  if (any) {
    const std::size_t all_kept = rows.front().sets.size(), kept = std::min(all_kept, kDrawn);
    const Curve curve = curve_of(rows, kept);
    page.write_file("loss.csv", csv_of(curve, kept));
    page.add_plot(plot_of(curve, rows.back().step, kept, all_kept));
  }
  if (!rows.empty()) page.add_table("First and last step", table_of(rows.front(), rows.back()));
  if (!options.facts.empty()) page.add_facts("Options", options.facts);
  page.add_file("history.csv", "per step: mean, least and largest loss, and the losses of the kept sets");
  page.add_file("history.jsonl", "the same, one JSON object a line");
  if (any) page.add_file("loss.csv", "the points of the picture");
  return page.finish(device());
}

}  // namespace luge
