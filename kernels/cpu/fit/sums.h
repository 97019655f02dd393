#pragma once
// What an evaluation of a model leaves behind, lane by lane: the cost, its gradient, the products of derivatives. Sums
// are float64 whatever the model is, each lane's in the order of its rows.

#include <cstdint>

#include <luge/seam/fit.h>

#include "program.h"

namespace luge::cpu {

/// A block of rows: observations and what the program made of them, [row][lane].
template <class T>
struct FitRows {
  const T* f;
  const T* y;
  const T* weight;          ///< null: 1
  const T* const* columns;  ///< derivatives, by parameter
  std::int64_t rows;
};

/// [number][lane]: the cost (twice), the gradient, the lower triangle row by row.
struct FitSums {
  double* memory;
  int parameters;

  double* cost() const { return memory; }
  double* gradient(int p) const { return memory + (1 + p) * kFitLanes; }
  double* product(int i, int j) const { return memory + (1 + parameters + i * (i + 1) / 2 + j) * kFitLanes; }
  static std::int64_t numbers(int parameters) { return 1 + parameters + parameters * (parameters + 1) / 2; }
};

/// For covariances, [number][lane]: the sum of squared weighted residuals, then products of columns as the second
/// derivative of the cost has them, each as two numbers; products with squared scores, of robust losses.
struct ExactSums {
  double* memory;
  int parameters;

  double* chi2() const { return memory; }
  double* high(int i, int j) const { return memory + (2 + place(i, j)) * kFitLanes; }
  double* low(int i, int j) const { return memory + (2 + products() + place(i, j)) * kFitLanes; }
  double* score(int i, int j) const { return memory + (2 + 2 * products() + place(i, j)) * kFitLanes; }
  std::int64_t products() const { return place(parameters, 0); }
  std::int64_t numbers() const { return 2 + 3 * products(); }

 private:
  static std::int64_t place(std::int64_t i, std::int64_t j) { return i * (i + 1) / 2 + j; }
};

/// Adds a block of rows to the sums.
void add_rows(FitLoss loss, double scale, const FitRows<float>& in, const FitSums& sums);
void add_rows(FitLoss loss, double scale, const FitRows<double>& in, const FitSums& sums);
void add_rows_exactly(FitLoss loss, double scale, const FitRows<float>& in, const ExactSums& sums);
void add_rows_exactly(FitLoss loss, double scale, const FitRows<double>& in, const ExactSums& sums);

}  // namespace luge::cpu
