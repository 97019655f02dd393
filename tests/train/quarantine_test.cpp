// Quarantine: sets that go wrong stand still at their last good values, the others have the bits that they have without
// them, and explain() names the operation. A step that it runs leaves nothing behind.

#include <limits>
#include <string>
#include <vector>

#include "capture/trainings.h"
#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

using stop::Reason;

class QuarantineTest : public DeviceTest {
 protected:
  Tensor values(const std::vector<double>& given, DType dtype = float32) const {
    return from_host(given, {static_cast<std::int64_t>(given.size())}, device()).to(dtype);
  }
};
LUGE_ON_EVERY_DEVICE(QuarantineTest);

// ---- the other sets

constexpr std::int64_t kWatched = 1000;
constexpr int kWatchedSteps = 9;

bool is_faulty(std::int64_t set) { return set % 100 == 37; }

/// What a training of `kWatched` sets leaves, of which one in a hundred goes wrong at step 1, 2, ... kWatchedSteps - 1
/// if `with_faults`. `size`: elements of its parameter in each set, 0 for a number.
struct Watched {
  std::vector<Tensor> tensors;
  std::vector<std::int64_t> steps;  ///< after which each set stood still
};

Watched after_training(const OptimizerCase& of, Device device, DType dtype, std::int64_t size, bool captured,
                       bool with_faults, const std::vector<std::int64_t>& halts) {
  Parameters params({.sets = kWatched, .device = device, .dtype = dtype, .seed = 4});
  const Tensor x = params.add("x", size == 0 ? Shape{} : Shape{size}, init::uniform(1, 2));
  const auto optimizer = of.make(params, PerSet(1e-3));
  stop::StopRule rule = stop::when(*optimizer);
  Tensor factor = ones({kWatched}, {.dtype = dtype, .device = device}),
         slope = ones({kWatched}, {.dtype = dtype, .device = device});
  const auto body = [&] {
    optimizer->zero_grad();
    const Tensor terms = 3 * square(x) - x;
    // A slope of 0: the gradient alone is NaN.
    const Tensor loss = log(factor) + (size == 0 ? terms + sqrt(x * slope)
                                                 : terms.sum(1) + sqrt(x * slope.reshape({kWatched, 1})).sum(1));
    loss.sum().backward();
    rule.check(loss);
    optimizer->step();
    return loss;
  };
  Step step = capture(body);
  Watched left;
  for (int i = 0; i < kWatchedSteps; ++i) {
    if (with_faults && i > 0)
      for (std::int64_t set = 0; set < kWatched; ++set)
        if (is_faulty(set) && set / 100 == i) i % 2 == 0 ? factor[set].fill_(-1) : slope[set].fill_(0);
    if (!halts.empty()) {
      std::vector<double> mask;
      for (std::int64_t set = 0; set < kWatched; ++set) mask.push_back(halts[static_cast<std::size_t>(set)] > i);
      params.set_active(from_host(mask, {kWatched}, device).ne(0));
    }
    captured ? step() : body();
  }
  for (const Tensor& tensor : params.tensors()) left.tensors.push_back(tensor.detach().clone());
  for (const auto& [name, tensor] : optimizer->named_state())
    if (tensor.ndim() > 0 && tensor.shape()[0] == kWatched) left.tensors.push_back(tensor.clone());
  for (const std::int64_t at : rule.stopped_at().to_vector<std::int64_t>()) left.steps.push_back(at);
  return left;
}

