// Clipping the gradients of leaves, wherever they live.

#include <cmath>
#include <limits>
#include <vector>

#include <luge/luge.h>

#include "devices.h"
#include "train/messages.h"

namespace luge::test {
namespace {

class ClipTest : public DeviceTest {
 protected:
  Tensor leaf(const Shape& shape, DType dtype = float32) const { return randn(shape, on(dtype)).requires_grad_(); }
};
LUGE_ON_EVERY_DEVICE(ClipTest);

std::vector<double> values(const Tensor& t) { return t.to_vector<double>(); }

/// A gradient that differs from element to element.
void backward(const std::vector<Tensor>& leaves) {
  Tensor loss = zeros({}, {.dtype = leaves[0].dtype(), .device = leaves[0].device()});
  for (const Tensor& leaf : leaves) loss = loss + (leaf * leaf * leaf).sum();
  loss.backward();
}

TEST_P(ClipTest, LooseLeavesGetTheBitsOfAnArena) {
  for (const DType dtype : {float32, float64}) {
    const std::vector<Tensor> loose{leaf({5, 7}, dtype), leaf({}, dtype), leaf({9001}, dtype)};
    Parameters params({.device = device(), .dtype = dtype});
    for (std::size_t i = 0; i < loose.size(); ++i) {
      Tensor own = params.add(std::to_string(i), loose[i].shape(), init::zeros());
      no_grad([&] { own.copy_(loose[i]); });
    }
    backward(loose);
    backward(params.tensors());
    const Tensor norm = clip_grad_norm_(loose, 1), expected = params.clip_grad_norm_(1);
    EXPECT_EQ(norm.shape(), Shape());
    EXPECT_EQ(norm.dtype(), dtype);
    EXPECT_GT(norm.item(), 1);
    EXPECT_EQ(values(norm), values(expected));
    for (std::size_t i = 0; i < loose.size(); ++i)
      EXPECT_EQ(values(loose[i].grad()), values(params.tensors()[i].grad())) << "leaf " << i;
  }
}

TEST_P(ClipTest, LeavesOfAnOptimizerAreClippedInTheirArena) {
  const Tensor a = leaf({40}), b = leaf({3, 3});
  const Tensor c = a.detach().clone().requires_grad_(), d = b.detach().clone().requires_grad_();
  const Sgd optimizer({a, b});
  backward({a, b});
  backward({c, d});
  EXPECT_EQ(values(clip_grad_norm_({a, b, a}, 0.5)), values(clip_grad_norm_({c, d, d, c}, 0.5)));
  EXPECT_EQ(values(a.grad()), values(c.grad()));
  EXPECT_EQ(values(b.grad()), values(d.grad()));
}

TEST_P(ClipTest, APartOfAnArenaLeavesTheRestAlone) {
  Parameters params({.sets = 3, .device = device(), .seed = 1});
  const Tensor a = params.add("a", {20}, init::normal(0, 2)), b = params.add("b", {4}, init::normal(0, 2));
  backward({a, b});
  const std::vector<double> others = values(b.grad());
  const Tensor norms = clip_grad_norm_({a}, tensor({1, 2, 1e9}, on()));
  EXPECT_EQ(norms.shape(), Shape({3}));
  const std::vector<double> clipped = values(a.grad().square().sum(1).sqrt());
  EXPECT_NEAR(clipped[0], 1, 1e-5);
  EXPECT_NEAR(clipped[1], 2, 1e-5);
  EXPECT_NEAR(clipped[2], values(norms)[2], 1e-4);
  EXPECT_EQ(values(b.grad()), others);
}

TEST_P(ClipTest, LeavesWithoutAGradientPlayNoPart) {
  const Tensor a = leaf({2}), none = leaf({3}), frozen = leaf({4}).requires_grad_(false);
  EXPECT_EQ(clip_grad_norm_({a, none, frozen}, 1).item(), 0);
  EXPECT_EQ(clip_grad_norm_({}, 1).item(), 0);
  (a * tensor({3, 4}, on())).sum().backward();
  EXPECT_EQ(clip_grad_norm_({none, a, frozen, zeros({2}, on())}, 10).item(), 5);
  EXPECT_EQ(values(a.grad()), (std::vector<double>{3, 4}));
  EXPECT_EQ(clip_grad_norm_({a}, std::numeric_limits<double>::infinity()).item(), 5);
  EXPECT_FALSE(none.grad().defined());
  (a * std::numeric_limits<double>::quiet_NaN()).sum().backward();
  EXPECT_TRUE(std::isnan(clip_grad_norm_({a}, 1).item()));
  EXPECT_TRUE(std::isnan(values(a.grad())[0]));
}

TEST_P(ClipTest, ACapturedStepClipsAsAnEagerOne) {
  for (const bool whole : {true, false}) {
    const auto train = [&](bool captured) {
      manual_seed(4);
      const Tensor a = leaf({6, 5}), b = leaf({3});
      const Tensor loose = leaf({2});
      Adam optimizer({a, b}, {.lr = 0.1});
      const auto body = [&] {
        optimizer.zero_grad();
        Tensor(loose).zero_grad();
        backward({a, b, loose});
        const Tensor norm = clip_grad_norm_(whole ? std::vector{a, b} : std::vector{a, loose}, 0.5);
        optimizer.step();
        no_grad([&] { Tensor(loose).sub_(loose.grad()); });
        return norm;
      };
      std::vector<double> norms;
      if (captured) {
        auto step = capture(body);
        for (int i = 0; i < 6; ++i) norms.push_back(step().item());
      } else {
        for (int i = 0; i < 6; ++i) norms.push_back(body().item());
      }
      for (const Tensor& t : {a, b, loose})
        for (const double v : values(t)) norms.push_back(v);
      return norms;
    };
    EXPECT_EQ(train(true), train(false)) << (whole ? "all" : "a part") << " of the optimizer's leaves";
  }
  manual_seed(0);
}

TEST_P(ClipTest, RefusesWhatItCannotClipAndLeavesItAlone) {
  const Tensor a = leaf({2}), wide = leaf({1}, float64);
  const Tensor batched = Parameters({.sets = 2, .device = device()}).add("w", {3}, init::ones());
  backward({a});
  backward({wide});
  backward({batched});
  const std::vector<double> before = values(a.grad());
  EXPECT_MESSAGE(ValueError, "clip_grad_norm_: tensor 1 was made by mul; only leaves have a gradient",
                 clip_grad_norm_({a, a * 2}, 0.1));
  EXPECT_MESSAGE(ValueError, "clip_grad_norm_: tensor 0 is undefined", clip_grad_norm_({Tensor()}, 0.1));
  EXPECT_MESSAGE(DTypeError,
                 "clip_grad_norm_: a tensor of shape (2,) is float32 and one of shape (1,) is float64; all must share "
                 "one dtype",
                 clip_grad_norm_({a, wide}, 0.1));
  EXPECT_MESSAGE(
      ValueError,
      "clip_grad_norm_: a tensor of shape (2,) has no sets and one of shape (2, 3) has 2 sets; all must have "
      "the same",
      clip_grad_norm_({a, batched}, 0.1));
  EXPECT_MESSAGE(ValueError, "clip_grad_norm_: max_norm is -1; it must be 0 or more", clip_grad_norm_({a}, -1));
  EXPECT_MESSAGE(
      ShapeError,
      "clip_grad_norm_: max_norm has shape (3,); allowed are one number and a tensor of shape (1,), one value per set",
      clip_grad_norm_({a}, zeros({3}, on())));
  EXPECT_EQ(values(a.grad()), before);
}

}  // namespace
}  // namespace luge::test
