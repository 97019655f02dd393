// LAPACK counts in columns: the matrix that it sees is the transpose of ours. What is symmetric, and what has its
// transpose's factors, needs no copy in another order. Copies it works on all the same: some of its loops round
// differently where memory is aligned differently.

#include "lapack.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <type_traits>

#include <cblas.h>

#include <luge/base/detail/dispatch.h>

#include "../scratch.h"

// Fortran's functions take the lengths of their strings behind all else.
#define LUGE_LAPACK(p, T)                                                                                              \
  void p##potrf_(const char*, const int*, T*, const int*, int*, std::size_t);                                          \
  void p##getrf_(const int*, const int*, T*, const int*, int*, int*);                                                  \
  void p##geqrf_(const int*, const int*, T*, const int*, T*, T*, const int*, int*);                                    \
  void p##orgqr_(const int*, const int*, const int*, T*, const int*, const T*, T*, const int*, int*);                  \
  void p##syevd_(const char*, const char*, const int*, T*, const int*, T*, T*, const int*, int*, const int*, int*,     \
                 std::size_t, std::size_t);                                                                            \
  void p##gesdd_(const char*, const int*, const int*, T*, const int*, T*, T*, const int*, T*, const int*, T*,          \
                 const int*, int*, int*, std::size_t);
extern "C" {
LUGE_LAPACK(s, float)
LUGE_LAPACK(d, double)
}
#undef LUGE_LAPACK

namespace luge::cpu {

namespace {


/// LAPACK's functions by element type.
#define LUGE_LAPACK(T, p)                                                                                              \
  inline void potrf(char uplo, int n, T* a, int lda, int* info) { p##potrf_(&uplo, &n, a, &lda, info, 1); }            \
  inline void getrf(int m, int n, T* a, int lda, int* pivots, int* info) { p##getrf_(&m, &n, a, &lda, pivots, info); } \
  inline void geqrf(int m, int n, T* a, T* tau, T* work, int size, int* info) {                                        \
    p##geqrf_(&m, &n, a, &m, tau, work, &size, info);                                                                  \
  }                                                                                                                    \
  inline void orgqr(int m, int n, int k, T* a, const T* tau, T* work, int size, int* info) {                           \
    p##orgqr_(&m, &n, &k, a, &m, tau, work, &size, info);                                                              \
  }                                                                                                                    \
  inline void syevd(char job, char uplo, int n, T* a, T* w, T* work, int size, int* iwork, int isize, int* info) {     \
    p##syevd_(&job, &uplo, &n, a, &n, w, work, &size, iwork, &isize, info, 1, 1);                                      \
  }                                                                                                                    \
  inline void gesdd(char job, int m, int n, T* a, T* s, T* u, int ldu, T* vt, int ldvt, T* work, int size, int* iwork, \
                    int* info) {                                                                                       \
    p##gesdd_(&job, &m, &n, a, &m, s, u, &ldu, vt, &ldvt, work, &size, iwork, info, 1);                                \
  }
LUGE_LAPACK(float, s)
LUGE_LAPACK(double, d)
#undef LUGE_LAPACK

/// op(a)^-1 x, or x op(a)^-1, for a triangle of a.
struct Triangle {
  bool upper = false, transposed = false, unit = false, right = false;
};
#define LUGE_TRIANGLE(t)                                                                                      \
  CblasRowMajor, (t).right ? CblasRight : CblasLeft, (t).upper ? CblasUpper : CblasLower,                     \
      (t).transposed ? CblasTrans : CblasNoTrans, (t).unit ? CblasUnit : CblasNonUnit
inline void trsm(Triangle t, int rows, int columns, const float* a, int lda, float* x, int ldx) {
  cblas_strsm(LUGE_TRIANGLE(t), rows, columns, 1.0F, a, lda, x, ldx);
}
inline void trsm(Triangle t, int rows, int columns, const double* a, int lda, double* x, int ldx) {
  cblas_dtrsm(LUGE_TRIANGLE(t), rows, columns, 1.0, a, lda, x, ldx);
}
/// op(a) x.
inline void trmm(Triangle t, int rows, int columns, const float* a, int lda, float* x, int ldx) {
  cblas_strmm(LUGE_TRIANGLE(t), rows, columns, 1.0F, a, lda, x, ldx);
}
inline void trmm(Triangle t, int rows, int columns, const double* a, int lda, double* x, int ldx) {
  cblas_dtrmm(LUGE_TRIANGLE(t), rows, columns, 1.0, a, lda, x, ldx);
}
#undef LUGE_TRIANGLE
/// c -= a b^T for a and b (n, k).
inline void subtract_outer(int n, int k, const float* a, const float* b, float* c) {
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, n, k, -1.0F, a, k, b, k, 1.0F, c, n);
}
inline void subtract_outer(int n, int k, const double* a, const double* b, double* c) {
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, n, k, -1.0, a, k, b, k, 1.0, c, n);
}

/// One matrix of an operand, row by row.
template <class T>
struct RowMajor {
  T* data;
  std::int64_t row;

