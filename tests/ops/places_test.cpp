// Values put at places, folded into them, taken from them, and places found: what the samples of Python cannot show.

#include <luge/ops/indexing.h>
#include <luge/ops/scatter.h>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class PlacesTest : public DeviceTest {
 protected:
  Tensor places(std::initializer_list<double> values) const { return tensor(values, on(int64)); }
};
LUGE_ON_EVERY_DEVICE(PlacesTest);

TEST_P(PlacesTest, FoldsOfEveryDType) {
  for (const DType dtype : {uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64}) {
    const Tensor x = full({3}, 2, on(dtype)), source = tensor({3, 1, 5}, on(dtype)), at = places({2, 0, 2});
    EXPECT_TRUE(has_values(scatter_add(x, 0, at, source), {3}, dtype, {3, 2, 10}));
    EXPECT_TRUE(has_values(scatter_reduce(x, 0, at, source, "prod"), {3}, dtype, {2, 2, 30}));
    EXPECT_TRUE(has_values(scatter_reduce(x, 0, at, source, "amax", false), {3}, dtype, {1, 2, 5}));
    EXPECT_TRUE(has_values(scatter_reduce(x, 0, at, source, "amin"), {3}, dtype, {1, 2, 2}));
    EXPECT_TRUE(has_values(scatter_reduce(x, 0, at, source, "mean", false), {3}, dtype, {1, 2, 4}));
    EXPECT_TRUE(has_values(index_add(x, 0, at, source, 2), {3}, dtype, {4, 2, 18}));
  }
  EXPECT_TRUE(has_values(scatter_reduce(tensor({-3, 0}, on(int32)), 0, places({0}), tensor({-4}, on(int32)), "mean"), {2},
                         int32, {-4, 0}));
  EXPECT_TRUE(has_values(scatter_add(tensor({0, 1}, on(boolean)), 0, places({0, 0}), tensor({0, 1}, on(boolean))), {2},
                         boolean, {1, 1}));
}

TEST_P(PlacesTest, InPlaceThroughViewsOfAnyStrides) {
  Tensor x = zeros({3, 4}, on());
  Tensor columns = x.t().slice(0, 0, 4, 2);  // columns 0 and 2
  scatter_add_(columns, 1, tensor({{0, 0, 2}, {1, 1, 1}}, on(int64)), ones({2, 3}, on()));
  EXPECT_TRUE(has_values(x, {3, 4}, float32, {2, 0, 0, 0, 0, 0, 3, 0, 1, 0, 0, 0}));
  index_put_(columns, {places({0, 1}), places({1, 1})}, tensor({5, 6}, on()));
  EXPECT_TRUE(has_values(x, {3, 4}, float32, {2, 0, 0, 0, 5, 0, 6, 0, 1, 0, 0, 0}));
  for (const DType dtype : {int8, float16, float32, int64}) {
    Tensor y = zeros({2, 3, 2}, on(dtype));
    Tensor turned = y.permute({2, 0, 1});
    index_put_(turned, {places({0, 0, 1}), {}, places({2, 2, -1})}, ones({}, on(dtype)), true);
    EXPECT_TRUE(has_values(y, {2, 3, 2}, dtype, {0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 2, 1}));
  }
}

TEST_P(PlacesTest, ValuesMayBeOfTheSameMemory) {
  Tensor x = arange(4, on(float32));
  index_copy_(x, 0, places({1, 2, 3}), x.slice(0, 0, 3));
  EXPECT_TRUE(has_values(x, {4}, float32, {0, 0, 1, 2}));
}

