// Evenly spaced and random numbers.

#include "backend_fixture.h"
#include "kernels/every_target.h"

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

/// Sets of every size around that of a counter's elements: their first numbers are those of a longer draw.
TEST_P(RandomTest, ASetDrawsTheSameAloneAndInABatch) {
  using enum Random::Kind;
  for (const auto& [kind, dtype] : {std::pair{Uniform, float32}, {Uniform, float64}, {Normal, float32},
                                    {Normal, float64}, {Integer, int32}, {Integer, int64}}) {
    for (const std::int64_t per_set : {1, 2, 3, 4, 5, 37, 512, 1025}) {
      const std::int64_t sets = per_set < 100 ? 50 : 3;
      Random call{.kind = kind, .sets = sets, .per_set = per_set, .first_set = 7, .seed = 123, .stream = 4,
                  .integer_low = -50, .integer_high = 1000000, .out = {}};
      const Array all = draw(call, dtype);
      for (std::int64_t s = 0; s < sets; ++s) {
        call.sets = 1;
        call.first_set = 7 + s;
        call.per_set = per_set + s % 9;
        const Array one = draw(call, dtype);
        for (std::int64_t i = 0; i < per_set; ++i)
          ASSERT_TRUE(all.same_bits(s * per_set + i, one, i)) << name(dtype) << " " << i << " of " << per_set;
      }
      call.per_set = per_set;
      call.sets = sets;
      call.first_set = 7;
      call.stream = 5;
      EXPECT_FALSE(all.same_bits(0, draw(call, dtype), 0));
    }
  }
}

/// Memory that vectors do not fit into: the numbers are the same, and nothing beside them is touched.
TEST_P(RandomTest, DrawsToAnyAddress) {
  for (const DType dtype : {float32, float64})
    for (const auto kind : {Random::Kind::Uniform, Random::Kind::Normal})
      for (const std::int64_t n : {1, 4, 63, 512, 1029}) {
        Random call{.kind = kind, .per_set = n, .seed = 77, .out = {}};
        const Array expected = draw(call, dtype);
        DeviceArray memory(backend(), Array(dtype, n + 4));
        call.out = memory.operand({1}, 1);
        backend().run(call);
        const Array result = memory.download();
        for (std::int64_t i = 0; i < n; ++i) ASSERT_TRUE(result.same_bits(i + 1, expected, i)) << i << " of " << n;
        for (const std::int64_t i : {std::int64_t{0}, n + 1, n + 2, n + 3}) ASSERT_EQ(result.get(i), 0) << i;
      }
}

/// Seed and stream out of memory, as a replayed step has them.
TEST_P(RandomTest, TheStateIsTheSeedAndTheFirstStream) {
  Array state(int64, 2);
  state.set(0, 1234);
  state.set(1, 50);
  DeviceArray memory(backend(), state);
  Random call{.sets = 3, .per_set = 10, .seed = 1, .stream = 2, .out = {}};
  call.state = static_cast<const RandomState*>(memory.operand().data);
  const Array replayed = draw(call, float32);
  call.state = nullptr;
  call.seed = 1234;
  call.stream = 52;
  const Array plain = draw(call, float32);
  for (std::int64_t i = 0; i < 30; ++i) ASSERT_TRUE(replayed.same_bits(i, plain, i));
}

/// The scalar code and vectors of any length draw the same bits.
TEST(RandomTargets, DrawTheSameBits) {
  static std::vector<Array> expected;
  on_every_target([](const cpu::TileTable&, const char* target) {
    using enum Random::Kind;
    std::vector<Array> draws;
    for (const auto& [kind, dtype] : {std::pair{Uniform, float32}, {Uniform, float64}, {Normal, float32},
                                      {Normal, float64}, {Integer, int32}, {Integer, int64}}) {
      DeviceArray out(cpu_backend(), Array(dtype, 3 * 2051));
      cpu_backend().run(Random{.kind = kind, .sets = 3, .per_set = 2051, .seed = 17, .low = -1, .high = 2,
                               .integer_low = -9, .integer_high = 1000003, .out = out.operand()});
      draws.push_back(out.download());
    }
    if (expected.empty()) expected = draws;
    for (std::size_t d = 0; d < draws.size(); ++d)
      for (std::int64_t i = 0; i < draws[d].count(); ++i)
        ASSERT_TRUE(draws[d].same_bits(i, expected[d], i)) << target << " " << name(draws[d].dtype()) << " " << i;
  });
}

}  // namespace
}  // namespace luge::test
