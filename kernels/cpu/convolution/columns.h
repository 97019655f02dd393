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

/// Elements behind what is read or written, which whole vectors reach.
inline constexpr std::int64_t kSlack = 16;

/// Copies channels into padded ones, which hold zeros where the image is not.
template <class T>
void pad_image(const Windows& windows, std::int64_t channels, const T* image, T* padded);

/// A stretch of columns whose windows lie `step` apart.
struct Stretch {
  std::int64_t source, column, count;
};
/// The stretches of `count` positions from `first` on.
void find_stretches(const Windows& windows, std::int64_t first, std::int64_t count, std::vector<Stretch>& stretches);

/// Row (c, t) of the columns, `row` elements from the one before: element t of each window on channel c. Up to kSlack
/// elements behind the columns of a row are written, too.
void fill_columns(const Windows& windows, std::int64_t channels, const float* padded, const std::vector<Stretch>& stretches,
                  float* columns, std::int64_t row);
void fill_columns(const Windows& windows, std::int64_t channels, const double* padded, const std::vector<Stretch>& stretches,
                  double* columns, std::int64_t row);

}  // namespace luge::cpu