TEST_P(PlacesTest, OutsideIsAnErrorThatWritesNothing) {
  if (!device().is_cpu()) GTEST_SKIP() << "a GPU reports it at the next synchronisation";
  Tensor x = zeros({2, 3}, on());
  expect_errors({
      LUGE_ERROR(IndexError, "^scatter_add: index 3 at position 1 is out of range; allowed are 0 to 2; dim 1 has size 3",
                 scatter_add_(x, 1, places({0, 3}).view({1, 2}), ones({1, 2}, on()))),
      LUGE_ERROR(IndexError, "^index_fill: index -3 at position 0 is out of range; allowed are -2 to 1; dim 0 has size 2",
                 index_fill_(x, 0, places({-3}), 1)),
      LUGE_ERROR(IndexError, "^put: index 6 at position 0 is out of range; allowed are -6 to 5",
                 put_(x, places({6}), ones({1}, on()))),
      LUGE_ERROR(IndexError, "^index_put: index 2 at position 0 is out of range; allowed are -2 to 1; dim 0 has size 2",
                 index_put_(x, {places({2})}, ones({}, on()))),
      LUGE_ERROR(ValueError, "^scatter_reduce: reduce is \"most\"; allowed are \"sum\", \"prod\", \"mean\", \"amax\" and \"amin\"",
                 scatter_reduce_(x, 0, places({0}).view({1, 1}), ones({1, 1}, on()), "most")),
      LUGE_ERROR(ShapeError, "^scatter: the index \\(1, 2\\) is larger than the source \\(1, 1\\) in dimension 1",
                 scatter_(x, 1, places({0, 1}).view({1, 2}), ones({1, 1}, on()))),
      LUGE_ERROR(DTypeError, "^index_add: source is float64; the tensor is float32",
                 index_add_(x, 0, places({0}), ones({1, 3}, on(float64)))),
  });
  EXPECT_TRUE(has_values(x, {2, 3}, float32, {0, 0, 0, 0, 0, 0}));
}

TEST_P(PlacesTest, FindsManyPlaces) {
  const Tensor x = arange(100000, on(int64));
  const Tensor mask = (x * 7919 & 31) == 3;
  const Tensor found = nonzero(mask.view({100, 1000}));
  const Tensor flat = found.select(1, 0) * 1000 + found.select(1, 1);
  EXPECT_EQ(found.size(0), mask.to(int64).sum().item<std::int64_t>());
  EXPECT_TRUE(same(flat, masked_select(x, mask)));
  EXPECT_TRUE(same(take(x, flat), flat));
  EXPECT_TRUE(same(masked_scatter(zeros_like(x), mask, flat), where(mask, x, 0)));
}

TEST_P(PlacesTest, ReadingPlacesCannotBeCaptured) {
  const Tensor x = ones({4}, on());
  const Tensor mask = x.gt(0);
  expect_errors({LUGE_ERROR(CaptureError, "nonzero reads a value on the host", capture([&] { return nonzero(x); })()),
                 LUGE_ERROR(CaptureError, "masked_select reads a value on the host",
                            capture([&] { return masked_select(x, mask); })())});
  auto step = capture([&] { return masked_scatter(x, mask, x * 2); });
  EXPECT_TRUE(has_values(step(), {4}, float32, {2, 2, 2, 2}));
  EXPECT_TRUE(has_values(step(), {4}, float32, {2, 2, 2, 2}));
}

TEST_P(PlacesTest, Gradients) {
  const Tensor x = tensor({1, 2, 3, 4}, on(float64, true)), v = tensor({5, 6, 7}, on(float64, true)), at = places({1, 3, 1});
  for (const char* const reduce : {"sum", "prod", "mean"})
    for (const bool self : {false, true})
      EXPECT_TRUE(gradients_agree(
          [&](const std::vector<Tensor>& in) { return scatter_reduce(in[0], 0, at, in[1], reduce, self); }, {x, v}))
          << reduce;
  // Of equal indices the last value stays, and has the gradient.
  Tensor a = zeros({3}, on(float32, true)), b = ones({3}, on(float32, true));
  scatter(a, 0, places({1, 1, 0}), b).sum().backward();
  EXPECT_TRUE(has_values(a.grad(), {3}, float32, {0, 0, 1}));
  EXPECT_TRUE(has_values(b.grad(), {3}, float32, {0, 1, 1}));
  // Equal extremes share it.
  Tensor c = tensor({2, 1}, on(float32, true)), d = tensor({2, 2, 0}, on(float32, true));
  scatter_reduce(c, 0, places({0, 0, 0}), d, "amax").sum().backward();
  EXPECT_TRUE(has_values((c.grad() * 3), {2}, float32, {1, 3}));
  EXPECT_TRUE(has_values((d.grad() * 3), {3}, float32, {1, 1, 0}));
}

}  // namespace
}  // namespace luge::test