TEST_P(QuarantineTest, OneSetInAHundredGoesWrongAndTheOthersHaveTheSameBits) {
  std::vector<std::int64_t> halts(kWatched, kWatchedSteps);
  for (std::int64_t set = 100; set < 100 * kWatchedSteps; ++set)
    if (is_faulty(set)) halts[static_cast<std::size_t>(set)] = set / 100;
  for (const DType dtype : {float32, float64})
    for (const std::int64_t size : {0, 3, 100})
      for (const OptimizerCase& of : optimizer_cases()) {
        if (device().is_cuda() && size == 100) continue;  // a hundred thousand threads, where the host executes kernels
        // A set that is told to stand still from the step on at which it would have gone wrong.
        const Watched expected = after_training(of, device(), dtype, size, false, false, halts);
        for (const bool captured : {false, true}) {
          SCOPED_TRACE(::testing::Message()
                       << of.name << " " << name(dtype) << " " << size << (captured ? " captured" : ""));
          const Watched got = after_training(of, device(), dtype, size, captured, true, {});
          ASSERT_EQ(got.tensors.size(), expected.tensors.size());
          for (std::size_t i = 0; i < got.tensors.size(); ++i)
            EXPECT_TRUE(same(got.tensors[i], expected.tensors[i])) << i;
          for (std::int64_t set = 0; set < kWatched; ++set) {
            const std::int64_t halt = halts[static_cast<std::size_t>(set)];
            EXPECT_EQ(got.steps[static_cast<std::size_t>(set)], halt == kWatchedSteps ? -1 : halt) << set;
          }
        }
      }
}

/// Gradients that a matmul leaves, of sets that the update passes over one by one.
TEST_P(QuarantineTest, LargeSetsThatGoWrong) {
  constexpr std::int64_t kMany = 300;
  const Tensor x = sin(arange(160, on())).reshape({8, 20});
  std::vector<std::vector<Tensor>> left;
  for (const int run : {0, 1, 2}) {  // eager, captured, without faults
    Parameters params({.sets = kMany, .device = device(), .seed = 4});
    const Tensor a = params.add("a", {7}, init::uniform(1, 2)), w = params.add("w", {20, 55}, init::uniform(1, 2));
    Adam optimizer(params, {.lr = linspace(1e-3, 1e-2, kMany, on()), .weight_decay = 1e-3});
    auto rule = stop::when(optimizer);
    Tensor slope = ones({kMany}, on());
    const auto body = [&] {
      optimizer.zero_grad();
      const Tensor loss = square(a).sum(1) + sqrt(square(matmul(x, w)).sum({1, 2}) * slope);
      loss.sum().backward();
      rule.check(loss);
      optimizer.step();
    };
    Step step = capture(body);
    for (int i = 0; i < 5; ++i) {
      if (i > 1 && run < 2)
        for (const std::int64_t set : {0, 3 * i, 150 + i, 299 - i}) slope[set].fill_(0);
      run == 1 ? step() : body();
    }
    left.emplace_back();
    for (const Tensor& tensor : params.tensors()) left.back().push_back(tensor.detach().clone());
    for (const auto& [name, tensor] : optimizer.named_state()) left.back().push_back(tensor.clone());
    for (const auto& [name, tensor] : rule.state()) left.back().push_back(tensor.clone());
  }
  for (std::size_t i = 0; i < left[0].size(); ++i) EXPECT_TRUE(same(left[1][i], left[0][i])) << i;
  const Tensor& steps = left[0].back();
  EXPECT_EQ(steps.ge(0).to(DType::Int64).sum().item<std::int64_t>(), 10);
  const Tensor healthy = steps.lt(0);
  for (const std::size_t i : {0, 1}) {
    const Tensor mask = healthy.reshape(i == 0 ? Shape{kMany, 1} : Shape{kMany, 1, 1});
    EXPECT_TRUE(same(where(mask, left[0][i], 0), where(mask, left[2][i], 0)));
  }
}

TEST_P(QuarantineTest, OneParameterForEachSetIsOneKernelWithItsCheck) {
  if (device().is_cuda()) GTEST_SKIP() << "the plan is the same on every device";
  Parameters params({.sets = 50, .device = device()});
  const Tensor x = params.add("x", {}, init::constant(1));
  Sgd optimizer(params, {.lr = linspace(0.01, 0.1, 50, on())});
  auto rule = stop::when(optimizer);
  Step step = capture([&] {
    optimizer.zero_grad();
    const Tensor loss = 3 * x * x - 2 * x + 3;
    loss.sum().backward();
    rule.check(loss);
    optimizer.step();
  });
  step();
  EXPECT_EQ(step.figures().launches, 2) << step.plan();  // and the clock
}

