// Matrix products: OpenBLAS for what is worth a library call, vector loops for tiny products. How one
// product is computed and split depends on its sizes and strides alone, so a batch gives every member
// the bits it has alone, on any number of threads.
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(matmul.cpp)
#include <hwy/foreach_target.h>

#include <luge/base/detail/dispatch.h>

#include "vector.h"

#ifndef LUGE_CPU_MATMUL_
#define LUGE_CPU_MATMUL_
#include <algorithm>
#include <cstdint>

namespace luge::cpu {

/// A matrix in memory; strides in elements.
template <class T>
struct Matrix {
  T* data;
  std::int64_t row, column;

  Matrix transposed() const { return {data, column, row}; }
  Matrix shifted(std::int64_t offset) const { return {data + offset, row, column}; }
};

/// c (=, +=) a b with a m x k, b k x n.
template <class T>
struct Product {
  std::int64_t m, n, k;
  Matrix<const T> a, b;
  Matrix<T> c;
  bool accumulate;

  /// c^T = b^T a^T.
  Product transposed() const { return {n, m, k, b.transposed(), a.transposed(), c.transposed(), accumulate}; }
};

/// Up to this many multiplications, with matrices of at most so many elements and chains of at most so
/// many terms, the call of a library costs more than the product.
inline constexpr std::int64_t kTinyWork = 8192, kTinyMatrix = 1024, kTinyTerms = 64;

/// Elements of a tiny matrix with its rows padded to vectors of at most 16 lanes.
inline constexpr std::int64_t kTinyPadded = kTinyMatrix + kTinyTerms * 15;

}  // namespace luge::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

/// Each element of c is one chain of fused multiply-adds in the order of k, whatever the blocking.
template <class T>
void tiny_product(const Product<T>& call) {
  const Product<T> p = call.n >= call.m ? call : call.transposed();  // the longer side in the lanes
  constexpr auto kN = static_cast<std::int64_t>(kLanes<T>);
  // b with its rows padded to whole vectors
  HWY_ALIGN T packed[kTinyPadded];
  const std::int64_t width = (p.n + kN - 1) / kN * kN;
  for (std::int64_t q = 0; q < p.k; ++q) {
    T* const row = packed + q * width;
    for (std::int64_t j = 0; j < p.n; ++j) row[j] = p.b.data[q * p.b.row + j * p.b.column];
    for (std::int64_t j = p.n; j < width; ++j) row[j] = T(0);
  }
  constexpr std::int64_t kRows = 4;
  for (std::int64_t j = 0; j < width; j += kN) {
    const std::int64_t lanes = std::min(kN, p.n - j);
    for (std::int64_t i = 0; i < p.m; i += kRows) {
      const std::int64_t rows = std::min(kRows, p.m - i);
      Vec<T> sums[kRows] = {Vec<T>(0.0), Vec<T>(0.0), Vec<T>(0.0), Vec<T>(0.0)};
      const T* a[kRows];  // rows beyond the end repeat the last one and are not stored
      for (std::int64_t r = 0; r < kRows; ++r) a[r] = p.a.data + (i + std::min(r, rows - 1)) * p.a.row;
      for (std::int64_t q = 0; q < p.k; ++q) {
        const Vec<T> b = load(packed + q * width + j);
        for (std::int64_t r = 0; r < kRows; ++r)
          sums[r] = fma(Vec<T>(hn::Set(typename Vec<T>::D(), a[r][q * p.a.column])), b, sums[r]);
      }
      for (std::int64_t r = 0; r < rows; ++r) {
        HWY_ALIGN T result[kLanes<T>];
        store(result, sums[r]);
        T* const c = p.c.data + (i + r) * p.c.row + j * p.c.column;
        if (p.accumulate)
          for (std::int64_t l = 0; l < lanes; ++l) c[l * p.c.column] += result[l];
        else
          for (std::int64_t l = 0; l < lanes; ++l) c[l * p.c.column] = result[l];
      }
    }
  }
}

