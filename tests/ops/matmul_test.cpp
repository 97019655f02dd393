// Matrix products and linear layers against plain loops in float64.

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

/// One product of matrices given as values, sizes and the product of the absolute values for error bounds.
struct Exact {
  std::vector<double> values, magnitudes;
};

Exact product(const std::vector<double>& a, const std::vector<double>& b, std::int64_t m, std::int64_t k, std::int64_t n) {
  Exact result;
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      double sum = 0, magnitude = 0;
      for (std::int64_t l = 0; l < k; ++l) {
        const double term = a[static_cast<std::size_t>(i * k + l)] * b[static_cast<std::size_t>(l * n + j)];
        sum += term;
        magnitude += std::abs(term);
      }
      result.values.push_back(sum);
      result.magnitudes.push_back(magnitude);
    }
  }
  return result;
}

class MatMulTest : public DeviceTest {
 protected:
  /// Within 2 sqrt(k) u of the sum of magnitudes; a dot product's rounding errors add up like a random walk.
  static void expect_product(const Tensor& c, const Shape& shape, const Tensor& a, const Tensor& b) {
    ASSERT_EQ(c.shape(), shape);
    ASSERT_EQ(c.dtype(), a.dtype());
    const Shape batch = c.shape();
    const std::int64_t m = c.size(-2), n = c.size(-1), k = a.size(-1);
    const std::int64_t matrices = m * n == 0 ? 0 : c.numel() / (m * n);
    Shape a_shape = batch, b_shape = batch;
    a_shape[c.ndim() - 2] = m, a_shape[c.ndim() - 1] = k, b_shape[c.ndim() - 2] = k, b_shape[c.ndim() - 1] = n;
    const std::vector<double> av = a.detach().expand(a_shape).to_vector<double>(), bv = b.detach().expand(b_shape).to_vector<double>();
    const std::vector<double> cv = c.to_vector<double>();
    for (std::int64_t i = 0; i < matrices; ++i) {
      const Exact exact = product({av.begin() + i * m * k, av.begin() + (i + 1) * m * k}, {bv.begin() + i * k * n, bv.begin() + (i + 1) * k * n}, m, k, n);
      for (std::size_t e = 0; e < exact.values.size(); ++e) {
        const double bound = 2 * std::sqrt(static_cast<double>(k)) * unit_roundoff(c.dtype()) * exact.magnitudes[e] + 1e-300;
        ASSERT_NEAR(cv[static_cast<std::size_t>(i * m * n) + e], exact.values[e], bound) << "element " << e << " of matrix " << i;
      }
    }
  }
  Tensor random(const Shape& shape, DType dtype) const { return randn(shape, on(dtype)); }
};
LUGE_ON_EVERY_DEVICE(MatMulTest);

TEST_P(MatMulTest, SizesAndLayouts) {
  manual_seed(1);
  const std::int64_t sizes[][3] = {{1, 1, 1}, {2, 3, 4}, {1, 5, 7}, {7, 5, 1}, {1, 64, 1}, {16, 16, 16}, {17, 15, 33}, {64, 1, 64}, {127, 129, 65}};
  for (const DType dtype : {float32, float64}) {
    for (const auto& [m, k, n] : sizes) {
      const Tensor a = random({m, k}, dtype), b = random({k, n}, dtype);
      const Tensor at = a.t().contiguous().t(), bt = b.t().contiguous().t();
      Tensor a_gaps = zeros({2 * m, k + 3}, on(dtype)).slice(0, 0, {}, 2).slice(1, 2, k + 2);
      Tensor b_gaps = zeros({k, 2 * n}, on(dtype)).slice(1, 1, {}, 2);
      a_gaps.copy_(a);
      b_gaps.copy_(b);
      for (const Tensor& left : {a, at, a_gaps})
        for (const Tensor& right : {b, bt, b_gaps}) expect_product(matmul(left, right), {m, n}, a, b);
    }
  }
}

