// sort, argsort and topk along dimensions of any tensor. tests/kernels/sort_test.cpp has the rows.

#include <algorithm>
#include <numeric>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

constexpr DType kSortable[] = {boolean, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64};

class SortTensorTest : public DeviceTest {
 protected:
  /// values[.., i, ..] and indices of the first `kept` along dim, by std::stable_sort, line by line.
  void check(const Tensor& x, int dim, std::int64_t kept, bool descending, const Sorted& found) {
    const int d = dim < 0 ? dim + x.ndim() : dim;
    Shape shape = x.shape();
    shape[d] = kept;
    const Tensor lines = x.to(float64).transpose(d, -1).contiguous();
    const std::vector<double> all = lines.to_vector<double>();
    const std::int64_t n = x.size(d);
    std::vector<double> values, places;
    for (std::int64_t line = 0; line < lines.numel() / n; ++line) {
      const double* const row = all.data() + line * n;
      std::vector<std::int64_t> order(static_cast<std::size_t>(n));
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
        const double p = row[descending ? b : a], q = row[descending ? a : b];
        return std::isnan(q) ? !std::isnan(p) : p < q;
      });
      for (std::int64_t i = 0; i < kept; ++i) {
        places.push_back(static_cast<double>(order[static_cast<std::size_t>(i)]));
        values.push_back(row[order[static_cast<std::size_t>(i)]]);
      }
    }
    Shape turned = shape;
    std::swap(turned[d], turned[x.ndim() - 1]);
    EXPECT_EQ(found.values.shape(), shape);
    EXPECT_TRUE(has_values(found.values.transpose(d, -1), turned, x.dtype(), values));
    EXPECT_TRUE(has_values(found.indices.transpose(d, -1), turned, int64, places));
  }
};
LUGE_ON_EVERY_DEVICE(SortTensorTest);

TEST_P(SortTensorTest, EveryTypeAlongEveryDimension) {
  for (const DType dtype : kSortable) {
    const Tensor x = (arange(60, on(int64)) * 37 - 60).sin().mul(9).view({3, 4, 5}).abs().to(dtype);
    for (int dim = -3; dim < 3; ++dim)
      for (const bool descending : {false, true}) {
        SCOPED_TRACE(::testing::Message()
                     << name(dtype) << " along " << dim << (descending ? " descending" : " ascending"));
        const std::int64_t n = x.size(dim);
        check(x, dim, n, descending, sort(x, dim, descending));
        check(x, dim, 2, descending, topk(x, 2, dim, descending));
        EXPECT_TRUE(same(argsort(x, dim, descending), sort(x, dim, descending).indices));
      }
  }
}

TEST_P(SortTensorTest, StridedTensors) {
  manual_seed(3);
  const Tensor x = randn({7, 6, 9}, on());
  const Tensor views[] = {x.transpose(0, 2), x.permute({1, 2, 0}), x.slice(0, 1, {}, 2),
                          x.slice(2, 3, 8),  x.select(1, 2),       x.slice(2, 0, 1).expand({7, 6, 4})};
  for (const Tensor& view : views)
    for (int dim = 0; dim < view.ndim(); ++dim) check(view, dim, view.size(dim), false, sort(view, dim));
}

TEST_P(SortTensorTest, NaNIsTheLargestAndZerosAreEqual) {
  const Tensor x = tensor({1, kNaN, -kInfinity, 0.0, kInfinity, -0.0, kNaN, -1}, on());
  const Sorted up = sort(x), down = sort(x, 0, true);
  EXPECT_TRUE(has_values(up.values, {8}, float32, {-kInfinity, -1, 0, 0, 1, kInfinity, kNaN, kNaN}));
  EXPECT_TRUE(has_values(up.indices, {8}, int64, {2, 7, 3, 5, 0, 4, 1, 6}));
  EXPECT_TRUE(has_values(down.values, {8}, float32, {kNaN, kNaN, kInfinity, 1, 0, 0, -1, -kInfinity}));
  EXPECT_TRUE(has_values(down.indices, {8}, int64, {1, 6, 4, 0, 3, 5, 7, 2}));
  const std::vector<float> values = up.values.to_vector<float>();
  EXPECT_FALSE(std::signbit(values[2]));
  EXPECT_TRUE(std::signbit(values[3]));
  EXPECT_TRUE(has_values(topk(x, 3).indices, {3}, int64, {1, 6, 4}));
  EXPECT_TRUE(has_values(topk(x, 3, 0, false).indices, {3}, int64, {2, 7, 3}));
}

