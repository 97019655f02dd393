#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <luge/sweep/settings.h>

/// Sweeps: many hyperparameters are tried at once, each in a set of its own.
///
///   const auto settings = sweep::space({{"lr", sweep::log_uniform(1e-4, 1e-1)}, {"decay", sweep::uniform(0, 0.1)}},
///                                      {.sets = 256});
///   Parameters params({.sets = settings.sets(), .seed = 0});
///   AdamW optimizer(params, {.lr = settings["lr"], .weight_decay = settings["decay"]});
///   auto step = capture([&] { ...; return loss; });  // one loss for each set
///   const auto result = sweep::run(step, optimizer, settings, {.steps = 1000});
///   std::puts(result.table(10).text().c_str());
namespace luge::sweep {

/// What values a hyperparameter takes, and how often.
class Distribution {
 public:
  /// The value below which the share `u` of all draws lies, 0 <= u < 1.
  double quantile(double u) const;
  /// Whether it spreads values geometrically.
  bool logarithmic() const { return kind_ == Kind::LogUniform; }
  /// "log_uniform(0.0001, 0.1)"
  std::string text() const;

 private:
  enum class Kind : std::uint8_t { Choice, Uniform, LogUniform, Integers };
  Distribution(Kind kind, std::vector<double> values) : kind_(kind), values_(std::move(values)) {}
  friend Distribution choice(std::vector<double>);
  friend Distribution uniform(double, double);
  friend Distribution log_uniform(double, double);
  friend Distribution integers(std::int64_t, std::int64_t);

  Kind kind_;
  std::vector<double> values_;  ///< the choices, or both ends
};

/// One of these, each as often. Throws ValueError for none and for values that are not finite.
Distribution choice(std::vector<double> values);
/// Uniform from low to high. Throws ValueError unless both are finite and low <= high.
Distribution uniform(double low, double high);
/// Its logarithm is uniform. Throws ValueError unless both are finite and 0 < low <= high.
Distribution log_uniform(double low, double high);
/// Whole numbers from low to high - 1, each as often, as NumPy's Generator.integers. Throws ValueError unless low <
/// high and both are within 2^53.
Distribution integers(std::int64_t low, std::int64_t high);

/// `count` numbers from first to last, both included, for a grid: each as far from the one before.
std::vector<double> linspace(double first, double last, std::int64_t count);
/// Each the same multiple of the one before, as NumPy's geomspace. Throws ValueError unless both ends are positive.
std::vector<double> geomspace(double first, double last, std::int64_t count);

struct GridOptions {
  /// Sets of each setting, each with its own initial values; 1 or more.
  std::int64_t seeds = 1;
};

/// Every combination of the values in the lists, the last one changing fastest, as in itertools.product. Throws
/// ValueError for a list without values and for what Settings does not take.
Settings grid(const std::vector<std::pair<std::string, std::vector<double>>>& lists, GridOptions options = {});

/// How a space is drawn from.
enum class Draws : std::uint8_t {
  /// Independent draws by Philox, keyed by (seed, name, setting).
  Random,
  /// Halton's sequence in the bases 2, 3, 5, ... of the columns, shifted by the seed (Cranley and Patterson 1976): it
  /// fills the space more evenly. For up to 10 hyperparameters; in larger bases the columns are correlated.
  Halton,
};

struct SpaceOptions {
  /// How many sets there are; a multiple of seeds.
  std::int64_t sets = 0;
  std::uint64_t seed = 0;
  /// Sets of each setting, each with its own initial values; 1 or more.
  std::int64_t seeds = 1;
  /// Number of the first set, a multiple of seeds: set i here has what set first_set + i of a larger space has.
  std::int64_t first_set = 0;
  Draws draws = Draws::Random;
};

/// Draws settings. What one gets depends on its number, the seed and the names alone: not on how many there are, and
/// with random draws not on what else is in the space. Throws ValueError for numbers out of these ranges and for what
/// Settings does not take.
Settings space(const std::vector<std::pair<std::string, Distribution>>& distributions, SpaceOptions options);

}  // namespace luge::sweep