TEST_P(QuarantineTest, ManyChecksAreCountedExactly) {
  if (device().is_cuda()) GTEST_SKIP() << "a million replays take long where the host executes kernels";
  Parameters params({.sets = 2, .device = device()});
  const Tensor x = params.add("x", {}, init::constant(1));
  Sgd optimizer(params, {.lr = 0.0});
  Tensor loss = ones({2}, on());
  auto rule = stop::when(optimizer, {.max_steps = (1 << 20) + 11});
  Step step = capture([&] { rule.check(loss); });
  step.run((1 << 20) + 5);
  loss[1].fill_(kNaN);
  step.run(20);
  EXPECT_TRUE(has_values(rule.stopped_at(), {2}, DType::Int64, {(1 << 20) + 11, (1 << 20) + 5}));
  EXPECT_EQ(rule.report().checks, (1 << 20) + 25);
  // Eagerly, too.
  auto other = stop::when(optimizer, {.max_steps = 1 << 30});
  params.set_active(ones({}, on(DType::Bool)));
  loss.fill_(1);
  Step both = capture([&] { other.check(loss); });
  both.run((1 << 20) - 2);
  for (int i = 0; i < 5; ++i) other.check(loss);
  loss[0].fill_(kNaN);
  other.check(loss);
  EXPECT_TRUE(has_values(other.stopped_at(), {2}, DType::Int64, {(1 << 20) + 3, -1}));
}

// ---- explain

/// One parameter for each of eight sets, each of which is given another way to go wrong.
struct Faults {
  explicit Faults(Device device, DType dtype = float32, std::int64_t sets = 8)
      : params({.sets = sets, .device = device, .dtype = dtype, .seed = 2}),
        x(params.add("x", {}, init::constant(1.5))),
        optimizer(params, {.lr = 0.01}),
        rule(stop::when(optimizer)) {
    for (Tensor* const one : {&positive, &divisor, &exponent, &root, &data})
      *one = ones({sets}, {.dtype = dtype, .device = device});
  }

  void step() {
    optimizer.zero_grad();
    const Tensor loss = log(x * positive) + 1 / (x * divisor) + exp(x * exponent) + sqrt(x * root) +
                        (x - data).square() + rand({}, {.dtype = x.dtype(), .device = x.device()});
    loss.sum().backward();
    rule.check(loss);
    params.clip_grad_norm_(1e6);
    optimizer.step();
    monitor.record(loss);
    ++taken;
  }
  void go_wrong() {
    positive[1].fill_(-1);
    divisor[2].fill_(0);
    exponent[3].fill_(1e4);
    root[4].fill_(0);
    data[5].fill_(kNaN);
  }
  /// All that a step changes.
  std::vector<Tensor> left() {
    std::vector<Tensor> result{x.detach().clone(), x.grad().clone(), rule.active()};
    for (const auto& [name, tensor] : optimizer.named_state()) result.push_back(tensor.clone());
    for (const auto& [name, tensor] : rule.state()) result.push_back(tensor.clone());
    result.push_back(scalar(static_cast<double>(monitor.history().size()), {}));
    result.push_back(scalar(static_cast<double>(optimizer.steps_taken()), {}));
    return result;
  }

  Parameters params;
  Tensor x, positive, divisor, exponent, root, data;
  Adam optimizer;
  stop::StopRule rule;
  Monitor monitor{{.total = 100}};
  int taken = 0;
};

