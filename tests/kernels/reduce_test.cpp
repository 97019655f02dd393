#include <algorithm>
#include <string>
#include <vector>

#include "backend_fixture.h"

namespace luge::test {
namespace {

constexpr ReduceOp kOps[] = {
#define LUGE_ROW(Formula, name) ReduceOp::Formula,
    LUGE_REDUCTIONS(LUGE_ROW)
#undef LUGE_ROW
};

bool takes(ReduceOp op, DType dtype) {
  return is_floating(dtype) || (op != ReduceOp::Mean && op != ReduceOp::LogSumExp && op != ReduceOp::SumSquares);
}

DType result_type(ReduceOp op, DType dtype) {
  if (op == ReduceOp::ArgMin || op == ReduceOp::ArgMax) return int64;
  if (!is_floating(dtype) && (op == ReduceOp::Sum || op == ReduceOp::Prod)) return int64;
  return dtype;
}

/// The extreme's position: the first of equals, a NaN before everything.
std::int64_t position(const std::vector<double>& row, bool largest) {
  std::int64_t best = 0;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(row.size()); ++i) {
    const double x = row[static_cast<std::size_t>(i)], b = row[static_cast<std::size_t>(best)];
    if (std::isnan(b)) break;
    if (std::isnan(x) || (largest ? x > b : x < b)) best = i;
  }
  return best;
}

double reference(ReduceOp op, const std::vector<double>& row) {
  const bool largest = op == ReduceOp::Max || op == ReduceOp::ArgMax || op == ReduceOp::LogSumExp;
  long double sum = 0, product = 1, squares = 0;
  for (const long double x : row) sum += x, product *= x, squares += x * x;
  switch (op) {
    case ReduceOp::Sum: return static_cast<double>(sum);
    case ReduceOp::Mean: return static_cast<double>(sum / static_cast<long double>(row.size()));
    case ReduceOp::Prod: return static_cast<double>(product);
    case ReduceOp::SumSquares: return static_cast<double>(squares);
    case ReduceOp::Min:
    case ReduceOp::Max: return row[static_cast<std::size_t>(position(row, largest))];
    case ReduceOp::ArgMin:
    case ReduceOp::ArgMax: return static_cast<double>(position(row, largest));
    case ReduceOp::LogSumExp: {
      const double most = row[static_cast<std::size_t>(position(row, true))];
      if (std::isnan(most) || std::isinf(most)) return most;
      long double total = 0;
      for (const double x : row) total += std::exp(static_cast<long double>(x - most));
      return most + static_cast<double>(std::log(total));
    }
  }
  return 0;
}

enum class Order : unsigned char {
  Rows,     ///< contiguous, the reduced dimensions innermost
  Columns,  ///< contiguous, the kept dimensions innermost
  Any       ///< drawn
};

class ReduceTest : public BackendTest {
 protected:
  /// Reduces a random window and checks every element of the target's memory.
  void check(ReduceOp op, DType dtype, const Extent& space, int reduced, Chooser& choose, Order order,
             double special = 0) {
    const int kept = space.ndim - reduced;
    Extent outer = space;
    outer.ndim = kept;
    const std::int64_t outputs = outer.count(), length = space.count() / outputs;
    std::int64_t in_count = space.count(), out_count = outputs;
    std::array<std::int64_t, kMaxDims> in_strides{}, out_strides{};
    if (order != Order::Any) {
      std::int64_t stride = 1;
      for (int i = space.ndim - 1; i >= 0; --i) {
        const int d = order == Order::Rows ? i : (i + kept) % space.ndim;  // columns: the kept ones innermost
        in_strides[static_cast<std::size_t>(d)] = stride, stride *= space.sizes[static_cast<std::size_t>(d)];
      }
      stride = 1;
      for (int d = kept - 1; d >= 0; --d)
        out_strides[static_cast<std::size_t>(d)] = stride, stride *= space.sizes[static_cast<std::size_t>(d)];
    } else {
      in_strides = choose.strides(space, true, in_count);
      out_strides = choose.strides(outer, false, out_count);
    }
    Array source(dtype, in_count), target(result_type(op, dtype), out_count);
    if (op == ReduceOp::Prod && !is_floating(dtype))
      choose.fill(source, -1.9, 1.9);
    else if (op == ReduceOp::Prod)
      choose.fill(source, 0.9, 1.1);
    else
      choose.fill(source, -4, 4);
    if (special != 0)
      for (std::int64_t i = choose.below(9); i < in_count; i += 1 + choose.below(5000)) source.set(i, special);
    choose.fill(target, -3, 3);
    DeviceArray in(backend(), source), out(backend(), target);
    Reduce call;
    call.op = op;
    call.extent = space;
    call.reduced = reduced;
    call.in = in.window();
    call.in.strides = in_strides;
    call.out = out.window();
    call.out.strides = out_strides;
    const bool sums = is_floating(target.dtype()) && choose.chance(0.3);
    call.store = sums ? Store::Accumulate : Store::Overwrite;
    backend().run(call);
    const Array result = out.download();
    Array expected = target;
    std::vector<double> row(static_cast<std::size_t>(length));
    std::vector<bool> touched(static_cast<std::size_t>(out_count), false);
    for (std::int64_t o = 0; o < outputs; ++o) {
      double magnitude = 0;
      for (std::int64_t i = 0; i < length; ++i) {
        row[static_cast<std::size_t>(i)] = source.get(offset_of(space, in_strides, o * length + i));
        magnitude += std::abs(row[static_cast<std::size_t>(i)]);
      }
      const std::int64_t at = offset_of(outer, out_strides, o);
      touched[static_cast<std::size_t>(at)] = true;
      double wanted = luge::test::reference(op, row) + (sums ? target.get(at) : 0);
      if (dtype == float32 && std::abs(wanted) > static_cast<double>(std::numeric_limits<float>::max()))
        wanted = std::copysign(std::numeric_limits<double>::infinity(), wanted);
      // Sums err by a few units of the sum of magnitudes; products by one rounding a factor at worst.
      double tolerance = 0;
      if (is_floating(dtype) && op != ReduceOp::ArgMin && op != ReduceOp::ArgMax) {
        tolerance = 4 * epsilon(dtype) * (std::abs(wanted) + std::abs(target.get(at)));
        if (op == ReduceOp::LogSumExp)
          tolerance += 16 * epsilon(dtype);  // a maximum of up to 4 and a logarithm are added
        if (op == ReduceOp::Sum) tolerance += 4 * epsilon(dtype) * magnitude;
        if (op == ReduceOp::Mean) tolerance += 4 * epsilon(dtype) * magnitude / static_cast<double>(length);
        if (op == ReduceOp::Prod) tolerance += static_cast<double>(length) * epsilon(float64) * std::abs(wanted);
      }
      ASSERT_TRUE(close(result.get(at), wanted, tolerance))
          << name(op) << " of " << name(dtype) << " over " << length << " elements, output " << o
          << " of " << outputs << ": " << result.get(at) << " instead of " << wanted;
    }
    for (std::int64_t i = 0; i < out_count; ++i)
      ASSERT_TRUE(touched[static_cast<std::size_t>(i)] || result.same_bits(i, target, i))
          << "wrote beside the output at " << i;
  }

