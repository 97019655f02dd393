#pragma once
// Products whose factors are read where they lie in a padded image, by register tiles: no columns are laid out.

#include <cstdint>
#include <vector>

#include "columns.h"

namespace luge::cpu {

/// Elements of a vector: pieces have at most so many.
std::int64_t direct_lanes(float);
std::int64_t direct_lanes(double);

/// c[r, column + i] = before + sum over q of weights[r, q] image[source + offsets[q] + i], for each piece and its count of i.
/// Each is one chain of fused multiply-adds in the order of q.
template <class T>
struct ImageProduct {
  std::int64_t rows, terms;
  const T* weights;                 ///< rows without gaps
  const T* image;                   ///< kSlack elements more may be read
  const std::int64_t* offsets;
  const std::vector<Piece>& pieces;
  T* c;
  std::int64_t c_row;
  const T* bias;                    ///< one for each row, or null
  bool accumulates;                 ///< before is c, else the bias or nothing
};
void image_product(const ImageProduct<float>& p);
void image_product(const ImageProduct<double>& p);

/// c[r, j] = before + sum over q of image[rows[r] + offsets[q]] y[q, j]. Chains as above.
template <class T>
struct WeightProduct {
  std::int64_t rows, columns, terms;
  const T* image;
  const std::int64_t* row_offsets;
  const std::int64_t* offsets;
  const T* y;                       ///< rows `width` apart, a multiple of the vectors' elements
  std::int64_t width;
  T* c;                             ///< rows `width` apart, too
  bool accumulates;
};
void weight_product(const WeightProduct<float>& p);
void weight_product(const WeightProduct<double>& p);

/// sums[(r * outs + k) * lanes + l] += image[rows[r] + source + l] y[k * y_row + column + l], over all pieces, of as many lanes l as
/// each counts: for so few outs that vectors of them would be empty.
template <class T>
struct WeightDots {
  std::int64_t rows, outs;
  const T* image;
  const std::int64_t* row_offsets;
  const std::vector<Piece>& pieces;
  const T* y;
  std::int64_t y_row;
  T* sums;
};
void weight_dots(const WeightDots<float>& p);
void weight_dots(const WeightDots<double>& p);

/// to[q, j] = y[j, q]: rows of y, `y_row` apart, as columns; rows of `to` are `width` apart.
void turn_rows(const float* y, std::int64_t y_row, std::int64_t columns, std::int64_t terms, float* to, std::int64_t width);
void turn_rows(const double* y, std::int64_t y_row, std::int64_t columns, std::int64_t terms, double* to, std::int64_t width);

}  // namespace luge::cpu
