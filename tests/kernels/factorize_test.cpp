// Factors of batches of matrices: their products, in float64, are the matrices.

#include <algorithm>
#include <cstdlib>

#include <luge/base/threads.h>

#include "backend_fixture.h"

namespace luge::test {
namespace {

using Kind = Factorize::Kind;

/// Matrices of an array, `gap` elements between their rows and after each of them.
struct Matrices {
  Array array;
  std::int64_t rows, columns, row, matrix;

  Matrices(DType dtype, std::int64_t batch, std::int64_t m, std::int64_t n, std::int64_t gap = 0)
      : array(dtype, std::max<std::int64_t>(batch * (m * (n + gap) + gap), 1)),
        rows(m),
        columns(n),
        row(n + gap),
        matrix(m * (n + gap) + gap) {
    for (std::int64_t i = 0; i < array.count(); ++i) array.set(i, -7);
  }
  double get(std::int64_t b, std::int64_t i, std::int64_t j) const { return array.get(b * matrix + i * row + j); }
  void set(std::int64_t b, std::int64_t i, std::int64_t j, double value) { array.set(b * matrix + i * row + j, value); }
};

/// a b of one matrix each, either transposed.
std::vector<double> product(const Matrices& a, bool ta, const Matrices& b, bool tb, std::int64_t of) {
  const std::int64_t m = ta ? a.columns : a.rows, k = ta ? a.rows : a.columns, n = tb ? b.rows : b.columns;
  std::vector<double> result;
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (std::int64_t p = 0; p < k; ++p)
        sum += (ta ? a.get(of, p, i) : a.get(of, i, p)) * (tb ? b.get(of, j, p) : b.get(of, p, j));
      result.push_back(sum);
    }
  return result;
}

class FactorizeTest : public BackendTest {
 protected:
  double epsilon(DType dtype) { return dtype == float32 ? 0x1p-23 : 0x1p-52; }

