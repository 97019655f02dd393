// run(k) of a step that is one kernel: what it leaves is what k steps leave, whatever only the last one shows.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <luge/capture/detail/sets.h>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class ManyStepsTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(ManyStepsTest);

using MakeOptimizer = std::function<std::unique_ptr<Optimizer>(Parameters&, const Tensor& rates)>;

const std::vector<std::pair<std::string, MakeOptimizer>> kOptimizers{
    {"sgd", [](Parameters& p, const Tensor& rates) { return std::make_unique<Sgd>(p, SgdOptions{.lr = rates}); }},
    {"sgd, one rate", [](Parameters& p, const Tensor&) { return std::make_unique<Sgd>(p, SgdOptions{.lr = 0.01}); }},
    {"momentum",
     [](Parameters& p, const Tensor&) { return std::make_unique<Sgd>(p, SgdOptions{.lr = 0.01, .momentum = 0.9}); }},
    {"adam", [](Parameters& p, const Tensor&) { return std::make_unique<Adam>(p, AdamOptions{.lr = 0.02}); }},
    {"adam, own rates", [](Parameters& p, const Tensor& rates) { return std::make_unique<Adam>(p, AdamOptions{.lr = rates}); }},
};

/// The demo, with a function in it if wanted.
struct Demo {
  Demo(const MakeOptimizer& make, std::int64_t sets, DType dtype, Device device)
      : params({.sets = sets, .device = device, .dtype = dtype}),
        x(params.add("x", {}, init::uniform(-2, 2))),
        optimizer(make(params, linspace(0.001, 0.03, sets, {.dtype = dtype, .device = device}))) {}

  Tensor step(bool function) {
    optimizer->zero_grad();
    const Tensor loss = function ? (square(tanh(x)) + exp(-x)).sum() : (3 * x * x - 2 * x + 3).sum();
    loss.backward();
    optimizer->step();
    return loss;
  }

  Parameters params;
  Tensor x;
  std::unique_ptr<Optimizer> optimizer;
};

TEST_P(ManyStepsTest, OfOneKernelAsOneByOne) {
  for (const DType dtype : {float32, float64})
    for (const auto& [what, make] : kOptimizers)
      for (const std::int64_t sets : {1, 15, 63, 64, 127, 128, 129, 300, 4097, 9000})
        for (const bool function : {false, true})
          for (const bool keeps : {false, true}) {
            SCOPED_TRACE(::testing::Message() << name(dtype) << " " << what << " " << sets << (function ? " tanh" : "")
                                              << (keeps ? " kept" : ""));
            manual_seed(3);
            Demo eager(make, sets, dtype, device());
            manual_seed(3);
            Demo demo(make, sets, dtype, device());
            auto step = capture([&] { return demo.step(function); }, {.keep_gradients = keeps});
            Tensor expected, got = step();
            expected = eager.step(function);
            for (const std::int64_t steps : {1, 2, 4, 5, 9}) {
              for (std::int64_t i = 0; i < steps; ++i) expected = eager.step(function);
              got = step.run(steps);
            }
            EXPECT_TRUE(same(got, expected));
            EXPECT_TRUE(same(demo.x.detach(), eager.x.detach()));
            if (keeps) {
              EXPECT_TRUE(same(demo.x.grad(), eager.x.grad()));
            }
            if (HasFailure()) return;
          }
}

/// Around the kernel stand calls that make the same at every step, calls whose results no step reads, and calls that go on
/// from its sum at every step.
TEST_P(ManyStepsTest, OfAKernelAmongCallsAsOneByOne) {
  struct Outcome {
    std::vector<Tensor> tensors;
    std::vector<double> losses;
  };
  const auto run = [&](std::int64_t sets, bool is_captured) {
    manual_seed(3);
    Parameters params({.sets = sets, .device = device()});
    const Tensor x = params.add("x", {}, init::uniform(-2, 2)), table = linspace(0.5, 1.5, 7, on());
    Sgd optimizer(params, {.lr = 0.01, .momentum = 0.5});
    Tensor kept = zeros({}, on()), total = zeros({}, on());
    Monitor monitor({.progress = false});
    const auto once = [&] {
      optimizer.zero_grad();
      const Tensor loss = (3 * x * x * table.prod() - 2 * x).sum();
      loss.backward();
      optimizer.step();
      kept.copy_(loss.detach() * 2);
      total.mul_(0.5).add_(loss.detach());
      monitor.record(loss);
      return loss / static_cast<double>(sets);
    };
    auto step = capture(once);
    Tensor result;
    for (const std::int64_t steps : {1, 1, 5, 9}) {
      if (is_captured) result = step.run(steps);
      for (std::int64_t i = 0; !is_captured && i < steps; ++i) result = once();
    }
    monitor.finish();
    Outcome outcome{{result, kept, total, x.detach().clone(), x.grad().clone()}, {}};
    for (const HistoryRow& row : monitor.history()) outcome.losses.push_back(row.mean);
    EXPECT_EQ(outcome.losses.size(), 16u);
    return outcome;
  };
  for (const std::int64_t sets : {1, 64, 1000, 20000}) {
    SCOPED_TRACE(sets);
    const Outcome expected = run(sets, false), got = run(sets, true);
    EXPECT_EQ(got.losses, expected.losses);
    for (std::size_t i = 0; i < expected.tensors.size(); ++i)
      EXPECT_TRUE(same(got.tensors[i], expected.tensors[i])) << i;
  }
}

/// Items of a plan over ten floats each.
struct Items {
  std::vector<float> a = std::vector<float>(10), b = a, x = a, result = a;

  static Operand memory(std::vector<float>& of) {
    Operand operand;
    operand.kind = Operand::Kind::Memory;
    operand.dtype = float32;
    operand.data = of.data();
    operand.strides[0] = 1;
    return operand;
  }
  static Extent extent() { return Extent{}.with(10); }
  static Plan::Item copy(std::vector<float>& from, std::vector<float>& to) {
    return Call(Copy{.extent = extent(), .in = memory(from), .out = memory(to)});
  }
  /// Goes on from x, and reads b.
  Plan::Item chain() {
    Chain chain;
    chain.extent = extent();
    chain.values = {float32, float32};
    chain.loads = {{0, memory(x)}, {1, memory(b)}};
    chain.stores = {{1, memory(x)}};
    return chain;
  }
};

TEST(ChainPlanTest, LeavesOutWhatCountsOnce) {
  Items all;
  const std::optional<ChainPlan> plan =
      by_chain({Items::copy(all.a, all.b), all.chain(), Items::copy(all.x, all.result)});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->before, std::vector<std::size_t>{0});
  EXPECT_EQ(plan->chain, 1u);
  EXPECT_EQ(plan->after, std::vector<std::size_t>{2});
}
TEST(ChainPlanTest, LetsItemsFollowThatTouchNothingOfTheChain) {
  Items all;
  const std::optional<ChainPlan> plan = by_chain({all.chain(), Items::copy(all.a, all.a)});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->each, std::vector<std::size_t>{1});
}
TEST(ChainPlanTest, IsNoneWhereAnotherItemTakesPart) {
  Items all;
  EXPECT_TRUE(by_chain({all.chain()}));
  EXPECT_FALSE(by_chain({Items::copy(all.a, all.b)}));
  EXPECT_FALSE(by_chain({all.chain(), Items::copy(all.x, all.b)}));
  EXPECT_FALSE(by_chain({Items::copy(all.x, all.b), all.chain()}));
}

}  // namespace
}  // namespace luge::test
