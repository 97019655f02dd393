// cat, stack, index_select and gather.

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

constexpr DType kAll[] = {boolean, int32, int64, float32, float64};

class JoinTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(JoinTest);

TEST_P(JoinTest, IndexCopyOfEveryType) {
  for (const DType dtype : {boolean, int32, int64, float32, float64}) {
    const Tensor x = zeros({3, 2}, on(dtype)), source = ones({2, 2}, on(dtype));
    const Tensor y = index_copy(x, 0, tensor({2, 0}, on(int64)), source);
    EXPECT_TRUE(has_values(y, {3, 2}, dtype, {1, 1, 0, 0, 1, 1}));
    EXPECT_TRUE(has_values(x, {3, 2}, dtype, {0, 0, 0, 0, 0, 0}));
  }
}

TEST_P(JoinTest, CatAlongEveryDimension) {
  for (const DType dtype : kAll) {
    const Tensor a = tensor({1, 0, 1, 0}, on(int64)).view({2, 2}).to(dtype), b = ones({2, 1}, on(dtype)), c = zeros({2, 2}, on(dtype));
    EXPECT_TRUE(has_values(cat({a, b}, 1), {2, 3}, dtype, {1, 0, 1, 1, 0, 1}));
    EXPECT_TRUE(has_values(cat({a, b, c}, -1), {2, 5}, dtype, {1, 0, 1, 0, 0, 1, 0, 1, 0, 0}));
    EXPECT_TRUE(has_values(cat({a, c}), {4, 2}, dtype, {1, 0, 1, 0, 0, 0, 0, 0}));
    EXPECT_TRUE(has_values(cat({a}), {2, 2}, dtype, {1, 0, 1, 0}));
    EXPECT_TRUE(has_values(cat({a.t(), c.t()}, 1), {2, 4}, dtype, {1, 1, 0, 0, 0, 0, 0, 0}));
  }
}

TEST_P(JoinTest, CatOfNothing) {
  const Tensor a = ones({2, 0}, on()), b = ones({2, 3}, on());
  EXPECT_TRUE(same(cat({a, b, a}, 1), b));
  EXPECT_TRUE(has_values(cat({a, a}, 0), {4, 0}, float32, {}));
}

TEST_P(JoinTest, CatPromotes) {
  EXPECT_TRUE(has_values(cat({ones({1}, on(int64)), full({1}, 0.5, on()), ones({1}, on(boolean))}), {3}, float32, {1, 0.5, 1}));
  EXPECT_EQ(cat({ones({1}, on(int32)), ones({1}, on(int64))}).dtype(), int64);
}

TEST_P(JoinTest, CatOfManyAndLarge) {
  std::vector<Tensor> parts;
  for (int i = 0; i < 300; ++i) parts.push_back(full({3, i % 5}, i, on(int32)));
  const Tensor joined = cat(parts, 1);
  std::int64_t at = 0;
  for (int i = 0; i < 300; at += i % 5, ++i)
    EXPECT_TRUE(i % 5 == 0 || (joined.slice(1, at, at + i % 5) == i).all().item<bool>()) << i;
  EXPECT_EQ(joined.size(1), at);
  const Tensor x = arange(100000, on(float32));
  EXPECT_TRUE((cat({x, x.slice(0, 0, {}, 3)}).slice(0, 0, 100000) == x).all().item<bool>());
}

TEST_P(JoinTest, StackAddsADimension) {
  const Tensor a = tensor({1, 2}, on()), b = tensor({3, 4}, on());
  EXPECT_TRUE(has_values(stack({a, b}), {2, 2}, float32, {1, 2, 3, 4}));
  EXPECT_TRUE(has_values(stack({a, b}, 1), {2, 2}, float32, {1, 3, 2, 4}));
  EXPECT_TRUE(has_values(stack({a, b, a}, -1), {2, 3}, float32, {1, 3, 1, 2, 4, 2}));
  EXPECT_TRUE(has_values(stack({scalar(1.0, on()), scalar(2.0, on())}), {2}, float32, {1, 2}));
  EXPECT_TRUE(has_values(stack({zeros({0}, on())}), {1, 0}, float32, {}));
}

TEST_P(JoinTest, Gradients) {
  const Tensor a = tensor({{1, 2}, {3, 4}}, on(float64, true)), b = full({2, 1}, 5, on(float64, true)), plain = ones({2, 2}, on(float64));
  EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return cat({in[0], plain, in[1], in[0]}, 1); }, {a, b}));
  EXPECT_TRUE(gradients_agree([](const std::vector<Tensor>& in) { return cat({in[0], in[0] * in[0]}, 0).t(); }, {a}));
  EXPECT_TRUE(gradients_agree([](const std::vector<Tensor>& in) { return cat({in[0], in[1]}, 1).sum(); }, {a, b}));
  EXPECT_TRUE(gradients_agree([](const std::vector<Tensor>& in) { return stack({in[0], -in[0], in[0].t()}, 1); }, {a}));
  EXPECT_TRUE(gradients_agree([](const std::vector<Tensor>& in) { return cat({in[0], in[0].slice(1, 0, 0)}, 1); }, {a}));
  Tensor single = ones({2}, on(float32, true)), twice = ones({2}, on(float64, true));
  cat({single, twice}).sum().backward();
  EXPECT_TRUE(has_values(single.grad(), {2}, float32, {1, 1}));
}

