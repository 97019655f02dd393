// Factories: values, dtypes, shapes.

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

constexpr DType kCreated[] = {boolean, int32, int64, float32, float64};
constexpr DType kNumeric[] = {int32, int64, float32, float64};

class CreateTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(CreateTest);

TEST_P(CreateTest, FillsOfEveryDType) {
  for (const DType dtype : kCreated) {
    for (const Shape& shape : {Shape{}, Shape{0}, Shape{1}, Shape{2, 3}, Shape{4097}, Shape{0, 5}}) {
      const auto n = static_cast<std::size_t>(element_count(shape));
      EXPECT_TRUE(has_values(zeros(shape, on(dtype)), shape, dtype, std::vector<double>(n, 0)));
      EXPECT_TRUE(has_values(ones(shape, on(dtype)), shape, dtype, std::vector<double>(n, 1)));
      const double seven = dtype == boolean ? 1 : 7;
      EXPECT_TRUE(has_values(full(shape, 7, on(dtype)), shape, dtype, std::vector<double>(n, seven)));
      EXPECT_EQ(empty(shape, on(dtype)).shape(), shape);
      EXPECT_EQ(zeros(shape, on(dtype)).device(), device());
    }
  }
  EXPECT_TRUE(has_values(full({2}, 2.75, on(int32)), {2}, int32, {2, 2}));
  EXPECT_TRUE(has_values(full({2}, 0.5, on(boolean)), {2}, boolean, {1, 1}));
}

TEST_P(CreateTest, LikeTakesShapeDTypeAndDevice) {
  const Tensor base = zeros({2, 3}, on(float64)).t();
  for (const Tensor& t : {empty_like(base), zeros_like(base), ones_like(base), full_like(base, 3), rand_like(base), randn_like(base)}) {
    EXPECT_EQ(t.shape(), (Shape{3, 2}));
    EXPECT_EQ(t.dtype(), float64);
    EXPECT_EQ(t.device(), device());
    EXPECT_TRUE(t.is_contiguous());
    EXPECT_FALSE(t.requires_grad());
  }
  EXPECT_TRUE(has_values(full_like(base, 3), {3, 2}, float64, {3, 3, 3, 3, 3, 3}));
  EXPECT_FALSE(zeros_like(ones({2}, on(float32, true))).requires_grad());
}

TEST_P(CreateTest, RequiresGradMakesALeaf) {
  for (const Tensor& t : {zeros({2}, on(float32, true)), arange(0, 3, 1, on(float64, true)), linspace(0, 1, 5, on(float32, true)),
                          eye(2, on(float32, true)), tensor({1, 2}, on(float32, true)), rand({3}, on(float32, true)),
                          scalar(2, on(float64, true))}) {
    EXPECT_TRUE(t.requires_grad());
    EXPECT_TRUE(t.is_leaf());
  }
}

TEST_P(CreateTest, ArangeAsInPython) {
  EXPECT_TRUE(has_values(arange(5), {5}, int64, {0, 1, 2, 3, 4}));
  EXPECT_TRUE(has_values(arange(2, 7, 2), {3}, int64, {2, 4, 6}));
  EXPECT_TRUE(has_values(arange(5, 0, -2), {3}, int64, {5, 3, 1}));
  EXPECT_TRUE(has_values(arange(3, 3), {0}, int64, {}));
  EXPECT_TRUE(has_values(arange(0), {0}, int64, {}));
  EXPECT_TRUE(has_values(arange(0.0, 1.0, 0.25), {4}, float32, {0, 0.25, 0.5, 0.75}));
  EXPECT_TRUE(has_values(arange(0, 2.5), {3}, float32, {0, 1, 2}));
  for (const DType dtype : kNumeric)
    EXPECT_TRUE(has_values(arange(-3, 6, 3, on(dtype)), {3}, dtype, {-3, 0, 3}));
  const std::int64_t large = (std::int64_t{1} << 53) + 1;  // not a double
  EXPECT_EQ(arange(large, large + 2, 1, on(int64)).to_vector<std::int64_t>(), (std::vector<std::int64_t>{large, large + 1}));
}

TEST_P(CreateTest, LargeArangeHasEveryNumber) {
  const std::vector<double> values = arange(100000, on(float64)).to_vector<double>();
  for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], static_cast<double>(i));
}

TEST_P(CreateTest, LinspaceHasBothEnds) {
  EXPECT_TRUE(has_values(linspace(0, 1, 5, on()), {5}, float32, {0, 0.25, 0.5, 0.75, 1}));
  EXPECT_TRUE(has_values(linspace(3, -3, 3, on(float64)), {3}, float64, {3, 0, -3}));
  EXPECT_TRUE(has_values(linspace(2, 5, 1, on()), {1}, float32, {2}));
  EXPECT_TRUE(has_values(linspace(2, 5, 0, on()), {0}, float32, {}));
  const std::vector<double> tenths = linspace(0.1, 0.7, 7, on(float64)).to_vector<double>();
  EXPECT_EQ(tenths.front(), 0.1);
  EXPECT_EQ(tenths.back(), 0.7);
}

