// Optimizers on loose leaf tensors, as in PyTorch.

#include <memory>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <luge/luge.h>

#include "train/messages.h"

namespace luge {
namespace {

Tensor leaf(std::initializer_list<double> values, DType dtype = float32) {
  return tensor(values, {.dtype = dtype, .requires_grad = true});
}

using Values = std::vector<float>;

TEST(LooseLeaves, TrainAsTheyWouldInAnArena) {
  const Tensor a = leaf({1, 2, 3}), b = leaf({4});
  Parameters params;
  const Tensor c = params.add("c", {3}, init::zeros()), d = params.add("d", {1}, init::zeros());
  no_grad([&] {
    Tensor(c).copy_(a);
    Tensor(d).copy_(b);
  });
  Adam loose({a, b}, {.lr = 0.1}), arena(params, {.lr = 0.1});
  for (int step = 0; step < 20; ++step) {
    loose.zero_grad();
    arena.zero_grad();
    (square(a).sum() * b).sum().backward();
    (square(c).sum() * d).sum().backward();
    loose.step();
    arena.step();
  }
  EXPECT_EQ(a.to_vector<float>(), c.to_vector<float>());
  EXPECT_EQ(b.to_vector<float>(), d.to_vector<float>());
  EXPECT_EQ(loose.parameters().names(), (std::vector<std::string>{"0", "1"}));
  EXPECT_EQ(loose.parameters().count(), 4);
}

TEST(LooseLeaves, HandlesAndViewsStayValid) {
  Tensor w = leaf({1, 2, 3, 4});
  const Tensor same = w, view = w.detach().view({2, 2}), row = view[1], gradient_view = w.detach().slice(0, 1, 3);
  Sgd optimizer({w}, {.lr = 1});
  EXPECT_EQ(w.shape(), Shape({4}));
  EXPECT_TRUE(w.is_leaf());
  EXPECT_EQ(w.data(), same.data());
  EXPECT_EQ(w.data(), view.data());
  EXPECT_EQ(row.to_vector<float>(), (Values{3, 4}));
  (same * tensor({1, 1, 2, 2})).sum().backward();
  optimizer.step();
  EXPECT_EQ(view.to_vector<float>(), (Values{0, 1, 1, 2}));
  EXPECT_EQ(row.to_vector<float>(), (Values{1, 2}));
  EXPECT_EQ(gradient_view.to_vector<float>(), (Values{1, 1}));
  no_grad([&] { w.fill_(7); });
  EXPECT_EQ(row.to_vector<float>(), (Values{7, 7}));
}

TEST(LooseLeaves, BringTheirGradientsAlong) {
  const Tensor w = leaf({1, 2}), v = leaf({5});
  (3 * w).sum().backward();
  Sgd optimizer({w, v}, {.lr = 1});
  EXPECT_EQ(w.grad().to_vector<float>(), (Values{3, 3}));
  EXPECT_EQ(v.grad().to_vector<float>(), (Values{0}));
  w.sum().backward();  // still accumulates
  optimizer.step();
  EXPECT_EQ(w.to_vector<float>(), (Values{-3, -2}));
}

TEST(LooseLeaves, SeveralOptimizersEachHaveTheirOwn) {
  const Tensor a = leaf({1}), b = leaf({1}, float64);
  Sgd first({a}, {.lr = 1});
  Sgd second({b}, {.lr = 0.5});
  (a * b).sum().backward();
  first.zero_grad();
  EXPECT_EQ(a.grad().item(), 0);
  EXPECT_EQ(b.grad().item(), 1);
  second.step();
  EXPECT_EQ(a.item(), 1);
  EXPECT_EQ(b.item(), 0.5);
}

TEST(LooseLeaves, CanBeHandedToAnotherOptimizer) {
  const Tensor a = leaf({1, 2}), b = leaf({3});
  {
    Sgd first({a, b}, {.lr = 1});
    Adam together({b, a});  // all of a living arena, in any order: the same arena
    EXPECT_EQ(first.parameters().names(), together.parameters().names());
    (a.sum() + b.sum()).backward();
    together.zero_grad();
    EXPECT_EQ(a.grad().to_vector<float>(), (Values{0, 0}));
    (a.sum() + b.sum()).backward();
    first.step();
  }
  // The arena is gone; the leaves are as loose as before.
  Sgd next({a}, {.lr = 1});
  EXPECT_EQ(a.to_vector<float>(), (Values{0, 1}));
  next.zero_grad();
  (2 * a).sum().backward();
  next.step();
  EXPECT_EQ(a.to_vector<float>(), (Values{-2, -1}));
  EXPECT_EQ(b.to_vector<float>(), (Values{2}));
}

TEST(LooseLeaves, OutliveTheirOptimizer) {
  Tensor w = leaf({1, 2});
  {
    Sgd optimizer({w}, {.lr = 1});
    w.sum().backward();
    optimizer.step();
  }
  EXPECT_EQ(w.to_vector<float>(), (Values{0, 1}));
  EXPECT_EQ(w.grad().to_vector<float>(), (Values{1, 1}));
  w.zero_grad();
  (5 * w).sum().backward();
  EXPECT_EQ(w.grad().to_vector<float>(), (Values{5, 5}));
}

TEST(LooseLeaves, MayDieBeforeTheirOptimizer) {
  std::optional<Sgd> optimizer;
  {
    const Tensor w = leaf({1, 2});
    optimizer.emplace(std::vector<Tensor>{w}, SgdOptions{.lr = 1});
    w.sum().backward();
  }
  optimizer->step();
  EXPECT_EQ(optimizer->parameters().tensors()[0].to_vector<float>(), (Values{0, 1}));
}

TEST(LooseLeaves, TakesTheTensorsOfAParameters) {
  Parameters params({.sets = 2});
  const Tensor w = params.add("w", {}, init::constant(1)), v = params.add("v", {}, init::constant(1));
  Sgd optimizer(params.tensors(), {.lr = tensor({1, 2})});
  (w + v).sum().backward();
  optimizer.step();
  EXPECT_EQ(w.to_vector<float>(), (Values{0, -1}));
  EXPECT_EQ(optimizer.parameters().sets(), 2);
  EXPECT_THROW(params.add("late", {}, init::zeros()), ValueError);
}

TEST(LooseLeaves, CountOnceHoweverOftenTheyAreGiven) {
  const Tensor a = leaf({1, 2}), b = leaf({3}), c = leaf({1, 2}), d = leaf({3});
  Adam tied({a, b, a, a, b}, {.lr = 0.1}), plain({c, d}, {.lr = 0.1});
  EXPECT_EQ(tied.parameters().count(), 3);
  EXPECT_EQ(tied.parameters().names(), (std::vector<std::string>{"0", "1"}));
  for (int step = 0; step < 5; ++step) {
    tied.zero_grad();
    plain.zero_grad();
    ((a * a).sum() * b + a.sum()).sum().backward();  // used twice: gradients add up
    ((c * c).sum() * d + c.sum()).sum().backward();
    tied.step();
    plain.step();
  }
  EXPECT_EQ(a.to_vector<float>(), c.to_vector<float>());
  EXPECT_EQ(b.to_vector<float>(), d.to_vector<float>());
  Sgd again({a, b, a});  // all of a living arena
  EXPECT_EQ(again.parameters(), tied.parameters());
}

TEST(LooseLeaves, FrozenOnesComeAlong) {
  Tensor a = leaf({1, 2});
  Tensor frozen = leaf({3}).requires_grad_(false);
  Sgd optimizer({a, frozen}, {.lr = 1});
  (a * frozen).sum().backward();
  optimizer.step();
  EXPECT_EQ(a.to_vector<float>(), (Values{-2, -1}));
  EXPECT_EQ(frozen.item(), 3);
  frozen.requires_grad_();
  optimizer.zero_grad();
  (a * frozen).sum().backward();
  optimizer.step();
  EXPECT_EQ(frozen.item(), 6);
}

TEST(LooseLeaves, KeepTheSetsOfAnArenaThatIsGone) {
  Tensor w, v;
  {
    Parameters params({.sets = 2});
    w = params.add("w", {3}, init::constant(1));
    v = params.add("v", {}, init::constant(1));
  }
  Sgd optimizer({w, v}, {.lr = tensor({1, 2})});
  EXPECT_EQ(optimizer.parameters().sets(), 2);
  (w.sum(1) + v).sum().backward();
  EXPECT_EQ(optimizer.parameters().clip_grad_norm_(1e6).to_vector<float>(), Values(2, 2));
  optimizer.step();
  EXPECT_EQ(w.to_vector<float>(), (Values{0, 0, 0, -1, -1, -1}));
  EXPECT_EQ(v.to_vector<float>(), (Values{0, -1}));
  const Tensor one = Parameters({.sets = 2}).add("w", {3}, init::zeros()), other = leaf({1});
  EXPECT_MESSAGE(ValueError,
                 "Sgd: a tensor of shape (2, 3) has 2 sets and one of shape (1,) has no sets; all must have the same",
                 Sgd({one, other}));
}

TEST(LooseLeaves, RefusesWhatItCannotOptimize) {
  const Tensor a = leaf({1, 2});
  EXPECT_MESSAGE(ValueError, "Sgd: no tensors given; at least one is needed", Sgd(std::vector<Tensor>{}));
  EXPECT_MESSAGE(ValueError, "Adam: tensor 1 is undefined", Adam({a, Tensor()}));
  EXPECT_MESSAGE(ValueError, "Adam: tensor 1 was made by mul; only leaves can be optimized", Adam({a, a * 2}));
  EXPECT_MESSAGE(ValueError, "AdamW: tensor 1 does not require a gradient; call requires_grad_() on it",
                 AdamW({a, tensor({1})}));
  EXPECT_MESSAGE(DTypeError, "Sgd: tensor 1 is float64 and tensor 0 is float32; all must share one dtype",
                 Sgd({a, leaf({1}, float64)}));
  EXPECT_MESSAGE(ValueError, "Sgd: tensor 1 shares its memory with an earlier one and is not the same tensor",
                 Sgd({a, a.detach().requires_grad_()}));
  const std::string view =
      "Sgd: tensor 0 of shape (1,) shares its memory with others: it is a view; give a tensor of its own "
      "(detach().clone().requires_grad_())";
  EXPECT_MESSAGE(ValueError, view, Sgd({a.detach().slice(0, 0, 1).requires_grad_()}));
  EXPECT_THROW(Sgd({zeros({2, 3}).t().requires_grad_()}), ValueError);
  EXPECT_THROW(Sgd({zeros({1}).expand({4}).requires_grad_()}), ValueError);
}

TEST(LooseLeaves, RefusesMixturesOfArenasInAGroup) {
  Parameters params;
  const Tensor w = params.add("w", {2}, init::zeros()), v = params.add("v", {2}, init::zeros());
  const Tensor loose = leaf({1});
  const auto words = [](int at_home, int given) {
    return fmt::format(
        "Sgd: {} of the {} tensors given belong to an arena of 2 (a Parameters, or another optimizer's tensors) and the "
        "others do not; give those of each arena, and loose ones, as parameter groups of their own",
        at_home, given);
  };
  EXPECT_MESSAGE(ValueError, words(1, 2), Sgd({loose, v}));
  EXPECT_MESSAGE(ValueError, words(2, 3), Sgd({w, v, loose}));
  Parameters other;
  const Tensor u = other.add("u", {2}, init::zeros());
  EXPECT_MESSAGE(ValueError, words(2, 3), Sgd({w, v, u}));
  params.add("more", {2}, init::zeros());  // still open
}

TEST(LooseLeaves, AFailedOptimizerLeavesThemAlone) {
  const Tensor a = leaf({1, 2}), b = leaf({3});
  const void* const before = a.data();
  EXPECT_THROW(Sgd({a, b}, {.lr = -1}), ValueError);
  EXPECT_THROW(Adam({a, b}, {.beta1 = 2}), ValueError);
  EXPECT_THROW(Adam({a, b, b.detach().requires_grad_()}), ValueError);
  EXPECT_EQ(a.data(), before);
  EXPECT_FALSE(a.grad().defined());
  Sgd alone({b}, {.lr = 1});  // no arena holds on to it
  b.sum().backward();
  alone.step();
  EXPECT_EQ(b.item(), 2);
  EXPECT_EQ(a.to_vector<float>(), (Values{1, 2}));
}

}  // namespace
}  // namespace luge
