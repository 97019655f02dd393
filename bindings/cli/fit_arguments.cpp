// What the options of luge fit say about parameters and predictors.

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include <luge/base/error.h>
#include <luge/fit/detail/parser.h>

#include "csv_file.h"
#include "fit.h"

namespace luge::cli {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <class... Args>
[[noreturn]] void refuse(const char* option, fmt::format_string<Args...> format, Args&&... args) {
  throw CLI::ValidationError(option, fmt::format(format, std::forward<Args>(args)...));
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// "a=1, t=2": what stands on both sides of every =.
std::vector<std::pair<std::string, std::string>> assignments(const char* option, const std::string& text) {
  std::vector<std::pair<std::string, std::string>> result;
  for (const std::string& part : split(text)) {
    const std::size_t equals = part.find('=');
    if (equals == std::string::npos || equals == 0)
      refuse(option, "'{}' is no name=value; several stand with commas between them", part);
    const std::string name = split(part.substr(0, equals)).front(), value = split(part.substr(equals + 1)).front();
    for (const auto& [other, unused] : result)
      if (other == name) refuse(option, "{} is given twice", name);
    result.emplace_back(name, value);
  }
  return result;
}

double number(const char* option, const std::string& name, const std::string& text) {
  const std::optional<double> value = parse_csv_number(text);
  if (!value || std::isnan(*value)) refuse(option, "{} is '{}', which is no number", name, text);
  return *value;
}

/// Where the parameter is among all of them.
std::size_t place(const char* option, const std::vector<std::string>& parameters, const std::string& name) {
  const auto found = std::find(parameters.begin(), parameters.end(), name);
  if (found == parameters.end()) refuse(option, "{} is no parameter; those are {}", name, fmt::join(parameters, ", "));
  return static_cast<std::size_t>(found - parameters.begin());
}

fit::Model read_model(const FitArguments& arguments, const std::vector<std::string>& parameters) {
  try {
    const std::vector<std::string> mentioned = fit::names_in(arguments.model);
    for (const std::string& name : parameters)
      if (!has(mentioned, name))
        refuse("--p0", "{} is not in the formula, which reads {}", name, fmt::join(mentioned, ", "));
    fit::ModelNames names{.predictors = {}, .parameters = parameters};
    for (const std::string& name : mentioned)
      if (!has(parameters, name)) names.predictors.push_back(name);
    return fit::Model(arguments.model, names);
  } catch (const Error& error) {
    const std::string_view text = error.what(), prefix = "model: ";
    refuse("--model", "{}", text.starts_with(prefix) ? text.substr(prefix.size()) : text);
  }
}

}  // namespace

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == ',')
      parts.emplace_back();
    else if (c != ' ' || !parts.back().empty())
      parts.back() += c;
  }
  for (std::string& part : parts) part.erase(part.find_last_not_of(' ') + 1);
  return parts;
}

FitProblem read_problem(const FitArguments& arguments) {
  std::vector<std::string> parameters;
  std::vector<double> start;
  for (const auto& [name, value] : assignments("--p0", arguments.p0)) {
    parameters.push_back(name);
    start.push_back(number("--p0", name, value));
    if (!std::isfinite(start.back())) refuse("--p0", "{} is {}; a start is finite", name, value);
  }
  const std::size_t count = parameters.size();
  FitProblem problem{read_model(arguments, parameters), std::move(start), std::vector<double>(count, -kInfinity),
                     std::vector<double>(count, kInfinity), std::vector<bool>(count)};
  if (!arguments.bounds.empty())
    for (const auto& [name, text] : assignments("--bounds", arguments.bounds)) {
      const std::size_t at = place("--bounds", parameters, name), colon = text.find(':');
      if (colon == std::string::npos)
        refuse("--bounds", "{} is '{}'; it must be low:high, either may be left out", name, text);
      const std::string low = split(text.substr(0, colon)).front(), high = split(text.substr(colon + 1)).front();
      if (!low.empty()) problem.lower[at] = number("--bounds", name, low);
      if (!high.empty()) problem.upper[at] = number("--bounds", name, high);
      if (problem.lower[at] > problem.upper[at])
        refuse("--bounds", "{} is '{}': the lower one is above the upper", name, text);
      if (problem.start[at] < problem.lower[at] || problem.start[at] > problem.upper[at])
        refuse("--p0", "{} is {}, outside its bounds {}", name, problem.start[at], text);
    }
  if (!arguments.fixed.empty())
    for (const std::string& name : split(arguments.fixed)) problem.fixed[place("--fixed", parameters, name)] = true;
  for (std::size_t p = 0; p < count && arguments.starts > 1; ++p)
    if (!problem.fixed[p] && !(std::isfinite(problem.lower[p]) && std::isfinite(problem.upper[p])))
      refuse("--starts", "starts are drawn between bounds, and {} has none on {}; --bounds {}=LOW:HIGH says them",
             parameters[p],
             std::isfinite(problem.lower[p])   ? "its upper side"
             : std::isfinite(problem.upper[p]) ? "its lower side"
                                               : "either side",
             parameters[p]);
  for (std::size_t p = 0; p < count; ++p)
    if (!problem.model.has_derivative(p) && !problem.fixed[p])
      refuse("--fixed",
             "{} decides conditions and nothing else, so that no derivative tells where it should go; it can "
             "only be fixed",
             parameters[p]);
  return problem;
}

std::vector<std::pair<std::string, std::string>> read_predictors(const FitArguments& arguments,
                                                                 const std::vector<std::string>& predictors) {
  std::vector<std::pair<std::string, std::string>> result;
  for (const std::string& name : predictors) result.emplace_back(name, "");
  if (arguments.x.empty()) return result;
  for (const std::string& part : split(arguments.x)) {
    const std::size_t equals = part.find('=');
    const std::string given = split(part.substr(0, equals)).front();
    const auto found = std::find(predictors.begin(), predictors.end(), given);
    const bool is_only = predictors.size() == 1 && equals == std::string::npos;
    if (found == predictors.end() && !is_only)
      refuse("--x", "'{}' does not say which predictor it is for; write predictor=column, of the formula's {}", part,
             predictors.empty() ? "none" : fmt::format("{}", fmt::join(predictors, ", ")));
    auto& [name, where] = result[is_only ? 0 : static_cast<std::size_t>(found - predictors.begin())];
    if (!where.empty()) refuse("--x", "{} is given twice", name);
    where = equals == std::string::npos ? given : split(part.substr(equals + 1)).front();
    if (where.empty()) refuse("--x", "'{}' names no column", part);
  }
  return result;
}

}  // namespace luge::cli
