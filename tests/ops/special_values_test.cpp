// NaN, infinities, zeros with a sign, kinks and ties: as IEEE 754 and PyTorch have them.

#include <limits>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

constexpr double kInf = kInfinity;

class SpecialValueTest : public DeviceTest {
 protected:
  /// One call for a whole vector of repeats, so that the vector loops see the values as well as the tail.
  void expect(const char* what, const std::function<Tensor(const Tensor&)>& f, const std::vector<double>& x, const std::vector<double>& y,
              double tolerance = 0) {
    for (const DType dtype : {float32, float64}) {
      for (const int copies : {1, 7}) {
        std::vector<double> in, out;
        for (int i = 0; i < copies; ++i) {
          in.insert(in.end(), x.begin(), x.end());
          out.insert(out.end(), y.begin(), y.end());
        }
        const auto n = static_cast<std::int64_t>(in.size());
        const Tensor result = f(from_host(in, {n}, device()).to(dtype));
        EXPECT_TRUE(has_values(result, {n}, result.dtype(), out, tolerance)) << what << " of " << name(dtype);
        if (!is_floating(result.dtype())) continue;
        const std::vector<double> values = result.to_vector<double>();
        for (std::size_t i = 0; i < values.size(); ++i)
          EXPECT_TRUE(out[i] != 0 || std::signbit(values[i]) == std::signbit(out[i])) << what << ", sign of zero " << i;
      }
    }
  }
  void expect_slopes(const char* what, const std::function<Tensor(const Tensor&)>& f, const std::vector<double>& x,
                     const std::vector<double>& slopes) {
    const auto slope = [&](const Tensor& in) {
      Tensor leaf = in.detach().requires_grad_();
      f(leaf).sum().backward();
      return leaf.grad() + 0.0;  // -0 counts as 0 here
    };
    expect(what, slope, x, slopes, 1e-6);
  }
  /// Every value of `x` with every value of `x`.
  void expect_pairs(const char* what, const std::function<Tensor(const Tensor&, const Tensor&)>& f, const std::vector<double>& x,
                    const std::function<double(double, double)>& exact) {
    for (const DType dtype : {float32, float64}) {
      const auto n = static_cast<std::int64_t>(x.size());
      const Tensor a = from_host(x, {n, 1}, device()).to(dtype), b = from_host(x, {n}, device()).to(dtype);
      std::vector<double> expected;
      for (const double left : x)
        for (const double right : x) expected.push_back(exact(left, right));
      const Tensor result = f(a, b), packed = f(a.expand({n, n}).clone(), b.expand({n, n}).clone());
      EXPECT_TRUE(has_values(result, {n, n}, result.dtype(), expected)) << what;
      EXPECT_TRUE(same(packed, result)) << what;
    }
  }
};
LUGE_ON_EVERY_DEVICE(SpecialValueTest);

#define LUGE_OF(function) #function, [](const Tensor& only) { return luge::function(only); }
#define LUGE_OF_TWO(function) #function, [](const Tensor& left, const Tensor& right) { return luge::function(left, right); }

