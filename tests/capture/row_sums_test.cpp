// Sums over rows within a kernel: many fits at once, of any number of points.

#include <cstdint>
#include <vector>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class RowSumsTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(RowSumsTest);

/// Fits of a exp(-x / t) + c, the points of which all sets share.
struct RowFits {
  RowFits(std::int64_t sets, std::int64_t points, DType dtype, Device device, std::int64_t first = 0,
          std::int64_t all_sets = 0)
      : params({.sets = sets, .device = device, .dtype = dtype}),
        a(params.add("a", {1}, init::ones())),
        t(params.add("t", {1}, init::ones())),
        c(params.add("c", {1}, init::zeros())),
        optimizer(params, {.lr = 0.05}),
        x(linspace(0, 4, points, {.dtype = dtype, .device = device})) {
    if (all_sets == 0) all_sets = sets;
    const TensorOptions on{.dtype = dtype, .device = device};
    const Tensor rates = linspace(0.3, 2, all_sets, on).slice(0, first, first + sets).unsqueeze(1);
    y = (exp(-x * rates) * 1.5 + sin(x * 40) * 0.1).detach().clone();
  }

  std::vector<Tensor> step() {
    optimizer.zero_grad();
    const Tensor fitted = a * exp(-x / t) + c, loss = square(fitted - y).mean(1);
    loss.sum().backward();
    optimizer.step();
    return {loss, fitted};
  }
  std::vector<Tensor> state() const {
    std::vector<Tensor> all;
    for (const Tensor& p : {a, t, c}) {
      all.push_back(p.detach().clone());
      all.push_back(p.grad().clone());
    }
    return all;
  }

  Parameters params;
  Tensor a, t, c;
  Adam optimizer;
  Tensor x, y;
};

void expect_same(const std::vector<Tensor>& got, const std::vector<Tensor>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(same(got[i], expected[i])) << i;
}

TEST_P(RowSumsTest, AsEagerly) {
  for (const DType dtype : {float32, float64})
    for (const std::int64_t points : {1, 7, 8, 9, 15, 16, 17, 24, 31, 33, 50, 128, 200, 255, 256, 257, 600})
      for (const std::int64_t sets : {1, 3, 65, 130})
        for (const bool keeps : {false, true}) {
          SCOPED_TRACE(::testing::Message() << name(dtype) << " " << sets << " x " << points << (keeps ? " kept" : ""));
          RowFits eager(sets, points, dtype, device()), fits(sets, points, dtype, device());
          std::vector<Tensor> expected;
          for (int i = 0; i < 8; ++i) expected = eager.step();
          auto step = capture([&] {
            std::vector<Tensor> results = fits.step();
            if (!keeps) results.pop_back();
            return results;
          });
          for (int i = 0; i < 3; ++i) step();
          std::vector<Tensor> got = step.run(5);
          if (!keeps) expected.pop_back();
          expect_same(got, expected);
          expect_same(fits.state(), eager.state());
          if (HasFailure()) return;
        }
}

TEST_P(RowSumsTest, ASetAloneAsAmongOthers) {
  for (const DType dtype : {float32, float64})
    for (const std::int64_t points : {16, 50, 77}) {
      constexpr std::int64_t kAll = 70;
      RowFits all(kAll, points, dtype, device());
      auto step = capture([&] { return all.step(); });
      for (int i = 0; i < 6; ++i) step();
      for (const std::int64_t set : {0, 1, 63, 64, 69}) {
        SCOPED_TRACE(::testing::Message() << name(dtype) << " " << points << " set " << set);
        RowFits one(1, points, dtype, device(), set, kAll);
        for (int i = 0; i < 6; ++i) one.step();
        for (const auto& [single, batch] : {std::pair{one.a, all.a}, {one.t, all.t}, {one.c, all.c}})
          EXPECT_TRUE(same(batch.detach().slice(0, set, set + 1).clone(), single.detach().clone()));
      }
    }
}

TEST_P(RowSumsTest, OnTwoThreadsAsOnOne) {
  if (!device().is_cpu()) GTEST_SKIP() << "set_num_threads is of the CPU backend; no kernel of CUDA reads it";
  const int before = num_threads();
  std::vector<std::vector<Tensor>> states;
  for (const int threads : {1, 2}) {
    set_num_threads(threads);
    RowFits fits(20'000, 50, float32, device());
    auto step = capture([&] { return fits.step(); });
    for (int i = 0; i < 3; ++i) step();
    states.push_back(fits.state());
  }
  set_num_threads(before);
  expect_same(states[1], states[0]);
}

/// Gradients are added to what is there, rows that lie apart are walked, and what is not finite stays with its set.
TEST_P(RowSumsTest, AddedToWhatIsThereOverRowsApart) {
  for (const DType dtype : {float32, float64})
    for (const std::int64_t points : {10, 16, 40}) {
      SCOPED_TRACE(::testing::Message() << name(dtype) << " " << points);
      Tensor whole = sin(arange(37 * (points + 9), on(dtype))).view({37, points + 9});
      whole.select(0, 5).fill_(kInfinity);
      whole.select(0, 6).fill_(kNaN);
      const Tensor y = whole.slice(1, 3, 3 + points);
      Tensor a = ones({37, 1}, on(dtype));
      a.requires_grad_();
      const auto body = [&] {
        const Tensor loss = square(a * y - 1).sum(1);
        loss.sum().backward();
        return loss;
      };
      Tensor expected;
      for (int i = 0; i < 4; ++i) expected = body();
      const Tensor gradient = a.grad().clone(), losses = expected.detach().clone();
      a.zero_grad();
      auto step = capture(body);
      for (int i = 0; i < 4; ++i) expected = step();
      EXPECT_TRUE(same(expected, losses));
      EXPECT_TRUE(same(a.grad(), gradient));
    }
}

}  // namespace
}  // namespace luge::test