TEST_P(SortTensorTest, NoDimensionsAndNoElements) {
  for (const DType dtype : {boolean, int16, int64, float16, float32}) {
    const Tensor point = ones({}, on(dtype)), none = zeros({2, 0, 3}, on(dtype)), some = zeros({2, 4}, on(dtype));
    for (const Sorted& found : {sort(point), sort(point, 0, true), topk(point, 1), topk(point, 1, -1, false)}) {
      EXPECT_TRUE(has_values(found.values, {}, dtype, {1}));
      EXPECT_TRUE(has_values(found.indices, {}, int64, {0}));
    }
    EXPECT_TRUE(has_values(argsort(point), {}, int64, {0}));
    for (int dim = 0; dim < 3; ++dim) {
      EXPECT_TRUE(has_values(sort(none, dim).values, {2, 0, 3}, dtype, {}));
      EXPECT_TRUE(has_values(sort(none, dim).indices, {2, 0, 3}, int64, {}));
      EXPECT_TRUE(has_values(argsort(none, dim), {2, 0, 3}, int64, {}));
    }
    EXPECT_TRUE(has_values(topk(none, 0, 1).values, {2, 0, 3}, dtype, {}));
    EXPECT_TRUE(has_values(topk(none, 2, 2).values, {2, 0, 2}, dtype, {}));
    EXPECT_TRUE(has_values(topk(some, 0).values, {2, 0}, dtype, {}));
    EXPECT_TRUE(has_values(topk(some, 0, 0).indices, {0, 4}, int64, {}));
  }
}

/// Gradients of gradients are those of what stands around it: a sum of the sorted squares by weights.
TEST_P(SortTensorTest, Gradients) {
  const Tensor x = tensor({{0.3, -1.2, 2.5, 0.9}, {4.1, 3.3, -0.7, 1.6}, {-2.2, 0.1, 0.6, 5.0}}, on(float64, true));
  const Tensor weight = arange(12, on(float64)).view({3, 4});
  for (int dim = 0; dim < 2; ++dim)
    for (const bool descending : {false, true}) {
      EXPECT_TRUE(gradients_agree(
          [&](const std::vector<Tensor>& in) { return sort(in[0], dim, descending).values * weight; }, {x}));
      EXPECT_TRUE(gradients_agree(
          [&](const std::vector<Tensor>& in) { return sort(in[0].atan(), dim, descending).values.exp() * weight; },
          {x}));
      EXPECT_TRUE(gradients_agree(
          [&](const std::vector<Tensor>& in) { return topk(in[0].sin(), 2, dim, descending).values.square(); }, {x}));
    }
  EXPECT_TRUE(
      gradients_agree([](const std::vector<Tensor>& in) { return sort(in[0].t(), 0).values.square().sum(); }, {x}));
  EXPECT_TRUE(
      gradients_agree([](const std::vector<Tensor>& in) { return topk(in[0], 0).values.sum() + in[0].sum(); }, {x}));
  EXPECT_TRUE(gradients_agree([](const std::vector<Tensor>& in) { return sort(in[0].square()).values; },
                              {scalar(3.0, on(float64, true))}));
  EXPECT_FALSE(sort(x).indices.requires_grad());
  EXPECT_FALSE(argsort(x).requires_grad());
}

TEST_P(SortTensorTest, GradientsGoBackToWhereTheValuesStood) {
  for (const DType dtype : {float16, bfloat16, float32, float64}) {
    Tensor x = tensor({2, kNaN, 1, 2}, on(dtype)).requires_grad_();
    (sort(x).values * tensor({10, 20, 30, 40}, on(dtype))).sum().backward();
    EXPECT_TRUE(has_values(x.grad(), {4}, dtype, {20, 40, 10, 30}));
    topk(x, 2).values.sum().backward();  // accumulates
    EXPECT_TRUE(has_values(x.grad(), {4}, dtype, {21, 41, 10, 30}));
  }
  // Long rows, whose way back must not look for equal indices.
  Tensor x = (arange(30000, on()) * 0.37).sin().detach().requires_grad_();
  const Tensor weight = arange(30000, on());
  const Sorted found = sort(x);
  (found.values * weight).sum().backward();
  EXPECT_TRUE(same(x.grad().gather(0, found.indices), weight));
}