  Matrices random(DType dtype, std::int64_t batch, std::int64_t m, std::int64_t n, int seed) {
    Matrices result(dtype, batch, m, n, seed % 3);
    Chooser choose(static_cast<std::uint64_t>(seed + m * 100 + n));
    for (std::int64_t b = 0; b < batch; ++b)
      for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t j = 0; j < n; ++j) result.set(b, i, j, choose.uniform(-1, 1));
    return result;
  }
  /// Symmetric; positive definite where `definite`.
  Matrices symmetric(DType dtype, std::int64_t batch, std::int64_t n, bool definite, int seed) {
    Matrices result = random(dtype, batch, n, n, seed);
    for (std::int64_t b = 0; b < batch; ++b)
      for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t j = 0; j < i; ++j) result.set(b, i, j, result.get(b, j, i));
        if (definite) result.set(b, i, i, static_cast<double>(n) + result.get(b, i, i));
      }
    return result;
  }

  /// Runs a call on matrices of a batch, or on one of them alone, and gives what it writes.
  struct Results {
    Matrices out, second, third;
    Array pivots, order, info;
  };
  Results run(Factorize call, const Matrices& in, const Matrices* b, std::int64_t first, std::int64_t count,
              bool wants_second = true, const Matrices* solution = nullptr) {
    const DType dtype = in.array.dtype();
    const std::int64_t m = in.rows, n = in.columns, less = std::min(m, n);
    call.batch = count;
    call.m = m;
    call.n = n;
    const bool vectors = call.kind == Kind::Eigh || call.kind == Kind::Svd;
    const std::int64_t c = call.complete ? m : less, d = call.complete ? n : less;
    const bool solves = call.kind == Kind::TriangularSolve, differentiates = call.kind == Kind::Cholesky && b;
    if (solves) call.k = call.right ? b->rows : b->columns;
    Results results{
        Matrices(dtype, count, vectors ? 1 : solves ? b->rows : m,
                 vectors ? less : solves ? b->columns : call.kind == Kind::Qr ? c : n, vectors ? 0 : 1),
        Matrices(dtype, count, call.kind == Kind::Qr ? c : m, call.kind == Kind::Svd ? c : n, 2),
        Matrices(dtype, count, d, n, 1),
        Array(int32, std::max<std::int64_t>(count * less, 1)),
        Array(int64, count * m),
        Array(int32, count)};
    DeviceArray from(backend(), in.array), out(backend(), results.out.array), second(backend(), results.second.array),
        third(backend(), results.third.array), pivots(backend(), results.pivots), order(backend(), results.order),
        info(backend(), results.info), sides(backend(), b ? b->array : Array(dtype, 1)),
        solved(backend(), solution ? solution->array : Array(dtype, 1));
    const auto operand = [](DeviceArray& array, const Matrices& shape, std::int64_t at) {
      return array.operand({shape.matrix, shape.row, 1}, at * shape.matrix);
    };
    call.in = operand(from, in, first);
    if (b) call.b = operand(sides, *b, first);
    call.out = vectors ? out.operand({results.out.matrix, 1}) : operand(out, results.out, 0);
    if (call.kind == Kind::Qr || (vectors && wants_second)) call.second = operand(second, results.second, 0);
    if (call.kind == Kind::Qr && !wants_second) call.out = absent();
    if (call.kind == Kind::Svd && wants_second) call.third = operand(third, results.third, 0);
    if (call.kind == Kind::Lu) {
      call.pivots = pivots.operand({less, 1});
      call.order = order.operand({m, 1});
    }
    if (solution) {
      call.second = operand(second, results.second, 0);
      call.third = operand(solved, *solution, first);
    }
    if (call.kind != Kind::Qr && !solves && !differentiates) call.info = info.operand({1});
    backend().run(call);
    results.out.array = out.download();
    results.second.array = second.download();
    results.third.array = third.download();
    results.pivots = pivots.download();
    results.order = order.download();
    results.info = info.download();
    return results;
  }

  /// Each matrix alone gives the same bits.
  void alone(const Factorize& call, const Matrices& in, const Matrices* b, const Results& all, std::int64_t batch) {
    for (const std::int64_t i : {std::int64_t{0}, batch / 2, batch - 1}) {
      const Results one = run(call, in, b, i, 1);
      const auto same = [&](const Array& x, const Array& whole) {
        for (std::int64_t e = 0; e < x.count(); ++e)
          ASSERT_TRUE(x.same_bits(e, whole, i * x.count() + e)) << "matrix " << i << ", element " << e;
      };
      same(one.out.array, all.out.array);
      same(one.second.array, all.second.array);
      same(one.third.array, all.third.array);
      same(one.pivots, all.pivots);
      same(one.order, all.order);
      same(one.info, all.info);
    }
  }

  void expect_near(double x, double y, double units, DType dtype, const char* what) {
    ASSERT_NEAR(x, y, units * epsilon(dtype)) << what;
  }
  /// The columns are orthonormal.
  void expect_orthonormal(const Matrices& q, bool rows, std::int64_t of, const char* what) {
    const std::vector<double> squares = product(q, !rows, q, rows, of);
    const std::int64_t n = rows ? q.rows : q.columns;
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = 0; j < n; ++j)
        expect_near(squares[static_cast<std::size_t>(i * n + j)], i == j, 60.0 + 4.0 * static_cast<double>(q.rows),
                    q.array.dtype(), what);
  }
};
LUGE_ON_EVERY_DEVICE(FactorizeTest);

constexpr std::int64_t kOrders[] = {1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 50};
constexpr std::int64_t kBatch = 19;

TEST_P(FactorizeTest, CholeskyOfEveryOrder) {
  for (const DType dtype : {float32, float64})
    for (const std::int64_t n : kOrders)
      for (const bool upper : {false, true}) {
        SCOPED_TRACE(::testing::Message() << name(dtype) << " " << n << (upper ? " upper" : " lower"));
        Matrices in = symmetric(dtype, kBatch, n, true, static_cast<int>(n));
        for (std::int64_t b = 0; b < kBatch; ++b)  // the other triangle is not read
          for (std::int64_t i = 0; i < n; ++i)
            for (std::int64_t j = 0; j < i; ++j)
              upper ? in.set(b, i, j, std::nan("")) : in.set(b, j, i, std::nan(""));
        Factorize call;
        call.kind = Kind::Cholesky;
        call.upper = upper;
        const Results found = run(call, in, nullptr, 0, kBatch);
        for (std::int64_t b = 0; b < kBatch; ++b) {
          ASSERT_EQ(found.info.get(b), 0);
          const std::vector<double> back = product(found.out, upper, found.out, !upper, b);
          for (std::int64_t i = 0; i < n; ++i)
            for (std::int64_t j = 0; j <= i; ++j) {
              const double expected = upper ? in.get(b, j, i) : in.get(b, i, j);
              expect_near(back[static_cast<std::size_t>(i * n + j)], expected, 8 + 8.0 * static_cast<double>(n), dtype, "L L^T");
              if (j < i) {
                ASSERT_EQ(upper ? found.out.get(b, i, j) : found.out.get(b, j, i), 0);
              }
            }
        }
        alone(call, in, nullptr, found, kBatch);
        if (HasFatalFailure()) return;
      }
}

