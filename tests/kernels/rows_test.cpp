// Softmax and cross entropy.

#include "backend_fixture.h"

namespace luge::test {
namespace {

constexpr double kUnbounded = std::numeric_limits<double>::infinity();
/// 1 to 33, and where the kernels go over to another way: what a warp or a block holds, in float32 and float64.
std::vector<std::int64_t> row_lengths() {
  std::vector<std::int64_t> result;
  for (std::int64_t n = 1; n <= 33; ++n) result.push_back(n);
  for (const std::int64_t edge : {256, 512, 1024, 4096, 8192})
    for (const std::int64_t n : {edge - 1, edge, edge + 1}) result.push_back(n);
  result.insert(result.end(), {127, 129, 1000, 10000});
  return result;
}

std::vector<double> softmax(const Array& x, std::int64_t from, std::int64_t n, bool log) {
  double most = -kUnbounded;
  for (std::int64_t i = 0; i < n; ++i) most = std::max(most, x.get(from + i));
  long double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += std::exp(static_cast<long double>(x.get(from + i) - most));
  std::vector<double> result;
  for (std::int64_t i = 0; i < n; ++i) {
    const long double shifted = static_cast<long double>(x.get(from + i) - most);
    result.push_back(static_cast<double>(log ? shifted - std::log(sum) : std::exp(shifted) / sum));
  }
  return result;
}

class SoftmaxTest : public BackendTest {};
LUGE_ON_EVERY_DEVICE(SoftmaxTest);

TEST_P(SoftmaxTest, ForwardAndBackward) {
  for (const DType dtype : {float32, float64}) {
    for (const bool log : {false, true}) {
      for (const std::int64_t columns : row_lengths()) {
        for (const Store store : {Store::Overwrite, Store::Accumulate}) {
          const std::int64_t rows = 5, in_step = columns + 3, out_step = columns + 1;
          Chooser choose(static_cast<std::uint64_t>(columns));
          Array x(dtype, rows * in_step), before(dtype, rows * out_step), dy(dtype, rows * in_step),
              y(dtype, rows * in_step);
          choose.fill(x, -6, 6);
          choose.fill(before, -1, 1);
          choose.fill(dy, -1, 1);
          DeviceArray in(backend(), x), out(backend(), before);
          Softmax call;
          call.log = log;
          call.rows = rows;
          call.columns = columns;
          call.in = in.operand({in_step});
          call.out = out.operand({out_step});
          call.store = store;
          backend().run(call);
          const Array forward = out.download();
          for (std::int64_t r = 0; r < rows; ++r) {
            const std::vector<double> exact = softmax(x, r * in_step, columns, log);
            for (std::int64_t i = 0; i < columns; ++i) {
              y.set(r * in_step + i, exact[static_cast<std::size_t>(i)]);
              const double old = store == Store::Accumulate ? before.get(r * out_step + i) : 0;
              const double wanted = exact[static_cast<std::size_t>(i)] + old;
              // x - max is rounded at the size of x, up to 12, before the exponential.
              ASSERT_NEAR(
                  forward.get(r * out_step + i), wanted,
                  16 * epsilon(dtype) *
                      (std::abs(wanted) + std::abs(old) + (log ? 12 : std::abs(exact[static_cast<std::size_t>(i)]))));
            }
            ASSERT_TRUE(forward.same_bits(r * out_step + columns, before, r * out_step + columns));
          }
          DeviceArray gradient(backend(), dy), result(backend(), y), back(backend(), before);
          call.direction = Direction::Backward;
          call.in = gradient.operand({in_step});
          call.y = result.operand({in_step});
          call.out = back.operand({out_step});
          backend().run(call);
          const Array backward = back.download();
          for (std::int64_t r = 0; r < rows; ++r) {
            double sum = 0, magnitude = 0;
            for (std::int64_t i = 0; i < columns; ++i) {
              const double term = dy.get(r * in_step + i) * (log ? 1 : y.get(r * in_step + i));
              sum += term;
              magnitude += std::abs(term);
            }
            for (std::int64_t i = 0; i < columns; ++i) {
              const double value = y.get(r * in_step + i), d = dy.get(r * in_step + i);
              const double old = store == Store::Accumulate ? before.get(r * out_step + i) : 0;
              const double wanted = (log ? d - std::exp(value) * sum : value * (d - sum)) + old;
              const double scale =
                  (log ? std::exp(value) : std::abs(value)) * (magnitude + 1) + std::abs(d) + std::abs(old);
              ASSERT_NEAR(backward.get(r * out_step + i), wanted, 16 * epsilon(dtype) * scale) << columns;
            }
          }
        }
      }
    }
  }
}

TEST_P(SoftmaxTest, RowsDoNotInfluenceEachOther) {
  for (const std::int64_t columns : {std::int64_t{10}, std::int64_t{1001}}) {
    Array x(float32, 50 * columns);
    Chooser choose(3);
    choose.fill(x, -6, 6);
    DeviceArray in(backend(), x), together(backend(), x), alone(backend(), x);
    Softmax call;
    call.rows = 50;
    call.columns = columns;
    call.in = in.operand({columns});
    call.out = together.operand({columns});
    backend().run(call);
    call.rows = 1;
    for (std::int64_t r = 0; r < 50; ++r) {
      call.in = in.operand({columns}, r * columns);
      call.out = alone.operand({columns}, r * columns);
      backend().run(call);
    }
    const Array a = together.download(), b = alone.download();
    for (std::int64_t i = 0; i < a.count(); ++i) ASSERT_TRUE(a.same_bits(i, b, i)) << i;
  }
}

/// A NaN or an infinity anywhere makes all of its row NaN, and -inf has no share; the rows beside it are as ever.
TEST_P(SoftmaxTest, SpecialValuesStayInTheirRow) {
  for (const DType dtype : {float32, float64}) {
    for (const std::int64_t columns : {std::int64_t{5}, std::int64_t{100}, std::int64_t{1025}, std::int64_t{9000}}) {
      constexpr std::int64_t kRows = 7;
      Array x(dtype, kRows * columns);
      Chooser choose(9);
      choose.fill(x, -6, 6);
      const auto place = [&](std::int64_t row, std::int64_t column) { return row * columns + column; };
      x.set(place(1, columns - 1), kUnbounded);
      x.set(place(2, 0), std::numeric_limits<double>::quiet_NaN());
      x.set(place(3, columns / 2), -kUnbounded);
      for (std::int64_t c = 0; c < columns; ++c) x.set(place(4, c), -kUnbounded);
      x.set(place(5, 1), kUnbounded);
      x.set(place(5, 3), std::numeric_limits<double>::quiet_NaN());
      for (const bool log : {false, true}) {
        DeviceArray in(backend(), x), out(backend(), x);
        Softmax call;
        call.log = log;
        call.rows = kRows;
        call.columns = columns;
        call.in = in.operand({columns});
        call.out = out.operand({columns});
        backend().run(call);
        const Array y = out.download();
        for (std::int64_t r = 0; r < kRows; ++r) {
          const bool all_nan = r == 1 || r == 2 || r == 4 || r == 5;
          for (std::int64_t c = 0; c < columns; ++c)
            ASSERT_EQ(std::isnan(y.get(place(r, c))), all_nan) << "row " << r << " column " << c << " of " << columns;
        }
        ASSERT_EQ(y.get(place(3, columns / 2)), log ? -kUnbounded : 0);
      }
    }
  }
}

/// Rows of several blocks that are summed one after the other, with what is not a number in one of them.
enum class Oddity { None, LeastAhead, LeastBehind, OnlyLeast, Infinite, NotANumber, Both };
constexpr Oddity kOddities[] = {Oddity::None,     Oddity::LeastAhead, Oddity::LeastBehind, Oddity::OnlyLeast,
                                Oddity::Infinite, Oddity::NotANumber, Oddity::Both};
constexpr std::int64_t kOddColumns = 10000;

Array odd_rows(DType dtype) {
  Array x(dtype, static_cast<std::int64_t>(std::size(kOddities)) * kOddColumns);
  Chooser(5).fill(x, -6, 6);
  for (std::size_t r = 0; r < std::size(kOddities); ++r) {
    const std::int64_t row = static_cast<std::int64_t>(r) * kOddColumns;
    const Oddity oddity = kOddities[r];
    const std::int64_t first = oddity == Oddity::LeastBehind ? 4000 : 0;
    const std::int64_t last = oddity == Oddity::LeastAhead                ? 4500
                              : first == 0 && oddity != Oddity::OnlyLeast ? 0
                                                                          : kOddColumns;
    for (std::int64_t i = first; i < last; ++i) x.set(row + i, -kUnbounded);
    if (oddity == Oddity::Infinite || oddity == Oddity::Both) x.set(row + 77, kUnbounded);
    if (oddity == Oddity::NotANumber || oddity == Oddity::Both) x.set(row + 9001, NAN);
  }
  return x;
}

TEST_P(SoftmaxTest, WhatIsNotANumberMakesTheRowSo) {
  for (const DType dtype : {float32, float64}) {
    const Array x = odd_rows(dtype);
    DeviceArray in(backend(), x), out(backend(), Array(dtype, x.count()));
    for (const bool log : {false, true}) {
      Softmax call;
      call.log = log;
      call.rows = static_cast<std::int64_t>(std::size(kOddities));
      call.columns = kOddColumns;
      call.in = in.operand({kOddColumns});
      call.out = out.operand({kOddColumns});
      backend().run(call);
      const Array result = out.download();
      for (std::size_t r = 0; r < std::size(kOddities); ++r) {
        const std::int64_t row = static_cast<std::int64_t>(r) * kOddColumns;
        const std::vector<double> exact = softmax(x, row, kOddColumns, log);
        for (std::int64_t i = 0; i < kOddColumns; ++i) {
          const double value = result.get(row + i);
          const bool number = kOddities[r] <= Oddity::LeastBehind;
          const double wanted = number ? exact[static_cast<std::size_t>(i)] : NAN;
          ASSERT_TRUE(close(value, wanted, 16 * epsilon(dtype) * (log ? 20 : 1)))
              << value << " instead of " << wanted << " at " << i << " of row " << r;
        }
      }
    }
  }
}

class CrossEntropyTest : public BackendTest {};
LUGE_ON_EVERY_DEVICE(CrossEntropyTest);

TEST_P(CrossEntropyTest, ForwardAndBackward) {
  for (const DType dtype : {float32, float64}) {
    for (const std::int64_t columns : row_lengths()) {
      for (const Store store : {Store::Overwrite, Store::Accumulate}) {
        const std::int64_t rows = 7, step = columns + 2;
        Chooser choose(static_cast<std::uint64_t>(columns));
        Array x(dtype, rows * step), labels(int64, rows), loss(dtype, rows), lse(dtype, rows), dy(dtype, rows),
            grad(dtype, rows * step);
        choose.fill(x, -8, 8);
        choose.fill(dy, -1, 1);
        choose.fill(loss, -1, 1);
        choose.fill(grad, -1, 1);
        for (std::int64_t r = 0; r < rows; ++r) labels.set(r, static_cast<double>(choose.below(columns)));
        labels.set(2, -1);
        labels.set(4, static_cast<double>(columns));
        DeviceArray dx(backend(), x), dl(backend(), labels), dloss(backend(), loss), dlse(backend(), lse),
            ddy(backend(), dy), dgrad(backend(), grad);
        CrossEntropy call;
        call.rows = rows;
        call.columns = columns;
        call.logits = dx.operand({step});
        call.target = dl.operand();
        call.lse = dlse.operand();
        call.dy = absent();
        call.out = dloss.operand();
        call.store = store;
        backend().run(call);
        const Array losses = dloss.download();
        call.direction = Direction::Backward;
        call.dy = ddy.operand();
        call.out = dgrad.operand({step});
        backend().run(call);
        const Array gradients = dgrad.download();
        for (std::int64_t r = 0; r < rows; ++r) {
          const std::int64_t label = labels.at<std::int64_t>(r);
          const bool valid = label >= 0 && label < columns;
          const std::vector<double> log_softmax = softmax(x, r * step, columns, true);
          const double old = store == Store::Accumulate ? loss.get(r) : 0;
          const double wanted = valid ? old - log_softmax[static_cast<std::size_t>(label)] : NAN;
          ASSERT_TRUE(close(losses.get(r), wanted, 32 * epsilon(dtype) * 20))
              << losses.get(r) << " instead of " << wanted;
          for (std::int64_t i = 0; i < columns; ++i) {
            const double before = store == Store::Accumulate ? grad.get(r * step + i) : 0;
            const double probability = std::exp(log_softmax[static_cast<std::size_t>(i)]);
            const double exact = valid ? before + dy.get(r) * (probability - (i == label ? 1 : 0)) : NAN;
            ASSERT_TRUE(close(gradients.get(r * step + i), exact,
                              32 * epsilon(dtype) * (20 * probability + 1 + std::abs(before))))
                << gradients.get(r * step + i) << " instead of " << exact << ", row " << r << " column " << i << " of "
                << columns;
          }
          ASSERT_TRUE(gradients.same_bits(r * step + columns, grad, r * step + columns));
        }
      }
    }
  }
}

TEST_P(CrossEntropyTest, LogSumExpOfWhatIsNotANumber) {
  for (const DType dtype : {float32, float64}) {
    const auto rows = static_cast<std::int64_t>(std::size(kOddities));
    const Array x = odd_rows(dtype);
    Array labels(int64, rows);
    DeviceArray dx(backend(), x), dl(backend(), labels), dloss(backend(), Array(dtype, rows)),
        dlse(backend(), Array(dtype, rows));
    CrossEntropy call;
    call.rows = rows;
    call.columns = kOddColumns;
    call.logits = dx.operand({kOddColumns});
    call.target = dl.operand();
    call.lse = dlse.operand();
    call.dy = absent();
    call.out = dloss.operand();
    backend().run(call);
    const Array lse = dlse.download();
    for (std::int64_t r = 0; r < rows; ++r) {
      const Oddity oddity = kOddities[static_cast<std::size_t>(r)];
      double exact = 0;
      for (std::int64_t i = 0; i < kOddColumns; ++i) exact += std::exp(x.get(r * kOddColumns + i));
      exact = std::log(exact);
      if (oddity == Oddity::Both) exact = NAN;
      ASSERT_TRUE(close(lse.get(r), exact, 32 * epsilon(dtype) * 10)) << lse.get(r) << " instead of " << exact;
    }
  }
}

TEST_P(CrossEntropyTest, LargeLogitsDoNotOverflow) {
  Array x(float32, 3), labels(int64, 1), loss(float32, 1), lse(float32, 1);
  x.set(0, 1e30);
  x.set(1, 1e30);
  x.set(2, -1e30);
  DeviceArray dx(backend(), x), dl(backend(), labels), dloss(backend(), loss), dlse(backend(), lse);
  CrossEntropy call;
  call.rows = 1;
  call.columns = 3;
  call.logits = dx.operand({3});
  call.target = dl.operand();
  call.lse = dlse.operand();
  call.dy = absent();
  call.out = dloss.operand();
  backend().run(call);
  EXPECT_TRUE(std::isfinite(dloss.download().get(0)));
}

}  // namespace
}  // namespace luge::test
