#pragma once
// luge fit: the parameters of a formula from the observations in a file, of one set or of many at once.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <luge/fit/curve_fit.h>

#include "commands.h"

namespace luge::report {
class Report;
}

namespace luge::cli {

/// The options as they were given.
struct FitArguments {
  std::string data, model, p0, bounds, fixed;
  std::string x, y = "y", sigma, sets_by, delimiter, columns;
  std::string loss = "linear", method = "lm", output, report;
  double f_scale = 1;
  std::int64_t starts = 1;
  std::optional<std::int64_t> max_steps;
  bool absolute_sigma = false, float32 = false, strict = false;
};

/// What is fitted, from where, within what.
struct FitProblem {
  fit::Model model;
  std::vector<double> start, lower, upper;  ///< by parameter
  std::vector<bool> fixed;
};

/// Reads the formula, --p0, --bounds and --fixed. Throws CLI::ValidationError.
FitProblem read_problem(const FitArguments& arguments);
/// The predictors of the formula, each with where its numbers are: a column or a file, empty where --x does not say.
/// Throws CLI::ValidationError.
std::vector<std::pair<std::string, std::string>> read_predictors(const FitArguments& arguments,
                                                                 const std::vector<std::string>& predictors);
/// The parts between commas, without the spaces around them.
std::vector<std::string> split(std::string_view text);

/// Numbers of all observations, or of one set that stand for every set.
struct Series {
  std::vector<double> values;
  bool is_shared = false;
  double at(std::int64_t first, std::int64_t i) const {
    return values[static_cast<std::size_t>(is_shared ? i : first + i)];
  }
};

/// Observations, those of a set side by side. An observation is missing where one of its numbers is NaN.
struct FitData {
  std::vector<std::string> labels;  ///< of the sets; empty: their numbers
  std::vector<std::int64_t> first;  ///< [set]: where its observations begin; one more at the end
  Series y;
  std::vector<Series> x;  ///< by predictor
  Series sigma;           ///< no values: 1
  std::string x_name, y_name;
  bool is_single = false;  ///< one set that has no name

  std::int64_t sets() const { return static_cast<std::int64_t>(first.size()) - 1; }
  std::int64_t points(std::int64_t set) const {
    return first[static_cast<std::size_t>(set) + 1] - first[static_cast<std::size_t>(set)];
  }
  std::string label(std::int64_t set) const {
    return labels.empty() ? std::to_string(set) : labels[static_cast<std::size_t>(set)];
  }
  bool has_sigma() const { return !sigma.values.empty(); }
  bool is_missing(std::int64_t set, std::int64_t i) const;
};

/// Reads the file, and those that --x and --sigma name. Throws CLI::ValidationError, IoError.
FitData read_fit_data(const FitArguments& arguments, const FitProblem& problem);

/// What was found of every set, in the order of the data.
struct FitTable {
  std::vector<double> parameters, errors;      ///< [set][parameter]
  std::vector<std::int32_t> active;            ///< [set][parameter]: -1, 1 at a bound
  std::vector<double> covariance;              ///< [set][parameter][parameter]; kept where it is asked for
  std::vector<std::int32_t> status, steps;     ///< [set]
  std::vector<std::int32_t> start, agreement;  ///< [set]: which start it is from, how many ended there
  std::vector<double> chi2, reduced_chi2, r2;
  std::vector<std::int64_t> observations;
  std::int64_t done = 0;  ///< sets that were fitted; fewer than all: interrupted
  double seconds = 0;

  fit::FitStatus status_of(std::int64_t set) const {
    return static_cast<fit::FitStatus>(status[static_cast<std::size_t>(set)]);
  }
};

/// Whether a minimum was found, be it by the tolerances or to the last digit.
constexpr bool is_at_minimum(fit::FitStatus status) {
  return fit::is_converged(status) || status == fit::FitStatus::Precision;
}
/// "12,345 sets/s".
std::string rate_text(const FitData& data, const FitTable& table);
/// A status in a word or two.
std::string_view short_text_of(fit::FitStatus status);
/// How many sets ended how, the statuses in the order of the numbers that stand for them.
std::vector<std::pair<fit::FitStatus, std::int64_t>> count_statuses(const FitTable& table);
/// The value that a part of some numbers is below, linear between neighbours in order. The numbers are sorted.
double quantile(const std::vector<double>& sorted, double part);
/// Of one parameter, sorted, of the sets that are at a minimum; with `parameter` < 0 their reduced chi2 that is finite.
std::vector<double> sorted_values(const FitTable& table, std::size_t parameters, std::int64_t parameter);

/// Fits all sets, some at a time. Which are fitted together changes no bit. Ctrl-C ends it between two times.
FitTable fit_sets(const FitArguments& arguments, const FitProblem& problem, const FitData& data, const Common& common);

void print_fit(const FitArguments& arguments, const FitProblem& problem, const FitData& data, const FitTable& table);
void print_fit_json(const FitArguments& arguments, const FitProblem& problem, const FitData& data,
                    const FitTable& table, const Common& common);
/// Throws CLI::ValidationError where a parameter has the name of another column.
void check_output_names(const FitArguments& arguments, const FitProblem& problem);
/// A row for each set.
std::string fit_csv(const FitArguments& arguments, const FitProblem& problem, const FitData& data,
                    const FitTable& table);
/// How the sets ended, in the order of the data, as a picture of the report: map.csv and map.svg.
void add_status_map(report::Report& report, const FitData& data, const FitTable& table);
void write_fit_report(const FitArguments& arguments, const FitProblem& problem, const FitData& data,
                      const FitTable& table, const Common& common);

}  // namespace luge::cli