TEST_P(FactorizeTest, CholeskySaysWhereAMatrixIsNotPositiveDefinite) {
  for (const DType dtype : {float32, float64})
    for (const std::int64_t n : {1, 5, 8, 32, 40}) {
      Matrices in = symmetric(dtype, kBatch, n, true, 1);
      for (std::int64_t b = 0; b < kBatch; b += 2) in.set(b, n / 2, n / 2, b % 4 == 0 ? -1.0 : std::nan(""));
      Factorize call;
      call.kind = Kind::Cholesky;
      const Results found = run(call, in, nullptr, 0, kBatch);
      for (std::int64_t b = 0; b < kBatch; ++b) {
        ASSERT_EQ(found.info.get(b), b % 2 == 0 ? static_cast<double>(n / 2 + 1) : 0.0) << n << " " << b;
        for (std::int64_t i = 0; i < n; ++i) ASSERT_EQ(std::isnan(found.out.get(b, i, n - 1 - i)), b % 2 == 0);
      }
    }
}

TEST_P(FactorizeTest, LuOfEverySize) {
  for (const DType dtype : {float32, float64})
    for (const std::int64_t m : kOrders)
      for (const std::int64_t n : {m, m / 2 + 1, 2 * m}) {
        SCOPED_TRACE(::testing::Message() << name(dtype) << " " << m << " x " << n);
        const Matrices in = random(dtype, kBatch, m, n, static_cast<int>(m));
        Factorize call;
        call.kind = Kind::Lu;
        const Results found = run(call, in, nullptr, 0, kBatch);
        const std::int64_t less = std::min(m, n);
        for (std::int64_t b = 0; b < kBatch; ++b) {
          ASSERT_EQ(found.info.get(b), 0);
          std::vector<std::int64_t> order(static_cast<std::size_t>(m));
          for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
          for (std::int64_t i = 0; i < less; ++i)
            std::swap(order[static_cast<std::size_t>(i)],
                      order[static_cast<std::size_t>(found.pivots.get(b * less + i)) - 1]);
          for (std::int64_t i = 0; i < m; ++i) {
            ASSERT_EQ(found.order.at<std::int64_t>(b * m + i), order[static_cast<std::size_t>(i)]);
            for (std::int64_t j = 0; j < n; ++j) {
              double sum = 0;
              for (std::int64_t p = 0; p <= std::min({i, j, less - 1}); ++p)
                sum += (p == i ? 1.0 : found.out.get(b, i, p)) * found.out.get(b, p, j);
              expect_near(sum, in.get(b, order[static_cast<std::size_t>(i)], j), 8 + 4.0 * static_cast<double>(less), dtype, "L U");
              if (j < i && j < less) {
                ASSERT_LE(std::abs(found.out.get(b, i, j)), 1.0);
              }
            }
          }
        }
        alone(call, in, nullptr, found, kBatch);
        if (HasFatalFailure()) return;
      }
}

TEST_P(FactorizeTest, LuSaysWhichPivotIsZero) {
  for (const std::int64_t n : {3, 8, 40}) {
    Matrices in = random(float64, 3, n, n, 3);
    for (std::int64_t i = 0; i < n; ++i) {
      in.set(1, i, 1, 0);
      in.set(2, i, n - 1, 0);
    }
    Factorize call;
    call.kind = Kind::Lu;
    const Results found = run(call, in, nullptr, 0, 3);
    ASSERT_EQ(found.info.get(0), 0);
    ASSERT_EQ(found.info.get(1), 2);
    ASSERT_EQ(found.info.get(2), static_cast<double>(n));
  }
}

