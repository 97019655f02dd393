// The pictures of luge fit.

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

#include <fmt/format.h>

#include <luge/autograd/grad_mode.h>
#include <luge/ops/create.h>
#include <luge/report/detail/gnuplot.h>
#include <luge/report/table.h>

#include "fit.h"
#include "report.h"

namespace luge::cli {

using namespace report;

namespace {

constexpr int kCurvePoints = 400, kBins = 40;
/// Parameters whose histograms are drawn, sets whose results the page lists.
constexpr std::size_t kHistograms = 8, kListed = 100;

/// A set that is drawn.
struct Chosen {
  std::int64_t set = 0;
  std::string key, title;
};

std::string cell(double value) { return std::isfinite(value) ? fmt::format("{:.9g}", value) : "nan"; }

/// The best, the median and the worst set by reduced chi2, of those that have one.
std::vector<Chosen> choose(const FitData& data, const FitTable& table) {
  if (data.is_single) return {{0, "fit", "Data and curve"}};
  std::vector<std::int64_t> sets;
  for (std::int64_t set = 0; set < data.sets(); ++set)
    if (std::isfinite(table.reduced_chi2[static_cast<std::size_t>(set)])) sets.push_back(set);
  std::stable_sort(sets.begin(), sets.end(), [&](std::int64_t a, std::int64_t b) {
    return table.reduced_chi2[static_cast<std::size_t>(a)] < table.reduced_chi2[static_cast<std::size_t>(b)];
  });
  std::vector<Chosen> chosen;
  const auto add = [&](std::size_t place, const char* key, const char* which) {
    const std::int64_t set = sets[place];
    chosen.push_back({set, key, fmt::format("The set of the {} reduced chi2: {}", which, data.label(set))});
  };
  if (!sets.empty()) add(0, "best", "least");
  if (sets.size() > 2) add(sets.size() / 2, "median", "median");
  if (sets.size() > 1) add(sets.size() - 1, "worst", "greatest");
  return chosen;
}

/// The formula with a set's parameters; of no predictors one number, which stands for all.
std::vector<double> evaluated(const FitProblem& problem, const FitTable& table, std::int64_t set,
                              const std::vector<std::vector<double>>& predictors, std::size_t points) {
  const NoGrad no_grad;
  std::vector<Tensor> x, parameters;
  for (const std::vector<double>& values : predictors)
    x.push_back(from_host(values, {static_cast<std::int64_t>(values.size())}));
  const std::size_t count = problem.start.size();
  for (std::size_t p = 0; p < count; ++p)
    parameters.push_back(
        from_host(std::vector<double>{table.parameters[static_cast<std::size_t>(set) * count + p]}, {1}));
  return problem.model(x, parameters).expand({static_cast<std::int64_t>(points)}).to_vector<double>();
}

/// One set's observations and what the formula says of them, and of numbers between.
class Drawing {
 public:
  Drawing(const FitProblem& problem, const FitData& data, const FitTable& table, const Chosen& chosen)
      : data_(data), chosen_(chosen), has_curve_(data.x.size() == 1) {
    const std::int64_t set = chosen.set, begin = data.first[static_cast<std::size_t>(set)];
    std::vector<std::vector<double>> x(data.x.size());
    std::vector<double> y, sigma;
    for (std::int64_t i = 0; i < data.points(set); ++i) {
      if (data.is_missing(set, i)) continue;
      for (std::size_t k = 0; k < x.size(); ++k) x[k].push_back(data.x[k].at(begin, i));
      y.push_back(data.y.at(begin, i));
      if (data.has_sigma()) sigma.push_back(data.sigma.at(begin, i));
    }
    const std::vector<double> f = evaluated(problem, table, set, x, y.size());
    points_ = fmt::format("{}y,fitted,residual,sigma\n", has_curve_ ? "x," : "");
    for (std::size_t i = 0; i < y.size(); ++i) {
      if (has_curve_) points_ += cell(x[0][i]) + ',';
      const double weight = sigma.empty() ? 1 : 1 / sigma[i];
      const double residual = (y[i] - f[i]) * weight;
      has_residuals_ = has_residuals_ || std::isfinite(residual);
      points_ +=
          fmt::format("{},{},{},{}\n", cell(y[i]), cell(f[i]), cell(residual), sigma.empty() ? "nan" : cell(sigma[i]));
    }
    if (!has_curve_) return;
    const auto [low, high] = std::minmax_element(x[0].begin(), x[0].end());
    std::vector<double> between;
    for (int i = 0; i < kCurvePoints; ++i)
      between.push_back(std::lerp(*low, *high, static_cast<double>(i) / (kCurvePoints - 1)));
    const std::vector<double> curve = evaluated(problem, table, set, {between}, between.size());
    curve_ = "x,fitted\n";
    for (std::size_t i = 0; i < between.size(); ++i) curve_ += fmt::format("{},{}\n", cell(between[i]), cell(curve[i]));
  }

