// Set i of S is the same set alone: bit for bit on the CPU.

#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <luge/luge.h>

namespace luge {
namespace {

struct Case {
  std::string name;
  std::function<std::unique_ptr<Optimizer>(const Parameters&, const PerSet& lr)> make;
};

template <class O, class Options>
Case with(const char* name, Options options) {
  return {name, [options](const Parameters& params, const PerSet& lr) {
            Options own = options;
            own.lr = lr;
            return std::make_unique<O>(params, own);
          }};
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      with<Sgd>("Sgd", SgdOptions{}),
      with<Sgd>("SgdWithDecay", SgdOptions{.weight_decay = 0.01}),
      with<Sgd>("Momentum", SgdOptions{.momentum = 0.9, .dampening = 0.1}),
      with<Sgd>("Nesterov", SgdOptions{.momentum = 0.9, .weight_decay = 0.01, .nesterov = true}),
      with<Adam>("Adam", AdamOptions{.weight_decay = 0.01}),
      with<AdamW>("AdamW", AdamWOptions{}),
  };
  return all;
}

using Bits = std::vector<float>;

bool same_bits(const Bits& a, const Bits& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// Learning rates of all sets; a slice of them for some.
Tensor rates(std::int64_t all, double low, double high, std::int64_t first, std::int64_t sets) {
  return linspace(low, high, std::max<std::int64_t>(all, 2)).slice(0, first, first + sets);
}

/// Values of `p`'s set.
Bits of_set(const Tensor& p, std::int64_t set) { return p.detach()[set].to_vector<float>(); }

/// The parabola, `sets` sets from `first` of `all`, with learning rates beyond 1/3, where it diverges.
Bits parabola(const Case& c, std::int64_t all, std::int64_t first, std::int64_t sets, int steps) {
  Parameters params({.sets = sets, .seed = 3, .first_set = first});
  const Tensor x = params.add("x", {}, init::uniform(-2, 2));
  const auto optimizer = c.make(params, rates(all, 0.001, 0.5, first, sets));
  for (int step = 0; step < steps; ++step) {
    optimizer->zero_grad();
    (3 * x * x - 2 * x + 3).sum().backward();
    optimizer->step();
  }
  return x.to_vector<float>();
}

TEST(Sets, ParabolaIsTheSameAloneAndInAnyBatch) {
  constexpr std::int64_t all = 1000;
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    const Bits whole = parabola(c, all, 0, all, 300);
    for (const std::int64_t first : {0, 1, 5, 333, 998}) {
      const std::int64_t sets = std::min<std::int64_t>(7, all - first);
      const Bits part = parabola(c, all, first, sets, 300);
      EXPECT_TRUE(same_bits(part, Bits(whole.begin() + first, whole.begin() + first + sets))) << "sets from " << first;
    }
    for (const std::int64_t set : {0, 8, 500, 999})
      EXPECT_TRUE(same_bits(parabola(c, all, set, 1, 300), {whole[static_cast<std::size_t>(set)]})) << "set " << set;
  }
}

TEST(Sets, ParabolaFollowsItsClosedForm) {
  constexpr std::int64_t all = 1000;
  constexpr int steps = 80;
  Parameters params({.sets = all, .seed = 3});
  const Tensor x = params.add("x", {}, init::uniform(-2, 2));
  const std::vector<double> starts = x.to_vector<double>();
  const Tensor lr = linspace(0.0003, 0.2999, all);
  Sgd optimizer(params, {.lr = lr});
  for (int step = 0; step < steps; ++step) {
    optimizer.zero_grad();
    (3 * x * x - 2 * x + 3).sum().backward();
    optimizer.step();
  }
  const std::vector<double> ends = x.to_vector<double>(), rate = lr.to_vector<double>();
  for (std::size_t i = 0; i < ends.size(); ++i) {
    const double exact = 1.0 / 3 + (starts[i] - 1.0 / 3) * std::pow(1 - 6 * rate[i], steps);
    const double bound = 4 * 0x1p-23 / std::min(1.0, 6 * rate[i]);
    EXPECT_NEAR(ends[i], exact, bound) << "set " << i << ", lr " << rate[i];
  }
}

TEST(Sets, DivergingSetsLeaveTheOthersAlone) {
  Parameters params({.sets = 3});
  const Tensor x = params.add("x", {}, init::constant(-1));
  Sgd optimizer(params, {.lr = tensor({0.01, 5, 0.01})});
  for (int step = 0; step < 80; ++step) {
    optimizer.zero_grad();
    (3 * x * x - 2 * x + 3).sum().backward();
    optimizer.step();
  }
  const Bits values = x.to_vector<float>();
  EXPECT_FALSE(std::isfinite(values[1]));
  EXPECT_NEAR(values[0], 0.3238891, 1e-6);
  EXPECT_EQ(values[0], values[2]);
}

struct Mlp {
  Parameters params;
  nn::Linear hidden, output;