TEST_P(FactorizeTest, PivotsTellTheOrderOfRows) {
  Array pivots(int32, 8);
  const int values[] = {3, 2, 4, 4, 1, 4, 99, 0};
  for (std::int64_t i = 0; i < 8; ++i) pivots.set(i, values[i]);
  DeviceArray from(backend(), pivots), to(backend(), Array(int64, 8));
  Factorize call;
  call.kind = Kind::RowOrder;
  call.batch = 2;
  call.m = call.k = 4;
  call.pivots = from.operand({4, 1});
  call.order = to.operand({4, 1});
  backend().run(call);
  const Array order = to.download();
  const std::int64_t expected[] = {2, 1, 3, 0, 0, 3, 2, 1};
  for (std::int64_t i = 0; i < 8; ++i) ASSERT_EQ(order.at<std::int64_t>(i), expected[i]) << i;
}

TEST_P(FactorizeTest, TriangularSystemsOfEveryForm) {
  for (const DType dtype : {float32, float64})
    for (const std::int64_t n : {1, 2, 5, 8, 17, 32, 40})
      for (const std::int64_t k : {1, 3, 8, 70})
        for (int form = 0; form < 16; ++form) {
          Factorize call;
          call.kind = Kind::TriangularSolve;
          call.upper = form & 1;
          call.transposed = form & 2;
          call.unit = form & 4;
          call.right = form & 8;
          SCOPED_TRACE(::testing::Message() << name(dtype) << " " << n << ", " << k << " sides, form " << form);
          constexpr std::int64_t kFew = 5;
          Matrices in = random(dtype, kFew, n, n, 2), whole = in;
          for (std::int64_t b = 0; b < kFew; ++b)
            for (std::int64_t i = 0; i < n; ++i)
              for (std::int64_t j = 0; j < n; ++j) {
                double value = in.get(b, i, j) / static_cast<double>(n) + (i == j ? 2 : 0);
                const bool inside = call.upper ? j >= i : j <= i;
                in.set(b, i, j, inside && !(call.unit && i == j) ? value : std::nan(""));
                value = in.get(b, i, j);
                whole.set(b, i, j, i == j && call.unit ? 1 : inside ? value : 0);
              }
          const Matrices sides = random(dtype, kFew, call.right ? k : n, call.right ? n : k, 5);
          const Results found = run(call, in, &sides, 0, kFew);
          for (std::int64_t b = 0; b < kFew; ++b) {
            const std::vector<double> back = call.right ? product(found.out, false, whole, call.transposed, b)
                                                        : product(whole, call.transposed, found.out, false, b);
            for (std::int64_t i = 0; i < sides.rows; ++i)
              for (std::int64_t j = 0; j < sides.columns; ++j)
                expect_near(back[static_cast<std::size_t>(i * sides.columns + j)], sides.get(b, i, j), 40, dtype, "a x");
          }
          if (n * k < 300) alone(call, in, &sides, found, kFew);
          if (HasFatalFailure()) return;
        }
}

TEST_P(FactorizeTest, SolvesByTheFactorsOfLu) {
  for (const DType dtype : {float32, float64})
    for (const std::int64_t n : {1, 4, 8, 32, 40})
      for (const std::int64_t k : {1, 5, 70})
        for (const bool transposed : {false, true}) {
          if (n * k > 600) continue;
          SCOPED_TRACE(::testing::Message() << name(dtype) << " " << n << ", " << k << " sides" << (transposed ? ", transposed" : ""));
          constexpr std::int64_t kFew = 5;
          Matrices in = random(dtype, kFew, n, n, 3);
          for (std::int64_t b = 0; b < kFew; ++b)
            for (std::int64_t i = 0; i < n; ++i)
              for (std::int64_t j = 0; j < n; ++j) in.set(b, i, j, in.get(b, i, j) / static_cast<double>(n) + (i == j ? 2 : 0));
          const Matrices sides = random(dtype, kFew, n, k, 6);
          Array order(int64, kFew * n);
          for (std::int64_t b = 0; b < kFew; ++b)
            for (std::int64_t i = 0; i < n; ++i) order.set(b * n + i, static_cast<double>((i + b) % n));
          DeviceArray places(backend(), order);
          Factorize call;
          call.kind = Kind::TriangularSolve;
          call.complete = true;
          call.transposed = transposed;
          call.order = places.operand({n, 1});
          const Results found = run(call, in, &sides, 0, kFew);
          for (std::int64_t b = 0; b < kFew; ++b)
            for (std::int64_t c = 0; c < k; ++c) {
              const auto lower = [&](std::int64_t i, std::int64_t j) { return i == j ? 1 : j < i ? in.get(b, i, j) : 0; };
              const auto upper = [&](std::int64_t i, std::int64_t j) { return j >= i ? in.get(b, i, j) : 0; };
              // The rows of a x are those of L U x in another order.
              for (std::int64_t i = 0; i < n; ++i) {
                double sum = 0;
                for (std::int64_t j = 0; j < n; ++j)
                  for (std::int64_t p = 0; p < n; ++p)
                    sum += transposed ? lower(j, p) * upper(p, i) * found.out.get(b, (j + b) % n, c)
                                      : lower(i, p) * upper(p, j) * found.out.get(b, j, c);
                expect_near(sum, sides.get(b, transposed ? i : (i + b) % n, c), 60, dtype, "a x");
              }
            }
          if (HasFatalFailure()) return;
        }
}

