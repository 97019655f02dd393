// What samples against PyTorch cannot show of views and rearrangements: what shares memory, and changes in place.

#include <luge/ops/broadcast.h>
#include <luge/ops/diagonal.h>
#include <luge/ops/rearrange.h>
#include <luge/ops/split.h>
#include <luge/ops/stack.h>
#include <luge/ops/window.h>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class RearrangeTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(RearrangeTest);

TEST_P(RearrangeTest, ViewsShareMemory) {
  const Tensor x = zeros({3, 4}, on());
  split(x, 2, 1)[1].fill_(1);
  diagonal(x).fill_(2);
  unbind(x)[2].select(0, 0).fill_(3);
  movedim(x, {0}, {1}).select(0, 1).fill_(4);
  EXPECT_TRUE(has_values(x, {3, 4}, float32, {2, 4, 1, 1, 0, 4, 1, 1, 3, 4, 2, 1}));
  unfold(x, 0, 1, 2).fill_(5);
  EXPECT_TRUE(has_values(x, {3, 4}, float32, {5, 5, 5, 5, 0, 4, 1, 1, 5, 5, 5, 5}));
}

TEST_P(RearrangeTest, CopiesDoNot) {
  const Tensor x = ones({1, 2}, on());
  for (Tensor copy : {repeat(x, {1, 1}), repeat(x, {3, 1}), flip(x, {0}), roll(x, {0}, {0}), rot90(x, 4), tril(x), pad(x, {0, 0}),
                      repeat_interleave(x, 2, 0), diag(ones({1, 1}, on()))})
    copy.fill_(7);
  EXPECT_TRUE(has_values(x, {1, 2}, float32, {1, 1}));
}

TEST_P(RearrangeTest, WindowsThatOverlapCannotBeWritten) {
  Tensor x = zeros({4}, on());
  EXPECT_THROW(unfold(x, 0, 2, 1).fill_(1), ShapeError);
  EXPECT_TRUE(has_values(x, {4}, float32, {0, 0, 0, 0}));
}

TEST_P(RearrangeTest, AViewFollowsAChangeOfItsBase) {
  const Tensor leaf = ones({4}, {.dtype = float64, .device = on().device, .requires_grad = true});
  Tensor base = leaf * 1;
  const Tensor windows = unfold(base, 0, 3, 1), corner = diagonal(base.view({2, 2}));
  base.mul_(3);
  (windows.sum() + corner.sum()).backward();
  // An element is in as many windows as reach it; the diagonal has the first and the last.
  EXPECT_TRUE(has_values(leaf.grad(), {4}, float64, {6, 6, 6, 6}));
}

TEST_P(RearrangeTest, ADiagonalWrittenInPlaceIsDifferentiated) {
  const Tensor leaf = ones({2, 2}, {.dtype = float64, .device = on().device, .requires_grad = true});
  Tensor x = leaf * 2;
  fill_diagonal_(x, 5);
  x.sum().backward();
  EXPECT_TRUE(has_values(leaf.grad(), {2, 2}, float64, {0, 2, 2, 0}));
}

TEST_P(RearrangeTest, RepeatsOfEightDimensions) {
  const Tensor x = arange(16, on(float32)).view({2, 1, 2, 1, 1, 2, 1, 2});
  const Tensor twice = repeat(x, {2, 1, 1, 1, 1, 2, 1, 2});
  EXPECT_EQ(twice.shape(), (Shape{4, 1, 2, 1, 1, 4, 1, 4}));
  EXPECT_TRUE(same(twice.slice(0, 2).slice(5, 2).slice(7, 0, 2), x));
  EXPECT_TRUE(same(repeat_interleave(x, 2, 7).slice(7, 0, {}, 2), x));
}

TEST(RearrangeErrors, NameTheOperationAndWhatIsAllowed) {
  const Tensor x = zeros({2, 3});
  EXPECT_THROW(split(x, 0), ValueError);
  EXPECT_THROW(flip(x, {0, -2}), ValueError);
  EXPECT_THROW(broadcast_shapes({Shape{2}, Shape{-1}}), ValueError);
  EXPECT_THROW(atleast("atleast_2d", Tensor(), 2), Error);
  EXPECT_THROW(hstack({}), ValueError);
  try {
    unflatten(x, 1, {2, 2});
    FAIL();
  } catch (const ShapeError& error) {
    EXPECT_STREQ(error.what(), "unflatten: sizes (2, 2) do not make up 3, the size of dim 1");
  }
}

}  // namespace
}  // namespace luge::test
