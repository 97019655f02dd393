#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class ReduceGradientTest : public DeviceTest {
 protected:
  /// Distinct numbers without a zero.
  Tensor distinct(const Shape& shape) const {
    const std::int64_t n = element_count(shape);
    return (((arange(n, on(float64)) * 0.61803398874989 * 7).sin() * 2 + arange(n, on(float64)) * 0.01) + 0.013).view(shape).detach().requires_grad_();
  }
};
LUGE_ON_EVERY_DEVICE(ReduceGradientTest);

struct Case {
  const char* name;
  std::function<Tensor(const Tensor&, const DimList&, bool)> call;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"sum", [](auto& x, auto& d, bool k) { return x.sum(d, k); }},
      {"mean", [](auto& x, auto& d, bool k) { return x.mean(d, k); }},
      {"var", [](auto& x, auto& d, bool k) { return x.var(d, 1, k); }},
      {"var, correction 0", [](auto& x, auto& d, bool k) { return x.var(d, 0, k); }},
      {"nansum", [](auto& x, auto& d, bool k) { return x.nansum(d, k); }},
      {"prod", [](auto& x, auto& d, bool k) { return x.prod(d, k); }},
      {"max", [](auto& x, auto& d, bool k) { return x.max(d, k); }},
      {"min", [](auto& x, auto& d, bool k) { return x.min(d, k); }},
      {"logsumexp", [](auto& x, auto& d, bool k) { return x.logsumexp(d, k); }},
  };
  return all;
}

TEST_P(ReduceGradientTest, EveryReductionOverSomeDimensions) {
  const DimList sets[] = {{0}, {1}, {-1}, {0, 2}, {0, 1}, {1, 2}, {0, 1, 2}};
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    for (const DimList& dims : sets) {
      for (const bool keepdim : {false, true}) {
        const auto function = [&](const std::vector<Tensor>& in) { return c.call(in[0], dims, keepdim); };
        EXPECT_TRUE(gradients_agree(function, {distinct({2, 3, 4})}));
        if (keepdim) continue;
        const Tensor transposed = distinct({4, 3, 2}).detach().transpose(0, 2).requires_grad_();
        EXPECT_TRUE(gradients_agree(function, {transposed})) << "transposed";
        const Tensor sliced = distinct({2, 6, 5}).detach().slice(1, 0, {}, 2).slice(2, 1).requires_grad_();
        EXPECT_TRUE(gradients_agree(function, {sliced})) << "sliced";
        // A gradient that repeats, and one that accumulates onto another.
        EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return function(in).sum(); }, {distinct({2, 3, 4})}));
        EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return function(in).sum() + (in[0] * in[0]).sum(); }, {distinct({2, 3, 4})}));
      }
    }
    EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return c.call(in[0].expand({3, 2, 4}), {0, 1}, false); }, {distinct({2, 1})})) << "expanded";
    if (std::string(c.name) == "var") continue;  // of one element there is none
    EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return c.call(in[0], 0, false); }, {distinct({})})) << "0-d";
  }
}

TEST_P(ReduceGradientTest, OverEverything) {
  const Tensor x = distinct({3, 4});
  EXPECT_TRUE(gradients_agree([](const std::vector<Tensor>& in) { return in[0].sum() * in[0].mean() + in[0].prod(); }, {x}));
  EXPECT_TRUE(gradients_agree([](const std::vector<Tensor>& in) { return in[0].max() * in[0].min() - in[0].var(); }, {x}));
}

TEST_P(ReduceGradientTest, OfNothing) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    Tensor x = zeros({0, 3}, on(float64, true));
    c.call(x, 1, false).sum().backward();
    EXPECT_TRUE(same(x.grad(), zeros({0, 3}, on(float64))));
    if (std::string(c.name) == "max" || std::string(c.name) == "min") continue;
    x.zero_grad();
    c.call(x, 0, false).sum().backward();
    EXPECT_TRUE(same(x.grad(), zeros({0, 3}, on(float64))));
  }
}

TEST_P(ReduceGradientTest, ProductsWithZeros) {
  const auto product = [](const std::vector<Tensor>& in) { return in[0].prod(1); };
  for (const DType dtype : {float32, float64}) {
    Tensor x = tensor({{2, 3, 4}, {2, 0, 4}, {0, 3, 0}, {0, 0, 0}}, on(dtype, true));
    product({x}).sum().backward();
    EXPECT_TRUE(has_values(x.grad(), {4, 3}, dtype, {12, 8, 6, 0, 8, 0, 0, 0, 0, 0, 0, 0}, 1e-6));
  }
  EXPECT_TRUE(gradients_agree(product, {tensor({{2, 3, 4}, {2, 0, 4}, {0, 3, 0}}, on(float64, true))}));
  EXPECT_TRUE(gradients_agree([](const std::vector<Tensor>& in) { return in[0].prod(); }, {tensor({{2, 3}, {0, 4}}, on(float64, true))}));
}

TEST_P(ReduceGradientTest, EqualExtremesShareEvenly) {
  for (const DType dtype : {float32, float64}) {
    Tensor x = tensor({{1, 5, 5, 2}, {3, 3, 3, 3}, {0, -1, 4, -1}}, on(dtype, true));
    x.max(1).sum().backward();
    EXPECT_TRUE(has_values(x.grad(), {3, 4}, dtype, {0, 0.5, 0.5, 0, 0.25, 0.25, 0.25, 0.25, 0, 0, 1, 0}));
    x.zero_grad();
    x.min(1).backward(tensor({1, 4, 6}, on(dtype)));
    EXPECT_TRUE(has_values(x.grad(), {3, 4}, dtype, {1, 0, 0, 0, 1, 1, 1, 1, 0, 3, 0, 3}));
  }
}

TEST_P(ReduceGradientTest, LogSumExpOfInfinities) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  Tensor x = tensor({{-kInf, 0}, {-kInf, -kInf}, {1000, 1000}}, on(float64, true));
  x.logsumexp(1).sum().backward();
  const std::vector<double> gradient = x.grad().to_vector<double>();
  EXPECT_EQ(gradient[0], 0);
  EXPECT_EQ(gradient[1], 1);
  EXPECT_NEAR(gradient[4], 0.5, 1e-12);
}

TEST_P(ReduceGradientTest, PositionsHaveNone) {
  const Tensor x = distinct({3});
  EXPECT_FALSE(x.argmax().requires_grad());
  EXPECT_FALSE(x.all().requires_grad());
}

TEST_P(ReduceGradientTest, LargeSums) {
  Tensor x = ones({300, 4097}, on(float32, true));
  (x.sum(1) * x.mean(1)).sum().backward();
  EXPECT_TRUE(((x.grad() - 2).abs() < 1e-4).all().item<bool>());
}

}  // namespace
}  // namespace luge::test
