// Arithmetic on types that only memory holds: in float32 or int32, and rounded or wrapped once.

#include <cstring>
#include <limits>
#include <vector>

#include <luge/math/half.h>

#include "devices.h"
#include "expect.h"
#include "half_reference.h"

namespace luge::test {
namespace {

constexpr DType kHalves[] = {float16, bfloat16};
constexpr DType kSmall[] = {uint8, int8, int16};

class StoredArithmetic : public DeviceTest {
 protected:
  /// All 65,536 halves.
  Tensor every(DType dtype) const {
    std::vector<float> values;
    for (int bits = 0; bits < 0x10000; ++bits) {
      const auto word = static_cast<std::uint16_t>(bits);
      values.push_back(dtype == float16 ? math::to_float(math::Float16{word}) : math::to_float(math::BFloat16{word}));
    }
    return from_host(values, {0x10000}, device()).to(dtype);
  }
  Tensor random(const Shape& shape, DType dtype, double low = -2, double high = 2) const {
    return (rand(shape, on()) * (high - low) + low).to(dtype);
  }
};
LUGE_ON_EVERY_DEVICE(StoredArithmetic);

/// float32 values as halves, by the tests' own rounding.
std::vector<double> nearest_halves(const Tensor& wide, DType dtype) {
  std::vector<double> result;
  for (const float x : wide.to_vector<float>())
    result.push_back(std::isnan(x) ? static_cast<double>(x)
                                   : static_cast<double>(half_value(half_bits(x, format_of(dtype)), format_of(dtype))));
  return result;
}

/// Values and the signs of zeros.
::testing::AssertionResult is_rounded(const Tensor& actual, const Tensor& wide, DType dtype) {
  const std::vector<double> expected = nearest_halves(wide, dtype), found = actual.to_vector<double>();
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (expected[i] == 0 && std::signbit(expected[i]) != std::signbit(found[i]))
      return ::testing::AssertionFailure() << "zero " << i << " has the wrong sign";
  return has_values(actual, wide.shape(), dtype, expected);
}

TEST_P(StoredArithmetic, FunctionsOfEveryHalf) {
  for (const DType dtype : kHalves) {
    const Tensor x = every(dtype), wide = x.to(float32);
#define LUGE_ROW(function, Formula, ...) EXPECT_TRUE(is_rounded(function(x), function(wide), dtype)) << #function;
    LUGE_UNARY_OPS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, ...) EXPECT_TRUE(same(function(x), function(wide))) << #function;
    LUGE_TEST_OPS(LUGE_ROW)
#undef LUGE_ROW
    EXPECT_TRUE(is_rounded(clamp(x, -1, 2), clamp(wide, -1, 2), dtype));
  }
}

TEST_P(StoredArithmetic, FunctionsOfTwoHalves) {
  for (const DType dtype : kHalves) {
    const Tensor x = random({37, 64}, dtype), y = random({64, 37}, dtype, 0.1, 4).t(), row = random({1, 64}, dtype);
    const Tensor bx = x.to(float32), by = y.to(float32), brow = row.to(float32);
    EXPECT_TRUE(is_rounded(x + y, bx + by, dtype));
    EXPECT_TRUE(is_rounded(x - row, bx - brow, dtype));
    EXPECT_TRUE(is_rounded(x * x, bx * bx, dtype));
    EXPECT_TRUE(is_rounded(x / y, bx / by, dtype));
    EXPECT_TRUE(is_rounded(pow(y, x), pow(by, bx), dtype));
    EXPECT_TRUE(is_rounded(maximum(x, y), maximum(bx, by), dtype));
    EXPECT_TRUE(is_rounded(lerp(x, y, 0.3), lerp(bx, by, 0.3), dtype));
    EXPECT_TRUE(is_rounded(where(x > row, x, y), where(bx > brow, bx, by), dtype));
    EXPECT_TRUE(same(x < y, bx < by));
    // The number is not rounded before a sum, but what is compared is.
    EXPECT_TRUE(is_rounded(x + 0.1, bx + 0.1, dtype));
    EXPECT_TRUE(full({3}, 0.1, on(dtype)).eq(0.1).all().item<bool>());
    Tensor sum = x.clone();
    sum.add_(y);
    EXPECT_TRUE(is_rounded(sum, bx + by, dtype));
    sum.slice(1, 0, 64, 3).mul_(row.slice(1, 0, 64, 3));
    Tensor expected = (bx + by).to(dtype).to(float32);
    expected.slice(1, 0, 64, 3).mul_(brow.slice(1, 0, 64, 3));
    EXPECT_TRUE(is_rounded(sum, expected, dtype));
  }
}

TEST_P(StoredArithmetic, ReductionsRoundOnce) {
  for (const DType dtype : kHalves) {
    const Tensor x = random({9, 700}, dtype, 0, 2), wide = x.to(float32);
    for (const int dim : {0, 1}) {
      EXPECT_TRUE(is_rounded(x.sum(dim), wide.sum(dim), dtype));
      EXPECT_TRUE(is_rounded(x.mean(dim), wide.mean(dim), dtype));
      EXPECT_TRUE(is_rounded(x.max(dim), wide.max(dim), dtype));
      EXPECT_TRUE(is_rounded(x.prod(dim), wide.prod(dim), dtype));
      EXPECT_TRUE(is_rounded(x.logsumexp(dim), wide.logsumexp(dim), dtype));
      EXPECT_TRUE(is_rounded(x.var(dim), wide.var(dim), dtype));
      EXPECT_TRUE(is_rounded(x.std(dim), wide.std(dim), dtype));
      EXPECT_TRUE(is_rounded(x.softmax(dim), wide.softmax(dim), dtype));
      EXPECT_TRUE(is_rounded(x.log_softmax(dim), wide.log_softmax(dim), dtype));
      EXPECT_TRUE(same(x.argmin(dim), wide.argmin(dim)));
    }
    // One by one in this type, 1 + 1 + ... would stop at 256 or 2048.
    EXPECT_EQ(ones({5000}, on(dtype)).sum().item<double>(), dtype == float16 ? 5000 : 4992);
  }
  EXPECT_EQ(full({4}, 65504, on(float16)).sum().item<double>(), HUGE_VAL);
}

TEST_P(StoredArithmetic, ProductsAreSummedInFloat32) {
  for (const DType dtype : kHalves) {
    const Tensor a = random({3, 17, 40}, dtype), b = random({40, 9}, dtype), bias = random({17}, dtype);
    const Tensor wa = a.to(float32), wb = b.to(float32);
    EXPECT_TRUE(is_rounded(matmul(a, b), matmul(wa, wb), dtype));
    EXPECT_TRUE(is_rounded(matmul(a.transpose(1, 2), a), matmul(wa.transpose(1, 2), wa), dtype));
    const Tensor x = random({5, 40}, dtype), weight = random({17, 40}, dtype);
    const Tensor wide = linear(x.to(float32), weight.to(float32), bias.to(float32));
    EXPECT_TRUE(is_rounded(linear(x, weight, bias), wide, dtype));
  }
}

/// Of a function with one input, the gradient in this type and in float32.
void expect_gradient(const std::function<Tensor(const Tensor&)>& function, const Tensor& x, const char* what) {
  Tensor narrow = x.detach().clone().requires_grad_(), wide = x.to(float32).requires_grad_();
  const Tensor result = function(narrow), expected = function(wide);
  const Tensor weights = (arange(result.numel(), {.device = x.device()}) * 0.125 + 0.5).view(result.shape());
  result.backward(weights.to(result.dtype()));
  expected.backward(weights.to(result.dtype()).to(float32));
  const double unit = x.dtype() == float16 ? 0x1p-11 : 0x1p-8;
  ASSERT_EQ(narrow.grad().dtype(), x.dtype()) << what;
  // Saved results and gradients on their way are rounded, too: a few units.
  EXPECT_TRUE(has_values(narrow.grad(), x.shape(), x.dtype(), wide.grad().to_vector<double>(), 8 * unit)) << what;
}

TEST_P(StoredArithmetic, GradientsAreOfTheSameType) {
  const Tensor labels = tensor({1, 0, 2}, on(int64)), picks = tensor({2, 0, 2}, on(int64));
  for (const DType dtype : kHalves) {
    const Tensor x = random({3, 4}, dtype, 0.5, 1.5);
    const Tensor other = random({3, 4}, dtype, 0.5, 1.5), matrix = random({4, 2}, dtype);
    const auto like = [&](const Tensor& given, const Tensor& v) { return given.to(v.dtype()); };
#define LUGE_ROW(function, Formula, ...) expect_gradient([](const Tensor& v) { return function(v); }, x, #function);
    LUGE_UNARY_OPS(LUGE_ROW)
#undef LUGE_ROW
    expect_gradient([](const Tensor& v) { return v * v; }, x, "x * x");
    expect_gradient([&](const Tensor& v) { return like(other, v) / v; }, x, "y / x");
    expect_gradient([&](const Tensor& v) { return pow(v, like(other, v)); }, x, "pow");
    expect_gradient([](const Tensor& v) { return v.mean(1); }, x, "mean");
    expect_gradient([](const Tensor& v) { return v.max(1); }, x, "max");
    expect_gradient([](const Tensor& v) { return v.prod(1); }, x, "prod");
    expect_gradient([](const Tensor& v) { return v.logsumexp(1); }, x, "logsumexp");
    expect_gradient([](const Tensor& v) { return v.var(1); }, x, "var");
    expect_gradient([](const Tensor& v) { return v.std(1); }, x, "std");
    expect_gradient([](const Tensor& v) { return v.softmax(1); }, x, "softmax");
    expect_gradient([&](const Tensor& v) { return matmul(v, like(matrix, v)); }, x, "matmul");
    expect_gradient([&](const Tensor& v) { return index_select(v, 1, picks); }, x, "index_select");
    expect_gradient([&](const Tensor& v) { return cross_entropy(v, labels, Reduction::None); }, x, "cross_entropy");
    expect_gradient([&](const Tensor& v) { return mse_loss(v, like(other, v)); }, x, "mse_loss");
    expect_gradient([](const Tensor& v) { return cat({v, v.t().contiguous().view({3, 4})}, 0); }, x, "cat");
    expect_gradient([](const Tensor& v) { return v.expand({5, 3, 4}).slice(2, 1, 3).select(0, 1); }, x, "views");
    expect_gradient([](const Tensor& v) {
      Tensor copy = v.clone();
      copy.select(0, 1).mul_(2);
      return copy;
    }, x, "in place");
  }
}

TEST_P(StoredArithmetic, AGradientThatIsCollectedTwiceIsSummedOnce) {
  for (const DType dtype : kHalves) {
    Tensor x = full({2}, 1, on(dtype, true));
    (x * 3).sum().backward();
    (x * 0.5).sum().backward();
    EXPECT_TRUE(has_values(x.grad(), {2}, dtype, {3.5, 3.5}));
  }
}

TEST_P(StoredArithmetic, SmallIntegersWrap) {
  const Tensor u = tensor({0, 1, 127, 128, 200, 255}, on(uint8)), i = tensor({-128, -1, 0, 1, 100, 127}, on(int8));
  EXPECT_TRUE(has_values(u + u, {6}, uint8, {0, 2, 254, 0, 144, 254}));
  EXPECT_TRUE(has_values(-u, {6}, uint8, {0, 255, 129, 128, 56, 1}));
  EXPECT_TRUE(has_values(u * 3, {6}, uint8, {0, 3, 125, 128, 88, 253}));
  EXPECT_TRUE(has_values(square(u), {6}, uint8, {0, 1, 1, 0, 64, 1}));
  EXPECT_TRUE(has_values(i - 1, {6}, int8, {127, -2, -1, 0, 99, 126}));
  EXPECT_TRUE(has_values(-i, {6}, int8, {-128, 1, 0, -1, -100, -127}));
  EXPECT_TRUE(has_values(abs(i), {6}, int8, {-128, 1, 0, 1, 100, 127}));
  EXPECT_TRUE(has_values(bitwise_not(u), {6}, uint8, {255, 254, 128, 127, 55, 0}));
  EXPECT_TRUE(has_values(u & 12, {6}, uint8, {0, 0, 12, 0, 8, 12}));
  EXPECT_TRUE(has_values(u + i, {6}, int16, {-128, 0, 127, 129, 300, 382}));
  EXPECT_TRUE(has_values(i / 2, {6}, float32, {-64, -0.5, 0, 0.5, 50, 63.5}));
  EXPECT_TRUE(has_values(u.sum(), {}, int64, {711}));
  EXPECT_TRUE(has_values(i.prod(), {}, int64, {0}));
  EXPECT_TRUE(has_values(u.max(), {}, uint8, {255}));
  EXPECT_TRUE(has_values(i.min(), {}, int8, {-128}));
  EXPECT_TRUE(has_values(i.argmax(), {}, int64, {5}));
  EXPECT_TRUE(has_values(u > 127, {6}, boolean, {0, 0, 0, 1, 1, 1}));
  EXPECT_TRUE(has_values(i.eq(300), {6}, boolean, {0, 0, 0, 0, 0, 0}));
  EXPECT_TRUE(has_values(clamp(i, -5, 5), {6}, int8, {-5, -1, 0, 1, 5, 5}));
  Tensor w = tensor({32767, -32768}, on(int16));
  w.add_(1);
  EXPECT_TRUE(has_values(w, {2}, int16, {-32768, -32767}));
}

TEST_P(StoredArithmetic, CreationAndMovement) {
  for (const DType dtype : {uint8, int8, int16, float16, bfloat16}) {
    EXPECT_TRUE(has_values(arange(0, 5, 1, on(dtype)), {5}, dtype, {0, 1, 2, 3, 4}));
    EXPECT_TRUE(has_values(eye(2, on(dtype)), {2, 2}, dtype, {1, 0, 0, 1}));
    const Tensor x = tensor({{1, 2, 3}, {4, 5, 6}}, on(dtype));
    EXPECT_TRUE(has_values(x.t().contiguous(), {3, 2}, dtype, {1, 4, 2, 5, 3, 6}));
    EXPECT_TRUE(has_values(stack({x, x.clone()}, 1).select(1, 1), {2, 3}, dtype, {1, 2, 3, 4, 5, 6}));
    EXPECT_TRUE(has_values(index_select(x, 1, tensor({2, 0}, on(int64))), {2, 2}, dtype, {3, 1, 6, 4}));
    EXPECT_TRUE(has_values(index_copy(x, 0, tensor({1}, on(int64)), zeros({1, 3}, on(dtype))), {2, 3}, dtype,
                           {1, 2, 3, 0, 0, 0}));
    EXPECT_EQ(x.sum().item<double>(), 21);
    EXPECT_NE(to_string(x).find(std::string(name(dtype))), std::string::npos);
  }
  EXPECT_TRUE(is_rounded(arange(0, 3, 0.1, on(bfloat16)), arange(0, 3, 0.1, on(float32)), bfloat16));
  for (const DType dtype : kHalves) {
    const Tensor uniform = rand({20000}, on(dtype));
    EXPECT_LT(uniform.max().item<double>(), 1);
    EXPECT_GE(uniform.min().item<double>(), 0);
    EXPECT_NEAR(uniform.to(float32).mean().item<double>(), 0.5, 0.02);
    EXPECT_NEAR(randn({20000}, on(dtype)).to(float32).std().item<double>(), 1, 0.03);
  }
  for (const DType dtype : kSmall) {
    const Tensor drawn = randint(3, 100, {5000}, on(dtype));
    EXPECT_EQ(drawn.dtype(), dtype);
    EXPECT_GE(drawn.min().item<double>(), 3);
    EXPECT_LE(drawn.max().item<double>(), 99);
  }
}

TEST_P(StoredArithmetic, WhatDoesNotFitIsRefused) {
  const Tensor u = ones({2}, on(uint8)), h = ones({2}, on(float16)), x = ones({2, 3}, on());
  expect_errors({
      LUGE_ERROR(ValueError, "full: the number 256 does not fit uint8, whose elements are 0 to 255",
                 full({1}, 256, on(uint8))),
      LUGE_ERROR(ValueError, "full: the number -129 does not fit int8", full({1}, -129, on(int8))),
      LUGE_ERROR(ValueError, "add: the number -1 does not fit uint8", u + -1),
      LUGE_ERROR(ValueError, "full: the number 70000 does not fit float16, whose largest element is 65504",
                 full({1}, 70000, on(float16))),
      LUGE_ERROR(ValueError, "randint: \\[0, 257\\) does not fit uint8", randint(0, 257, {2}, on(uint8))),
      LUGE_ERROR(ValueError, "arange: the number 300 does not fit uint8", arange(0, 301, 1, on(uint8))),
      LUGE_ERROR(DTypeError, "mean: the tensor is uint8; allowed are the floating dtypes", u.mean()),
      LUGE_ERROR(DTypeError, "bitwise_and: the dtype is float16", h & h),
      LUGE_ERROR(DTypeError, "matmul: a is float16 and b is bfloat16", matmul(h, h.to(bfloat16))),
      LUGE_ERROR(DTypeError, "index_select: the index is uint8; allowed are int32 and int64", index_select(x, 0, u)),
      LUGE_ERROR(DTypeError, "where: the condition is uint8; it must be bool", where(u, h, h)),
      LUGE_ERROR(DTypeError, "only floating dtypes", ones({1}, on(int8, true))),
      LUGE_ERROR(DTypeError, "Parameters: dtype is float16; allowed are float32 and float64",
                 Parameters({.dtype = float16})),
      LUGE_ERROR(DTypeError, "SGD|Sgd: tensor 0 is bfloat16; allowed are float32 and float64",
                 Sgd({ones({2}, on(bfloat16, true))}, {.lr = 1.0})),
  });
}

TEST_P(StoredArithmetic, ACapturedStepRepeatsThem) {
  for (const DType dtype : kHalves) {
    Tensor x = random({50, 7}, dtype), w = random({7}, dtype);
    Tensor eager = w.clone();
    const auto pass = [&](Tensor& weight) {
      const Tensor leaf = weight.detach().requires_grad_();
      const Tensor loss = mse_loss(tanh(x * leaf).sum(1), zeros({50}, on(dtype)));
      loss.backward();
      weight.sub_(leaf.grad() * 0.01);
      return loss;
    };
    auto step = capture([&] { return pass(w); });
    for (int i = 0; i < 4; ++i) {
      const Tensor expected = pass(eager);
      const Tensor loss = step();
      EXPECT_TRUE(same(loss, expected)) << i;
      EXPECT_TRUE(same(w, eager)) << i;
    }
  }
}

}  // namespace
}  // namespace luge::test
