// Copies between any two layouts and element types: as an elementwise kernel whose formula is the
// conversion, and, for transposed layouts of one type, through tiles in shared memory.

#include <luge/base/detail/dispatch.h>

#include "elementwise.cuh"
#include "kernels.h"

namespace luge::cuda {

namespace {

/// To bool: is not zero. From floating to integer: towards zero, held to the type's range, NaN to 0.
template <class From, class To>
struct Convert {
  using Value = From;
  using Result = To;
  static constexpr int kInputs = 1, kOutputs = 1;
  static constexpr bool kMasked = false;

  __device__ void operator()(bool, const From (&x)[1], To (&y)[1]) const {
    if constexpr (std::is_same_v<From, To>) {
      y[0] = x[0];
    } else if constexpr (math::kIsHalf<From>) {
      y[0] = math::to_float(x[0]);
    } else if constexpr (math::kIsHalf<To>) {
      y[0] = math::to_half<To>(x[0]);
    } else if constexpr (std::is_same_v<To, bool>) {
      y[0] = x[0] != From(0);
    } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
      constexpr From low = static_cast<From>(std::numeric_limits<To>::min());
      y[0] = x[0] != x[0]   ? To(0)
             : x[0] <= low  ? std::numeric_limits<To>::min()
             : x[0] >= -low ? std::numeric_limits<To>::max()
                            : static_cast<To>(x[0]);
    } else {
      y[0] = static_cast<To>(x[0]);
    }
  }
};

template <class From, class To>
void convert(const Context& context, const Copy& call) {
  launch_elementwise(context, call.extent, &call.in, &call.out, &call.store, Operand{}, Convert<From, To>{});
}

/// Elements of one and two bytes as words; a number is the word that it is stored as.
template <class Word>
void move_words(const Context& context, const Copy& call) {
  Copy words = call;
  words.in.dtype = words.out.dtype = DType::Int32;
  if (call.in.is_immediate()) {
    with_element(call.in.dtype, [&]<class T>() {
      if constexpr (math::kIsHalf<T>) words.in.integer = math::to_half<T>(call.in.floating).bits;
    });
  }
  convert<Word, Word>(context, words);
}

// ---- transposed layouts -------------------------------------------------------------------------

/// A tile of the output; its columns are a warp's lanes. A thread moves 8 elements of it.
inline constexpr int kTileRows = 64, kTileColumns = 32;
/// Smaller matrices would leave most of a tile empty; they are copied as any strided layout.
inline constexpr std::int64_t kLeastTransposed = 16;

/// Matrices of `rows` x `columns`, one per position of `outer`. A column lies contiguously in the
/// input, a row in the output.
template <class Walk>
struct Transpose {
  Walk outer;  ///< input, output
  std::int64_t rows = 0, columns = 0;
  std::int64_t in_column = 0;  ///< stride of the input along a row; down a column it is 1
  std::int64_t out_row = 0;    ///< stride of the output down a column; along a row it is 1
  int tiles_down = 0, tiles_across = 0;  ///< 2^31 tiles are 2^39 elements at the least, which no memory holds
};

/// The place of a tile. A block takes every gridDim-th one, which additions find.
class TilePlace {
 public:
  __device__ TilePlace(int tiles_down, int tiles_across) : tiles_down_(tiles_down), tiles_across_(tiles_across) {
    split(blockIdx.x, across, down, matrix);
    split(gridDim.x, across_step_, down_step_, matrix_step_);
  }
  __device__ void advance() {
    across += across_step_;
    const bool wraps = across >= tiles_across_;
    if (wraps) across -= tiles_across_;
    down += down_step_ + (wraps ? 1 : 0);
    const bool ends = down >= tiles_down_;
    if (ends) down -= tiles_down_;
    matrix += matrix_step_ + (ends ? 1 : 0);
  }

  int across, down, matrix;

 private:
  __device__ void split(unsigned tile, int& column, int& row, int& outer) const {
    const auto rows = static_cast<int>(tile / static_cast<unsigned>(tiles_across_));
    column = static_cast<int>(tile) - rows * tiles_across_;
    outer = rows / tiles_down_;
    row = rows - outer * tiles_down_;
  }