TEST_P(MatMulTest, LongSumsStayWithinTheBound) {
  manual_seed(2);
  for (const DType dtype : {float32, float64})
    for (const std::int64_t k : {1000, 20000}) {
      const Tensor a = random({3, k}, dtype), b = random({k, 2}, dtype);
      expect_product(matmul(a, b), {3, 2}, a, b);
    }
}

TEST_P(MatMulTest, Batches) {
  manual_seed(3);
  const struct {
    Shape a, b, c;
  } cases[] = {
      {{5, 2, 3}, {5, 3, 4}, {5, 2, 4}},       {{5, 2, 3}, {3, 4}, {5, 2, 4}},          {{2, 3}, {5, 3, 4}, {5, 2, 4}},
      {{5, 1, 2, 3}, {6, 3, 4}, {5, 6, 2, 4}}, {{1, 2, 3}, {5, 3, 4}, {5, 2, 4}},       {{2, 3, 4, 5}, {2, 3, 5, 6}, {2, 3, 4, 6}},
      {{0, 2, 3}, {3, 4}, {0, 2, 4}},          {{0, 2, 3}, {0, 3, 4}, {0, 2, 4}},       {{1000, 2, 2}, {1000, 2, 2}, {1000, 2, 2}},
      {{2, 1, 1, 2, 3}, {1, 4, 1, 3, 1}, {2, 4, 1, 2, 1}},
  };
  for (const DType dtype : {float32, float64}) {
    for (const auto& c : cases) {
      const Tensor a = random(c.a, dtype), b = random(c.b, dtype);
      SCOPED_TRACE(to_string(c.a) + " x " + to_string(c.b));
      expect_product(matmul(a, b), c.c, a, b);
      expect_product(matmul(a.transpose(-1, -2).contiguous().transpose(-1, -2), b.transpose(-1, -2).contiguous().transpose(-1, -2)), c.c, a, b);
      if (a.ndim() > 2) expect_product(matmul(a.transpose(0, -1).contiguous().transpose(0, -1), b), c.c, a, b);
    }
  }
}

TEST_P(MatMulTest, Vectors) {
  const Tensor v = tensor({1, 2, 3}, on()), m = tensor({{1, 0, 2}, {0, 1, 1}}, on()), w = tensor({1, -1}, on());
  EXPECT_TRUE(has_values(matmul(v, v), {}, float32, {14}));
  EXPECT_TRUE(has_values(matmul(m, v), {2}, float32, {7, 5}));
  EXPECT_TRUE(has_values(matmul(w, m), {3}, float32, {1, -1, 1}));
  EXPECT_TRUE(has_values(v.matmul(m.t()), {2}, float32, {7, 5}));
  EXPECT_TRUE(has_values(matmul(stack({m, m + 1}), v), {2, 2}, float32, {7, 5, 13, 11}));
  EXPECT_TRUE(has_values(matmul(w, stack({m, m})), {2, 3}, float32, {1, -1, 1, 1, -1, 1}));
}

TEST_P(MatMulTest, EmptyProducts) {
  for (const DType dtype : {float32, float64}) {
    EXPECT_TRUE(has_values(matmul(zeros({2, 0}, on(dtype)), zeros({0, 3}, on(dtype))), {2, 3}, dtype, std::vector<double>(6, 0)));
    EXPECT_TRUE(has_values(matmul(zeros({0, 2}, on(dtype)), zeros({2, 3}, on(dtype))), {0, 3}, dtype, {}));
    EXPECT_TRUE(has_values(matmul(zeros({3, 2}, on(dtype)), zeros({2, 0}, on(dtype))), {3, 0}, dtype, {}));
    EXPECT_TRUE(has_values(matmul(zeros({0}, on(dtype)), zeros({0}, on(dtype))), {}, dtype, {0}));
    EXPECT_TRUE(has_values(matmul(zeros({4, 2, 0}, on(dtype)), zeros({0}, on(dtype))), {4, 2}, dtype, std::vector<double>(8, 0)));
  }
}

