#pragma once
// Observations of fits as tiles: [row][lane], a fit for each lane, or the points of one fit dealt out to all lanes.

#include <cstdint>
#include <memory>
#include <vector>

#include <luge/seam/call.h>
#include <luge/seam/detail/fit_model.h>

#include "../scratch.h"
#include "fit_code.h"
#include "program.h"
#include "sums.h"

namespace luge::cpu {

/// From so many points on a fit has all lanes: which way it is summed depends on nothing but its points.
inline constexpr std::int64_t kWideFit = 512;

/// What a set's observations are worth.
struct Observed {
  bool is_finite = true;   ///< all that have a weight
  std::int64_t count = 0;  ///< that have a weight
  double squares = 0;      ///< of y times weight
};

/// The evaluations of one thread. A lane is loaded with a set, given parameters, and evaluated along with the others.
template <class T>
class FitLanes {
 public:
  /// `sums`: for how many sets sum() is called.
  explicit FitLanes(const Observations& of, std::int64_t sums = 0);

  bool is_wide() const { return wide_; }
  /// Fits at a time.
  std::int64_t fits() const { return wide_ ? 1 : kFitLanes; }
  Observed load(std::int64_t set, std::int64_t lane);

  void set_parameter(std::int64_t lane, int p, double value);
  /// Of all lanes; a fit in all lanes has that of lane 0.
  void set_parameters(int p, const double* values);
  /// The model at the parameters of all lanes, tile by tile: visit(output, rows).
  template <class Visit>
  void evaluate(const Visit& visit) {
    program_.prepare(block_);
    for (std::int64_t begin = 0; begin < rows_; begin += block_) {
      const std::int64_t rows = std::min(block_, rows_ - begin);
      run(begin, rows);
      for (int o = 0; o < outputs_; ++o) visit(tile(o, begin, rows));
    }
  }
  /// Zeroes the sums and adds everything up. Of one fit in all lanes lane 0 has the whole.
  void sum(const FitSums& sums);
  /// Lane 0 of each of `count` numbers, [number][lane], becomes the sum of all lanes.
  void join(double* numbers, std::int64_t count) const;

 private:
  void run(std::int64_t begin, std::int64_t rows);
  const T* const* predictors(std::int64_t begin);
  void sum_by_code(const FitSums& sums);
  FitRows<T> tile(int output, std::int64_t begin, std::int64_t rows);
  /// Of a group (a predictor or an output) in its tiles.
  std::size_t place(int group, std::int64_t point, std::int64_t lane) const;
  bool is_observed(std::int64_t point, std::int64_t lane);
  bool load_weighted(std::int64_t set, std::int64_t lane, Observed& observed);

  const Observations& of_;
  const FitModel& model_;
  Program<T> program_;
  int outputs_;
  bool wide_, weighted_, shares_x_;
  std::int64_t rows_, block_;  ///< in all, at a time
  bool x_is_finite_ = true;    ///< where all sets share it
  Scratch<T> x_, y_, weight_;
  std::vector<const T*> columns_, predictors_;
  std::unique_ptr<FitCode> code_;  ///< null: the program's tiles are summed
};

}  // namespace luge::cpu