void tiny_product_float(const Product<float>& call) { tiny_product(call); }
void tiny_product_double(const Product<double>& call) { tiny_product(call); }

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <memory>
#include <type_traits>

#include <cblas.h>

#include "kernels.h"
#include "scratch.h"
#include "strided.h"
#include "threads.h"

namespace luge::cpu {

HWY_EXPORT(tiny_product_float);
HWY_EXPORT(tiny_product_double);

namespace {

void blas_gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, blasint m, blasint n, blasint k, const float* a, blasint lda,
               const float* b, blasint ldb, float beta, float* c, blasint ldc) {
  cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1.0F, a, lda, b, ldb, beta, c, ldc);
}
void blas_gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, blasint m, blasint n, blasint k, const double* a, blasint lda,
               const double* b, blasint ldb, double beta, double* c, blasint ldc) {
  cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, 1.0, a, lda, b, ldb, beta, c, ldc);
}
void blas_gemv(CBLAS_TRANSPOSE ta, blasint m, blasint n, const float* a, blasint lda, const float* x, blasint incx,
               float beta, float* y, blasint incy) {
  cblas_sgemv(CblasRowMajor, ta, m, n, 1.0F, a, lda, x, incx, beta, y, incy);
}
void blas_gemv(CBLAS_TRANSPOSE ta, blasint m, blasint n, const double* a, blasint lda, const double* x, blasint incx,
               double beta, double* y, blasint incy) {
  cblas_dgemv(CblasRowMajor, ta, m, n, 1.0, a, lda, x, incx, beta, y, incy);
}

/// How BLAS can read a matrix of rows x columns where it lies.
enum class Layout : std::uint8_t { Rows, Columns, Neither };

constexpr std::int64_t kLargestLeading = std::int64_t{1} << 30;  // BLAS counts in 32 bits

template <class T>
Layout layout(const Matrix<T>& x, std::int64_t rows, std::int64_t columns) {
  if ((x.column == 1 || columns == 1) && (rows == 1 || (x.row >= columns && x.row < kLargestLeading)))
    return Layout::Rows;
  if ((x.row == 1 || rows == 1) && (columns == 1 || (x.column >= rows && x.column < kLargestLeading)))
    return Layout::Columns;
  return Layout::Neither;
}

/// A matrix that BLAS can read: the original, or a copy in row-major order.
template <class T>
struct Readable {
  Matrix<const T> matrix;
  Layout how;
  blasint leading;
  std::unique_ptr<Scratch<T>> copy;

  Readable(const Matrix<const T>& x, std::int64_t rows, std::int64_t columns)
      : matrix(x), how(layout(x, rows, columns)) {
    if (how == Layout::Neither) {
      copy = std::make_unique<Scratch<T>>(rows * columns);
      Extent extent{.ndim = 2, .sizes = {rows, columns}};
      gather(copy->data(), x.data, sizeof(T), extent, {x.row, x.column}, 0, rows * columns);
      matrix = {copy->data(), columns, 1};
      how = Layout::Rows;
    }
    const std::int64_t least = how == Layout::Rows ? columns : rows;
    const bool single = how == Layout::Rows ? rows == 1 : columns == 1;
    leading = static_cast<blasint>(single ? least : how == Layout::Rows ? matrix.row : matrix.column);
  }

  CBLAS_TRANSPOSE transpose() const { return how == Layout::Rows ? CblasNoTrans : CblasTrans; }
};

/// The product with one column: b and c are vectors.
template <class T>
void vector_product(const Product<T>& p) {
  const Readable<T> a(p.a, p.m, p.k);
  const bool usable = p.k == 1 || (p.b.row > 0 && p.b.row < kLargestLeading);
  const Readable<T> x(usable ? Matrix<const T>{p.b.data, 1, 1} : p.b, usable ? 1 : p.k, 1);
  const auto increment = static_cast<blasint>(!usable || p.k == 1 ? 1 : p.b.row);
  const auto rows = static_cast<blasint>(p.m), columns = static_cast<blasint>(p.k);
  const T beta = p.accumulate ? T(1) : T(0);
  const auto c_increment = static_cast<blasint>(p.m == 1 ? 1 : p.c.row);
  if (a.how == Layout::Rows)
    blas_gemv(CblasNoTrans, rows, columns, a.matrix.data, a.leading, x.matrix.data, increment, beta, p.c.data,
              c_increment);
  else
    blas_gemv(CblasTrans, columns, rows, a.matrix.data, a.leading, x.matrix.data, increment, beta, p.c.data,
              c_increment);
}

