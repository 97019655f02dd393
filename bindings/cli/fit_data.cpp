// Observations for luge fit: columns of a text, or NumPy's arrays.

#include <fnmatch.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include <luge/base/detail/check.h>
#include <luge/io/npy.h>

#include "csv_file.h"
#include "fit.h"

namespace luge::cli {
namespace {

bool is_array(const std::string& path) { return std::filesystem::path(path).extension() == ".npy"; }

/// A sigma is positive or missing.
bool is_wrong_sigma(double sigma) { return sigma <= 0; }

CsvFormat read_format(const FitArguments& arguments) {
  CsvFormat format;
  const std::string& given = arguments.delimiter;
  if (given == "tab" || given == "\\t") {
    format.delimiter = '\t';
  } else if (given == "space") {
    format.delimiter = ' ';
  } else if (!given.empty()) {
    if (given.size() != 1 || std::string_view("\"#\r\n").find(given[0]) != std::string_view::npos ||
        std::isalnum(static_cast<unsigned char>(given[0])))
      throw CLI::ValidationError(
          "--delimiter", fmt::format("'{}' is no delimiter; it is one character such as , or ;, tab or space", given));
    format.delimiter = given[0];
  }
  if (!arguments.columns.empty()) format.names = split(arguments.columns);
  return format;
}

/// The columns of a file by their names.
class Names {
 public:
  Names(std::string path, const std::vector<std::string>& names) : path_(std::move(path)), names_(names) {}

  std::size_t one(const char* option, const std::string& name) const {
    const auto found = std::find(names_.begin(), names_.end(), name);
    if (found == names_.end()) refuse(option, fmt::format("{} is no column of {}", name, path_));
    if (std::find(found + 1, names_.end(), name) != names_.end())
      refuse(option, fmt::format("{} has several columns {}", path_, name));
    return static_cast<std::size_t>(found - names_.begin());
  }
  /// Columns by names with * and ?; a pattern leaves those out that are taken for something else.
  std::vector<std::size_t> several(const char* option, const std::string& text,
                                   const std::vector<std::size_t>& taken) const {
    std::vector<std::size_t> result;
    for (const std::string& part : split(text)) {
      if (part.find_first_of("*?[") == std::string::npos ||
          std::find(names_.begin(), names_.end(), part) != names_.end()) {
        result.push_back(one(option, part));
        continue;
      }
      const std::size_t before = result.size();
      for (std::size_t i = 0; i < names_.size(); ++i)
        if (std::find(taken.begin(), taken.end(), i) == taken.end() && fnmatch(part.c_str(), names_[i].c_str(), 0) == 0)
          result.push_back(i);
      if (result.size() == before) refuse(option, fmt::format("no column of {} is like '{}'", path_, part));
    }
    for (std::size_t i = 0; i < result.size(); ++i)
      if (std::find(result.begin(), result.begin() + static_cast<std::ptrdiff_t>(i), result[i]) !=
          result.begin() + static_cast<std::ptrdiff_t>(i))
        refuse(option, fmt::format("column {} is given twice", names_[result[i]]));
    return result;
  }

