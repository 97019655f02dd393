// The derivative of every differentiable row in two ways: dual numbers through the very formula, and central
// differences through the tape for every layout.

#include "devices.h"
#include "expect.h"
#include "ops/dual.h"
#include "ops/rows.h"

namespace luge::test {
namespace {

namespace formulas = luge::math::scalar;

/// Points of a row's range, away from its kink.
std::vector<double> inputs_of(const Row& row, std::int64_t n, double turn) {
  std::vector<double> result;
  for (std::int64_t i = 0; i < n; ++i) {
    const double part = std::fmod(static_cast<double>(i) * 0.61803398874989 + turn, 1.0);
    double x = row.low + (row.high - row.low) * part;
    for (const double kink : {row.kink, -row.kink})
      if (std::abs(x - kink) < 0.02) x = kink + std::copysign(0.05, x - kink);
    result.push_back(x);
  }
  return result;
}

class DerivativeTest : public DeviceTest {
 protected:
  Tensor make(const std::vector<double>& values, const Shape& shape) const { return from_host(values, shape, device()); }
  /// The inputs of a row with these shapes; the condition of where is bool and needs no gradient.
  std::vector<Tensor> make_inputs(const Row& row, const std::vector<Shape>& shapes) const {
    std::vector<Tensor> result;
    for (int i = 0; i < row.inputs; ++i) {
      const Shape& shape = shapes[static_cast<std::size_t>(i) % shapes.size()];
      const std::int64_t n = element_count(shape);
      if (row.op == Op::Where && i == 0) {
        std::vector<double> condition;
        for (std::int64_t k = 0; k < n; ++k) condition.push_back(static_cast<double>(k % 3 == 1));
        result.push_back(make(condition, shape).to(boolean));
      } else {
        result.push_back(make(inputs_of(row, n, 0.21 * i), shape).requires_grad_());
      }
    }
    return result;
  }
};
LUGE_ON_EVERY_DEVICE(DerivativeTest);

constexpr std::int64_t kPoints = 500;

/// dual(position, which) against backward() through the tape in float64.
template <class DualAt>
void compare(const std::vector<Tensor>& inputs, const Tensor& result, int first, const DualAt& dual) {
  result.sum().backward();
  const std::vector<double> values = result.to_vector<double>();
  for (int which = first; which < static_cast<int>(inputs.size()); ++which) {
    const std::vector<double> slopes = inputs[static_cast<std::size_t>(which)].grad().to_vector<double>();
    for (std::size_t i = 0; i < slopes.size(); ++i) {
      const Dual y = dual(i, which);
      // Both round a dozen times, on terms of the size of 1 and of the result.
      const double allowed = 32 * 0x1p-53 * (1 + std::abs(y.slope) + std::abs(y.value));
      ASSERT_NEAR(values[i], y.value, allowed) << "value at point " << i;
      ASSERT_NEAR(slopes[i], y.slope, allowed) << "derivative by input " << which << " at point " << i;
    }
  }
}

/// The formula itself in dual numbers, of element i; the derivative is by input `which`.
template <Op op, class Formula>
Dual dual(const Row& row, const std::vector<std::vector<double>>& in, std::size_t i, int which) {
  const auto at = [&](int input) { return Dual(in[static_cast<std::size_t>(input)][i], which == input); };
  if constexpr (op == Op::Where) {
    return Formula::forward(in[0][i] != 0, at(1), at(2));
  } else if constexpr (is_differentiable(op)) {
    Dual x[Formula::kInputs], parameters[2];
    for (int input = 0; input < Formula::kInputs; ++input) x[input] = at(input);
    for (std::size_t p = 0; p < row.parameters.size(); ++p) parameters[p] = Dual(row.parameters[p]);
    return formulas::invoke_forward<Formula>(x, parameters);
  } else {
    return Dual();
  }
}

TEST_P(DerivativeTest, DualNumbersThroughTheFormula) {
#define LUGE_ROW(function, Formula, ...)                                                                \
  if constexpr (is_differentiable(Op::Formula)) {                                                       \
    SCOPED_TRACE(#function);                                                                            \
    const Row& row = rows()[static_cast<std::size_t>(Op::Formula)];                                     \
    const std::vector<Tensor> in = make_inputs(row, {{kPoints}});                                       \
    std::vector<std::vector<double>> values;                                                            \
    for (const Tensor& x : in) values.push_back(x.to_vector<double>());                                 \
    compare(in, row.call(in), Op::Formula == Op::Where ? 1 : 0,                                         \
            [&](std::size_t i, int which) { return dual<Op::Formula, formulas::Formula>(row, values, i, which); });  \
  }
  LUGE_OPS(LUGE_ROW)
#undef LUGE_ROW
}

/// body(row) for every row with a derivative.
template <class Body>
void each_differentiable(const Body& body) {
  for (const Row& row : rows()) {
    if (!row.differentiable()) continue;
    SCOPED_TRACE(row.name);
    body(row);
  }
}

/// gradients_agree, as far as the row has gradients of gradients.
::testing::AssertionResult agree(const Row& row, const std::function<Tensor(const std::vector<Tensor>&)>& function,
                                 const std::vector<Tensor>& inputs) {
  if (row.orders() > 1) return gradients_agree(function, inputs);
  const GradcheckResult first = gradcheck(function, inputs);
  return first ? ::testing::AssertionSuccess() : ::testing::AssertionFailure() << first.message;
}

TEST_P(DerivativeTest, GradcheckOfEveryLayout) {
  each_differentiable([&](const Row& row) {
    const std::vector<Tensor> plain = make_inputs(row, {{3, 5}});
    EXPECT_TRUE(agree(row, row.call, plain)) << "contiguous";
    EXPECT_TRUE(agree(row, row.call, make_inputs(row, {{}}))) << "0-d";
    EXPECT_TRUE(agree(row, row.call, make_inputs(row, {{0}}))) << "empty";
    EXPECT_TRUE(agree(row, row.call, make_inputs(row, {{2, 0, 3}}))) << "empty, 3-d";
    std::vector<Tensor> transposed, sliced;
    for (const Tensor& x : plain) {
      const bool wanted = x.requires_grad();
      transposed.push_back(x.detach().t().contiguous().t().requires_grad_(wanted));
      Tensor gaps = full({6, 11}, 0.7, on(x.dtype())).slice(0, 1, {}, 2).slice(1, 1, {}, 2);
      sliced.push_back(gaps.copy_(x.detach()).requires_grad_(wanted));
    }
    EXPECT_TRUE(agree(row, row.call, transposed)) << "transposed";
    EXPECT_TRUE(agree(row, row.call, sliced)) << "sliced";
    std::vector<Tensor> mixed = {transposed[0]};
    for (int i = 1; i < row.inputs; ++i) mixed.push_back(i == 1 ? plain[1] : sliced[2]);
    EXPECT_TRUE(agree(row, row.call, mixed)) << "mixed";
    // Gradients that arrive transposed, repeated, or in pieces.
    const auto after = [&](const std::function<Tensor(const Tensor&)>& end) {
      return [&row, end](const std::vector<Tensor>& in) { return end(row.call(in)); };
    };
    EXPECT_TRUE(agree(row, after([](const Tensor& y) { return y.t(); }), plain)) << "transposed gradient";
    EXPECT_TRUE(agree(row, after([](const Tensor& y) { return y.sum(0); }), plain)) << "repeated rows";
    EXPECT_TRUE(agree(row, after([](const Tensor& y) { return y.sum(); }), plain)) << "repeated throughout";
    EXPECT_TRUE(agree(row, after([](const Tensor& y) { return y.select(1, 2) + y.select(1, 0); }), plain)) << "parts";
  });
}

TEST_P(DerivativeTest, GradcheckOfEveryBroadcast) {
  const std::vector<std::vector<Shape>> patterns = {
      {{3, 4}, {4}},    {{4}, {3, 4}},       {{3, 1}, {1, 4}}, {{}, {3, 2}},       {{3, 2}, {}},
      {{2, 1, 3}, {4, 1}}, {{1}, {5}},       {{1, 1}, {3}},    {{2, 3, 1, 2}, {3, 4, 1}}, {{0, 3}, {3}}, {{1}, {0}},
  };
  each_differentiable([&](const Row& row) {
    for (std::vector<Shape> shapes : patterns) {
      SCOPED_TRACE(to_string(shapes[0]) + " with " + to_string(shapes[1]));
      if (row.inputs == 1) {
        const Shape to = broadcast_shapes("test", shapes[0], shapes[1]);
        EXPECT_TRUE(agree(row, [&](const std::vector<Tensor>& in) { return row.call({in[0].expand(to)}); }, make_inputs(row, shapes)));
        continue;
      }
      if (row.inputs == 3) {
        EXPECT_TRUE(agree(row, row.call, make_inputs(row, {{1}, shapes[0], shapes[1]})));
        EXPECT_TRUE(agree(row, row.call, make_inputs(row, {shapes[1], shapes[0], {1}})));
        EXPECT_TRUE(agree(row, row.call, make_inputs(row, {shapes[0], {}, shapes[1]})));
        continue;
      }
      EXPECT_TRUE(agree(row, row.call, make_inputs(row, shapes)));
      EXPECT_TRUE(agree(row, [&](const std::vector<Tensor>& in) { return row.call(in).sum(); }, make_inputs(row, shapes)));
      // Only one side wants its gradient.
      std::vector<Tensor> one = make_inputs(row, shapes);
      one[0].requires_grad_(false);
      EXPECT_TRUE(agree(row, row.call, one));
      one = make_inputs(row, shapes);
      one[1].requires_grad_(false);
      EXPECT_TRUE(agree(row, row.call, one));
    }
  });
}

TEST_P(DerivativeTest, GradcheckWithNumbers) {
#define LUGE_ROW(function, Formula, ...)                                                                            \
  if constexpr (is_differentiable(Op::Formula)) {                                                                   \
    SCOPED_TRACE(#function);                                                                                        \
    const std::vector<Tensor> x = {make({0.6, 1.4, 2.8}, {3}).requires_grad_()};                                    \
    EXPECT_TRUE(gradients_agree([](const std::vector<Tensor>& in) { return luge::function(in[0], 1.7); }, x));      \
    EXPECT_TRUE(gradients_agree([](const std::vector<Tensor>& in) { return luge::function(1.7, in[0]); }, x));      \
    EXPECT_TRUE(gradients_agree([](const std::vector<Tensor>& in) { return luge::function(in[0], 2); }, x));        \
  }
  LUGE_BINARY_OPS(LUGE_ROW)
#undef LUGE_ROW
  const std::vector<Tensor> x = {make({0.6, 1.4, 2.8}, {3}).requires_grad_()};
  const Tensor condition = make({1, 0, 1}, {3}).to(boolean);
  EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return where(condition, in[0], 2.0); }, x));
  EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return where(condition, 2, in[0]); }, x));
  for (const double exponent : {-1.5, 0.0, 0.5, 1.0, 2.0, 3.0})
    EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return pow(in[0], exponent); }, x)) << exponent;
}

TEST_P(DerivativeTest, LargeInputsAgainstTheFormula) {
  // Above the sizes at which threads and vectors take over, the gradient is that of single elements.
  each_differentiable([&](const Row& row) {
    const std::vector<Tensor> in = make_inputs(row, {{100000}});
    row.call(in).sum().backward();
    for (const std::int64_t at : {0, 4095, 50001, 99999}) {
      std::vector<Tensor> single;
      for (const Tensor& x : in) single.push_back(x.detach()[at].clone().requires_grad_(x.requires_grad()));
      row.call(single).backward();
      for (std::size_t i = row.op == Op::Where ? 1 : 0; i < in.size(); ++i)
        EXPECT_TRUE(same(in[i].grad()[at], single[i].grad())) << "input " << i << " at " << at;
    }
  });
}

}  // namespace
}  // namespace luge::test