/// c's rows are contiguous.
template <class T>
void matrix_product(const Product<T>& p) {
  if (p.n == 1) return vector_product(p);
  if (p.m == 1) return vector_product(p.transposed());
  const Readable<T> a(p.a, p.m, p.k), b(p.b, p.k, p.n);
  blas_gemm(a.transpose(), b.transpose(), static_cast<blasint>(p.m), static_cast<blasint>(p.n),
            static_cast<blasint>(p.k), a.matrix.data, a.leading, b.matrix.data, b.leading, p.accumulate ? T(1) : T(0),
            p.c.data, static_cast<blasint>(p.c.row));
}

/// Multiplications that a part of a split product has at least.
constexpr std::int64_t kPartWork = std::int64_t{1} << 22;

/// Rows of c per part; a function of the sizes alone.
std::int64_t part_rows(std::int64_t m, std::int64_t n, std::int64_t k) {
  constexpr std::int64_t kStep = 64;
  const std::int64_t least = (kPartWork / std::max<std::int64_t>(n * k, 1) + kStep) / kStep * kStep;
  return std::min(m, std::max(least, (m / 16 + kStep) / kStep * kStep));
}

template <class T>
void run_as(const MatMul& call) {
  const auto row_dim = static_cast<std::size_t>(call.batch.ndim), column_dim = row_dim + 1;
  const auto matrix = [&](const Operand& x) {
    return Matrix<T>{static_cast<T*>(x.data), x.strides[row_dim], x.strides[column_dim]};
  };
  const auto readable = [&](const Operand& x) {
    return Matrix<const T>{static_cast<const T*>(x.data), x.strides[row_dim], x.strides[column_dim]};
  };
  Product<T> whole{
      call.m, call.n, call.k, readable(call.a), readable(call.b), matrix(call.c), call.store == Store::Accumulate};
  const std::int64_t work = call.m * call.n * call.k;
  const bool tiny = work <= kTinyWork && call.k <= kTinyTerms &&
                    std::max({call.m * call.k, call.k * call.n, call.m * call.n}) <= kTinyMatrix;
  bool swapped = false;
  if (!tiny && whole.c.column != 1 && whole.n != 1) {
    whole = whole.transposed();
    swapped = true;
  }
  const std::int64_t rows = tiny ? whole.m : part_rows(whole.m, whole.n, whole.k);
  const std::int64_t parts = (whole.m + rows - 1) / rows;
  const Operand& first = swapped ? call.b : call.a;
  const Operand& second = swapped ? call.a : call.b;
  parallel_for(call.batch.count() * parts, std::max<std::int64_t>(work / parts / 8, 1),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) {
                   const std::int64_t member = i / parts, start = i % parts * rows;
                   Product<T> p = whole;
                   p.m = std::min(rows, whole.m - start);
                   p.a.data += offset_at(call.batch, first.strides, member) + start * p.a.row;
                   p.b.data += offset_at(call.batch, second.strides, member);
                   p.c.data += offset_at(call.batch, call.c.strides, member) + start * p.c.row;
                   if (!tiny)
                     matrix_product(p);
                   else if constexpr (std::is_same_v<T, float>)
                     HWY_DYNAMIC_DISPATCH(tiny_product_float)(p);
                   else
                     HWY_DYNAMIC_DISPATCH(tiny_product_double)(p);
                 }
               });
}

}  // namespace

void run(const MatMul& call) {
  with_floating(call.c.dtype, [&]<class T>() { return run_as<T>(call); });
}

}  // namespace luge::cpu
#endif