 private:
  [[noreturn]] void refuse(const char* option, const std::string& what) const {
    throw CLI::ValidationError(option, fmt::format("{}, which has {}", what, fmt::join(names_, ", ")));
  }
  std::string path_;
  const std::vector<std::string>& names_;
};

/// Rows of many sets become those of one set after the other, in the order in which the sets appear.
std::vector<std::int64_t> sort_by_group(const CsvColumns& columns, FitData& data) {
  data.labels = columns.labels;
  data.first.assign(columns.labels.size() + 1, 0);
  for (const std::int64_t group : columns.groups) ++data.first[static_cast<std::size_t>(group) + 1];
  std::partial_sum(data.first.begin(), data.first.end(), data.first.begin());
  std::vector<std::int64_t> next(data.first.begin(), data.first.end() - 1), order(columns.groups.size());
  for (std::size_t row = 0; row < columns.groups.size(); ++row)
    order[static_cast<std::size_t>(next[static_cast<std::size_t>(columns.groups[row])]++)] =
        static_cast<std::int64_t>(row);
  return order;
}

std::vector<double> in_order(const std::vector<double>& values, const std::vector<std::int64_t>& order) {
  std::vector<double> result;
  result.reserve(values.size());
  for (const std::int64_t row : order) result.push_back(values[static_cast<std::size_t>(row)]);
  return result;
}

/// Columns one after the other; the memory of each is given back.
std::vector<double> joined(std::vector<std::vector<double>>& columns, std::size_t begin, std::size_t end) {
  std::vector<double> result;
  result.reserve((end - begin) * columns[begin].size());
  for (std::size_t c = begin; c < end; ++c) {
    result.insert(result.end(), columns[c].begin(), columns[c].end());
    std::vector<double>().swap(columns[c]);
  }
  return result;
}

FitData read_text(const FitArguments& arguments, const FitProblem& problem) {
  const CsvFile file(arguments.data, read_format(arguments));
  const Names names(arguments.data, file.names());
  FitData data;
  // Columns as they are read: predictors, then what is fitted, then sigma.
  std::vector<std::size_t> wanted;
  std::vector<std::string> x_names;
  for (const auto& [predictor, column] : read_predictors(arguments, problem.model.predictors())) {
    if (column.empty() && std::find(file.names().begin(), file.names().end(), predictor) == file.names().end())
      throw CLI::ValidationError("--model",
                                 fmt::format("{} is neither in --p0 nor a column of {}, which has {}; --x says "
                                             "which column a predictor is",
                                             predictor, arguments.data, fmt::join(file.names(), ", ")));
    x_names.push_back(column.empty() ? predictor : column);
    wanted.push_back(names.one("--x", x_names.back()));
  }
  data.x_name = fmt::format("{}", fmt::join(x_names, ", "));
  const std::size_t predictors = wanted.size();
  const bool is_long = !arguments.sets_by.empty();
  std::vector<std::size_t> taken = wanted;
  std::optional<std::size_t> labels;
  if (is_long) taken.push_back(*(labels = names.one("--sets-by", arguments.sets_by)));
  std::vector<std::size_t> sigma;
  if (!arguments.sigma.empty()) sigma = names.several("--sigma", arguments.sigma, taken);
  taken.insert(taken.end(), sigma.begin(), sigma.end());
  const std::vector<std::size_t> y = names.several("--y", arguments.y, taken);
  if (is_long && y.size() > 1)
    throw CLI::ValidationError("--sets-by", fmt::format("it needs one column of observations; --y names {}", y.size()));
  if (sigma.size() > 1 && sigma.size() != y.size())
    throw CLI::ValidationError("--sigma", fmt::format("it names {} columns; it needs one, or as many as the {} of --y",
                                                      sigma.size(), y.size()));
  wanted.insert(wanted.end(), y.begin(), y.end());
  wanted.insert(wanted.end(), sigma.begin(), sigma.end());

  CsvColumns columns = file.read(wanted, labels);
  LUGE_CHECK(IoError, columns.rows() > 0, "fit: {}: there is no row of data", arguments.data);
  for (std::size_t c = 0; c < sigma.size(); ++c) {
    const std::vector<double>& values = columns.numbers[predictors + y.size() + c];
    const auto wrong = std::find_if(values.begin(), values.end(), is_wrong_sigma);
    LUGE_CHECK(IoError, wrong == values.end(), "fit: {}: line {}, column {}: a sigma of {}; it must be positive",
               arguments.data, columns.lines[static_cast<std::size_t>(wrong - values.begin())], file.names()[sigma[c]],
               *wrong);
  }
  const bool is_wide = y.size() > 1;
  data.is_single = !is_long && !is_wide;
  data.y_name = is_wide ? arguments.y : file.names()[y[0]];
  if (is_long) {
    const std::vector<std::int64_t> order = sort_by_group(columns, data);
    for (std::size_t k = 0; k < predictors; ++k) data.x.push_back({in_order(columns.numbers[k], order), false});
    data.y = {in_order(columns.numbers[predictors], order), false};
    if (!sigma.empty()) data.sigma = {in_order(columns.numbers[predictors + 1], order), false};
    return data;
  }
  for (std::size_t set = 0; set <= y.size(); ++set)
    data.first.push_back(static_cast<std::int64_t>(set) * columns.rows());
  if (is_wide)
    for (const std::size_t column : y) data.labels.push_back(file.names()[column]);
  for (std::size_t k = 0; k < predictors; ++k) data.x.push_back({std::move(columns.numbers[k]), true});
  data.y = {joined(columns.numbers, predictors, predictors + y.size()), false};
  if (!sigma.empty())
    data.sigma = {joined(columns.numbers, predictors + y.size(), columns.numbers.size()), sigma.size() == 1};
  return data;
}

/// An array of (points) or (sets, points), which must be those of y.
Series read_array(const char* option, const std::string& path, std::int64_t sets, std::int64_t points) {
  const Tensor array = load_npy(path);
  const Shape& shape = array.shape();
  const bool is_shared = array.ndim() == 1 && shape[0] == points;
  if (!is_shared && !(array.ndim() == 2 && shape[0] == sets && shape[1] == points))
    throw CLI::ValidationError(option, fmt::format("{} has shape {}; allowed are ({},) and ({}, {})", path,
                                                   to_string(shape), points, sets, points));
  return {array.to(float64).to_vector<double>(), is_shared};
}

FitData read_arrays(const FitArguments& arguments, const FitProblem& problem) {
  for (const auto& [option, text] :
       {std::pair{"--sets-by", &arguments.sets_by}, std::pair{"--delimiter", &arguments.delimiter},
        std::pair{"--columns", &arguments.columns}})
    if (!text->empty())
      throw CLI::ValidationError(option, fmt::format("{} is an array without columns", arguments.data));
  FitData data;
  const auto predictors = read_predictors(arguments, problem.model.predictors());
  for (const auto& [predictor, path] : predictors)
    if (path.empty())
      throw CLI::ValidationError("--x", fmt::format("{} is an array; --x must name the file of {}, or --p0 its start",
                                                    arguments.data, predictor));
  const Tensor y = load_npy(arguments.data);
  LUGE_CHECK(ShapeError, y.ndim() == 1 || y.ndim() == 2,
             "fit: {} has shape {}; allowed are (points,) and (sets, points)", arguments.data, to_string(y.shape()));
  data.is_single = y.ndim() == 1;
  const std::int64_t sets = data.is_single ? 1 : y.shape()[0], points = y.shape()[y.ndim() - 1];
  LUGE_CHECK(ShapeError, sets > 0 && points > 0, "fit: {} has shape {}; there is nothing to fit", arguments.data,
             to_string(y.shape()));
  data.y = {y.to(float64).to_vector<double>(), false};
  for (std::int64_t set = 0; set <= sets; ++set) data.first.push_back(set * points);
  std::vector<std::string> x_names;
  for (const auto& [predictor, path] : predictors) {
    data.x.push_back(read_array("--x", path, sets, points));
    x_names.push_back(predictor);
  }
  data.x_name = fmt::format("{}", fmt::join(x_names, ", "));
  data.y_name = "y";
  if (arguments.sigma.empty()) return data;
  data.sigma = read_array("--sigma", arguments.sigma, sets, points);
  const auto wrong = std::find_if(data.sigma.values.begin(), data.sigma.values.end(), is_wrong_sigma);
  LUGE_CHECK(ValueError, wrong == data.sigma.values.end(), "fit: {}: number {} is a sigma of {}; it must be positive",
             arguments.sigma, wrong - data.sigma.values.begin(), *wrong);
  return data;
}

}  // namespace

bool FitData::is_missing(std::int64_t set, std::int64_t i) const {
  const std::int64_t from = first[static_cast<std::size_t>(set)];
  if (std::isnan(y.at(from, i)) || (has_sigma() && std::isnan(sigma.at(from, i)))) return true;
  return std::any_of(x.begin(), x.end(), [&](const Series& series) { return std::isnan(series.at(from, i)); });
}

FitData read_fit_data(const FitArguments& arguments, const FitProblem& problem) {
  return is_array(arguments.data) ? read_arrays(arguments, problem) : read_text(arguments, problem);
}

}  // namespace luge::cli
