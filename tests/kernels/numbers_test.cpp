// Evenly spaced and random numbers.

#include <luge/math/random.h>

#include "backend_fixture.h"

namespace luge::test {
namespace {

class IotaTest : public BackendTest {};
LUGE_ON_EVERY_DEVICE(IotaTest);

TEST_P(IotaTest, StartAndStep) {
  for (const DType dtype : {boolean, int32, int64, float32, float64}) {
    for (const std::int64_t n : kSizes) {
      DeviceArray out(backend(), Array(dtype, n));
      Iota call;
      call.n = n;
      call.out = out.operand();
      call.start = -3.25;
      call.step = 0.125;
      call.integer_start = -6;
      call.integer_step = 3;
      backend().run(call);
      const Array result = out.download();
      for (std::int64_t i = 0; i < n; ++i) {
        const auto x = static_cast<double>(i);
        const double integer = dtype == boolean ? (i != 2 ? 1 : 0) : -6 + 3 * x;
        ASSERT_EQ(result.get(i), is_floating(dtype) ? -3.25 + 0.125 * x : integer);
      }
    }
  }
}

class RandomTest : public BackendTest {
 protected:
  Array draw(Random call, DType dtype) {
    DeviceArray out(backend(), Array(dtype, call.sets * call.per_set));
    call.out = out.operand();
    backend().run(call);
    return out.download();
  }
};
LUGE_ON_EVERY_DEVICE(RandomTest);

/// The published first test vectors of Philox4x32-10: counter and key all zeros, and all ones.
TEST(Philox, KnownAnswers) {
  const math::Words zeros = math::philox({{0, 0, 0, 0}}, 0);
  EXPECT_EQ(zeros.x[0], 0x6627e8d5U);
  EXPECT_EQ(zeros.x[1], 0xe169c58dU);
  EXPECT_EQ(zeros.x[2], 0xbc57ac4cU);
  EXPECT_EQ(zeros.x[3], 0x9b00dbd8U);
  const math::Words ones = math::philox({{~0U, ~0U, ~0U, ~0U}}, ~0ULL);
  EXPECT_EQ(ones.x[0], 0x408f276dU);
  EXPECT_EQ(ones.x[1], 0x41c83b0eU);
  EXPECT_EQ(ones.x[2], 0xa20bc7c6U);
  EXPECT_EQ(ones.x[3], 0x6d5451fdU);
}

TEST_P(RandomTest, MomentsAndRange) {
  for (const DType dtype : {float32, float64}) {
    const std::int64_t n = 400000;
    const Array uniform = draw({.per_set = n, .seed = 5, .low = -2, .high = 3, .out = {}}, dtype);
    const Array normal =
        draw({.kind = Random::Kind::Normal, .per_set = n, .seed = 5, .low = 1, .high = 2, .out = {}}, dtype);
    double mean = 0, normal_mean = 0, normal_square = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      ASSERT_GE(uniform.get(i), -2);
      ASSERT_LT(uniform.get(i), 3);
      mean += uniform.get(i) / static_cast<double>(n);
      normal_mean += normal.get(i) / static_cast<double>(n);
      normal_square += (normal.get(i) - 1) * (normal.get(i) - 1) / static_cast<double>(n);
    }
    EXPECT_NEAR(mean, 0.5, 0.02);
    EXPECT_NEAR(normal_mean, 1, 0.02);
    EXPECT_NEAR(normal_square, 4, 0.05);
  }
}

/// Between 1e8 and 1e8 + 8 there is no float32, so half of the draws would round to the end.
TEST_P(RandomTest, RoundingNeverReachesTheEnd) {
  const Array uniform = draw({.per_set = 1000, .seed = 5, .low = 1e8, .high = 1e8 + 8, .out = {}}, float32);
  for (std::int64_t i = 0; i < 1000; ++i) ASSERT_EQ(uniform.get(i), 1e8);
}

TEST_P(RandomTest, IntegersCoverTheirRange) {
  for (const DType dtype : {int32, int64}) {
    const Array values = draw(
        {.kind = Random::Kind::Integer, .per_set = 10000, .seed = 9, .integer_low = -3, .integer_high = 4, .out = {}},
        dtype);
    std::array<int, 7> seen{};
    for (std::int64_t i = 0; i < values.count(); ++i) {
      ASSERT_GE(values.get(i), -3);
      ASSERT_LE(values.get(i), 3);
      ++seen[static_cast<std::size_t>(values.get(i) + 3)];
    }
    for (const int count : seen) EXPECT_NEAR(count, 10000 / 7, 200);
  }
}

TEST_P(RandomTest, ASetDrawsTheSameAloneAndInABatch) {
  for (const auto kind : {Random::Kind::Uniform, Random::Kind::Normal}) {
    const Array all = draw({.kind = kind, .sets = 50, .per_set = 37, .seed = 123, .stream = 4, .out = {}}, float32);
    for (std::int64_t s = 0; s < 50; ++s) {
      const Array one =
          draw({.kind = kind, .sets = 1, .per_set = 37, .first_set = s, .seed = 123, .stream = 4, .out = {}}, float32);
      for (std::int64_t i = 0; i < 37; ++i) ASSERT_TRUE(all.same_bits(s * 37 + i, one, i));
    }
    const Array other = draw({.kind = kind, .sets = 50, .per_set = 37, .seed = 123, .stream = 5, .out = {}}, float32);
    EXPECT_FALSE(all.same_bits(0, other, 0));
  }
}

}  // namespace
}  // namespace luge::test
