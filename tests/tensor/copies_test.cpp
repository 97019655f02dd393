// to, clone, contiguous, copy_, fill_: values, layouts, gradients.

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

constexpr DType kCopied[] = {boolean, int32, int64, float32, float64};

class CopyTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(CopyTest);

TEST_P(CopyTest, ConvertsBetweenAllDTypes) {
  const double values[] = {-2.75, -1, -0.25, 0, 0.5, 1, 3.999};
  const Tensor exact = from_host(std::vector<double>(std::begin(values), std::end(values)), {7}, device());
  for (const DType from : kCopied) {
    for (const DType to : kCopied) {
      std::vector<double> expected;
      for (double v : values) {
        for (const DType dtype : {from, to}) v = dtype == boolean ? v != 0 : is_floating(dtype) ? v : std::trunc(v);
        expected.push_back(static_cast<double>(static_cast<float>(v)) == v || to == float64 ? v : static_cast<double>(static_cast<float>(v)));
      }
      if (from == float32 && to == float64) expected[6] = static_cast<double>(3.999f);
      EXPECT_TRUE(has_values(exact.to(from).to(to), {7}, to, expected)) << name(from) << " to " << name(to);
    }
  }
}

TEST_P(CopyTest, ConvertsStridedAndLargeTensors) {
  for (const std::int64_t n : {0, 1, 15, 16, 17, 127, 128, 129, 4095, 4096, 4097, 100000}) {
    const Tensor base = arange(2 * n, on(int64)).view({n, 2});
    const Tensor column = base.select(1, 1).to(float32);
    std::vector<double> expected;
    for (std::int64_t i = 0; i < n; ++i) expected.push_back(static_cast<double>(2 * i + 1));
    EXPECT_TRUE(has_values(column, {n}, float32, expected)) << n;
    EXPECT_TRUE(has_values(base.t().clone().select(0, 1), {n}, int64, expected)) << n;
  }
}

TEST_P(CopyTest, ToTheSameIsTheTensorItself) {
  const Tensor x = zeros({2}, on(float32, true));
  EXPECT_EQ(x.to(float32).impl(), x.impl());
  EXPECT_EQ(x.to(device()).impl(), x.impl());
}

TEST_P(CopyTest, CloneHasItsOwnMemory) {
  const Tensor x = arange(6, on(float32)).view({2, 3});
  const Tensor copy = x.t().clone();
  EXPECT_TRUE(copy.is_contiguous());
  x.detach().fill_(0);
  EXPECT_TRUE(has_values(copy, {3, 2}, float32, {0, 3, 1, 4, 2, 5}));
}

TEST_P(CopyTest, GradientsOfCopies) {
  const Tensor x = arange(6, on(float64)).view({2, 3}).requires_grad_();
  EXPECT_TRUE(gradients_agree([](const std::vector<Tensor>& in) { return in[0].clone() * in[0]; }, {x}));
  EXPECT_TRUE(gradients_agree([](const std::vector<Tensor>& in) { return in[0].t().contiguous() * in[0].t(); }, {x}));
  x.to(float32).sum().backward();
  EXPECT_TRUE(has_values(x.grad(), {2, 3}, float64, {1, 1, 1, 1, 1, 1}));
  EXPECT_FALSE(x.to(int64).requires_grad());
  EXPECT_FALSE(x.to(boolean).requires_grad());
}

TEST_P(CopyTest, MovesBetweenDevices) {
  const Tensor host = arange(6, {.dtype = float64}).view({2, 3}).requires_grad_();
  const Tensor moved = host.t().to(device());
  EXPECT_EQ(moved.device(), device());
  EXPECT_TRUE(has_values(moved.to(Device::cpu()), {3, 2}, float64, {0, 3, 1, 4, 2, 5}));
  (moved * moved).sum().backward();
  EXPECT_EQ(host.grad().device(), Device::cpu());
  EXPECT_TRUE(has_values(host.grad(), {2, 3}, float64, {0, 2, 4, 6, 8, 10}));
}

TEST_P(CopyTest, CopyIntoBroadcastsAndConverts) {
  for (const DType dtype : kCopied) {
    Tensor x = zeros({2, 3}, on(dtype));
    x.copy_(tensor({1, 0, 1}, on(float64)));
    EXPECT_TRUE(has_values(x, {2, 3}, dtype, {1, 0, 1, 1, 0, 1}));
    x.t().slice(0, 1).copy_(scalar(true, on(boolean)));
    EXPECT_TRUE(has_values(x, {2, 3}, dtype, {1, 1, 1, 1, 1, 1}));
  }
}

TEST_P(CopyTest, CopyIntoOverlappingParts) {
  Tensor x = arange(6, on(int64));
  x.slice(0, 1).copy_(x.slice(0, 0, 5));
  EXPECT_TRUE(has_values(x, {6}, int64, {0, 0, 1, 2, 3, 4}));
  Tensor square = arange(9, on(float32)).view({3, 3});
  square.copy_(square.t());
  EXPECT_TRUE(has_values(square, {3, 3}, float32, {0, 3, 6, 1, 4, 7, 2, 5, 8}));
  square.copy_(square[0].clone());
  EXPECT_TRUE(has_values(square, {3, 3}, float32, {0, 3, 6, 0, 3, 6, 0, 3, 6}));
}

