// Matrix products: our own kernel for small matrices, of which there may be millions, and cuBLAS for
// the others. Which of the two depends on m, n and k alone (law 7).

#include <array>

#include <luge/math/dialect.h>
#include <luge/base/detail/dispatch.h>

#include "blocks.cuh"
#include "kernels.h"
#include "launch.h"
#include "walk.cuh"

namespace luge::cuda {

namespace {

/// Up to here in all three directions our own kernel is used.
inline constexpr std::int64_t kSmall = 32;

struct MatrixStrides {
  std::int64_t row = 0, column = 0;
};

/// One thread per element of c; the walk is over the batch (a, b, c).
template <class T>
__global__ void __launch_bounds__(kThreads)
    small_matmul_kernel(const Walk<3> batch, int m, int n, int k, const T* a, MatrixStrides a_strides, const T* b,
                        MatrixStrides b_strides, T* c, MatrixStrides c_strides, bool accumulate) {
  const int per_matrix = m * n;
  const std::int64_t count = batch.count * per_matrix;
  for (std::int64_t at = grid_thread(); at < count; at += grid_threads()) {
    const std::int64_t matrix = quick_quotient(at, per_matrix);
    const int within = static_cast<int>(at - matrix * per_matrix), i = within / n, j = within - i * n;
    std::int64_t offsets[3];
    batch.offsets(matrix, offsets);
    const T* x = a + offsets[0] + i * a_strides.row;
    const T* y = b + offsets[1] + j * b_strides.column;
    T sum = 0;
    for (int l = 0; l < k; ++l, x += a_strides.column, y += b_strides.row) sum = math::scalar::fma(*x, *y, sum);
    T& place = c[offsets[2] + i * c_strides.row + j * c_strides.column];
    place = accumulate ? place + sum : sum;
  }
}

MatrixStrides matrix_strides(const MatMul& call, const Operand& operand) {
  const auto at = static_cast<std::size_t>(call.batch.ndim);
  return {operand.strides[at], operand.strides[at + 1]};
}

template <class T>
void small_matmul(const Context& context, const MatMul& call) {
  const auto batch =
      make_walk<3>(dims(call.batch), {call.a.strides.data(), call.b.strides.data(), call.c.strides.data()});
  launch(context, small_matmul_kernel<T>, grid_stride(context, batch.count * call.m * call.n, kThreads), batch,
         static_cast<int>(call.m), static_cast<int>(call.n), static_cast<int>(call.k),
         static_cast<const T*>(call.a.data), matrix_strides(call, call.a), static_cast<const T*>(call.b.data),
         matrix_strides(call, call.b), static_cast<T*>(call.c.data), matrix_strides(call, call.c),
         call.store == Store::Accumulate);
}

// ---- cuBLAS -------------------------------------------------------------------------------------

/// A matrix as cuBLAS wants it: stored column by column, `leading` apart, or the transpose of that.
struct Leading {
  bool possible = false;
  cublasOperation_t operation = CUBLAS_OP_N;
  std::int64_t leading = 1;
};

/// For a matrix of rows x columns. Along a size of one any stride will do.
Leading leading(std::int64_t rows, std::int64_t columns, MatrixStrides strides) {
  const auto fits = [](std::int64_t inner, std::int64_t inner_stride, std::int64_t outer, std::int64_t outer_stride) {
    return (inner_stride == 1 || inner == 1) && (outer_stride >= inner || outer == 1);
  };
  if (fits(rows, strides.row, columns, strides.column))
    return {true, CUBLAS_OP_N, columns == 1 ? rows : strides.column};
  if (fits(columns, strides.column, rows, strides.row)) return {true, CUBLAS_OP_T, rows == 1 ? columns : strides.row};
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

template <class T>
void gemm(const Context& context, cublasOperation_t op_a, cublasOperation_t op_b, std::int64_t m, std::int64_t n,
          std::int64_t k, const T* a, std::int64_t lda, std::int64_t step_a, const T* b, std::int64_t ldb,
          std::int64_t step_b, T beta, T* c, std::int64_t ldc, std::int64_t step_c, std::int64_t count) {
  const T alpha = 1;
  const cublasHandle_t handle = context.gpu().blas(context.op());
  if constexpr (sizeof(T) == sizeof(float))
    check(cublas().gemm_float(handle, op_a, op_b, m, n, k, &alpha, a, lda, step_a, b, ldb, step_b, &beta, c, ldc,
                              step_c, count),
          context.op(), "cublasSgemmStridedBatched");
  else
    check(cublas().gemm_double(handle, op_a, op_b, m, n, k, &alpha, a, lda, step_a, b, ldb, step_b, &beta, c, ldc,
                               step_c, count),
          context.op(), "cublasDgemmStridedBatched");
}

/// The innermost batch dimension goes to cuBLAS, the ones before are walked here.
template <class T>
void blas_matmul(const Context& context, const MatMul& call) {
  const Factor a(context, call, call.a, call.m, call.k), b(context, call, call.b, call.k, call.n);
  // cuBLAS thinks in columns: c = a b is computed as it is where c's columns are contiguous, and as
  // transposed(c) = transposed(b) transposed(a) where its rows are.
  const MatrixStrides c = matrix_strides(call, call.c), as = matrix_strides(call, a.operand()),
                      bs = matrix_strides(call, b.operand());
  const Leading by_columns = leading(call.m, call.n, c);
  const bool swapped = !by_columns.possible || by_columns.operation != CUBLAS_OP_N;
  const auto transposed = [](MatrixStrides strides) { return MatrixStrides{strides.column, strides.row}; };
  const Leading first = swapped ? leading(call.n, call.k, transposed(bs)) : leading(call.m, call.k, as);
  const Leading second = swapped ? leading(call.k, call.m, transposed(as)) : leading(call.k, call.n, bs);
  const Leading result = swapped ? leading(call.n, call.m, transposed(c)) : by_columns;

  Extent outer = call.batch;
  const auto inner = static_cast<std::size_t>(call.batch.ndim - 1);
  const bool batched = call.batch.ndim > 0;
  const std::int64_t count = batched ? call.batch.sizes[inner] : 1;
  if (batched) --outer.ndim;
  const auto step = [&](const Operand& operand) { return batched ? operand.strides[inner] : 0; };
  std::array<std::int64_t, kMaxDims> index{};
  const auto at = [&](const Operand& operand) {
    std::int64_t offset = 0;
    for (std::size_t d = 0; d < static_cast<std::size_t>(outer.ndim); ++d) offset += index[d] * operand.strides[d];
    return static_cast<T*>(operand.data) + offset;
  };
  const T beta = call.store == Store::Accumulate ? T(1) : T(0);
  const std::int64_t rows = swapped ? call.n : call.m, columns = swapped ? call.m : call.n;
  const Operand &left = swapped ? b.operand() : a.operand(), &right = swapped ? a.operand() : b.operand();
  for (std::int64_t i = 0; i < outer.count(); ++i) {
    gemm<T>(context, first.operation, second.operation, rows, columns, call.k, at(left), first.leading, step(left),
            at(right), second.leading, step(right), beta, at(call.c), result.leading, step(call.c), count);
    for (auto d = static_cast<std::size_t>(outer.ndim); d-- > 0;) {
      if (++index[d] < outer.sizes[d]) break;
      index[d] = 0;
    }
  }
}

template <class T>
void matmul(const Context& context, const MatMul& call) {
  call.m <= kSmall&& call.n <= kSmall&& call.k <= kSmall ? small_matmul<T>(context, call)
                                                         : blas_matmul<T>(context, call);
}

}  // namespace

void run(const Context& context, const MatMul& call) {
  with_floating(call.c.dtype, [&]<class T>() { return matmul<T>(context, call); });
}

}  // namespace luge::cuda
