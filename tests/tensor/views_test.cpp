// Every view against a naive map of indices: values, shared memory, gradients.

#include <algorithm>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

using Index = std::vector<std::int64_t>;

/// A view, and which element of the base each of its elements is.
struct ViewCase {
  const char* name;
  Shape base;
  std::function<Tensor(const Tensor&)> view;
  Shape shape;
  std::function<Index(const Index&)> source;
};

Index indices(std::int64_t position, const Shape& shape) {
  Index result(static_cast<std::size_t>(shape.ndim()));
  for (int d = shape.ndim() - 1; d >= 0; --d) {
    result[static_cast<std::size_t>(d)] = position % shape[d];
    position /= shape[d];
  }
  return result;
}

std::int64_t position(const Index& index, const Shape& shape) {
  std::int64_t result = 0;
  for (int d = 0; d < shape.ndim(); ++d) result = result * shape[d] + index[static_cast<std::size_t>(d)];
  return result;
}

/// For views that keep the row-major order.
std::function<Index(const Index&)> same_order(Shape from, Shape to) {
  return [=](const Index& i) { return indices(position(i, to), from); };
}

const std::vector<ViewCase>& cases() {
  static const std::vector<ViewCase> all = {
      {"view", {2, 6}, [](const Tensor& x) { return x.view({3, 4}); }, {3, 4}, same_order({2, 6}, {3, 4})},
      {"view with -1", {2, 6}, [](const Tensor& x) { return x.view({4, -1, 1}); }, {4, 3, 1}, same_order({2, 6}, {4, 3, 1})},
      {"view as 0-d", {1, 1}, [](const Tensor& x) { return x.view({}); }, {}, [](const Index&) { return Index{0, 0}; }},
      {"reshape", {2, 3, 4}, [](const Tensor& x) { return x.reshape({6, 4}); }, {6, 4}, same_order({2, 3, 4}, {6, 4})},
      {"flatten", {2, 3, 4}, [](const Tensor& x) { return x.flatten(); }, {24}, same_order({2, 3, 4}, {24})},
      {"flatten the last", {2, 3, 4}, [](const Tensor& x) { return x.flatten(1); }, {2, 12}, same_order({2, 3, 4}, {2, 12})},
      {"flatten a range", {2, 3, 4}, [](const Tensor& x) { return x.flatten(-3, -2); }, {6, 4}, same_order({2, 3, 4}, {6, 4})},
      {"flatten 0-d", {}, [](const Tensor& x) { return x.flatten(); }, {1}, [](const Index&) { return Index{}; }},
      {"permute", {2, 3, 4}, [](const Tensor& x) { return x.permute({2, 0, 1}); }, {4, 2, 3},
       [](const Index& i) { return Index{i[1], i[2], i[0]}; }},
      {"permute from the end", {2, 3, 4}, [](const Tensor& x) { return x.permute({-1, -2, -3}); }, {4, 3, 2},
       [](const Index& i) { return Index{i[2], i[1], i[0]}; }},
      {"transpose", {2, 3, 4}, [](const Tensor& x) { return x.transpose(0, -1); }, {4, 3, 2},
       [](const Index& i) { return Index{i[2], i[1], i[0]}; }},
      {"t", {2, 3}, [](const Tensor& x) { return x.t(); }, {3, 2}, [](const Index& i) { return Index{i[1], i[0]}; }},
      {"slice", {5, 4}, [](const Tensor& x) { return x.slice(0, 1, 4); }, {3, 4},
       [](const Index& i) { return Index{i[0] + 1, i[1]}; }},
      {"slice with a step", {3, 7}, [](const Tensor& x) { return x.slice(1, 1, {}, 3); }, {3, 2},
       [](const Index& i) { return Index{i[0], 1 + 3 * i[1]}; }},
      {"slice from the end", {7}, [](const Tensor& x) { return x.slice(-1, -5, -1, 2); }, {2},
       [](const Index& i) { return Index{2 + 2 * i[0]}; }},
      {"slice beyond the end", {4}, [](const Tensor& x) { return x.slice(0, -100, 100); }, {4}, [](const Index& i) { return i; }},
      {"slice to nothing", {4, 2}, [](const Tensor& x) { return x.slice(0, 3, 1); }, {0, 2}, [](const Index& i) { return i; }},
      {"select", {3, 4}, [](const Tensor& x) { return x.select(1, -1); }, {3}, [](const Index& i) { return Index{i[0], 3}; }},
      {"index", {3, 4}, [](const Tensor& x) { return x[1][2]; }, {}, [](const Index&) { return Index{1, 2}; }},
      {"expand", {3, 1}, [](const Tensor& x) { return x.expand({2, 3, 4}); }, {2, 3, 4},
       [](const Index& i) { return Index{i[1], 0}; }},
      {"expand keeping sizes", {3, 1}, [](const Tensor& x) { return x.expand({-1, 2}); }, {3, 2},
       [](const Index& i) { return Index{i[0], 0}; }},
      {"expand 0-d", {}, [](const Tensor& x) { return x.expand({2, 2}); }, {2, 2}, [](const Index&) { return Index{}; }},
      {"expand to nothing", {1}, [](const Tensor& x) { return x.expand({0}); }, {0}, [](const Index& i) { return i; }},
      {"squeeze", {1, 3, 1}, [](const Tensor& x) { return x.squeeze(); }, {3}, [](const Index& i) { return Index{0, i[0], 0}; }},
      {"squeeze one", {1, 3, 1}, [](const Tensor& x) { return x.squeeze(-1); }, {1, 3},
       [](const Index& i) { return Index{0, i[1], 0}; }},
      {"squeeze a larger one", {2, 3}, [](const Tensor& x) { return x.squeeze(0); }, {2, 3}, [](const Index& i) { return i; }},
      {"unsqueeze", {2, 3}, [](const Tensor& x) { return x.unsqueeze(1); }, {2, 1, 3},
       [](const Index& i) { return Index{i[0], i[2]}; }},
      {"unsqueeze at the end", {2, 3}, [](const Tensor& x) { return x.unsqueeze(-1); }, {2, 3, 1},
       [](const Index& i) { return Index{i[0], i[1]}; }},
      {"a chain", {4, 6}, [](const Tensor& x) { return x.t().slice(0, 1, 6, 2).unsqueeze(0).expand({2, 3, 4}).select(2, 1); }, {2, 3},
       [](const Index& i) { return Index{1, 1 + 2 * i[1]}; }},
      {"view of a slice", {4, 6}, [](const Tensor& x) { return x.slice(0, 1, 3).view({3, 4}); }, {3, 4},
       [](const Index& i) { return Index{1 + position(i, {3, 4}) / 6, position(i, {3, 4}) % 6}; }},
  };
  return all;
}

