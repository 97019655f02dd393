// Every elementwise row against exact values, in every dtype, size and layout. Expands op_table.h: a new row is
// tested as soon as golden.py knows its definition, and fails until then.

#include <limits>

#include "devices.h"
#include "expect.h"
#include "ops/golden.h"

namespace luge::test {
namespace {

constexpr DType kAll[] = {boolean, int32, int64, float32, float64};
constexpr std::int64_t kSizes[] = {0, 1, 15, 16, 17, 127, 128, 129, 4095, 4096, 4097, 100000};

/// A unit in the last place of `value` in the dtype.
double ulp(double value, DType dtype) {
  if (dtype == float64) return std::nextafter(std::abs(value), HUGE_VAL) - std::abs(value);
  const float single = static_cast<float>(std::abs(value));
  return static_cast<double>(std::nextafter(single, HUGE_VALF) - single);
}

/// `n` values that repeat `values`.
std::vector<double> repeated(const std::vector<double>& values, std::int64_t n) {
  std::vector<double> result;
  for (std::int64_t i = 0; i < n; ++i) result.push_back(values[static_cast<std::size_t>(i) % values.size()]);
  return result;
}

class GoldenTest : public DeviceTest {
 protected:
  Tensor make(const std::vector<double>& values, const Shape& shape, DType dtype) const {
    return from_host(values, shape, device()).to(dtype);
  }

  /// The dtype of input i: a condition is bool, whatever the values are.
  static DType input_dtype(const Row& row, int i, DType dtype) { return row.op == Op::Where && i == 0 ? boolean : dtype; }

  static ::testing::AssertionResult within(const Tensor& result, const Shape& shape, DType dtype, const std::vector<double>& expected,
                                           const Allowance& allowance) {
    if (result.shape() != shape || result.dtype() != dtype)
      return ::testing::AssertionFailure() << to_string(result.shape()) << " of " << name(result.dtype());
    const std::vector<double> actual = result.to_vector<double>();
    for (std::size_t i = 0; i < actual.size(); ++i) {
      const bool overflows = dtype == float32 && std::abs(expected[i]) > std::numeric_limits<float>::max();
      const double exact = overflows ? std::copysign(HUGE_VAL, expected[i]) : expected[i];
      double allowed = 0;
      if (is_floating(dtype)) allowed = allowance.ulps * ulp(exact, dtype) + allowance.absolute * unit_roundoff(dtype);
      // A little more: the table's own rounding to float64.
      if (!close(actual[i], exact, allowed + 1e-16 * std::abs(exact)))
        return ::testing::AssertionFailure() << "element " << i << " is " << actual[i] << " instead of " << exact << ": off by "
                                             << std::abs(actual[i] - exact) / ulp(exact, dtype) << " ulp";
    }
    return ::testing::AssertionSuccess();
  }

