#include "backend_fixture.h"

#include <luge/base/threads.h>

namespace luge::test {
namespace {

/// How a matrix lies in memory.
enum class Layout { Rows, Columns, GapRows, GapColumns, Scattered };

struct Strides {
  std::int64_t row, column, elements;
};
Strides strides_of(Layout layout, std::int64_t rows, std::int64_t columns) {
  switch (layout) {
    case Layout::Rows: return {columns, 1, rows * columns};
    case Layout::Columns: return {1, rows, rows * columns};
    case Layout::GapRows: return {columns + 3, 1, rows * (columns + 3)};
    case Layout::GapColumns: return {1, rows + 2, columns * (rows + 2)};
    case Layout::Scattered: return {2 * columns + 1, 2, rows * (2 * columns + 1)};
  }
  return {};
}

struct MatMulCase {
  DType dtype;
  std::int64_t batch, m, n, k;
  Layout a = Layout::Rows, b = Layout::Rows, c = Layout::Rows;
  bool shared_a = false, shared_b = false, accumulate = false;
};

class MatMulTest : public BackendTest {
 protected:
  /// Runs members [first, first + count) of the case and gives the result.
  Array run(const MatMulCase& x, std::int64_t first, std::int64_t count, bool verify) {
    const Strides sa = strides_of(x.a, x.m, x.k), sb = strides_of(x.b, x.k, x.n), sc = strides_of(x.c, x.m, x.n);
    const std::int64_t a_members = x.shared_a ? 1 : x.batch, b_members = x.shared_b ? 1 : x.batch;
    Array a(x.dtype, a_members * sa.elements), b(x.dtype, b_members * sb.elements), c(x.dtype, x.batch * sc.elements);
    Chooser choose(static_cast<std::uint64_t>(x.m * 7 + x.n * 5 + x.k));
    choose.fill(a, -1, 1);
    choose.fill(b, -1, 1);
    choose.fill(c, -1, 1);
    if (!x.accumulate)  // what is overwritten must not matter
      for (std::int64_t i = 0; i < c.count(); ++i) c.set(i, std::numeric_limits<double>::quiet_NaN());
    const std::int64_t a_step = x.shared_a ? 0 : sa.elements, b_step = x.shared_b ? 0 : sb.elements;
    DeviceArray da(backend(), a), db(backend(), b), dc(backend(), c);
    MatMul call;
    call.batch = extent({count});
    call.m = x.m;
    call.n = x.n;
    call.k = x.k;
    call.a = da.operand({a_step, sa.row, sa.column}, first * a_step);
    call.b = db.operand({b_step, sb.row, sb.column}, first * b_step);
    call.c = dc.operand({sc.elements, sc.row, sc.column}, first * sc.elements);
    if (x.batch == 1) {
      call.batch = extent({});
      call.a = da.operand({sa.row, sa.column});
      call.b = db.operand({sb.row, sb.column});
      call.c = dc.operand({sc.row, sc.column});
    }
    call.store = x.accumulate ? Store::Accumulate : Store::Overwrite;
    backend().run(call);
    Array result = dc.download();
    if (verify) compare(x, a, b, c, result);
    return result;
  }

