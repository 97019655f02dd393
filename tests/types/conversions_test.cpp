// The conversions of 16-bit floating numbers, bit by bit.

#include <cstring>
#include <limits>
#include <vector>

#include <luge/math/half.h>

#include "devices.h"
#include "expect.h"
#include "half_reference.h"

namespace luge::test {
namespace {

template <class Half>
class Halves : public ::testing::Test {
 protected:
  static constexpr DType kDType = std::is_same_v<Half, math::Float16> ? float16 : bfloat16;
  const HalfFormat format = format_of(kDType);

  template <class T>
  void expect_nearest(T x) {
    const std::uint16_t actual = math::to_half<Half>(x).bits;
    if (x != x)
      ASSERT_TRUE(is_half_nan(actual, format));
    else
      ASSERT_EQ(actual, half_bits(static_cast<long double>(x), format)) << x;
  }
};
using HalfTypes = ::testing::Types<math::Float16, math::BFloat16>;
TYPED_TEST_SUITE(Halves, HalfTypes);

TYPED_TEST(Halves, EveryOneBecomesTheSameNumberAndComesBack) {
  for (int bits = 0; bits < 0x10000; ++bits) {
    const TypeParam half{static_cast<std::uint16_t>(bits)};
    const float wide = math::to_float(half);
    const long double expected = half_value(half.bits, this->format);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(wide));
      ASSERT_TRUE(is_half_nan(math::to_half<TypeParam>(wide).bits, this->format));
      ASSERT_EQ(std::signbit(wide), bits >> 15 != 0);
      continue;
    }
    ASSERT_EQ(static_cast<long double>(wide), expected) << bits;
    ASSERT_EQ(std::signbit(wide), std::signbit(expected)) << bits;
    ASSERT_EQ(math::to_half<TypeParam>(wide).bits, bits);
    ASSERT_EQ(math::to_half<TypeParam>(static_cast<double>(wide)).bits, bits);
  }
}