TEST_P(FactorizeTest, SolvesByCholeskysFactorAndGivesTheGradients) {
  for (const DType dtype : {float32, float64})
    for (const std::int64_t n : {1, 2, 5, 8, 17, 32, 40})
      for (const std::int64_t k : {1, 3, 70})
        for (const bool upper : {false, true}) {
          if (n * k > 600) continue;
          SCOPED_TRACE(::testing::Message() << name(dtype) << " " << n << ", " << k << " sides" << (upper ? ", upper" : ""));
          constexpr std::int64_t kFew = 5;
          Matrices in = random(dtype, kFew, n, n, 2), to_factor = random(dtype, kFew, n, n, 4);
          for (std::int64_t b = 0; b < kFew; ++b)
            for (std::int64_t i = 0; i < n; ++i)
              for (std::int64_t j = 0; j < n; ++j) {
                const bool inside = upper ? j >= i : j <= i;
                in.set(b, i, j, inside ? in.get(b, i, j) / static_cast<double>(n) + (i == j ? 2 : 0) : std::nan(""));
                if (!inside) to_factor.set(b, i, j, std::nan(""));
              }
          const auto lower = [&](const Matrices& x, std::int64_t b, std::int64_t i, std::int64_t j) {
            return j > i ? 0 : upper ? x.get(b, j, i) : x.get(b, i, j);
          };
          Factorize solve;
          solve.kind = Kind::TriangularSolve;
          solve.complete = true;
          solve.upper = upper;
          const Matrices sides = random(dtype, kFew, n, k, 5), gradient = random(dtype, kFew, n, k, 7);
          const Results x = run(solve, in, &sides, 0, kFew), s = run(solve, in, &gradient, 0, kFew, true, &x.out);
          Factorize back;
          back.kind = Kind::Cholesky;
          back.upper = upper;
          const Results to_matrix = run(back, in, &to_factor, 0, kFew);
          for (std::int64_t b = 0; b < kFew; ++b) {
            const auto l = [&](std::int64_t i, std::int64_t j) { return lower(in, b, i, j); };
            for (std::int64_t i = 0; i < n; ++i) {
              for (std::int64_t c = 0; c < k; ++c) {
                double sum = 0;
                for (std::int64_t j = 0; j < n; ++j)
                  for (std::int64_t p = 0; p <= std::min(i, j); ++p) sum += l(i, p) * l(j, p) * x.out.get(b, j, c);
                expect_near(sum, sides.get(b, i, c), 60, dtype, "a x");
              }
              for (std::int64_t j = 0; j < n; ++j) {
                // -(s x^T + x s^T) L
                double expected = 0, product = 0, back_there = 0;
                for (std::int64_t p = j; j <= i && p < n; ++p)
                  for (std::int64_t c = 0; c < k; ++c)
                    expected -= (s.out.get(b, i, c) * x.out.get(b, p, c) + x.out.get(b, i, c) * s.out.get(b, p, c)) * l(p, j);
                expect_near(upper ? s.second.get(b, j, i) : s.second.get(b, i, j), expected, 60.0 + 4 * static_cast<double>(k),
                            dtype, "to the factor");
                // The gradient g of the matrix: L^T g L is half of L^T dL there.
                ASSERT_EQ(to_matrix.out.get(b, i, j), to_matrix.out.get(b, j, i)) << i << ", " << j;
                if (j > i) continue;
                for (std::int64_t p = 0; p < n; ++p) product += l(p, i) * lower(to_factor, b, p, j);
                for (std::int64_t p = i; p < n; ++p)
                  for (std::int64_t q = j; q < n; ++q) back_there += l(p, i) * to_matrix.out.get(b, p, q) * l(q, j);
                expect_near(back_there, product / 2, 60, dtype, "to the matrix");
              }
            }
          }
          if (n * k < 300) alone(solve, in, &sides, x, kFew);
          if (n < 20) alone(back, in, &to_factor, to_matrix, kFew);
          if (HasFatalFailure()) return;
        }
}

