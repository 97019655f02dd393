#pragma once

#include <tuple>

#include "matmul_tile.cuh"

namespace luge::cuda {

/// The tiles among which the fastest is chosen for a product; the bits of a result are the same in all of them.
template <class T>
struct TileShapes;
template <>
struct TileShapes<float> {
  using All = std::tuple<TileShape<float, 64, 64, 8, 4>, TileShape<float, 32, 32, 4, 4>, TileShape<float, 16, 16, 4, 2>,
                         TileShape<float, 64, 4, 4, 1>>;
};
/// Numbers that take two registers: no 64 x 64.
template <>
struct TileShapes<double> {
  using All =
      std::tuple<TileShape<double, 32, 32, 4, 4>, TileShape<double, 16, 16, 4, 2>, TileShape<double, 64, 4, 4, 1>>;
};

}  // namespace luge::cuda
