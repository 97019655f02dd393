// The pictures of luge demo with one parameter.

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "comparison.h"
#include "demo.h"
#include "parabola.h"
#include "report.h"

namespace luge::cli {

using namespace report;

namespace {

/// "nan", which the plots skip, for numbers that cannot be drawn.
std::string cell(double value) { return std::isfinite(value) ? fmt::format("{:.17g}", value) : "nan"; }

void write_history(Report& report, const std::vector<DemoPoint>& points) {
  std::string csv = "epoch,x,f,gradient,closed_form\n", lines;
  for (const DemoPoint& p : points) {
    csv += fmt::format("{},{},{},{},{}\n", p.epoch, cell(p.x), cell(p.f), cell(p.gradient), cell(p.closed_form));
    const nlohmann::ordered_json line = {
        {"epoch", p.epoch}, {"x", p.x}, {"f", p.f}, {"gradient", p.gradient}, {"closed_form", p.closed_form}};
    lines += line.dump() + "\n";
  }
  report.write_file("history.csv", csv);
  report.write_file("history.jsonl", lines);
}

struct Interval {
  double low, high;
};

/// All visited x that can be drawn, and the minimum, with a margin.
Interval visited(const std::vector<DemoPoint>& points) {
  Interval range{kMinimumX, kMinimumX};
  for (const DemoPoint& p : points)
    if (std::isfinite(p.x) && std::isfinite(p.f)) range = {std::min(range.low, p.x), std::max(range.high, p.x)};
  const double margin = std::max(0.18 * (range.high - range.low), 0.05);
  return {range.low - margin, range.high + std::max(margin, 0.35 * (range.high - range.low))};
}

}  // namespace

void write_demo_report(const DemoOptions& options, const Common& common, const std::vector<DemoPoint>& points) {
  const DemoPoint& last = points.back();
  Report report(options.report, "One parameter down a parabola",
                fmt::format("luge minimises f(x) = 3x² − 2x + 3 from x = {} with learning rate {} in {} epochs and arrives at x = {:.7f}, "
                            "f = {:.7f}. The minimum is at x = 1/3, f = 8/3.",
                            options.start, options.lr, options.epochs, last.x, parabola(last.x)));
  write_history(report, points);
  const Interval x = visited(points);
  const double top = std::max(parabola(x.low), parabola(x.high));
  // With one row there is no range to take from the data.
  const std::string epochs = fmt::format("set xrange [0:{}]\nset xlabel \"epoch\"\n", std::max<std::int64_t>(options.epochs, 1));

  report.add_plot({"descent", "The descent on the curve",
                   "Every dot is x at the beginning of an epoch. Steps are proportional to the slope, so they shrink on the way down.",
                   fmt::format("set xlabel \"x\"\nset ylabel \"f(x)\"\nset xrange [{0}:{1}]\nset yrange [{2}:{3}]\nset samples 500\n"
                               "set key top center\nset label 1 \"minimum (1/3, 8/3)\" at 1/3.,8/3. center offset 0,-1.1 textcolor rgb \"#010203\"\n"
                               "plot 3*x**2-2*x+3 with lines lw 2 lc rgb \"#909090\" title \"f(x) = 3x² − 2x + 3\", \\\n"
                               "  'history.csv' skip 1 using 2:3 with linespoints lw 1 pt 7 ps 0.7 lc rgb \"{4}\" title \"visited\", \\\n"
                               "  '+' using (1/3.):(8/3.) every ::::0 with points pt 2 ps 1.4 lw 2 lc rgb \"{5}\" notitle\n",
                               x.low, x.high, kMinimumF - 0.13 * (top - kMinimumF), top, kColours[0], kColours[4])});
  report.add_plot({"loss", "Loss", "f(x) at the beginning of every epoch; the dashed line is the least value, 8/3.",
                   epochs + fmt::format("set ylabel \"f(x)\"\nset key top right\n"
                                        "plot 'history.csv' skip 1 using 1:3 with linespoints lw 2 pt 7 ps 0.5 lc rgb \"{}\" title \"f(x)\", \\\n"
                                        "  8/3. with lines lw 1.5 dt 2 lc rgb \"{}\" title \"minimum 8/3\"\n",
                                        kColours[0], kColours[4])});
  report.add_plot({"gradient", "Gradient",
                   "f'(x) = 6x − 2, as autograd computes it. Below zero, f falls to the right and x moves right; above, x moves left.",
                   epochs + fmt::format("set ylabel \"gradient\"\nunset key\nset offsets 0,0,0.3,0.3\nset xzeroaxis lt 1 lw 1.2 lc rgb \"#010203\"\n"
                                        "plot 'history.csv' skip 1 using 1:4 with impulses lw 2 lc rgb \"#a03b82f6\" notitle, \\\n"
                                        "  'history.csv' skip 1 using 1:4 with points pt 7 ps 0.5 lc rgb \"{}\"\n",
                                        kColours[0])});
  report.add_plot({"distance", "Distance to the minimum",
                   "|x − 1/3| on a logarithmic scale: a straight line, as the closed form says, until rounding ends it.",
                   epochs + fmt::format("set ylabel \"|x − 1/3|\"\nset logscale y\nset format y \"10^{{%T}}\"\nset key top right\n"
                                        "plot 'history.csv' skip 1 using 1:(abs($5-1/3.)) with lines lw 2 lc rgb \"#909090\" title \"closed form\", \\\n"
                                        "  'history.csv' skip 1 using 1:(abs($2-1/3.)) with points pt 7 ps 0.5 lc rgb \"{}\" title \"luge\"\n",
                                        kColours[0])});
  report.add_facts("Result", {{"x", fmt::format("{:.17g}", last.x)},
                              {"closed form of x", fmt::format("{:.17g}", last.closed_form)},
                              {"f(x)", fmt::format("{:.17g}", parabola(last.x))},
                              {"loss, in the dtype of x", fmt::format("{:.17g}", last.f)},
                              {"gradient", fmt::format("{:.17g}", last.gradient)}});
  add_comparison(report, compare_demo(1, options.dtype, common, kCompared, false));
  report.add_facts("Options", {{"start", fmt::format("{}", options.start)},
                               {"learning rate", fmt::format("{}", options.lr)},
                               {"epochs", fmt::format("{}", options.epochs)},
                               {"dtype", std::string(name(options.dtype))}});
  report.add_file("history.csv", "epoch, x, f(x), gradient and closed form");
  report.add_file("history.jsonl", "the same, one JSON object a line");
  finish_report(report, common.device);
}

}  // namespace luge::cli
