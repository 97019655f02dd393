// Rows in order. Tiles of kTile elements are sorted in shared memory, then the sorted runs of a row are merged two by
// two. A pair of key and place is distinct from every other, so that any network that sorts pairs is stable.

#include <algorithm>
#include <bit>

#include <luge/base/detail/dispatch.h>
#include <luge/math/sort_key.h>

#include "blocks.cuh"
#include "index.cuh"
#include "kernels.h"
#include "launch.h"

namespace luge::cuda {

namespace {

using math::sort_key;
using math::SortKey;

constexpr int kTile = 2048;

/// The sorted runs of each row, one behind the other.
template <class T>
struct Runs {
  T* values;                          ///< null: nobody wants them
  std::int64_t* indices;              ///< where they stand in the row
  std::int64_t value_row, index_row;  ///< distances of rows
  std::int64_t length;                ///< of a run; a row's last one may be shorter

  __device__ void put(std::int64_t row, std::int64_t run, std::int64_t rank, T value, std::int64_t index) const {
    const std::int64_t at = run * length + rank;
    if (values) values[row * value_row + at] = value;
    indices[row * index_row + at] = index;
  }
};

/// What is sorted: rows in pieces, of which a block sorts as many at once as fit into a tile.
template <class T>
struct Pieces {
  const T* data;
  std::int64_t row, columns;    ///< distance of rows, and their size
  std::int64_t per_row, count;  ///< pieces
  int width_bits;               ///< a piece has at most 2^width_bits elements
  bool descending;
};

/// The bitonic sorter (Batcher, "Sorting networks and their applications", 1968) of all pieces in the tile side by
/// side, in the form that compares upwards only: the first step of each merge compares mirror images.
template <class T>
__global__ void __launch_bounds__(kThreads) sort_tiles_kernel(const Pieces<T> in, const Runs<T> out) {
  using Key = SortKey<T>;
  LUGE_SHARED(Key, keys, kTile);
  LUGE_SHARED(int, places, kTile);
  const int width = 1 << in.width_bits, pieces = kTile >> in.width_bits;
  for (std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * pieces; first < in.count;
       first += static_cast<std::int64_t>(gridDim.x) * pieces) {
    // What a thread writes here, it alone has read of the tile before.
    for (int i = static_cast<int>(threadIdx.x); i < kTile; i += kThreads) {
      const std::int64_t piece = first + (i >> in.width_bits), row = quick_quotient(piece, in.per_row);
      const std::int64_t column = (piece - row * in.per_row) * kTile + (i & (width - 1));
      const bool exists = piece < in.count && column < in.columns;
      // What does not exist comes last: it stands behind every element with that key.
      keys[i] = exists ? sort_key(in.data[row * in.row + column], in.descending) : static_cast<Key>(~Key(0));
      places[i] = i & (width - 1);
    }
    __syncthreads();
    for (int size = 2; size <= width; size *= 2)
      for (int step = size / 2; step > 0; step /= 2) {
        const int partner = 2 * step == size ? size - 1 : step;
        for (int pair = static_cast<int>(threadIdx.x); pair < kTile / 2; pair += kThreads) {
          const int low = 2 * pair - (pair & (step - 1)), high = low ^ partner;
          const Key a = keys[low], b = keys[high];
          const int at = places[low], other = places[high];
          if (b < a || (b == a && other < at)) {
            keys[low] = b, keys[high] = a;
            places[low] = other, places[high] = at;
          }
        }
        __syncthreads();
      }
    for (int i = static_cast<int>(threadIdx.x); i < kTile; i += kThreads) {
      const std::int64_t piece = first + (i >> in.width_bits), row = quick_quotient(piece, in.per_row);
      const std::int64_t run = piece - row * in.per_row, begin = run * kTile;
      const int rank = i & (width - 1);
      if (piece >= in.count || rank >= out.length || begin + rank >= in.columns) continue;
      const std::int64_t index = begin + places[i];
      out.put(row, run, rank, in.data[row * in.row + index], index);
    }
  }
}

/// Merges runs two by two: an element's rank is its rank in its own run and, by bisection, in the other one. Of equals
/// those of the first run come first. Elements beyond the length of the merged run are dropped.
template <class T>
__global__ void __launch_bounds__(kThreads)
    merge_runs_kernel(const Runs<T> in, std::int64_t rows, std::int64_t columns, bool descending, const Runs<T> out) {
  for (std::int64_t at = grid_thread(); at < rows * columns; at += grid_threads()) {
    const std::int64_t row = quick_quotient(at, columns), column = at - row * columns;
    const std::int64_t run = quick_quotient(column, in.length), own = column - run * in.length;
    const bool is_first = run % 2 == 0;
    const T* const values = in.values + row * in.value_row;
    const T value = values[column];
    const SortKey<T> key = sort_key(value, descending);
    const std::int64_t begin = (is_first ? run + 1 : run - 1) * in.length;
    std::int64_t low = begin, high = begin + in.length < columns ? begin + in.length : columns;
    while (low < high) {
      const std::int64_t middle = low + (high - low) / 2;
      const SortKey<T> other = sort_key(values[middle], descending);
      if (other < key || (other == key && !is_first))
        low = middle + 1;
      else
        high = middle;
    }
    const std::int64_t rank = own + (low - begin);
    if (rank < out.length) out.put(row, run / 2, rank, value, in.indices[row * in.index_row + column]);
  }
}

// ---- launch -------------------------------------------------------------------------------------

/// Memory for runs between two launches.
template <class T>
class RunMemory {
 public:
  RunMemory(const Context& context, std::int64_t count)
      : memory_(context, count * static_cast<std::int64_t>(sizeof(std::int64_t) + sizeof(T))), count_(count) {}