  void compare(const MatMulCase& x, const Array& a, const Array& b, const Array& before, const Array& result) {
    const Strides sa = strides_of(x.a, x.m, x.k), sb = strides_of(x.b, x.k, x.n), sc = strides_of(x.c, x.m, x.n);
    for (std::int64_t s = 0; s < x.batch; ++s) {
      for (std::int64_t i = 0; i < x.m; ++i) {
        for (std::int64_t j = 0; j < x.n; ++j) {
          double sum = 0, magnitude = 1;
          for (std::int64_t p = 0; p < x.k; ++p) {
            const double term = a.get((x.shared_a ? 0 : s * sa.elements) + i * sa.row + p * sa.column) *
                                b.get((x.shared_b ? 0 : s * sb.elements) + p * sb.row + j * sb.column);
            sum += term;
            magnitude += std::abs(term);
          }
          const std::int64_t at = s * sc.elements + i * sc.row + j * sc.column;
          if (x.accumulate) sum += before.get(at);
          // Chains of k additions, as BLAS makes them, err like a random walk.
          const double tolerance = 2 * epsilon(x.dtype) * (1 + std::sqrt(static_cast<double>(x.k))) * magnitude;
          ASSERT_TRUE(close(result.get(at), sum, tolerance))
              << name(x.dtype) << " " << x.batch << " x (" << x.m << " x " << x.k << ")(" << x.k << " x " << x.n
              << ") member " << s << " at " << i << ", " << j << ": " << result.get(at) << " instead of " << sum;
        }
      }
    }
  }
};
LUGE_ON_EVERY_DEVICE(MatMulTest);

TEST_P(MatMulTest, ManySizes) {
  for (const DType dtype : {float32, float64}) {
    for (const std::int64_t m : {1, 2, 5, 16, 33, 130}) {
      for (const std::int64_t n : {1, 3, 8, 17, 64, 129}) {
        for (const std::int64_t k : {1, 2, 7, 16, 65, 300}) {
          run({.dtype = dtype, .batch = 1, .m = m, .n = n, .k = k}, 0, 1, true);
          run({.dtype = dtype, .batch = 3, .m = m, .n = n, .k = k, .accumulate = true}, 0, 3, true);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST_P(MatMulTest, EveryLayout) {
  constexpr Layout kAll[] = {Layout::Rows, Layout::Columns, Layout::GapRows, Layout::GapColumns, Layout::Scattered};
  for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{3, 4, 5},
                                {1, 40, 30},
                                {40, 1, 30},
                                {40, 30, 1},
                                {1, 1, 500},
                                {37, 41, 53},
                                {1, 300, 70}}) {
    for (const Layout a : kAll) {
      for (const Layout b : kAll) {
        for (const Layout c : {Layout::Rows, Layout::Columns, Layout::GapRows, Layout::GapColumns}) {
          for (const bool accumulate : {false, true}) {
            run({.dtype = float32,
                 .batch = 2,
                 .m = m,
                 .n = n,
                 .k = k,
                 .a = a,
                 .b = b,
                 .c = c,
                 .accumulate = accumulate},
                0, 2, true);
            run({.dtype = float64,
                 .batch = 1,
                 .m = m,
                 .n = n,
                 .k = k,
                 .a = a,
                 .b = b,
                 .c = c,
                 .accumulate = accumulate},
                0, 1, true);
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  }
}

TEST_P(MatMulTest, SharedOperands) {
  for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{2, 3, 4}, {30, 50, 60}, {1, 50, 60}}) {
    run({.dtype = float32, .batch = 7, .m = m, .n = n, .k = k, .shared_a = true}, 0, 7, true);
    run({.dtype = float32, .batch = 7, .m = m, .n = n, .k = k, .shared_b = true}, 0, 7, true);
    run({.dtype = float32, .batch = 7, .m = m, .n = n, .k = k, .shared_a = true, .shared_b = true, .accumulate = true},
        0, 7, true);
  }
}

TEST_P(MatMulTest, LargeProduct) { run({.dtype = float32, .batch = 1, .m = 260, .n = 520, .k = 310}, 0, 1, true); }

/// Law 7: a member of a batch has the bits it has alone.
TEST_P(MatMulTest, MembersHaveTheBitsTheyHaveAlone) {
  for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{1, 1, 8},
                                {4, 5, 6},
                                {1, 64, 64},
                                {64, 1, 33},
                                {33, 65, 17},
                                {256, 200, 100},
                                {700, 90, 300}}) {
    for (const Layout layout : {Layout::Rows, Layout::Columns}) {
      const MatMulCase x{.dtype = float32, .batch = 7, .m = m, .n = n, .k = k, .a = layout, .b = Layout::Rows};
      const Array together = run(x, 0, 7, false);
      for (std::int64_t s = 0; s < 7; ++s) {
        const Array alone = run(x, s, 1, false);
        for (std::int64_t i = 0; i < m * n; ++i)
          ASSERT_TRUE(together.same_bits(s * m * n + i, alone, s * m * n + i)) << m << " " << n << " " << k;
      }
    }
  }
}

// ---- tiles of a GPU's kernel --------------------------------------------------------------------

constexpr std::int64_t kTileEdges[] = {1, 2, 3, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129};

/// Every pair of sizes at which a tile begins or ends, with every third one somewhere.
TEST_P(MatMulTest, SizesAtTheEdgesOfTiles) {
  constexpr auto kEdges = static_cast<std::int64_t>(std::size(kTileEdges));
  for (std::int64_t i = 0; i < kEdges; ++i) {
    for (std::int64_t j = 0; j < kEdges; ++j) {
      const std::int64_t k = kTileEdges[(3 * i + 7 * j) % kEdges];
      const Layout layout = (i + j) % 2 == 0 ? Layout::Rows : Layout::Columns;
      for (const DType dtype : {float32, float64}) {
        run({.dtype = dtype,
             .batch = 2,
             .m = kTileEdges[i],
             .n = kTileEdges[j],
             .k = k,
             .b = layout,
             .accumulate = i % 2 == 0},
            0, 2, true);
        if (HasFatalFailure()) return;
      }
    }
  }
}

/// Matrices that begin one, two and three elements off a multiple of 16 bytes; what lies around c stays as it is.
TEST_P(MatMulTest, AnyAlignment) {
  constexpr std::int64_t kM = 20, kN = 36, kK = 24, kBatch = 3, kAround = 5;
  for (const DType dtype : {float32, float64}) {
    for (int shift = 0; shift < 4 * 4 * 4; ++shift) {
      const std::int64_t shift_a = shift % 4, shift_b = shift / 4 % 4, shift_c = shift / 16;
      Array a(dtype, kBatch * kM * kK + 3), b(dtype, kBatch * kK * kN + 3), c(dtype, kBatch * kM * kN + 2 * kAround);
      Chooser choose(static_cast<std::uint64_t>(shift));
      for (Array* const array : {&a, &b, &c}) choose.fill(*array, -1, 1);
      DeviceArray da(backend(), a), db(backend(), b), dc(backend(), c);
      MatMul call;
      call.batch = extent({kBatch});
      call.m = kM;
      call.n = kN;
      call.k = kK;
      call.a = da.operand({kM * kK, kK, 1}, shift_a);
      call.b = db.operand({kK * kN, kN, 1}, shift_b);
      call.c = dc.operand({kM * kN, kN, 1}, kAround + shift_c - 2);
      backend().run(call);
      const Array result = dc.download();
      const std::int64_t first = kAround + shift_c - 2, last = first + kBatch * kM * kN;
      for (std::int64_t at = 0; at < c.count(); ++at) {
        if (at < first || at >= last) {
          ASSERT_TRUE(result.same_bits(at, c, at)) << "beside c, at " << at - first;
          continue;
        }
        const std::int64_t s = (at - first) / (kM * kN), i = (at - first) / kN % kM, j = (at - first) % kN;
        double sum = 0;
        for (std::int64_t p = 0; p < kK; ++p)
          sum += a.get(shift_a + (s * kM + i) * kK + p) * b.get(shift_b + (s * kK + p) * kN + j);
        ASSERT_NEAR(result.get(at), sum, 60 * epsilon(dtype)) << shift << " " << s << " " << i << " " << j;
      }
    }
  }
}

/// A row or a column with NaN and infinity spoils its own elements of c and no others: nothing that pads a tile counts.
TEST_P(MatMulTest, NotFiniteNumbersStayInTheirRowsAndColumns) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const auto& [m, n, k] :
       {std::array<std::int64_t, 3>{3, 5, 2}, {17, 33, 18}, {64, 64, 16}, {65, 3, 19}, {130, 140, 7}, {1, 70, 600}}) {
    for (const DType dtype : {float32, float64}) {
      Array a(dtype, m * k), b(dtype, k * n), c(dtype, m * n);
      Chooser choose(static_cast<std::uint64_t>(m + n + k));
      choose.fill(a, 0.5, 1);
      choose.fill(b, 0.5, 1);
      choose.fill(c, -1, 1);
      a.set((m - 1) * k + k - 1, kInfinity);                              // the last row of a, at the last term
      for (std::int64_t j = 0; j < n; j += 2) b.set((k - 1) * n + j, 0);  // 0 * infinity in every other column
      b.set(n - 1, std::numeric_limits<double>::quiet_NaN());             // the last column of b, at the first term
      DeviceArray da(backend(), a), db(backend(), b), dc(backend(), c);
      MatMul call;
      call.batch = extent({});
      call.m = m;
      call.n = n;
      call.k = k;
      call.a = da.operand({k, 1});
      call.b = db.operand({n, 1});
      call.c = dc.operand({n, 1});
      backend().run(call);
      const Array result = dc.download();
      for (std::int64_t i = 0; i < m; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
          const double value = result.get(i * n + j);
          const bool nan = j == n - 1 || (i == m - 1 && j % 2 == 0);
          ASSERT_EQ(std::isnan(value), nan) << m << " " << n << " " << k << " at " << i << ", " << j;
          if (nan) continue;
          ASSERT_EQ(std::isinf(value), i == m - 1) << m << " " << n << " " << k << " at " << i << ", " << j;
        }
      }
    }
  }
}

/// Batches of several dimensions, some of them shared by an operand, in any order in memory.
TEST_P(MatMulTest, BatchesOfSeveralDimensions) {
  Chooser choose(5);
  for (int round = 0; round < 60; ++round) {
    const DType dtype = choose.of({float32, float64});
    Extent batch;
    batch.ndim = 2 + static_cast<int>(choose.below(3));
    for (int d = 0; d < batch.ndim; ++d) batch.sizes[static_cast<std::size_t>(d)] = choose.of<std::int64_t>({1, 2, 3});
    const auto m = choose.of<std::int64_t>({1, 4, 17, 40}), n = choose.of<std::int64_t>({1, 3, 16, 33});
    const auto k = choose.of<std::int64_t>({1, 8, 19, 140});
    const auto whole = [&](std::int64_t rows, std::int64_t columns) {
      Extent all = batch;
      all.sizes[static_cast<std::size_t>(all.ndim++)] = rows;
      all.sizes[static_cast<std::size_t>(all.ndim++)] = columns;
      return all;
    };
    const Extent of_a = whole(m, k), of_b = whole(k, n), of_c = whole(m, n);
    std::int64_t count_a = 0, count_b = 0;
    const auto a_strides = choose.strides(of_a, true, count_a), b_strides = choose.strides(of_b, true, count_b);
    Array a(dtype, count_a), b(dtype, count_b), c(dtype, of_c.count());
    for (Array* const array : {&a, &b, &c}) choose.fill(*array, -1, 1);
    DeviceArray da(backend(), a), db(backend(), b), dc(backend(), c);
    MatMul call;
    call.batch = batch;
    call.m = m;
    call.n = n;
    call.k = k;
    call.a = da.window();
    call.a.strides = a_strides;
    call.b = db.window();
    call.b.strides = b_strides;
    call.c = dc.window();
    std::int64_t step = 1;
    for (int d = of_c.ndim - 1; d >= 0; --d) {
      call.c.strides[static_cast<std::size_t>(d)] = step;
      step *= of_c.sizes[static_cast<std::size_t>(d)];
    }
    call.store = choose.of({Store::Overwrite, Store::Accumulate});
    backend().run(call);
    const Array result = dc.download();
    for (std::int64_t at = 0; at < of_c.count(); ++at) {
      const std::int64_t member = at / (m * n), i = at / n % m, j = at % n;
      double sum = call.store == Store::Accumulate ? c.get(at) : 0, magnitude = 1;
      for (std::int64_t p = 0; p < k; ++p) {
        const double term = a.get(offset_of(of_a, a_strides, (member * m + i) * k + p)) *
                            b.get(offset_of(of_b, b_strides, (member * k + p) * n + j));
        sum += term;
        magnitude += std::abs(term);
      }
      // A factor may repeat one number along k: then every addition errs the same way.
      ASSERT_NEAR(result.get(at), sum, epsilon(dtype) * static_cast<double>(k) * magnitude) << round << " at " << at;
    }
  }
}

/// Law 7 again: however many products there are, and whatever tiles are chosen for that, one has the bits it has alone.
TEST_P(MatMulTest, ManyHaveTheBitsTheyHaveAlone) {
  for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{64, 64, 5}, {33, 30, 9}, {70, 1, 20}}) {
    for (const DType dtype : {float32, float64}) {
      const MatMulCase x{.dtype = dtype, .batch = 150, .m = m, .n = n, .k = k, .accumulate = true};
      const Array together = run(x, 0, x.batch, false);
      for (const std::int64_t s : {0, 1, 70, 149}) {
        const Array alone = run(x, s, 1, false);
        for (std::int64_t i = s * m * n; i < (s + 1) * m * n; ++i)
          ASSERT_TRUE(together.same_bits(i, alone, i)) << m << " " << n << " " << k << " member " << s;
      }
    }
  }
}