TEST_P(SpecialValueTest, OfOneInput) {
  const std::vector<double> x{kNaN, kInf, -kInf, 0.0, -0.0};
  expect(LUGE_OF(neg), x, {kNaN, -kInf, kInf, -0.0, 0.0});
  expect(LUGE_OF(square), x, {kNaN, kInf, kInf, 0.0, 0.0});
  expect(LUGE_OF(abs), x, {kNaN, kInf, kInf, 0.0, 0.0});
  expect(LUGE_OF(sign), {kNaN, kInf, -kInf, 0.0, -0.0}, {kNaN, 1, -1, 0.0, 0.0});
  expect(LUGE_OF(sqrt), {kNaN, kInf, -kInf, 0.0, -0.0, -1}, {kNaN, kInf, kNaN, 0.0, -0.0, kNaN});
  expect(LUGE_OF(rsqrt), {kNaN, kInf, -1, 0.0}, {kNaN, 0.0, kNaN, kInf});
  expect(LUGE_OF(exp), x, {kNaN, kInf, 0.0, 1, 1});
  expect(LUGE_OF(expm1), x, {kNaN, kInf, -1, 0.0, -0.0});
  expect(LUGE_OF(log), {kNaN, kInf, -kInf, 0.0, -0.0, 1, -1}, {kNaN, kInf, kNaN, -kInf, -kInf, 0.0, kNaN});
  expect(LUGE_OF(log1p), {kNaN, kInf, -1, 0.0, -0.0, -2}, {kNaN, kInf, -kInf, 0.0, -0.0, kNaN});
  expect(LUGE_OF(sin), x, {kNaN, kNaN, kNaN, 0.0, -0.0});
  expect(LUGE_OF(cos), x, {kNaN, kNaN, kNaN, 1, 1});
  expect(LUGE_OF(tanh), x, {kNaN, 1, -1, 0.0, -0.0});
  expect(LUGE_OF(sigmoid), x, {kNaN, 1, 0.0, 0.5, 0.5});
  expect(LUGE_OF(relu), {kNaN, kInf, -kInf, 0.0, -3}, {kNaN, kInf, 0.0, 0.0, 0.0});
  expect(LUGE_OF(gelu), {kNaN, kInf, 0.0, 50}, {kNaN, kInf, 0.0, 50});
  expect(LUGE_OF(silu), {kNaN, kInf, 0.0}, {kNaN, kInf, 0.0});
  expect(LUGE_OF(isnan), x, {1, 0, 0, 0, 0});
  expect(LUGE_OF(isfinite), x, {0, 0, 0, 1, 1});
  expect(LUGE_OF(logical_not), x, {0, 0, 0, 1, 1});
  expect("softplus", [](const Tensor& t) { return t.softplus(); }, {kNaN, kInf, -kInf, 0, 1000}, {kNaN, kInf, 0.0, std::log(2), 1000}, 1e-7);
  expect("leaky_relu", [](const Tensor& t) { return t.leaky_relu(0.25); }, x, {kNaN, kInf, -kInf, 0.0, -0.0});
  expect("clamp", [](const Tensor& t) { return t.clamp(-1, 1); }, x, {kNaN, 1, -1, 0.0, -0.0});
}

TEST_P(SpecialValueTest, LargeArgumentsDoNotOverflow) {
  expect(LUGE_OF(sigmoid), {-1000, -80, 80, 1000}, {0.0, 1.8048513878454153e-35, 1, 1}, 1e-41);
  expect(LUGE_OF(tanh), {-1000, 1000}, {-1, 1});
  expect_slopes(LUGE_OF(sigmoid), {-1000, 1000}, {0, 0});
  expect_slopes(LUGE_OF(tanh), {-1000, 1000}, {0, 0});
  expect_slopes(LUGE_OF(silu), {-1000, 1000}, {0, 1});
  expect_slopes(LUGE_OF(gelu), {-1000, 1000}, {0, 1});
  expect_slopes("softplus", [](const Tensor& t) { return t.softplus(); }, {-1000, 1000}, {0, 1});
}

TEST_P(SpecialValueTest, OfTwoInputs) {
  const std::vector<double> x{kNaN, kInf, -kInf, 0.0, 1, -2};
  expect_pairs(LUGE_OF_TWO(add), x, [](double a, double b) { return a + b; });
  expect_pairs(LUGE_OF_TWO(sub), x, [](double a, double b) { return a - b; });
  expect_pairs(LUGE_OF_TWO(mul), x, [](double a, double b) { return a * b; });
  expect_pairs(LUGE_OF_TWO(div), x, [](double a, double b) { return a / b; });
  expect_pairs(LUGE_OF_TWO(pow), x, [](double a, double b) { return std::pow(a, b); });
  expect_pairs(LUGE_OF_TWO(maximum), x, [](double a, double b) { return std::isnan(a) || std::isnan(b) ? kNaN : std::max(a, b); });
  expect_pairs(LUGE_OF_TWO(minimum), x, [](double a, double b) { return std::isnan(a) || std::isnan(b) ? kNaN : std::min(a, b); });
  expect_pairs(LUGE_OF_TWO(eq), x, [](double a, double b) { return a == b; });
  expect_pairs(LUGE_OF_TWO(ne), x, [](double a, double b) { return a != b; });
  expect_pairs(LUGE_OF_TWO(lt), x, [](double a, double b) { return a < b; });
  expect_pairs(LUGE_OF_TWO(le), x, [](double a, double b) { return a <= b; });
  expect_pairs(LUGE_OF_TWO(gt), x, [](double a, double b) { return a > b; });
  expect_pairs(LUGE_OF_TWO(ge), x, [](double a, double b) { return a >= b; });
  expect_pairs(LUGE_OF_TWO(logical_and), x, [](double a, double b) { return a != 0 && b != 0; });
  expect_pairs(LUGE_OF_TWO(logical_or), x, [](double a, double b) { return a != 0 || b != 0; });
  expect_pairs(LUGE_OF_TWO(logical_xor), x, [](double a, double b) { return (a != 0) != (b != 0); });
  expect("0 == -0", [&](const Tensor& t) { return t == 0.0; }, {0.0, -0.0}, {1, 1});
  expect("where", [&](const Tensor& t) { return where(t.isnan(), 0.5, t); }, {kNaN, kInf, 1}, {0.5, kInf, 1});
}

