// The arena: layout, growth, gradients, clipping, initialisation.

#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <luge/luge.h>

#include "train/messages.h"

namespace luge {
namespace {

using Values = std::vector<float>;

TEST(Parameters, HaveALeadingAxisOfSets) {
  Parameters batched({.sets = 5}), ordinary;
  EXPECT_EQ(batched.add("w", {2, 3}, init::zeros()).shape(), Shape({5, 2, 3}));
  EXPECT_EQ(batched.add("x", {}, init::zeros()).shape(), Shape({5}));
  EXPECT_EQ(ordinary.add("w", {2, 3}, init::zeros()).shape(), Shape({2, 3}));
  EXPECT_TRUE(batched.batched());
  EXPECT_FALSE(ordinary.batched());
  EXPECT_EQ(batched.sets(), 5);
  EXPECT_EQ(ordinary.sets(), 1);
  EXPECT_EQ(batched.count_per_set(), 7);
  EXPECT_EQ(batched.count(), 35);
  EXPECT_EQ(batched.names(), (std::vector<std::string>{"w", "x"}));
  EXPECT_EQ(batched["x"].impl(), batched.tensors()[1].impl());
}

TEST(Parameters, LieOneAfterTheOtherAlignedToCacheLines) {
  for (const DType dtype : {float32, float64}) {
    Parameters params({.dtype = dtype});
    std::vector<Tensor> all;
    for (const std::int64_t n : {1, 15, 16, 17, 0, 1000})
      all.push_back(params.add(std::to_string(n), {n}, init::ones()));
    for (std::size_t p = 0; p < all.size(); ++p) {
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(all[p].data()) % 64, 0U);
      if (p == 0) continue;
      const auto distance = static_cast<char*>(all[p].data()) - static_cast<char*>(all[p - 1].data());
      EXPECT_GE(distance, all[p - 1].numel() * static_cast<std::int64_t>(size_of(dtype)));
      EXPECT_EQ(static_cast<char*>(all[p].grad().data()) - static_cast<char*>(all[p - 1].grad().data()), distance);
    }
  }
}

TEST(Parameters, GrowingKeepsHandlesViewsValuesAndGradients) {
  Parameters params;
  const Tensor first = params.add("first", {4}, init::constant(1));
  const Tensor view = first.detach().view({2, 2}), row = view[1];
  (2 * first).sum().backward();
  const Tensor gradient = first.grad();
  const Tensor pending = square(first).sum();  // a graph that saved the tensor
  std::vector<Tensor> more;
  for (int p = 0; p < 200; ++p) more.push_back(params.add(std::to_string(p), {100 + p}, init::constant(p)));
  EXPECT_EQ(first.to_vector<float>(), Values(4, 1));
  EXPECT_EQ(first.data(), view.data());
  EXPECT_EQ(gradient.to_vector<float>(), Values(4, 2));
  EXPECT_EQ(gradient.data(), first.grad().data());
  pending.backward();
  EXPECT_EQ(gradient.to_vector<float>(), Values(4, 4));
  no_grad([&] { Tensor(first).fill_(9); });
  EXPECT_EQ(row.to_vector<float>(), Values(2, 9));
  for (int p = 0; p < 200; ++p) {
    const auto values = more[static_cast<std::size_t>(p)].to_vector<float>();
    EXPECT_EQ(values, Values(static_cast<std::size_t>(100 + p), static_cast<float>(p)));
    EXPECT_EQ(more[static_cast<std::size_t>(p)].grad().to_vector<float>(), Values(values.size(), 0));
  }
}

TEST(Parameters, TensorsOutliveTheArena) {
  Tensor w, gradient;
  {
    Parameters params({.sets = 2});
    w = params.add("w", {3}, init::constant(1));
    params.add("other", {1000}, init::zeros());
    (3 * w).sum().backward();
    gradient = w.grad();
  }
  EXPECT_EQ(w.to_vector<float>(), Values(6, 1));
  EXPECT_EQ(gradient.to_vector<float>(), Values(6, 3));
  w.zero_grad();
  EXPECT_EQ(w.grad().to_vector<float>(), Values(6, 0));
  (4 * w).sum().backward();
  EXPECT_EQ(w.grad().to_vector<float>(), Values(6, 4));
}

TEST(Parameters, OptimizerKeepsTheArenaAlive) {
  std::unique_ptr<Sgd> optimizer;
  {
    Parameters params;
    params.add("w", {3}, init::constant(1));
    optimizer = std::make_unique<Sgd>(params, SgdOptions{.lr = 1});
  }
  optimizer->parameters()["w"].sum().backward();
  optimizer->step();
  EXPECT_EQ(optimizer->parameters()["w"].to_vector<float>(), Values(3, 0));
}

TEST(Parameters, LeaveNothingBehind) {
  const std::size_t before = memory_stats().allocated;
  for (int round = 0; round < 3; ++round) {
    Parameters params({.sets = 10});
    const nn::Linear layer(params, "layer", 10, 10);
    Adam optimizer(params);
    layer(ones({4, 10})).sum().backward();
    optimizer.step();
    Tensor loose = ones({100}, {.requires_grad = true});
    Sgd other({loose}, {.momentum = 0.9});
    loose.sum().backward();
    other.step();
  }
  EXPECT_EQ(memory_stats().allocated, before);
}

TEST(ZeroGrad, ReadsZerosThenOverwritesThenAccumulates) {
  Parameters params;
  const Tensor w = params.add("w", {2}, init::constant(1)), v = params.add("v", {2}, init::constant(1));
  EXPECT_EQ(w.grad().to_vector<float>(), Values(2, 0));
  (3 * w).sum().backward();
  (3 * w).sum().backward();
  EXPECT_EQ(w.grad().to_vector<float>(), Values(2, 6));
  params.zero_grad();
  const Tensor gradient = w.grad();
  EXPECT_EQ(gradient.to_vector<float>(), Values(2, 0));
  (5 * w).sum().backward();
  EXPECT_EQ(gradient.to_vector<float>(), Values(2, 5));  // fixed address: the old handle sees it
  params.zero_grad();
  (7 * w + v).sum().backward();
  EXPECT_EQ(w.grad().to_vector<float>(), Values(2, 7));
  EXPECT_EQ(v.grad().to_vector<float>(), Values(2, 1));
  w.grad();
  (7 * w).sum().backward();
  EXPECT_EQ(w.grad().to_vector<float>(), Values(2, 14));
}

TEST(ZeroGrad, TouchesNoMemory) {
  Parameters params;
  const Tensor w = params.add("w", {1000}, init::constant(1));
  (3 * w).sum().backward();
  const auto* const memory = static_cast<const float*>(w.grad().data());
  params.zero_grad();
  EXPECT_EQ(memory[0], 3);  // still there, and nobody reads it
  EXPECT_EQ(w.grad().to_vector<float>(), Values(1000, 0));
  EXPECT_EQ(memory[0], 0);
}

TEST(ZeroGrad, OverwritesEvenNotANumber) {
  Parameters params;
  const Tensor w = params.add("w", {3}, init::constant(0));
  log(w - 1).sum().backward();
  (w * std::numeric_limits<double>::quiet_NaN()).sum().backward();
  EXPECT_TRUE(std::isnan(w.grad().to_vector<float>()[0]));
  params.zero_grad();
  w.sum().backward();
  EXPECT_EQ(w.grad().to_vector<float>(), Values(3, 1));
}

TEST(ZeroGrad, OfOneTensorLeavesTheOthers) {
  Parameters params;
  Tensor w = params.add("w", {2}, init::constant(1));
  const Tensor v = params.add("v", {2}, init::constant(1));
  (w + v).sum().backward();
  w.zero_grad();
  EXPECT_EQ(w.grad().to_vector<float>(), Values(2, 0));
  EXPECT_EQ(v.grad().to_vector<float>(), Values(2, 1));
}

/// Norms and clipped gradients in float64, the direct way.
TEST(ClipGradNorm, ClipsEverySetByItsOwnNorm) {
  for (const DType dtype : {float32, float64}) {
    for (const std::int64_t sets : {1, 3, 50}) {
      Parameters params({.sets = sets, .dtype = dtype, .seed = 1});
      const Tensor a = params.add("a", {4, 5}, init::normal(0, 1)), b = params.add("b", {}, init::normal(0, 3)),
                   c = params.add("c", {3}, init::zeros());
      (square(a).sum() * 0.5 + square(b).sum() * 0.5).backward();  // gradients are the values; c has none
      const Tensor norms = params.clip_grad_norm_(4);
      EXPECT_EQ(norms.shape(), Shape({sets}));
      const auto values_a = a.to_vector<double>(), values_b = b.to_vector<double>();
      const auto clipped_a = a.grad().to_vector<double>(), clipped_b = b.grad().to_vector<double>();
      const auto found = norms.to_vector<double>();
      const double tolerance = dtype == float32 ? 1e-6 : 1e-14;
      for (std::size_t s = 0; s < static_cast<std::size_t>(sets); ++s) {
        double sum = values_b[s] * values_b[s];
        for (std::size_t i = 0; i < 20; ++i) sum += values_a[s * 20 + i] * values_a[s * 20 + i];
        const double norm = std::sqrt(sum), factor = std::min(1.0, 4 / (norm + 1e-6));
        EXPECT_NEAR(found[s], norm, tolerance * norm);
        EXPECT_NEAR(clipped_b[s], values_b[s] * factor, tolerance * 10);
        for (std::size_t i = 0; i < 20; ++i)
          EXPECT_NEAR(clipped_a[s * 20 + i], values_a[s * 20 + i] * factor, tolerance * 10);
      }
      EXPECT_EQ(c.grad().to_vector<double>(), std::vector<double>(static_cast<std::size_t>(3 * sets), 0.0));
    }
  }
}

TEST(ClipGradNorm, TakesOneBoundPerSet) {
  Parameters params({.sets = 3});
  const Tensor w = params.add("w", {}, init::zeros());
  (w * tensor({3, 3, 3})).sum().backward();
  const Tensor norms = params.clip_grad_norm_(tensor({1, 3, 100}));
  EXPECT_EQ(norms.to_vector<float>(), Values(3, 3));
  EXPECT_NEAR(w.grad().to_vector<float>()[0], 1, 1e-5);
  EXPECT_NEAR(w.grad().to_vector<float>()[1], 3, 1e-5);
  EXPECT_EQ(w.grad().to_vector<float>()[2], 3);
  EXPECT_EQ(params.clip_grad_norm_(std::numeric_limits<double>::infinity()).to_vector<float>()[2], 3);
}

TEST(ClipGradNorm, OfAnOrdinaryModelIsANumber) {
  Parameters params;
  EXPECT_EQ(params.clip_grad_norm_(1).item(), 0);
  const Tensor w = params.add("w", {4}, init::zeros());
  EXPECT_EQ(params.clip_grad_norm_(1).item(), 0);  // unwritten gradients are zeros
  (2 * w).sum().backward();
  const Tensor norm = params.clip_grad_norm_(scalar(2.0));
  EXPECT_EQ(norm.shape(), Shape());
  EXPECT_EQ(norm.item(), 4);
  EXPECT_NEAR(w.grad().to_vector<float>()[0], 1, 1e-5);
}

TEST(ClipGradNorm, RefusesImpossibleBounds) {
  Parameters params({.sets = 2});
  params.add("w", {}, init::zeros());
  EXPECT_MESSAGE(ValueError, "clip_grad_norm_: max_norm is -1; it must be 0 or more", params.clip_grad_norm_(-1));
  EXPECT_MESSAGE(ValueError, "clip_grad_norm_: max_norm of set 1 is nan; it must be 0 or more",
                 params.clip_grad_norm_(tensor({1, std::nan("")})));
  EXPECT_MESSAGE(
      ShapeError,
      "clip_grad_norm_: max_norm has shape (3,); allowed are one number and a tensor of shape (2,), one value per "
      "set",
      params.clip_grad_norm_(zeros({3})));
  EXPECT_MESSAGE(ValueError, "clip_grad_norm_: max_norm is an undefined tensor", params.clip_grad_norm_(Tensor()));
}

TEST(Parameters, RefusesImpossibleOptions) {
  EXPECT_MESSAGE(ValueError, "Parameters: sets is 0; it must be 1 or more", Parameters({.sets = 0}));
  EXPECT_MESSAGE(ValueError, "Parameters: sets is -3; it must be 1 or more", Parameters({.sets = -3}));
  EXPECT_MESSAGE(ValueError, "Parameters: first_set is -1; it must be 0 or more", Parameters({.first_set = -1}));
  EXPECT_MESSAGE(DTypeError, "Parameters: dtype is int64; allowed are float32 and float64",
                 Parameters({.dtype = int64}));
}

TEST(Parameters, RefusesWhatCannotBeAddedAndStaysAsItWas) {
  Parameters params({.sets = 2, .seed = 1});
  params.add("w", {2}, init::uniform(0, 1));
  EXPECT_MESSAGE(ValueError, "Parameters: the name 'w' is in use; names must be unique",
                 params.add("w", {3}, init::zeros()));
  EXPECT_THROW(params.add("x", {-1}, init::zeros()), ShapeError);
  EXPECT_THROW(params.add("x", {1, 1, 1, 1, 1, 1, 1, 1}, init::zeros()), ShapeError);
  EXPECT_THROW(params.add("x", {std::int64_t{1} << 40, std::int64_t{1} << 40}, init::zeros()), ShapeError);
  EXPECT_THROW(params.add("x", {std::int64_t{1} << 60}, init::zeros()), ShapeError);
  EXPECT_THROW(params.add("x", {std::int64_t{1} << 45}, init::zeros()), OutOfMemoryError);
  EXPECT_THROW(params.add({{"a", {2}, init::zeros()}, {"b", {-2}, init::zeros()}}), ShapeError);
  EXPECT_THROW(params.add({{"a", {2}, init::zeros()}, {"a", {2}, init::zeros()}}), ValueError);
  EXPECT_THROW(params.add({{"a", {2}, init::zeros()}, {"b", {std::int64_t{1} << 45}, init::zeros()}}),
               OutOfMemoryError);
  EXPECT_EQ(params.names(), std::vector<std::string>{"w"});
  EXPECT_EQ(params.count(), 4);

  // The next parameter draws what it would have drawn without the failures.
  Parameters other({.sets = 2, .seed = 1});
  other.add("w", {2}, init::uniform(0, 1));
  EXPECT_EQ(params.add("x", {3}, init::uniform(0, 1)).to_vector<float>(),
            other.add("x", {3}, init::uniform(0, 1)).to_vector<float>());
  EXPECT_MESSAGE(ValueError, "Parameters: there is no 'y'; the names are: w, x", params["y"]);
}

// ---- initialisation -----------------------------------------------------------------------------

TEST(Init, IsKeyedBySeedSetAndOrder) {
  const auto draw = [](std::uint64_t seed, std::int64_t first, std::int64_t sets) {
    Parameters params({.sets = sets, .seed = seed, .first_set = first});
    params.add("first", {3}, init::uniform(-1, 1));
    return std::pair(params.tensors()[0], params.add("second", {3}, init::uniform(-1, 1)));
  };
  const auto [a, b] = draw(7, 0, 10);
  const auto [c, d] = draw(7, 4, 3);
  EXPECT_EQ(a.detach().slice(0, 4, 7).to_vector<float>(), c.to_vector<float>());
  EXPECT_EQ(b.detach().slice(0, 4, 7).to_vector<float>(), d.to_vector<float>());
  EXPECT_NE(a.to_vector<float>(), b.to_vector<float>());
  EXPECT_NE(a.to_vector<float>(), draw(8, 0, 10).first.to_vector<float>());
  EXPECT_NE(a.detach()[0].to_vector<float>(), a.detach()[1].to_vector<float>());
}

TEST(Init, TakesTheNextNumbersOfTheGlobalGenerator) {
  const auto draw = [] { return Parameters().add("w", {5}, init::uniform(0, 1)).to_vector<float>(); };
  manual_seed(1);
  const Values one = draw(), two = draw(), random = rand({5}).to_vector<float>(), three = draw();
  EXPECT_NE(one, two);
  EXPECT_NE(one, random);
  EXPECT_NE(two, three);
  manual_seed(1);
  EXPECT_EQ(draw(), one);
  EXPECT_EQ(draw(), two);
  rand({5});
  EXPECT_EQ(draw(), three);
  manual_seed(1);
  Parameters together;
  EXPECT_EQ(together.add("w", {5}, init::uniform(0, 1)).to_vector<float>(), one);
  together.add("none", {5}, init::constant(3));  // draws nothing
  EXPECT_EQ(together.add("v", {5}, init::uniform(0, 1)).to_vector<float>(), two);
  manual_seed(2);
  EXPECT_NE(draw(), one);
  manual_seed(0);
}

TEST(Init, OfAnArenaWithASeedTakesNothingFromTheGlobalGenerator) {
  const auto draw = [] { return Parameters({.seed = 1}).add("w", {5}, init::uniform(0, 1)).to_vector<float>(); };
  manual_seed(1);
  const Values expected = rand({5}).to_vector<float>();
  manual_seed(1);
  const Values own = draw();
  EXPECT_EQ(rand({5}).to_vector<float>(), expected);
  EXPECT_EQ(draw(), own);
  EXPECT_NE(own, expected);
  manual_seed(0);
}

TEST(Init, OfASetDependsOnItsNumberAlone) {
  manual_seed(3);
  const Tensor all = Parameters({.sets = 10}).add("w", {3}, init::normal(0, 1));
  manual_seed(3);
  const Tensor some = Parameters({.sets = 3, .first_set = 4}).add("w", {3}, init::normal(0, 1));
  EXPECT_EQ(all.detach().slice(0, 4, 7).to_vector<float>(), some.to_vector<float>());
  manual_seed(0);
}

struct Moments {
  double mean = 0, deviation = 0, low = 1e300, high = -1e300;
};

Moments moments(const Init& init) {
  Parameters params({.dtype = float64, .seed = 9});
  const std::vector<double> values = params.add("w", {400, 500}, init).to_vector<double>();
  Moments m;
  for (const double v : values) {
    m.mean += v / static_cast<double>(values.size());
    m.low = std::min(m.low, v);
    m.high = std::max(m.high, v);
  }
  for (const double v : values) m.deviation += (v - m.mean) * (v - m.mean) / static_cast<double>(values.size());
  m.deviation = std::sqrt(m.deviation);
  return m;
}

/// 200,000 draws: the mean is known to sigma / 447, the deviation to about sigma / 632; four of those.
void expect_uniform(const Init& init, double low, double high) {
  const Moments m = moments(init);
  const double deviation = (high - low) / std::sqrt(12.0);
  EXPECT_NEAR(m.mean, (low + high) / 2, 4 * deviation / 447);
  EXPECT_NEAR(m.deviation, deviation, 4 * deviation / 632);
  EXPECT_GE(m.low, low);
  EXPECT_LT(m.high, high);
  EXPECT_NEAR(m.low, low, (high - low) * 1e-4);
  EXPECT_NEAR(m.high, high, (high - low) * 1e-4);
}
void expect_normal(const Init& init, double mean, double deviation) {
  const Moments m = moments(init);
  EXPECT_NEAR(m.mean, mean, 4 * deviation / 447);
  EXPECT_NEAR(m.deviation, deviation, 4 * deviation / 632);
  EXPECT_GT(m.high - mean, 3.5 * deviation);
}

TEST(Init, HasTheMomentsItPromises) {
  expect_uniform(init::uniform(-2, 5), -2, 5);
  expect_normal(init::normal(3, 2), 3, 2);
  expect_uniform(init::kaiming_uniform(100), -std::sqrt(0.06), std::sqrt(0.06));
  expect_uniform(init::kaiming_uniform(100, std::sqrt(5.0)), -0.1, 0.1);
  expect_normal(init::kaiming_normal(50), 0, 0.2);
  expect_uniform(init::xavier_uniform(100, 50), -0.2, 0.2);
  expect_normal(init::xavier_normal(100, 100, 3), 0, 0.3);
  EXPECT_EQ(moments(init::constant(4)).low, 4);
  EXPECT_EQ(moments(init::ones()).high, 1);
  EXPECT_EQ(moments(init::zeros()).high, 0);
  EXPECT_EQ(moments(init::uniform(2, 2)).high, 2);
}

TEST(Init, RefusesImpossibleNumbers) {
  EXPECT_MESSAGE(ValueError, "init::uniform: low is 1 and high is 0; both must be finite and low at most high",
                 init::uniform(1, 0));
  EXPECT_MESSAGE(ValueError,
                 "init::normal: mean is 0 and deviation is -1; both must be finite and the deviation 0 or more",
                 init::normal(0, -1));
  EXPECT_MESSAGE(ValueError, "init::kaiming_uniform: fan_in is 0; it must be 1 or more", init::kaiming_uniform(0));
  EXPECT_MESSAGE(ValueError, "init::kaiming_normal: fan_in is -1; it must be 1 or more", init::kaiming_normal(-1));
  EXPECT_MESSAGE(ValueError, "init::kaiming_normal: a is nan; it must be finite",
                 init::kaiming_normal(1, std::nan("")));
  EXPECT_MESSAGE(ValueError, "init::xavier_uniform: fan_out is 0; it must be 1 or more", init::xavier_uniform(3, 0));
  EXPECT_MESSAGE(ValueError, "init::xavier_normal: gain is -2; it must be 0 or more and finite",
                 init::xavier_normal(3, 3, -2));
}

}  // namespace
}  // namespace luge
