// Products by OpenBLAS, where it can read the matrices; else of copies.

#include "blas.h"

#include <cstdint>
#include <memory>

#include <cblas.h>

#include "../scratch.h"
#include "../strided.h"

namespace luge::cpu {

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
  const T beta = p.before.data ? T(1) : T(0);
  const auto c_increment = static_cast<blasint>(p.m == 1 ? 1 : p.c.row);
  if (a.how == Layout::Rows)
    blas_gemv(CblasNoTrans, rows, columns, a.matrix.data, a.leading, x.matrix.data, increment, beta, p.c.data,
              c_increment);
  else
    blas_gemv(CblasTrans, columns, rows, a.matrix.data, a.leading, x.matrix.data, increment, beta, p.c.data,
              c_increment);
}

template <class T>
void matrix_product(const Product<T>& p) {
  if (p.n == 1) return vector_product(p);
  if (p.m == 1) return vector_product(p.transposed());
  const Readable<T> a(p.a, p.m, p.k), b(p.b, p.k, p.n);
  blas_gemm(a.transpose(), b.transpose(), static_cast<blasint>(p.m), static_cast<blasint>(p.n),
            static_cast<blasint>(p.k), a.matrix.data, a.leading, b.matrix.data, b.leading, p.before.data ? T(1) : T(0),
            p.c.data, static_cast<blasint>(p.c.row));
}

}  // namespace

void blas_product(const Product<float>& p) { matrix_product(p); }
void blas_product(const Product<double>& p) { matrix_product(p); }

}  // namespace luge::cpu
