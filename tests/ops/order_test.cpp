// Order in C++, on every device. tests/agreement/samples/order.py has the values, tests/ops/sort_test.cpp sorting itself.

#include <luge/ops/histogram.h>
#include <luge/ops/order.h>
#include <luge/ops/quantiles.h>
#include <luge/ops/search.h>
#include <luge/ops/unique.h>

#include <algorithm>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class OrderTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(OrderTest);

TEST_P(OrderTest, Ranks) {
  const Tensor x = tensor({{3, 1, 2, 2}, {kNaN, 5, 4, kNaN}}, on());
  EXPECT_TRUE(has_values(msort(x), {2, 4}, float32, {3, 1, 2, 2, kNaN, 5, 4, kNaN}));
  EXPECT_TRUE(has_values(kthvalue(x, 3).values, {2}, float32, {2, kNaN}));
  EXPECT_TRUE(has_values(kthvalue(x, 3).indices, {2}, int64, {3, 0}));
  EXPECT_TRUE(has_values(median(x, 1, true).values, {2, 1}, float32, {2, kNaN}));
  EXPECT_TRUE(has_values(median(x, 1).indices, {2}, int64, {2, 0}));
  EXPECT_TRUE(has_values(nanmedian(x, 1).values, {2}, float32, {2, 4}));
  EXPECT_TRUE(has_values(nanmedian(x, 1).indices, {2}, int64, {2, 2}));
  EXPECT_TRUE(has_values(median(x), {}, float32, {kNaN}));
  EXPECT_TRUE(has_values(nanmedian(x), {}, float32, {2}));
  EXPECT_TRUE(has_values(median(arange(10, on(int32))), {}, int32, {4}));
  EXPECT_TRUE(has_values(mode(x).values, {2}, float32, {2, 4}));
  EXPECT_TRUE(has_values(mode(x).indices, {2}, int64, {3, 2}));
}

TEST_P(OrderTest, Quantiles) {
  const Tensor x = tensor({{4, 1, 3, 2}, {0, kNaN, 8, 4}}, on(float64));
  EXPECT_TRUE(has_values(quantile(x, 0.5, 1), {2}, float64, {2.5, kNaN}));
  EXPECT_TRUE(has_values(nanquantile(x, 0.75, 1, true), {2, 1}, float64, {3.25, 6}));
  EXPECT_TRUE(has_values(quantile(x, tensor({0, 1}, on(float64)), 0), {2, 4}, float64, {0, kNaN, 3, 2, 4, kNaN, 8, 4}));
  EXPECT_TRUE(has_values(nanquantile(x, 0.5), {}, float64, {3}));
  for (const auto& [name, value] : std::vector<std::pair<const char*, double>>{
           {"lower", 1}, {"higher", 2}, {"nearest", 2}, {"midpoint", 1.5}, {"linear", 1.75}})
    EXPECT_TRUE(has_values(quantile(x[0], 0.25, {}, false, interpolation_named("quantile", name)), {}, float64, {value}));
}

TEST_P(OrderTest, Places) {
  const Tensor sorted = tensor({1, 3, 3, 5}, on()), values = tensor({{0, 3}, {4, kNaN}}, on());
  EXPECT_TRUE(has_values(searchsorted(sorted, values), {2, 2}, int64, {0, 1, 3, 4}));
  EXPECT_TRUE(has_values(bucketize(values, sorted, {.out_int32 = true, .right = true}), {2, 2}, int32, {0, 3, 3, 4}));
  EXPECT_TRUE(has_values(searchsorted(sorted, 3), {}, int64, {1}));
  const Tensor rows = tensor({{1, 2, 3}, {4, 5, 6}}, on(int64));
  EXPECT_TRUE(has_values(searchsorted(rows, tensor({2, 7}, on(int64)).view({2, 1})), {2, 1}, int64, {1, 3}));
  EXPECT_TRUE(has_values(isin(rows, tensor({2, 6}, on(int64))), {2, 3}, boolean, {0, 1, 0, 0, 0, 1}));
}

/// More values than are looked up at once.
TEST_P(OrderTest, ManyPlaces) {
  const std::int64_t n = 150001;
  const Tensor x = (arange(n, on(int64)) * 48271).to(float64).sin().mul(1000).to(int32);
  const std::vector<std::int32_t> all = x.to_vector<std::int32_t>();
  std::vector<std::int32_t> edges(all.begin(), all.begin() + 777);
  std::sort(edges.begin(), edges.end());
  const Tensor found = searchsorted(from_host(edges, {777}, device()), x, {.right = true});
  const std::vector<std::int64_t> places = found.to_vector<std::int64_t>();
  for (std::size_t i = 0; i < all.size(); i += 97)
    ASSERT_EQ(places[i], std::upper_bound(edges.begin(), edges.end(), all[i]) - edges.begin());
  const Distinct parts = unique(x, {.inverse = true, .counts = true});
  EXPECT_TRUE(same(index_select(parts.values, 0, parts.inverse), x));
  EXPECT_EQ(parts.counts.sum().item<std::int64_t>(), n);
  EXPECT_TRUE(same(bincount(parts.inverse), parts.counts));
  EXPECT_EQ(histc(x.to(float32), 10, -1000, 1000).sum().item<std::int64_t>(), n);
  const Histogram bins = histogram(x.to(float64), 50), edged = histogram(x.to(float64), bins.bin_edges);
  EXPECT_TRUE(same(bins.hist, edged.hist));
}