TEST_P(MatMulTest, IntegersWrapAround) {
  for (const DType dtype : {int8, int16, int32, int64, uint8}) {
    const Tensor a = (arange(0, 12, 1, on(int64)) * 123456789012345LL - 7).to(dtype).reshape({3, 4});
    const Tensor b = (arange(0, 8, 1, on(int64)) * -987654321098LL + 5).to(dtype).reshape({4, 2});
    const Tensor one_by_one = (a.unsqueeze(2) * b.unsqueeze(0)).sum(1).to(dtype);
    EXPECT_TRUE(same(matmul(a, b), one_by_one)) << name(dtype);
    EXPECT_TRUE(same(matmul(stack({a, a}), b.select(1, 0)).select(0, 1), one_by_one.select(1, 0))) << name(dtype);
  }
}

TEST_P(MatMulTest, OneMatrixOfABatchIsTheSameAlone) {
  manual_seed(4);
  for (const std::int64_t size : {3, 16, 33}) {
    const Tensor a = random({50, size, size}, float32), b = random({50, size, size}, float32), all = matmul(a, b);
    for (const std::int64_t i : {0, 17, 49}) EXPECT_TRUE(same(matmul(a[i], b[i]), all[i])) << size;
  }
}

TEST_P(MatMulTest, Gradients) {
  manual_seed(5);
  const std::pair<Shape, Shape> cases[] = {
      {{2, 3}, {3, 4}},       {{3}, {3}},          {{2, 3}, {3}},    {{3}, {3, 2}},          {{2, 2, 3}, {2, 3, 2}}, {{2, 2, 3}, {3, 2}},
      {{2, 3}, {4, 3, 2}},    {{2, 1, 2, 3}, {4, 3, 2}}, {{1, 2, 3}, {3, 3, 2}}, {{2, 3, 2, 2}, {2}}, {{2, 0}, {0, 3}},   {{0, 2}, {2, 3}},
      {{2}, {4, 2, 3}},
  };
  const auto function = [](const std::vector<Tensor>& in) { return matmul(in[0], in[1]); };
  for (const auto& [a_shape, b_shape] : cases) {
    SCOPED_TRACE(to_string(a_shape) + " x " + to_string(b_shape));
    const Tensor a = random(a_shape, float64).requires_grad_(), b = random(b_shape, float64).requires_grad_();
    EXPECT_TRUE(gradients_agree(function, {a, b}));
    EXPECT_TRUE(gradients_agree(function, {a.detach(), b}));
    EXPECT_TRUE(gradients_agree(function, {a, b.detach()}));
    EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return function(in).sum(); }, {a, b}));
    if (a.ndim() < 2 || b.ndim() < 2) continue;
    const Tensor at = a.detach().transpose(-1, -2).contiguous().transpose(-1, -2).requires_grad_();
    const Tensor bt = b.detach().transpose(-1, -2).contiguous().transpose(-1, -2).requires_grad_();
    EXPECT_TRUE(gradients_agree(function, {at, bt})) << "transposed";
    EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return function(in).transpose(-1, -2); }, {a, b})) << "transposed gradient";
  }
  const Tensor square = random({3, 3}, float64).requires_grad_();
  EXPECT_TRUE(gradients_agree([](const std::vector<Tensor>& in) { return matmul(in[0], in[0]); }, {square}));
  EXPECT_TRUE(gradients_agree([](const std::vector<Tensor>& in) { return matmul(in[0], in[0].t()) + in[0]; }, {square}));
  EXPECT_TRUE(gradients_agree([](const std::vector<Tensor>& in) { return matmul(in[0].expand({3, 3}), in[0].expand({3, 3})); }, {random({3}, float64).requires_grad_()}));
}

class LinearTest : public MatMulTest {};
LUGE_ON_EVERY_DEVICE(LinearTest);

