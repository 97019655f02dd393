#include <luge/math/random.h>

#include <algorithm>
#include <numeric>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

TEST(Philox, KnownAnswers) {
  // Random123's kat_vectors, philox4x32 with 10 rounds.
  const struct {
    math::Words counter;
    unsigned long long key;
    math::Words expected;
  } cases[] = {
      {{{0, 0, 0, 0}}, 0, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}},
      {{{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}}, 0xffffffffffffffffull, {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}},
      {{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0x299f31d0a4093822ull, {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}},
  };
  for (const auto& c : cases) {
    const math::Words words = math::philox(c.counter, c.key);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(words.x[i], c.expected.x[i]);
  }
}

class RandomTest : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    manual_seed(42);
  }
};
LUGE_ON_EVERY_DEVICE(RandomTest);

constexpr std::int64_t kMany = 100000;

/// Mean and variance, and the share of values in each tenth of [0, 1) where asked for.
struct Statistics {
  explicit Statistics(const std::vector<double>& values) {
    const auto n = static_cast<double>(values.size());
    mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
    for (const double v : values) variance += (v - mean) * (v - mean) / n;
    for (const double v : values) fourth += std::pow(v - mean, 4) / n;
  }
  double mean, variance = 0, fourth = 0;
};

TEST_P(RandomTest, UniformIsUniform) {
  for (const DType dtype : {float32, float64}) {
    const std::vector<double> values = rand({kMany}, on(dtype)).to_vector<double>();
    const Statistics statistics(values);
    EXPECT_NEAR(statistics.mean, 0.5, 5 * std::sqrt(1.0 / 12 / kMany));
    EXPECT_NEAR(statistics.variance, 1.0 / 12, 0.002);
    std::vector<int> tenths(10);
    for (const double v : values) {
      ASSERT_TRUE(v >= 0 && v < 1) << v;
      ++tenths[static_cast<std::size_t>(v * 10)];
    }
    for (const int count : tenths) EXPECT_NEAR(count, kMany / 10, 5 * std::sqrt(kMany * 0.09));
  }
}

TEST_P(RandomTest, NormalIsNormal) {
  for (const DType dtype : {float32, float64}) {
    const std::vector<double> values = randn({kMany}, on(dtype)).to_vector<double>();
    const Statistics statistics(values);
    EXPECT_NEAR(statistics.mean, 0, 5 / std::sqrt(kMany));
    EXPECT_NEAR(statistics.variance, 1, 5 * std::sqrt(2.0 / kMany));
    EXPECT_NEAR(statistics.fourth, 3, 5 * std::sqrt(96.0 / kMany));
    for (const double v : values) ASSERT_TRUE(std::isfinite(v));
    const auto beyond = std::count_if(values.begin(), values.end(), [](double v) { return std::abs(v) > 1.959964; });
    EXPECT_NEAR(static_cast<double>(beyond), 0.05 * kMany, 5 * std::sqrt(kMany * 0.0475));
  }
}

TEST_P(RandomTest, IntegersCoverTheirRange) {
  for (const DType dtype : {int32, int64}) {
    const std::vector<std::int64_t> values = randint(-2, 5, {kMany}, on(dtype)).to_vector<std::int64_t>();
    std::vector<int> counts(7);
    for (const std::int64_t v : values) {
      ASSERT_TRUE(v >= -2 && v < 5) << v;
      ++counts[static_cast<std::size_t>(v + 2)];
    }
    for (const int count : counts) EXPECT_NEAR(count, kMany / 7.0, 5 * std::sqrt(kMany * 6.0 / 49));
  }
  EXPECT_TRUE(has_values(randint(3, 4, {3}, on(int64)), {3}, int64, {3, 3, 3}));
  const std::int64_t low = std::numeric_limits<std::int64_t>::min(), high = std::numeric_limits<std::int64_t>::max();
  const std::vector<std::int64_t> wide = randint(low, high, {100}, on(int64)).to_vector<std::int64_t>();
  EXPECT_GT(std::count_if(wide.begin(), wide.end(), [](std::int64_t v) { return v > 0; }), 20);
  EXPECT_GT(std::count_if(wide.begin(), wide.end(), [](std::int64_t v) { return v < 0; }), 20);
}

