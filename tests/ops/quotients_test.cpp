// Quotients, remainders and shifts of integers at the ends of their range and by 0, and what has no derivative or no dtype.

#include <limits>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class QuotientTest : public DeviceTest {
 protected:
  template <class I>
  Tensor of(const std::vector<I>& values) const {
    return from_host(values, {static_cast<std::int64_t>(values.size())}, device());
  }

  /// f(a, b) of whole vectors and of single elements.
  template <class I>
  void expect(const char* what, Tensor (*f)(const Tensor&, const Tensor&), const std::vector<I>& a,
              const std::vector<I>& b, const std::vector<I>& y) {
    EXPECT_EQ(f(of(a), of(b)).template to_vector<I>(), y) << what;
    for (std::size_t i = 0; i < a.size(); ++i)
      EXPECT_EQ(f(of<I>({a[i]}), of<I>({b[i]})).template to_vector<I>(), std::vector<I>{y[i]}) << what << " " << i;
  }

  template <class I>
  void expect_all() {
    constexpr I kLeast = std::numeric_limits<I>::min(), kMost = std::numeric_limits<I>::max();
    constexpr I kBits = 8 * sizeof(I);
    const std::vector<I> a{7, -7, 7, -7, 0, 7, -7, 0, kLeast, kMost, kLeast, kLeast};
    const std::vector<I> b{2, 2, -2, -2, 5, 0, 0, 0, -1, -1, kMost, 1};
    expect<I>("floor_divide", floor_divide, a, b, {3, -4, -4, 3, 0, 0, 0, 0, kLeast, -kMost, -2, kLeast});
    expect<I>("remainder", remainder, a, b, {1, 1, -1, -1, 0, 0, 0, 0, 0, 0, kMost - 1, 0});
    expect<I>("fmod", fmod, a, b, {1, -1, 1, -1, 0, 0, 0, 0, 0, 0, -1, 0});
    const std::vector<I> bits{1, -1, -8, 5, 5, -5, kLeast, 1, kMost};
    const std::vector<I> places{3, 3, 1, -1, kBits, kBits, kBits - 1, kBits - 1, 1};
    expect<I>("bitwise_left_shift", bitwise_left_shift, bits, places, {8, -8, -16, 0, 0, 0, 0, kLeast, -2});
    expect<I>("bitwise_right_shift", bitwise_right_shift, bits, places, {0, -1, -4, 0, 0, -1, -1, 0, kMost / 2});
  }
};
LUGE_ON_EVERY_DEVICE(QuotientTest);

TEST_P(QuotientTest, OfIntegers) {
  expect_all<std::int32_t>();
  expect_all<std::int64_t>();
}

TEST_P(QuotientTest, NarrowIntegersWrapAround) {
  const Tensor least = tensor({-128, 127}, on(int8)), minus = tensor({-1, -1}, on(int8));
  EXPECT_TRUE(has_values(floor_divide(least, minus), {2}, int8, {-128, -127}));
  EXPECT_TRUE(has_values(bitwise_left_shift(least, tensor({1, 1}, on(int8))), {2}, int8, {0, -2}));
  EXPECT_TRUE(has_values(bitwise_right_shift(tensor({255, 128}, on(uint8)), tensor({7, 7}, on(uint8))), {2}, uint8, {1, 1}));
}

TEST_P(QuotientTest, ByANumberThatIsZero) {
  const Tensor x = tensor({1, 2}, on(int64));
  Tensor changed = x.clone();
  expect_errors({
      LUGE_ERROR(ValueError, "^floor_divide: an integer is divided by 0", floor_divide(x, 0)),
      LUGE_ERROR(ValueError, "^remainder: an integer is divided by 0", remainder(x, 0)),
      LUGE_ERROR(ValueError, "^fmod: an integer is divided by 0", fmod(x, 0)),
      LUGE_ERROR(ValueError, "an integer is divided by 0", changed.remainder_(0)),
      LUGE_ERROR(ValueError, "^polygamma: n is -1", polygamma(x, -1)),
      LUGE_ERROR(ValueError, "^polygamma: n is 0.5", polygamma(x, 0.5)),
  });
  EXPECT_TRUE(same(changed, x));
  EXPECT_TRUE(has_values(floor_divide(x, 0.0), {2}, float32, {kInfinity, kInfinity}));
}

TEST_P(QuotientTest, DTypesThatSomeDoNotHave) {
  const Tensor mask = tensor({1, 0}, on(boolean)), half = tensor({1, 2}, on(float16)), x = tensor({1, 2}, on(float32));
  expect_errors({
      LUGE_ERROR(DTypeError, "^bitwise_left_shift: the dtype is bool", bitwise_left_shift(mask, mask)),
      LUGE_ERROR(DTypeError, "^bitwise_right_shift: the dtype is float32", bitwise_right_shift(x, x)),
      LUGE_ERROR(DTypeError, "^remainder: bool has no such operation", remainder(mask, mask)),
      LUGE_ERROR(DTypeError, "^nextafter: the dtype is float16", nextafter(half, half)),
  });
  EXPECT_TRUE(has_values(heaviside(mask, mask), {2}, boolean, {1, 0}));
  EXPECT_TRUE(has_values(fmin(mask, true), {2}, boolean, {1, 0}));
}

TEST_P(QuotientTest, HeavisideHasNoDerivative) {
  const Tensor x = tensor({1, 2}, on(float32, true)), y = heaviside(x, x);
  EXPECT_TRUE(y.requires_grad());
  expect_errors({
      LUGE_ERROR(AutogradError, "^heaviside: there is no derivative", y.sum().backward()),
      LUGE_ERROR(AutogradError, "^heaviside: there is no derivative", grad({heaviside(x, 0.5).sum()}, {x}, {}, {}, true)),
  });
}

}  // namespace
}  // namespace luge::test
