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
      const DType floating = is_floating(joined) ? joined : float32;
      EXPECT_TRUE(
          has_values(x + y, {2}, joined, joined == boolean ? std::vector<double>{1, 1} : std::vector<double>{2, 2}));
      if (a != boolean && b != boolean) {
        EXPECT_TRUE(has_values(x - y, {2}, joined, {0, 0}));
      }
      EXPECT_TRUE(has_values(x * y, {2}, joined, {1, 1}));
      EXPECT_TRUE(has_values(x / y, {2}, floating, {1, 1}));
      if (joined != boolean) {
        EXPECT_TRUE(has_values(pow(x, y), {2}, joined, {1, 1}));
      }
      EXPECT_TRUE(has_values(maximum(x, y), {2}, joined, {1, 1}));
      EXPECT_TRUE(has_values(x == y, {2}, boolean, {1, 1}));
      EXPECT_TRUE(has_values(x < y, {2}, boolean, {0, 0}));
      EXPECT_TRUE(has_values(logical_xor(x, y), {2}, boolean, {0, 0}));
      EXPECT_TRUE(has_values(where(x.to(boolean), x, y), {2}, joined, {1, 1}));
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
    if (dtype != boolean) {
      EXPECT_TRUE(has_values(2 - x, {2}, with_int, {1, 1}));
    }
    EXPECT_TRUE(
        has_values(x + true, {2}, dtype, dtype == boolean ? std::vector<double>{1, 1} : std::vector<double>{2, 2}));
    EXPECT_TRUE(has_values(x * 0.5, {2}, with_float, {0.5, 0.5}));
    EXPECT_TRUE(has_values(0.5 * x, {2}, with_float, {0.5, 0.5}));
    EXPECT_TRUE(has_values(x / 2, {2}, is_floating(dtype) ? dtype : float32, {0.5, 0.5}));
    EXPECT_TRUE(has_values(x > 0.5, {2}, boolean, {1, 1}));
    EXPECT_TRUE(has_values(x == 1, {2}, boolean, {1, 1}));
    EXPECT_TRUE(has_values(where(x != 0, x, 0.5), {2}, with_float, {1, 1}));
    EXPECT_TRUE(has_values(where(x != 0, 0.5, x), {2}, with_float, {0.5, 0.5}));
  }
}

TEST_P(PromotionTest, AZeroDimensionalTensorRaisesTheKindOnly) {
  for (const DType strong : kAll) {
    for (const DType weak : kAll) {
      SCOPED_TRACE(std::string(name(strong)) + " with 0-d " + std::string(name(weak)));
      const Tensor x = tensor({1, 1}, on(strong)), y = scalar(1, on(weak));
      const DType joined = kind_of(weak) > kind_of(strong) ? weak : strong;
      EXPECT_EQ((x * y).dtype(), joined);
      EXPECT_EQ((y * x).dtype(), joined);
      EXPECT_EQ((y * y).dtype(), weak);
      EXPECT_EQ(maximum(y, x).dtype(), joined);
      EXPECT_EQ(where(x == 1, x, y).dtype(), joined);
      EXPECT_EQ(where(y == 1, y, x).dtype(), joined);  // the condition plays no part
      EXPECT_EQ((x / y).dtype(), is_floating(joined) ? joined : float32);
    }
  }
  EXPECT_EQ((scalar(1, on(int32)) + scalar(1, on(int64))).dtype(), int64);
  EXPECT_EQ((scalar(1, on(float64)) * 2).dtype(), float64);
  EXPECT_TRUE(has_values(tensor({1, 2}, on()) * scalar(0.5, on(float64)), {2}, float32, {0.5, 1}));
}

TEST_P(PromotionTest, AWeakTensorKeepsItsGradientsDtype) {
  const Tensor x = tensor({1, 2}, on(float32, true)), y = scalar(0.5, on(float64, true));
  (x * y).sum().backward();
  EXPECT_TRUE(has_values(x.grad(), {2}, float32, {0.5, 0.5}));
  EXPECT_TRUE(has_values(y.grad(), {}, float64, {3}));
}