TEST_P(SpecialValueTest, IntegersDivideAsFloats) {
  const Tensor a = tensor({1, -1, 0, 7}, on(int64)), b = tensor({2, 0, 0, 7}, on(int64));
  EXPECT_TRUE(has_values(a / b, {4}, float32, {0.5, -kInf, kNaN, 1}));
  EXPECT_TRUE(has_values(a / 4, {4}, float32, {0.25, -0.25, 0, 1.75}));
}

TEST_P(SpecialValueTest, IntegersWrapAround) {
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  const Tensor x = from_host(std::vector<std::int64_t>{most, -most - 1}, {2}, device());
  EXPECT_EQ((x + 1).to_vector<std::int64_t>()[0], -most - 1);
  EXPECT_EQ((-x).to_vector<std::int64_t>()[1], -most - 1);
  EXPECT_EQ((x * 2).to_vector<std::int64_t>(), (std::vector<std::int64_t>{-2, 0}));
  const Tensor y = from_host(std::vector<std::int32_t>{std::numeric_limits<std::int32_t>::max()}, {1}, device());
  EXPECT_EQ((y + 1).to_vector<std::int32_t>()[0], std::numeric_limits<std::int32_t>::min());
  // Not rounded through a float on the way.
  EXPECT_EQ(maximum(x, x - 1).to_vector<std::int64_t>()[0], most);
  EXPECT_EQ((x == most).to_vector<bool>(), (std::vector<bool>{true, false}));
  EXPECT_EQ((x > most - 1).to_vector<bool>(), (std::vector<bool>{true, false}));
}

TEST_P(SpecialValueTest, SlopesAtKinks) {
  expect_slopes(LUGE_OF(relu), {0.0, -0.0, kNaN}, {0, 0, 1});
  expect_slopes(LUGE_OF(abs), {0.0, -0.0}, {0, 0});
  expect_slopes(LUGE_OF(sign), {0.0, 1, -1}, {0, 0, 0});
  expect_slopes("clamp", [](const Tensor& t) { return t.clamp(-1, 1); }, {-1, 1, -1.5, 1.5, 0}, {0, 0, 0, 0, 1});
  expect_slopes("clamp(min=0)", [](const Tensor& t) { return t.clamp(0, {}); }, {0, -0.0, 1, kInf, kNaN}, {0, 0, 1, 1, 0});
  expect_slopes("clamp(max=0)", [](const Tensor& t) { return t.clamp({}, 0); }, {0, 1, -1, -kInf, kNaN}, {0, 0, 1, 1, 0});
  expect_slopes("leaky_relu", [](const Tensor& t) { return t.leaky_relu(0.25); }, {0.0, 1, -1}, {0.25, 1, 0.25});
  expect_slopes(LUGE_OF(sqrt), {0.0, 4}, {kInf, 0.25});
  expect_slopes("x^0", [](const Tensor& t) { return t.pow(0.0); }, {0.0, 2}, {0, 0});
  expect_slopes("x^1", [](const Tensor& t) { return t.pow(1.0); }, {0.0, 2}, {1, 1});
  expect_slopes("x^3", [](const Tensor& t) { return t.pow(3); }, {0.0, -2}, {0, 12});
  expect_slopes("0^x", [](const Tensor& t) { return pow(0.0, t); }, {0.0, 2}, {0, 0});
}

TEST_P(SpecialValueTest, TiesShareTheGradient) {
  for (const DType dtype : {float32, float64}) {
    Tensor a = tensor({1, 2, 3}, on(dtype, true)), b = tensor({1, 3, 2}, on(dtype, true));
    maximum(a, b).sum().backward();
    EXPECT_TRUE(has_values(a.grad(), {3}, dtype, {0.5, 0, 1}));
    EXPECT_TRUE(has_values(b.grad(), {3}, dtype, {0.5, 1, 0}));
    a.zero_grad();
    b.zero_grad();
    minimum(a, b).sum().backward();
    EXPECT_TRUE(has_values(a.grad(), {3}, dtype, {0.5, 1, 0}));
    EXPECT_TRUE(has_values(b.grad(), {3}, dtype, {0.5, 0, 1}));
  }
}

}  // namespace
}  // namespace luge::test