TEST_P(FactorizeTest, QrOfEverySize) {
  for (const DType dtype : {float32, float64})
    for (const std::int64_t m : kOrders)
      for (const std::int64_t n : {m, m / 2 + 1, 2 * m})
        for (const bool complete : {false, true}) {
          SCOPED_TRACE(::testing::Message() << name(dtype) << " " << m << " x " << n << (complete ? " complete" : ""));
          constexpr std::int64_t kFew = 3;
          Matrices in = random(dtype, kFew, m, n, static_cast<int>(n));
          for (std::int64_t i = 0; i < m; ++i) in.set(1, i, 0, 0);  // a column of zeros
          Factorize call;
          call.kind = Kind::Qr;
          call.complete = complete;
          const Results found = run(call, in, nullptr, 0, kFew);
          for (std::int64_t b = 0; b < kFew; ++b) {
            const std::vector<double> back = product(found.out, false, found.second, false, b);
            for (std::int64_t i = 0; i < m; ++i)
              for (std::int64_t j = 0; j < n; ++j) {
                expect_near(back[static_cast<std::size_t>(i * n + j)], in.get(b, i, j), 20 + 4.0 * static_cast<double>(m), dtype, "Q R");
                if (j < i && i < found.second.rows) {
                  ASSERT_EQ(found.second.get(b, i, j), 0);
                }
              }
            expect_orthonormal(found.out, false, b, "Q");
          }
          alone(call, in, nullptr, found, kFew);
          const Results r = run(call, in, nullptr, 0, kFew, false);
          for (std::int64_t e = 0; e < r.second.array.count(); ++e)
            ASSERT_TRUE(r.second.array.same_bits(e, found.second.array, e)) << "R alone";
          if (HasFatalFailure()) return;
        }
}

TEST_P(FactorizeTest, EigenvaluesOfEveryOrder) {
  for (const DType dtype : {float32, float64})
    for (const std::int64_t n : kOrders)
      for (const bool upper : {false, true}) {
        SCOPED_TRACE(::testing::Message() << name(dtype) << " " << n << (upper ? " upper" : ""));
        constexpr std::int64_t kFew = 3;
        Matrices in = symmetric(dtype, kFew, n, false, static_cast<int>(n));
        for (std::int64_t i = 0; i < n; ++i)
          for (std::int64_t j = 0; j < n; ++j) in.set(1, i, j, i == j ? 2 : 0);  // all the same
        const Matrices whole = in;
        for (std::int64_t b = 0; b < kFew; ++b)
          for (std::int64_t i = 0; i < n; ++i)
            for (std::int64_t j = 0; j < i; ++j)
              upper ? in.set(b, i, j, std::nan("")) : in.set(b, j, i, std::nan(""));
        Factorize call;
        call.kind = Kind::Eigh;
        call.upper = upper;
        const Results found = run(call, in, nullptr, 0, kFew);
        for (std::int64_t b = 0; b < kFew; ++b) {
          ASSERT_EQ(found.info.get(b), 0);
          const std::vector<double> turned = product(whole, false, found.second, false, b);
          for (std::int64_t i = 0; i < n; ++i) {
            if (i > 0) {
              ASSERT_LE(found.out.get(b, 0, i - 1), found.out.get(b, 0, i));
            }
            for (std::int64_t j = 0; j < n; ++j)
              expect_near(turned[static_cast<std::size_t>(i * n + j)], found.second.get(b, i, j) * found.out.get(b, 0, j),
                          30 + 10.0 * static_cast<double>(n), dtype, "A V");
          }
          expect_orthonormal(found.second, false, b, "V");
        }
        alone(call, in, nullptr, found, kFew);
        const Results values = run(call, in, nullptr, 0, kFew, false);
        for (std::int64_t e = 0; e < values.out.array.count(); ++e)
          expect_near(values.out.array.get(e), found.out.array.get(e), 20 + 4.0 * static_cast<double>(n), dtype, "values alone");
        if (HasFatalFailure()) return;
      }
}

