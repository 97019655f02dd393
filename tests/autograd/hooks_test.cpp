// Hooks of tensors, and gradients that results retain.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include <luge/autograd/hooks.h>
#include <luge/luge.h>

#include "expect.h"
#include "has_words.h"

namespace luge::test {
namespace {

Tensor hooked_leaf(std::initializer_list<double> values) { return tensor(values, {.dtype = float64, .requires_grad = true}); }

template <class Action>
std::string hook_error_of(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(HooksTest, ReplaceTheWholeGradientInOrder) {
  const Tensor x = hooked_leaf({1, 2, 3}), h = x * 2;
  std::vector<Tensor> seen;
  register_hook(h, [&](const Tensor& gradient) { return seen.push_back(gradient), gradient * 10; });
  register_hook(h, [](const Tensor& gradient) { return gradient + 1; });
  register_hook(h, [](const Tensor&) { return Tensor(); });
  register_hook(x, [](const Tensor& gradient) { return -gradient; });
  (h * h + h).sum().backward();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_TRUE(has_values(seen[0], {3}, float64, {5, 9, 13}));
  EXPECT_TRUE(has_values(x.grad(), {3}, float64, {-102, -182, -262}));
}

TEST(HooksTest, HandlesRemoveThem) {
  const Tensor x = hooked_leaf({1, 2});
  HookHandle handle = register_hook(x, [](const Tensor& gradient) { return gradient * 10; });
  (x * 3).sum().backward();
  handle.remove();
  handle.remove();
  (x * 3).sum().backward();
  EXPECT_TRUE(has_values(x.grad(), {2}, float64, {33, 33}));
}

TEST(HooksTest, GradCallsThoseOnTheWayToItsInputs) {
  const Tensor x = hooked_leaf({1, 2}), y = hooked_leaf({3, 4}), h = x * y, other = y * 2;
  int calls = 0;
  register_hook(other, [&](const Tensor&) { return ++calls, Tensor(); });
  register_hook(x, [](const Tensor& gradient) { return gradient * 2; });
  const std::vector<Tensor> found = grad({(h * h).sum(), other.sum()}, {x, h});
  EXPECT_TRUE(has_values(found[0], {2}, float64, {36, 128}));
  EXPECT_TRUE(has_values(found[1], {2}, float64, {6, 16}));
  EXPECT_EQ(calls, 0);
}

TEST(HooksTest, AreRecordedWithCreateGraph) {
  const Tensor x = hooked_leaf({1, 2}), h = x * 3;
  register_hook(h, [](const Tensor& gradient) { return gradient * gradient; });
  const Tensor slope = grad({(h * h).sum()}, {x}, {}, {}, true)[0];  // 3 (2 h)^2 = 108 x^2
  EXPECT_TRUE(has_values(slope, {2}, float64, {108, 432}));
  // The way back leads through h again: 3 (72 x)^2.
  EXPECT_TRUE(has_values(grad({slope.sum()}, {x})[0], {2}, float64, {15552, 62208}));
}

TEST(HooksTest, CallLeavesWithWhatHasAccumulated) {
  const Tensor x = hooked_leaf({1, 2});
  std::vector<Tensor> seen;
  register_post_accumulate_grad_hook(x, [&](const Tensor& of) { seen.push_back(of.grad().clone()); });
  for (int i = 0; i < 2; ++i) (x * 3).sum().backward();
  grad({(x * 3).sum()}, {x});
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_TRUE(has_values(seen[0], {2}, float64, {3, 3}));
  EXPECT_TRUE(has_values(seen[1], {2}, float64, {6, 6}));
}

TEST(HooksTest, ResultsRetainWhatHooksLeft) {
  const Tensor x = hooked_leaf({1, 2});
  Tensor h = x * 2;
  EXPECT_FALSE(retains_grad(h));
  retain_grad(h);
  retain_grad(x);
  EXPECT_TRUE(retains_grad(h));
  EXPECT_FALSE(retains_grad(x));
  register_hook(h, [](const Tensor& gradient) { return gradient * 10; });
  const Tensor loss = (h * h).sum();
  loss.backward({}, true);
  EXPECT_TRUE(has_values(h.grad(), {2}, float64, {40, 80}));
  loss.backward();
  EXPECT_TRUE(has_values(h.grad(), {2}, float64, {80, 160}));
  h.zero_grad();
  EXPECT_FALSE(h.grad().defined());
}

TEST(HooksTest, GoWithTheGraphAndWithLeaves) {
  const auto held = std::make_shared<int>(0);
  const auto hook = [held](const Tensor&) { return Tensor(); };
  {
    const Tensor x = hooked_leaf({1, 2}), h = x * 2, unused = x * 3;
    register_hook(x, hook);
    register_hook(h, hook);
    register_hook(unused, hook);
    EXPECT_EQ(held.use_count(), 5);
    h.sum().backward();
    EXPECT_EQ(held.use_count(), 4) << "the graph of h is used";
  }
  EXPECT_EQ(held.use_count(), 2);
}

TEST(HooksTest, ErrorsNameWhatIsWrong) {
  const Tensor x = hooked_leaf({1, 2}), h = x * 2, plain = tensor({1.0});
  const auto none = [](const Tensor&) { return Tensor(); };
  EXPECT_TRUE(has_words(hook_error_of([&] { register_hook(plain, none); }), {"register_hook", "does not require a gradient"}));
  EXPECT_TRUE(has_words(hook_error_of([&] { retain_grad(plain); }), {"retain_grad", "does not require a gradient"}));
  EXPECT_TRUE(has_words(hook_error_of([&] { register_post_accumulate_grad_hook(h, [](const Tensor&) {}); }), {"no leaf"}));
  register_hook(h, [](const Tensor& gradient) { return gradient.sum(); });
  EXPECT_TRUE(has_words(hook_error_of([&] { h.sum().backward(); }), {"register_hook", "shape ()", "(2,)"}));
}

}  // namespace
}  // namespace luge::test