class ViewTest : public DeviceTest {
 protected:
  /// 0, 1, 2, ... in one of three layouts: without gaps, as a transposed tensor, as a slice with gaps.
  Tensor base(const Shape& shape, int layout, DType dtype = float64) const {
    const Tensor values = arange(element_count(shape), on(int64)).to(dtype).view(shape);
    if (layout == 0 || shape.ndim() == 0) return values;
    if (layout == 1) {
      std::vector<int> reversed;
      Shape turned;
      for (int d = shape.ndim() - 1; d >= 0; --d) {
        reversed.push_back(d);
        turned.push_back(shape[d]);
      }
      Tensor result = zeros(turned, on(dtype)).permute(reversed);
      return result.copy_(values);
    }
    Shape larger = shape;
    larger[shape.ndim() - 1] = 2 * shape.back() + 1;
    Tensor result = zeros(larger, on(dtype)).slice(-1, 1, {}, 2);
    return result.copy_(values);
  }
};
LUGE_ON_EVERY_DEVICE(ViewTest);

TEST_P(ViewTest, ShowsTheRightElements) {
  for (const DType dtype : {boolean, int32, int64, float32, float64}) {
    for (const ViewCase& c : cases()) {
      SCOPED_TRACE(c.name);
      const Tensor x = base(c.base, 0, dtype);
      std::vector<double> expected;
      for (std::int64_t p = 0; p < element_count(c.shape); ++p) {
        const auto value = static_cast<double>(position(c.source(indices(p, c.shape)), c.base));
        expected.push_back(dtype == boolean ? value != 0 : value);
      }
      const Tensor view = c.view(x);
      EXPECT_TRUE(has_values(view, c.shape, dtype, expected));
      EXPECT_EQ(view.storage(), x.storage()) << "it copied";
      EXPECT_TRUE(has_values(view.contiguous(), c.shape, dtype, expected));
      EXPECT_TRUE(view.contiguous().is_contiguous());
    }
  }
}