  int tiles_down_, tiles_across_;
  int across_step_, down_step_, matrix_step_;
};

/// Everything is loaded before the first element is written to the tile: 48 KB in flight with six blocks.
template <class Word, class Walk>
__global__ void __launch_bounds__(kThreads, 6)
    transpose_kernel(const Word* in, Word* out, const Transpose<Walk> shape) {
  constexpr int kPitch = kTileColumns + 1;  // one more per row: no two lanes meet in a bank
  constexpr int kDown = kTileRows / kWarp, kAcross = kTileColumns / kWarps;
  LUGE_SHARED(Word, tile, kTileRows * kPitch);
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const std::int64_t in_step = kWarps * shape.in_column, out_step = kWarps * shape.out_row;
  TilePlace place(shape.tiles_down, shape.tiles_across);
  for (; place.matrix < static_cast<int>(shape.outer.count); place.advance()) {
    const std::int64_t row = std::int64_t{place.down} * kTileRows, column = std::int64_t{place.across} * kTileColumns;
    const auto rows = static_cast<int>(shape.rows - row < kTileRows ? shape.rows - row : kTileRows);
    const auto columns = static_cast<int>(shape.columns - column < kTileColumns ? shape.columns - column : kTileColumns);
    typename Walk::Index offsets[2];
    shape.outer.offsets(static_cast<typename Walk::Position>(place.matrix), offsets);
    const Word* from = in + (offsets[0] + row + lane + (column + warp) * shape.in_column);
    Word words[kAcross][kDown];
#pragma unroll
    for (int j = 0; j < kAcross; ++j, from += in_step)
#pragma unroll
      for (int i = 0; i < kDown; ++i)
        if (i * kWarp + lane < rows && j * kWarps + warp < columns) words[j][i] = from[i * kWarp];
#pragma unroll
    for (int j = 0; j < kAcross; ++j)
#pragma unroll
      for (int i = 0; i < kDown; ++i) tile[(i * kWarp + lane) * kPitch + j * kWarps + warp] = words[j][i];
    __syncthreads();
    Word* to = out + (offsets[1] + (row + warp) * shape.out_row + column + lane);
#pragma unroll
    for (int i = 0; i < kTileRows / kWarps; ++i, to += out_step)
      if (i * kWarps + warp < rows && lane < columns) *to = tile[(i * kWarps + warp) * kPitch + lane];
    __syncthreads();
  }
}

/// The dimension along which the input is contiguous where it is not the last one; -1: no transpose.
int transposed_dim(const Copy& call) {
  const int last = call.extent.ndim - 1;
  if (last < 1 || !call.in.is_memory() || call.in.dtype != call.out.dtype || call.store != Store::Overwrite) return -1;
  if (call.out.strides[static_cast<std::size_t>(last)] != 1) return -1;
  if (call.extent.sizes[static_cast<std::size_t>(last)] < kLeastTransposed) return -1;
  for (int d = 0; d < last; ++d)
    if (call.in.strides[static_cast<std::size_t>(d)] == 1 &&
        call.extent.sizes[static_cast<std::size_t>(d)] >= kLeastTransposed)
      return d;
  return -1;
}

template <class Word>
void transpose(const Context& context, const Copy& call, int dim) {
  const auto row_dim = static_cast<std::size_t>(dim), column_dim = static_cast<std::size_t>(call.extent.ndim - 1);
  Extent outer = call.extent;
  outer.sizes[row_dim] = outer.sizes[column_dim] = 1;
  const Space<2> space(dims(outer), {call.in.strides.data(), call.out.strides.data()});
  with_walk(space, space.is_narrow(), [&]<class Walk>(const Walk& walk) {
    Transpose<Walk> shape;
    shape.outer = walk;
    shape.rows = call.extent.sizes[row_dim];
    shape.columns = call.extent.sizes[column_dim];
    shape.in_column = call.in.strides[column_dim];
    shape.out_row = call.out.strides[row_dim];
    shape.tiles_down = static_cast<int>(divide_up(shape.rows, kTileRows));
    shape.tiles_across = static_cast<int>(divide_up(shape.columns, kTileColumns));
    launch(context, transpose_kernel<Word, Walk>,
           grid_stride(context, space.count() * (std::int64_t{shape.tiles_down} * shape.tiles_across), 1),
           static_cast<const Word*>(call.in.data), static_cast<Word*>(call.out.data), shape);
  });
}

}  // namespace

void run(const Context& context, const Copy& call) {
  if (const int dim = transposed_dim(call); dim >= 0)
    return with_word(size_of(call.in.dtype), [&]<class Word>() { transpose<Word>(context, call, dim); });
  if (call.in.dtype == call.out.dtype && size_of(call.in.dtype) <= 2)
    return size_of(call.in.dtype) == 1 ? move_words<std::uint8_t>(context, call)
                                       : move_words<std::uint16_t>(context, call);
  with_element(call.in.dtype, [&]<class From>() {
    with_element(call.out.dtype, [&]<class To>() {
      constexpr DType from = dtype_of<From>(), to = dtype_of<To>();
      if constexpr (converts_at_once(from, to) && !(from == to && size_of(from) <= 2))
        convert<From, To>(context, call);
      else
        refuse_element_type(is_storage_only(from) ? from : to);
    });
  });
}

}  // namespace luge::cuda
