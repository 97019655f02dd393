// Segments as one kernel: the bits of the eager step, how many kernels there are, and what falls back.

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <luge/capture/detail/recordings.h>
#include <luge/seam/backend.h>
#include <luge/luge.h>

#include "kernels/cuda/fused/segment_source.h"
#include "simt/executor/executor.h"
#include "simt/executor/sanitizers.h"

namespace luge::test {
namespace {

enum class Act { Relu, Tanh, Gelu };
enum class Stepper { Sgd, Momentum, Adam, AdamOfEach };

/// An ensemble of networks of two hidden layers, as wide as each other, and what they are trained with.
struct Ensemble {
  const char* name;
  std::int64_t sets, in, hidden, out, batch;
  Act act = Act::Relu;
  Stepper stepper = Stepper::Adam;
  DType dtype = float32;
  bool has_own_rows = true;  ///< each set of its own, not of the same as all
};

struct Trained {
  std::vector<double> values;  ///< losses, then parameters and gradients
  std::uint64_t launches = 0;  ///< of a replay
  std::string plan;
};

void append(std::vector<double>& to, const Tensor& from) {
  const std::vector<double> values = from.flatten().to_vector<double>();
  to.insert(to.end(), values.begin(), values.end());
}

/// The sets [first, first + sets).
Trained train(const Ensemble& of, bool captured, std::int64_t first, std::int64_t sets) {
  Parameters params({.sets = sets, .device = Device::cuda(), .dtype = of.dtype, .seed = 5, .first_set = first});
  const nn::Linear one(params, "one", of.in, of.hidden), two(params, "two", of.hidden, of.hidden),
      three(params, "three", of.hidden, of.out);
  const TensorOptions on{.dtype = of.dtype, .device = Device::cuda()};
  const PerSet rates = linspace(0.001, 0.05, of.sets, on).slice(0, first, first + sets).clone();
  std::unique_ptr<Optimizer> optimizer;
  switch (of.stepper) {
    case Stepper::Sgd: optimizer = std::make_unique<Sgd>(params, SgdOptions{.lr = 0.05}); break;
    case Stepper::Momentum: optimizer = std::make_unique<Sgd>(params, SgdOptions{.lr = rates, .momentum = 0.9}); break;
    case Stepper::Adam: optimizer = std::make_unique<Adam>(params, AdamOptions{.lr = 0.01}); break;
    case Stepper::AdamOfEach:
      optimizer = std::make_unique<Adam>(params, AdamOptions{.lr = rates, .weight_decay = 0.01});
      break;
  }
  manual_seed(7);
  const auto rows_of = [&](const Tensor& all) {
    return (of.has_own_rows ? all.slice(0, first, first + sets) : all.select(0, 0)).clone();
  };
  const Tensor x = rows_of(randn({of.sets, of.batch, of.in}, on)), y = rows_of(randn({of.sets, of.batch, of.out}, on));
  const auto act = [&](const Tensor& z) { return of.act == Act::Relu ? relu(z) : of.act == Act::Tanh ? tanh(z) : gelu(z); };
  const auto body = [&] {
    optimizer->zero_grad();
    const Tensor loss = mse_loss(three(act(two(act(one(x))))), y, Reduction::PerSet);
    loss.sum().backward();
    optimizer->step();
    return loss;
  };
  Trained result;
  auto step = capture(body);
  for (int i = 0; i < 3; ++i) {
    backend(Device::cuda()).synchronize();
    const std::uint64_t before = simt::counts().launches;
    const Tensor loss = captured ? step() : body();
    backend(Device::cuda()).synchronize();
    result.launches = simt::counts().launches - before;
    append(result.values, loss);
  }
  for (const Tensor& tensor : params.tensors()) append(result.values, tensor), append(result.values, tensor.grad());
  if (captured) result.plan = step.plan();
  return result;
}

/// With all threads of a block watched, the largest take minutes.
bool takes_long(const Ensemble& of) { return simt::kFindsRaces && of.sets * of.batch * of.hidden > 10'000; }

const Ensemble kEnsembles[] = {
    {.name = "16 wide", .sets = 5, .in = 4, .hidden = 16, .out = 1, .batch = 32},
    {.name = "64 wide", .sets = 3, .in = 16, .hidden = 64, .out = 1, .batch = 256},
    {.name = "odd sizes", .sets = 7, .in = 3, .hidden = 17, .out = 5, .batch = 33, .act = Act::Tanh, .stepper = Stepper::AdamOfEach},
    {.name = "the same rows", .sets = 6, .in = 8, .hidden = 32, .out = 2, .batch = 20, .act = Act::Tanh,
     .stepper = Stepper::Momentum, .has_own_rows = false},
    {.name = "float64", .sets = 4, .in = 6, .hidden = 20, .out = 3, .batch = 24, .act = Act::Gelu, .stepper = Stepper::Sgd,
     .dtype = float64},
    {.name = "a batch of several chunks", .sets = 2, .in = 2, .hidden = 12, .out = 9, .batch = 300, .stepper = Stepper::Sgd},
    {.name = "a thousand", .sets = 1000, .in = 2, .hidden = 3, .out = 1, .batch = 5, .act = Act::Tanh},
    {.name = "one row", .sets = 3, .in = 1, .hidden = 4, .out = 1, .batch = 1, .stepper = Stepper::Momentum},
};

void expect_equal(const std::vector<double>& actual, const std::vector<double>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) ASSERT_EQ(actual[i], expected[i]) << "value " << i;
}

TEST(SegmentKernelTest, HasTheBitsOfTheEagerStep) {
  for (const Ensemble& of : kEnsembles) {
    if (takes_long(of)) continue;
    SCOPED_TRACE(of.name);
    const Trained eager = train(of, false, 0, of.sets), captured = train(of, true, 0, of.sets);
    expect_equal(captured.values, eager.values);
    EXPECT_EQ(captured.launches, 1u) << captured.plan;
    if (HasFatalFailure()) return;
  }
}

TEST(SegmentKernelTest, ASetHasTheBitsItHasAlone) {
  for (const Ensemble& of : kEnsembles) {
    if (takes_long(of)) continue;
    SCOPED_TRACE(of.name);
    const Trained all = train(of, true, 0, of.sets);
    for (const std::int64_t set : {std::int64_t{0}, of.sets - 1}) {
      const Trained alone = train(of, true, set, 1);
      // Losses of three steps, then of each parameter its values and its gradients: set after set.
      std::size_t at = 0;
      const auto expect_part = [&](std::int64_t size) {
        const auto n = static_cast<std::size_t>(size), s = static_cast<std::size_t>(set);
        for (std::size_t i = 0; i < n; ++i)
          ASSERT_EQ(alone.values[at + i], all.values[at * static_cast<std::size_t>(of.sets) + s * n + i])
              << "set " << set << ", value " << at + i;
        at += n;
      };
      for (int step = 0; step < 3; ++step) expect_part(1);
      for (const std::int64_t size : {of.hidden * of.in, of.hidden, of.hidden * of.hidden, of.hidden, of.out * of.hidden, of.out})
        for (int part = 0; part < 2; ++part) expect_part(size);
      if (HasFatalFailure()) return;
    }
  }
}

/// What one kernel cannot do goes on as it was.
TEST(SegmentKernelTest, OtherPartsFallBack) {
  const auto train_classes = [](bool captured) {
    Parameters params({.sets = 4, .device = Device::cuda(), .seed = 5});
    const nn::Linear hidden(params, "hidden", 3, 8), output(params, "output", 8, 5);
    Adam optimizer(params, {.lr = 0.01});
    manual_seed(7);
    const TensorOptions on{.device = Device::cuda()};
    const Tensor x = randn({4, 12, 3}, on), labels = randint(0, 5, {4, 12}, {.dtype = int64, .device = Device::cuda()});
    const auto body = [&] {
      optimizer.zero_grad();
      const Tensor loss = cross_entropy(output(tanh(hidden(x))), labels, Reduction::PerSet);
      loss.sum().backward();
      optimizer.step();
      return loss;
    };
    auto step = capture(body);
    Trained result;
    for (int i = 0; i < 3; ++i) {
      backend(Device::cuda()).synchronize();
      const std::uint64_t before = simt::counts().launches;
      append(result.values, captured ? step() : body());
      backend(Device::cuda()).synchronize();
      result.launches = simt::counts().launches - before;
    }
    for (const Tensor& tensor : params.tensors()) append(result.values, tensor);
    return result;
  };
  const Trained eager = train_classes(false), captured = train_classes(true);
  expect_equal(captured.values, eager.values);
  EXPECT_GT(captured.launches, 1u);
}

/// Whether there is one kernel for the step of such networks on an H200. The plan is the same on every device.
bool is_one_kernel(std::int64_t sets, std::int64_t in, std::int64_t hidden, std::int64_t out, std::int64_t batch) {
  Parameters params({.sets = sets});
  const nn::Linear one(params, "one", in, hidden), two(params, "two", hidden, hidden), three(params, "three", hidden, out);
  Sgd optimizer(params, {.lr = 0.01});
  const Tensor x = rand({sets, batch, in}), y = rand({sets, batch, out});
  const auto body = [&] {
    optimizer.zero_grad();
    const Tensor loss = mse_loss(three(relu(two(relu(one(x))))), y, Reduction::PerSet);
    loss.sum().backward();
    optimizer.step();
    return StepResults{{loss}, nullptr};
  };
  Recordings recordings(body, {}, SourceLocation::current());
  recordings.run(2);
  const std::vector<SetSegment>& segments = recordings.current()->plan.segments;
  if (segments.size() != 1) return false;
  return cuda::generate(segments.front(), {132, 232448, 233472, 1024}, nullptr).has_value();
}

TEST(SegmentKernelTest, IsRefusedWhereItWouldBeSlower) {
  EXPECT_TRUE(is_one_kernel(264, 16, 64, 1, 256));
  EXPECT_TRUE(is_one_kernel(264, 4, 16, 1, 32));
  EXPECT_FALSE(is_one_kernel(4, 128, 128, 10, 512)) << "four blocks of a GPU that has room for hundreds";
  EXPECT_FALSE(is_one_kernel(4, 8, 130, 1, 256)) << "products of cuBLAS";
}

}  // namespace
}  // namespace luge::test
