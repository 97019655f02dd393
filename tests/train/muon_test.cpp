// Muon against the records of PyTorch, set by set, beside other optimizers, and where sets rest.

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <luge/luge.h>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class MuonTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(MuonTest);

nlohmann::json optimizer_records() {
  const char* const source = std::getenv("LUGE_SOURCE");
  std::ifstream file(std::string(source ? source : ".") + "/tests/python/optimizer_records.json");
  if (!file) throw std::runtime_error("tests/python/optimizer_records.json is not there; run from the repository");
  return nlohmann::json::parse(file);
}

/// As run_muon of tests/python/test_optimizers.py.
std::vector<double> trajectory(Device device, MuonOptions options, bool captured) {
  const auto leaf = [&](const std::vector<float>& values, const Shape& shape) {
    return from_host(values, shape, device).requires_grad_();
  };
  Tensor w = leaf({0.1F, 0.2F, -0.3F, 0.5F, -0.1F, 0.4F}, {2, 3}), v = leaf({0.3F, 0.2F}, {2, 1});
  options.lr = 0.05;
  MuonOptions other = options;
  other.lr = 0.01;
  Muon optimizer(std::vector<Muon::Group>{{{w}, options}, {{v}, other}});
  const auto body = [&] {
    optimizer.zero_grad();
    (w - 1).square().sum().backward();
    ((v + 1).square() * 2).sum().backward();
    optimizer.step();
    return w;
  };
  if (captured) {
    auto step = capture(body);
    for (int i = 0; i < 10; ++i) step();
  } else {
    for (int i = 0; i < 10; ++i) body();
  }
  EXPECT_EQ(optimizer.steps_taken(), 10);
  std::vector<double> values = w.to_vector<double>();
  for (const double value : v.to_vector<double>()) values.push_back(value);
  return values;
}

TEST_P(MuonTest, FollowsPyTorchWithinBfloat16) {
  const nlohmann::json records = optimizer_records();
  const std::vector<std::pair<std::string, MuonOptions>> cases{
      {"Muon {}", {}},
      {"Muon {'nesterov': False, 'weight_decay': 0.0}", {.weight_decay = 0.0, .nesterov = false}},
      {"Muon {'momentum': 0.5, 'ns_steps': 3}", {.momentum = 0.5, .ns_steps = 3}},
      {"Muon {'adjust_lr_fn': 'match_rms_adamw'}", {.rate = MuonRate::MatchRmsAdamW}},
      {"Muon {'adjust_lr_fn': 'spectral_unclamped', 'ns_coefficients': (2.0, -1.5, 0.5)}",
       {.ns_coefficients = {2.0, -1.5, 0.5}, .rate = MuonRate::SpectralUnclamped}},
  };
  for (const auto& [name, options] : cases) {
    SCOPED_TRACE(name);
    const auto expected = records.at(name).get<std::vector<double>>(), eager = trajectory(device(), options, false);
    ASSERT_EQ(eager.size(), expected.size());
    // Ten steps of at most 0.05, whose directions bfloat16 rounds to 2^-8.
    for (std::size_t i = 0; i < eager.size(); ++i) EXPECT_NEAR(eager[i], expected[i], 1e-2) << i;
    EXPECT_EQ(trajectory(device(), options, true), eager);
  }
}

TEST_P(MuonTest, OrthogonalizesEachSetAlone) {
  const auto run = [&](const std::vector<float>& chosen) {
    const auto sets = static_cast<std::int64_t>(chosen.size());
    Parameters params({.sets = sets, .device = device()});
    Tensor w = params.add("w", {2, 3}, init::zeros());
    const Tensor number = from_host(chosen, {sets}, device());
    no_grad([&] { w.copy_(linspace(-1, 1, 6, on()).reshape({2, 3}) * number.reshape({-1, 1, 1})); });
    Muon optimizer(params, {.lr = number * 0.1, .momentum = 1 - number * 0.1});
    for (int i = 0; i < 5; ++i) {
      optimizer.zero_grad();
      (w - 0.3).square().sum().backward();
      optimizer.step();
    }
    return w.detach();
  };
  const Tensor together = run({1, 2, 3});
  for (std::int64_t set = 0; set < 3; ++set) EXPECT_TRUE(same(run({static_cast<float>(set + 1)})[0], together[set]));
}

TEST_P(MuonTest, SetsThatRestKeepValuesAndBuffers) {
  Parameters params({.sets = 2, .device = device()});
  const Tensor w = params.add("w", {2, 2}, init::constant(0.5));
  Muon optimizer(params);
  const auto step = [&] {
    optimizer.zero_grad();
    w.square().sum().backward();
    optimizer.step();
  };
  step();
  params.set_active(from_host(std::vector<std::int64_t>{1, 0}, {2}, device()).ne(0));
  const Tensor before = w.detach().clone(), buffer = optimizer.state_of(0, 0)[0].second.clone();
  step();
  EXPECT_TRUE(same(w.detach()[1], before[1]));
  EXPECT_TRUE(same(optimizer.state_of(0, 0)[0].second[1], buffer[1]));
  EXPECT_FALSE(same(w.detach()[0], before[0]));
}

