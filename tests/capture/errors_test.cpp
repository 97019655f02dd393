// Steps that cannot be recorded or replayed: the error says why, and nothing has changed.

#include <functional>
#include <span>
#include <sstream>
#include <string>
#include <vector>

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
      LUGE_ERROR(CaptureError, "item .* reads a value on the host, after call [23] \\((mul|sum)\\)",
                 run([](const Tensor& t) { static_cast<void>(t.sum().item()); })),
      LUGE_ERROR(CaptureError, "to_vector .* reads a value on the host, after call 1 \\(mul\\)",
                 run([](const Tensor& t) { static_cast<void>(t.to_vector<float>()); })),
      LUGE_ERROR(CaptureError, "capture \\(errors_test.cpp:[0-9]+\\): the captured function computed nothing",
                 capture([] {})()),
      LUGE_ERROR(CaptureError, "errors_test.cpp:[0-9]+\\): the captured function returned an undefined tensor",
                 capture([&] { return x.mul_(2), Tensor(); })()),
      LUGE_ERROR(CaptureError, "capture \\(errors_test.cpp:[0-9]+\\): a captured step runs within another one",
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

struct Refused {
  const char* call;
  const char* why;
  std::function<void(Tensor&)> run;
  int line;
};

constexpr const char *kReads = "reads a value on the host", *kBrings = "brings values of the host to the device";

std::string captured_at(int line) { return "capture (errors_test.cpp:" + std::to_string(line) + "): "; }

/// The error names the line of the call and the line of the capture; nothing has changed.
void expect_refused(Device device, const std::vector<Refused>& all) {
  for (const Refused& one : all) {
    SCOPED_TRACE(one.call);
    Tensor x = ones({4}, {.device = device});
    const int line = __LINE__ + 1;
    auto step = capture([&] {
      x.mul_(2);
      one.run(x);
      return x.sum();
    });
    const std::string call = std::string(one.call) + " (errors_test.cpp:" + std::to_string(one.line) + ") ";
    try {
      step();
      ADD_FAILURE() << "nothing was thrown";
    } catch (const CaptureError& error) {
      const std::string expected = captured_at(line) + call + one.why + ", after call ";
      EXPECT_EQ(std::string(error.what()).substr(0, expected.size()), expected) << error.what();
    }
    EXPECT_TRUE(has_values(x, {4}, float32, {1, 1, 1, 1}));
  }
}

// clang-format off: a call stands on the line that it is expected to be named with
TEST_P(CaptureErrorTest, LinesOfTheCallsOnTensors) {
  const std::vector<float> four(4, 1);
  const TensorOptions options = on();
  std::vector<Refused> refused = {
      {"item", kReads, [](Tensor& t) { static_cast<void>(t.sum().item()); }, __LINE__},
      {"item", kReads, [](Tensor& t) { static_cast<void>(t[0].item<bool>()); }, __LINE__},
      {"to_vector", kReads, [](Tensor& t) { static_cast<void>(t.to_vector<float>()); }, __LINE__},
      {"to_vector", kReads, [](Tensor& t) { static_cast<void>(t.gt(0).to_vector<bool>()); }, __LINE__},
      {"to_string", kReads, [](Tensor& t) { static_cast<void>(to_string(t)); }, __LINE__},
      {"from_host", kBrings, [&](Tensor& t) { t.add_(from_host(four, {4}, t.device())); }, __LINE__},
      {"from_host", kBrings, [&](Tensor& t) { t.add_(from_host(std::span(four), {4}, t.device())); }, __LINE__},
      {"tensor", kBrings, [&](Tensor& t) { t.add_(tensor({1.0, 2.0, 3.0, 4.0}, options)); }, __LINE__},
      {"tensor", kBrings, [&](Tensor& t) { t.add_(tensor({{1.0, 2.0}, {3.0, 4.0}}, options).sum()); }, __LINE__},
      {"randperm", kBrings, [](Tensor&) { static_cast<void>(randperm(4)); }, __LINE__},
      {"gradcheck", kReads, [](Tensor& t) { static_cast<void>(gradcheck([](const auto& in) { return in[0]; }, {t})); }, __LINE__},
  };
  const Tensor host = ones({4});
  if (!device().is_cpu()) {
    refused.push_back({"to", kReads, [](Tensor& t) { static_cast<void>(t.to(Device::cpu())); }, __LINE__});
    refused.push_back({"to", kBrings, [&](Tensor& t) { t.add_(host.to(t.device())); }, __LINE__});
    refused.push_back({"copy_", kBrings, [&](Tensor& t) { t.copy_(host); }, __LINE__});
  }
  expect_refused(device(), refused);
}

TEST_P(CaptureErrorTest, LinesOfTheCallsThatTrain) {
  Parameters params({.sets = 3, .device = device()});
  params.add("w", {4}, init::constant(1));
  Sgd optimizer(params, {.lr = ones({3}, on())});
  ExponentialLr schedule(optimizer, {.gamma = 0.5});
  const Batches batches({ones({8, 2}), zeros({8}, {.dtype = int64})}, {.batch = 4});
  Dataset data{{ones({8, 2}), zeros({8}, {.dtype = int64})}, {ones({8, 2}), zeros({8}, {.dtype = int64})}};
  const IdxArray array{.shape = {1}, .type = IdxType::UInt8, .bytes = {std::byte{1}}, .path = "none"};
  Monitor monitor({.progress = false});
  std::vector<Refused> refused = {
      {"Monitor::history", kReads, [&](Tensor&) { static_cast<void>(monitor.history()); }, __LINE__},
      {"Monitor::history", kReads, [&](Tensor&) { monitor.write_csv("none"); }, __LINE__},
      {"item", kReads, [&](Tensor&) { static_cast<void>(optimizer.steps_taken()); }, __LINE__},
      {"item", kReads, [&](Tensor&) { static_cast<void>(schedule.steps_taken()); }, __LINE__},
      {"epoch", kBrings, [&](Tensor&) { static_cast<void>(batches.epoch(0)); }, __LINE__},
      {"moments", kReads, [&](Tensor&) { static_cast<void>(moments(data.train.images)); }, __LINE__},
      {"normalize", kReads, [&](Tensor&) { normalize(data); }, __LINE__},
      {"load_idx_dataset", kBrings, [](Tensor&) { static_cast<void>(load_idx_dataset("none")); }, __LINE__},
      {"to_tensor", kBrings, [&](Tensor&) { static_cast<void>(array.to_tensor()); }, __LINE__},
      {"to_tensor", kBrings, [&](Tensor&) { static_cast<void>(array.to_tensor(float32)); }, __LINE__},
  };
  const Tensor host = ones({3});
  if (!device().is_cpu()) {
    refused.push_back({"to", kBrings, [&](Tensor&) { optimizer.set_lr(host); }, __LINE__});
    refused.push_back({"to", kBrings, [&](Tensor&) { params.clip_grad_norm_(host); }, __LINE__});
  }
  expect_refused(device(), refused);
  EXPECT_TRUE(has_values(data.train.images, {8, 2}, float32, std::vector<double>(16, 1)));
}
// clang-format on

/// An operator cannot know where it is called: the line of the capture has to do.
TEST_P(CaptureErrorTest, LineOfTheCapture) {
  const auto message = [](auto& step) {
    try {
      step();
    } catch (const CaptureError& error) {
      return std::string(error.what());
    }
    return std::string("nothing was thrown");
  };
  const auto begins = [](const std::string& text, const std::string& beginning) {
    return text.substr(0, beginning.size()) == beginning
               ? ::testing::AssertionSuccess()
               : ::testing::AssertionFailure() << "'" << text << "' instead of '" << beginning << "...'";
  };
  Tensor x = ones({4}, on()), kept = zeros({4}, on());

  const int printing = __LINE__ + 1;
  auto print = capture([&] {
    std::ostringstream out;
    out << (x + 1);
  });
  EXPECT_TRUE(begins(message(print), captured_at(printing) + "to_string reads a value on the host"));

  const int replacing = __LINE__ + 1;
  auto replace = capture([&] { kept = kept * 2; });
  EXPECT_TRUE(begins(message(replace), captured_at(replacing) + "a tensor of 16 bytes that mul (call 1 of 1) works on"));

  const int nothing = __LINE__ + 1;
  auto idle = capture([] {}, {.keep_gradients = false});
  EXPECT_TRUE(begins(message(idle), captured_at(nothing) + "the captured function computed nothing"));

  const int undefined = __LINE__ + 1;
  auto empty_handed = capture([&] { return x.add(1), Tensor(); });
  EXPECT_TRUE(begins(message(empty_handed), captured_at(undefined) + "the captured function returned an undefined"));
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

TEST_P(CaptureErrorTest, ATensorThatOnlyTheStepsResultKeepsIsGone) {
  Tensor x = ones({4}, on());
  auto step = capture([&] {
    x.mul_(2);
    return x;
  });
  Tensor held = step();
  x = zeros({4}, on());
  EXPECT_TRUE(has_values(step(), {4}, float32, {4, 4, 4, 4}));  // whoever has the result has the tensor
  held = Tensor();
  expect_errors({LUGE_ERROR(CaptureError, "step: a tensor of 16 bytes that mul \\(call 1 of 1\\) works on is gone", step())});
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
