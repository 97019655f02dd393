#pragma once
// Walking an extent in small boxes, for calls whose operands disagree about which dimension is the
// contiguous one: row by row, every element of a transposed operand would cost a cache line.

#include "strided.h"

namespace luge::cpu {

/// An extent cut along its last dimension and along `dim` into boxes of kBoxRows x kBoxColumns, walked
/// box after box. What does not fill whole boxes makes up to three more grids of narrower ones.
class BoxGrid {
 public:
  static constexpr std::int64_t kBoxRows = 16, kBoxColumns = 32;
  static constexpr int kGrids = 4;

  /// Grid number `part`; empty() where the extent has no such part. Needs extent.ndim + 2 <= kMaxDims.
  BoxGrid(const Extent& extent, int dim, int part) : extent_(extent), dim_(static_cast<std::size_t>(dim)) {
    last_ = static_cast<std::size_t>(extent.ndim - 1);
    rows_ = cut(extent.sizes[dim_], kBoxRows, part / 2 == 1);
    columns_ = cut(extent.sizes[last_], kBoxColumns, part % 2 == 1);
  }

  bool empty() const { return rows_.count == 0 || columns_.count == 0; }

  Extent extent() const {
    Extent result = extent_;
    result.sizes[dim_] = rows_.count;
    result.sizes[last_] = columns_.count;
    result.ndim = extent_.ndim + 2;
    result.sizes[last_ + 1] = rows_.length;
    result.sizes[last_ + 2] = columns_.length;
    return result;
  }

  /// The window of an operand on this grid.
  Operand operand(const Operand& whole) const {
    Operand result = whole;
    if (!whole.is_memory()) return result;
    const std::int64_t row = whole.strides[dim_], column = whole.strides[last_];
    result.data = static_cast<std::byte*>(whole.data) +
                  (rows_.begin * row + columns_.begin * column) * static_cast<std::int64_t>(size_of(whole.dtype));
    result.strides[dim_] = row * rows_.length;
    result.strides[last_] = column * columns_.length;
    result.strides[last_ + 1] = row;
    result.strides[last_ + 2] = column;
    return result;
  }

 private:
  /// `count` boxes of `length` from `begin` on.
  struct Cut {
    std::int64_t begin, count, length;
  };
  static Cut cut(std::int64_t size, std::int64_t length, bool rest) {
    const std::int64_t whole = size / length;
    if (!rest) return {0, whole, length};
    return {whole * length, size % length == 0 ? 0 : 1, size % length};
  }

  Extent extent_;
  std::size_t dim_, last_;
  Cut rows_, columns_;
};

}  // namespace luge::cpu
