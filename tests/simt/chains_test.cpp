// Chains whose elements do not fill a kernel's runs and chunks evenly, and whose operands lie in memory in every way that
// kernels load them by: captured they have the bits that they have eagerly.

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <luge/luge.h>

#include "simt/executor/executor.h"

namespace luge::test {
namespace {

std::vector<double> values_of(const std::vector<Tensor>& tensors) {
  std::vector<double> all;
  for (const Tensor& tensor : tensors) {
    const std::vector<double> values = tensor.flatten().to_vector<double>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

/// What one captured step, run again, and one eager step make of the same numbers.
void expect_same_bits(const std::function<std::vector<Tensor>()>& body, const std::string& what) {
  const std::vector<double> eager = values_of(body());
  auto step = capture(body);
  step();
  const std::vector<double> replayed = values_of(step());
  EXPECT_LT(step.figures().launches, step.figures().recorded_calls) << what << ": meant to be fused\n" << step.plan();
  ASSERT_EQ(replayed.size(), eager.size()) << what;
  for (std::size_t i = 0; i < eager.size(); ++i) ASSERT_EQ(replayed[i], eager[i]) << what << ", number " << i;
}

/// Lengths about a run, a lap and a chunk.
constexpr std::int64_t kLengths[] = {1, 3, 4, 5, 127, 128, 129, 511, 512, 513, 1023, 1024, 1025, 4097};

TEST(ChainsTest, ElementsOfEveryNumber) {
  for (const DType dtype : {float32, float64})
    for (const std::int64_t n : kLengths)
      for (const bool aligned : {true, false}) {
        const TensorOptions on{.dtype = dtype, .device = Device::cuda()};
        const std::int64_t from = aligned ? 0 : 1;
        const Tensor a = rand({n + 1}, on).slice(0, from, from + n), b = rand({n + 1}, on).slice(0, from, from + n);
        const std::string what = std::string(name(dtype)) + ", " + std::to_string(n) + (aligned ? "" : ", off by one");
        expect_same_bits([&] { return std::vector<Tensor>{tanh(a * b) - a + 2}; }, what);
        expect_same_bits([&] { const Tensor c = a * b - 3; return std::vector<Tensor>{c, (c * c).sum()}; }, what + ", sum");
      }
}

/// Operands that are one number for each row, or one line for all rows.
TEST(ChainsTest, RowsThatShareOperands) {
  for (const DType dtype : {float32, float64})
    for (const std::int64_t length : {2, 5, 50, 128, 130, 1024, 2052}) {
      const TensorOptions on{.dtype = dtype, .device = Device::cuda()};
      const Tensor x = rand({3, 5, length}, on), line = rand({length}, on), by_row = rand({3, 5, 1}, on),
                   by_plane = rand({3, 1, 1}, on), column = rand({5, 1}, on), turned = rand({length, 5}, on).transpose(0, 1);
      const auto body = [&] {
        const Tensor y = (x * line - by_row) * by_plane + column * turned;
        return std::vector<Tensor>{y.sum(2), (y * y).mean(2)};
      };
      expect_same_bits(body, std::string(name(dtype)) + ", rows of " + std::to_string(length));
    }
}

/// Many steps of one chain, of which a kernel takes the last one apart.
std::vector<double> trained(bool captured, DType dtype, std::int64_t sets, std::int64_t per_set, const std::string& kind,
                            bool own_numbers, bool recorded) {
  Parameters params({.sets = sets, .device = Device::cuda(), .dtype = dtype, .seed = 4});
  const Tensor w = params.add("w", {per_set}, init::uniform(-1, 1));
  const auto number = [&](double low, double high) -> PerSet {
    if (!own_numbers) return high;
    return linspace(low, high, sets).to(dtype).to(Device::cuda());
  };
  std::unique_ptr<Optimizer> optimizer;
  if (kind == "adam")
    optimizer = std::make_unique<Adam>(params, AdamOptions{.lr = number(0.001, 0.1), .beta1 = number(0.8, 0.9), .weight_decay = 0.01});
  else if (kind == "momentum")
    optimizer = std::make_unique<Sgd>(params, SgdOptions{.lr = number(0.001, 0.1), .momentum = number(0.1, 0.9)});
  else
    optimizer = std::make_unique<Sgd>(params, SgdOptions{.lr = number(0.001, 0.1)});
  Monitor monitor({.keep_sets = 5, .capacity = 64, .progress = false});
  const auto body = [&] {
    optimizer->zero_grad();
    const Tensor loss = (w * w - 0.5 * w).flatten();
    loss.sum().backward();
    optimizer->step();
    if (recorded) monitor.record(loss);
    return loss.sum();
  };
  Tensor loss;
  if (captured) {
    auto step = capture(body);
    step();
    EXPECT_EQ(step.figures().launches, 1) << step.plan();
    step.run(2);
    loss = step.run(33);  // 32 and one
  } else {
    for (int i = 0; i < 36; ++i) loss = body();
  }
  std::vector<double> all = values_of({loss, w, w.grad()});
  for (const HistoryRow& row : monitor.history()) {
    for (const double value : {row.mean, row.min, row.max}) all.push_back(value);
    all.insert(all.end(), row.sets.begin(), row.sets.end());
  }
  return all;
}

TEST(ChainsTest, ManyStepsOfElementsOfEveryNumber) {
  for (const std::int64_t n : {1, 5, 127, 1024, 1025, 2051})
    for (const char* const kind : {"sgd", "adam"})
      for (const bool recorded : {false, true})
        EXPECT_EQ(trained(true, float32, n, 1, kind, n > 1, recorded), trained(false, float32, n, 1, kind, n > 1, recorded))
            << n << ", " << kind << (recorded ? ", recorded" : "");
}

TEST(ChainsTest, NumbersOfSetsThatSharePacks) {
  for (const DType dtype : {float32, float64})
    for (const std::int64_t per_set : {1, 2, 3, 4, 5, 7, 129})
      for (const char* const kind : {"momentum", "adam"})
        EXPECT_EQ(trained(true, dtype, 11, per_set, kind, true, false), trained(false, dtype, 11, per_set, kind, true, false))
            << name(dtype) << ", " << per_set << " elements each, " << kind;
}

}  // namespace
}  // namespace luge::test
