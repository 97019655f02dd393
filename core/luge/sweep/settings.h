#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <luge/tensor/tensor.h>

namespace luge::sweep {

/// A hyperparameter: one value for each set.
struct Column {
  std::string name;
  std::vector<double> values;
  bool logarithmic = false;  ///< whether pictures spread it geometrically
  std::string space;         ///< what it was made of: "log_uniform(0.0001, 0.1)", "4 values"
};

/// The hyperparameters of many sets, each a column by its name. A setting is trained in as many sets as there are
/// seeds: sets 0 ... seeds - 1 have the first one, the next `seeds` the second. Sets draw initial values of their own
/// (Parameters), so that these differ in nothing but their start.
class Settings {
 public:
  /// No set.
  Settings() = default;
  /// Throws ValueError without a column, for columns of different lengths or of none, values that are not finite, names
  /// that are used twice, that hold other characters than letters, digits, '_', '.' and '-', or that are those of
  /// results, and unless `seeds` divides the number of sets.
  explicit Settings(std::vector<Column> columns, std::int64_t seeds = 1);

  std::int64_t sets() const { return sets_; }
  std::int64_t seeds() const { return seeds_; }
  /// How many different ones there are: sets / seeds.
  std::int64_t settings() const { return seeds_ > 0 ? sets_ / seeds_ : 0; }
  const std::vector<Column>& columns() const { return columns_; }
  std::vector<std::string> names() const;
  /// By name. Throws ValueError naming what there is.
  const Column& column(std::string_view name) const;
  /// The values of one as float64 of shape (sets), on the CPU: what optimizers take as a hyperparameter. In a loss it
  /// is to have the dtype and the device of the parameters: settings["decay"].to(float32).to(device).
  Tensor operator[](std::string_view name) const;

 private:
  std::vector<Column> columns_;
  std::int64_t sets_ = 0, seeds_ = 1;
};

}  // namespace luge::sweep
