// What luge fit prints and writes of its results.

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <luge/report/table.h>

#include "csv_file.h"
#include "fit.h"

namespace luge::cli {

using namespace report;
using fit::FitStatus;

namespace {

using Json = nlohmann::ordered_json;

/// Sets that are named where they did not reach a minimum.
constexpr std::size_t kNamed = 5;

std::string number(double value) { return fmt::format("{:.10g}", value); }
std::string brief(double value) { return fmt::format("{:.5g}", value); }

std::string remark(const FitProblem& problem, const FitTable& table, std::size_t set, std::size_t p) {
  if (problem.fixed[p]) return "fixed";
  const std::int32_t side = table.active[set * problem.start.size() + p];
  return side < 0 ? "at its lower bound" : side > 0 ? "at its upper bound" : "";
}

void print_one(const FitArguments& arguments, const FitProblem& problem, const FitData& data, const FitTable& table) {
  const std::int64_t points = data.points(0);
  fmt::print("{} fitted to {} of {} observation{} of {}\n\n", problem.model.formulas()[0],
             grouped(table.observations[0]), grouped(points), points == 1 ? "" : "s", data.y_name);
  Table values({{"parameter", true}, {"value"}, {"error"}, {"error in %"}, {"", true}});
  for (std::size_t p = 0; p < problem.start.size(); ++p) {
    const double value = table.parameters[p], error = table.errors[p];
    const bool is_known = std::isfinite(error);
    values.add_row({problem.model.parameters()[p], number(value), std::isnan(error) ? "" : brief(error),
                    is_known && value != 0 ? fmt::format("{:.3g}", 100 * std::abs(error / value)) : "",
                    remark(problem, table, 0, p)});
  }
  fmt::print("{}\n", values.text());
  fmt::print("{:<14}{}\n", "status", fit::text_of(table.status_of(0)));
  fmt::print("{:<14}{}\n", "steps", table.steps[0]);
  if (arguments.starts > 1)
    fmt::print("{:<14}{} of {}, where {} ended\n", "start", table.start[0], arguments.starts, table.agreement[0]);
  fmt::print("{:<14}{}\n", "chi2", number(table.chi2[0]));
  fmt::print("{:<14}{}\n", "reduced chi2", number(table.reduced_chi2[0]));
  fmt::print("{:<14}{}\n", "R2", number(table.r2[0]));
}

/// Labels of sets that reached no minimum: the first few.
std::string named_failures(const FitData& data, const FitTable& table) {
  std::string result;
  std::size_t count = 0;
  for (std::int64_t set = 0; set < data.sets() && count < kNamed; ++set) {
    if (is_at_minimum(table.status_of(set))) continue;
    result += fmt::format("{}{} ({})", count++ == 0 ? "" : ", ", data.label(set), short_text_of(table.status_of(set)));
  }
  return result;
}

constexpr double kParts[] = {0, 0.05, 0.5, 0.95, 1};

void print_many(const FitArguments& arguments, const FitProblem& problem, const FitData& data, const FitTable& table) {
  fmt::print("{} fitted to {} sets of {} in {:.3f} s: {}\n\n", problem.model.formulas()[0], grouped(data.sets()),
             data.y_name, table.seconds, rate_text(data, table));
  Table statuses({{"status", true}, {"sets"}});
  std::int64_t good = 0;
  for (const auto& [status, count] : count_statuses(table)) {
    statuses.add_row({std::string(fit::text_of(status)), grouped(count)});
    if (is_at_minimum(status)) good += count;
  }
  fmt::print("{}\n", statuses.text());
  if (good > 0) {
    Table values({{fmt::format("of {} set{} at a minimum", grouped(good), good == 1 ? "" : "s"), true},
                  {"least"},
                  {"5 %"},
                  {"median"},
                  {"95 %"},
                  {"greatest"}});
    const auto add = [&](const std::string& name, const std::vector<double>& sorted) {
      std::vector<std::string> row{name};
      for (const double part : kParts)
        row.push_back(sorted.empty() ? "" : fmt::format("{:.7g}", quantile(sorted, part)));
      values.add_row(std::move(row));
    };
    const std::size_t parameters = problem.start.size();
    for (std::size_t p = 0; p < parameters; ++p)
      add(problem.model.parameters()[p], sorted_values(table, parameters, static_cast<std::int64_t>(p)));
    add("reduced chi2", sorted_values(table, parameters, -1));
    fmt::print("{}\n", values.text());
  }
  if (arguments.starts > 1) {
    std::int64_t others = 0, alone = 0;
    for (std::size_t set = 0; set < table.start.size(); ++set) {
      others += table.start[set] != 0;
      alone += table.agreement[set] == 1;
    }
    fmt::print("of {} starts another than --p0 was the best in {} sets; in {} no other start ended there\n",
               arguments.starts, grouped(others), grouped(alone));
  }
  if (good < data.sets())
    fmt::print("no minimum: {}{}\n", named_failures(data, table),
               static_cast<std::size_t>(data.sets() - good) > kNamed ? ", ..." : "");
  if (arguments.output.empty()) fmt::print("--output FILE keeps the results of every set\n");
}

Json json_of_set(const FitArguments& arguments, const FitProblem& problem, const FitData& data, const FitTable& table,
                 std::int64_t set) {
  const auto at = static_cast<std::size_t>(set);
  const std::size_t count = problem.start.size();
  Json parameters = Json::object(), errors = Json::object(), covariance = Json::array();
  for (std::size_t p = 0; p < count; ++p) {
    const std::string& name = problem.model.parameters()[p];
    parameters[name] = table.parameters[at * count + p];
    errors[name] = table.errors[at * count + p];
    Json row = Json::array();
    for (std::size_t q = 0; q < count; ++q) row.push_back(table.covariance[(at * count + p) * count + q]);
    covariance.push_back(std::move(row));
  }
  Json result = Json::object();
  if (!data.is_single) result["set"] = data.label(set);
  result["status"] = fit::text_of(table.status_of(set));
  result["at_minimum"] = is_at_minimum(table.status_of(set));
  result["parameters"] = std::move(parameters);
  result["errors"] = std::move(errors);
  result["covariance"] = std::move(covariance);
  result["steps"] = table.steps[at];
  if (arguments.starts > 1) {
    result["start"] = table.start[at];
    result["agreement"] = table.agreement[at];
  }
  result["observations"] = table.observations[at];
  result["chi2"] = table.chi2[at];
  result["reduced_chi2"] = table.reduced_chi2[at];
  result["r2"] = table.r2[at];
  return result;
}

std::vector<std::string> output_columns(const FitArguments& arguments, const FitProblem& problem) {
  std::vector<std::string> names{"set"};
  for (const std::string& name : problem.model.parameters()) {
    names.push_back(name);
    names.push_back(name + "_error");
  }
  for (const char* const name : {"status", "steps", "observations", "chi2", "reduced_chi2", "r2"})
    names.push_back(name);
  if (arguments.starts > 1) names.insert(names.end(), {"start", "agreement"});
  return names;
}

}  // namespace

std::string rate_text(const FitData& data, const FitTable& table) {
  return grouped(std::llround(static_cast<double>(data.sets()) / table.seconds)) + " sets/s";
}

std::string_view short_text_of(FitStatus status) {
  const std::string_view text = fit::text_of(status);
  return text.substr(0, text.find(':'));
}

std::vector<std::pair<FitStatus, std::int64_t>> count_statuses(const FitTable& table) {
  std::map<std::int32_t, std::int64_t> counts;
  for (const std::int32_t status : table.status) ++counts[status];
  std::vector<std::pair<FitStatus, std::int64_t>> result;
  for (const auto& [status, count] : counts) result.emplace_back(static_cast<FitStatus>(status), count);
  return result;
}

double quantile(const std::vector<double>& sorted, double part) {
  const double where = part * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(where), above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], where - static_cast<double>(below));
}