TEST_P(MatMulTest, EdgesOfTiles) {
  for (const std::int64_t size : {7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257}) {
    for (const DType dtype : {float32, float64}) {
      run({.dtype = dtype, .batch = 2, .m = size, .n = 20, .k = 6, .b = Layout::Columns}, 0, 2, true);
      run({.dtype = dtype, .batch = 2, .m = 10, .n = size, .k = 6, .a = Layout::Columns, .accumulate = true}, 0, 2, true);
      run({.dtype = dtype, .batch = 2, .m = 10, .n = 70, .k = size, .b = Layout::GapColumns}, 0, 2, true);
      run({.dtype = dtype, .batch = 2, .m = size, .n = 1, .k = size, .accumulate = true}, 0, 2, true);
      if (HasFatalFailure()) return;
    }
  }
}

/// Law 7 where one operand is the same for all members: such members are computed together.
TEST_P(MatMulTest, MembersThatShareAnOperandHaveTheBitsTheyHaveAlone) {
  if (!backend().device().is_cpu()) GTEST_SKIP() << "cuBLAS chooses its algorithm by batch size";
  for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{500, 1, 20},
                                {1, 500, 20},
                                {500, 1, 40},
                                {1, 20, 500},
                                {1, 1, 30},
                                {24, 70, 33},
                                {200, 130, 70}}) {
    for (const bool is_a : {false, true}) {
      for (const Layout layout : {Layout::Rows, Layout::Columns}) {
        const MatMulCase x{.dtype = float32, .batch = 9, .m = m, .n = n, .k = k, .a = layout, .shared_a = is_a,
                           .shared_b = !is_a};
        const Array together = run(x, 0, 9, true);
        for (std::int64_t s = 0; s < 9; ++s) {
          const Array alone = run(x, s, 1, false);
          for (std::int64_t i = 0; i < m * n; ++i)
            ASSERT_TRUE(together.same_bits(s * m * n + i, alone, s * m * n + i)) << m << " " << n << " " << k;
        }
      }
    }
  }
}

