#include "segment_product.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <tuple>
#include <utility>

// Under nvcc fmt takes itself for less constexpr than it is, and format strings cannot be checked.
#define FMT_USE_CONSTEXPR 1
#define FMT_CONSTEVAL
#include <fmt/format.h>

#include <luge/base/detail/dispatch.h>

#include "../matmul_shapes.cuh"
#include "../tiled_matmul.h"
#include "expressions.h"

namespace luge::cuda {

namespace {

/// What all teams stage at once takes from what sets leave in shared memory.
constexpr int kMostScratch = 32 * 1024;

/// Instructions of a thread for each term beside reading it, as tiled_matmul.cu has them.
constexpr double kStaging = 7;
/// Of a tile beside its terms: what a barrier and the first terms take that nothing else hides.
constexpr double kTileCycles = 300;

template <class Shape>
void consider(const MatMul& call, bool transposed, ProductTile& best) {
  using Part = TilePart<Shape>;
  const std::int64_t m = transposed ? call.n : call.m, n = transposed ? call.m : call.n;
  ProductTile tile;
  tile.transposed = transposed;
  tile.blocks = Shape::kBlocks;
  tile.across = static_cast<int>(divide_up(n, Shape::kColumns));
  tile.tiles = tile.across * static_cast<int>(divide_up(m, Shape::kRows));
  const int bytes = 2 * Shape::kStaged * static_cast<int>(sizeof(typename Shape::T));
  tile.teams = std::max(1, std::min({Shape::kTeams, tile.tiles, kMostScratch / bytes}));
  tile.scratch = tile.teams * bytes;
  const double of_thread = Shape::kDown * Shape::kAcross + Shape::kDown / Part::kUnitDown +
                           Shape::kAcross / Part::kUnitAcross + kStaging;
  const double rounds = static_cast<double>(divide_up(tile.tiles, tile.teams));
  // A multiprocessor starts 128 instructions of threads in a cycle, one warp 32; so fewer than four warps are slow.
  const double busy = std::max(1.0, tile.teams * Shape::kTeam / 128.0);
  const double width = sizeof(typename Shape::T) == 8 ? 2 : 1;  // float64 has half the units
  tile.cycles = rounds * (of_thread * busy * width * static_cast<double>(call.k) + kTileCycles);
  tile.shape = fmt::format("TileShape<{}, {}, {}, {}, {}>", type_name(call.c.dtype), Shape::kRows, Shape::kColumns,
                           Shape::kDown, Shape::kAcross);
  if (best.shape.empty() || tile.cycles < best.cycles) best = tile;
}

template <class... Shape>
void consider_all(const MatMul& call, ProductTile& best, std::tuple<Shape...>*) {
  (consider<Shape>(call, call.m < call.n, best), ...);
}

struct Matrix {
  int row, column;
};
Matrix matrix_of(const MatMul& call, const Operand& operand, bool transposed) {
  const MatrixStrides strides = matrix_strides(call, operand);
  const auto row = static_cast<int>(strides.row), column = static_cast<int>(strides.column);
  return transposed ? Matrix{column, row} : Matrix{row, column};
}

/// Whether `inner` elements with stride `stride` can be moved 16 bytes at a time, `outer` times.
bool is_packed(std::int64_t inner, int stride, std::int64_t outer, int outer_stride, int pack) {
  return stride == 1 && inner % pack == 0 && (outer == 1 || outer_stride % pack == 0);
}

struct Factor {
  bool packed, along_terms;
};

const char* text(bool value) { return value ? "true" : "false"; }

}  // namespace

ProductTile choose_tile(const MatMul& call) {
  ProductTile best;
  with_floating(call.c.dtype, [&]<class T>() {
    consider_all(call, best, static_cast<typename TileShapes<T>::All*>(nullptr));
  });
  return best;
}

ProductText product_text(const MatMul& call, const ProductTile& tile, const std::string& name, const AddressOf& address_of) {
  const bool turned = tile.transposed;  // c^T = b^T a^T
  const Operand &left = turned ? call.b : call.a, &right = turned ? call.a : call.b;
  const std::int64_t m = turned ? call.n : call.m, n = turned ? call.m : call.n;
  const Matrix a = matrix_of(call, left, turned), b = matrix_of(call, right, turned), c = matrix_of(call, call.c, turned);
  const int pack = 16 / static_cast<int>(size_of(call.c.dtype));
  const auto is_aligned = [&](const Operand& operand) {
    return address_of(operand) % 16 == 0 && operand.strides[0] % pack == 0;
  };
  const auto factor = [&](const Operand& operand, std::int64_t lines, int line, int term) {
    const bool along_terms = is_packed(call.k, term, lines, line, pack);
    const bool packed = (along_terms || is_packed(lines, line, call.k, term, pack)) && is_aligned(operand);
    return Factor{packed, packed ? along_terms : std::abs(term) <= std::abs(line)};
  };
  const Factor of_a = factor(left, m, a.row, a.column), of_b = factor(right, n, b.column, b.row);
  const char* packed = "Neither";
  if (is_aligned(call.c)) {
    if (is_packed(n, c.column, m, c.row, pack))
      packed = "Across";
    else if (is_packed(m, c.row, n, c.column, pack))
      packed = "Down";
  }
  ProductText result;
  result.argument = {static_cast<int>(m), static_cast<int>(n), static_cast<int>(call.k), tile.tiles, tile.across,
                     Divider(static_cast<unsigned>(tile.across)), a.row, a.column, b.column, b.row, c.row, c.column};
  const char* const type = type_name(call.c.dtype);
  result.call = fmt::format(
      "multiply_set<{}, {}, {}, {}, {}, {}>(thread_of_part(zero), {}, TileResult<{}>::Packed::{}, {}, {}, c, in_shared<{}>(0));\n", tile.shape,
      tile.teams, text(of_a.packed && of_b.packed), text(of_a.along_terms), text(of_b.along_terms),
      text(call.store == luge::Store::Accumulate), name, type, packed, turned ? "b" : "a", turned ? "a" : "b", type);
  return result;
}

}  // namespace luge::cuda