TEST_P(ViewTest, ReshapeCopiesWhereTheStridesDemandIt) {
  for (const int layout : {1, 2}) {
    for (const ViewCase& c : cases()) {
      SCOPED_TRACE(c.name);
      const bool needs_view = std::string(c.name).starts_with("view");
      const Tensor x = base(c.base, layout);
      std::vector<double> expected;
      for (std::int64_t p = 0; p < element_count(c.shape); ++p)
        expected.push_back(static_cast<double>(position(c.source(indices(p, c.shape)), c.base)));
      try {
        EXPECT_TRUE(has_values(c.view(x), c.shape, float64, expected));
      } catch (const ShapeError& error) {
        EXPECT_TRUE(needs_view) << error.what();
      }
    }
  }
}

TEST_P(ViewTest, WritesShowOnBothSides) {
  for (const ViewCase& c : cases()) {
    SCOPED_TRACE(c.name);
    const Tensor x = base(c.base, 0);
    Tensor view = c.view(x);
    const bool repeats = std::find(view.strides().begin(), view.strides().end(), 0) != view.strides().end();
    if (view.numel() == 0 || repeats) continue;
    const std::uint64_t version = x.version();
    view.fill_(-1);
    EXPECT_GT(x.version(), version);
    std::vector<double> expected = base(c.base, 0).to_vector<double>();
    for (std::int64_t p = 0; p < view.numel(); ++p)
      expected[static_cast<std::size_t>(position(c.source(indices(p, c.shape)), c.base))] = -1;
    EXPECT_TRUE(has_values(x, c.base, float64, expected));
    x.detach().fill_(5);
    EXPECT_TRUE(has_values(view, c.shape, float64, std::vector<double>(static_cast<std::size_t>(view.numel()), 5)));
  }
}

TEST_P(ViewTest, GradientsFindTheWayBack) {
  for (const int layout : {0, 1, 2}) {
    for (const ViewCase& c : cases()) {
      SCOPED_TRACE(std::string(c.name) + (layout == 0 ? "" : layout == 1 ? ", transposed" : ", sliced"));
      if (layout != 0 && std::string(c.name).starts_with("view")) continue;
      const Tensor x = base(c.base, layout).requires_grad_();
      if (c.view(x).numel() == 0) {
        c.view(x).sum().backward();
        EXPECT_TRUE(same(x.grad(), zeros(c.base, on(float64))));
        continue;
      }
      const auto function = [&](const std::vector<Tensor>& in) { return c.view(in[0]); };
      EXPECT_TRUE(gradients_agree(function, {x}));
      const auto used_twice = [&](const std::vector<Tensor>& in) { return c.view(in[0]) * c.view(in[0]) + in[0].sum(); };
      EXPECT_TRUE(gradients_agree(used_twice, {x}));
    }
  }
}

TEST_P(ViewTest, ContiguousIsTheTensorItself) {
  const Tensor x = zeros({2, 3}, on());
  EXPECT_EQ(x.contiguous().impl(), x.impl());
  EXPECT_NE(x.t().contiguous().storage(), x.storage());
}

TEST_P(ViewTest, DetachSharesMemoryAndVersion) {
  Tensor x = zeros({2}, on(float32, true));
  Tensor d = x.detach();
  EXPECT_FALSE(d.requires_grad());
  EXPECT_TRUE(d.is_leaf());
  d.fill_(3);
  EXPECT_TRUE(has_values(x, {2}, float32, {3, 3}));
  EXPECT_EQ(x.version(), 1u);
}

}  // namespace
}  // namespace luge::test