/// Law 7: neither how many threads there are nor which part of a product one takes changes a bit.
TEST_P(MatMulTest, ThreadsDoNotChangeABit) {
  if (!backend().device().is_cpu()) GTEST_SKIP() << "threads of the host";
  const int before = num_threads();
  for (const auto& [batch, m, n, k] : {std::array<std::int64_t, 4>{1, 300, 257, 129},
                                       {1, 70, 300, 1000},
                                       {1, 3000, 40, 60},
                                       {40, 64, 65, 66},
                                       {1, 260, 520, 1100}}) {
    for (const Layout b : {Layout::Rows, Layout::Columns}) {
      const MatMulCase x{.dtype = float32, .batch = batch, .m = m, .n = n, .k = k, .b = b};
      set_num_threads(1);
      const Array one = run(x, 0, batch, false);
      for (const int threads : {2, 3}) {
        set_num_threads(threads);
        const Array several = run(x, 0, batch, false);
        for (std::int64_t i = 0; i < batch * m * n; ++i)
          if (!several.same_bits(i, one, i)) {
            set_num_threads(before);
            FAIL() << threads << " threads: " << m << " " << n << " " << k << " at " << i;
          }
      }
    }
  }
  set_num_threads(before);
}

}  // namespace
}  // namespace luge::test
