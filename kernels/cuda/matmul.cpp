// Matrix products: our own kernel for small matrices, of which there may be millions, and cuBLASLt for
// the others. Which of the two depends on m, n and k alone (law 7).

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include <luge/base/detail/check.h>

#include "blas.h"
#include "kernels.h"
#include "tiled_matmul.h"

namespace luge::cuda {

namespace {

// ---- cuBLAS -------------------------------------------------------------------------------------

/// A matrix as cuBLAS wants it: stored column by column, `leading` apart, or the transpose of that.
struct Leading {
  bool possible = false;
  bool transposed = false;
  std::int64_t leading = 1;
};

/// For a matrix of rows x columns. Along a size of one any stride will do.
Leading leading(std::int64_t rows, std::int64_t columns, MatrixStrides strides) {
  const auto fits = [](std::int64_t inner, std::int64_t inner_stride, std::int64_t outer, std::int64_t outer_stride) {
    return (inner_stride == 1 || inner == 1) && (outer_stride >= inner || outer == 1);
  };
  if (fits(rows, strides.row, columns, strides.column)) return {true, false, columns == 1 ? rows : strides.column};
  if (fits(columns, strides.column, rows, strides.row)) return {true, true, rows == 1 ? columns : strides.row};
  return {};
}

/// An operand of the product, row-major matrices of `rows` x `columns`; packed into scratch memory
/// where cuBLAS cannot read its strides.
class Factor {
 public:
  Factor(const Context& context, const MatMul& call, const Operand& operand, std::int64_t rows, std::int64_t columns)
      : operand_(operand),
        packs_(!leading(rows, columns, matrix_strides(call, operand)).possible),
        memory_(context, packs_ ? layout(call, rows, columns) * static_cast<std::int64_t>(size_of(operand.dtype)) : 0) {
    if (!packs_) return;
    packed_.data = memory_.as<void>();
    run(context, Copy{.extent = extent_, .in = operand, .out = packed_});
    operand_ = packed_;
  }

  const Operand& operand() const { return operand_; }

 private:
  /// Fills packed_ and extent_ with a contiguous layout, dimensions of stride zero left as they are;
  /// returns its number of elements.
  std::int64_t layout(const MatMul& call, std::int64_t rows, std::int64_t columns) {
    extent_ = call.batch;
    extent_.sizes[static_cast<std::size_t>(extent_.ndim++)] = rows;
    extent_.sizes[static_cast<std::size_t>(extent_.ndim++)] = columns;
    packed_ = operand_;
    std::int64_t count = 1;
    for (int d = extent_.ndim - 1; d >= 0; --d) {
      const auto at = static_cast<std::size_t>(d);
      if (d < call.batch.ndim && operand_.strides[at] == 0) extent_.sizes[at] = 1;
      packed_.strides[at] = extent_.sizes[at] == 1 && d < call.batch.ndim ? 0 : count;
      count *= extent_.sizes[at];
    }
    return count;
  }

  Operand operand_, packed_;
  Extent extent_;
  bool packs_;
  Scratch memory_;
};

/// The largest power of 2, up to 16, that all addresses of the operand's matrices are multiples of.
std::uint32_t alignment(const MatMul& call, const Operand& operand, std::int64_t leading) {
  const auto width = static_cast<std::uintptr_t>(size_of(operand.dtype));
  std::uintptr_t bits =
      reinterpret_cast<std::uintptr_t>(operand.data) | static_cast<std::uintptr_t>(leading) * width | 16;
  for (std::size_t d = 0; d < static_cast<std::size_t>(call.batch.ndim); ++d)
    if (call.batch.sizes[d] > 1) bits |= static_cast<std::uintptr_t>(operand.strides[d]) * width;
  return static_cast<std::uint32_t>(bits & -bits);
}

/// The innermost batch dimension goes to cuBLAS, the ones before are walked here.
void blas_matmul(const Context& context, const MatMul& call) {
  const Factor a(context, call, call.a, call.m, call.k), b(context, call, call.b, call.k, call.n);
  // cuBLAS thinks in columns: c = a b is computed as it is where c's columns are contiguous, and as
  // transposed(c) = transposed(b) transposed(a) where its rows are.
  const MatrixStrides c = matrix_strides(call, call.c), as = matrix_strides(call, a.operand()),
                      bs = matrix_strides(call, b.operand());
  const Leading by_columns = leading(call.m, call.n, c);
  const bool swapped = !by_columns.possible || by_columns.transposed;
  const auto transposed = [](MatrixStrides strides) { return MatrixStrides{strides.column, strides.row}; };
  const Leading first = swapped ? leading(call.n, call.k, transposed(bs)) : leading(call.m, call.k, as);
  const Leading second = swapped ? leading(call.k, call.m, transposed(as)) : leading(call.k, call.n, bs);
  const Leading result = swapped ? leading(call.n, call.m, transposed(c)) : by_columns;

  Extent outer = call.batch;
  const auto inner = static_cast<std::size_t>(call.batch.ndim - 1);
  const bool batched = call.batch.ndim > 0;
  if (batched) --outer.ndim;
  const Operand &left = swapped ? b.operand() : a.operand(), &right = swapped ? a.operand() : b.operand();
  const auto matrix = [&](const Leading& lies, const Operand& operand) {
    return BlasMatrix{lies.transposed, lies.leading, batched ? operand.strides[inner] : 0,
                      alignment(call, operand, lies.leading)};
  };
  const BlasProduct product{.wide = call.c.dtype == DType::Float64,
                            .allow_tf32 = call.allow_tf32 && call.c.dtype == DType::Float32,
                            .m = swapped ? call.n : call.m,
                            .n = swapped ? call.m : call.n,
                            .k = call.k,
                            .count = batched ? call.batch.sizes[inner] : 1,
                            .a = matrix(first, left),
                            .b = matrix(second, right),
                            .c = matrix(result, call.c)};
  std::array<std::int64_t, kMaxDims> index{};
  const auto at = [&](const Operand& operand) {
    std::int64_t offset = 0;
    for (std::size_t d = 0; d < static_cast<std::size_t>(outer.ndim); ++d) offset += index[d] * operand.strides[d];
    return static_cast<std::byte*>(operand.data) + offset * static_cast<std::int64_t>(size_of(operand.dtype));
  };
  Blas& blas = context.gpu().blas();
  for (std::int64_t i = 0; i < outer.count(); ++i) {
    if (!blas.multiply(context, product, at(left), at(right), at(call.c), call.store == Store::Accumulate)) {
      LUGE_CHECK(ShapeError, std::max({call.m, call.n, call.k}) < kMostTiled,
                 "{}: cuBLASLt has no algorithm for ({}, {}) x ({}, {}), and luge's own kernel takes sizes below {}",
                 context.op(), call.m, call.k, call.k, call.n, kMostTiled);
      return tiled_matmul(context, call);  // told by the first: all of them are of one kind
    }
    for (auto d = static_cast<std::size_t>(outer.ndim); d-- > 0;) {
      if (++index[d] < outer.sizes[d]) break;
      index[d] = 0;
    }
  }
}

}  // namespace

void run(const Context& context, const MatMul& call) {
  is_small(call) ? tiled_matmul(context, call) : blas_matmul(context, call);
}

}  // namespace luge::cuda