TEST_P(SortTensorTest, ResultsCanBeChangedInPlace) {
  for (int dim = 0; dim < 2; ++dim) {
    Tensor x = tensor({{3, 1}, {2, 4}}, on(float64)).requires_grad_();
    Tensor values = sort(x, dim).values;
    values.mul_(3);
    values.sum().backward();
    EXPECT_TRUE(has_values(x.grad(), {2, 2}, float64, {3, 3, 3, 3}));
  }
  Tensor x = tensor({3, 1, 2}, on(float64)).requires_grad_();
  Sorted found = sort(x);
  found.indices.zero_();
  EXPECT_THROW(found.values.sum().backward(), AutogradError);
}

TEST_P(SortTensorTest, ASetAloneIsTheSetInABatch) {
  manual_seed(11);
  const Tensor x = (randn({40, 300}, on()) * 4).floor();
  const Sorted together = sort(x), few = topk(x, 9), across = sort(x.t(), 0);
  for (std::int64_t set = 0; set < 40; ++set) {
    const Sorted alone = sort(x[set]);
    EXPECT_TRUE(same(together.indices[set], alone.indices));
    EXPECT_TRUE(same(across.indices.select(1, set), alone.indices));
    EXPECT_TRUE(same(together.values[set], alone.values));
    EXPECT_TRUE(same(few.indices[set], topk(x[set], 9).indices));
  }
}

TEST_P(SortTensorTest, CapturedAsEager) {
  manual_seed(5);
  const Tensor data = randn({6, 50}, on());
  Tensor x = data.clone().requires_grad_(), y = data.clone().requires_grad_();
  const auto loss_of = [](const Tensor& t) {
    return (sort(t, 0).values * 2 + 1).square().sum() + topk(t, 5, 1, false).values.exp().sum() +
           argsort(t, 1, true).to(float32).sin().sum();
  };
  auto step = capture([&] {
    x.zero_grad();
    const Tensor loss = loss_of(x);
    loss.backward();
    return loss;
  });
  for (int i = 0; i < 3; ++i) {
    const Tensor captured = step();
    y.zero_grad();
    const Tensor eager = loss_of(y);
    eager.backward();
    EXPECT_TRUE(same(captured, eager));
    EXPECT_TRUE(same(x.grad(), y.grad()));
    no_grad([&] {
      x.copy_((x * 7).sin());
      y.copy_((y * 7).sin());
    });
  }
}

TEST_P(SortTensorTest, Errors) {
  const Tensor x = zeros({2, 3}, on()), point = zeros({}, on());
  expect_errors({
      LUGE_ERROR(IndexError, "^sort: dim 2 is out of range; a 2-d tensor allows -2 to 1", sort(x, 2)),
      LUGE_ERROR(IndexError, "^argsort: dim -3 is out of range", argsort(x, -3)),
      LUGE_ERROR(IndexError, "^topk: dim 1 is out of range; a 0-d tensor allows -1 to 0", topk(point, 1, 1)),
      LUGE_ERROR(ValueError, "^topk: k is 4; dim -1 of a tensor of shape \\(2, 3\\) allows 0 to 3", topk(x, 4)),
      LUGE_ERROR(ValueError, "^topk: k is 3; dim 0 of a tensor of shape \\(2, 3\\) allows 0 to 2", topk(x, 3, 0)),
      LUGE_ERROR(ValueError, "^topk: k is -1; dim -1 of a tensor of shape \\(2, 3\\) allows 0 to 3", topk(x, -1)),
      LUGE_ERROR(ValueError, "^topk: k is 0; dim -1 of a tensor of shape \\(\\) allows 1 to 1", topk(point, 0)),
      LUGE_ERROR(ValueError, "^sort: input is an undefined tensor", sort(Tensor())),
  });
}

}  // namespace
}  // namespace luge::test