  void add(Report& report) const {
    const std::string points = chosen_.key + "_points.csv", curve = chosen_.key + "_curve.csv";
    report.write_file(points, points_);
    report.add_file(points, "observations, what was fitted, and residuals");
    if (!has_curve_) {
      report.add_plot({chosen_.key, chosen_.title,
                       "What was fitted over what was observed. On the line both are the same.",
                       fmt::format("set xlabel 'observed'\nset ylabel 'fitted'\nset key top left\n"
                                   "plot '{0}' skip 1 using 1:2 with points pt 7 ps 0.6 lc rgb \"{1}\" notitle, \\\n"
                                   "  '{0}' skip 1 using 1:1 with lines lw 1.5 lc rgb \"{2}\" title 'equal'\n",
                                   points, kColours[0], kColours[1])});
      return;
    }
    report.write_file(curve, curve_);
    report.add_plot({chosen_.key, chosen_.title,
                     "The observations and the formula with the parameters that were found.",
                     fmt::format("set xlabel {} noenhanced\nset ylabel {} noenhanced\nset key top right\n"
                                 "plot '{}' skip 1 using 1:2{} lc rgb \"{}\" title 'observed', \\\n"
                                 "  '{}' skip 1 using 1:2 with lines lw 2 lc rgb \"{}\" title 'fitted'\n",
                                 quoted(data_.x_name), quoted(data_.y_name), points,
                                 data_.has_sigma() ? ":5 with yerrorbars pt 7 ps 0.6" : " with points pt 7 ps 0.6",
                                 kColours[0], curve, kColours[1])});
  }

  /// Whether there is a residual to draw: none is where the formula is nowhere finite.
  bool has_residuals() const { return has_residuals_; }
  /// Its part of the picture of all residuals.
  std::string residuals(int colour) const {
    return fmt::format(
        "'{}_points.csv' skip 1 using {} with points pt 7 ps 0.6 lc rgb \"{}\" {}", chosen_.key,
        has_curve_ ? "1:4" : "0:3", kColours[colour],
        data_.is_single ? "notitle" : "title " + quoted(chosen_.key + ": " + data_.label(chosen_.set)) + " noenhanced");
  }

