// Functions within a kernel: forward and on the way back they give the bits of the single calls, whatever the argument.

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class FunctionsTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(FunctionsTest);

using Function = std::function<Tensor(const Tensor&)>;

const std::vector<std::pair<std::string, Function>> kFunctions{
    {"exp", [](const Tensor& x) { return exp(x); }},
    {"expm1", [](const Tensor& x) { return expm1(x); }},
    {"log", [](const Tensor& x) { return log(x); }},
    {"log1p", [](const Tensor& x) { return log1p(x); }},
    {"sin", [](const Tensor& x) { return sin(x); }},
    {"tanh", [](const Tensor& x) { return tanh(x); }},
    {"erf", [](const Tensor& x) { return erf(x); }},
    {"sigmoid", [](const Tensor& x) { return sigmoid(x); }},
    {"gelu", [](const Tensor& x) { return gelu(x); }},
    {"silu", [](const Tensor& x) { return silu(x); }},
    {"softplus", [](const Tensor& x) { return softplus(x); }},
    {"sqrt", [](const Tensor& x) { return sqrt(x); }},
    {"rsqrt", [](const Tensor& x) { return rsqrt(x); }},
};

/// Special values, and both signs of some numbers of each binary exponent from `low` to `high`.
std::vector<double> arguments(int low, int high) {
  std::vector<double> values{0.0, -0.0, kInfinity, -kInfinity, kNaN, 1, -1};
  for (int exponent = low; exponent <= high; ++exponent)
    for (const double part : {1.0, 1.0000001, 1.1, 1.3466, 1.5, 1.75, 1.9999998})
      for (const double sign : {1.0, -1.0}) values.push_back(sign * std::ldexp(part, exponent));
  for (int i = -1200; i <= 1200; ++i) values.push_back(i * 0.0917);  // where exponentials neither vanish nor overflow
  return values;
}

TEST_P(FunctionsTest, InAKernelAsEagerly) {
  for (const DType dtype : {float32, float64}) {
    const std::vector<double> values = dtype == float32 ? arguments(-151, 127) : arguments(-1076, 1023);
    const auto n = static_cast<std::int64_t>(values.size());
    for (const auto& named : kFunctions) {
      SCOPED_TRACE(::testing::Message() << named.first << " " << name(dtype));
      Tensor x = from_host(values, {n}, device()).to(dtype);
      x.requires_grad_();
      const Tensor scale = linspace(0.5, 2, n, on(dtype));
      const auto body = [&] {
        x.zero_grad();
        const Tensor y = named.second(x) * scale + 1;
        y.sum().backward();
        return y;
      };
      const Tensor expected = body().detach().clone(), expected_gradient = x.grad().clone();
      Step step = capture(body);
      step();
      EXPECT_TRUE(same(step(), expected));
      EXPECT_TRUE(same(x.grad(), expected_gradient));
    }
  }
}

/// Several of them in one kernel, so that registers are short.
TEST_P(FunctionsTest, ManyInOneKernel) {
  for (const DType dtype : {float32, float64})
    for (const std::int64_t n : {1, 15, 16, 17, 1000}) {
      SCOPED_TRACE(::testing::Message() << name(dtype) << " " << n);
      Tensor x = linspace(-3, 3, n, on(dtype)), y = linspace(0.1, 5, n, on(dtype));
      x.requires_grad_();
      y.requires_grad_();
      const auto body = [&] {
        x.zero_grad();
        y.zero_grad();
        const Tensor a = tanh(x) * exp(y), b = log(y) + erf(x * y), c = sigmoid(a - b) * gelu(b), d = log1p(y) * expm1(x);
        const Tensor z = a * b + c * d + softplus(a + d);
        z.sum().backward();
        return z;
      };
      const Tensor expected = body().detach().clone(), dx = x.grad().clone(), dy = y.grad().clone();
      Step step = capture(body);
      step();
      EXPECT_TRUE(same(step(), expected));
      EXPECT_TRUE(same(x.grad(), dx));
      EXPECT_TRUE(same(y.grad(), dy));
    }
}

}  // namespace
}  // namespace luge::test
