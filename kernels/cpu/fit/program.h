#pragma once
// A model on the CPU: its formulas by the tile functions that single calls use, over tiles of points by lanes.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <luge/seam/detail/fit_model.h>

#include "../scratch.h"
#include "../tile.h"

namespace luge::cpu {

/// Fits that one tile holds side by side, or parts of one fit: element (row, lane) of a tile is row * kFitLanes + lane.
inline constexpr std::int64_t kFitLanes = 16;
/// Rows of a tile: its values stay in the first-level cache.
inline constexpr std::int64_t kFitRows = 32;

/// Working memory of one thread included. T is float or double, as the model's dtype is.
template <class T>
class Program {
 public:
  explicit Program(const FitModel& model);
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// One number for each lane.
  T* parameter(int p) { return row(model_.parameter(p)); }
  /// To be called when parameters have changed; `rows`: the most that run() is called for.
  void prepare(std::int64_t rows);
  /// Evaluates the model at `rows` (at most kFitRows) rows of predictors: one tile for each.
  void run(const T* const* predictors, std::int64_t rows);
  /// For those who run the formulas themselves: the numbers of lanes alone.
  void prepare_lanes() { run(row_steps_, kFitLanes); }
  const Chain& formulas() const { return formulas_; }
  const std::vector<char>& is_lane() const { return is_row_; }
  const T* lanes() { return rows_->data(); }
  /// A tile, valid until the next run.
  const T* output(int o) const { return tile(model_.outputs[static_cast<std::size_t>(o)]); }
  const T* derivative(int o, int p) const { return tile(model_.derivative(o, p)); }

 private:
  static constexpr std::int64_t kTile = kFitRows * kFitLanes;

  struct Step {
    TileFn function;
    std::array<const std::byte* const*, 3> in;  ///< where the inputs' places stand
    std::byte* const* out;
    std::array<double, 2> parameters;
  };

  T* row(int value) { return rows_->data() + kFitLanes * value; }
  const std::byte* const* constant(const ChainInput& in) const;
  const T* tile(const ChainInput& in) const;
  Step step(const Link& link, bool is_row) const;
  void multiply_by_reciprocals();
  void note_uses();
  void place_tiles();
  static void run(const std::vector<Step>& steps, std::int64_t count);

  const FitModel& model_;
  Chain formulas_;               ///< the model's, quotients by rows as products
  std::vector<char> is_row_;     ///< by value: the same at all points
  std::vector<char> is_spread_;  ///< rows that a tile repeats
  std::vector<Step> row_steps_, steps_;
  std::optional<Scratch<T>> rows_;
  std::vector<std::byte> memory_;
  std::vector<std::byte*> tiles_, row_places_;  ///< by value; tiles of predictors where run() has found them
  std::vector<double> numbers_;
  std::vector<T> constants_;  ///< a tile for each number
  std::vector<const std::byte*> constant_places_;
};

}  // namespace luge::cpu