std::vector<double> sorted_values(const FitTable& table, std::size_t parameters, std::int64_t parameter) {
  std::vector<double> values;
  for (std::size_t set = 0; set < table.status.size(); ++set) {
    if (!is_at_minimum(static_cast<FitStatus>(table.status[set]))) continue;
    const double value = parameter < 0 ? table.reduced_chi2[set]
                                       : table.parameters[set * parameters + static_cast<std::size_t>(parameter)];
    if (std::isfinite(value)) values.push_back(value);
  }
  std::sort(values.begin(), values.end());
  return values;
}

void print_fit(const FitArguments& arguments, const FitProblem& problem, const FitData& data, const FitTable& table) {
  data.is_single ? print_one(arguments, problem, data, table) : print_many(arguments, problem, data, table);
}

void print_fit_json(const FitArguments& arguments, const FitProblem& problem, const FitData& data,
                    const FitTable& table, const Common& common) {
  Json statuses = Json::object(), fits = Json::array();
  for (const auto& [status, count] : count_statuses(table)) statuses[std::string(fit::text_of(status))] = count;
  for (std::int64_t set = 0; set < data.sets(); ++set)
    fits.push_back(json_of_set(arguments, problem, data, table, set));
  const Json json = {{"model", problem.model.formulas()[0]},
                     {"parameters", problem.model.parameters()},
                     {"predictors", problem.model.predictors()},
                     {"data", arguments.data},
                     {"loss", arguments.loss},
                     {"method", arguments.method},
                     {"dtype", arguments.float32 ? "float32" : "float64"},
                     {"device", to_string(common.device)},
                     {"sets", data.sets()},
                     {"seconds", table.seconds},
                     {"sets_per_second", static_cast<double>(data.sets()) / table.seconds},
                     {"statuses", statuses},
                     {"fits", fits}};
  // Labels may be any bytes.
  fmt::print("{}\n", json.dump(2, ' ', false, Json::error_handler_t::replace));
}

void check_output_names(const FitArguments& arguments, const FitProblem& problem) {
  const std::vector<std::string> names = output_columns(arguments, problem);
  for (auto name = names.begin(); name != names.end(); ++name)
    if (std::find(names.begin(), name, *name) != name)
      throw CLI::ValidationError("--output",
                                 fmt::format("two columns would have the name {}; a parameter needs another "
                                             "name than set, status, steps, observations, chi2, "
                                             "reduced_chi2, r2, with --starts start and agreement, and NAME_error",
                                             *name));
}

std::string fit_csv(const FitArguments& arguments, const FitProblem& problem, const FitData& data,
                    const FitTable& table) {
  std::string csv = fmt::format("{}\n", fmt::join(output_columns(arguments, problem), ","));
  const std::size_t count = problem.start.size();
  for (std::int64_t set = 0; set < data.sets(); ++set) {
    const auto at = static_cast<std::size_t>(set);
    csv += csv_field(data.label(set));
    for (std::size_t p = at * count; p < (at + 1) * count; ++p)
      fmt::format_to(std::back_inserter(csv), ",{},{}", table.parameters[p], table.errors[p]);
    fmt::format_to(std::back_inserter(csv), ",{},{},{},{},{},{}", csv_field(fit::text_of(table.status_of(set))),
                   table.steps[at], table.observations[at], table.chi2[at], table.reduced_chi2[at], table.r2[at]);
    if (arguments.starts > 1) fmt::format_to(std::back_inserter(csv), ",{},{}", table.start[at], table.agreement[at]);
    csv += '\n';
  }
  return csv;
}

}  // namespace luge::cli
