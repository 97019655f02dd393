// Which dtype an operation gives: PyTorch's tables.

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

constexpr DType kAll[] = {boolean, int32, int64, float32, float64};

class PromotionTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(PromotionTest);

TEST_P(PromotionTest, OfTwoTensors) {
  for (const DType a : kAll) {
    for (const DType b : kAll) {
      SCOPED_TRACE(std::string(name(a)) + " with " + std::string(name(b)));
      const Tensor x = tensor({1, 1}, on(a)), y = tensor({1, 1}, on(b));
      const DType joined = promote(a, b);
      const DType numeric = joined == boolean ? int64 : joined, floating = is_floating(joined) ? joined : float32;
      EXPECT_TRUE(has_values(x + y, {2}, numeric, {2, 2}));
      EXPECT_TRUE(has_values(x - y, {2}, numeric, {0, 0}));
      EXPECT_TRUE(has_values(x * y, {2}, numeric, {1, 1}));
      EXPECT_TRUE(has_values(x / y, {2}, floating, {1, 1}));
      EXPECT_TRUE(has_values(pow(x, y), {2}, numeric, {1, 1}));
      EXPECT_TRUE(has_values(maximum(x, y), {2}, numeric, {1, 1}));
      EXPECT_TRUE(has_values(x == y, {2}, boolean, {1, 1}));
      EXPECT_TRUE(has_values(x < y, {2}, boolean, {0, 0}));
      EXPECT_TRUE(has_values(logical_xor(x, y), {2}, boolean, {0, 0}));
      EXPECT_TRUE(has_values(where(x, x, y), {2}, joined, {1, 1}));
      EXPECT_TRUE(has_values(where(y.to(boolean), y, x), {2}, joined, {1, 1}));
    }
  }
}

TEST_P(PromotionTest, OfATensorAndANumber) {
  for (const DType dtype : kAll) {
    SCOPED_TRACE(name(dtype));
    const Tensor x = tensor({1, 1}, on(dtype));
    const DType with_int = promote(dtype, Scalar::Kind::Int), with_float = promote(dtype, Scalar::Kind::Float);
    EXPECT_TRUE(has_values(x + 2, {2}, with_int, {3, 3}));
    EXPECT_TRUE(has_values(2 - x, {2}, with_int, {1, 1}));
    EXPECT_TRUE(has_values(x + true, {2}, dtype == boolean ? int64 : dtype, {2, 2}));
    EXPECT_TRUE(has_values(x * 0.5, {2}, with_float, {0.5, 0.5}));
    EXPECT_TRUE(has_values(0.5 * x, {2}, with_float, {0.5, 0.5}));
    EXPECT_TRUE(has_values(x / 2, {2}, is_floating(dtype) ? dtype : float32, {0.5, 0.5}));
    EXPECT_TRUE(has_values(x > 0.5, {2}, boolean, {1, 1}));
    EXPECT_TRUE(has_values(x == 1, {2}, boolean, {1, 1}));
    EXPECT_TRUE(has_values(where(x, x, 0.5), {2}, with_float, {1, 1}));
    EXPECT_TRUE(has_values(where(x, 0.5, x), {2}, with_float, {0.5, 0.5}));
  }
}

TEST_P(PromotionTest, AZeroDimensionalTensorCountsAsATensor) {
  // Documented: a tensor takes part with its dtype whatever its shape; only C++ numbers are weak.
  EXPECT_EQ((tensor({1, 2}, on()) + scalar(1.0, on(float64))).dtype(), float64);
  EXPECT_EQ((tensor({1, 2}, on(int32)) + scalar(1, on(int64))).dtype(), int64);
}

TEST_P(PromotionTest, OfOneInput) {
  for (const DType dtype : kAll) {
    const Tensor x = tensor({1, 0}, on(dtype));
    const DType floating = is_floating(dtype) ? dtype : float32, numeric = dtype == boolean ? int64 : dtype;
    EXPECT_TRUE(has_values(x.exp(), {2}, floating, {std::exp(1), 1}, 1e-7));
    EXPECT_TRUE(has_values(-x, {2}, numeric, {-1, 0}));
    EXPECT_TRUE(has_values(x.relu(), {2}, numeric, {1, 0}));
    EXPECT_TRUE(has_values(x.clamp(0.5, 0.75), {2}, floating, {0.75, 0.5}));
    EXPECT_TRUE(has_values(x.clamp(0.5, {}), {2}, floating, {1, 0.5}));
    EXPECT_TRUE(has_values(x.clamp({}, 0), {2}, numeric, {0, 0}));
    EXPECT_TRUE(has_values(x.logical_not(), {2}, boolean, {0, 1}));
    EXPECT_TRUE(has_values(x.isnan(), {2}, boolean, {0, 0}));
  }
}

TEST_P(PromotionTest, PowersWithNumbers) {
  const Tensor i = tensor({2, -3}, on(int64)), x = tensor({4, 9}, on());
  EXPECT_TRUE(has_values(i.pow(2), {2}, int64, {4, 9}));
  EXPECT_TRUE(has_values(i.pow(3), {2}, int64, {8, -27}));
  EXPECT_TRUE(has_values(i.pow(2.0), {2}, float32, {4, 9}));
  EXPECT_TRUE(has_values(i.pow(0), {2}, int64, {1, 1}));
  EXPECT_TRUE(has_values(x.pow(0.5), {2}, float32, {2, 3}));
  EXPECT_TRUE(has_values(x.pow(-1), {2}, float32, {0.25, 1.0 / 9}, 1e-7));
  EXPECT_TRUE(has_values(pow(2, i.abs()), {2}, int64, {4, 8}));
  EXPECT_TRUE(has_values(tensor({1, 0}, on(boolean)).pow(2), {2}, int64, {1, 0}));
}

TEST_P(PromotionTest, NumbersOfFullWidth) {
  const std::int64_t large = (std::int64_t{1} << 53) + 1;
  EXPECT_EQ((zeros({1}, on(int64)) + large).item<std::int64_t>(), large);
  EXPECT_EQ((large - zeros({1}, on(int64))).item<std::int64_t>(), large);
  EXPECT_TRUE((full({1}, large, on(int64)) == large).item<bool>());
  EXPECT_FALSE((full({1}, large, on(int64)) == large - 1).item<bool>());
}

}  // namespace
}  // namespace luge::test