TEST_P(PromotionTest, ArithmeticOfBoolsIsLogic) {
  const Tensor a = tensor({0, 0, 1, 1}, on(boolean)), b = tensor({0, 1, 0, 1}, on(boolean)), i = ones({4}, on(int32));
  EXPECT_TRUE(has_values(a + b, {4}, boolean, {0, 1, 1, 1}));
  EXPECT_TRUE(has_values(a * b, {4}, boolean, {0, 0, 0, 1}));
  EXPECT_TRUE(has_values(maximum(a, b), {4}, boolean, {0, 1, 1, 1}));
  EXPECT_TRUE(has_values(minimum(a, b), {4}, boolean, {0, 0, 0, 1}));
  EXPECT_TRUE(has_values(a + true, {4}, boolean, {1, 1, 1, 1}));
  EXPECT_TRUE(has_values(a * 2, {4}, int64, {0, 0, 2, 2}));
  EXPECT_TRUE(has_values(a.sign(), {4}, boolean, {0, 0, 1, 1}));
  EXPECT_TRUE(has_values(a.square(), {4}, int64, {0, 0, 1, 1}));
  EXPECT_TRUE(has_values(a.clamp(1, 2), {4}, int64, {1, 1, 1, 1}));
  EXPECT_TRUE(has_values(pow(a, 2), {4}, int64, {0, 0, 1, 1}));
  EXPECT_TRUE(has_values(a.clone().add_(b), {4}, boolean, {0, 1, 1, 1}));
  EXPECT_TRUE(has_values(a.clone().mul_(b), {4}, boolean, {0, 0, 0, 1}));
  expect_errors({LUGE_ERROR(DTypeError, "sub: an argument is bool", a - b),
                 LUGE_ERROR(DTypeError, "sub: an argument is bool", 1 - a),
                 LUGE_ERROR(DTypeError, "sub: an argument is bool", a - 0.5),
                 LUGE_ERROR(DTypeError, "sub: an argument is bool", i - a),
                 LUGE_ERROR(DTypeError, "sub: an argument is bool", i - true),
                 LUGE_ERROR(DTypeError, "sub_: an argument is bool", i.clone().sub_(a)),
                 LUGE_ERROR(DTypeError, "neg: bool has no such operation", -a),
                 LUGE_ERROR(DTypeError, "abs: bool has no such operation", a.abs()),
                 LUGE_ERROR(DTypeError, "relu: bool has no such operation", a.relu()),
                 LUGE_ERROR(DTypeError, "pow: bool has no such operation", pow(a, b))});
  EXPECT_TRUE(has_values(pow(a, true), {4}, boolean, {0, 0, 1, 1}));
  EXPECT_TRUE(has_values(pow(a, false), {4}, boolean, {1, 1, 1, 1}));
}

TEST_P(PromotionTest, BitsAreThoseOfIntegers) {
  const Tensor a = tensor({12, -1, 0}, on(int32)), b = tensor({10, 5, 7}, on(int64)), m = tensor({1, 0, 1}, on(boolean));
  EXPECT_TRUE(has_values(a & b, {3}, int64, {8, 5, 0}));
  EXPECT_TRUE(has_values(a | b, {3}, int64, {14, -1, 7}));
  EXPECT_TRUE(has_values(a ^ b, {3}, int64, {6, -6, 7}));
  EXPECT_TRUE(has_values(a & 3, {3}, int32, {0, 3, 0}));
  EXPECT_TRUE(has_values(1 | a, {3}, int32, {13, -1, 1}));
  EXPECT_TRUE(has_values(a & m, {3}, int32, {0, 0, 0}));
  EXPECT_TRUE(has_values(~a, {3}, int32, {-13, 0, -1}));
  EXPECT_TRUE(has_values(m & true, {3}, boolean, {1, 0, 1}));
  EXPECT_TRUE(has_values(m | ~m, {3}, boolean, {1, 1, 1}));
  EXPECT_TRUE(has_values(m ^ m, {3}, boolean, {0, 0, 0}));
  EXPECT_TRUE(has_values(m.bitwise_not(), {3}, boolean, {0, 1, 0}));
  const Tensor x = ones({3}, on());
  expect_errors({LUGE_ERROR(DTypeError, "bitwise_and: the dtype is float32; allowed are bool and the integer dtypes", a & x),
                 LUGE_ERROR(DTypeError, "bitwise_or: the dtype is float32", a | 0.5),
                 LUGE_ERROR(DTypeError, "bitwise_not: the dtype is float32", ~x)});
}

