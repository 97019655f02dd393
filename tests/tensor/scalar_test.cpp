// Numbers of the host on their way into elements: what fits is taken, anything else is an error that changes nothing.

#include <limits>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kBeyond = std::int64_t{1} << 31;

TEST(ScalarConversions, CutOffTowardsZeroAndRound) {
  EXPECT_EQ(Scalar(2.75).to<std::int32_t>("op"), 2);
  EXPECT_EQ(Scalar(-2.75).to<std::int64_t>("op"), -2);
  EXPECT_EQ(Scalar(-0.5).to<unsigned char>("op"), 0);
  EXPECT_EQ(Scalar(-2147483648.9).to<std::int32_t>("op"), std::numeric_limits<std::int32_t>::min());
  EXPECT_EQ(Scalar(2147483647.9).to<std::int32_t>("op"), std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ(Scalar(-9223372036854775808.0).to<std::int64_t>("op"), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(Scalar(1e300).to<float>("op"), std::numeric_limits<float>::infinity());
  EXPECT_TRUE(Scalar(kNan).to<bool>("op"));
  EXPECT_FALSE(Scalar(-0.0).to<bool>("op"));
}

TEST(ScalarConversions, RefuseWhatAnIntegerCannotHold) {
  const char* const text = "op: the number .* does not fit int32, whose elements are -2147483648 to 2147483647";
  for (const Scalar value : {Scalar(kBeyond), Scalar(-kBeyond - 1), Scalar(2147483648.0), Scalar(-2147483649.0),
                             Scalar(kInf), Scalar(-kInf), Scalar(kNan)})
    expect_errors({LUGE_ERROR(ValueError, text, value.to<std::int32_t>("op"))});
  for (const Scalar value : {Scalar(9223372036854775808.0), Scalar(-9.3e18), Scalar(kInf), Scalar(kNan)})
    expect_errors(
        {LUGE_ERROR(ValueError, "op: .* does not fit int64, .* 9223372036854775807", value.to<std::int64_t>("op")),
         LUGE_ERROR(ValueError, "number: .* does not fit int64", value.to_int64())});
  expect_errors(
      {LUGE_ERROR(ValueError, "op: the number -1 does not fit uint64, whose elements are 0 to 18446744073709551615",
                  Scalar(-1).to<std::uint64_t>("op")),
       LUGE_ERROR(ValueError, "number: 18446744073709551615 is given; an integer must fit into int64, .*",
                  Scalar(std::numeric_limits<std::uint64_t>::max()))});
}

class HostNumbersTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(HostNumbersTest);

TEST_P(HostNumbersTest, OutsideAnIntegersRangeAreRefusedByName) {
  Tensor x = tensor({1, 2}, on(int32));
  const Tensor mask = tensor({1, 0}, on(boolean));
  for (const Scalar value : {Scalar(kBeyond), Scalar(-kBeyond - 1)}) {
    expect_errors({
        LUGE_ERROR(ValueError, "full: .*int32", full({1}, value, on(int32))),
        LUGE_ERROR(ValueError, "full: .*int32", full({0}, value, on(int32))),
        LUGE_ERROR(ValueError, "full_like: .*int32", full_like(x, value)),
        LUGE_ERROR(ValueError, "full: .*int32", scalar(value, on(int32))),
        LUGE_ERROR(ValueError, "fill_: .*int32", x.fill_(value)),
        LUGE_ERROR(ValueError, "add: .*int32", x + value),
        LUGE_ERROR(ValueError, "add: .*int32", zeros({0}, on(int32)) + value),
        LUGE_ERROR(ValueError, "sub: .*int32", value - x),
        LUGE_ERROR(ValueError, "mul: .*int32", x * value),
        LUGE_ERROR(ValueError, "maximum: .*int32", maximum(x, value)),
        LUGE_ERROR(ValueError, "add_: .*int32", x.add_(value)),
        LUGE_ERROR(ValueError, "mul_: .*int32", x.mul_(value)),
        LUGE_ERROR(ValueError, "where: .*int32", where(mask, x, value)),
        LUGE_ERROR(ValueError, "where: .*int32", where(mask, value, x)),
        LUGE_ERROR(ValueError, "tensor: .*int32", tensor({1, value.to_double()}, on(int32))),
        LUGE_ERROR(ValueError, "tensor: .*int32", tensor({{1, value.to_double()}}, on(int32))),
    });
  }
  expect_errors({LUGE_ERROR(ValueError, "arange: .*int32", arange(0, kBeyond + 2, kBeyond, on(int32))),
                 LUGE_ERROR(ValueError, "arange: .*int32", arange(-kBeyond - 1, 0, kBeyond, on(int32))),
                 LUGE_ERROR(ValueError, "arange: step 0.1 is 0 in int64", arange(0, 1, 0.1, on(int64)))});
  EXPECT_TRUE(has_values(x, {2}, int32, {1, 2}));
  EXPECT_EQ(x.version(), 0u);
}

TEST_P(HostNumbersTest, NeitherInfinityNorNanBecomesAnInteger) {
  for (const DType dtype : {int32, int64}) {
    Tensor x = tensor({1, 2}, on(dtype));
    for (const double value : {kInf, -kInf, kNan}) {
      expect_errors({LUGE_ERROR(ValueError, "full: .*int", full({1}, value, on(dtype))),
                     LUGE_ERROR(ValueError, "fill_: .*int", x.fill_(value)),
                     LUGE_ERROR(ValueError, "tensor: .*int", tensor({value}, on(dtype)))});
    }
    EXPECT_TRUE(has_values(x, {2}, dtype, {1, 2}));
    x.fill_(2.75);
    EXPECT_TRUE(has_values(x, {2}, dtype, {2, 2}));
  }
}

TEST_P(HostNumbersTest, CompareAsTheyAre) {
  const Tensor x = tensor({-2147483648.0, 0, 2147483647}, on(int32));
  EXPECT_TRUE(has_values(x < kBeyond, {3}, boolean, {1, 1, 1}));
  EXPECT_TRUE(has_values(kBeyond > x, {3}, boolean, {1, 1, 1}));
  EXPECT_TRUE(has_values(x >= -kBeyond - 1, {3}, boolean, {1, 1, 1}));
  EXPECT_TRUE(has_values(x == 2 * kBeyond, {3}, boolean, {0, 0, 0}));  // 0 in 32 bits
}

TEST_P(HostNumbersTest, AFiniteNumberIsNotStoredAsInfinity) {
  Tensor x = zeros({2}, on());
  expect_errors({LUGE_ERROR(ValueError, "full: the number 1e.300 does not fit float32, .*", full({1}, 1e300, on())),
                 LUGE_ERROR(ValueError, "fill_: the number -1e.300 does not fit float32, .*", x.fill_(-1e300)),
                 LUGE_ERROR(ValueError, "linspace: .*float32", linspace(0, 1e300, 3, on()))});
  x.fill_(kInf);
  EXPECT_TRUE(has_values(x, {2}, float32, {kInf, kInf}));
  EXPECT_TRUE(has_values(ones({1}, on()) * 1e300, {1}, float32, {kInf}));  // arithmetic rounds
  EXPECT_TRUE(has_values(full({1}, 1e300, on(float64)), {1}, float64, {1e300}));
}

TEST_P(HostNumbersTest, AreReadOnlyAsTypesThatHoldThem) {
  expect_errors(
      {LUGE_ERROR(ValueError, "item: the number nan does not fit int64, .*", scalar(kNan, on()).item<std::int64_t>()),
       LUGE_ERROR(ValueError, "item: the number inf does not fit int32, .*", scalar(kInf, on()).item<int>()),
       LUGE_ERROR(ValueError, "item: .*int32", scalar(kBeyond, on(int64)).item<int>()),
       LUGE_ERROR(ValueError, "item: .*uint8", scalar(256, on()).item<unsigned char>())});
  EXPECT_EQ(scalar(kBeyond, on(int64)).item<std::int64_t>(), kBeyond);
  EXPECT_EQ(scalar(2.75, on()).item<int>(), 2);
}

}  // namespace
}  // namespace luge::test
