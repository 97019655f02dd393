// Gradients that repeat values by strides of zero on their way down: from sum() and expand(), through
// operations that compute each distinct value once.

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class ExpandedGradientTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(ExpandedGradientTest);

using Function = std::function<Tensor(const Tensor&, const Tensor&)>;

struct Chain {
  const char* name;
  Function run;
};
struct End {
  const char* name;
  std::function<Tensor(const Tensor&)> run;
};

/// Chains whose gradients keep repeated dimensions, of x (3, 4, 5) and a partner.
const std::vector<Chain>& chains() {
  static const std::vector<Chain> all = {
      {"neg", [](auto& x, auto&) { return -x; }},
      {"mul by a number", [](auto& x, auto&) { return x * 3; }},
      {"sub from a number", [](auto& x, auto&) { return 2 - x; }},
      {"a long chain", [](auto& x, auto&) { return -(2 - (x * 3) * 0.5) * 4 - 1; }},
      {"sub", [](auto& x, auto& p) { return p - x; }},
      {"mul", [](auto& x, auto& p) { return x * p; }},
      {"div", [](auto& x, auto& p) { return x / (p * p + 1); }},
      {"chain, then mul", [](auto& x, auto& p) { return -(x * 2) * p; }},
      {"mul, then chain", [](auto& x, auto& p) { return -(x * p * 2); }},
      {"twice", [](auto& x, auto& p) { return -x * 2 + x * p - (1 - x); }},
      {"with itself", [](auto& x, auto&) { return (x * 2) * (x * 3); }},
      {"exp", [](auto& x, auto&) { return (-x).exp(); }},
      {"where", [](auto& x, auto& p) { return where(p > 0, -x, x * 2); }},
      {"maximum", [](auto& x, auto& p) { return maximum(x * 2, p); }},
  };
  return all;
}

/// What may stand between a chain and the scalar.
const std::vector<End>& ends() {
  static const std::vector<End> all = {
      {"sum", [](auto& y) { return y.sum(); }},
      {"mean", [](auto& y) { return y.mean(); }},
      {"sum(0)", [](auto& y) { return y.sum(0); }},
      {"sum(-1, keepdim)", [](auto& y) { return y.sum(-1, true); }},
      {"sum of two", [](auto& y) { return y.sum({0, 2}) * 2; }},
      {"mean of the middle", [](auto& y) { return -y.mean(1); }},
      {"part of a sum", [](auto& y) { return y.slice(1, 1, 3).sum(2); }},
      {"transposed", [](auto& y) { return y.transpose(0, 2).sum(0); }},
      {"minus its mean", [](auto& y) { return (y - y.mean(2, true)).sum(1); }},
      {"as it is", [](auto& y) { return y; }},
  };
  return all;
}

TEST_P(ExpandedGradientTest, AgreesWithDifferences) {
  manual_seed(1);
  const Tensor x = randn({3, 4, 5}, on(float64, true));
  const Tensor partners[] = {randn({3, 4, 5}, on(float64, true)), randn({4, 1}, on(float64, true)), randn({}, on(float64, true)),
                             randn({3, 1, 5}, on(float64, true))};
  std::size_t turn = 0;
  for (const Chain& chain : chains()) {
    for (const End& end : ends()) {
      SCOPED_TRACE(std::string(chain.name) + ", " + end.name);
      const auto function = [&](const std::vector<Tensor>& in) { return end.run(chain.run(in[0], in[1])) + 0 * in[1].sum(); };
      EXPECT_TRUE(gradients_agree(function, {x, partners[turn++ % 4]}));
    }
  }
}

TEST_P(ExpandedGradientTest, OfBroadcastInputs) {
  manual_seed(2);
  // The chain's own input is smaller than the gradient that reaches it.
  for (const Shape& shape : {Shape{}, Shape{5}, Shape{4, 1}, Shape{1, 1, 5}, Shape{3, 1, 1}}) {
    const Tensor x = randn(shape, on(float64, true)), p = randn({3, 4, 5}, on(float64, true));
    for (const Chain& chain : chains()) {
      SCOPED_TRACE(to_string(shape) + ", " + chain.name);
      const auto expanded = [&](const std::vector<Tensor>& in) { return chain.run(in[0].expand({3, 4, 5}), in[1]).sum() + 0 * in[1].sum(); };
      const auto broadcast = [&](const std::vector<Tensor>& in) { return chain.run(in[0] + 0 * in[1], in[1]).sum(1); };
      EXPECT_TRUE(gradients_agree(expanded, {x, p}));
      EXPECT_TRUE(gradients_agree(broadcast, {x, p}));
    }
  }
}

TEST_P(ExpandedGradientTest, IntoALeafAtOnce) {
  // A leaf's gradient is real memory, whatever reached it.
  for (const DType dtype : {float32, float64}) {
    Tensor x = ones({3, 4}, on(dtype, true));
    (-x).sum().backward();
    EXPECT_TRUE(has_values(x.grad(), {3, 4}, dtype, std::vector<double>(12, -1)));
    EXPECT_TRUE(x.grad().is_contiguous());
    x.sum().backward();
    (x * 2).sum(0).sum().backward();
    EXPECT_TRUE(has_values(x.grad(), {3, 4}, dtype, std::vector<double>(12, 2)));
    x.zero_grad();
    x.expand({5, 3, 4}).sum().backward();
    EXPECT_TRUE(has_values(x.grad(), {3, 4}, dtype, std::vector<double>(12, 5)));
    x.grad().add_(1);
    x.sum(1).backward(tensor({1, 2, 3}, on(dtype)));
    EXPECT_TRUE(has_values(x.grad(), {3, 4}, dtype, {7, 7, 7, 7, 8, 8, 8, 8, 9, 9, 9, 9}));
  }
}

TEST_P(ExpandedGradientTest, ThroughAViewOfARepeatedGradient) {
  Tensor x = arange(12, on(float64)).requires_grad_();
  (-(x.view({3, 4}).t() * 2)).sum(0).sum().backward();
  EXPECT_TRUE(has_values(x.grad(), {12}, float64, std::vector<double>(12, -2)));
  x.zero_grad();
  (x.view({3, 4}).slice(0, 0, 2) * 2).sum().backward();
  EXPECT_TRUE(has_values(x.grad(), {12}, float64, {2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0}));
}

TEST_P(ExpandedGradientTest, LargeSums) {
  Tensor x = ones({1000, 1001}, on(float32, true));
  ((1 - x) * x).sum().backward();
  EXPECT_TRUE((x.grad() == -1).all().item<bool>());
  x.zero_grad();
  (-(x * 2) - x).sum(0).sum().backward();
  EXPECT_TRUE((x.grad() == -3).all().item<bool>());
}

}  // namespace
}  // namespace luge::test