TEST_P(PromotionTest, InPlaceKeepsTheTensorsDtype) {
  Tensor i = tensor({1, 2}, on(int32)), x = tensor({1, 2}, on());
  const Tensor l = tensor({3, 4}, on(int64)), d = tensor({0.1, 0.2}, on(float64));
  EXPECT_TRUE(has_values(i.add_(l), {2}, int32, {4, 6}));
  EXPECT_TRUE(has_values(i.mul_(tensor({1, 0}, on(boolean))), {2}, int32, {4, 0}));
  EXPECT_TRUE(has_values(x.clone().add_(l), {2}, float32, {4, 6}));
  // Computed in float64, and rounded once.
  EXPECT_TRUE(has_values(x.clone().add_(d), {2}, float32, {static_cast<float>(1 + 0.1), static_cast<float>(2 + 0.2)}));
  EXPECT_TRUE(has_values(x.clone().mul_(scalar(0.5, on(float64))), {2}, float32, {0.5, 1}));
  const std::uint64_t version = i.version();
  expect_errors(
      {LUGE_ERROR(DTypeError, "add_: the result is float32 and does not fit the tensor, which is int32", i.add_(x)),
       LUGE_ERROR(DTypeError, "add_: the result is float32", i.add_(0.5)),
       LUGE_ERROR(DTypeError, "div_: the result is float32", i.div_(l)),
       LUGE_ERROR(DTypeError, "add_: the result is int64", tensor({1, 0}, on(boolean)).add_(1)),
       LUGE_ERROR(DTypeError, "mul_: the result is int64", tensor({1, 0}, on(boolean)).mul_(l))});
  EXPECT_TRUE(has_values(i, {2}, int32, {4, 0}));
  EXPECT_EQ(i.version(), version);
}

TEST_P(PromotionTest, InPlaceRecordsWhatIsConverted) {
  const Tensor x = tensor({1, 2}, on(float32, true)), d = tensor({0.5, 3}, on(float64, true));
  Tensor wide = x * 1, whole = x * 1;
  wide.mul_(d);                           // computed in float64
  whole.mul_(tensor({2, 4}, on(int32)));  // the other is converted
  EXPECT_TRUE(has_values(wide, {2}, float32, {0.5, 6}));
  EXPECT_TRUE(has_values(whole, {2}, float32, {2, 8}));
  (wide + whole).sum().backward();
  EXPECT_TRUE(has_values(x.grad(), {2}, float32, {2.5, 7}));
  EXPECT_TRUE(has_values(d.grad(), {2}, float64, {1, 2}));
}

TEST_P(PromotionTest, WhereChoosesByTruthValues) {
  const Tensor mask = tensor({1, 0}, on(boolean)), x = tensor({1, 2}, on());
  EXPECT_TRUE(has_values(where(mask, 1, 0), {2}, int64, {1, 0}));
  EXPECT_TRUE(has_values(where(mask, 1, 0.5), {2}, float32, {1, 0.5}));
  EXPECT_TRUE(has_values(where(mask, true, false), {2}, boolean, {1, 0}));
  for (const DType dtype : {int32, int64, float32, float64})
    expect_errors(
        {LUGE_ERROR(DTypeError, "where: the condition is .*; it must be bool", where(ones({2}, on(dtype)), x, x)),
         LUGE_ERROR(DTypeError, "where: the condition is .*; it must be bool", where(ones({2}, on(dtype)), 1, 0))});
}

TEST_P(PromotionTest, OfOneInput) {
  for (const DType dtype : kAll) {
    const Tensor x = tensor({1, 0}, on(dtype));
    const DType floating = is_floating(dtype) ? dtype : float32, numeric = dtype == boolean ? int64 : dtype;
    EXPECT_TRUE(has_values(x.exp(), {2}, floating, {std::exp(1), 1}, 1e-7));
    if (dtype != boolean) {
      EXPECT_TRUE(has_values(-x, {2}, dtype, {-1, 0}));
      EXPECT_TRUE(has_values(x.relu(), {2}, dtype, {1, 0}));
    }
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