TEST_P(OrderTest, Distinct) {
  const Tensor x = tensor({3, 1, kNaN, 3, kNaN}, on());
  const luge::Distinct found = unique(x, {.inverse = true, .counts = true});
  EXPECT_TRUE(has_values(found.values, {4}, float32, {1, 3, kNaN, kNaN}));
  EXPECT_TRUE(has_values(found.inverse, {5}, int64, {1, 0, 2, 1, 3}));
  EXPECT_TRUE(has_values(found.counts, {4}, int64, {1, 2, 1, 1}));
  EXPECT_FALSE(unique(x).inverse.defined() || unique(x).counts.defined());
  const Tensor rows = tensor({{1, 2}, {0, 5}, {1, 2}}, on(int64));
  EXPECT_TRUE(has_values(unique_along(rows, 0).values, {2, 2}, int64, {0, 5, 1, 2}));
  EXPECT_TRUE(has_values(unique_consecutive(tensor({2, 2, 1, 2}, on(int64))).values, {3}, int64, {2, 1, 2}));
}

TEST_P(OrderTest, Counts) {
  const Tensor x = tensor({1, 3, 1}, on(int64));
  EXPECT_TRUE(has_values(bincount(x), {4}, int64, {0, 2, 0, 1}));
  EXPECT_TRUE(has_values(bincount(x, tensor({0.5, 1, 2}, on())), {4}, float32, {0, 2.5, 0, 1}));
  EXPECT_TRUE(has_values(histc(x.to(float64), 2, 0, 3), {2}, float64, {2, 1}));
  const Histogram found = histogram(x.to(float32), 2, {{0, 4}}, {}, true);
  EXPECT_TRUE(has_values(found.hist, {2}, float32, {1.0f / 3, 1.0f / 6}));
  EXPECT_TRUE(has_values(found.bin_edges, {3}, float32, {0, 2, 4}));
}

TEST_P(OrderTest, Gradients) {
  const Tensor x = tensor({{0.3, -1.2, 2.5, 0.9}, {4.1, 3.3, -0.7, 1.6}, {-2.2, 0.1, 0.6, 5.0}}, on(float64, true));
  const Tensor q = tensor({0.2, 0.45}, on(float64, true));
  using Inputs = std::vector<Tensor>;
  EXPECT_TRUE(gradients_agree([](const Inputs& in) { return kthvalue(in[0].sin(), 2, 0).values.exp(); }, {x}));
  EXPECT_TRUE(gradients_agree([](const Inputs& in) { return median(in[0].square(), 1).values.exp(); }, {x}));
  EXPECT_TRUE(gradients_agree([](const Inputs& in) { return median(in[0].square()) * nanmedian(in[0]); }, {x}));
  EXPECT_TRUE(gradients_agree([](const Inputs& in) { return mode(in[0].square()).values; }, {x}));
  EXPECT_TRUE(gradients_agree([](const Inputs& in) { return quantile(in[0].square(), in[1], 1); }, {x, q}));
  Tensor equals = tensor({2, 1, 2, 2, 3}, on()).requires_grad_();
  median(equals).backward();
  EXPECT_TRUE(has_values(equals.grad(), {5}, float32, {1.0f / 3, 0, 1.0f / 3, 1.0f / 3, 0}));
}

TEST_P(OrderTest, Errors) {
  const Tensor x = zeros({2, 3}, on()), none = zeros({2, 0}, on()), n = tensor({1, -2}, on(int64));
  expect_errors({
      LUGE_ERROR(ValueError, "^kthvalue: k is 0; it must be at least 1", kthvalue(x, 0)),
      LUGE_ERROR(ValueError, "^kthvalue: k is 4; dim -1 .* allows 1 to 3", kthvalue(x, 4)),
      LUGE_ERROR(IndexError, "^median: dim 2 is out of range", median(x, 2)),
      LUGE_ERROR(ShapeError, "^mode: the tensor has shape \\(2, 0\\); dim 1 must not be empty", mode(none, 1)),
      LUGE_ERROR(ShapeError, "^median: .*nothing is the median of no int64", median(zeros({0}, on(int64)))),
      LUGE_ERROR(ValueError, "^quantile: q is 1.5; it must be in \\[0, 1\\]", quantile(x, 1.5)),
      LUGE_ERROR(DTypeError, "^nanquantile: the tensor is int64", nanquantile(n, 0.5)),
      LUGE_ERROR(ValueError, "^quantile: interpolation is cubic", interpolation_named("quantile", "cubic")),
      LUGE_ERROR(ShapeError, "^searchsorted: the sorted sequence is \\(2, 3\\)", searchsorted(x, zeros({3, 3}, on()))),
      LUGE_ERROR(ShapeError, "^bucketize: boundaries is \\(2, 3\\)", bucketize(x, x)),
      LUGE_ERROR(DTypeError, "^searchsorted: the sorter is float32", searchsorted(x, x, {}, x)),
      LUGE_ERROR(IndexError, "^unique: dim 2 is out of range", unique_along(x, 2)),
      LUGE_ERROR(ShapeError, "^unique_consecutive: .*only dim 0 may be empty", unique_consecutive_along(none, 0)),
      LUGE_ERROR(ValueError, "^bincount: the tensor has -2", bincount(n)),
      LUGE_ERROR(ValueError, "^histc: bins is 0", histc(x, 0)),
      LUGE_ERROR(ValueError, "^histogram: the range is from 2 to 1", histogram(x, 3, {{2, 1}})),
      LUGE_ERROR(ShapeError, "^histogram: weight is \\(2, 0\\)", histogram(x, 3, {{0, 1}}, none)),
  });
}

}  // namespace
}  // namespace luge::test