TEST_P(RandomTest, TheSeedStartsTheSequenceAnew) {
  const auto draw = [&] { return std::vector<Tensor>{rand({100}, on()), randn({3, 5}, on(float64)), randint(0, 9, {7}, on(int64)), randperm(50)}; };
  manual_seed(7);
  const std::vector<Tensor> first = draw(), next = draw();
  manual_seed(7);
  const std::vector<Tensor> again = draw();
  manual_seed(8);
  const std::vector<Tensor> other = draw();
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_TRUE(same(again[i], first[i])) << i;
    EXPECT_FALSE(same(next[i], first[i])) << i;
    EXPECT_FALSE(same(other[i], first[i])) << i;
  }
}

TEST_P(RandomTest, DrawsAreKeyedByElementNotBySize) {
  manual_seed(3);
  const Tensor large = rand({5000}, on());
  manual_seed(3);
  const Tensor small = rand({37}, on());
  EXPECT_TRUE(same(large.slice(0, 0, 37), small));
}

TEST_P(RandomTest, StreamsDoNotDependOnThreads) {
  const int before = num_threads();
  std::vector<Tensor> draws[2];
  for (int i = 0; i < 2; ++i) {
    set_num_threads(i == 0 ? 1 : 4);
    manual_seed(11);
    draws[i] = {rand({3000000}, on()), randn({1500001}, on()), randint(0, 1000, {2000000}, on(int64))};
  }
  set_num_threads(before);
  for (std::size_t i = 0; i < draws[0].size(); ++i) EXPECT_TRUE((draws[0][i] == draws[1][i]).all().item<bool>()) << i;
}

TEST_P(RandomTest, MatchesTheFormulaOfTheHost) {
  manual_seed(123456789012345);
  const std::vector<float> singles = rand({1000}, on()).to_vector<float>();
  const std::vector<double> doubles = rand({1000}, on(float64)).to_vector<double>();
  const std::vector<double> normals = randn({1000}, on(float64)).to_vector<double>();
  for (std::uint64_t i = 0; i < 1000; ++i) {
    ASSERT_EQ(singles[i], math::uniform_float(math::random_words(123456789012345, 0, 0, i)));
    ASSERT_EQ(doubles[i], math::uniform_double(math::random_words(123456789012345, 1, 0, i)));
    ASSERT_NEAR(normals[i], math::normal(math::random_words(123456789012345, 2, 0, i)), 1e-14);
  }
}

TEST_P(RandomTest, PermutationsHaveEachNumberOnce) {
  for (const std::int64_t n : {0, 1, 2, 17, 1000}) {
    std::vector<std::int64_t> order = randperm(n).to_vector<std::int64_t>();
    const bool moved = !std::is_sorted(order.begin(), order.end());
    EXPECT_TRUE(moved || n < 17);
    std::sort(order.begin(), order.end());
    for (std::int64_t i = 0; i < n; ++i) ASSERT_EQ(order[static_cast<std::size_t>(i)], i);
  }
  // Each of the 6 orders of three comes equally often.
  std::vector<int> counts(27);
  for (int i = 0; i < 6000; ++i) {
    const std::vector<std::int64_t> order = randperm(3).to_vector<std::int64_t>();
    ++counts[static_cast<std::size_t>(order[0] * 9 + order[1] * 3 + order[2])];
  }
  for (const int count : counts) EXPECT_TRUE(count == 0 || std::abs(count - 1000) < 150) << count;
}

TEST_P(RandomTest, NothingDrawnTakesNoMemory) {
  EXPECT_EQ(rand({0, 3}, on()).shape(), (Shape{0, 3}));
  EXPECT_EQ(randint(0, 2, {0}, on(int64)).numel(), 0);
}

}  // namespace
}  // namespace luge::test