  /// body(row, golden entry, dtype) for all of them.
  template <class Body>
  static void each(const Body& body) {
    for (const Row& row : rows()) {
      for (const DType dtype : kAll) {
        if (!row.claims(dtype)) continue;
        SCOPED_TRACE(std::string(row.name) + " of " + std::string(name(dtype)));
        const Golden* const golden = find_golden(row, dtype);
        ASSERT_NE(golden, nullptr) << "golden.py does not know this row";
        ASSERT_EQ(golden->inputs, row.inputs);
        ASSERT_EQ(golden->parameters, row.parameters);
        ASSERT_GT(golden->points(row), row.inputs == 1 && dtype == boolean ? 1 : 3);
        body(row, *golden, dtype);
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  }
  static DType result_dtype(const Row& row, DType dtype) { return row.keeps_dtype ? dtype : boolean; }
};
LUGE_ON_EVERY_DEVICE(GoldenTest);

TEST_P(GoldenTest, EverySize) {
  each([&](const Row& row, const Golden& golden, DType dtype) {
    for (const std::int64_t n : kSizes) {
      std::vector<Tensor> inputs;
      for (int i = 0; i < row.inputs; ++i)
        inputs.push_back(make(repeated(golden.column(row, i), n), {n}, input_dtype(row, i, dtype)));
      ASSERT_TRUE(within(row.call(inputs), {n}, result_dtype(row, dtype), repeated(golden.column(row, row.inputs), n), forward_allowance(row.op)))
          << "size " << n;
    }
  });
}

TEST_P(GoldenTest, EveryLayout) {
  each([&](const Row& row, const Golden& golden, DType dtype) {
    const std::int64_t n = 12 * 35;
    const std::vector<double> expected = repeated(golden.column(row, row.inputs), n);
    std::vector<Tensor> plain, transposed, sliced, reversed_sizes;
    for (int i = 0; i < row.inputs; ++i) {
      const Tensor x = make(repeated(golden.column(row, i), n), {12, 35}, input_dtype(row, i, dtype));
      plain.push_back(x);
      transposed.push_back(x.t().contiguous().t());
      Tensor gaps = zeros({13, 36, 2}, on(x.dtype())).slice(0, 1).slice(1, 1).select(2, 1);
      sliced.push_back(gaps.copy_(x));
      reversed_sizes.push_back(x.view({3, 4, 5, 7}).permute({3, 1, 0, 2}).contiguous().permute({2, 1, 3, 0}));
    }
    const DType out = result_dtype(row, dtype);
    const Allowance allowance = forward_allowance(row.op);
    EXPECT_TRUE(within(row.call(plain), {12, 35}, out, expected, allowance)) << "contiguous";
    EXPECT_TRUE(within(row.call(transposed), {12, 35}, out, expected, allowance)) << "transposed";
    EXPECT_TRUE(within(row.call(sliced), {12, 35}, out, expected, allowance)) << "sliced";
    EXPECT_TRUE(within(row.call(reversed_sizes), {3, 4, 5, 7}, out, expected, allowance)) << "permuted";
    std::vector<Tensor> mixed = {transposed[0]};
    for (int i = 1; i < row.inputs; ++i) mixed.push_back(i == 1 ? plain[1] : sliced[2]);
    EXPECT_TRUE(within(row.call(mixed), {12, 35}, out, expected, allowance)) << "mixed";
    // The same bits whatever the layout, against one element at a time.
    const Tensor whole = row.call(plain), other = row.call(mixed);
    EXPECT_TRUE(same(other, whole));
    for (const std::int64_t at : {0, 1, 6, 34}) {
      std::vector<Tensor> single;
      for (const Tensor& x : plain) single.push_back(x[11][at]);
      EXPECT_TRUE(same(row.call(single), whole[11][at])) << "one element, 0-d";
    }
  });
}

TEST_P(GoldenTest, EveryBroadcast) {
  each([&](const Row& row, const Golden& golden, DType dtype) {
    const DType out = result_dtype(row, dtype);
    const Allowance allowance = forward_allowance(row.op);
    if (row.inputs == 1) {  // repeats of an expanded input
      const std::vector<double> x = golden.column(row, 0), y = golden.column(row, 1);
      std::vector<double> rows_repeat, columns_repeat;
      for (int copy = 0; copy < 5; ++copy) rows_repeat.insert(rows_repeat.end(), y.begin(), y.end());
      for (const double v : y) columns_repeat.insert(columns_repeat.end(), 5, v);
      const auto n = static_cast<std::int64_t>(x.size());
      EXPECT_TRUE(within(row.call({make(x, {n}, dtype).expand({5, n})}), {5, n}, out, rows_repeat, allowance));
      EXPECT_TRUE(within(row.call({make(x, {n, 1}, dtype).expand({n, 5})}), {n, 5}, out, columns_repeat, allowance));
      return;
    }
    // The entry is a grid: rows of the first value (or pairs of it), columns of the second.
    const std::vector<double> result = golden.column(row, row.inputs);
    const std::vector<double> last = golden.column(row, row.inputs - 1);
    std::int64_t columns = 1;
    while (columns < static_cast<std::int64_t>(last.size()) &&
           golden.column(row, row.inputs - 2)[static_cast<std::size_t>(columns)] == golden.column(row, row.inputs - 2)[0])
      ++columns;
    const std::int64_t conditions = row.inputs == 3 ? 2 : 1;
    const auto rows_of_grid = static_cast<std::int64_t>(last.size()) / columns / conditions;
    const Shape shape{conditions, rows_of_grid, columns};
    std::vector<Tensor> full;
    for (int i = 0; i < row.inputs; ++i) full.push_back(make(golden.column(row, i), shape, input_dtype(row, i, dtype)));
    const Tensor b = full.back().select(0, 0).select(0, 0);                                      // (columns)
    const Tensor a = full[static_cast<std::size_t>(row.inputs) - 2].select(0, 0).slice(1, 0, 1);  // (rows, 1)
    const auto call = [&](const Tensor& left, const Tensor& right) {
      if (row.inputs == 2) return row.call({left, right});
      return row.call({full[0].slice(1, 0, 1).slice(2, 0, 1), left, right});
    };
    const Tensor a_full = full[static_cast<std::size_t>(row.inputs) - 2];
    const Shape expected = row.inputs == 2 ? Shape{rows_of_grid, columns} : shape;
    EXPECT_TRUE(within(call(a, b), expected, out, result, allowance)) << "outer";
    EXPECT_TRUE(within(call(a_full, b), shape, out, result, allowance)) << "a row";
    EXPECT_TRUE(within(call(a, full.back()), shape, out, result, allowance)) << "a column";
    EXPECT_TRUE(within(call(a.contiguous(), b.unsqueeze(0).contiguous()), expected, out, result, allowance)) << "both 2-d";
    EXPECT_TRUE(within(call(a.unsqueeze(0).expand({4, -1, -1}).contiguous().slice(0, 1, 2), b), shape, out, result, allowance)) << "a batch of one";
    const Tensor whole = call(a_full, full.back());
    for (std::int64_t c = 0; row.inputs == 2 && c < columns; c += 3)
      EXPECT_TRUE(same(call(a_full.select(2, c), b[c]), whole.select(2, c))) << "with a 0-d tensor";
  });
}

TEST_P(GoldenTest, NumbersOnEitherSide) {
#define LUGE_ROW(function, Formula, ...)                                                        \
  for (const DType dtype : kAll) {                                                              \
    SCOPED_TRACE(#function);                                                                    \
    const Row& row = rows()[static_cast<std::size_t>(Op::Formula)];                             \
    if (!row.claims(dtype) || dtype == boolean) continue;                                       \
    const Tensor x = make({1, 2, 3}, {3}, dtype), two = make({2}, {}, dtype);                   \
    EXPECT_TRUE(same(luge::function(x, 2), luge::function(x, two)));                            \
    EXPECT_TRUE(same(luge::function(2, x), luge::function(two, x)));                            \
    EXPECT_TRUE(same(x.function(2), luge::function(x, two)));                                   \
    EXPECT_TRUE(same(x.function(two), luge::function(x, two)));                                 \
  }
  LUGE_BINARY_OPS(LUGE_ROW)
  LUGE_COMPARE_OPS(LUGE_ROW)
#undef LUGE_ROW
}

TEST_P(GoldenTest, MethodsAreTheFunctions) {
  const Tensor x = make({0.25, 0.5, 2}, {3}, float32);
#define LUGE_ROW(function, ...) EXPECT_TRUE(same(x.function(), luge::function(x)));
  LUGE_UNARY_OPS(LUGE_ROW)
  LUGE_TEST_OPS(LUGE_ROW)
#undef LUGE_ROW
  EXPECT_TRUE(same(x.clamp(0.3, 1), clamp(x, 0.3, 1)));
  EXPECT_TRUE(same(x.leaky_relu(), leaky_relu(x, 0.01)));
  EXPECT_TRUE(same(x.softplus(), softplus(x, 1)));
}

TEST_P(GoldenTest, Derivatives) {
  each([&](const Row& row, const Golden& golden, DType dtype) {
    if (!golden.has_derivatives(row)) return;
    for (const std::int64_t n : {golden.points(row), std::int64_t{4097}}) {
      std::vector<Tensor> inputs;
      for (int i = 0; i < row.inputs; ++i) {
        inputs.push_back(make(repeated(golden.column(row, i), n), {n}, input_dtype(row, i, dtype)));
        if (input_dtype(row, i, dtype) == dtype) inputs.back().requires_grad_();
      }
      row.call(inputs).sum().backward();
      const int first = row.inputs - golden.derivatives(row);
      for (int i = first; i < row.inputs; ++i) {
        const std::vector<double> expected = repeated(golden.column(row, row.inputs + 1 + i - first), n);
        EXPECT_TRUE(within(inputs[static_cast<std::size_t>(i)].grad(), {n}, dtype, expected, backward_allowance(row.op))) << "by input " << i;
      }
    }
  });
}

TEST_P(GoldenTest, OtherInputsAreConvertedFirst) {
  // Float rows take integers and bool as float32, Logical rows "is not zero". What arithmetic of bools is, promotion_test.cpp
  // says.
  for (const Row& row : rows()) {
    SCOPED_TRACE(row.name);
    for (const DType dtype : kAll) {
      if (row.claims(dtype) || row.inputs == 3 || accepted(row.op) == DTypes::Numeric || accepted(row.op) == DTypes::Integral)
        continue;
      const DType computed = accepted(row.op) == DTypes::Float ? float32 : boolean;
      const Tensor x = make({1, 0, 1}, {3}, dtype);
      std::vector<Tensor> given(static_cast<std::size_t>(row.inputs), x), converted(given.size(), x.to(computed));
      EXPECT_TRUE(same(row.call(given), row.call(converted))) << name(dtype);
      EXPECT_EQ(row.call(given).dtype(), row.keeps_dtype ? computed : boolean);
    }
  }
}

}  // namespace
}  // namespace luge::test
