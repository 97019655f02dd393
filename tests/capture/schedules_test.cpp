// Schedules within captured steps: every replay goes on with them, and computes the bits of the eager step.

#include "devices.h"
#include "expect.h"
#include "trainings.h"

namespace luge::test {
namespace {

class ScheduleReplayTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(ScheduleReplayTest);

enum class How { Eagerly, Captured, ManyAtOnce };

/// Twenty steps of the demo; after each (after the last of many at once) loss and learning rate.
std::vector<double> scheduled(How how, Device device, DType dtype, std::int64_t sets, bool per_set,
                              const OptimizerCase& kind, const ScheduleCase& decay) {
  Parameters params({.sets = sets, .device = device, .dtype = dtype, .seed = 3});
  const Tensor x = params.add("x", {}, init::uniform(-2, 2));
  const auto optimizer =
      kind.make(params, per_set ? PerSet(linspace(0.01, 0.05, sets, {.device = device})) : PerSet(0.03));
  const auto schedule = decay.make(*optimizer);
  const auto body = [&] {
    optimizer->zero_grad();
    const Tensor loss = 3 * x * x - 2 * x + 3;
    loss.sum().backward();
    optimizer->step();
    schedule->step();
    return loss;
  };
  auto step = capture(body);
  std::vector<double> all;
  const auto note = [&](const Tensor& tensor) {
    for (const double value : tensor.to_vector<double>()) all.push_back(value);
  };
  for (int done = 0; done < 20;) {
    const int steps = how == How::ManyAtOnce && done > 0 ? 19 : 1;
    note(how == How::Eagerly ? body() : step.run(steps));
    note(optimizer->lr());
    done += steps;
  }
  append(all, params);
  all.push_back(static_cast<double>(schedule->steps_taken()));
  return all;
}

/// The end of both: what is left after twenty steps, however they were run.
void expect_same_end(const std::vector<double>& actual, const std::vector<double>& expected) {
  ASSERT_LE(actual.size(), expected.size());
  const std::size_t before = expected.size() - actual.size();
  for (std::size_t i = 0; i < actual.size(); ++i)
    ASSERT_TRUE(close(actual[i], expected[before + i], 0))
        << "value " << i << " of " << actual.size() << ": " << actual[i] << " instead of " << expected[before + i];
}

TEST_P(ScheduleReplayTest, EveryOptimizerWithEverySchedule) {
  for (const OptimizerCase& kind : optimizer_cases())
    for (const ScheduleCase& decay : schedule_cases())
      for (const DType dtype : {float32, float64})
        for (const std::int64_t sets : {1, 7, 1000}) {
          if (leaves_out(device(), sets, dtype, kind)) continue;
          SCOPED_TRACE(std::string(kind.name) + ", " + decay.name + ", " + std::string(name(dtype)) + ", sets " +
                       std::to_string(sets));
          const bool per_set = sets == 7;
          const std::vector<double> eager = scheduled(How::Eagerly, device(), dtype, sets, per_set, kind, decay);
          const std::vector<double> captured = scheduled(How::Captured, device(), dtype, sets, per_set, kind, decay);
          ASSERT_EQ(captured.size(), eager.size());
          expect_same_end(captured, eager);
        }
}

/// run(k): the schedule advances between the steps.
TEST_P(ScheduleReplayTest, ManyStepsAtOnce) {
  for (const OptimizerCase& kind : optimizer_cases())
    for (const ScheduleCase& decay : schedule_cases())
      for (const bool per_set : {false, true})
        for (const std::int64_t sets : {5, 20000}) {
          if (sets > 1000 && (!device().is_cpu() || kind.name != std::string("Adam")))
            continue;  // slow, and more of the same
          const DType dtype = per_set ? float64 : float32;
          SCOPED_TRACE(std::string(kind.name) + ", " + decay.name + ", sets " + std::to_string(sets));
          const std::vector<double> eager = scheduled(How::Eagerly, device(), dtype, sets, per_set, kind, decay);
          std::vector<double> many = scheduled(How::ManyAtOnce, device(), dtype, sets, per_set, kind, decay);
          // Without the first step's loss and learning rate.
          many.erase(many.begin(), many.begin() + sets + (per_set ? sets : 1));
          expect_same_end(many, eager);
        }
}

/// The schedule goes on from the learning rate set between replays.
TEST_P(ScheduleReplayTest, SetLrBetweenReplays) {
  Parameters params({.device = device(), .dtype = float64});
  const Tensor x = params.add("x", {}, init::constant(0));
  Sgd optimizer(params, {.lr = 1});
  StepLr schedule(optimizer, {.step_size = 1, .gamma = 0.5});
  auto step = capture([&] {
    optimizer.zero_grad();
    x.backward();
    optimizer.step();
    schedule.step();
  });
  step.run(2);  // 1 and 0.5
  optimizer.set_lr(8);
  step.run(2);  // 8 and 4
  EXPECT_TRUE(has_values(x, {}, float64, {-13.5}));
}

TEST_P(ScheduleReplayTest, ScheduleGoneAtAReplay) {
  Parameters params({.device = device()});
  const Tensor x = params.add("x", {}, init::constant(0));
  Sgd optimizer(params, {.lr = 1});
  auto schedule = std::make_unique<ExponentialLr>(optimizer, ExponentialLrOptions{.gamma = 0.5});
  auto step = capture([&] {
    optimizer.zero_grad();
    x.backward();
    optimizer.step();
    schedule->step();
  });
  step();
  schedule.reset();
  expect_errors({LUGE_ERROR(CaptureError, "step: a tensor of 4 bytes that .* works on is gone", step())});
  EXPECT_TRUE(has_values(x, {}, float32, {-1}));
}

TEST_P(ScheduleReplayTest, AnotherScheduleBetweenReplays) {
  Parameters params({.device = device()});
  const Tensor x = params.add("x", {}, init::constant(0));
  Sgd optimizer(params, {.lr = 1});
  ExponentialLr schedule(optimizer, {.gamma = 0.5});
  auto step = capture([&] {
    optimizer.zero_grad();
    x.backward();
    optimizer.step();
    schedule.step();
  });
  step();
  const ExponentialLr another(optimizer, {.gamma = 0.5});  // which the recorded step knows nothing of
  expect_errors({LUGE_ERROR(CaptureError, "step: a tensor of 8 bytes that .* works on is gone", step())});
  EXPECT_TRUE(has_values(x, {}, float32, {-1}));
}

}  // namespace
}  // namespace luge::test