TEST_P(CreateTest, EyeOfEveryDType) {
  for (const DType dtype : kCreated) {
    EXPECT_TRUE(has_values(eye(2, on(dtype)), {2, 2}, dtype, {1, 0, 0, 1}));
    EXPECT_TRUE(has_values(eye(2, 3, on(dtype)), {2, 3}, dtype, {1, 0, 0, 0, 1, 0}));
    EXPECT_TRUE(has_values(eye(3, 2, on(dtype)), {3, 2}, dtype, {1, 0, 0, 1, 0, 0}));
  }
  EXPECT_TRUE(has_values(eye(0, on()), {0, 0}, float32, {}));
  EXPECT_TRUE(has_values(eye(3, 0, on()), {3, 0}, float32, {}));
}

TEST_P(CreateTest, ScalarsHaveTheTypeOfTheNumber) {
  EXPECT_TRUE(has_values(scalar(true), {}, boolean, {1}));
  EXPECT_TRUE(has_values(scalar(3), {}, int64, {3}));
  EXPECT_TRUE(has_values(scalar(0.5), {}, float32, {0.5}));
  EXPECT_TRUE(has_values(scalar(0.1, on(float64)), {}, float64, {0.1}));
}

TEST_P(CreateTest, FromHostCopies) {
  std::vector<float> values{1, 2, 3, 4, 5, 6};
  const Tensor t = from_host(values, {2, 3}, device());
  values[0] = 99;
  EXPECT_TRUE(has_values(t, {2, 3}, float32, {1, 2, 3, 4, 5, 6}));
  EXPECT_TRUE(has_values(from_host(std::vector<double>{0.1}, {}, device()), {}, float64, {0.1}));
  EXPECT_TRUE(has_values(from_host(std::vector<std::int32_t>{1, -2}, {2}, device()), {2}, int32, {1, -2}));
  EXPECT_TRUE(has_values(from_host(std::vector<std::int64_t>{}, {0, 4}, device()), {0, 4}, int64, {}));
  const bool truth[] = {true, false};
  EXPECT_TRUE(has_values(from_host(std::span<const bool>(truth), {2}, device()), {2}, boolean, {1, 0}));
}

TEST_P(CreateTest, FromLists) {
  EXPECT_TRUE(has_values(tensor({1, 2.5}, on()), {2}, float32, {1, 2.5}));
  EXPECT_TRUE(has_values(tensor({{1, 2, 3}, {4, 5, 6}}, on(int32)), {2, 3}, int32, {1, 2, 3, 4, 5, 6}));
  EXPECT_TRUE(has_values(tensor({0.0, 0.5}, on(boolean)), {2}, boolean, {0, 1}));
}

TEST_P(CreateTest, HostCopiesConvert) {
  const Tensor t = tensor({-1.5, 0, 2.9}, on());
  EXPECT_EQ(t.to_vector<float>(), (std::vector<float>{-1.5f, 0, 2.9f}));
  EXPECT_EQ(t.to_vector<std::int32_t>(), (std::vector<std::int32_t>{-1, 0, 2}));
  EXPECT_EQ(t.to_vector<std::int64_t>(), (std::vector<std::int64_t>{-1, 0, 2}));
  EXPECT_EQ(t.to_vector<bool>(), (std::vector<bool>{true, false, true}));
  EXPECT_EQ(tensor({{1, 2}, {3, 4}}, on()).t().to_vector<float>(), (std::vector<float>{1, 3, 2, 4}));
  EXPECT_TRUE(zeros({0}, on()).to_vector<double>().empty());
}

TEST_P(CreateTest, ItemReadsOneElement) {
  EXPECT_EQ(full({1, 1}, 2.5, on()).item(), 2.5);
  EXPECT_EQ(full({}, 2.9, on(float64)).item<int>(), 2);
  EXPECT_EQ(full({}, true, on(boolean)).item<bool>(), true);
  EXPECT_EQ(full({}, 0.5, on()).item<bool>(), true);  // "is not zero", as to(bool) has it
  const std::int64_t large = (std::int64_t{1} << 53) + 1;
  EXPECT_EQ(full({1}, large, on(int64)).item<std::int64_t>(), large);
  EXPECT_EQ(arange(10, on(float32)).slice(0, 3)[4].item(), 7);
}

}  // namespace
}  // namespace luge::test
