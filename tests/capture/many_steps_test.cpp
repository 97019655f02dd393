// run(k) of a step that is one kernel: what it leaves is what k steps leave, whatever only the last one shows.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

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

}  // namespace
}  // namespace luge::test