  Array run(ReduceOp op, DeviceArray& in, const Extent& space, int reduced, std::initializer_list<std::int64_t> strides,
            std::initializer_list<std::int64_t> out_strides, std::int64_t outputs, DType dtype,
            std::int64_t offset = 0) {
    DeviceArray out(backend(), Array(result_type(op, dtype), outputs));
    Reduce call;
    call.op = op;
    call.extent = space;
    call.reduced = reduced;
    call.in = in.operand(strides, offset);
    call.out = out.operand(out_strides);
    backend().run(call);
    return out.download();
  }
};
LUGE_ON_EVERY_DEVICE(ReduceTest);

TEST_P(ReduceTest, EveryOpAndTypeAtEverySize) {
  Chooser choose(1);
  for (const ReduceOp op : kOps) {
    for (const DType dtype : {boolean, int32, int64, float32, float64}) {
      if (!takes(op, dtype)) continue;
      for (const std::int64_t n : kSizes) {
        if (op == ReduceOp::Prod && n > 5000) continue;
        check(op, dtype, extent({n}), 1, choose, Order::Rows);
        check(op, dtype, extent({3, n}), 1, choose, Order::Rows);
        if (n < 5000) check(op, dtype, extent({37, n}), 1, choose, Order::Columns);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(ReduceTest, AnyLayout) {
  for (const ReduceOp op : kOps) {
    for (const DType dtype : {boolean, int32, int64, float32, float64}) {
      if (!takes(op, dtype)) continue;
      for (std::uint64_t seed = 0; seed < 40; ++seed) {
        Chooser choose(seed * 100 + static_cast<std::uint64_t>(op));
        const Extent space = choose.space(1, 4, 30000);
        check(op, dtype, space, 1 + static_cast<int>(choose.below(space.ndim)), choose, Order::Any);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(ReduceTest, SpecialValues) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Chooser choose(5);
  for (const ReduceOp op : kOps) {
    for (const DType dtype : {float32, float64}) {
      for (const double special : {std::numeric_limits<double>::quiet_NaN(), kInfinity, -kInfinity}) {
        for (const std::int64_t n : {std::int64_t{5}, std::int64_t{100}, std::int64_t{20000}}) {
          check(op, dtype, extent({n}), 1, choose, Order::Rows, special);
          check(op, dtype, extent({4, n}), 1, choose, Order::Any, special);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

/// A row gives the same bits alone, among others, in the middle of memory, and as a column.
TEST_P(ReduceTest, BitsDependOnTheRowAlone) {
  for (const DType dtype : {float32, float64}) {
    for (const std::int64_t length : {std::int64_t{1}, std::int64_t{7}, std::int64_t{16}, std::int64_t{100},
                                      std::int64_t{513}, std::int64_t{8193}, std::int64_t{30000}}) {
      constexpr std::int64_t kRows = 19;
      Array rows(dtype, kRows * length), columns(dtype, kRows * length);
      Chooser choose(11);
      choose.fill(rows, -2, 3);
      for (std::int64_t r = 0; r < kRows; ++r)
        for (std::int64_t i = 0; i < length; ++i) columns.set(i * kRows + r, rows.get(r * length + i));
      DeviceArray by_row(backend(), rows), by_column(backend(), columns);
      for (const ReduceOp op : kOps) {
        const Array together = run(op, by_row, extent({kRows, length}), 1, {length, 1}, {1}, kRows, dtype);
        const Array as_columns = run(op, by_column, extent({kRows, length}), 1, {1, kRows}, {1}, kRows, dtype);
        const Array two_dims = length % 2 != 0 ? together
                                               : run(op, by_row, extent({kRows, 2, length / 2}), 2,
                                                     {length, length / 2, 1}, {1}, kRows, dtype);
        for (std::int64_t r = 0; r < kRows; ++r) {
          const Array alone = run(op, by_row, extent({length}), 1, {1}, {}, 1, dtype, r * length);
          const Array in_a_set = run(op, by_row, extent({1, length}), 1, {length, 1}, {1}, 1, dtype, r * length);
          ASSERT_TRUE(together.same_bits(r, alone, 0))
              << name(op) << " row " << r << " of length " << length;
          ASSERT_TRUE(together.same_bits(r, in_a_set, 0))
              << name(op) << " row " << r << " of length " << length;
          ASSERT_TRUE(together.same_bits(r, as_columns, r))
              << name(op) << " column " << r << " of length " << length;
          ASSERT_TRUE(together.same_bits(r, two_dims, r))
              << name(op) << " row " << r << " of length " << length;
        }
      }
    }
  }
}

TEST_P(ReduceTest, SignOfZeroIsThatOfTheFirst) {
  Array values(float32, 200);
  values.set(3, -0.0);
  for (std::int64_t i = 0; i < 3; ++i) values.set(i, -1);
  DeviceArray in(backend(), values);
  const Array result = run(ReduceOp::Max, in, extent({200}), 1, {1}, {}, 1, float32);
  EXPECT_EQ(result.at<float>(0), 0);
  EXPECT_TRUE(std::signbit(result.at<float>(0)));
}

/// The sum of float32 in the order of kernels/cuda/tree.cuh, for any number of levels.
template <class T>
double tree_sum(const std::vector<T>& values) {
  std::vector<double> states;
  for (std::size_t begin = 0; begin < values.size(); begin += 1024) {
    double lanes[32] = {};
    for (std::size_t i = begin; i < std::min(begin + 1024, values.size()); ++i)
      lanes[i / 4 % 32] += static_cast<double>(values[i]);
    for (std::size_t distance = 1; distance < 32; distance *= 2)
      for (std::size_t lane = 0; lane < 32; lane += 2 * distance) lanes[lane] += lanes[lane + distance];
    states.push_back(lanes[0]);
  }
  return states.size() == 1 ? states[0] : tree_sum(states);
}

/// The order of a sum on a GPU depends on its length alone: not on layout or alignment, how many outputs there are, or
/// which blocks have part in one.
TEST_P(ReduceTest, SumsAreMadeInOneOrder) {
  if (std::string(GetParam()) != "cuda") GTEST_SKIP() << "the CPU's order is another one";
  const std::int64_t lengths[] = {1,    31,   32,   33,   127,  128,  129,   255,   256,   257,  1023,
                                  1024, 1025, 2051, 8191, 8192, 8193, 10000, 40000, 131073};
  for (const std::int64_t length : lengths) {
    for (const std::int64_t outputs : {1, 2, 5, 33, 300}) {
      if (length * outputs > 200000) continue;
      Chooser choose(static_cast<std::uint64_t>(length + outputs));
      Array rows(float32, outputs * length);
      choose.fill(rows, -1, 1);
      std::vector<float> expected;
      for (std::int64_t o = 0; o < outputs; ++o) {
        std::vector<float> row;
        for (std::int64_t i = 0; i < length; ++i) row.push_back(rows.at<float>(o * length + i));
        expected.push_back(static_cast<float>(tree_sum(row)));
      }
      // The strides of outputs and elements, and where the first one is.
      const std::int64_t layouts[][3] = {{length, 1, 0},
                                         {length + 4 - length % 4, 1, 0},
                                         {length + 4 - length % 4, 1, 1},
                                         {2 * length + 1, 2, 3},
                                         {1, outputs, 0}};
      for (const auto& [between_outputs, between_elements, offset] : layouts) {
        Array source(float32, offset + (outputs - 1) * between_outputs + (length - 1) * between_elements + 1);
        for (std::int64_t o = 0; o < outputs; ++o)
          for (std::int64_t i = 0; i < length; ++i)
            source.set(offset + o * between_outputs + i * between_elements, rows.get(o * length + i));
        DeviceArray in(backend(), source);
        for (int again = 0; again < 2; ++again) {
          const Array sums = run(ReduceOp::Sum, in, extent({outputs, length}), 1, {between_outputs, between_elements},
                                 {1}, outputs, float32, offset);
          for (std::int64_t o = 0; o < outputs; ++o)
            ASSERT_EQ(sums.at<float>(o), expected[static_cast<std::size_t>(o)])
                << outputs << " sums of " << length << " elements, output " << o << ", strides " << between_outputs
                << " and " << between_elements << " from " << offset;
        }
      }
    }
  }
}

/// Totals of more than 1024 chunks: their groups are reduced in parallel.
TEST_P(ReduceTest, LongTotalsAreMadeInOneOrder) {
  if (std::string(GetParam()) != "cuda") GTEST_SKIP() << "the CPU's order is another one";
  constexpr std::int64_t kGroup = std::int64_t{1024} * 1024;
  for (const std::int64_t length : {kGroup - 1, kGroup, kGroup + 1, 2 * kGroup + 5000}) {
    for (const std::int64_t outputs : {1, 2}) {
      if (length * outputs > 2 * kGroup + 10000) continue;
      Array source(float32, length * outputs);
      Chooser choose(static_cast<std::uint64_t>(length));
      choose.fill(source, -1, 1);
      DeviceArray in(backend(), source);
      for (int again = 0; again < 2; ++again) {
        const Array sums =
            run(ReduceOp::Sum, in, extent({outputs, length}), 1, {length, 1}, {1}, outputs, float32);
        const Array largest =
            run(ReduceOp::ArgMax, in, extent({outputs, length}), 1, {length, 1}, {1}, outputs, float32);
        for (std::int64_t o = 0; o < outputs; ++o) {
          std::vector<float> row;
          std::vector<double> values;
          for (std::int64_t i = 0; i < length; ++i) {
            row.push_back(source.at<float>(o * length + i));
            values.push_back(source.get(o * length + i));
          }
          EXPECT_EQ(sums.at<float>(o), static_cast<float>(tree_sum(row))) << length << " elements";
          EXPECT_EQ(largest.at<std::int64_t>(o), position(values, true)) << length << " elements";
        }
      }
    }
  }
}

TEST_P(ReduceTest, LongSumsKeepTheirDigits) {
  constexpr std::int64_t kN = 3'000'000;
  Array values(float32, kN);
  for (std::int64_t i = 0; i < kN; ++i) values.set(i, 0.1);
  DeviceArray in(backend(), values);
  const Array sum = run(ReduceOp::Sum, in, extent({kN}), 1, {1}, {}, 1, float32);
  const double exact = static_cast<double>(0.1F) * static_cast<double>(kN);
  EXPECT_NEAR(sum.get(0), exact, exact * 4 * epsilon(float32));
}

}  // namespace
}  // namespace luge::test
