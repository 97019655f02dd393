// Sets that stand still: every rule, eager and captured, with the mask from outside or from the step's own losses.

#include <limits>
#include <vector>

#include "capture/trainings.h"
#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class ActiveTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(ActiveTest);

constexpr std::int64_t kMasked = 4;

/// Set 2 is told to stand still for the steps from 2 on; another gradient of it is NaN.
std::vector<Tensor> trained(const OptimizerCase& rule, Device device, bool captured, bool uses_mask) {
  Parameters params({.sets = kMasked, .device = device, .seed = 5});
  const Tensor a = params.add("a", {}, init::normal(0, 1)), b = params.add("b", {70}, init::normal(0, 1));
  const auto optimizer = rule.make(params, PerSet(0.1));
  Tensor factor = ones({kMasked}, {.device = device});
  const auto body = [&] {
    optimizer->zero_grad();
    (square(a * factor).sum() + square(b * factor.reshape({kMasked, 1})).sum()).backward();
    optimizer->step();
  };
  if (uses_mask) params.set_active(ones({}, {.dtype = DType::Bool, .device = device}));
  Step step = capture(body);
  std::vector<Tensor> history;
  for (int i = 0; i < 6; ++i) {
    if (i == 2 && uses_mask) params.set_active(from_host(std::vector<float>{1, 1, 0, 1}, {kMasked}, device).ne(0));
    if (i == 3) factor.copy_(from_host(std::vector<float>{1, 1, std::numeric_limits<float>::quiet_NaN(), 1}, {kMasked}, device));
    captured ? step() : body();
    history.push_back(a.detach().clone());
    history.push_back(b.detach().clone());
  }
  return history;
}

TEST_P(ActiveTest, StandStillWhateverTheirGradientsAre) {
  for (const OptimizerCase& rule : optimizer_cases()) {
    SCOPED_TRACE(rule.name);
    const auto free = trained(rule, device(), false, false), held = trained(rule, device(), false, true);
    for (std::size_t i = 0; i < held.size(); ++i) {
      for (const std::int64_t set : {0, 1, 3}) EXPECT_TRUE(same(held[i][set], free[i][set])) << i;
      const std::size_t last = std::min(i, 2 + i % 2);  // of the second step
      EXPECT_TRUE(same(held[i][2], free[last][2])) << i;
    }
    const auto replayed = trained(rule, device(), true, true);
    for (std::size_t i = 0; i < held.size(); ++i) EXPECT_TRUE(same(replayed[i], held[i])) << i;
  }
}

TEST_P(ActiveTest, ACapturedStepFindsOutItself) {
  Parameters params({.sets = 3, .device = device()});
  const Tensor x = params.add("x", {}, init::constant(8));
  Sgd optimizer(params, {.lr = from_host(std::vector<float>{0.25, 0.125, 0.5}, {3}, device())});
  params.set_active(ones({3}, {.dtype = DType::Bool, .device = device()}));
  Step step = capture([&] {
    optimizer.zero_grad();
    const Tensor loss = square(x);
    loss.sum().backward();
    params.set_active(loss.detach().gt(4));
    optimizer.step();
  });
  // x falls by the factor 1 - 2 lr at each step until its square is 4 or less.
  step.run(20);
  EXPECT_TRUE(has_values(x, {3}, float32, {2, 1.8984375, 0}));
  EXPECT_TRUE(has_values(params.active(), {3}, DType::Bool, {0, 0, 0}));
}

TEST_P(ActiveTest, AnOrdinaryModelIsOneSet) {
  Parameters params({.device = device()});
  const Tensor x = params.add("x", {2}, init::constant(1));
  Adam optimizer(params, {.lr = 0.5});
  EXPECT_TRUE(has_values(params.active(), {}, DType::Bool, {1}));
  params.set_active(zeros({1}, {.dtype = DType::Bool, .device = device()}));
  x.sum().backward();
  optimizer.step();
  EXPECT_TRUE(has_values(x, {2}, float32, {1, 1}));
  EXPECT_TRUE(has_values(params.active(), {}, DType::Bool, {0}));
  EXPECT_EQ(optimizer.steps_taken(), 1);
}

TEST_P(ActiveTest, BadMasks) {
  Parameters params({.sets = 3, .device = device()});
  const Tensor x = params.add("x", {}, init::constant(1));
  Sgd optimizer(params, {.lr = 0.5});
  Step step = capture([&] {
    optimizer.zero_grad();
    square(x).sum().backward();
    optimizer.step();
  });
  step();
  expect_errors({
      LUGE_ERROR(DTypeError, "set_active: mask is float32; allowed is bool", params.set_active(ones({3}, on()))),
      LUGE_ERROR(ShapeError, "set_active: mask has shape \\(2,\\); allowed are \\(\\) and \\(3,\\), one flag per set",
                 params.set_active(zeros({2}, on(DType::Bool)))),
      LUGE_ERROR(ValueError, "set_active: mask is an undefined tensor", params.set_active(Tensor())),
  });
  step();
  params.set_active(zeros({}, on(DType::Bool)));
  const std::vector<double> before = x.to_vector<double>();
  expect_errors({LUGE_ERROR(CaptureError, "set_active was called after this step was captured, which steps every set",
                            step())});
  EXPECT_EQ(x.to_vector<double>(), before);
}

}  // namespace
}  // namespace luge::test