  RowMajor(const Operand& operand, std::int64_t matrix)
      : data(static_cast<T*>(operand.data) + matrix * operand.strides[0]), row(operand.strides[1]) {}
  T& operator()(std::int64_t i, std::int64_t j) const { return data[i * row + j]; }
};

template <class T>
T* vector_of(const Operand& operand, std::int64_t matrix) {
  return operand.is_memory() ? static_cast<T*>(operand.data) + matrix * operand.strides[0] : nullptr;
}

/// Squares of this many elements fit into the first cache, row by row and column by column.
constexpr std::int64_t kSquare = 16;

/// f(i, j) for all of a matrix, in squares.
template <class F>
void each_in_squares(std::int64_t m, std::int64_t n, const F& f) {
  for (std::int64_t i0 = 0; i0 < m; i0 += kSquare)
    for (std::int64_t j0 = 0; j0 < n; j0 += kSquare)
      for (std::int64_t i = i0; i < std::min(i0 + kSquare, m); ++i)
        for (std::int64_t j = j0; j < std::min(j0 + kSquare, n); ++j) f(i, j);
}

template <class T>
void fill(const Operand& operand, std::int64_t matrix, std::int64_t m, std::int64_t n, T value) {
  if (!operand.is_memory()) return;
  const RowMajor<T> x(operand, matrix);
  for (std::int64_t i = 0; i < m; ++i) std::fill_n(&x(i, 0), n, value);
}

template <class T>
bool all_finite(const RowMajor<const T>& x, std::int64_t m, std::int64_t n) {
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j)
      if (!std::isfinite(x(i, j))) return false;
  return true;
}

template <class T>
constexpr T kNaN = std::numeric_limits<T>::quiet_NaN();

// ---- a matrix of each kind ----------------------------------------------------------------------

template <class T>
int cholesky(const Factorize& call, std::int64_t matrix) {
  const RowMajor<const T> in(call.in, matrix);
  const RowMajor<T> out(call.out, matrix);
  const std::int64_t n = call.n;
  Scratch<T> factor(n * n);
  T* const a = factor.data();
  for (std::int64_t i = 0; i < n; ++i) {  // LAPACK leaves the other triangle alone
    const std::int64_t begin = call.upper ? i : 0, end = call.upper ? n : i + 1;
    std::fill_n(a + i * n, n, T(0));
    std::copy(&in(i, begin), &in(i, begin) + (end - begin), a + i * n + begin);
  }
  int info = 0;
  potrf(call.upper ? 'L' : 'U', static_cast<int>(n), a, static_cast<int>(n), &info);
  for (std::int64_t i = 0; i < n && info == 0; ++i)  // NaN is not less than 0
    if (std::isnan(a[i * n + i])) info = static_cast<int>(i + 1);
  if (info != 0) std::fill_n(a, n * n, kNaN<T>);
  for (std::int64_t i = 0; i < n; ++i) std::copy_n(a + i * n, n, &out(i, 0));
  return info;
}

template <class T>
int lu(const Factorize& call, std::int64_t matrix) {
  const RowMajor<const T> in(call.in, matrix);
  const RowMajor<T> out(call.out, matrix);
  const std::int64_t m = call.m, n = call.n;
  Scratch<T> turned(m * n);
  T* const a = turned.data();
  each_in_squares(m, n, [&](std::int64_t i, std::int64_t j) { a[j * m + i] = in(i, j); });
  int info = 0;
  auto* const pivots = vector_of<std::int32_t>(call.pivots, matrix);
  getrf(static_cast<int>(m), static_cast<int>(n), a, static_cast<int>(m), pivots, &info);
  each_in_squares(m, n, [&](std::int64_t i, std::int64_t j) { out(i, j) = a[j * m + i]; });
  if (auto* const order = vector_of<std::int64_t>(call.order, matrix)) {
    std::iota(order, order + m, std::int64_t{0});
    for (std::int64_t i = 0; i < std::min(m, n); ++i) std::swap(order[i], order[pivots[i] - 1]);
  }
  return info;
}

/// The factor's triangle, row by row and as a lower one.
template <class T>
void copy_lower(const Operand& operand, std::int64_t matrix, std::int64_t n, bool upper, T* to) {
  const RowMajor<const T> from(operand, matrix);
  each_in_squares(n, n, [&](std::int64_t i, std::int64_t j) { to[i * n + j] = j > i ? T(0) : upper ? from(j, i) : from(i, j); });
}

/// L^-T (half of the symmetric matrix that L^T dL has the lower triangle of) L^-1.
template <class T>
int cholesky_gradient(const Factorize& call, std::int64_t matrix) {
  const std::int64_t n = call.n;
  const auto order = static_cast<int>(n);
  Scratch<T> factor(n * n), gradient(n * n);
  T *const l = factor.data(), *const g = gradient.data();
  copy_lower(call.in, matrix, n, call.upper, l);
  copy_lower(call.b, matrix, n, call.upper, g);
  trmm({.transposed = true}, order, order, l, order, g, order);
  each_in_squares(n, n, [&](std::int64_t i, std::int64_t j) {
    if (j <= i) g[i * n + j] = g[j * n + i] = T(0.5) * g[i * n + j];
  });
  trsm({.transposed = true}, order, order, l, order, g, order);
  trsm({.right = true}, order, order, l, order, g, order);
  const RowMajor<T> out(call.out, matrix);
  each_in_squares(n, n, [&](std::int64_t i, std::int64_t j) { out(i, j) = T(0.5) * (g[i * n + j] + g[j * n + i]); });
  return 0;
}

/// The gradient of the factor, -(s (L^T x)^T + x (L^T s)^T) in its lower triangle, from s, which is that of b.
template <class T>
void cholesky_solve_gradient(const Factorize& call, std::int64_t matrix, const T* s) {
  const std::int64_t n = call.n, k = call.k;
  const auto order = static_cast<int>(n), columns = static_cast<int>(k);
  const RowMajor<const T> solution(call.third, matrix);
  Scratch<T> factor(n * n), gradient(n * n), sides(3 * n * k);
  T *const l = factor.data(), *const g = gradient.data();
  T *const x = sides.data(), *const ls = x + n * k, *const lx = ls + n * k;
  copy_lower(call.in, matrix, n, call.upper, l);
  for (std::int64_t i = 0; i < n; ++i) std::copy_n(&solution(i, 0), k, x + i * k);
  std::copy_n(s, n * k, ls);
  std::copy_n(x, n * k, lx);
  trmm({.transposed = true}, order, columns, l, order, ls, columns);
  trmm({.transposed = true}, order, columns, l, order, lx, columns);
  std::fill_n(g, n * n, T(0));
  subtract_outer(order, columns, s, lx, g);
  subtract_outer(order, columns, x, ls, g);
  const RowMajor<T> out(call.second, matrix);
  each_in_squares(n, n, [&](std::int64_t i, std::int64_t j) {
    out(call.upper ? j : i, call.upper ? i : j) = j > i ? T(0) : g[i * n + j];
  });
}

template <class T>
int solve(const Factorize& call, std::int64_t matrix) {
  const RowMajor<const T> in(call.in, matrix), b(call.b, matrix);
  const RowMajor<T> out(call.out, matrix);
  const std::int64_t rows = call.right ? call.k : call.n, columns = call.right ? call.n : call.k;
  const auto* const order = vector_of<const std::int64_t>(call.order, matrix);
  const bool before = order && !call.transposed, behind = order && call.transposed;
  Scratch<T> x(rows * columns);
  for (std::int64_t i = 0; i < rows; ++i) std::copy_n(&b(before ? order[i] : i, 0), columns, x.data() + i * columns);
  const auto apply = [&](Triangle t) {
    trsm(t, static_cast<int>(rows), static_cast<int>(columns), in.data, static_cast<int>(in.row), x.data(),
         static_cast<int>(columns));
  };
  const Triangle lower{.transposed = call.transposed, .unit = true}, upper{.upper = true, .transposed = call.transposed};
  if (!call.complete) {
    apply({call.upper, call.transposed, call.unit, call.right});
  } else if (!order) {
    apply({.upper = call.upper, .transposed = call.upper});
    apply({.upper = call.upper, .transposed = !call.upper});
  } else {
    apply(call.transposed ? upper : lower);
    apply(call.transposed ? lower : upper);
  }
  for (std::int64_t i = 0; i < rows; ++i) std::copy_n(x.data() + i * columns, columns, &out(behind ? order[i] : i, 0));
  if (call.second.is_memory()) cholesky_solve_gradient(call, matrix, x.data());
  return 0;
}

template <class T>
int qr(const Factorize& call, std::int64_t matrix) {
  const RowMajor<const T> in(call.in, matrix);
  const std::int64_t m = call.m, n = call.n, less = std::min(m, n), c = call.complete ? m : less;
  const auto rows = static_cast<int>(m), columns = static_cast<int>(n);
  Scratch<T> turned(m * std::max(n, c)), tau(less);
  T* const a = turned.data();
  each_in_squares(m, n, [&](std::int64_t i, std::int64_t j) { a[j * m + i] = in(i, j); });
  int info = 0;
  T size_of_work = 0, size_for_q = 0;
  geqrf(rows, columns, a, tau.data(), &size_of_work, -1, &info);
  orgqr(rows, static_cast<int>(c), static_cast<int>(less), a, tau.data(), &size_for_q, -1, &info);
  const auto size = static_cast<int>(std::max(size_of_work, size_for_q));
  Scratch<T> work(size);
  geqrf(rows, columns, a, tau.data(), work.data(), size, &info);
  const RowMajor<T> r(call.second, matrix);
  for (std::int64_t i = 0; i < c; ++i)
    for (std::int64_t j = 0; j < n; ++j) r(i, j) = j < i ? T(0) : a[j * m + i];
  if (call.out.is_absent()) return info;
  orgqr(rows, static_cast<int>(c), static_cast<int>(less), a, tau.data(), work.data(), size, &info);
  const RowMajor<T> q(call.out, matrix);
  each_in_squares(m, c, [&](std::int64_t i, std::int64_t j) { q(i, j) = a[j * m + i]; });
  return info;
}

template <class T>
int eigh(const Factorize& call, std::int64_t matrix) {
  const RowMajor<const T> in(call.in, matrix);
  const std::int64_t n = call.n;
  Scratch<T> symmetric(n * n), found(n);
  T *const a = symmetric.data(), *const values = found.data();
  bool finite = true;
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = call.upper ? i : 0; j < (call.upper ? n : i + 1); ++j) {
      a[i * n + j] = in(i, j);
      finite = finite && std::isfinite(in(i, j));
    }
  int info = 1;
  if (finite) {
    const char job = call.second.is_memory() ? 'V' : 'N', uplo = call.upper ? 'L' : 'U';
    T size = 0;
    int isize = 0;
    const auto order = static_cast<int>(n);
    syevd(job, uplo, order, a, values, &size, -1, &isize, -1, &info);
    Scratch<T> work(static_cast<std::int64_t>(size));
    Scratch<int> iwork(isize);
    syevd(job, uplo, order, a, values, work.data(), static_cast<int>(size), iwork.data(), isize, &info);
  }
  if (info != 0) std::fill_n(values, n, kNaN<T>);
  std::copy_n(values, n, vector_of<T>(call.out, matrix));
  if (info != 0) {
    fill(call.second, matrix, n, n, kNaN<T>);
  } else if (call.second.is_memory()) {
    const RowMajor<T> vectors(call.second, matrix);
    each_in_squares(n, n, [&](std::int64_t i, std::int64_t j) { vectors(i, j) = a[j * n + i]; });
  }
  return info;
}

