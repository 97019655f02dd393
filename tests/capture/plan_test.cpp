// What a plan says, and that it is right.

#include "devices.h"
#include "expect.h"
#include "has_words.h"

namespace luge::test {
namespace {

class PlanTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(PlanTest);

TEST_P(PlanTest, FiguresOfTheDemo) {
  constexpr std::int64_t kSets = 100000;
  Parameters params({.sets = kSets, .device = device(), .seed = 3});
  const Tensor x = params.add("x", {}, init::uniform(-2, 2));
  Sgd optimizer(params, {.lr = 0.01});
  auto step = capture([&] {
    optimizer.zero_grad();
    const Tensor loss = (3 * x * x - 2 * x + 3).sum();
    loss.backward();
    optimizer.step();
    return loss;
  });
  step();
  const StepFigures figures = step.figures();
  EXPECT_EQ(step.stats().replays, 0);
  step.run(5);
  EXPECT_EQ(step.stats().replays, 5);
  EXPECT_GT(step.stats().seconds, 0);
  EXPECT_LE(figures.launches, figures.recorded_calls);
  EXPECT_LE(figures.peak, figures.recorded_peak);
  if (device().is_cpu()) {  // one pass: x read, gradient and x written
    EXPECT_EQ(figures.launches, 1);
    EXPECT_EQ(figures.bytes, 12.0 * kSets);
    EXPECT_EQ(figures.peak, 0);
    EXPECT_TRUE(has_words(step.plan(), {"sgd step sum]", "calls 12 -> ", "of a copy on cpu"}));
  }
}

/// The block is what the plan says, and less than the eager step took.
TEST_P(PlanTest, MemoryIsPlanned) {
  Parameters params({.device = device(), .seed = 3});
  const nn::Linear first(params, "first", 64, 128), second(params, "second", 128, 64), third(params, "third", 64, 10);
  Sgd optimizer(params, {.lr = 0.01});
  const Tensor images = rand({32, 64}, on()), labels = randint(0, 10, {32}, on(int64));
  const auto body = [&] {
    optimizer.zero_grad();
    const Tensor loss = cross_entropy(third(tanh(second(relu(first(images))))), labels);
    loss.backward();
    optimizer.step();
    return loss;
  };
  auto step = capture(body);
  step();
  EXPECT_GT(step.figures().peak, 0);
  EXPECT_LE(step.figures().peak, step.figures().recorded_peak);
  release_cache(device());
  const std::size_t before = memory_stats(device()).allocated;
  reset_peak_memory(device());
  step.run(3);
  EXPECT_EQ(memory_stats(device()).allocated, before) << "a replay keeps nothing";
}

/// Calls that have to wait for something in between stay apart.
TEST_P(PlanTest, DependenciesAreKept) {
  Tensor x = rand({64, 32}, on()), y = rand({64, 32}, on()), out = zeros({64, 32}, on());
  const auto body = [&] {
    const Tensor scale = (x * 2).sum();           // needs all of x before ...
    out.copy_(y / scale);                         // ... this
    x.copy_(x.transpose(0, 1).reshape({64, 32})); // a window of another shape on the same memory
    out.add_(x);
    y.sub_(out.sum(1, true));                     // rows of what was just made
    return (out * y).sum();
  };
  Tensor x0 = x.clone(), y0 = y.clone();
  std::vector<double> eager, captured;
  for (int i = 0; i < 4; ++i) eager.push_back(body().item());
  const Tensor x_eager = x.clone(), y_eager = y.clone();
  x.copy_(x0);
  y.copy_(y0);
  auto step = capture(body);
  for (int i = 0; i < 4; ++i) captured.push_back(step().item());
  EXPECT_EQ(captured, eager);
  EXPECT_TRUE(same(x, x_eager));
  EXPECT_TRUE(same(y, y_eager));
}

/// Numbers made of numbers are put in where they are read, as long as they hold.
TEST_P(PlanTest, NumbersOfTheStep) {
  for (const DType dtype : {float32, float64}) {
    Tensor x = rand({100}, on(dtype));
    const auto body = [&] {
      Tensor scale = full({}, 3, on(dtype));
      scale.mul_(0.1);
      const Tensor before = x * scale;
      scale.add_(x.mean());  // no longer known
      return std::vector<Tensor>{before, x * scale, scale, full({}, 1, on(dtype)) / 3};
    };
    const std::vector<Tensor> eager = body();
    auto step = capture(body);
    step();
    std::vector<Tensor> captured = step();
    for (std::size_t i = 0; i < eager.size(); ++i) EXPECT_TRUE(same(captured[i], eager[i])) << i;
    x.copy_(x + 1);
    const std::vector<Tensor> later = body();
    captured = step();
    for (std::size_t i = 0; i < later.size(); ++i) EXPECT_TRUE(same(captured[i], later[i])) << i;
  }
}

/// Elementwise ops of every kind, over broadcast operands, in every dtype.
TEST_P(PlanTest, ChainsOfEveryOp) {
  for (const DType dtype : {float32, float64}) {
    Tensor a = rand({40, 33}, on(dtype)), row = rand({33}, on(dtype)), column = rand({40, 1}, on(dtype));
    const auto body = [&] {
      const Tensor b = where((a * row).gt(column), a - row, column * 2) / (row + 0.5);
      const Tensor c = maximum(exp(b), tanh(a)) + clamp(b, -0.5, 0.5) + softplus(a, 2) + pow(abs(b) + 0.1, column);
      const Tensor d = sigmoid(c) * gelu(b) - silu(a) * leaky_relu(b - 1, 0.1);
      const Tensor flag = logical_and(isfinite(d), logical_not(d.lt(0)));
      const Tensor count = flag.to(int64) * 3 + 1;
      return std::vector<Tensor>{d, flag, count, d.mean(1), d.sum(), count.sum()};
    };
    const std::vector<Tensor> eager = body();
    auto step = capture(body);
    step();
    const std::vector<Tensor> captured = step();
    for (std::size_t i = 0; i < eager.size(); ++i) EXPECT_TRUE(same(captured[i], eager[i])) << i;
    if (device().is_cpu()) {
      EXPECT_LT(step.figures().launches, step.figures().recorded_calls / 2);
    }
  }
}

}  // namespace
}  // namespace luge::test