  Mlp(std::int64_t sets, std::int64_t first)
      : params({.sets = sets, .seed = 11, .first_set = first}),
        hidden(params, "hidden", 5, 8),
        output(params, "output", 8, 3) {}
};

/// Trains and gives all parameters of each set, and its last loss.
std::vector<Bits> train_mlp(const Case& c, std::int64_t all, std::int64_t first, std::int64_t sets) {
  Mlp model(sets, first);
  const auto optimizer = c.make(model.params, rates(all, 0.001, 0.1, first, sets));
  std::vector<double> inputs;
  std::vector<std::int64_t> labels;
  for (int i = 0; i < 6 * 5; ++i) inputs.push_back(std::sin(1.7 * i));
  for (int i = 0; i < 6; ++i) labels.push_back(i % 3);
  const Tensor x = from_host(inputs, {6, 5}).to(float32), y = from_host(labels, {6});
  Tensor loss;
  for (int step = 0; step < 10; ++step) {
    optimizer->zero_grad();
    loss = cross_entropy(model.output(tanh(model.hidden(x))), y, Reduction::PerSet);
    loss.sum().backward();
    model.params.clip_grad_norm_(0.5);
    optimizer->step();
  }
  std::vector<Bits> result(static_cast<std::size_t>(sets));
  for (std::int64_t set = 0; set < sets; ++set) {
    Bits& bits = result[static_cast<std::size_t>(set)];
    for (const Tensor& p : model.params.tensors()) {
      const Bits part = of_set(p, set);
      bits.insert(bits.end(), part.begin(), part.end());
    }
    bits.push_back(loss.detach()[set].item<float>());
  }
  return result;
}

TEST(Sets, PerceptronIsTheSameAloneAndInAnyBatch) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    for (const std::int64_t all : {1, 7, 1000}) {
      const std::vector<Bits> whole = train_mlp(c, all, 0, all);
      for (const std::int64_t set : {std::int64_t{0}, std::int64_t{3}, all / 2, all - 1}) {
        if (set >= all) continue;
        EXPECT_TRUE(same_bits(train_mlp(c, all, set, 1)[0], whole[static_cast<std::size_t>(set)]))
            << "set " << set << " of " << all;
      }
    }
  }
}

TEST(Sets, PerSetHyperparametersAreTheSameAloneAndInAnyBatch) {
  constexpr std::int64_t all = 100;
  const auto run = [&](std::int64_t first, std::int64_t sets) {
    Parameters params({.sets = sets, .seed = 4, .first_set = first});
    const Tensor w = params.add("w", {2, 3}, init::normal(0, 1));
    const auto spread = [&](double low, double high) { return PerSet(rates(all, low, high, first, sets)); };
    std::vector<std::unique_ptr<Optimizer>> optimizers;
    optimizers.push_back(std::make_unique<Sgd>(params, SgdOptions{.lr = spread(0.001, 0.1),
                                                                  .momentum = spread(0, 0.9),
                                                                  .dampening = spread(0, 0.5),
                                                                  .weight_decay = spread(0, 0.1)}));
    optimizers.push_back(std::make_unique<AdamW>(params, AdamWOptions{.lr = spread(0.001, 0.1),
                                                                      .beta1 = spread(0, 0.95),
                                                                      .beta2 = spread(0.5, 0.9999),
                                                                      .epsilon = spread(1e-8, 1e-4),
                                                                      .weight_decay = spread(0, 0.1)}));
    for (int step = 0; step < 20; ++step)
      for (const auto& optimizer : optimizers) {
        optimizer->zero_grad();
        (square(w) + cos(w)).sum().backward();
        optimizer->step();
      }
    std::vector<Bits> result;
    for (std::int64_t set = 0; set < sets; ++set) result.push_back(of_set(w, set));
    return result;
  };
  const std::vector<Bits> whole = run(0, all);
  for (const std::int64_t set : {0, 1, 50, 99})
    EXPECT_TRUE(same_bits(run(set, 1)[0], whole[static_cast<std::size_t>(set)])) << "set " << set;
}

}  // namespace
}  // namespace luge