/// The transpose of U S V^T is V S U^T: LAPACK's left vectors are our right ones, and each lies as the other's transpose
/// does.
template <class T>
int svd(const Factorize& call, std::int64_t matrix) {
  const RowMajor<const T> in(call.in, matrix);
  const std::int64_t m = call.m, n = call.n, less = std::min(m, n), c = call.complete ? m : less,
                     d = call.complete ? n : less;
  const bool vectors = call.second.is_memory();
  Scratch<T> values(less), u(vectors ? m * c : 1), v(vectors ? d * n : 1);
  int info = 1;
  if (all_finite(in, m, n)) {
    Scratch<T> copy(m * n);
    Scratch<int> iwork(8 * less);
    for (std::int64_t i = 0; i < m; ++i) std::copy_n(&in(i, 0), n, copy.data() + i * n);
    const char job = !vectors ? 'N' : call.complete ? 'A' : 'S';
    const auto run = [&](T* work, int size) {
      gesdd(job, static_cast<int>(n), static_cast<int>(m), copy.data(), values.data(), v.data(), static_cast<int>(n),
            u.data(), static_cast<int>(c), work, size, iwork.data(), &info);
    };
    T needed = 0;
    run(&needed, -1);
    // float holds few digits of a large size.
    const auto size = static_cast<int>(static_cast<double>(needed) * 1.0000002 + 1);
    Scratch<T> work(size);
    run(work.data(), size);
  }
  const bool failed = info != 0;
  T* const to = vector_of<T>(call.out, matrix);
  for (std::int64_t i = 0; i < less; ++i) to[i] = failed ? kNaN<T> : values[i];
  if (!vectors) return info;
  const RowMajor<T> second(call.second, matrix), third(call.third, matrix);
  if (failed) {
    fill(call.second, matrix, m, c, kNaN<T>);
    fill(call.third, matrix, d, n, kNaN<T>);
    return info;
  }
  for (std::int64_t i = 0; i < m; ++i) std::copy_n(u.data() + i * c, c, &second(i, 0));
  for (std::int64_t i = 0; i < d; ++i) std::copy_n(v.data() + i * n, n, &third(i, 0));
  return info;
}

template <class T>
int factorize(const Factorize& call, std::int64_t matrix) {
  switch (call.kind) {
    case Factorize::Kind::Cholesky:
      return call.b.is_memory() ? cholesky_gradient<T>(call, matrix) : cholesky<T>(call, matrix);
    case Factorize::Kind::Lu: return lu<T>(call, matrix);
    case Factorize::Kind::TriangularSolve: return solve<T>(call, matrix);
    case Factorize::Kind::Qr: return qr<T>(call, matrix);
    case Factorize::Kind::Eigh: return eigh<T>(call, matrix);
    case Factorize::Kind::Svd: return svd<T>(call, matrix);
    case Factorize::Kind::RowOrder: break;
  }
  return 0;
}

}  // namespace

void by_lapack(const Factorize& call, std::int64_t begin, std::int64_t end) {
  with_floating(call.in.dtype, [&]<class T>() {
    for (std::int64_t matrix = begin; matrix < end; ++matrix) {
      const int info = factorize<T>(call, matrix);
      if (call.info.is_memory()) *vector_of<std::int32_t>(call.info, matrix) = info;
    }
  });
}

}  // namespace luge::cpu