 private:
  const FitData& data_;
  const Chosen& chosen_;
  bool has_curve_, has_residuals_ = false;
  std::string points_, curve_;
};

/// Counts between the 1st and the 99th percentile, or between all where these are one; both ends take the rest. Empty:
/// the values do not differ.
std::string histogram(const std::vector<double>& sorted) {
  if (sorted.size() < 2) return {};
  double low = quantile(sorted, 0.01), high = quantile(sorted, 0.99);
  if (!(high > low)) {
    low = sorted.front();
    high = sorted.back();
  }
  const double width = (high - low) / kBins;
  if (!std::isfinite(width) || !(width > 1e-12 * std::max(std::abs(low), std::abs(high)))) return {};
  std::vector<std::int64_t> counts(kBins);
  for (const double value : sorted)
    ++counts[static_cast<std::size_t>(std::clamp((value - low) / width, 0.0, kBins - 1.0))];
  std::string csv = "middle,sets\n";
  for (int b = 0; b < kBins; ++b)
    csv += fmt::format("{},{}\n", cell(low + (b + 0.5) * width), counts[static_cast<std::size_t>(b)]);
  return csv;
}

void add_histogram(Report& report, const std::string& file, const std::string& what,
                   const std::vector<double>& sorted) {
  const std::string csv = histogram(sorted);
  if (csv.empty()) return;
  report.write_file(file + ".csv", csv);
  report.add_plot(
      {file, "Distribution of " + what,
       fmt::format("How many of the sets at a minimum have which {}. The outermost bars hold what is beyond, "
                   "a hundredth of the sets on either side.",
                   what),
       fmt::format("set xlabel {} noenhanced\nset ylabel 'sets'\nset yrange [0:*]\nunset key\n"
                   "plot '{}.csv' skip 1 using 1:2 with boxes lc rgb \"{}\"\n",
                   quoted(what), file, kColours[0])});
}

void add_statuses(Report& report, const FitTable& table) {
  // Fits converge in several ways, which are one bar.
  std::vector<std::pair<std::string_view, std::int64_t>> bars;
  Table rows({{"status", true}, {"sets"}});
  for (const auto& [status, count] : count_statuses(table)) {
    if (bars.empty() || bars.back().first != short_text_of(status)) bars.emplace_back(short_text_of(status), 0);
    bars.back().second += count;
    rows.add_row({std::string(fit::text_of(status)), grouped(count)});
  }
  std::string csv = "status,sets\n";
  for (const auto& [status, count] : bars) csv += fmt::format("{},{}\n", status, count);
  report.write_file("statuses.csv", csv);
  report.add_plot(
      {"statuses", "How the fits ended", "Sets by status; the table below says what each means.",
       fmt::format("set ylabel 'sets'\nset yrange [0:*]\nset offsets 0,0,graph 0.1,0\nset xrange [-0.6:{}.6]\n"
                   "set boxwidth 0.6\nunset key\nset grid noxtics\nset xtics scale 0\n"
                   "plot 'statuses.csv' skip 1 using 0:2:xtic(1) with boxes lc rgb \"{}\", \\\n"
                   "  'statuses.csv' skip 1 using 0:2:2 with labels offset 0,0.7 textcolor rgb \"#010203\"\n",
                   bars.size() - 1, kColours[0])});
  report.add_table("Statuses", rows);
}

void add_values(Report& report, const FitProblem& problem, const FitData& data, const FitTable& table) {
  const std::size_t count = problem.start.size(), sets = std::min(table.status.size(), kListed);
  if (data.is_single) {
    Table values({{"parameter", true}, {"value"}, {"error"}});
    for (std::size_t p = 0; p < count; ++p)
      values.add_row({problem.model.parameters()[p], fmt::format("{:.10g}", table.parameters[p]),
                      problem.fixed[p] ? "fixed" : fmt::format("{:.5g}", table.errors[p])});
    report.add_table("Parameters", values);
    report.add_facts("Fit", {{"status", std::string(fit::text_of(table.status_of(0)))},
                             {"observations", grouped(table.observations[0])},
                             {"steps", fmt::format("{}", table.steps[0])},
                             {"chi2", fmt::format("{:.10g}", table.chi2[0])},
                             {"reduced chi2", fmt::format("{:.10g}", table.reduced_chi2[0])},
                             {"R2", fmt::format("{:.10g}", table.r2[0])}});
    return;
  }
  std::vector<Table::Column> columns{{"set", true}};
  for (const std::string& name : problem.model.parameters()) {
    columns.push_back({name});
    columns.push_back({"±"});
  }
  columns.insert(columns.end(), {{"reduced chi2"}, {"status", true}});
  Table values(columns);
  for (std::size_t set = 0; set < sets; ++set) {
    std::vector<std::string> row{data.label(static_cast<std::int64_t>(set))};
    for (std::size_t p = set * count; p < (set + 1) * count; ++p) {
      row.push_back(fmt::format("{:.6g}", table.parameters[p]));
      row.push_back(fmt::format("{:.2g}", table.errors[p]));
    }
    row.push_back(fmt::format("{:.4g}", table.reduced_chi2[set]));
    row.emplace_back(short_text_of(table.status_of(static_cast<std::int64_t>(set))));
    values.add_row(std::move(row));
  }
  report.add_table(table.status.size() > kListed ? "The first hundred sets" : "Sets", values);
}

void add_options(Report& report, const FitArguments& arguments, const FitProblem& problem) {
  std::string start;
  for (std::size_t p = 0; p < problem.start.size(); ++p)
    start += fmt::format("{}{} = {}{}", p == 0 ? "" : ", ", problem.model.parameters()[p], problem.start[p],
                         problem.fixed[p] ? " (fixed)" : "");
  std::vector<std::pair<std::string, std::string>> facts{
      {"data", arguments.data}, {"formula", arguments.model}, {"start", start}};
  if (!arguments.bounds.empty()) facts.emplace_back("bounds", arguments.bounds);
  facts.emplace_back("loss", arguments.loss == "linear" || arguments.loss == "poisson"
                                 ? arguments.loss
                                 : fmt::format("{}, scale {}", arguments.loss, arguments.f_scale));
  facts.emplace_back("errors", arguments.absolute_sigma ? "by the sigma as given" : "scaled by the reduced chi2");
  facts.emplace_back("dtype", arguments.float32 ? "float32" : "float64");
  report.add_facts("Options", std::move(facts));
}

}  // namespace

void write_fit_report(const FitArguments& arguments, const FitProblem& problem, const FitData& data,
                      const FitTable& table, const Common& common) {
  std::int64_t good = 0;
  for (const auto& [status, count] : count_statuses(table))
    if (is_at_minimum(status)) good += count;
  Report report(
      arguments.report, data.is_single ? "A fit" : fmt::format("{} fits", grouped(data.sets())),
      data.is_single
          ? fmt::format("{} fitted to {}: {}.", arguments.model, arguments.data, fit::text_of(table.status_of(0)))
          : fmt::format("{} fitted to {} sets of {}, of which {} reached a minimum, in {:.3f} s: {}.", arguments.model,
                        grouped(data.sets()), arguments.data, grouped(good), table.seconds, rate_text(data, table)));
  report.write_file("results.csv", fit_csv(problem, data, table));
  const std::vector<Chosen> chosen = choose(data, table);
  std::string residuals;
  int colour = 0;
  for (const Chosen& one : chosen) {
    if (table.observations[static_cast<std::size_t>(one.set)] == 0) continue;
    const Drawing drawing(problem, data, table, one);
    drawing.add(report);
    if (drawing.has_residuals()) residuals += (residuals.empty() ? "plot " : ", \\\n  ") + drawing.residuals(colour++);
  }
  if (!residuals.empty())
    report.add_plot(
        {"residuals", "Residuals",
         fmt::format("What was observed less what was fitted{}. Where a pattern is left the formula does not "
                     "say all.",
                     data.has_sigma() ? ", in units of sigma" : ""),
         fmt::format("set xlabel {} noenhanced\nset ylabel 'residual'\nset xzeroaxis lw 1 lc rgb \"#809090a0\"\n"
                     "set key outside right center\n{}\n",
                     quoted(data.x.size() == 1 ? data.x_name : "observation"), residuals)});
  if (!data.is_single) {
    const std::size_t count = problem.start.size();
    for (std::size_t p = 0; p < std::min(count, kHistograms); ++p)
      add_histogram(report, "parameter_" + problem.model.parameters()[p], problem.model.parameters()[p],
                    sorted_values(table, count, static_cast<std::int64_t>(p)));
    add_histogram(report, "reduced_chi2", "reduced chi2", sorted_values(table, count, -1));
    add_statuses(report, table);
  }
  add_values(report, problem, data, table);
  add_options(report, arguments, problem);
  report.add_file("results.csv", "parameters, errors and status of every set");
  finish_report(report, common.device);
}

}  // namespace luge::cli
