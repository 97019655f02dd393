#pragma once
// Windows of an image as the columns of a matrix (im2col), a few of them at a time.

#include <cstdint>
#include <vector>

#include <luge/seam/call.h>

namespace luge::cpu {

using Sizes = Convolution::Sizes;

/// Positions j in three dimensions, each of which sees the elements j * step + tap of an image; those outside of it are 0.
struct Windows {
  Sizes image, count, step;
  Sizes before;                     ///< zeros before the image, so that no tap is negative
  Sizes padded;                     ///< the sizes with zeros around
  std::vector<std::int64_t> taps;   ///< where they lie in the padded image, from where a position lies

  /// `offsets`: the taps of each dimension; their product are the taps of a window.
  Windows(const Sizes& image, const Sizes& count, const Sizes& step, const std::array<std::vector<std::int64_t>, 3>& offsets);
  std::int64_t positions() const { return Convolution::product(count); }
  std::int64_t plane() const { return Convolution::product(padded); }
};

/// Columns are copied by so many at a time.
inline constexpr std::int64_t kPiece = 16;
/// Elements behind what is read or written that whole pieces reach; of every second element, twice as many.
inline constexpr std::int64_t kSlack = 2 * kPiece;

/// Some windows of a row, side by side among the columns.
struct Piece {
  std::int64_t source;              ///< where the first one lies in the padded image
  std::int64_t column, count;       ///< at most kPiece
};
/// The pieces, of at most `most` windows, of `count` positions from `first` on.
void find_pieces(const Windows& windows, std::int64_t first, std::int64_t count, std::int64_t most, std::vector<Piece>& pieces);

/// Copies channels into padded ones, which hold zeros where the image is not.
void pad_image(const Windows& windows, std::int64_t channels, const float* image, float* padded);
void pad_image(const Windows& windows, std::int64_t channels, const double* image, double* padded);

/// Row (c, t) of the columns, `row` elements from the one before: element t of each window on channel c. Behind the columns of
/// a row up to kPiece elements are written, too.
void fill_columns(const Windows& windows, std::int64_t channels, const float* padded, const std::vector<Piece>& pieces,
                  float* columns, std::int64_t row);
void fill_columns(const Windows& windows, std::int64_t channels, const double* padded, const std::vector<Piece>& pieces,
                  double* columns, std::int64_t row);

}  // namespace luge::cpu
