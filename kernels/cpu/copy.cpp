// Copies between any two layouts and element types.
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(copy.cpp)
#include <hwy/foreach_target.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>

#include <hwy/highway.h>

#include <luge/base/detail/dispatch.h>

#include "kernels.h"
#include "strided.h"
#include "threads.h"

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

/// To bool: is not zero. From floating to integer: towards zero, held to the type's range, NaN to 0.
template <class To, class From>
To convert_one(From x) {
  if constexpr (std::is_same_v<To, From>) {
    return x;
  } else if constexpr (math::kIsHalf<From>) {
    return math::to_float(x);
  } else if constexpr (math::kIsHalf<To>) {
    return math::to_half<To>(x);
  } else if constexpr (std::is_same_v<To, bool>) {
    return x != From(0);
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    constexpr From kLow = static_cast<From>(std::numeric_limits<To>::min());
    if (x != x) return 0;
    return x <= kLow    ? std::numeric_limits<To>::min()
           : x >= -kLow ? std::numeric_limits<To>::max()
                        : static_cast<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

template <class From, class To>
void convert(const void* from, void* to, std::int64_t n) {
  const From* const x = static_cast<const From*>(from);
  To* const y = static_cast<To*>(to);
  for (std::int64_t i = 0; i < n; ++i) y[i] = convert_one<To>(x[i]);
}

using ConvertFn = void (*)(const void*, void*, std::int64_t);

ConvertFn converter(DType from, DType to) {
  return with_element(from, [&]<class From>() -> ConvertFn {
    return with_element(to, [&]<class To>() -> ConvertFn {
      if constexpr (converts_at_once(dtype_of<From>(), dtype_of<To>()))
        return &convert<From, To>;
      else
        refuse_element_type(is_storage_only(from) ? from : to);
    });
  });
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {

HWY_EXPORT(converter);

namespace {

using ConvertFn = void (*)(const void*, void*, std::int64_t);

constexpr std::int64_t kTile = 1024;

/// One element, in the output's type: an Immediate or a window of stride zero throughout.
void copy_constant(const Copy& call) {
  alignas(8) std::byte raw[8], element[8];
  if (call.in.is_immediate())
    write_immediate(raw, call.in);
  else
    std::memcpy(raw, call.in.data, size_of(call.in.dtype));
  HWY_DYNAMIC_DISPATCH(converter)(call.in.dtype, call.out.dtype)(raw, element, 1);
  const auto size = static_cast<std::int64_t>(size_of(call.out.dtype));
  const std::int64_t n = call.extent.count();
  const bool contiguous = is_contiguous(call.extent, call.out.strides);
  const bool streams = contiguous && call.store == Store::Overwrite && worth_streaming(n * size);
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    std::byte* const to = static_cast<std::byte*>(call.out.data);
    if (contiguous && call.store == Store::Overwrite && !streams) {
      fill(to + begin * size, element, static_cast<std::size_t>(size), end - begin);
      return;
    }
    alignas(64) std::byte tile[kTile * 8];
    fill(tile, element, static_cast<std::size_t>(size), std::min(kTile, end - begin));
    for (std::int64_t i = begin; i < end; i += kTile) {
      const std::int64_t count = std::min(kTile, end - i);
      if (streams)
        stream(to + i * size, tile, static_cast<std::size_t>(count * size));
      else
        scatter(tile, to, call.out.dtype, call.store, call.extent, call.out.strides, i, count);
    }
    if (streams) finish_streams();
  };
  parallel_for(n, 1, body, kTile);
}

/// Both sides contiguous and of one type.
void copy_bytes(const Copy& call) {
  const auto size = static_cast<std::int64_t>(size_of(call.in.dtype));
  const std::int64_t n = call.extent.count();
  const bool streams = worth_streaming(n * size) && call.in.data != call.out.data;
  parallel_for(
      n, 1,
      [&](std::int64_t begin, std::int64_t end) {
        std::byte* const to = static_cast<std::byte*>(call.out.data) + begin * size;
        const std::byte* const from = static_cast<const std::byte*>(call.in.data) + begin * size;
        const auto bytes = static_cast<std::size_t>((end - begin) * size);
        if (!streams) {
          std::memmove(to, from, bytes);
          return;
        }
        stream(to, from, bytes);
        finish_streams();
      },
      kTile);
}

/// The dimension along which the input is contiguous where it is not the last one; -1: no transpose.
int transposed_dim(const Copy& call) {
  const int last = call.extent.ndim - 1;
  if (last < 1 || call.in.dtype != call.out.dtype || call.store != Store::Overwrite) return -1;
  if (call.out.strides[static_cast<std::size_t>(last)] != 1) return -1;
  if (call.in.strides[static_cast<std::size_t>(last)] == 0) return -1;  // repeated, not transposed
  for (int d = 0; d < last; ++d)
    if (call.in.strides[static_cast<std::size_t>(d)] == 1 && call.extent.sizes[static_cast<std::size_t>(d)] > 1)
      return d;
  return -1;
}

/// Copies a matrix of `rows` x `columns` whose columns are contiguous in `from` and rows in `to`, in
/// blocks, so that each cache line is used up while it is near.
template <class Word>
void transpose(const Word* from, std::int64_t from_column, Word* to, std::int64_t to_row, std::int64_t rows,
               std::int64_t columns) {
  constexpr std::int64_t kBlock = 64 / sizeof(Word);
  for (std::int64_t r = 0; r < rows; r += kBlock) {
    const std::int64_t height = std::min(kBlock, rows - r);
    for (std::int64_t c = 0; c < columns; c += kBlock) {
      const std::int64_t width = std::min(kBlock, columns - c);
      Word block[kBlock][kBlock];
      for (std::int64_t j = 0; j < width; ++j)
        for (std::int64_t i = 0; i < height; ++i) block[i][j] = from[(c + j) * from_column + r + i];
      for (std::int64_t i = 0; i < height; ++i) std::copy_n(block[i], width, to + (r + i) * to_row + c);
    }
  }
}

template <class Word>
void copy_transposed(const Copy& call, int dim) {
  const auto row_dim = static_cast<std::size_t>(dim), column_dim = static_cast<std::size_t>(call.extent.ndim - 1);
  constexpr std::int64_t kRows = 64;  // rows of a block of work: several cache lines of the input
  Extent outer = call.extent;
  outer.sizes[row_dim] = (call.extent.sizes[row_dim] + kRows - 1) / kRows;
  outer.sizes[column_dim] = 1;
  StridesArray from_strides = call.in.strides, to_strides = call.out.strides;
  from_strides[row_dim] *= kRows;
  to_strides[row_dim] *= kRows;
  const std::int64_t rows = call.extent.sizes[row_dim], columns = call.extent.sizes[column_dim];
  std::int64_t inner_blocks = 1;  // how often the row dimension's index advances
  for (std::size_t d = row_dim + 1; d < column_dim; ++d) inner_blocks *= call.extent.sizes[d];
  parallel_for(outer.count(), std::min(rows, kRows) * columns, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = i / inner_blocks % outer.sizes[row_dim] * kRows;
      transpose(static_cast<const Word*>(call.in.data) + offset_at(outer, from_strides, i), call.in.strides[column_dim],
                static_cast<Word*>(call.out.data) + offset_at(outer, to_strides, i), call.out.strides[row_dim],
                std::min(kRows, rows - first), columns);
    }
  });
}

/// Everything else, tile by tile: gather, convert, scatter; steps that are not needed fall away.
void copy_tiles(const Copy& call) {
  const ConvertFn convert = HWY_DYNAMIC_DISPATCH(converter)(call.in.dtype, call.out.dtype);
  const bool converts = call.in.dtype != call.out.dtype;
  const bool in_place = is_contiguous(call.extent, call.in.strides),
             out_place = is_contiguous(call.extent, call.out.strides);
  const std::size_t in_size = size_of(call.in.dtype), out_size = size_of(call.out.dtype);
  const bool overwrites = out_place && call.store == Store::Overwrite;
  const bool streams = overwrites && worth_streaming(call.extent.count() * static_cast<std::int64_t>(out_size));
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    alignas(64) std::byte gathered[kTile * 8];
    alignas(64) std::byte converted[kTile * 8];
    for (std::int64_t i = begin; i < end; i += kTile) {
      const std::int64_t n = std::min(kTile, end - i);
      std::byte* const out = static_cast<std::byte*>(call.out.data) + i * static_cast<std::int64_t>(out_size);
      const bool direct = overwrites && !streams;
      const std::byte* tile = static_cast<const std::byte*>(call.in.data) + i * static_cast<std::int64_t>(in_size);
      if (!in_place) {
        std::byte* const to = direct && !converts ? out : gathered;
        gather(to, call.in.data, in_size, call.extent, call.in.strides, i, n);
        tile = to;
      }
      if (converts) {
        std::byte* const to = direct ? out : converted;
        convert(tile, to, n);
        tile = to;
      }
      if (direct) continue;
      if (streams)
        stream(out, tile, static_cast<std::size_t>(n) * out_size);
      else if (out_place)
        accumulate(out, tile, call.out.dtype, n);
      else
        scatter(tile, call.out.data, call.out.dtype, call.store, call.extent, call.out.strides, i, n);
    }
    if (streams) finish_streams();
  };
  parallel_for(call.extent.count(), 1, body, kTile);
}

}  // namespace

void run(const Copy& call) {
  if (call.in.is_immediate() || is_constant(call.extent, call.in.strides)) return copy_constant(call);
  if (call.in.dtype == call.out.dtype && call.store == Store::Overwrite &&
      is_contiguous(call.extent, call.in.strides) && is_contiguous(call.extent, call.out.strides))
    return copy_bytes(call);
  if (const int dim = transposed_dim(call); dim >= 0) {
    return with_word(size_of(call.in.dtype), [&]<class Word>() { copy_transposed<Word>(call, dim); });
  }
  copy_tiles(call);
}

}  // namespace luge::cpu
#endif