TEST_P(MuonTest, AnOrdinaryModelMayRest) {
  Parameters params({.device = device()});
  const Tensor w = params.add("w", {2, 3}, init::constant(0.5));
  Muon optimizer(params);
  const auto step = [&](bool active) {
    params.set_active(full({}, active, on(boolean)));
    optimizer.zero_grad();
    w.square().sum().backward();
    optimizer.step();
  };
  step(false);
  EXPECT_TRUE(same(w.detach(), full({2, 3}, 0.5, on())));
  step(true);
  EXPECT_FALSE(same(w.detach(), full({2, 3}, 0.5, on())));
}

TEST_P(MuonTest, WorksBesideAnotherOptimizerAndSkipsFrozenMatrices) {
  Parameters params({.device = device(), .seed = 1});
  const nn::Linear hidden(params, "hidden", 3, 4), last(params, "last", 4, 2);
  Tensor frozen = last.weight();
  frozen.requires_grad_(false);
  Muon muon({hidden.weight(), last.weight()}, {.lr = 0.02});
  AdamW others({hidden.bias(), last.bias()}, {.lr = 0.01});
  const Tensor x = ones({5, 3}, on()), before = frozen.detach().clone();
  const auto loss_of = [&] { return (last(tanh(hidden(x))) - 1).square().mean(); };
  const double start = loss_of().item();
  for (int i = 0; i < 20; ++i) {
    muon.zero_grad();
    others.zero_grad();
    loss_of().backward();
    muon.step();
    others.step();
  }
  EXPECT_LT(loss_of().item(), 0.8 * start);
  EXPECT_TRUE(same(frozen.detach(), before));
  const auto state = muon.named_state();
  EXPECT_EQ(state.back().first, "momentum_buffer.last.weight");
  EXPECT_EQ(state.back().second.shape(), Shape({2, 4}));
}

TEST(Muon, GoesOnFromACheckpoint) {
  const auto train = [](int steps, const std::string& from, const std::string& to) {
    Parameters params({.seed = 1});
    const nn::Linear layer(params, "layer", 3, 4, {.bias = false});
    Muon optimizer(params, {.lr = 0.02});
    if (!from.empty()) checkpoint::load(from, {.params = params, .optimizer = &optimizer});
    for (int i = 0; i < steps; ++i) {
      optimizer.zero_grad();
      (layer(ones({2, 3})) - 1).square().sum().backward();
      optimizer.step();
    }
    if (!to.empty()) checkpoint::save(to, {.params = params, .optimizer = &optimizer});
    return layer.weight().detach();
  };
  const std::string path = ::testing::TempDir() + "luge_muon.safetensors";
  const Tensor whole = train(6, "", "");
  train(2, "", path);
  EXPECT_TRUE(same(train(4, path, ""), whole));
  std::remove(path.c_str());
}

TEST(Muon, AGradScalerLeavesOutASetWithInfinities) {
  Parameters params({.sets = 2});
  const Tensor w = params.add("w", {2, 2}, init::constant(0.5));
  Muon optimizer(params);
  GradScaler scaler({.init_scale = 4, .sets = 2});
  optimizer.zero_grad();
  const Tensor factor = from_host(std::vector<float>{1, std::numeric_limits<float>::infinity()}, {2});
  scaler.scale(w.square().flatten(1).sum(1) * factor).sum().backward();
  scaler.step(optimizer);
  scaler.update();
  EXPECT_TRUE(same(w.detach()[1], full({2, 2}, 0.5)));
  EXPECT_FALSE(same(w.detach()[0], full({2, 2}, 0.5)));
}

TEST(Muon, AStepThatWasCapturedSaysThatItIsStale) {
  Parameters params({.sets = 2});
  const Tensor w = params.add("w", {2, 2}, init::constant(0.5));
  Muon optimizer(params);
  auto step = capture([&] {
    optimizer.zero_grad();
    w.square().sum().backward();
    optimizer.step();
    return w;
  });
  step();
  optimizer.set_value("weight_decay", 0.0);  // read from the same memory
  step();
  optimizer.set_flag("nesterov", false);
  EXPECT_THROW(step(), CaptureError);
}

TEST(Muon, RefusesWhatItCannotStep) {
  Parameters params;
  params.add("vector", {3}, init::zeros());
  const Tensor matrix = zeros({2, 2}, {.requires_grad = true});
  expect_errors({
      LUGE_ERROR(ValueError, "^Muon: a parameter has shape \\(3,\\); allowed are matrices", Muon(params)),
      LUGE_ERROR(ValueError, "^Muon: ns_steps is 100", Muon({matrix}, {.ns_steps = 100})),
      LUGE_ERROR(ValueError, "^Muon: eps is -1", Muon({matrix}, {.eps = -1})),
      LUGE_ERROR(ValueError, "^Muon: lr is -1", Muon({matrix}, {.lr = -1.0})),
      LUGE_ERROR(ValueError, "^Muon: no tensors given", Muon(std::vector<Tensor>{})),
  });
  EXPECT_FALSE(Parameters::home_of(matrix).has_value());
}

}  // namespace
}  // namespace luge::test
