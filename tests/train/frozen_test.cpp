// Parameters that a step leaves alone: frozen ones, and those that nothing has written a gradient of.

#include <functional>
#include <memory>
#include <vector>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class FrozenTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(FrozenTest);

using Make = std::function<std::unique_ptr<Optimizer>(Parameters)>;

/// Each moves a parameter by its decay or its momentum alone.
std::vector<Make> optimizers() {
  return {
      [](Parameters p) { return std::make_unique<Sgd>(p, SgdOptions{.lr = 0.1, .weight_decay = 0.5}); },
      [](Parameters p) {
        return std::make_unique<Sgd>(p, SgdOptions{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.1, .nesterov = true});
      },
      [](Parameters p) { return std::make_unique<Adam>(p, AdamOptions{.lr = 0.1, .weight_decay = 0.1}); },
      [](Parameters p) { return std::make_unique<AdamW>(p, AdamWOptions{.lr = 0.1, .weight_decay = 0.1}); },
  };
}

enum class How { Eagerly, Captured, ManyAtOnce };

/// Three parameters with sets, the second of which `rest` lets rest for some steps; all values after each stage.
std::vector<Tensor> trained(const Make& make, Device device, DType dtype, How how,
                            const std::function<void(Tensor& middle, bool rests)>& rest) {
  Parameters params({.sets = 3, .device = device, .dtype = dtype, .seed = 5});
  const Tensor a = params.add("a", {5}, init::normal(0, 1)), c = params.add("c", {}, init::normal(0, 1));
  Tensor b = params.add("b", {7}, init::normal(0, 1));
  const auto optimizer = make(params);
  bool rests = false;
  const auto body = [&] {
    optimizer->zero_grad();
    Tensor loss = (a * a).sum() + (c * a.sum(1)).sum();
    if (b.requires_grad()) loss = loss + (b * b * b).sum();
    loss.backward();
    params.clip_grad_norm_(2);
    optimizer->step();
  };
  auto step = capture(body);
  std::vector<Tensor> all;
  for (const bool now : {false, true, false, true}) {
    rest(b, rests = now);
    const Tensor before = b.detach().clone();
    if (how == How::ManyAtOnce) step.run(3);
    for (int i = 0; i < 3 && how != How::ManyAtOnce; ++i) how == How::Eagerly ? body() : step();
    EXPECT_EQ(static_cast<bool>(same(b.detach(), before)), rests);
    for (const Tensor& t : {a, b, c}) all.push_back(t.detach().clone());
  }
  return all;
}

TEST_P(FrozenTest, AreLeftAloneEagerAndCaptured) {
  const auto freeze = [](Tensor& b, bool rests) { b.requires_grad_(!rests); };
  for (const Make& make : optimizers())
    for (const DType dtype : {float32, float64}) {
      const std::vector<Tensor> eager = trained(make, device(), dtype, How::Eagerly, freeze);
      for (const How how : {How::Captured, How::ManyAtOnce}) {
        const std::vector<Tensor> captured = trained(make, device(), dtype, how, freeze);
        for (std::size_t i = 0; i < eager.size(); ++i) EXPECT_TRUE(same(captured[i], eager[i])) << i;
      }
    }
}

/// Adam's moments rest, too: the others and the frozen one go on as if its pause had not been.
TEST_P(FrozenTest, KeepTheirState) {
  Parameters params({.device = device(), .dtype = float64});
  Tensor x = params.add("x", {4}, init::constant(1));
  Sgd optimizer(params, {.lr = 0.5, .momentum = 0.5});
  const auto step = [&](bool frozen) {
    x.requires_grad_();
    optimizer.zero_grad();
    x.sum().backward();
    x.requires_grad_(!frozen);  // it has a gradient, and rests all the same
    optimizer.step();
  };
  step(false);
  EXPECT_TRUE(has_values(x, {4}, float64, std::vector<double>(4, 0.5)));  // buffer 1
  for (int i = 0; i < 3; ++i) step(true);
  EXPECT_TRUE(has_values(x, {4}, float64, std::vector<double>(4, 0.5)));
  step(false);
  EXPECT_TRUE(has_values(x, {4}, float64, std::vector<double>(4, -0.25)));  // buffer 1.5
  EXPECT_EQ(optimizer.steps_taken(), 2);
}

TEST_P(FrozenTest, PlayNoPartInClipping) {
  Parameters params({.device = device()});
  const Tensor a = params.add("a", {1}, init::constant(1)), none = params.add("none", {1}, init::constant(1));
  Tensor frozen = params.add("frozen", {1}, init::constant(1));
  const Tensor last = params.add("last", {1}, init::constant(1));
  (3 * a + 100 * frozen + 4 * last).sum().backward();
  frozen.requires_grad_(false);
  EXPECT_EQ(params.clip_grad_norm_(2.5).item(), 5);
  EXPECT_TRUE(has_values(a.grad(), {1}, float32, {1.5}, 1e-6));
  EXPECT_TRUE(has_values(last.grad(), {1}, float32, {2}, 1e-6));
  EXPECT_EQ(frozen.grad().item(), 100);
  // The same of leaves that are no whole arena.
  EXPECT_NEAR(clip_grad_norm_({a, none, frozen}, 100).item(), 1.5, 1e-6);
}

/// PyTorch's meaning of zero_grad(set_to_none=True).
TEST_P(FrozenTest, WithoutAGradientAParameterIsSkipped) {
  for (const Make& make : optimizers()) {
    Parameters params({.device = device()});
    const Tensor used = params.add("used", {9}, init::constant(1)),
                 unused = params.add("unused", {9}, init::constant(1));
    const auto optimizer = make(params);
    (used + unused).sum().backward();
    optimizer->step();
    const Tensor before = unused.detach().clone(), moving = used.detach().clone();
    const auto body = [&] {
      optimizer->zero_grad();
      used.sum().backward();
      optimizer->step();
    };
    body();
    auto step = capture(body);
    step();
    step.run(3);
    EXPECT_TRUE(same(unused.detach(), before));
    EXPECT_FALSE(same(used.detach(), moving));
    EXPECT_EQ(optimizer->steps_taken(), 6);
    optimizer->zero_grad();
    optimizer->step();  // nothing has a gradient
    EXPECT_EQ(optimizer->steps_taken(), 6);
  }
}

/// One parameter of five, beside a frozen one or alone; its values after some steps.
std::vector<double> beside_frozen(const Make& make, Device device, bool is_there, bool captures) {
  Parameters params({.device = device, .dtype = float64, .seed = 5});
  const Tensor a = params.add("a", {5}, init::normal(0, 1));
  if (is_there) {
    Tensor b = params.add("b", {7}, init::constant(3));
    b.requires_grad_(false);
  }
  const auto optimizer = make(params);
  const auto body = [&] {
    optimizer->zero_grad();
    (a * a * a).sum().backward();
    params.clip_grad_norm_(1);
    optimizer->step();
  };
  auto step = capture(body);
  for (int i = 0; i < 6; ++i) captures ? step() : body();
  return a.to_vector<double>();
}

TEST_P(FrozenTest, TrainsAsIfTheFrozenParameterWereNotThere) {
  for (const Make& make : optimizers())
    for (const bool captures : {false, true})
      EXPECT_EQ(beside_frozen(make, device(), true, captures), beside_frozen(make, device(), false, captures));
}

}  // namespace
}  // namespace luge::test
