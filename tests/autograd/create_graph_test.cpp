// Gradients that can be differentiated in turn: of every row of the table, of graphs with everything in them, to the
// third order, and what they do to leaves, to memory and to graphs that were used.

#include <luge/autograd/detail/node.h>
#include <luge/base/memory.h>
#include <luge/tensor/detail/tensor_impl.h>

#include "devices.h"
#include "expect.h"
#include "ops/rows.h"

namespace luge::test {
namespace {

class CreateGraphTest : public DeviceTest {
 protected:
  /// Numbers in the range of a row, away from its kink.
  Tensor points(const Row& row, const Shape& shape, double turn, DType dtype = float64) const {
    std::vector<double> values;
    for (std::int64_t i = 0; i < element_count(shape); ++i) {
      double x = row.low + (row.high - row.low) * std::fmod(static_cast<double>(i) * 0.61803398874989 + turn, 1.0);
      for (const double kink : {row.kink, -row.kink})
        if (std::abs(x - kink) < 0.02) x = kink + std::copysign(0.05, x - kink);
      values.push_back(x);
    }
    return from_host(values, shape, device()).to(dtype);
  }
  std::vector<Tensor> inputs(const Row& row, const std::vector<Shape>& shapes, DType dtype = float64) const {
    std::vector<Tensor> result;
    for (int i = 0; i < row.inputs; ++i) {
      const Tensor x = points(row, shapes[static_cast<std::size_t>(i) % shapes.size()], 0.05 + 0.27 * i, dtype);
      result.push_back(row.op == Op::Where && i == 0 ? x.gt(0) : x.detach().requires_grad_());
    }
    return result;
  }
  /// d(sum of x)/dx, order after order.
  static std::vector<Tensor> orders(const std::function<Tensor(const Tensor&)>& function, const Tensor& x, int order) {
    std::vector<Tensor> all{function(x)};
    for (int i = 0; i < order; ++i) all.push_back(grad({all.back().sum()}, {x}, {}, {}, true)[0]);
    return all;
  }
};
LUGE_ON_EVERY_DEVICE(CreateGraphTest);

TEST_P(CreateGraphTest, EveryRowPassesGradgradcheck) {
  const std::vector<std::vector<Shape>> shapes = {{{2, 3}}, {{2, 3}, {3}}, {{}, {2, 3}}, {{2, 1}, {1, 3}, {}}};
  for (const Row& row : rows()) {
    if (row.orders() < 2) continue;
    SCOPED_TRACE(row.name);
    for (const std::vector<Shape>& of : shapes) EXPECT_TRUE(gradients_agree(row.call, inputs(row, of)));
    // Each input as the only one that wants a gradient, so that what the others read was not kept.
    for (int only = row.op == Op::Where ? 1 : 0; only < row.inputs; ++only) {
      std::vector<Tensor> in = inputs(row, {{2, 3}});
      for (int i = 0; i < row.inputs; ++i)
        if (i != only) in[static_cast<std::size_t>(i)] = in[static_cast<std::size_t>(i)].detach();
      EXPECT_TRUE(gradients_agree(row.call, in)) << "only input " << only;
    }
    std::vector<Tensor> transposed = inputs(row, {{3, 2}});
    for (Tensor& x : transposed) {
      const bool wanted = x.requires_grad();
      x = x.detach().t();
      if (wanted) x.requires_grad_();
    }
    EXPECT_TRUE(gradients_agree(row.call, transposed)) << "transposed";
  }
}

TEST_P(CreateGraphTest, EveryRowToTheThirdOrder) {
  for (const Row& row : rows()) {
    if (row.orders() < 3) continue;
    SCOPED_TRACE(row.name);
    const auto slope = [&](const std::vector<Tensor>& in) {
      Tensor total;
      std::vector<Tensor> wanted;
      for (const Tensor& x : in)
        if (x.requires_grad()) wanted.push_back(x);
      for (const Tensor& found : grad({row.call(in).sum()}, wanted, {}, {}, true)) {
        const Tensor part = (found * found).sum();
        total = total.defined() ? total + part : part;
      }
      for (const Tensor& x : wanted) total = total + (x * x * x).sum();
      return total;
    };
    const auto recorded = [&](const std::vector<Tensor>& in) {
      const GradMode mode(true);
      return slope(in);
    };
    EXPECT_TRUE(gradients_agree(recorded, inputs(row, {{2, 2}})));
  }
}

TEST_P(CreateGraphTest, TheGradientsAreThoseOfTheOrdinaryPass) {
  for (const Row& row : rows()) {
    if (row.orders() < 2) continue;
    SCOPED_TRACE(row.name);
    for (const DType dtype : {float32, float64}) {
      const std::vector<Tensor> in = inputs(row, {{40}}, dtype);
      std::vector<Tensor> wanted;
      for (const Tensor& x : in)
        if (x.requires_grad()) wanted.push_back(x);
      const Tensor y = row.call(in), weights = points(rows()[static_cast<std::size_t>(Op::Add)], {40}, 0.4, dtype);
      const std::vector<Tensor> recorded = grad({y}, wanted, {weights}, true, true),
                                plain = grad({y}, wanted, {weights});
      for (std::size_t i = 0; i < plain.size(); ++i) {
        EXPECT_FALSE(plain[i].requires_grad());
        EXPECT_TRUE(same(recorded[i], plain[i])) << "input " << i;
      }
    }
  }
}

TEST_P(CreateGraphTest, DerivativesOfLgammaArePolygammas) {
  const Tensor x = tensor({0.75, 1, 4.5}, on(float64, true));
  const Tensor first = grad({lgamma(x).sum()}, {x}, {}, {}, true)[0];
  EXPECT_TRUE(same(first, digamma(x)));
  // pi^2 - 8 times Catalan's constant, pi^2 / 6, and a number of mpmath's.
  const Tensor second = grad({first.sum()}, {x})[0];
  EXPECT_TRUE(has_values(second, {3}, float64, {2.5418796476716065, 1.6449340668482264, 0.24872510303901037}, 1e-14));
  const std::vector<Tensor> all = orders([](const Tensor& t) { return digamma(t); }, x, 4);
  for (int n = 1; n <= 4; ++n) EXPECT_TRUE(same(all[static_cast<std::size_t>(n)], polygamma(x, n))) << n;
}

TEST_P(CreateGraphTest, PowersOfEveryOrder) {
  const Tensor x = tensor({-2, 0, 1, 3}, on(float64, true));
  const std::vector<Tensor> all = orders([](const Tensor& t) { return t.pow(3); }, x, 3);
  EXPECT_TRUE(has_values(all[1], {4}, float64, {12, 0, 3, 27}));
  EXPECT_TRUE(has_values(all[2], {4}, float64, {-12, 0, 6, 18}));
  EXPECT_TRUE(has_values(all[3], {4}, float64, {6, 6, 6, 6}));
  EXPECT_FALSE(all[3].requires_grad()) << "a constant";
}

TEST_P(CreateGraphTest, TheExponentialIsItsOwnDerivative) {
  const Tensor x = tensor({-1, 0, 0.5}, on(float64, true));
  const std::vector<Tensor> all = orders([](const Tensor& t) { return exp(t); }, x, 4);
  for (const Tensor& derivative : all) EXPECT_TRUE(same(derivative, all[0]));
}

/// Where an exponential within the formula overflows the second derivative is 0, not a NaN.
TEST_P(CreateGraphTest, FarOutTheCurvatureIsZero) {
  const auto curvature = [&](const std::function<Tensor(const Tensor&)>& function) {
    const Tensor x = tensor({-1000, -100, 100, 1000}, on(float32, true));
    return orders(function, x, 3);
  };
  const std::function<Tensor(const Tensor&)> functions[] = {
      [](const Tensor& x) { return sigmoid(x); },  [](const Tensor& x) { return silu(x); },
      [](const Tensor& x) { return softplus(x); }, [](const Tensor& x) { return tanh(x); },
      [](const Tensor& x) { return gelu(x); },     [](const Tensor& x) { return erf(x); }};
  for (const auto& function : functions)
    for (std::size_t order : {2, 3}) {
      const Tensor found = curvature(function)[order];
      EXPECT_TRUE(has_values(found, {4}, float32, {0, 0, 0, 0}, 1e-35));
    }
}

TEST_P(CreateGraphTest, GraphsOfManyKindsOfOperations) {
  using In = std::vector<Tensor>;
  const Tensor index = tensor({2, 0, 2}, on(int64)), labels = tensor({1, 0}, on(int64));
  const auto check = [&](const char* name, const std::function<Tensor(const In&)>& function) {
    SCOPED_TRACE(name);
    const Tensor a = ((arange(6, on(float64)).view({2, 3}) * 1.7).sin() * 0.9 + 0.1).requires_grad_(),
                 b = ((arange(3, on(float64)) * 0.5 + 0.4).cos()).requires_grad_();
    EXPECT_TRUE(gradients_agree(function, {a, b}));
  };
  check("sum of products", [](const In& in) { return (in[0] * in[1]).sum(); });
  check("used twice", [](const In& in) {
    const Tensor y = in[0] * in[0];
    return y * in[1] + y.exp() * y;
  });
  check("views", [](const In& in) {
    return in[0].t().reshape({2, 3}).slice(1, 0, {}, 2).square() * in[1][1] + in[0].view({3, 2})[1].unsqueeze(0).exp();
  });
  check("expanded", [](const In& in) { return (in[1].expand({4, 3}) * in[0].select(0, 1)).exp().sum({0}); });
  check("matrix product", [](const In& in) { return matmul(in[0], in[0].t()).exp(); });
  check("matrix and vector", [](const In& in) { return matmul(in[0], in[1].square()); });
  check("batches", [](const In& in) {
    return matmul(in[0].view({2, 1, 3}), in[1].expand({2, 3}).unsqueeze(-1)).square();
  });
  check("one matrix for a batch", [](const In& in) {
    return matmul(in[0], (in[0] * in[1]).view({2, 3, 1}) * in[1].view({1, 1, 3})).square();
  });
  check("linear", [](const In& in) { return linear(in[0], in[0] * in[1], in[1].slice(0, 0, 2)).tanh(); });
  check("linear of sets", [](const In& in) {
    return linear(in[0], in[0].view({2, 1, 3}) * in[1], in[1].slice(0, 0, 2).view({2, 1})).square();
  });
  check("softmax", [](const In& in) { return softmax(in[0] * in[1], 0) * softmax(in[0], -1); });
  check("log_softmax", [](const In& in) { return log_softmax(in[0], 1).square() * log_softmax(in[1], 0); });
  check("cross entropy", [&](const In& in) { return cross_entropy(in[0] * in[1], labels); });
  check("cross entropy without reduction",
        [&](const In& in) { return cross_entropy(in[0] * in[1], labels, Reduction::None).square(); });
  check("cross entropy with everything", [&](const In& in) {
    return cross_entropy(in[0].square(), labels,
                         {.weight = tensor({1.5, 0.5, 1}, on(float64)), .ignore_index = 0, .label_smoothing = 0.1});
  });
  check("mean squared error", [](const In& in) { return mse_loss(in[0].square(), in[1].expand({2, 3})); });
  check("index_select", [&](const In& in) { return in[0].index_select(1, index).square() * in[1]; });
  check("gather", [&](const In& in) { return in[0].gather(1, index.expand({2, 3})).exp() * in[1]; });
  check("index_copy", [&](const In& in) { return (in[0] * 1).index_copy(1, index, in[0] * in[1]).square(); });
  check("cat and stack", [](const In& in) { return cat({in[0].square(), stack({in[1], in[1].exp()})}, 0).square(); });
  check("max of a dimension",
        [](const In& in) { return max_along(in[0].square(), 1).values * min_along(in[1].exp(), 0).values; });
  check("variance and deviation",
        [](const In& in) { return in[0].var({1}) * in[1].std() + in[0].exp().std({0}).sum(); });
  check("product", [](const In& in) { return in[0].prod({1}) * in[1].prod(); });
  check("logsumexp", [](const In& in) { return in[0].logsumexp({0}) * in[1]; });
  check("extremes", [](const In& in) { return in[0].max({0}).square() + in[1].min().exp(); });
  check("conversions", [](const In& in) { return (in[0] * in[1]).clone().contiguous().square().t().contiguous(); });
  check("clamp by tensors", [](const In& in) { return clamp(in[0] * 3, in[1] - 1.3, in[1].square() + 0.7).square(); });
  check("in place", [](const In& in) {
    Tensor y = in[0].exp() * 2;
    y.mul_(in[1]);
    y[1].copy_(in[1].square());
    y.t()[0].sigmoid_();
    y.view({6}).slice(0, 1, 4).fill_(0.5);
    return y.square();
  });
  check("a gradient in the middle", [](const In& in) {
    const GradMode mode(true);
    const Tensor hidden = in[0].requires_grad() ? in[0] * in[1] : in[0];
    return grad({(hidden.exp() * hidden).sum()}, {hidden}, {}, {}, true)[0] * in[1];
  });
}

TEST_P(CreateGraphTest, TheHessianOfAQuadraticForm) {
  const Tensor matrix = tensor({{4, 1}, {1, 3}}, on(float64)), x = tensor({1, 2}, on(float64, true));
  const Tensor energy = 0.5 * (x * matmul(matrix, x)).sum();
  const Tensor slope = grad({energy}, {x}, {}, {}, true)[0];
  EXPECT_TRUE(has_values(slope, {2}, float64, {6, 7}));
  for (int row = 0; row < 2; ++row) EXPECT_TRUE(same(grad({slope[row]}, {x}, {}, true)[0], matrix[row]));
}

TEST_P(CreateGraphTest, TheMixedDerivativeThroughGradOutputs) {
  const Tensor x = tensor({1, 2}, on(float64, true)), v = tensor({3, 4}, on(float64, true));
  const Tensor slope = grad({x * x * x}, {x}, {v}, {}, true)[0];  // 3 x^2 v
  const std::vector<Tensor> found = grad({slope.sum()}, {x, v});
  EXPECT_TRUE(has_values(found[0], {2}, float64, {18, 48}));
  EXPECT_TRUE(has_values(found[1], {2}, float64, {3, 12}));
}

TEST_P(CreateGraphTest, BackwardGivesLeavesAGradientWithAHistory) {
  Tensor x = tensor({1, 2}, on(float64, true));
  (x * x * x).sum().backward({}, {}, true);
  EXPECT_TRUE(has_values(x.grad(), {2}, float64, {3, 12}));
  ASSERT_TRUE(x.grad().requires_grad());
  const Tensor curvature = grad({x.grad().sum()}, {x}, {}, true)[0];
  EXPECT_TRUE(has_values(curvature, {2}, float64, {6, 12}));
  // What comes later adds up, with a history or without.
  (x * x).sum().backward({}, {}, true);
  EXPECT_TRUE(has_values(x.grad(), {2}, float64, {5, 16}));
  EXPECT_TRUE(has_values(grad({x.grad().sum()}, {x}, {}, true)[0], {2}, float64, {8, 14}));
  (x * x).sum().backward();
  EXPECT_TRUE(has_values(x.grad(), {2}, float64, {7, 20}));
  EXPECT_FALSE(x.grad().requires_grad());
  x.zero_grad();
  EXPECT_FALSE(x.grad().defined());
}

TEST_P(CreateGraphTest, ALeafWithAHistoryIsFreedAfterZeroGrad) {
  const std::size_t before = memory_stats(device()).allocated;
  {
    Tensor x = tensor({1, 2}, on(float64, true));
    (x * x * x).sum().backward({}, {}, true);
    x.zero_grad();
  }
  {
    const Tensor x = tensor({1, 2}, on(float64, true));
    const Tensor slope = grad({exp(x).sum()}, {x}, {}, {}, true)[0];
    grad({exp(slope).sum()}, {x}, {}, {}, true);
  }
  EXPECT_EQ(memory_stats(device()).allocated, before);
}

TEST_P(CreateGraphTest, InAnArenaChosenInputsOnly) {
  Parameters params({.device = device(), .dtype = float64});
  Tensor w = params.add("w", {2}, init::constant(3));
  const Tensor plain = tensor({1, 1}, on(float64, true));
  expect_errors({LUGE_ERROR(AutogradError, "backward: with create_graph .* use grad\\(\\)",
                            (w * w * plain).sum().backward({}, {}, true))});
  EXPECT_FALSE(plain.grad().defined()) << "a failed call changes nothing";
  EXPECT_TRUE(has_values(w.grad(), {2}, float64, {0, 0}));
  // The penalty on a gradient: d/dw of (2 w)^2.
  const Tensor slope = grad({(w * w).sum()}, {w}, {}, {}, true)[0];
  (slope * slope).sum().backward();
  EXPECT_TRUE(has_values(w.grad(), {2}, float64, {24, 24}));
}

TEST_P(CreateGraphTest, GraphsAreKeptUnlessOneSaysOtherwise) {
  const Tensor x = tensor({1, 2}, on(float64, true));
  const Tensor y = (x * x).sum();
  grad({y}, {x}, {}, {}, true);
  const Tensor slope = grad({y}, {x}, {}, false, true)[0];
  EXPECT_THROW(grad({y}, {x}), AutogradError);
  const Tensor z = exp(x).sum();
  const Tensor freed = grad({z}, {x}, {}, false, true)[0];
  expect_errors({LUGE_ERROR(AutogradError, "has been used and freed; pass retain_graph", grad({freed.sum()}, {x}))});
  grad({slope.sum()}, {x});
  EXPECT_THROW(grad({slope.sum()}, {x}), AutogradError);
}

TEST_P(CreateGraphTest, ChangesInPlaceAreNoticed) {
  const Tensor x = tensor({1, 2}, on(float64, true));
  Tensor y = x * 1;
  const Tensor slope = grad({(y * y * y).sum()}, {y}, {}, {}, true)[0];
  no_grad([&] { y.fill_(7); });
  expect_errors({LUGE_ERROR(AutogradError, "was changed in place", grad({slope.sum()}, {x}))});
}

TEST_P(CreateGraphTest, GradientsAreTheCallersOwn) {
  const Tensor x = tensor({1, 2}, on(float64, true)), y = tensor({3, 4}, on(float64, true));
  Tensor seed = ones({2}, on(float64));
  std::vector<Tensor> found = grad({x + y}, {x, y, x}, {seed}, {}, true);
  found[0].fill_(9);
  EXPECT_TRUE(has_values(found[1], {2}, float64, {1, 1}));
  EXPECT_TRUE(has_values(found[2], {2}, float64, {1, 1}));
  EXPECT_TRUE(has_values(seed, {2}, float64, {1, 1}));
  EXPECT_TRUE(grad({x.sum()}, {x}, {}, {}, true)[0].is_contiguous());
}

TEST_P(CreateGraphTest, ALinearFunctionHasAConstantGradient) {
  const Tensor x = tensor({1, 2}, on(float64, true));
  EXPECT_FALSE(grad({(3 * x).sum()}, {x}, {}, {}, true)[0].requires_grad());
  EXPECT_TRUE(has_values(grad({floor(x).sum()}, {x}, {}, {}, true)[0], {2}, float64, {0, 0}));
}

/// Whether recording is on makes no difference to whether a gradient with a graph is recorded.
TEST_P(CreateGraphTest, WithinNoGrad) {
  const Tensor x = tensor({2}, on(float64, true));
  const Tensor y = (x * x * x).sum();
  const Tensor slope = no_grad([&] { return grad({y}, {x}, {}, {}, true)[0]; });
  EXPECT_TRUE(has_values(grad({slope.sum()}, {x})[0], {1}, float64, {12}));
  EXPECT_TRUE(grad_enabled());
}

class PlainNode final : public Node {
 public:
  explicit PlainNode(const Tensor& x) : Node("plain") { add_input(x); }
  void backward(const Tensor& gradient) override { target(0)->add(gradient, false); }
};

TEST_P(CreateGraphTest, ANodeWithoutASecondDerivativeIsRefusedByName) {
  const Tensor x = tensor({1, 2}, on(float64, true));
  const auto plain = [](const Tensor& t) {
    Tensor result = no_grad([&] { return t.clone(); });
    if (grad_enabled()) record(result, Ref<Node>(new PlainNode(t)));
    return result;
  };
  const Tensor y = plain(x * x).sum();
  expect_errors({LUGE_ERROR(AutogradError, "plain has no gradient of its gradient", grad({y}, {x}, {}, {}, true)),
                 LUGE_ERROR(AutogradError, "plain has no gradient of its gradient", y.backward({}, {}, true)),
                 LUGE_ERROR(AutogradError, "gradgradcheck: .*plain has no gradient of its gradient",
                            gradgradcheck([&](const std::vector<Tensor>& in) { return plain(in[0]); }, {x}))});
  EXPECT_FALSE(x.grad().defined());
  EXPECT_TRUE(has_values(grad({y}, {x})[0], {2}, float64, {2, 4})) << "the graph is whole after a refusal";
}

/// A derivative that is right itself and has a wrong derivative, as gradients of constants have.
TEST_P(CreateGraphTest, GradgradcheckFindsAWrongOne) {
  const Tensor x = tensor({0.5, 1.5}, on(float64, true));
  class HalfNode final : public Node {
   public:
    explicit HalfNode(const Tensor& t) : Node("half") {
      add_input(t);
      saved_.save(t);
    }
    void backward(const Tensor& gradient) override { target(0)->add(gradient * saved_.get(name()) * 2, true); }
    void differentiable_backward(const Tensor& gradient) override {
      give(0, gradient * saved_.get(name()).detach() * 2);
    }

   private:
    SavedTensor saved_;
  };
  const auto square_of = [](const std::vector<Tensor>& in) {
    Tensor result = no_grad([&] { return in[0] * in[0]; });
    if (grad_enabled()) record(result, Ref<Node>(new HalfNode(in[0])));
    return result;
  };
  EXPECT_TRUE(gradcheck(square_of, {x}));
  const GradcheckResult found = gradgradcheck(square_of, {x});
  EXPECT_FALSE(found);
  EXPECT_NE(found.message.find("input 0, element "), std::string::npos) << found.message;
}

/// What only older nodes would have found is not looked for, so their graph may have been freed.
TEST_P(CreateGraphTest, OlderNodesThanTheInputsRest) {
  const Tensor x = tensor({1, 2}, on(float64, true));
  const Tensor hidden = exp(x);
  hidden.sum().backward();
  const Tensor later = hidden.detach().requires_grad_() * 1;
  EXPECT_TRUE(has_values(grad({(later * later).sum()}, {later})[0], {2}, float64,
                         {2 * std::exp(1.0), 2 * std::exp(2.0)}, 1e-15));
  EXPECT_TRUE(has_values(grad({(hidden * 3).sum()}, {hidden})[0], {2}, float64, {3, 3})) << "exp's own graph is gone";
}

}  // namespace
}  // namespace luge::test
