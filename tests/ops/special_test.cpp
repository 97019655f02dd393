// Special functions on every device: values from M. Abramowitz and I. Stegun's tables and closed forms, derivatives, errors.
// tests/agreement has the values of PyTorch.

#include <numbers>

#include <luge/autograd/gradcheck.h>
#include <luge/capture/step.h>
#include <luge/ops/bessel.h>
#include <luge/ops/create.h>
#include <luge/ops/frexp.h>
#include <luge/ops/normal.h>
#include <luge/ops/special.h>
#include <luge/ops/zeta.h>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class SpecialTest : public DeviceTest {
 protected:
  Tensor of(std::initializer_list<double> values) { return tensor(values, on(float64)); }
  void expect_values(const Tensor& found, const std::vector<double>& expected) {
    EXPECT_TRUE(has_values(found, {static_cast<std::int64_t>(expected.size())}, float64, expected, 1e-14));
  }
};
LUGE_ON_EVERY_DEVICE(SpecialTest);

TEST_P(SpecialTest, ValuesAreThoseOfTheTables) {
  constexpr double kPi = std::numbers::pi;
  expect_values(i0(of({0, 1, -1})), {1, 1.2660658777520084, 1.2660658777520084});
  expect_values(i1(of({0, 1, -1})), {0, 0.5651591039924851, -0.5651591039924851});
  expect_values(i0e(of({0, kInfinity})), {1, 0});
  expect_values(i1e(of({0, kInfinity})), {0, 0});
  expect_values(erfcx(of({0, -kInfinity, kInfinity})), {1, kInfinity, 0});
  expect_values(ndtri(of({0, 0.5, 1})), {-kInfinity, 0, kInfinity});
  expect_values(zeta(of({2, 4}), 1), {kPi * kPi / 6, kPi * kPi * kPi * kPi / 90});
  const MantissaAndExponent parts = frexp(of({6, -0.25, 0}));
  expect_values(parts.mantissa, {0.75, -0.5, 0});
  EXPECT_EQ(parts.exponent.to_vector<std::int32_t>(), (std::vector<std::int32_t>{3, -1, 0}));
}

TEST_P(SpecialTest, DerivativesAreThoseOfDifferences) {
  for (Tensor (*const f)(const Tensor&) : {&i0, &i0e, &i1, &i1e, &erfcx, &ndtri}) {
    const Tensor x = of({0.15, 0.4, 0.8}).requires_grad_(true);
    const GradcheckResult found = gradcheck([f](const std::vector<Tensor>& in) { return f(in[0]); }, {x});
    EXPECT_TRUE(found) << found.message;
  }
}

// Each value of such a step is read several times by the next one: there are more ways through it than can be walked.
TEST_P(SpecialTest, StepsThatReadAValueOftenAreCaptured) {
  const Tensor x = of({-1, -2});
  const auto steps = [&] {
    Tensor y = x;
    for (int i = 0; i < 3; ++i) y = y - (log_ndtr(y) + 1) * 0.1;
    return y;
  };
  auto step = capture(steps);
  EXPECT_TRUE(same(step(), steps()));
}

TEST_P(SpecialTest, FrexpTakesFloatingDTypes) {
  EXPECT_THROW(frexp(arange(3, on(int64))), DTypeError);
}

}  // namespace
}  // namespace luge::test
