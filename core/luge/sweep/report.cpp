// The page about a sweep.

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>
#include <set>

#include <fmt/format.h>

#include <luge/report/detail/gnuplot.h>
#include <luge/sweep/detail/order.h>
#include <luge/sweep/result.h>

namespace luge::sweep {

namespace {

using report::Plot;
using report::Table;

/// Looks that a curve has, lines among parallel axes, points over a hyperparameter: a page of a million sets is to be
/// of some megabytes.
constexpr std::size_t kLooks = 500, kLines = 400, kPoints = 3000;
/// Sets that stand out in the pictures, that the tables list, hyperparameters that are drawn.
constexpr std::size_t kBest = 10, kListed = 100, kDrawn = 8;
/// Scores that span more than this factor are drawn on a logarithmic axis, which reaches so far above their median.
constexpr double kWideSpan = 100, kReach = 1000;
constexpr double kQuantiles[] = {0.05, 0.25, 0.5, 0.75, 0.95};
/// The ink of pictures (report.cpp), which the page takes over.
constexpr const char* kInk = "#010203";

std::size_t at(std::int64_t set) { return static_cast<std::size_t>(set); }

std::string cell(double value) { return std::isfinite(value) ? fmt::format("{:.7g}", value) : "nan"; }

std::vector<double> finite_sorted(const std::vector<double>& values) {
  std::vector<double> result;
  std::copy_if(values.begin(), values.end(), std::back_inserter(result), [](double v) { return std::isfinite(v); });
  std::sort(result.begin(), result.end());
  return result;
}

/// The axis of scores: `low` to `high` are what is to be seen, `middle` is their median.
std::string score_axis(double low, double middle, double high) {
  if (!(low > 0 && high > kWideSpan * low)) return {};
  std::string script = "set logscale y\nset format y \"10^{%T}\"\n";
  if (high > kReach * middle) script += fmt::format("set yrange [*:{}]\n", kReach * middle);
  return script;
}

/// `most` of the places 0 ... count - 1, the first and the last among them, evenly.
std::vector<std::size_t> spread(std::size_t count, std::size_t most) {
  std::vector<std::size_t> result;
  const std::size_t some = std::min(count, most);
  for (std::size_t i = 0; i < some; ++i) result.push_back(some > 1 ? i * (count - 1) / (some - 1) : 0);
  return result;
}

// ---- curves -------------------------------------------------------------------------------------

void add_curves(report::Report& page, const Result& result) {
  const std::vector<std::int64_t> best = result.best(kBest);
  std::string csv = "step,sets";
  for (const double part : kQuantiles) csv += fmt::format(",q{:02.0f}", 100 * part);
  for (const std::int64_t set : best) csv += fmt::format(",set_{}", set);
  csv += '\n';
  std::vector<double> lows, middles, highs;
  for (const std::size_t look : spread(result.looks.size(), kLooks)) {
    const std::vector<double>& scores = result.curves[look];
    const std::vector<double> finite = finite_sorted(scores);
    csv += fmt::format("{},{}", result.looks[look], finite.size());
    for (const double part : kQuantiles) csv += finite.empty() ? ",nan" : ',' + cell(quantile(finite, part));
    for (const std::int64_t set : best) csv += ',' + cell(scores[at(set)]);
    csv += '\n';
    if (finite.empty()) continue;
    lows.push_back(finite.front());
    middles.push_back(quantile(finite, 0.5));
    highs.push_back(quantile(finite, kQuantiles[4]));
  }
  page.write_file("curves.csv", csv);
  page.add_file("curves.csv", "quantiles over the sets, and the best sets, at every look");
  if (lows.empty()) return;
  std::string script = fmt::format(
      "set xlabel 'steps'\nset ylabel {} noenhanced\nset xrange [0:{}]\nset key outside right center\n{}",
      report::quoted(result.score_name), result.looks.back(),
      score_axis(*std::min_element(lows.begin(), lows.end()), *std::max_element(middles.begin(), middles.end()),
                 *std::max_element(highs.begin(), highs.end())));
  const char* const points = result.looks.size() > 1 ? "lines" : "points pt 7";
  script += fmt::format(
      "plot 'curves.csv' skip 1 using 1:3:7 with filledcurves lc rgb \"#d0808890\" title '5 to 95 %', \\\n"
      "  '' skip 1 using 1:4:6 with filledcurves lc rgb \"#a0808890\" title '25 to 75 %', \\\n"
      "  '' skip 1 using 1:5 with {} lw 1.5 lc rgb \"#808890\" title 'median'",
      points);
  for (std::size_t i = 0; i < best.size(); ++i)
    script += fmt::format(", \\\n  '' skip 1 using 1:{} with {} lw {} lc rgb \"{}\" {}", 8 + i, points,
                          i == 0 ? 2.2 : 0.9, report::kColours[i == 0 ? 1 : 0],
                          i == 0   ? fmt::format("title 'best: set {}'", best[i])
                          : i == 1 ? fmt::format("title 'the next {}'", best.size() - 1)
                                   : "notitle");
  script += '\n';
  std::string caption =
      "Quantiles of the finite scores of the sets that were still trained, and the sets that ended best.";
  if (std::find(result.stopped.begin(), result.stopped.end(), "halving") != result.stopped.end())
    caption += " Halving stops the worse ones, so that the quantiles fall where it does.";
  page.add_plot({"curves", "Learning curves", std::move(caption), std::move(script)});
}

// ---- parallel coordinates -----------------------------------------------------------------------

/// One of the parallel axes, from 0 to 1.
struct Axis {
  std::string name;
  double low = 0, high = 1;
  bool logarithmic = false;
  std::vector<double> ticks;  ///< values

