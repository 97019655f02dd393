#include <luge/math/random.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

namespace formula = math::scalar;
using formula::joined;
using formula::Words;

TEST(Philox, KnownAnswers) {
  // Random123's kat_vectors, philox4x32 with 10 rounds.
  const struct {
    Words counter;
    unsigned long long key;
    Words expected;
  } cases[] = {
      {{{0, 0, 0, 0}}, 0, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}},
      {{{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}}, 0xffffffffffffffffull, {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}},
      {{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0x299f31d0a4093822ull, {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}},
  };
  for (const auto& c : cases) {
    const Words words = formula::philox(c.counter, c.key);
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

/// The words of the elements of a stream, in their order.
std::vector<std::uint32_t> words_of(std::uint64_t seed, std::uint64_t stream, std::size_t count) {
  std::vector<std::uint32_t> words;
  for (std::uint64_t at = 0; words.size() < count; ++at)
    for (const unsigned word : formula::random_words(seed, stream, 0, at).x) words.push_back(word);
  return words;
}

TEST_P(RandomTest, MatchesTheFormulaOfTheHost) {
  constexpr std::uint64_t kSeed = 123456789012345;
  manual_seed(kSeed);
  const std::vector<float> singles = rand({999}, on()).to_vector<float>();
  const std::vector<double> doubles = rand({999}, on(float64)).to_vector<double>();
  const std::vector<float> normals = randn({999}, on()).to_vector<float>();
  const std::vector<double> fine_normals = randn({999}, on(float64)).to_vector<double>();
  const std::vector<std::int64_t> integers = randint(-7, 1000000, {999}, on(int64)).to_vector<std::int64_t>();
  std::vector<std::uint32_t> words[5];
  for (std::uint64_t stream = 0; stream < 5; ++stream) words[stream] = words_of(kSeed, stream, 2000);
  const auto wide = [&](std::size_t stream, std::size_t i) { return joined(words[stream][2 * i], words[stream][2 * i + 1]); };
  for (std::size_t i = 0; i < 999; ++i) {
    const std::size_t pair = i / 2 * 2;
    ASSERT_EQ(singles[i], formula::uniform_float(words[0][i]));
    ASSERT_EQ(doubles[i], formula::uniform_double(wide(1, i)));
    const auto normal = formula::normal_floats(words[2][pair], words[2][pair + 1]);
    ASSERT_EQ(normals[i], i % 2 == 0 ? normal.first : normal.second);
    const auto fine = formula::normal_doubles(wide(3, pair), wide(3, pair + 1));
    ASSERT_EQ(fine_normals[i], i % 2 == 0 ? fine.first : fine.second);
    ASSERT_EQ(integers[i], -7 + static_cast<std::int64_t>(formula::uniform_integer(wide(4, i), 1000007)));
  }
}

/// The greatest error of a coordinate in units of its last place.
template <class T>
double units_off(T value, long double exact) {
  const T magnitude = std::abs(static_cast<T>(exact));
  return static_cast<double>(std::abs(value - exact) / (std::nextafter(magnitude, T(100)) - magnitude));
}

/// The point at distance `radius`, `quarters` quarter turns beyond `angle`. Adding them up would lose digits.
std::array<long double, 2> exact_point(long double radius, int quarters, long double angle) {
  const long double x = radius * std::cos(angle), y = radius * std::sin(angle);
  return quarters == 0 ? std::array{x, y} : quarters == 1 ? std::array{-y, x} : quarters == 2 ? std::array{-x, -y} : std::array{y, -x};
}

/// Against the C library in long double: words at the edges of all branches, and random ones.
TEST(NormalFormula, IsWithinFiveUnitsInTheLastPlace) {
  const long double quarter = std::acos(-1.0L) / 2;
  std::vector<std::uint32_t> radii{0, 1, 2, 3, 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xC0000000, 0xBFFFFFFF, 0xBFFFFFFE, 0xAAAAAAAA,
                                   0xAAAAAAAC, 0x55555555, 0x55555556, 0x80000000, 0x7FFFFFFF, 0x100, 0xFFFF0000, 0xFFFFFF00};
  std::vector<std::uint32_t> angles{1, 0x20000001, 0x1FFFFFFF, 0x20000000, 0x40000001, 0x3FFFFFFF, 0x60000000, 0x9FFFFFFF, 0xE0000000, 0xFFFFFFFF};
  for (const std::uint32_t word : words_of(3, 0, 2000)) (word % 2 == 0 ? radii : angles).push_back(word);
  for (const std::uint32_t radius : radii)
    for (const std::uint32_t angle : angles) {
      // The angle within its quarter is signed.
      const auto signed_angle = static_cast<std::int32_t>(angle << 2);
      const auto single = formula::normal_floats(radius, angle);
      const auto point = exact_point(std::sqrt(-2 * std::log((static_cast<long double>(radius >> 1) + 0.5L) * 0x1p-31L)),
                                     static_cast<int>(angle >> 30), static_cast<long double>(signed_angle) * 0x1p-32L * quarter);
      ASSERT_LE(units_off(single.first, point[0]), 5) << radius << " " << angle;
      ASSERT_LE(units_off(single.second, point[1]), 5) << radius << " " << angle;
      const unsigned long long wide_radius = joined(radius, ~radius), wide_angle = joined(angle, angle * 77777);
      const auto signed_wide = static_cast<long long>((wide_angle << 2) & ~0xFFFull);  // of the bits that the formula takes
      const auto fine = formula::normal_doubles(wide_radius, wide_angle);
      const auto fine_point = exact_point(std::sqrt(-2 * std::log((static_cast<long double>(wide_radius >> 12) + 0.5L) * 0x1p-52L)),
                                          static_cast<int>(angle >> 30), static_cast<long double>(signed_wide) * 0x1p-64L * quarter);
      ASSERT_LE(units_off(fine.first, fine_point[0]), 5) << radius << " " << angle;
      ASSERT_LE(units_off(fine.second, fine_point[1]), 5) << radius << " " << angle;
    }
}

/// As core/luge/math/random.h says where the normal numbers end.
TEST(NormalFormula, EndsWhereItSays) {
  const auto most = formula::normal_floats(0u, 0u), least = formula::normal_floats(~0u, 0u);
  EXPECT_NEAR(most.first, std::sqrt(2 * std::log(0x1p32)), 1e-6);
  EXPECT_NEAR(least.first, std::sqrt(2 * 0x1p-32), 1e-10);
  const auto finest = formula::normal_doubles(0ull, 0ull);
  EXPECT_NEAR(finest.first, std::sqrt(2 * std::log(0x1p53)), 1e-14);
  EXPECT_NEAR(formula::normal_doubles(~0ull, 1ull << 63).first, -std::sqrt(2 * 0x1p-53), 1e-22);
}

/// How many of a million normal numbers lie beyond 1 to 4.5 deviations, on both sides.
TEST_P(RandomTest, TheTailsAreThoseOfTheNormalDistribution) {
  constexpr std::int64_t kN = 1000000;
  for (const DType dtype : {float32, float64}) {
    const std::vector<double> values = randn({kN}, on(dtype)).to_vector<double>();
    for (const double bound : {0.0, 1e-3, 1.0, 2.0, 3.0, 4.0, 4.5})
      for (const double side : {-1.0, 1.0}) {
        const double expected = kN * 0.5 * std::erfc(bound / std::sqrt(2.0));
        const auto beyond = static_cast<double>(std::count_if(values.begin(), values.end(), [&](double v) { return side * v > bound; }));
        EXPECT_NEAR(beyond, expected, 5 * std::sqrt(expected)) << name(dtype) << " beyond " << side * bound;
      }
  }
}

/// Elements that share a counter have nothing to do with each other, nor with those of the next ones; nor have the
/// squares of normal numbers, of which a pair shares its radius.
TEST_P(RandomTest, ElementsAreUncorrelated) {
  constexpr std::size_t kN = 400000;
  const auto correlation = [](const std::vector<double>& x, std::size_t first, std::size_t step, std::size_t lag) {
    double mean = 0, product = 0, variance = 0, count = 0;
    for (const double v : x) mean += v / static_cast<double>(x.size());
    for (const double v : x) variance += (v - mean) * (v - mean) / static_cast<double>(x.size());
    for (std::size_t i = first; i + lag < x.size(); i += step, ++count) product += (x[i] - mean) * (x[i + lag] - mean);
    return product / count / variance * std::sqrt(count);  // of deviation 1
  };
  for (const DType dtype : {float32, float64})
    for (const bool normal : {false, true}) {
      std::vector<double> values = (normal ? randn({kN}, on(dtype)) : rand({kN}, on(dtype))).to_vector<double>();
      for (int power = 1; power <= 2; ++power) {
        for (std::size_t lag = 1; lag <= 9; ++lag) EXPECT_LT(std::abs(correlation(values, 0, 1, lag)), 5) << lag;
        for (std::size_t word = 0; word < 4; ++word)
          for (std::size_t lag = 1; lag <= 4; ++lag) EXPECT_LT(std::abs(correlation(values, word, 4, lag)), 5) << word << lag;
        for (double& v : values) v *= v;
      }
    }
}

/// Each of the four words of a counter is uniform by itself, down to its lower bits.
TEST_P(RandomTest, EveryWordIsUniform) {
  constexpr std::size_t kN = 256000;
  const std::vector<float> values = rand({kN}, on()).to_vector<float>();
  std::array<std::array<int, 16>, 4> high{}, low{};
  for (std::size_t i = 0; i < kN; ++i) {
    const auto bits = static_cast<std::uint32_t>(values[i] * 0x1p24F);
    ++high[i % 4][bits >> 20];
    ++low[i % 4][bits & 15];
  }
  for (const auto& counts : {high, low})
    for (const auto& word : counts)
      for (const int count : word) EXPECT_NEAR(count, kN / 64.0, 5 * std::sqrt(kN / 64.0));
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
