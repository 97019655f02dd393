#include "options.h"

#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

#include <luge/base/detail/check.h>
#include <luge/base/threads.h>

namespace luge::cli {
namespace {

constexpr int kMostThreads = 4096;

/// The whole text as a number.
template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

/// A validator from a function that throws for what it does not accept.
template <class Parse>
CLI::Validator validator(std::string description, Parse parse) {
  return CLI::Validator(
      [parse](std::string& text) -> std::string {
        try {
          parse(text);
          return {};
        } catch (const Error& error) {
          return error.what();
        }
      },
      std::move(description));
}

double require_number(const std::string& text) {
  const std::optional<double> value = parse_number<double>(text);
  LUGE_CHECK(ValueError, value.has_value() && std::isfinite(*value), "'{}' is not a finite number", text);
  return *value;
}

void require_seed(const std::string& text) {
  LUGE_CHECK(ValueError, parse_number<std::uint64_t>(text).has_value(), "'{}' is not a whole number from 0 to 2^64 - 1", text);
}

/// One number or two.
NumberRange read_range(const std::string& text) {
  const std::size_t colon = text.find(':');
  NumberRange range;
  range.is_range = colon != std::string::npos;
  range.first = require_number(text.substr(0, colon));
  range.last = range.is_range ? require_number(text.substr(colon + 1)) : range.first;
  return range;
}

}  // namespace

CLI::Validator finite() { return validator("", require_number); }

CLI::Validator not_negative() {
  return validator(">= 0", [](const std::string& text) {
    LUGE_CHECK(ValueError, require_number(text) >= 0, "{} is negative; allowed are numbers from 0", text);
  });
}

CLI::Validator positive() {
  return validator("> 0", [](const std::string& text) {
    LUGE_CHECK(ValueError, require_number(text) > 0, "{} is not positive; allowed are numbers above 0", text);
  });
}

CLI::Validator whole_number(std::int64_t low, std::int64_t high) {
  return CLI::Range(low, high).description(fmt::format(">= {}", low));
}

double NumberRange::at(std::int64_t i, std::int64_t n) const {
  if (n < 2) return first;
  return first * std::pow(last / first, static_cast<double>(i) / static_cast<double>(n - 1));
}

NumberRange parse_range(const std::string& text) {
  const NumberRange range = read_range(text);
  LUGE_CHECK(ValueError, range.first > 0 && range.last > 0, "'{}' must be a number > 0, or two of them as first:last", text);
  return range;
}

CLI::Validator number_range() { return validator("", parse_range); }

NumberRange parse_interval(const std::string& text) {
  const NumberRange range = read_range(text);
  LUGE_CHECK(ValueError, range.first >= 0 && range.first <= range.last,
             "'{}' must be a number >= 0, or two of them as low:high with low <= high", text);
  return range;
}

CLI::Validator interval() { return validator("", parse_interval); }

void add_common_options(CLI::App& app, Common& common) {
  app.add_option_function<std::string>(
         "--device", [&common](const std::string& text) { common.device = Device::parse(text); },
         "where to compute: cpu, cuda or cuda:n (default cpu)")
      ->check(validator("", Device::parse))
      ->type_name("DEVICE")
      ->group("Common options");
  app.add_option("--seed", common.seed, "seed of everything random (default 0)")->check(validator("", require_seed))->group("Common options");
  app.add_option_function<int>("--threads", set_num_threads, "threads of the CPU (default: all, or $LUGE_NUM_THREADS)")
      ->check(whole_number(1, kMostThreads))
      ->group("Common options");
  app.add_flag("--json", common.json, "print the results as JSON")->group("Common options");
}

void add_report_option(CLI::App& app, std::string& directory) {
  app.add_option("--report", directory, "write a page with pictures, and their data, to this folder")->type_name("DIR");
}

void add_eager_option(CLI::App& app, bool& eager) {
  app.add_flag("--eager", eager, "run every step's calls one by one instead of capturing the step once; the numbers are the same");
}

void add_dtype_option(CLI::App& app, DType& dtype) {
  app.add_option_function<std::string>(
         "--dtype", [&dtype](const std::string& text) { dtype = text == "float64" ? float64 : float32; },
         "float32 (default) or float64")
      ->check(CLI::IsMember({"float32", "float64"}))
      ->type_name("DTYPE");
}

}  // namespace luge::cli