TEST_P(LinearTest, IsTheProductPlusTheBias) {
  manual_seed(6);
  const struct {
    Shape x, weight, out;
  } cases[] = {
      {{5, 3}, {4, 3}, {5, 4}},       {{3}, {4, 3}, {4}},             {{2, 5, 3}, {4, 3}, {2, 5, 4}}, {{5, 3}, {6, 4, 3}, {6, 5, 4}},
      {{6, 5, 3}, {6, 4, 3}, {6, 5, 4}}, {{0, 3}, {4, 3}, {0, 4}},    {{2, 0, 3}, {4, 3}, {2, 0, 4}}, {{5, 0}, {4, 0}, {5, 4}},
      {{6, 0, 3}, {6, 4, 3}, {6, 0, 4}}, {{0, 3}, {6, 4, 3}, {6, 0, 4}}, {{5, 3}, {0, 4, 3}, {0, 5, 4}}, {{2, 2, 2, 3}, {4, 3}, {2, 2, 2, 4}},
  };
  for (const DType dtype : {float32, float64}) {
    for (const auto& c : cases) {
      SCOPED_TRACE(to_string(c.x) + " by " + to_string(c.weight));
      const Tensor x = random(c.x, dtype), weight = random(c.weight, dtype);
      Shape bias_shape = c.weight;
      bias_shape.erase(c.weight.ndim() - 1);
      const Tensor bias = random(bias_shape, dtype);
      const Tensor plain = matmul(x, weight.transpose(-1, -2)), added = plain + (c.weight.ndim() == 3 ? bias.unsqueeze(1) : bias);
      EXPECT_TRUE(has_values(linear(x, weight), c.out, dtype, plain.to_vector<double>(), 16 * unit_roundoff(dtype)));
      EXPECT_TRUE(has_values(linear(x, weight, bias), c.out, dtype, added.to_vector<double>(), 16 * unit_roundoff(dtype)));
    }
  }
}

TEST_P(LinearTest, Gradients) {
  manual_seed(7);
  const std::pair<Shape, Shape> cases[] = {{{5, 3}, {4, 3}}, {{3}, {4, 3}}, {{2, 3, 3}, {4, 3}}, {{5, 3}, {3, 2, 3}}, {{3, 2, 3}, {3, 2, 3}},
                                           {{0, 3}, {4, 3}}, {{2, 0, 3}, {4, 3}}, {{0, 3}, {2, 4, 3}}, {{5, 0}, {4, 0}}};
  for (const auto& [x_shape, weight_shape] : cases) {
    SCOPED_TRACE(to_string(x_shape) + " by " + to_string(weight_shape));
    Shape bias_shape = weight_shape;
    bias_shape.erase(weight_shape.ndim() - 1);
    const Tensor x = random(x_shape, float64).requires_grad_(), weight = random(weight_shape, float64).requires_grad_(),
                 bias = random(bias_shape, float64).requires_grad_();
    const auto with_bias = [](const std::vector<Tensor>& in) { return linear(in[0], in[1], in[2]); };
    EXPECT_TRUE(gradients_agree(with_bias, {x, weight, bias}));
    EXPECT_TRUE(gradients_agree([](const std::vector<Tensor>& in) { return linear(in[0], in[1]); }, {x, weight}));
    EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return with_bias(in).sum(); }, {x, weight, bias}));
    EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return with_bias(in).sum(0); }, {x, weight, bias}));
    EXPECT_TRUE(gradients_agree(with_bias, {x.detach(), weight.detach(), bias}));
    EXPECT_TRUE(gradients_agree(with_bias, {x.detach(), weight, bias.detach()}));
    EXPECT_TRUE(gradients_agree([](const std::vector<Tensor>& in) { return linear(in[0], in[1].transpose(-1, -2).contiguous().transpose(-1, -2), in[2]); }, {x, weight, bias}));
  }
}

TEST_P(LinearTest, SetsAreIndependent) {
  manual_seed(8);
  for (const std::int64_t batch : {1, 16, 64}) {
    const Tensor x = random({batch, 20}, float32), weight = random({7, 10, 20}, float32), bias = random({7, 10}, float32);
    const Tensor all = linear(x, weight, bias);
    for (const std::int64_t s : {0, 3, 6}) {
      EXPECT_TRUE(same(linear(x, weight.slice(0, s, s + 1), bias.slice(0, s, s + 1))[0], all[s])) << "set " << s << " alone, batch " << batch;
      EXPECT_TRUE(same(linear(x, weight[s], bias[s]), all[s])) << "set " << s << " as a single model, batch " << batch;
    }
  }
}

}  // namespace
}  // namespace luge::test
