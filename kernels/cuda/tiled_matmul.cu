#include "tiled_matmul.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include <luge/base/detail/dispatch.h>

#include "index.cuh"
#include "launch.h"
#include "matmul_shapes.cuh"

namespace luge::cuda {

namespace {

/// The batch is of outer x inner matrices.
template <class T>
struct TiledProduct {
  int m = 0, n = 0, k = 0;
  int teams = 0;  ///< of a block that have work
  int tiles = 0, tiles_across = 0, tiles_per_matrix = 0, inner = 0;
  Divider by_across, by_matrix, by_inner;
  TileFactor<T> a, b;
  TileResult<T> c;
  std::int64_t outer_strides[3] = {}, inner_strides[3] = {};  ///< a, b, c
};

/// Where a team is: a tile, or nowhere behind the last one.
template <class Shape>
struct TilePlace {
  using T = typename Shape::T;
  const T *a, *b;
  T* c;
  int rows = 0, columns = 0;  ///< that are left from here on

  /// `a_offset` and `b_offset`: of what the thread brings.
  __device__ TilePlace(const TiledProduct<T>& p, int group, int team, std::int64_t a_offset, std::int64_t b_offset)
      : a(p.a.data), b(p.b.data), c(p.c.data) {
    const int tile = group * p.teams + team;
    if (team >= p.teams || tile >= p.tiles) return;
    const auto matrix = static_cast<int>(p.by_matrix.quotient(static_cast<unsigned>(tile)));
    const int within = tile - matrix * p.tiles_per_matrix;
    const auto down = static_cast<int>(p.by_across.quotient(static_cast<unsigned>(within)));
    const int row = down * Shape::kRows, column = (within - down * p.tiles_across) * Shape::kColumns;
    const auto outer = static_cast<int>(p.by_inner.quotient(static_cast<unsigned>(matrix)));
    const int inner = matrix - outer * p.inner;
    a = p.a.data + (outer * p.outer_strides[0] + inner * p.inner_strides[0] + row * p.a.line + a_offset);
    b = p.b.data + (outer * p.outer_strides[1] + inner * p.inner_strides[1] + column * p.b.line + b_offset);
    c = p.c.data + (outer * p.outer_strides[2] + inner * p.inner_strides[2] + row * p.c.row + column * p.c.column);
    rows = p.m - row;
    columns = p.n - column;
  }
};

/// Each team of a block has a tile at a time. What comes next, further terms or the next tile, is on its way from
/// memory while the staged terms are multiplied; two buffers, so that one barrier is enough.
template <class Shape, bool packed>
__global__ void __launch_bounds__(kThreads, Shape::kBlocks) tiles_kernel(const TiledProduct<typename Shape::T> p) {
  using T = typename Shape::T;
  using Chunk = Pack<T, Shape::kPack>;
  constexpr int kBuffer = Shape::kTeams * Shape::kStaged;
  LUGE_SHARED(Chunk, chunks, 2 * kBuffer / Shape::kPack);
  const int team = static_cast<int>(threadIdx.x) / Shape::kTeam, rank = static_cast<int>(threadIdx.x) % Shape::kTeam;
  T* const own = reinterpret_cast<T*>(chunks) + team * Shape::kStaged;
  TileLoader<Shape, Shape::kRows, packed> a(p.a, rank);
  TileLoader<Shape, Shape::kColumns, packed> b(p.b, rank);
  TilePart<Shape> part(rank);

  int group = static_cast<int>(blockIdx.x);
  TilePlace<Shape> place(p, group, team, a.offset(), b.offset());
  int terms = p.k;  // that are left of this tile
  a.fetch(place.a, place.rows, terms);
  b.fetch(place.b, place.columns, terms);
  for (int buffer = 0;; buffer ^= 1) {
    T* const staged = own + buffer * kBuffer;
    a.put(staged);
    b.put(staged + Shape::kDepth * Shape::kRows);
    __syncthreads();
    T* const c = place.c;
    const int rows = place.rows, columns = place.columns;
    const int ready = terms < Shape::kDepth ? terms : Shape::kDepth;
    terms -= ready;
    const bool ends = terms == 0;
    if (ends) {
      group += static_cast<int>(gridDim.x);
      place = TilePlace<Shape>(p, group, team, a.offset(), b.offset());
      terms = p.k;
    } else {
      place.a += Shape::kDepth * p.a.term;
      place.b += Shape::kDepth * p.b.term;
    }
    const bool continues = group * p.teams < p.tiles;
    if (continues) {
      a.fetch(place.a, place.rows, terms);
      b.fetch(place.b, place.columns, terms);
    }
    if (rows > 0) part.multiply(staged, staged + Shape::kDepth * Shape::kRows, ready);
    if (ends) {
      part.write(p.c, c, rows, columns);
      part.clear();
      if (!continues) return;
    }
  }
}

// ---- the host's part ----------------------------------------------------------------------------

/// Whether every matrix of the batch begins at a multiple of 16 bytes.
template <class T>
bool is_aligned(const MatMul& call, const Operand& operand) {
  constexpr auto kPack = static_cast<std::int64_t>(16 / sizeof(T));
  if (reinterpret_cast<std::uintptr_t>(operand.data) % 16 != 0) return false;
  for (std::size_t d = 0; d < static_cast<std::size_t>(call.batch.ndim); ++d)
    if (call.batch.sizes[d] > 1 && operand.strides[d] % kPack != 0) return false;
  return true;
}

/// Whether `inner` elements with stride `stride` can be moved 16 bytes at a time, `outer` times.
template <class T>
bool is_packed(std::int64_t inner, std::int64_t stride, std::int64_t outer, std::int64_t outer_stride) {
  constexpr auto kPack = static_cast<std::int64_t>(16 / sizeof(T));
  return stride == 1 && inner % kPack == 0 && (outer == 1 || outer_stride % kPack == 0);
}

/// A factor, and whether it is packed.
template <class T>
std::pair<TileFactor<T>, bool> factor(const MatMul& call, const Operand& operand, std::int64_t lines, std::int64_t line,
                                      std::int64_t term) {
  const bool along_terms = is_packed<T>(call.k, term, lines, line);
  const bool packed = (along_terms || is_packed<T>(lines, line, call.k, term)) && is_aligned<T>(call, operand);
  return {{static_cast<const T*>(operand.data), line, term, 0, packed ? along_terms : std::abs(term) <= std::abs(line)},
          packed};
}

template <class T>
TileResult<T> result(const MatMul& call) {
  using Packed = typename TileResult<T>::Packed;
  const MatrixStrides strides = matrix_strides(call, call.c);
  Packed packed = Packed::Neither;
  if (is_aligned<T>(call, call.c)) {
    if (is_packed<T>(call.n, strides.column, call.m, strides.row))
      packed = Packed::Across;
    else if (is_packed<T>(call.m, strides.row, call.n, strides.column))
      packed = Packed::Down;
  }
  return {static_cast<T*>(call.c.data), strides.row, strides.column, packed, call.store == Store::Accumulate};
}

template <class Shape>
std::int64_t tiles_of(const MatMul& call) {
  return divide_up(call.m, Shape::kRows) * divide_up(call.n, Shape::kColumns);
}

/// About how long a product takes with tiles of this shape, in cycles per term: the work of all tiles, spread over the
/// GPU, and what one tile takes alone. A multiprocessor starts 128 instructions of threads in a cycle, one warp 32.
template <class Shape>
double cycles(const Context& context, const MatMul& call) {
  using Part = TilePart<Shape>;
  constexpr double kStaging =
      7;  // instructions of a thread for each term, beside reading it; from sm_90's machine code
  constexpr double kReads = Shape::kDown / Part::kUnitDown + Shape::kAcross / Part::kUnitAcross;
  constexpr double kOfThread = Shape::kDown * Shape::kAcross + kReads + kStaging;
  const double tiles = static_cast<double>(tiles_of<Shape>(call)) * static_cast<double>(call.batch.count());
  return kOfThread * Shape::kTeam *
         (tiles / (128.0 * context.gpu().multiprocessors()) + 1.0 / std::min(128, Shape::kTeam));
}

/// At most two dimensions of matrices, and fewer than 2^30 tiles.
template <class Shape>
void launch_tiles(const Context& context, const MatMul& call) {
  using T = typename Shape::T;
  const MatrixStrides a_strides = matrix_strides(call, call.a), b_strides = matrix_strides(call, call.b);
  const auto [a, a_packed] = factor<T>(call, call.a, call.m, a_strides.row, a_strides.column);
  const auto [b, b_packed] = factor<T>(call, call.b, call.n, b_strides.column, b_strides.row);
  TiledProduct<T> p;
  p.m = static_cast<int>(call.m);
  p.n = static_cast<int>(call.n);
  p.k = static_cast<int>(call.k);
  p.a = a;
  p.b = b;
  p.a.step = TileLoader<Shape, Shape::kRows, true>::step(a);
  p.b.step = TileLoader<Shape, Shape::kColumns, true>::step(b);
  p.c = result<T>(call);
  p.tiles_across = static_cast<int>(divide_up(call.n, Shape::kColumns));
  p.tiles_per_matrix = static_cast<int>(tiles_of<Shape>(call));
  p.tiles = static_cast<int>(call.batch.count()) * p.tiles_per_matrix;
  const int dims = call.batch.ndim;
  p.inner = dims > 0 ? static_cast<int>(call.batch.sizes[static_cast<std::size_t>(dims - 1)]) : 1;
  const Operand* const operands[] = {&call.a, &call.b, &call.c};
  for (int i = 0; i < 3; ++i) {
    if (dims > 0) p.inner_strides[i] = operands[i]->strides[static_cast<std::size_t>(dims - 1)];
    if (dims > 1) p.outer_strides[i] = operands[i]->strides[0];
  }
  p.by_across = Divider(static_cast<unsigned>(p.tiles_across));
  p.by_matrix = Divider(static_cast<unsigned>(p.tiles_per_matrix));
  p.by_inner = Divider(static_cast<unsigned>(p.inner));
  const auto kernel = a_packed && b_packed ? tiles_kernel<Shape, true> : tiles_kernel<Shape, false>;
  // Few tiles are spread over the multiprocessors, one for each block.
  const std::int64_t most = resident_grid(context, kernel, p.tiles).blocks;
  p.teams = static_cast<int>(std::min<std::int64_t>(Shape::kTeams, divide_up(p.tiles, most)));
  launch(context, kernel, Grid{std::min(divide_up(p.tiles, p.teams), most)}, p);
}

template <class... Shape>
void launch_fastest(const Context& context, const MatMul& call, std::tuple<Shape...>*) {
  using Launch = void (*)(const Context&, const MatMul&);
  const std::pair<double, Launch> candidates[] = {{cycles<Shape>(context, call), launch_tiles<Shape>}...};
  std::ranges::min_element(candidates, {}, &std::pair<double, Launch>::first)->second(context, call);
}

/// c^T = b^T a^T.
MatMul transposed(const MatMul& call) {
  MatMul result = call;
  std::swap(result.a, result.b);
  std::swap(result.m, result.n);
  const auto at = static_cast<std::size_t>(call.batch.ndim);
  for (Operand* const operand : {&result.a, &result.b, &result.c})
    std::swap(operand->strides[at], operand->strides[at + 1]);
  return result;
}

/// Matrices [first, first + count) along the outermost dimension; that dimension goes where count is 1.
MatMul slice(const MatMul& call, std::int64_t first, std::int64_t count) {
  MatMul result = call;
  result.batch.sizes[0] = count;
  const auto width = static_cast<std::int64_t>(size_of(call.c.dtype));
  for (Operand* const operand : {&result.a, &result.b, &result.c}) {
    operand->data = static_cast<std::byte*>(operand->data) + first * operand->strides[0] * width;
    if (count == 1) std::shift_left(operand->strides.begin(), operand->strides.end(), 1);
  }
  if (count == 1) {
    std::shift_left(result.batch.sizes.begin(), result.batch.sizes.end(), 1);
    --result.batch.ndim;
  }
  return result;
}

}  // namespace

bool is_small(const MatMul& call) {
  std::array<std::int64_t, 3> sizes{call.m, call.n, call.k};
  std::ranges::sort(sizes);
  return sizes[1] <= 128 && sizes[2] <= 512;
}

void tiled_matmul(const Context& context, const MatMul& call) {
  const std::int64_t count = call.batch.ndim > 0 ? call.batch.sizes[0] : 1;
  if (call.batch.ndim > 2) {
    for (std::int64_t i = 0; i < count; ++i) tiled_matmul(context, slice(call, i, 1));
  } else if (count > 1 && call.batch.count() * divide_up(call.m, 16) * divide_up(call.n, 4) > kMostTiled) {
    tiled_matmul(context, slice(call, 0, count / 2));
    tiled_matmul(context, slice(call, count / 2, count - count / 2));
  } else {
    const MatMul tall = call.m >= call.n ? call : transposed(call);  // the narrow tile is a tall one
    with_floating(call.c.dtype, [&]<class T>() {
      return launch_fastest(context, tall, static_cast<typename TileShapes<T>::All*>(nullptr));
    });
  }
}

}  // namespace luge::cuda