  double height(double value) const {
    if (!(high > low)) return 0.5;
    return logarithmic ? (std::log(value) - std::log(low)) / (std::log(high) - std::log(low))
                       : (value - low) / (high - low);
  }
};

/// Round numbers from low to high, some five.
std::vector<double> round_ticks(const Axis& axis) {
  std::vector<double> ticks;
  if (axis.logarithmic) {
    const int first = static_cast<int>(std::ceil(std::log10(axis.low) - 1e-9));
    const int last = static_cast<int>(std::floor(std::log10(axis.high) + 1e-9));
    const int step = std::max(1, (last - first) / 5);
    for (int power = first; power <= last; power += step) ticks.push_back(std::pow(10.0, power));
  } else {
    constexpr double kTicks = 5;
    double step = std::pow(10.0, std::floor(std::log10((axis.high - axis.low) / kTicks)));
    for (const double factor : {2.0, 2.5, 2.0})
      if ((axis.high - axis.low) / step > kTicks) step *= factor;
    for (double i = std::ceil(axis.low / step - 1e-9); i * step <= axis.high + 1e-9 * step; ++i)
      ticks.push_back(i * step);
  }
  return ticks.size() > 1 ? ticks : std::vector<double>{axis.low, axis.high};
}

Axis axis_of(const Column& column) {
  constexpr std::size_t kFew = 6;
  const std::set<double> distinct(column.values.begin(), column.values.end());
  Axis axis{.name = column.name, .low = *distinct.begin(), .high = *distinct.rbegin(), .ticks = {}};
  axis.logarithmic = column.logarithmic && axis.low > 0;
  axis.ticks = distinct.size() <= kFew ? std::vector<double>(distinct.begin(), distinct.end()) : round_ticks(axis);
  return axis;
}

/// `end` of the texts touches the axis: left or right.
std::string axis_script(std::size_t x, const Axis& axis, const char* end,
                        const std::vector<std::pair<double, std::string>>& ticks) {
  std::string script = fmt::format(
      "set arrow from {0},0 to {0},1 nohead lc rgb \"{1}\" lw 1 front\n"
      "set label {2} at {0},1.07 center front noenhanced textcolor rgb \"{1}\"\n",
      x, kInk, report::quoted(axis.name));
  for (const auto& [height, text] : ticks)
    script += fmt::format("set label ' {} ' at {},{:.6f} {} front noenhanced font ',12' textcolor rgb \"{}\"\n", text,
                          x, height, end, kInk);
  return script;
}

void add_parallel(report::Report& page, const Result& result) {
  std::vector<const Column*> columns;
  for (const Column& column : result.settings.columns())
    if (columns.size() < kDrawn) columns.push_back(&column);
  const std::vector<std::int64_t> order = best_first(result.scores);
  const auto last = static_cast<double>(std::max<std::size_t>(order.size() - 1, 1));
  std::vector<Axis> axes;
  std::string script;
  for (const Column* const column : columns) {
    axes.push_back(axis_of(*column));
    std::vector<std::pair<double, std::string>> ticks;
    for (const double value : axes.back().ticks)
      ticks.emplace_back(axes.back().height(value), fmt::format("{:.3g}", value));
    script += axis_script(axes.size(), axes.back(), "right", ticks);
  }
  // The last axis is that of ranks, with the scores that stand there: one bad score would hide all others otherwise.
  std::vector<std::pair<double, std::string>> ticks;
  for (const std::size_t place : spread(order.size(), 5)) {
    const double score = result.scores[at(order[place])];
    ticks.emplace_back(1 - static_cast<double>(place) / last,
                       std::isfinite(score) ? fmt::format("{:.4g}", score) : "not finite");
  }
  script += axis_script(axes.size() + 1, {.name = result.score_name, .ticks = {}}, "left", ticks);

  std::string csv = "axis,height,place\n";
  std::vector<std::size_t> places = spread(order.size(), kLines);
  std::reverse(places.begin(), places.end());  // the best one is drawn last
  for (const std::size_t place : places) {
    const double part = static_cast<double>(place) / last;
    for (std::size_t a = 0; a < axes.size(); ++a)
      csv += fmt::format("{},{},{:.5g}\n", a + 1, cell(axes[a].height(columns[a]->values[at(order[place])])), part);
    csv += fmt::format("{},{:.5g},{:.5g}\n\n", axes.size() + 1, 1 - part, part);
  }
  page.write_file("parallel.csv", csv);
  page.add_file("parallel.csv", "the lines of the parallel coordinates; heights from 0 to 1");
  script = fmt::format(
               "unset border\nunset key\nunset xtics\nunset ytics\nunset grid\nunset colorbox\nset xrange [0.7:{}.3]\n"
               "set yrange [-0.03:1.12]\nset cbrange [0:1]\n"
               "set palette defined (0 \"#f97316\", 0.15 \"#ef4444\", 0.4 \"#a855f7\", 1 \"#93b4e8\")\n",
               axes.size() + 1) +
           script +
           fmt::format("plot 'parallel.csv' skip 1 using 1:2:3 with lines lw {} lc palette\n",
                       places.size() > kLines / 4 ? 0.7 : 1.2);
  std::string caption =
      "A line for each set: its hyperparameters, and the rank of its score with the scores that stand there. Colours "
      "go by rank, "
      "from orange, the best, to blue.";
  if (places.size() < order.size())
    caption += fmt::format(" Drawn are {} of {} sets, evenly by rank.", places.size(), report::grouped(result.sets()));
  if (columns.size() < result.settings.columns().size())
    caption +=
        fmt::format(" Drawn are the first {} of {} hyperparameters.", columns.size(), result.settings.columns().size());
  page.add_plot({"parallel", "Parallel coordinates", std::move(caption), std::move(script)});
}

// ---- the score over each hyperparameter ---------------------------------------------------------

void add_scatters(report::Report& page, const Result& result) {
  const std::vector<double> finite = finite_sorted(result.scores);
  if (finite.empty()) return;
  const std::vector<std::int64_t> order = best_first(result.scores);
  std::string csv = fmt::format("place,{},score\n", fmt::join(result.settings.names(), ","));
  std::vector<std::size_t> places = spread(finite.size(), kPoints);
  std::reverse(places.begin(), places.end());
  for (const std::size_t place : places) {
    csv += fmt::format("{}", place);
    for (const Column& column : result.settings.columns()) csv += ',' + cell(column.values[at(order[place])]);
    csv += fmt::format(",{}\n", cell(result.scores[at(order[place])]));
  }
  page.write_file("points.csv", csv);
  page.add_file("points.csv", "the points of the pictures over hyperparameters; place 0 is the best set");
  std::string left_out;
  if (const std::size_t bad = at(result.sets()) - finite.size(); bad > 0)
    left_out +=
        fmt::format(" Sets whose score is not finite are not drawn: {}.", report::grouped(static_cast<long long>(bad)));
  const std::string axis = score_axis(finite.front(), quantile(finite, 0.5), finite.back());
  if (axis.find("yrange") != std::string::npos) left_out += " Much larger scores are above the picture.";
  if (places.size() < finite.size())
    left_out +=
        fmt::format(" Drawn are {} sets, evenly by rank.", report::grouped(static_cast<long long>(places.size())));
  const std::size_t score = result.settings.columns().size() + 2;
  std::size_t drawn = 0;
  for (const Column& column : result.settings.columns()) {
    const auto [low, high] = std::minmax_element(column.values.begin(), column.values.end());
    if (!(*high > *low) || drawn == kDrawn) continue;
    const std::size_t own = 2 + static_cast<std::size_t>(&column - result.settings.columns().data());
    std::string script =
        fmt::format("set xlabel {} noenhanced\nset ylabel {} noenhanced\nset key outside right center\n{}",
                    report::quoted(column.name), report::quoted(result.score_name), axis);
    script += column.logarithmic ? "set logscale x\nset format x \"%g\"\n" : "set offsets graph 0.02,graph 0.02,0,0\n";
    script += fmt::format(
        "plot 'points.csv' skip 1 using {0}:($1 >= {2} ? ${1} : NaN) with points pt 7 ps 0.5 lc rgb \"#803b82f6\" "
        "title "
        "'sets', \\\n  '' skip 1 using {0}:($1 < {2} ? ${1} : NaN) with points pt 7 ps 0.8 lc rgb \"{3}\" title 'best "
        "{2}'\n",
        own, score, std::min(kBest, finite.size()), report::kColours[1]);
    page.add_plot({"score_" + column.name, fmt::format("{} over {}", result.score_name, column.name),
                   fmt::format("The score of each set over its {}, {}.{}", column.name, column.space, left_out),
                   std::move(script)});
    ++drawn;
  }
}

// ---- tables -------------------------------------------------------------------------------------

std::string number(double value) { return fmt::format("{:.4g}", value); }

void add_settings(report::Report& page, const Result& result) {
  std::vector<Table::Column> columns{{"setting"}};
  for (const std::string& name : result.settings.names()) columns.push_back({name});
  columns.insert(columns.end(), {{"mean"}, {"deviation"}, {"best"}, {"finite"}});
  Table table(columns);
  std::size_t listed = 0;
  const std::vector<SettingScores> all = result.by_setting();
  for (const SettingScores& one : all) {
    if (listed++ == kListed) break;
    std::vector<std::string> row{fmt::format("{}", one.setting)};
    for (const Column& column : result.settings.columns())
      row.push_back(number(column.values[at(one.setting * result.settings.seeds())]));
    row.insert(row.end(), {fmt::format("{:.6g}", one.mean), number(one.deviation), fmt::format("{:.6g}", one.best),
                           fmt::format("{} of {}", one.finite, result.settings.seeds())});
    table.add_row(std::move(row));
  }
  page.add_table(all.size() > kListed ? "The hundred best settings, over their seeds" : "Settings, over their seeds",
                 table);
}

void add_associations(report::Report& page, const Result& result) {
  Table table({{"hyperparameter", true},
               {"space", true},
               {"rank correlation with the score"},
               {"variance of ranks explained"}});
  const std::vector<Association> all = result.associations();
  for (std::size_t i = 0; i < all.size(); ++i)
    table.add_row({all[i].name, result.settings.columns()[i].space, fmt::format("{:.2f}", all[i].rank_correlation),
                   fmt::format("{:.2f}", all[i].explained)});
  page.add_table("How the score goes with each hyperparameter", table);
}

void add_reasons(report::Report& page, const Result& result) {
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> counts;  // sets, steps
  for (std::size_t set = 0; set < result.stopped.size(); ++set) {
    ++counts[result.stopped[set]].first;
    counts[result.stopped[set]].second += result.steps[set];
  }
  Table table({{"stopped by", true}, {"sets"}, {"steps of them all"}});
  for (const auto& [reason, count] : counts)
    table.add_row({reason, report::grouped(count.first), report::grouped(count.second)});
  page.add_table("Why sets stopped", table);
}

std::string summary_of(const Result& result) {
  const std::int64_t best = result.best().front();
  std::string text = fmt::format(
      "{} sets of {} hyperparameter{} took {} steps together in {:.3g} s{}.", report::grouped(result.sets()),
      result.settings.columns().size(), result.settings.columns().size() == 1 ? "" : "s",
      report::grouped(result.total_steps()), result.seconds, result.interrupted ? ", and were interrupted" : "");
  if (!std::isfinite(result.scores[at(best)])) return text + " No score is finite.";
  text += fmt::format(" The best, set {}, has a {} of {:.6g}, with", best, result.score_name, result.scores[at(best)]);
  const char* between = " ";
  for (const Column& column : result.settings.columns()) {
    text += fmt::format("{}{} {:.4g}", between, column.name, column.values[at(best)]);
    between = ", ";
  }
  return text + ".";
}

}  // namespace

report::Written Result::report(const std::string& directory, const PageOptions& options) const {
  report::Report page(directory, options.title, summary_of(*this));
  page.write_file("results.csv", csv());
  page.add_file("results.csv", "settings, scores, steps and why it stopped of every set");
  page.write_file("results.json", json());
  page.add_file("results.json", "the same as JSON");
  page.add_table(sets() > static_cast<std::int64_t>(kListed) ? "The hundred best sets" : "Sets, the best first",
                 table(kListed));
  if (settings.seeds() > 1) add_settings(page, *this);
  add_curves(page, *this);
  add_parallel(page, *this);
  add_scatters(page, *this);
  add_associations(page, *this);
  add_reasons(page, *this);
  std::vector<std::pair<std::string, std::string>> facts{
      {"score", score_name + ", the lower the better"},
      {"sets", report::grouped(sets())},
      {"seeds of each setting", report::grouped(settings.seeds())},
      {"steps, at most", looks.empty() ? "0" : report::grouped(looks.back())}};
  facts.insert(facts.end(), options.facts.begin(), options.facts.end());
  page.add_facts("Options", std::move(facts));
  return page.finish(options.device);
}

}  // namespace luge::sweep
