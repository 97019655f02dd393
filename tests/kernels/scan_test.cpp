// Scans, against one walk along each line.

#include <luge/base/threads.h>

#include "backend_fixture.h"

namespace luge::test {
namespace {

constexpr ScanOp kScanOps[] = {
#define LUGE_ROW(Formula, name) ScanOp::Formula,
    LUGE_SCANS(LUGE_ROW)
#undef LUGE_ROW
};

bool has_indices(ScanOp op) { return op == ScanOp::Max || op == ScanOp::Min; }
bool takes(ScanOp op, DType dtype) {
  return is_floating(dtype) || has_indices(op) || (dtype == int64 && op != ScanOp::LogSumExp);
}

struct ScanForm {
  ScanOp op;
  DType dtype;
  std::int64_t outer, n, inner;
  bool reverse = false;
  bool special = false;  ///< NaN, infinities and zeros of both signs among the elements
};

/// One line's results, in the order of the scan.
struct Line {
  std::vector<double> values, magnitudes;
  std::vector<std::int64_t> places;
};

Line reference(ScanOp op, const std::vector<double>& x) {
  Line line;
  long double sum = 0, product = 1, magnitude = 0, exponentials = 0;
  double largest = -std::numeric_limits<double>::infinity();
  std::size_t best = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double a = x[i], b = x[best];
    sum += a, product *= a, magnitude += std::abs(a);
    if (std::isnan(a) || (!std::isnan(b) && (op == ScanOp::Max ? a >= b : a <= b))) best = i;
    double result = 0;
    switch (op) {
      case ScanOp::Sum: result = static_cast<double>(sum); break;
      case ScanOp::Prod: result = static_cast<double>(product); break;
      case ScanOp::Max:
      case ScanOp::Min: result = x[best]; break;
      case ScanOp::LogSumExp:
        if (!std::isnan(largest) && (std::isnan(a) || a > largest)) {
          exponentials *= std::exp(static_cast<long double>(largest - a));
          largest = a;
        }
        if (std::isfinite(largest)) exponentials += std::exp(static_cast<long double>(a - largest));
        result = std::isfinite(largest) ? static_cast<double>(largest + std::log(exponentials)) : largest;
        if (!std::isfinite(largest)) exponentials = 0;
        break;
    }
    line.values.push_back(result);
    line.magnitudes.push_back(static_cast<double>(magnitude));
    line.places.push_back(static_cast<std::int64_t>(best));
  }
  return line;
}

class ScanTest : public BackendTest {
 protected:
  Array source(const ScanForm& form) {
    Array in(form.dtype, form.outer * form.n * form.inner);
    Chooser choose(static_cast<std::uint64_t>(form.n * 7 + form.inner));
    if (form.op == ScanOp::Prod && is_floating(form.dtype))
      choose.fill(in, 0.98, 1.02);
    else if (form.op == ScanOp::Prod)
      choose.fill(in, -1.9, 1.9);
    else
      choose.fill(in, -9, 9);
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    if (form.special)
      for (std::int64_t i = choose.below(5); i < in.count(); i += 1 + choose.below(60))
        in.set(i, choose.of<double>({kInfinity, -kInfinity, 0, -0.0, std::nan(""), 1}));
    return in;
  }

  struct Results {
    Array out, indices;
  };
  Results run(const ScanForm& form, const Array& in) {
    DeviceArray from(backend(), in), to(backend(), Array(form.dtype, in.count())),
        places(backend(), Array(int64, in.count()));
    Scan call;
    call.op = form.op;
    call.reverse = form.reverse;
    call.outer = form.outer;
    call.n = form.n;
    call.inner = form.inner;
    call.in = from.operand();
    call.out = to.operand();
    if (has_indices(form.op)) call.indices = places.operand();
    backend().run(call);
    return {to.download(), places.download()};
  }

  void check(const ScanForm& form) {
    SCOPED_TRACE(::testing::Message() << name(form.op) << " of " << name(form.dtype) << " (" << form.outer << ", "
                                      << form.n << ", " << form.inner << ")" << (form.reverse ? " reversed" : "")
                                      << (form.special ? " with special values" : ""));
    const Array in = source(form);
    const Results results = run(form, in);
    std::vector<double> x(static_cast<std::size_t>(form.n));
    for (std::int64_t o = 0; o < form.outer; ++o)
      for (std::int64_t j = 0; j < form.inner; ++j) {
        const auto position = [&](std::int64_t i) { return form.reverse ? form.n - 1 - i : i; };
        const auto at = [&](std::int64_t i) { return (o * form.n + position(i)) * form.inner + j; };
        for (std::int64_t i = 0; i < form.n; ++i) x[static_cast<std::size_t>(i)] = in.get(at(i));
        const Line line = reference(form.op, x);
        for (std::int64_t i = 0; i < form.n; ++i) {
          const auto k = static_cast<std::size_t>(i);
          double tolerance = 0;
          if (is_floating(form.dtype) && !has_indices(form.op)) {
            tolerance = 4 * epsilon(form.dtype) * std::abs(line.values[k]);
            if (form.op == ScanOp::Sum) tolerance += 16 * epsilon(float64) * line.magnitudes[k];
            if (form.op == ScanOp::Prod)
              tolerance += static_cast<double>(i + 1) * epsilon(float64) * std::abs(line.values[k]);
            if (form.op == ScanOp::LogSumExp) tolerance += (16 + static_cast<double>(i) / 64) * epsilon(form.dtype);
          }
          ASSERT_TRUE(close(results.out.get(at(i)), line.values[k], tolerance))
              << "line " << o << ", " << j << " at " << i << ": " << results.out.get(at(i)) << " instead of "
              << line.values[k];
          if (has_indices(form.op)) {
            ASSERT_EQ(results.indices.at<std::int64_t>(at(i)), position(line.places[k]))
                << "line " << o << ", " << j << " at " << i;
          }
        }
      }
  }