TEST_P(QuarantineTest, ExplainNamesTheOperationOfEachSet) {
  for (const DType dtype : {float32, float64})
    for (const bool captured : {false, true}) {
      SCOPED_TRACE(::testing::Message() << name(dtype) << (captured ? " captured" : ""));
      Faults training(device(), dtype);
      Step step = capture([&] { training.step(); });
      const auto take = [&] { captured ? (void)step() : training.step(); };
      for (int i = 0; i < 3; ++i) take();
      training.go_wrong();
      take();
      const std::vector<stop::Quarantined> found = training.rule.explain([&] { training.step(); });
      const std::vector<std::string> operations{"log", "div", "exp", "sqrt", "sub"};
      ASSERT_EQ(found.size(), 5u);
      for (std::size_t i = 0; i < 5; ++i) {
        EXPECT_EQ(found[i].set, static_cast<std::int64_t>(i) + 1);
        EXPECT_EQ(found[i].step, 3);
        EXPECT_EQ(found[i].operation, operations[i]) << i;
        EXPECT_EQ(found[i].backward, i == 3) << i;
        EXPECT_EQ(found[i].from_data, i == 4) << i;
        EXPECT_EQ(found[i].reason, i == 3 ? Reason::NanGradient : Reason::NanLoss) << i;
      }
      EXPECT_EQ(training.rule.report().text(),
                "3 of 8 sets active after 4 checks\n"
                "  running      3\n"
                "  nan_loss     4, after 3 steps\n"
                "  nan_gradient 1, after 3 steps\n"
                "  set 1 is in quarantine after 3 steps: its loss (forward) is not finite; log (forward) gave the "
                "first such value\n"
                "  set 2 is in quarantine after 3 steps: its loss (forward) is not finite; div (forward) gave the "
                "first such value\n"
                "  set 3 is in quarantine after 3 steps: its loss (forward) is not finite; exp (forward) gave the "
                "first such value\n"
                "  set 4 is in quarantine after 3 steps: its gradient (backward) is not finite; sqrt (backward) gave "
                "the first such value\n"
                "  set 5 is in quarantine after 3 steps: its loss (forward) is not finite; sub (forward) read such a "
                "value from outside of the step");
    }
}

TEST_P(QuarantineTest, ExplainLeavesNothingBehind) {
  Faults training(device()), other(device());
  const auto go = [](Faults& one, int steps) {
    manual_seed(7);
    for (int i = 0; i < steps; ++i) one.step();
    one.go_wrong();
    one.step();
  };
  go(training, 2);
  const std::vector<Tensor> before = training.left();
  training.rule.explain([&] { training.step(); });
  EXPECT_EQ(training.taken, 4);  // what is the program's own stays
  const std::vector<Tensor> after = training.left();
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(same(after[i], before[i])) << i;
  for (int i = 0; i < 3; ++i) training.step();
  go(other, 2);
  for (int i = 0; i < 3; ++i) other.step();
  const std::vector<Tensor> got = training.left(), expected = other.left();
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_TRUE(same(got[i], expected[i])) << i;

  const std::vector<Tensor> now = training.left();
  EXPECT_THROW(training.rule.explain([&] {
    training.step();
    throw std::runtime_error("the program's own");
  }),
               std::runtime_error);
  const std::vector<Tensor> then = training.left();
  for (std::size_t i = 0; i < now.size(); ++i) EXPECT_TRUE(same(then[i], now[i])) << i;
  training.step();  // and it goes on
}

