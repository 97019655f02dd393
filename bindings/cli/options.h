#pragma once
// Options that several subcommands share, and what their values may be.

#include <cstdint>
#include <string>

#include <CLI/CLI.hpp>

#include <luge/base/dtype.h>

#include "commands.h"

namespace luge::cli {

/// Adds --device, --seed, --json and --threads, writing to `common`.
void add_common_options(CLI::App& app, Common& common);

/// Adds --report, a folder that is made.
void add_report_option(CLI::App& app, std::string& directory);

/// Adds --eager: the program's steps are captured otherwise.
void add_eager_option(CLI::App& app, bool& eager);

/// Adds --dtype, float32 or float64.
void add_dtype_option(CLI::App& app, DType& dtype);

/// A number that is neither NaN nor infinite.
CLI::Validator finite();
/// A finite number >= 0.
CLI::Validator not_negative();
/// A finite number > 0.
CLI::Validator positive();

/// A whole number from `low` to `high`; the help only tells the lower end.
CLI::Validator whole_number(std::int64_t low, std::int64_t high);

/// One number, or the ends of a geometric progression: "1e-3", "1e-4:1e-2".
struct NumberRange {
  double first = 0, last = 0;
  bool is_range = false;
  /// The i-th of n numbers from first to last, each the same multiple of the one before.
  double at(std::int64_t i, std::int64_t n) const;
};

/// Reads "a" or "a:b" with a, b > 0 and finite; throws ValueError.
NumberRange parse_range(const std::string& text);
/// Accepts what parse_range does.
CLI::Validator number_range();

/// Reads "a" or "a:b" with 0 <= a <= b and finite; throws ValueError.
NumberRange parse_interval(const std::string& text);
/// Accepts what parse_interval does.
CLI::Validator interval();

}  // namespace luge::cli
