// The pictures of luge demo --sets.

#include <cmath>

#include <fmt/format.h>

#include "comparison.h"
#include "demo.h"
#include "parabola.h"
#include "report.h"

namespace luge::cli {

using namespace report;

namespace {

double epsilon(DType dtype) { return dtype == float64 ? 0x1p-52 : 0x1p-23; }

void write_data(Report& report, const DemoOptions& options, const SetsCheck& check) {
  std::string rates = "lr,sets,worst_error,worst_units,unit\n";
  for (const RateBin& bin : check.by_rate)
    if (bin.count > 0)
      rates += fmt::format("{:.6g},{},{:.6g},{:.6g},{:.6g}\n", bin.lr, bin.count, bin.worst_error, bin.worst_units,
                           epsilon(options.dtype) / std::min(1.0, 6 * bin.lr));
  report.write_file("errors_by_rate.csv", rates);

  std::string units = "units,sets\n";
  for (std::size_t b = 0; b < check.units_histogram.size(); ++b)
    units += fmt::format("{:.4f},{}\n", (static_cast<double>(b) + 0.5) * kMostUnits / kUnitBins, check.units_histogram[b]);
  report.write_file("errors.csv", units);

  std::string losses = "excess,sets\n";
  for (std::size_t b = 0; b < check.loss_histogram.size(); ++b)
    losses += fmt::format("{:.6g},{}\n", std::pow(10, kLowestLoss + 0.5 * (static_cast<double>(b) + 0.5)), check.loss_histogram[b]);
  report.write_file("losses.csv", losses);
}

/// f - 8/3 of the sets that were kept one by one, which differ in start and learning rate.
std::string loss_curves(const DemoOptions& options, const SetsResult& result) {
  // Rounding of f hides differences below half a unit of 8/3.
  const double floor = epsilon(options.dtype) * 2;
  std::string script = fmt::format(
      "set xlabel \"epoch\"\nset ylabel \"f(x) − 8/3\"\nset logscale y\nset format y \"10^{{%T}}\"\nset xrange [0:{}]\nset yrange [{}:50]\n"
      "set key outside right center title \"learning rate\" textcolor rgb \"#010203\"\nplot ",
      std::max<std::int64_t>(options.epochs, 1), floor / 2);
  for (std::size_t i = 0; i < result.kept_lr.size(); ++i)
    script += fmt::format("{}'history.csv' skip 1 using 1:((d=${}-8/3.) > {} ? d : NaN) with lines lw 1.8 lc rgb \"{}\" title \"{:.3f}\"",
                          i == 0 ? "" : ", \\\n  ", 7 + i, floor, kColours[i % kColourCount], result.kept_lr[i]);
  return script + "\n";
}

constexpr const char* kAll =
    "set xlabel \"epoch\"\nset ylabel \"f(x) − 8/3\"\nset logscale y\nset format y \"10^{%T}\"\nset yrange [*:100]\nset key top right\n"
    "above(f) = f > 8/3. ? f - 8/3. : NaN\n"
    "plot 'history.csv' skip 1 using 1:(above($5)) with lines lw 2 lc rgb \"#f97316\" title \"worst set\", \\\n"
    "  'history.csv' skip 1 using 1:(above($3)) with lines lw 2 lc rgb \"#3b82f6\" title \"mean of all sets\"\n";

constexpr const char* kByRate =
    "set xlabel \"learning rate\"\nset ylabel \"worst |x − closed form|\"\nset logscale y\nset format y \"10^{%T}\"\n"
    "set xrange [0:0.3]\nset key top right\n"
    "plot 'errors_by_rate.csv' skip 1 using 1:(4*$5) with lines lw 2 dt 2 lc rgb \"#ef4444\" title \"4 eps / min(1, 6 lr)\", \\\n"
    "  'errors_by_rate.csv' skip 1 using 1:($3 > 0 ? $3 : NaN) with linespoints lw 1.5 pt 7 ps 0.5 lc rgb \"#3b82f6\" title \"worst set of its rate\"\n";

constexpr const char* kErrors =
    "set xlabel \"error in units of eps / min(1, 6 lr)\"\nset ylabel \"sets\"\nset logscale y\nset format y \"10^{%T}\"\n"
    "set xrange [0:4]\nset yrange [0.5:*]\nset boxwidth 0.09\nunset key\n"
    "plot 'errors.csv' skip 1 using 1:($2 > 0 ? $2 : NaN) with boxes lc rgb \"#3b82f6\"\n";

constexpr const char* kLosses =
    "set xlabel \"f(x) − 8/3 at the end\"\nset ylabel \"sets\"\nset logscale xy\nset format xy \"10^{%T}\"\n"
    "set yrange [0.5:*]\nset boxwidth 0.45\nunset key\nunset logscale x\nset format x \"10^{%.0f}\"\n"
    "plot 'losses.csv' skip 1 using (log10($1)):($2 > 0 ? $2 : NaN) with boxes lc rgb \"#3b82f6\"\n";

}  // namespace

void write_demo_sets_report(const DemoOptions& options, const Common& common, const SetsResult& result, Monitor& monitor) {
  Report report(options.report, fmt::format("{} parameter sets down a parabola", grouped(options.sets)),
                fmt::format("{} sets minimise f(x) = 3x² − 2x + 3 at once, with starts over (−2, 2) and learning rates over (0, 0.3), in {} "
                            "epochs. The worst of them is {:.2f} eps / min(1, 6 lr) away from its closed form.",
                            grouped(options.sets), options.epochs, result.check.worst_units));
  monitor.write_csv(report.path("history.csv"));
  monitor.write_jsonl(report.path("history.jsonl"));
  write_data(report, options, result.check);

  if (options.epochs > 0) {
    report.add_plot({"loss", "Loss of all sets", "How far above the minimum the sets are at the beginning of every epoch. The worst set is one with a tiny learning rate, which "
                     "hardly moves.",
                     fmt::format("set xrange [0:{}]\n", std::max<std::int64_t>(options.epochs - 1, 1)) + kAll});
    report.add_plot({"sets", "Loss of single sets",
                     "Every set falls at the pace of its own learning rate: fastest near 1/6, where one step would be enough. A line ends where "
                     "f and 8/3 are the same number but for rounding.",
                     loss_curves(options, result)});
  }
  report.add_plot({"errors_by_rate", "Error and learning rate",
                   "The largest distance to the closed form among the sets of like learning rate. A rounding error decays by 1 − 6 lr per step, so "
                   "small rates keep more of it.",
                   kByRate});
  report.add_plot({"errors", "Distribution of the errors", "How many sets end how far from their closed form.", kErrors});
  report.add_plot({"losses", "Distribution of the final losses",
                   "How far above the minimum the sets end; computed as 3 (x − 1/3)². Sets with tiny learning rates have hardly moved.", kLosses});

  report.add_facts("Result", {{"worst error", fmt::format("{:.3f} eps / min(1, 6 lr), at set {}", result.check.worst_units, result.check.worst_set)},
                              {"time", fmt::format("{:.3f} s", result.seconds)},
                              {"steps", si(result.steps_per_second, "/s")},
                              {"parameter-steps", si(result.parameters_per_second, "/s")},
                              {"bytes read and written", si(result.bytes_per_second, "B/s")},
                              {"copy bandwidth", fmt::format("{}; the steps reach {:.0f} % of it", si(result.copy_bandwidth, "B/s"),
                                                             100 * result.bytes_per_second / result.copy_bandwidth)}});
  add_comparison(report, compare_demo(options.sets, options.dtype, common, kCompared, false));
  report.add_facts("Options", {{"sets", grouped(options.sets)},
                               {"epochs", fmt::format("{}", options.epochs)},
                               {"dtype", std::string(name(options.dtype))}});
  report.add_file("history.csv", "per epoch: mean, least and largest loss, and the losses of the first sets");
  report.add_file("history.jsonl", "the same, one JSON object a line");
  report.add_file("errors_by_rate.csv", "worst error per range of learning rates");
  report.add_file("errors.csv", "histogram of the errors");
  report.add_file("losses.csv", "histogram of the final losses");
  finish_report(report, common.device);
}

}  // namespace luge::cli