class IndexTest : public DeviceTest {
 protected:
  Tensor index(std::initializer_list<double> values, const Shape& shape, DType dtype) const {
    return tensor(values, on(dtype)).view(shape);
  }
};
LUGE_ON_EVERY_DEVICE(IndexTest);

TEST_P(IndexTest, SelectsAlongEveryDimension) {
  for (const DType dtype : kAll) {
    for (const DType labels : {int32, int64}) {
      const Tensor x = arange(6, on(int64)).view({2, 3}).to(dtype);
      const auto v = [&](std::initializer_list<double> values) {
        std::vector<double> result;
        for (const double value : values) result.push_back(dtype == boolean ? value != 0 : value);
        return result;
      };
      EXPECT_TRUE(has_values(index_select(x, 0, index({1, 1, 0}, {3}, labels)), {3, 3}, dtype, v({3, 4, 5, 3, 4, 5, 0, 1, 2})));
      EXPECT_TRUE(has_values(x.index_select(-1, index({2, 0}, {2}, labels)), {2, 2}, dtype, v({2, 0, 5, 3})));
      EXPECT_TRUE(has_values(x.t().index_select(0, index({2, 0}, {2}, labels)), {2, 2}, dtype, v({2, 5, 0, 3})));
      EXPECT_TRUE(has_values(x.index_select(1, index({}, {0}, labels)), {2, 0}, dtype, {}));
    }
  }
}

TEST_P(IndexTest, GathersAlongEveryDimension) {
  for (const DType labels : {int32, int64}) {
    const Tensor x = arange(6, on(float32)).view({2, 3});
    EXPECT_TRUE(has_values(gather(x, 1, index({2, 0, 1, 1}, {2, 2}, labels)), {2, 2}, float32, {2, 0, 4, 4}));
    EXPECT_TRUE(has_values(x.gather(0, index({1, 0, 1}, {1, 3}, labels)), {1, 3}, float32, {3, 1, 5}));
    EXPECT_TRUE(has_values(x.gather(-1, index({2, 2, 2, 2, 0, 0, 0, 0}, {2, 4}, labels)), {2, 4}, float32, {2, 2, 2, 2, 3, 3, 3, 3}));
    EXPECT_TRUE(has_values(x.t().gather(1, index({1, 0, 1}, {3, 1}, labels)), {3, 1}, float32, {3, 1, 5}));
    EXPECT_TRUE(has_values(x.gather(1, index({1}, {1, 1}, labels)), {1, 1}, float32, {1}));
    EXPECT_TRUE(has_values(x.gather(1, index({}, {2, 0}, labels)), {2, 0}, float32, {}));
    EXPECT_TRUE(has_values(x.gather(1, index({1, 2}, {2, 1}, labels).expand({2, 2})), {2, 2}, float32, {1, 1, 5, 5}));
  }
}

TEST_P(IndexTest, LargeAgainstPlainLoops) {
  manual_seed(1);
  const Tensor x = randn({300, 50}, on()), rows = randint(0, 300, {5000}, on(int64)), columns = randint(0, 50, {300, 70}, on(int64));
  const std::vector<float> values = x.to_vector<float>();
  const std::vector<std::int64_t> r = rows.to_vector<std::int64_t>(), c = columns.to_vector<std::int64_t>();
  const std::vector<float> selected = x.index_select(0, rows).to_vector<float>(), gathered = x.gather(1, columns).to_vector<float>();
  for (std::size_t i = 0; i < selected.size(); ++i) ASSERT_EQ(selected[i], values[static_cast<std::size_t>(r[i / 50]) * 50 + i % 50]);
  for (std::size_t i = 0; i < gathered.size(); ++i) ASSERT_EQ(gathered[i], values[i / 70 * 50 + static_cast<std::size_t>(c[i])]);
}

TEST_P(IndexTest, GradientsAddUpWhereIndicesRepeat) {
  const Tensor x = (arange(6, on(float64)) * 0.3).view({2, 3}).detach().requires_grad_();
  const Tensor some = index({1, 1, 0, 1}, {4}, int64), picks = index({2, 2, 0, 0, 1, 2}, {2, 3}, int32);
  EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return in[0].index_select(0, some); }, {x}));
  EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return in[0].t().index_select(1, some); }, {x}));
  EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return in[0].index_select(1, some).sum(); }, {x}));
  EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return in[0].gather(1, picks); }, {x}));
  EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return in[0].gather(1, picks).t() + in[0].t(); }, {x}));
  EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return in[0].gather(1, picks.slice(0, 0, 1)); }, {x}));
  EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return in[0].gather(0, picks.slice(1, 0, 2) * 0 + 1); }, {x}));
  for (const DType dtype : {float32, float64}) {
    Tensor table = zeros({3, 2}, on(dtype, true));
    table.index_select(0, randint(1, 2, {10000}, on(int64))).sum().backward();
    EXPECT_TRUE(has_values(table.grad(), {3, 2}, dtype, {0, 0, 10000, 10000, 0, 0}));
    table.index_select(0, index({}, {0}, int64)).sum().backward();
    EXPECT_TRUE(has_values(table.grad(), {3, 2}, dtype, {0, 0, 10000, 10000, 0, 0}));
  }
}

}  // namespace
}  // namespace luge::test
