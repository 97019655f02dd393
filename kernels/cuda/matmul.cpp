// Matrix products: our own kernel for small matrices, of which there may be millions, and cuBLASLt for
// the others. Which of the two depends on m, n and k alone (law 7).

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <luge/base/detail/check.h>

#include "blas.h"
#include "kernels.h"
#include "onto.h"
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

/// For a matrix that is only read, and may have one column for all of them.
Leading leading_of_before(std::int64_t rows, std::int64_t columns, MatrixStrides strides) {
  if ((strides.row != 1 && rows > 1) || (strides.column != 0 && strides.column < rows && columns > 1)) return {};
  return {true, false, columns == 1 ? rows : strides.column};
}

MatrixStrides transposed(MatrixStrides strides) { return {strides.column, strides.row}; }

/// Whether cuBLAS cannot read an operand's strides, row-major matrices of `rows` x `columns`.
bool needs_packing(const MatMul& call, const Operand& operand, std::int64_t rows, std::int64_t columns) {
  return !leading(rows, columns, matrix_strides(call, operand)).possible;
}

/// An operand of the product, row-major matrices of `rows` x `columns`; packed into scratch memory
/// where cuBLAS cannot read its strides.
class Factor {
 public:
  Factor(const Context& context, const MatMul& call, const Operand& operand, std::int64_t rows, std::int64_t columns)
      : operand_(operand),
        packs_(needs_packing(call, operand, rows, columns)),
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

BlasMatrix blas_matrix(const MatMul& call, const Operand& operand, const Leading& lies) {
  const int inner = call.batch.ndim - 1;
  return {lies.transposed, lies.leading, inner < 0 ? 0 : operand.strides[static_cast<std::size_t>(inner)],
          alignment(call, operand, lies.leading)};
}

/// A call as cuBLAS sees it, with factors that it can read. It thinks in columns: c = a b is computed as it is where c's
/// columns are contiguous, and as transposed(c) = transposed(b) transposed(a) where its rows are. The innermost batch
/// dimension goes to cuBLAS, the ones before are walked here.
class InColumns {
 public:
  InColumns(const MatMul& call, const Operand& a, const Operand& b) : call_(call), a_(a), b_(b), outer_(call.batch) {
    const MatrixStrides c = matrix_strides(call, call.c), as = matrix_strides(call, a), bs = matrix_strides(call, b);
    const Leading by_columns = leading(call.m, call.n, c);
    swapped_ = !by_columns.possible || by_columns.transposed;
    const Leading first = swapped_ ? leading(call.n, call.k, transposed(bs)) : leading(call.m, call.k, as);
    const Leading second = swapped_ ? leading(call.k, call.m, transposed(as)) : leading(call.k, call.n, bs);
    const Leading result = swapped_ ? leading(call.n, call.m, transposed(c)) : by_columns;
    const bool batched = call.batch.ndim > 0;
    product_ = {.wide = call.c.dtype == DType::Float64,
                .allow_tf32 = call.allow_tf32 && call.c.dtype == DType::Float32,
                .m = swapped_ ? call.n : call.m,
                .n = swapped_ ? call.m : call.n,
                .k = call.k,
                .count = batched ? call.batch.sizes[static_cast<std::size_t>(call.batch.ndim - 1)] : 1,
                .a = blas_matrix(call, left(), first),
                .b = blas_matrix(call, right(), second),
                .c = blas_matrix(call, call.c, result)};
    if (batched) --outer_.ndim;
  }

  const BlasProduct& product() const { return product_; }
  const Operand& left() const { return swapped_ ? b_ : a_; }
  const Operand& right() const { return swapped_ ? a_ : b_; }

  /// What the product is added to, if cuBLAS can read it.
  std::optional<BlasMatrix> before(const Operand& operand) const {
    const MatrixStrides strides = matrix_strides(call_, operand);
    const Leading lies = leading_of_before(product_.m, product_.n, swapped_ ? transposed(strides) : strides);
    if (!lies.possible) return {};
    return blas_matrix(call_, operand, lies);
  }

  /// queue(at) for each of the outer batch, until one gives false; at(operand) is where its matrices begin.
  template <class Queue>
  bool for_each(const Queue& queue) const {
    std::array<std::int64_t, kMaxDims> index{};
    const auto at = [&](const Operand& operand) {
      std::int64_t offset = 0;
      for (std::size_t d = 0; d < static_cast<std::size_t>(outer_.ndim); ++d) offset += index[d] * operand.strides[d];
      return static_cast<std::byte*>(operand.data) + offset * static_cast<std::int64_t>(size_of(operand.dtype));
    };
    for (std::int64_t i = 0; i < outer_.count(); ++i) {
      if (!queue(at)) return false;
      for (auto d = static_cast<std::size_t>(outer_.ndim); d-- > 0;) {
        if (++index[d] < outer_.sizes[d]) break;
        index[d] = 0;
      }
    }
    return true;
  }

 private:
  const MatMul& call_;
  const Operand &a_, &b_;
  Extent outer_;
  bool swapped_;
  BlasProduct product_;
};

void blas_matmul(const Context& context, const MatMul& call) {
  const Factor a(context, call, call.a, call.m, call.k), b(context, call, call.b, call.k, call.n);
  const InColumns seen(call, a.operand(), b.operand());
  const bool found = seen.for_each([&](const auto& at) {
    return context.gpu().blas().multiply(context, seen.product(), at(seen.left()), at(seen.right()), at(call.c),
                                         call.store == Store::Accumulate);
  });
  if (found) return;
  LUGE_CHECK(ShapeError, std::max({call.m, call.n, call.k}) < kMostTiled,
             "{}: cuBLASLt has no algorithm for ({}, {}) x ({}, {}), and luge's own kernel takes sizes below {}",
             context.op(), call.m, call.k, call.k, call.n, kMostTiled);
  tiled_matmul(context, call);  // told by the first: all of them are of one kind
}

}  // namespace

// ---- onto something else -------------------------------------------------------------------------

bool takes_before(const Context& context, const MatMul& call, const Operand& before) {
  if (is_small(call) || needs_packing(call, call.a, call.m, call.k) || needs_packing(call, call.b, call.k, call.n))
    return false;
  const InColumns seen(call, call.a, call.b);
  const std::optional<BlasMatrix> lies = seen.before(before);
  return lies && context.gpu().blas().takes_before(context, seen.product(), *lies);
}

void run_onto(const Context& context, const MatMul& call, const Operand& before) {
  const InColumns seen(call, call.a, call.b);
  const BlasMatrix lies = seen.before(before).value();
  seen.for_each([&](const auto& at) {
    context.gpu().blas().multiply_onto(context, seen.product(), at(seen.left()), at(seen.right()), lies, at(before),
                                       at(call.c));
    return true;
  });
}

// ---- the call -------------------------------------------------------------------------------------

void run(const Context& context, const MatMul& call) {
  is_small(call) ? tiled_matmul(context, call) : blas_matmul(context, call);
}

}  // namespace luge::cuda