TYPED_TEST(Halves, MidpointsAndTheirNeighboursAreRoundedOnce) {
  constexpr double kUp = std::numeric_limits<double>::infinity();
  for (int bits = 0; bits < 0x7F80; ++bits) {
    const long double low = half_value(static_cast<std::uint16_t>(bits), this->format);
    long double high = half_value(static_cast<std::uint16_t>(bits + 1), this->format);
    if (!std::isfinite(low)) break;
    // Half way to the power of two that would come next begins what becomes infinite.
    if (!std::isfinite(high)) high = low + (low - half_value(static_cast<std::uint16_t>(bits - 1), this->format));
    const auto middle = static_cast<double>((low + high) / 2);
    for (const double sign : {1.0, -1.0}) {
      for (const double x : {middle, std::nextafter(middle, kUp), std::nextafter(middle, -kUp)})
        this->expect_nearest(sign * x);
      const auto single = static_cast<float>(middle);
      for (const float x : {single, std::nextafterf(single, HUGE_VALF), std::nextafterf(single, -HUGE_VALF)})
        this->expect_nearest(static_cast<float>(sign) * x);
    }
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(Halves, FloatsOfEveryKind) {
  for (std::uint64_t bits = 0; bits < std::uint64_t{1} << 32; bits += 1009) {
    this->expect_nearest(math::float_of(static_cast<std::uint32_t>(bits)));
    if (this->HasFatalFailure()) return;
  }
  for (const double x : {1e300, -1e300, 1e-300, -1e-300, 0.0, -0.0, HUGE_VAL, -HUGE_VAL, std::nan(""),
                         5e-324, -5e-324, std::numeric_limits<double>::max(), double{std::numeric_limits<float>::max()},
                         0x1.ffffffp127, 65519.99999999, 65520.0, 65519.0, 0x1p-25, 0x1.0000001p-25, 0x1p-134}) {
    this->expect_nearest(x);
    this->expect_nearest(static_cast<float>(x));
  }
}

TYPED_TEST(Halves, IntegersAreRoundedOnce) {
  for (int shift = 0; shift < 63; ++shift)
    for (const std::int64_t factor : {1, 129, 257, 385, 511, 2049, 4097, 0x1FFFF})
      for (std::int64_t near = -3; near <= 3; ++near) {
        std::int64_t x = 0;
        if (__builtin_mul_overflow(factor, std::int64_t{1} << shift, &x)) continue;
        if (__builtin_add_overflow(x, near, &x)) continue;
        this->expect_nearest(x);
        this->expect_nearest(-x);
        if (this->HasFatalFailure()) return;
      }
  this->expect_nearest(std::numeric_limits<std::int64_t>::min());
  this->expect_nearest(std::numeric_limits<std::int64_t>::max());
}

class StoredTypes : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(StoredTypes);

/// Values at the ends and ties of every type.
const std::vector<double> kNumbers = {
    0,     -0.0,  1,      -1,    0.5,   1.5,   2.5,   127,    128,  -128, -129,  255,        256,  257,  32767,
    32768, -32768, 65504, 65519, 65520, 70000, 3.4e38, 1e-7, 6e-8, 1e-40, 2147483647, -7.9, 2049, 2051, 0.1};

TEST_P(StoredTypes, FloatingNumbersAreStoredAsTheNearest) {
  for (const DType dtype : {float16, bfloat16})
    for (const DType from : {float32, float64}) {
      const Tensor given = from_host(kNumbers, {static_cast<std::int64_t>(kNumbers.size())}, device()).to(from);
      std::vector<double> expected;
      for (const double x : given.to_vector<double>())
        expected.push_back(static_cast<double>(half_value(half_bits(x, format_of(dtype)), format_of(dtype))));
      const Tensor stored = given.to(dtype);
      EXPECT_TRUE(has_values(stored, given.shape(), dtype, expected));
      EXPECT_TRUE(has_values(stored.to(from), given.shape(), from, expected));
      EXPECT_EQ(std::signbit(stored.to_vector<double>()[1]), true);
    }
}

template <class T>
void expect_wrapped(const Tensor& given, DType dtype) {
  std::vector<double> expected;
  for (const std::int64_t x : given.to_vector<std::int64_t>()) expected.push_back(static_cast<T>(x));
  EXPECT_TRUE(has_values(given.to(dtype), given.shape(), dtype, expected)) << name(given.dtype());
}

TEST_P(StoredTypes, IntegersWrapAndFractionsAreCutOff) {
  std::vector<std::int64_t> whole{0,   1,   -1,   127,   128,   -128,   -129,  255,
                                  256, 300, -300, 32767, 32768, -32769, 65543, -2147483647};
  const auto n = static_cast<std::int64_t>(whole.size());
  const Tensor x = from_host(whole, {n}, device());
  std::vector<std::int64_t> large = whole;
  for (std::int64_t& value : large) value += std::int64_t{5} << 40;
  const Tensor far = from_host(large, {n}, device());
  for (const Tensor& given : {x, x.to(int32), far, x.to(float32), x.to(float64)}) {
    expect_wrapped<std::uint8_t>(given, uint8);
    expect_wrapped<std::int8_t>(given, int8);
    expect_wrapped<std::int16_t>(given, int16);
  }
  const Tensor fractions = tensor({-1.9, -0.9, 0.9, 1.9, std::nan("")}, on(float32));
  EXPECT_TRUE(has_values(fractions.to(int8), {5}, int8, {-1, 0, 0, 1, 0}));
  EXPECT_TRUE(has_values(fractions.to(bfloat16).to(uint8), {5}, uint8, {255, 0, 0, 1, 0}));
  EXPECT_TRUE(has_values(x.to(int16).to(boolean), {n}, boolean, {0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}));
}

TEST_P(StoredTypes, EveryTypeReachesEveryOther) {
  const DType all[] = {boolean, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64};
  for (const DType from : all)
    for (const DType to : all) {
      // Small numbers that every type holds, in two layouts.
      const Tensor given = arange(0, 24, 1, on(int64)).to(from).view({4, 6});
      for (const Tensor& x : {given, given.t(), given.slice(1, 1, 6, 2)}) {
        std::vector<double> expected = x.to_vector<double>();
        if (to == boolean)
          for (double& value : expected) value = value != 0;
        EXPECT_TRUE(has_values(x.to(to), x.shape(), to, expected)) << name(from) << " to " << name(to);
      }
    }
}

}  // namespace
}  // namespace luge::test