  Runs<T> runs(std::int64_t columns, std::int64_t length) const {
    auto* const indices = memory_.template as<std::int64_t>();
    return {reinterpret_cast<T*>(indices + count_), indices, columns, columns, length};
  }

 private:
  Scratch memory_;
  std::int64_t count_;
};

/// How many elements are left of a row of `columns`, whose runs of `length` are merged to runs of `merged`.
std::int64_t columns_left(std::int64_t columns, std::int64_t length, std::int64_t merged) {
  const std::int64_t whole = columns / (2 * length);
  return whole * merged + std::min(columns - whole * 2 * length, merged);
}

template <class T>
void sort_as(const Context& context, const Sort& call) {
  const bool has_values = call.values.is_memory();
  const Runs<T> results{has_values ? static_cast<T*>(call.values.data) : nullptr,
                        static_cast<std::int64_t*>(call.indices.data), has_values ? call.values.strides[0] : 0,
                        call.indices.strides[0], call.kept};
  const std::int64_t per_row = divide_up(call.columns, kTile);
  const auto width = std::bit_ceil(static_cast<unsigned>(std::min<std::int64_t>(call.columns, kTile)));
  const Pieces<T> pieces{static_cast<const T*>(call.in.data),
                         call.in.strides[0],
                         call.columns,
                         per_row,
                         call.rows * per_row,
                         std::countr_zero(width),
                         call.descending};
  const Grid grid = grid_stride(context, pieces.count, kTile / width);
  if (per_row == 1) return launch(context, sort_tiles_kernel<T>, grid, pieces, results);

  std::int64_t length = std::min<std::int64_t>(kTile, call.kept);
  std::int64_t columns = (per_row - 1) * length + std::min(call.columns - (per_row - 1) * kTile, length);
  const RunMemory<T> first(context, call.rows * columns);
  const RunMemory<T> second(context, per_row > 2 ? call.rows * columns : 1);
  const RunMemory<T>*from = &first, *to = &second;
  launch(context, sort_tiles_kernel<T>, grid, pieces, from->runs(columns, length));
  for (std::int64_t runs = per_row; runs > 1; runs = divide_up(runs, 2)) {
    const std::int64_t merged = std::min(2 * length, call.kept), left = columns_left(columns, length, merged);
    launch(context, merge_runs_kernel<T>, grid_stride(context, call.rows * columns, kThreads),
           from->runs(columns, length), call.rows, columns, call.descending,
           runs == 2 ? results : to->runs(left, merged));
    std::swap(from, to);
    length = merged;
    columns = left;
  }
}

}  // namespace

void run(const Context& context, const Sort& call) {
  with_dtype(call.in.dtype, [&]<class T>() { return sort_as<T>(context, call); });
}

}  // namespace luge::cuda
