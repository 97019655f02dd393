// Averages of an arena, the scaler of losses, and the schedules of schedule_cycles.h and schedule_host.h, from C++.

#include <cmath>
#include <limits>

#include <luge/autograd/autocast.h>
#include <luge/train/averaging.h>
#include <luge/train/grad_scaler.h>
#include <luge/train/schedule_cycles.h>
#include <luge/train/schedule_host.h>

#include "devices.h"
#include "expect.h"
#include "train/messages.h"

namespace luge::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class AveragingTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(AveragingTest);

TEST_P(AveragingTest, MeanOfAllUpdates) {
  for (const std::optional<double> decay : {std::optional<double>(), std::optional<double>(0.75)}) {
    Parameters params({.sets = 2, .device = device(), .dtype = DType::Float64});
    Tensor x = params.add("x", {3}, init::constant(1));
    const Tensor y = params.add("y", {}, init::constant(-1));
    Averaged averaged(params, {.ema_decay = decay});
    double expected = 0;
    for (int n = 0; n < 5; ++n) {
      no_grad([&] { x.fill_(n + 1.0); });
      averaged.update();
      const double way = n == 0 ? 1 : decay ? 1 - *decay : 1.0 / (n + 1);
      expected += (n + 1 - expected) * way;
    }
    EXPECT_NEAR(averaged["x"].max().item(), expected, 1e-14);
    EXPECT_NEAR(averaged["x"].min().item(), expected, 1e-14);
    EXPECT_EQ(averaged["y"].max().item(), -1);
    EXPECT_EQ(averaged.count().item<std::int64_t>(), 5);
    averaged.swap();
    EXPECT_NEAR(x.max().item(), expected, 1e-14);
    EXPECT_EQ(averaged["x"].max().item(), 5);
    EXPECT_EQ(y.max().item(), -1);
  }
  Parameters none({.device = device()});
  EXPECT_THROW(Averaged{none}, ValueError);
}

TEST_P(AveragingTest, AutocastChoosesDtypes) {
  const Tensor x = rand({4, 4}, {.device = device()}), half = x.to(DType::BFloat16);
  EXPECT_FALSE(autocast_enabled(device().type));
  {
    const Autocast region(device().type, {.dtype = DType::BFloat16});
    EXPECT_EQ(matmul(x, half).dtype(), DType::BFloat16);
    EXPECT_EQ(matmul(x.to(DType::Float64), x.to(DType::Float64)).dtype(), DType::Float64);
    EXPECT_EQ(exp(half).dtype(), DType::Float32);
    EXPECT_EQ((half + half).dtype(), DType::BFloat16);
    const Autocast off(device().type, {.enabled = false});
    EXPECT_EQ(matmul(x, x).dtype(), DType::Float32);
  }
  EXPECT_EQ(exp(half).dtype(), DType::BFloat16);
  EXPECT_THROW(Autocast(device().type, {.dtype = DType::Float32}), DTypeError);
}

TEST_P(AveragingTest, ScalerSkipsTheSetsWithInfinities) {
  Parameters params({.sets = 3, .device = device()});
  const Tensor x = params.add("x", {2}, init::constant(1));
  Adam optimizer(params, {.lr = 0.5});
  GradScaler scaler({.init_scale = 8, .growth_interval = 1, .sets = 3, .device = device()});
  const Tensor factor = from_host(std::vector<float>{1, static_cast<float>(kInfinity), 1}, {3}, device());
  scaler.scale((x * x).sum(1) * factor).sum().backward();
  scaler.step(optimizer);
  EXPECT_EQ(scaler.found_inf(optimizer).to_vector<bool>(), (std::vector<bool>{false, true, false}));
  EXPECT_THROW(scaler.step(optimizer), ValueError);
  scaler.update();
  const auto values = x.to_vector<float>();
  EXPECT_NEAR(values[0], 0.5, 1e-5);
  EXPECT_EQ(values[2], 1);
  EXPECT_EQ(scaler.scale_tensor().to_vector<float>(), (std::vector<float>{16, 4, 16}));
  EXPECT_THROW(scaler.update(), ValueError);
}

TEST_P(AveragingTest, SchedulesThatCycle) {
  Parameters params({.device = device(), .dtype = DType::Float64});
  params.add("x", {}, init::ones());
  Sgd optimizer(params, {.lr = 1, .momentum = 0.9});
  const auto after = [&](LrScheduler& schedule, int steps) {
    for (int i = 0; i < steps; ++i) schedule.step();
    return optimizer.lr().item();
  };
  {
    PolynomialLr schedule(optimizer, {.total_iters = 4, .power = 2});
    EXPECT_NEAR(after(schedule, 3), 1.0 / 16, 1e-15);
  }
  Sgd other(params, {.lr = 1, .momentum = 0.9});
  CosineAnnealingWarmRestarts restarts(other, {.t_0 = 2, .t_mult = 2});
  restarts.step();
  EXPECT_NEAR(other.lr().item(), 0.5, 1e-15);
  restarts.step();
  EXPECT_EQ(other.lr().item(), 1);
  restarts.step(4.0);
  EXPECT_NEAR(other.lr().item(), 0.5, 1e-15);
  EXPECT_THROW(restarts.step(-1.0), ValueError);
  Sgd third(params, {.lr = 1, .momentum = 0.9});
  CyclicLr cyclic(third, {.base_lr = {0.5}, .max_lr = {1.5}, .step_size_up = 2, .base_momentum = {0.25}, .max_momentum = {0.75}});
  EXPECT_EQ(third.lr().item(), 0.5);
  cyclic.step();
  EXPECT_EQ(third.lr().item(), 1);
  EXPECT_EQ(third.hyperparameters()[1].second.item(), 0.5);
  Sgd plain(params, {.lr = 1});
  EXPECT_THROW(OneCycleLr(plain, {.max_lr = {1}, .total_steps = 0}), ValueError);
}

TEST_P(AveragingTest, SchedulesByTheHost) {
  Parameters params({.device = device(), .dtype = DType::Float64});
  params.add("x", {}, init::ones());
  Sgd optimizer(params, {.lr = 1});
  LambdaLr schedule(optimizer, {[](std::int64_t n) { return 1.0 / static_cast<double>(1 + n); }});
  schedule.step();
  EXPECT_EQ(optimizer.lr().item(), 0.5);
  EXPECT_THROW(LambdaLr(optimizer, {LrFunction()}), ValueError);
  Sgd other(params, {.lr = 1});
  ReduceLrOnPlateau plateau(other, {.factor = 0.25, .patience = 1});
  for (const double metric : {1.0, 2.0, 2.0}) plateau.step(metric);
  EXPECT_EQ(other.lr().item(), 0.25);
  EXPECT_EQ(plateau.best().item(), 1);
  EXPECT_THROW(plateau.step(zeros({2}, {.device = device()})), ShapeError);
}

}  // namespace
}  // namespace luge::test