TEST_P(CopyTest, FillConvertsTheNumber) {
  for (const DType dtype : kCopied) {
    Tensor x = zeros({2, 3}, on(dtype));
    x.t()[1].fill_(2.5);
    const double v = dtype == boolean ? 1 : is_floating(dtype) ? 2.5 : 2;
    EXPECT_TRUE(has_values(x, {2, 3}, dtype, {0, v, 0, 0, v, 0}));
    x.zero_();
    EXPECT_TRUE(has_values(x, {2, 3}, dtype, std::vector<double>(6, 0)));
  }
}

TEST_P(CopyTest, WritesCountUpTheVersion) {
  Tensor x = zeros({4}, on());
  EXPECT_EQ(x.version(), 0u);
  x.fill_(1);
  x.slice(0, 2).zero_();
  x.view({2, 2}).copy_(scalar(1));
  x.add_(1);
  EXPECT_EQ(x.version(), 4u);
  EXPECT_EQ(x.clone().version(), 0u);
}

class InPlaceTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(InPlaceTest);

TEST_P(InPlaceTest, FourOperationsWithTensorsAndNumbers) {
  for (const DType dtype : {float32, float64}) {
    Tensor x = tensor({{1, 2}, {3, 4}}, on(dtype));
    void* const data = x.data();
    x.add_(tensor({10, 20}, on(dtype))).sub_(1).mul_(2.0).div_(tensor({2, 4}, on(dtype)).unsqueeze(1));
    EXPECT_TRUE(has_values(x, {2, 2}, dtype, {10, 21, 6, 11.5}));
    x.sub_(tensor({10, 21}, on(dtype))).mul_(x).add_(0.5).div_(2);
    EXPECT_TRUE(has_values(x, {2, 2}, dtype, {0.25, 0.25, 8.25, 45.375}));
    EXPECT_EQ(x.data(), data);
  }
  Tensor i = tensor({5, -7}, on(int32));
  i.add_(2).mul_(3).sub_(tensor({1, 1}, on(int32)));
  EXPECT_TRUE(has_values(i, {2}, int32, {20, -16}));
  i.add_(tensor({1, 0}, on(boolean)));
  EXPECT_TRUE(has_values(i, {2}, int32, {21, -16}));
}

TEST_P(InPlaceTest, OnStridedWindows) {
  Tensor x = zeros({3, 4}, on());
  x.t().slice(0, 0, {}, 2).add_(tensor({1, 2, 3}, on()));
  EXPECT_TRUE(has_values(x, {3, 4}, float32, {1, 0, 1, 0, 2, 0, 2, 0, 3, 0, 3, 0}));
}

TEST_P(InPlaceTest, WithOverlappingMemory) {
  Tensor x = arange(5, on(float32));
  x.slice(0, 1).add_(x.slice(0, 0, 4));
  EXPECT_TRUE(has_values(x, {5}, float32, {0, 1, 3, 5, 7}));
  Tensor m = tensor({{1, 2}, {3, 4}}, on());
  m.add_(m.t());
  EXPECT_TRUE(has_values(m, {2, 2}, float32, {2, 5, 5, 8}));
  m.mul_(m[0].clone()).sub_(m[1]);
  EXPECT_TRUE(has_values(m, {2, 2}, float32, {-6, -15, 0, 0}));
  m.add_(m);
  EXPECT_TRUE(has_values(m, {2, 2}, float32, {-12, -30, 0, 0}));
}

TEST_P(InPlaceTest, OnNothing) {
  Tensor x = zeros({0, 2}, on());
  x.add_(1).mul_(tensor({1, 2}, on()));
  EXPECT_EQ(x.numel(), 0);
}

TEST_P(InPlaceTest, AFailedCallChangesNothing) {
  Tensor x = tensor({1, 2}, on()), i = tensor({1, 2}, on(int64));
  EXPECT_THROW(x.add_(zeros({3}, on())), ShapeError);
  EXPECT_THROW(x.add_(zeros({3, 2}, on())), ShapeError);
  EXPECT_THROW(x.copy_(zeros({3, 2}, on())), ShapeError);
  EXPECT_THROW(i.add_(zeros({2}, on(float64))), DTypeError);
  EXPECT_THROW(i.div_(2), DTypeError);
  EXPECT_THROW(i.add_(0.5), DTypeError);
  EXPECT_TRUE(has_values(x, {2}, float32, {1, 2}));
  EXPECT_TRUE(has_values(i, {2}, int64, {1, 2}));
  EXPECT_EQ(x.version(), 0u);
  EXPECT_EQ(i.version(), 0u);
}

}  // namespace
}  // namespace luge::test
