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

inline constexpr int kTile = 32;

/// Matrices of `rows` x `columns`, one per position of `outer`. A column lies contiguously in the
/// input, a row in the output.
struct Transpose {
  Walk<2> outer;  ///< input, output
  std::int64_t rows = 0, columns = 0;
  std::int64_t in_column = 0;  ///< stride of the input along a row; down a column it is 1
  std::int64_t out_row = 0;    ///< stride of the output down a column; along a row it is 1
  std::int64_t tiles_down = 0, tiles_across = 0;
};

template <class Word>
__global__ void __launch_bounds__(kThreads) transpose_kernel(const Word* in, Word* out, const Transpose shape) {
  LUGE_SHARED(Word, tile, kTile * (kTile + 1));  // one more per row: no two lanes meet in a bank
  const int x = static_cast<int>(threadIdx.x) % kTile, y = static_cast<int>(threadIdx.x) / kTile;
  const std::int64_t tiles = shape.tiles_down * shape.tiles_across;
  for (std::int64_t unit = blockIdx.x; unit < tiles * shape.outer.count; unit += gridDim.x) {
    const std::int64_t matrix = quick_quotient(unit, tiles), at = unit - matrix * tiles;
    const std::int64_t down = quick_quotient(at, shape.tiles_across), across = at - down * shape.tiles_across;
    const std::int64_t row = down * kTile, column = across * kTile;
    std::int64_t offsets[2];
    shape.outer.offsets(matrix, offsets);
    for (int j = y; j < kTile; j += kThreads / kTile)
      if (row + x < shape.rows && column + j < shape.columns)
        tile[x * (kTile + 1) + j] = in[offsets[0] + row + x + (column + j) * shape.in_column];
    __syncthreads();
    for (int j = y; j < kTile; j += kThreads / kTile)
      if (row + j < shape.rows && column + x < shape.columns)
        out[offsets[1] + (row + j) * shape.out_row + column + x] = tile[j * (kTile + 1) + x];
    __syncthreads();
  }
}

/// The dimension along which the input is contiguous where it is not the last one; -1: no transpose.
int transposed_dim(const Copy& call) {
  const int last = call.extent.ndim - 1;
  if (last < 1 || !call.in.is_memory() || call.in.dtype != call.out.dtype || call.store != Store::Overwrite) return -1;
  if (call.out.strides[static_cast<std::size_t>(last)] != 1) return -1;
  for (int d = 0; d < last; ++d)
    if (call.in.strides[static_cast<std::size_t>(d)] == 1 && call.extent.sizes[static_cast<std::size_t>(d)] > 1)
      return d;
  return -1;
}

template <class Word>
void transpose(const Context& context, const Copy& call, int dim) {
  const auto row_dim = static_cast<std::size_t>(dim), column_dim = static_cast<std::size_t>(call.extent.ndim - 1);
  Transpose shape;
  shape.rows = call.extent.sizes[row_dim];
  shape.columns = call.extent.sizes[column_dim];
  shape.in_column = call.in.strides[column_dim];
  shape.out_row = call.out.strides[row_dim];
  shape.tiles_down = divide_up(shape.rows, kTile);
  shape.tiles_across = divide_up(shape.columns, kTile);
  Extent outer = call.extent;
  outer.sizes[row_dim] = outer.sizes[column_dim] = 1;
  shape.outer = make_walk<2>(dims(outer), {call.in.strides.data(), call.out.strides.data()});
  launch(context, transpose_kernel<Word>,
         grid_stride(context, shape.outer.count * shape.tiles_down * shape.tiles_across, 1),
         static_cast<const Word*>(call.in.data), static_cast<Word*>(call.out.data), shape);
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