TEST_P(QuarantineTest, ExplainSeesThroughLayersAndLosses) {
  constexpr std::int64_t kMany = 6;
  Parameters params({.sets = kMany, .device = device(), .seed = 2});
  const nn::Linear hidden(params, "hidden", 3, 5), output(params, "output", 5, 4);
  Sgd optimizer(params, {.lr = 1e-3});
  auto rule = stop::when(optimizer);
  manual_seed(1);
  const Tensor x = randn({7, 3}, on()),
               labels = from_host(std::vector<std::int64_t>{0, 1, 2, 3, 0, 1, 2}, {7}, device());
  Tensor masked = zeros({4}, on()), scale = ones({kMany, 1, 1}, on());
  const auto body = [&] {
    optimizer.zero_grad();
    const Tensor logits = output(tanh(hidden(x)) * scale) + masked;
    const Tensor loss = cross_entropy(logits, labels, Reduction::PerSet);
    loss.sum().backward();
    rule.check(loss);
    optimizer.step();
  };
  body();
  {
    const NoGrad guard;
    params["output.weight"][2].fill_(3e38f);
    params["hidden.weight"][4].fill_(kNaN);
  }
  body();
  const std::vector<stop::Quarantined> found = rule.explain(body);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].set, 2);
  EXPECT_EQ(found[0].operation, "matmul");
  EXPECT_FALSE(found[0].from_data || found[0].backward);
  EXPECT_EQ(found[1].set, 4);
  EXPECT_EQ(found[1].operation, "matmul");
  EXPECT_TRUE(found[1].from_data);
}

TEST_P(QuarantineTest, WhatIsMeantToBeInfiniteIsPassedOver) {
  Parameters params({.sets = 4, .device = device()});
  const Tensor x = params.add("x", {3}, init::constant(0.5));
  Sgd optimizer(params, {.lr = 1e-3});
  auto rule = stop::when(optimizer);
  const Tensor mask = values({0, -kInfinity, 0});
  Tensor factor = ones({4}, on());
  const auto body = [&] {
    optimizer.zero_grad();
    const Tensor loss = log(factor * softmax(x + mask, 1).max(1));
    loss.sum().backward();
    rule.check(loss);
    optimizer.step();
  };
  factor[2].fill_(-1);
  body();
  const auto found = rule.explain(body);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].operation, "log");
}

TEST_P(QuarantineTest, AnOrdinaryModelAndWhatDoesNotHappenAgain) {
  Parameters params({.device = device()});
  const Tensor x = params.add("x", {3}, init::constant(2));
  Sgd optimizer(params, {.lr = 1e-3});
  auto rule = stop::when(optimizer);
  Tensor factor = ones({3}, on());
  const auto body = [&] {
    optimizer.zero_grad();
    const Tensor loss = log(x * factor).sum();
    loss.backward();
    rule.check(loss);
    optimizer.step();
  };
  EXPECT_TRUE(rule.explain(body).empty());  // nothing is wrong, and the step is not run
  EXPECT_EQ(rule.report().checks, 0);
  factor[1].fill_(-1);
  body();
  EXPECT_EQ(rule.explain(body).at(0).operation, "log");
  factor[1].fill_(1);
  const auto again = rule.explain(body);
  EXPECT_EQ(again.at(0).operation, "");
  EXPECT_EQ(rule.report().text(),
            "0 of 1 set active after 1 check\n  nan_loss     1, after 0 steps\n"
            "  set 0 is in quarantine after 0 steps: its loss (forward) is not finite");
}

TEST_P(QuarantineTest, WhatCannotBeExplained) {
  Faults training(device());
  training.go_wrong();
  training.step();
  auto& rule = training.rule;
  Step step = capture([&] { training.step(); });
  const std::vector<Tensor> before = training.left();
  expect_errors({
      LUGE_ERROR(ValueError, "StopRule.explain: step is empty; it must be the function that makes a step",
                 rule.explain(nullptr)),
      LUGE_ERROR(CaptureError,
                 "StopRule.explain .*: item .* reads a value on the host; only a step that could be captured",
                 rule.explain([&] {
                   training.step();
                   training.x.sum().item<double>();
                 })),
      LUGE_ERROR(CaptureError, "a captured step runs within another one; call the function itself",
                 rule.explain([&] { step(); })),
      LUGE_ERROR(CaptureError, "StopRule.explain .* runs a step of its own",
                 capture([&] { rule.explain([&] { training.step(); }); })()),
  });
  const std::vector<Tensor> after = training.left();
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(same(after[i], before[i])) << i;
}

}  // namespace
}  // namespace luge::test