  template <class Body>
  void for_each_kind(const Body& body) {
    for (const ScanOp op : kScanOps)
      for (const DType dtype : {int32, int64, float32, float64}) {
        if (!takes(op, dtype)) continue;
        body(op, dtype);
        if (HasFatalFailure()) return;
      }
  }
};
LUGE_ON_EVERY_DEVICE(ScanTest);

/// Around a group, a chunk of a GPU's warp, several of them, and a chunk of the CPU's.
constexpr std::int64_t kLengths[] = {1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 255, 256, 257, 1000, 4095, 4096, 4097};

TEST_P(ScanTest, LinesOfEveryLength) {
  for_each_kind([&](ScanOp op, DType dtype) {
    for (const std::int64_t n : kLengths)
      for (const bool reverse : {false, true}) {
        check({op, dtype, 3, n, 1, reverse});
        if (HasFatalFailure()) return;
      }
  });
}

TEST_P(ScanTest, LinesSideBySide) {
  for_each_kind([&](ScanOp op, DType dtype) {
    for (const std::int64_t n : {1, 3, 4, 6, 257, 4099})
      for (const std::int64_t inner : {2, 7, 8, 255, 256, 257}) {
        if (n * inner > 100000) continue;
        check({op, dtype, 2, n, inner, (n + inner) % 2 == 0});
        if (HasFatalFailure()) return;
      }
  });
}

/// More chunks than a chunk of a GPU has elements: their states are scanned in two rounds.
TEST_P(ScanTest, LongLines) {
  for (const ScanOp op : kScanOps) {
    check({op, float32, 1, 66001, 1});
    check({op, float64, 1, 65537, 2, true});
    for (const DType dtype : {int32, int64})
      if (op == ScanOp::Max || op == ScanOp::Min || (dtype == int64 && op != ScanOp::LogSumExp))
        check({op, dtype, 1, 66001, 1});
    if (HasFatalFailure()) return;
  }
}

TEST_P(ScanTest, SpecialValues) {
  for (const ScanOp op : kScanOps)
    for (const DType dtype : {float32, float64})
      for (const std::int64_t inner : {1, 9})
        for (const std::int64_t n : {5, 40, 300, 4200}) {
          check({op, dtype, 2, n, inner, false, true});
          check({op, dtype, 2, n, inner, true, true});
          if (HasFatalFailure()) return;
        }
}

/// A line gives the same bits alone, among other lines and beside them.
TEST_P(ScanTest, ALineDoesNotDependOnItsNeighbours) {
  for_each_kind([&](ScanOp op, DType dtype) {
    for (const std::int64_t n : {6, 300, 4103}) {
      constexpr std::int64_t kWidth = 9;
      const ScanForm beside{op, dtype, 1, n, kWidth}, among{op, dtype, kWidth, n, 1}, alone{op, dtype, 1, n, 1};
      const Array columns = source(beside);
      Array rows(dtype, n * kWidth);
      for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t j = 0; j < kWidth; ++j) rows.set(j * n + i, columns.get(i * kWidth + j));
      const Results side = run(beside, columns), all = run(among, rows);
      for (std::int64_t j = 0; j < kWidth; ++j) {
        Array row(dtype, n);
        for (std::int64_t i = 0; i < n; ++i) row.set(i, rows.get(j * n + i));
        const Results one = run(alone, row);
        for (std::int64_t i = 0; i < n; ++i) {
          ASSERT_TRUE(one.out.same_bits(i, all.out, j * n + i)) << name(op) << " " << name(dtype) << " " << n;
          ASSERT_TRUE(one.out.same_bits(i, side.out, i * kWidth + j)) << name(op) << " " << name(dtype) << " " << n;
        }
      }
    }
  });
}

/// Long lines are parted among threads, several lines are shared out.
TEST_P(ScanTest, ThreadsDoNotChangeBits) {
  if (backend().device().is_cuda()) GTEST_SKIP() << "threads are the CPU's";
  const int before = num_threads();
  for (const ScanForm& form : {ScanForm{ScanOp::Sum, float32, 1, 1200001, 1}, ScanForm{ScanOp::Sum, float64, 2, 1200001, 1, true},
                           ScanForm{ScanOp::Sum, int64, 1, 1200001, 1}, ScanForm{ScanOp::Sum, float32, 50, 300, 300},
                           ScanForm{ScanOp::Prod, float32, 500, 3000, 1}, ScanForm{ScanOp::Max, float64, 7, 1000, 300}}) {
    const Array in = source(form);
    set_num_threads(1);
    const Results one = run(form, in);
    set_num_threads(3);
    const Results three = run(form, in);
    for (std::int64_t i = 0; i < in.count(); ++i)
      ASSERT_TRUE(one.out.same_bits(i, three.out, i)) << name(form.op) << " at " << i;
  }
  set_num_threads(before);
}

}  // namespace
}  // namespace luge::test