TEST_P(FactorizeTest, SingularValuesOfEverySize) {
  for (const DType dtype : {float32, float64})
    for (const std::int64_t m : kOrders)
      for (const std::int64_t n : {m, m / 2 + 1, 2 * m})
        for (const bool complete : {false, true}) {
          SCOPED_TRACE(::testing::Message() << name(dtype) << " " << m << " x " << n << (complete ? " complete" : ""));
          constexpr std::int64_t kFew = 4;
          Matrices in = random(dtype, kFew, m, n, static_cast<int>(n));
          for (std::int64_t i = 0; i < m; ++i)
            for (std::int64_t j = 0; j < n; ++j) {
              in.set(1, i, j, in.get(1, i, 0));  // of rank 1
              in.set(2, i, j, 0);
            }
          Factorize call;
          call.kind = Kind::Svd;
          call.complete = complete;
          const Results found = run(call, in, nullptr, 0, kFew);
          for (std::int64_t b = 0; b < kFew; ++b) {
            ASSERT_EQ(found.info.get(b), 0);
            for (std::int64_t i = 0; i < m; ++i)
              for (std::int64_t j = 0; j < n; ++j) {
                double sum = 0;
                for (std::int64_t p = 0; p < std::min(m, n); ++p)
                  sum += found.second.get(b, i, p) * found.out.get(b, 0, p) * found.third.get(b, p, j);
                expect_near(sum, in.get(b, i, j), 30 + 10.0 * static_cast<double>(m), dtype, "U S V^T");
              }
            for (std::int64_t p = 0; p < std::min(m, n); ++p)
              ASSERT_GE(found.out.get(b, 0, p), p + 1 < std::min(m, n) ? found.out.get(b, 0, p + 1) : 0.0);
            expect_orthonormal(found.second, false, b, "U");
            expect_orthonormal(found.third, true, b, "V^T");
          }
          alone(call, in, nullptr, found, kFew);
          const Results values = run(call, in, nullptr, 0, kFew, false);
          for (std::int64_t e = 0; e < values.out.array.count(); ++e)
            expect_near(values.out.array.get(e), found.out.array.get(e), 30 + 4.0 * static_cast<double>(m + n), dtype, "values alone");
          if (HasFatalFailure()) return;
        }
}

TEST_P(FactorizeTest, WhatIsNotFiniteHasNoEigenvaluesNorSingularValues) {
  for (const Kind kind : {Kind::Eigh, Kind::Svd})
    for (const std::int64_t n : {4, 36}) {
      Matrices in = symmetric(float32, 3, n, false, 1);
      in.set(1, n - 1, 0, std::nan(""));
      in.set(2, n - 1, 0, std::numeric_limits<double>::infinity());
      Factorize call;
      call.kind = kind;
      const Results found = run(call, in, nullptr, 0, 3);
      for (std::int64_t b = 0; b < 3; ++b) {
        ASSERT_EQ(found.info.get(b) != 0, b > 0);
        ASSERT_EQ(std::isnan(found.out.get(b, 0, 0)), b > 0);
        ASSERT_EQ(std::isnan(found.second.get(b, 1, 1)), b > 0);
      }
    }
}

/// Enough matrices for several threads.
TEST_P(FactorizeTest, ThreadsDoNotChangeTheFactors) {
  if (backend().device().is_cuda()) GTEST_SKIP() << "threads are the CPU's";
  const int before = num_threads();
  for (const std::int64_t n : {8, 64}) {
    const std::int64_t batch = n == 8 ? 20000 : 60;
    const Matrices in = symmetric(float32, batch, n, true, 2);
    for (const Kind kind : {Kind::Cholesky, Kind::Lu, Kind::Qr, Kind::Eigh}) {
      Factorize call;
      call.kind = kind;
      set_num_threads(1);
      const Results one = run(call, in, nullptr, 0, batch);
      set_num_threads(3);
      const Results three = run(call, in, nullptr, 0, batch);
      for (std::int64_t e = 0; e < one.out.array.count(); ++e) ASSERT_TRUE(one.out.array.same_bits(e, three.out.array, e));
      for (std::int64_t e = 0; e < one.second.array.count(); ++e)
        ASSERT_TRUE(one.second.array.same_bits(e, three.second.array, e));
    }
  }
  set_num_threads(before);
}

}  // namespace
}  // namespace luge::test
