// Steps that cannot be recorded or replayed: the error says why, and nothing has changed.

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class CaptureErrorTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(CaptureErrorTest);

TEST_P(CaptureErrorTest, WhatNeedsTheHost) {
  Tensor x = ones({4}, on()), kept = zeros({4}, on());
  const Tensor host = ones({4});
  const auto with = [&](auto bad) {
    return [&x, bad] {
      x.mul_(2);
      bad(x);
      return x.sum();
    };
  };
  const auto run = [&](auto bad) { capture(with(bad))(); };
  expect_errors({
      LUGE_ERROR(CaptureError, "capture: item reads a value on the host, after call [23] \\((mul|sum)\\)",
                 run([](const Tensor& t) { static_cast<void>(t.sum().item()); })),
      LUGE_ERROR(CaptureError, "capture: to_vector reads a value on the host, after call 1 \\(mul\\)",
                 run([](const Tensor& t) { static_cast<void>(t.to_vector<float>()); })),
      LUGE_ERROR(CaptureError, "capture: to_vector reads", run([](const Tensor& t) { static_cast<void>(to_string(t)); })),
      LUGE_ERROR(CaptureError, "capture: from_host brings values of the host to the device",
                 run([](Tensor t) { t.copy_(from_host<float>({1, 2, 3, 4}, {4}).to(t.device())); })),
      LUGE_ERROR(CaptureError, "capture: the captured function computed nothing", capture([] {})()),
      LUGE_ERROR(CaptureError, "capture: the captured function returned an undefined tensor",
                 capture([&] { return x.mul_(2), Tensor(); })()),
      LUGE_ERROR(CaptureError, "capture: a captured step runs within another one",
                 capture([&] { capture([&] { x.add_(1); })(); })()),
      LUGE_ERROR(CaptureError, "mul \\(call 1 of 1\\) works on was let go of within the step",
                 capture([&] { kept = kept * 2; })()),
      LUGE_ERROR(CaptureError, "plan: nothing is recorded yet", capture([&] { x.add_(1); }).plan()),
      LUGE_ERROR(CaptureError, "stats: nothing is recorded yet", capture([&] { x.add_(1); }).stats()),
      LUGE_ERROR(ValueError, "run: steps is 0", capture([&] { x.add_(1); }).run(0)),
  });
  EXPECT_TRUE(has_values(x, {4}, float32, {1, 1, 1, 1}));
  EXPECT_TRUE(has_values(host, {4}, float32, {1, 1, 1, 1}));
}

/// The optimizer had stepped when the error came up; all is as it was before.
TEST_P(CaptureErrorTest, FailedRecordingIsTakenBack) {
  Parameters params({.sets = 9, .device = device(), .seed = 1});
  const Tensor w = params.add("w", {3}, init::uniform(-1, 1));
  Adam optimizer(params, {.lr = 0.1});
  square(w).sum().backward();
  const std::vector<double> values = w.to_vector<double>(), gradients = w.grad().to_vector<double>();
  bool read = true;
  auto step = capture([&] {
    optimizer.zero_grad();
    const Tensor loss = (w * w * w).sum();
    loss.backward();
    optimizer.step();
    if (read) static_cast<void>(loss.item());
    return loss;
  });
  EXPECT_THROW(step(), CaptureError);
  EXPECT_EQ(w.to_vector<double>(), values);
  EXPECT_EQ(w.grad().to_vector<double>(), gradients);
  EXPECT_EQ(optimizer.steps_taken(), 0);
  read = false;
  step.run(3);
  EXPECT_EQ(optimizer.steps_taken(), 3);
}

TEST_P(CaptureErrorTest, WhatIsGoneAtAReplay) {
  Tensor x = ones({4}, on());
  Tensor sum = zeros({4}, on());
  auto step = capture([&] { sum.add_(x); });
  step();
  x = full({4}, 2, on());
  expect_errors({LUGE_ERROR(CaptureError, "step: a tensor of 16 bytes that add \\(call 1 of 1\\) works on is gone", step())});
  EXPECT_TRUE(has_values(sum, {4}, float32, {1, 1, 1, 1}));

  auto params = std::make_unique<Parameters>(ParametersOptions{.device = device()});
  const Tensor w = params->add("w", {4}, init::constant(1));
  auto optimizer = std::make_unique<Sgd>(*params, SgdOptions{.lr = 0.5});
  auto train = capture([&] {
    optimizer->zero_grad();
    square(w).sum().backward();
    optimizer->step();
  });
  train();
  optimizer.reset();
  params.reset();
  expect_errors({LUGE_ERROR(CaptureError, "step: the Parameters that the recorded step works on is gone", train())});

  auto monitor = std::make_unique<Monitor>(MonitorOptions{.progress = false});
  auto watch = capture([&] { monitor->record(sum); });
  watch();
  monitor.reset();
  expect_errors({LUGE_ERROR(CaptureError, "step: the Monitor that the recorded step works on is gone", watch())});
}

/// A learning rate for each set is not where the one for all was.
TEST_P(CaptureErrorTest, HyperparametersOfAnotherShape) {
  Parameters params({.sets = 3, .device = device()});
  const Tensor w = params.add("w", {}, init::constant(1));
  Sgd optimizer(params, {.lr = 0.25});
  auto step = capture([&] {
    optimizer.zero_grad();
    square(w).sum().backward();
    optimizer.step();
  });
  step();
  optimizer.set_lr(full({3}, 0.5, on()));
  EXPECT_THROW(step(), CaptureError);
  EXPECT_TRUE(has_values(w, {3}, float32, {0.5, 0.5, 0.5}));
}

}  // namespace
}  // namespace luge::test
