// Checkpoints of several parameter groups and arenas, and of schedules that call functions of the host.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <luge/io/detail/safetensors_header.h>
#include <luge/luge.h>
#include <luge/train/schedule_cycles.h>
#include <luge/train/schedule_host.h>

#include "devices.h"
#include "folder.h"
#include "has_words.h"
#include "train/messages.h"

namespace luge::test::checkpoint_groups {
namespace {

class CheckpointGroupsTest : public DeviceTest {
 protected:
  Tensor leaf(std::int64_t n = 2) const {
    return full({n}, 1.0, {.dtype = float32, .device = device()}).requires_grad_();
  }
  template <class Kind, class Options>
  std::unique_ptr<Kind> two(Options first, Options second) const {
    return std::make_unique<Kind>(std::vector<ParameterGroup<Options>>{{{leaf()}, first}, {{leaf(3)}, second}});
  }
  std::string path() const { return folder_.path("x"); }
  void save(Optimizer& optimizer) const { checkpoint::save(path(), {.optimizer = &optimizer}); }
  void load(Optimizer& optimizer, bool strict = true) const {
    checkpoint::load(path(), {.optimizer = &optimizer}, {.strict = strict});
  }
  /// Saves one and loads it into the other: what it says, strictly or not, without any change.
  void expect_refused(Optimizer& saved, Optimizer& other, const std::string& how) const {
    saved.set_lr(0.625);
    save(saved);
    const Tensor before = other.lr();
    for (const bool strict : {true, false})
      EXPECT_MESSAGE(ValueError, "checkpoint.load: '" + path() + "' differs: optimizer/" + how, load(other, strict));
    EXPECT_EQ(other.lr().item(), before.item());
    load(saved);
  }

 private:
  Folder folder_;
};
LUGE_ON_EVERY_DEVICE(CheckpointGroupsTest);

TEST_P(CheckpointGroupsTest, EveryOptionOfEveryGroupMustBeTheSame) {
  const auto both_ways = [&]<class Kind, class Options>(std::type_identity<Kind>, Options plain, Options with,
                                                        const std::string& flag) {
    for (const std::size_t group : {0, 1})
      for (const bool was_on : {false, true}) {
        SCOPED_TRACE(fmt::format("{} of group {}", flag, group));
        const auto make = [&](bool on) {
          return two<Kind>(on && group == 0 ? with : plain, on && group == 1 ? with : plain);
        };
        const auto saved = make(was_on), other = make(!was_on);
        expect_refused(*saved, *other,
                       fmt::format("{}{}: the file has {}, here it is {}", group == 0 ? "" : "1/", flag, was_on, !was_on));
      }
  };
  both_ways(std::type_identity<Sgd>(), SgdOptions{}, SgdOptions{.maximize = true}, "maximize");
  both_ways(std::type_identity<Sgd>(), SgdOptions{.momentum = 0.5}, SgdOptions{.momentum = 0.5, .nesterov = true},
            "nesterov");
  both_ways(std::type_identity<Adam>(), AdamOptions{}, AdamOptions{.maximize = true}, "maximize");
  both_ways(std::type_identity<Adam>(), AdamOptions{}, AdamOptions{.amsgrad = true}, "amsgrad");
  both_ways(std::type_identity<Adam>(), AdamOptions{}, AdamOptions{.decoupled_weight_decay = true},
            "decoupled_weight_decay");
  both_ways(std::type_identity<AdamW>(), AdamWOptions{}, AdamWOptions{.maximize = true}, "maximize");
  both_ways(std::type_identity<AdamW>(), AdamWOptions{}, AdamWOptions{.amsgrad = true}, "amsgrad");
  both_ways(std::type_identity<RmsProp>(), RmsPropOptions{}, RmsPropOptions{.centered = true}, "centered");
  both_ways(std::type_identity<RmsProp>(), RmsPropOptions{}, RmsPropOptions{.maximize = true}, "maximize");
  both_ways(std::type_identity<NAdam>(), NAdamOptions{}, NAdamOptions{.decoupled_weight_decay = true},
            "decoupled_weight_decay");
  both_ways(std::type_identity<NAdam>(), NAdamOptions{}, NAdamOptions{.maximize = true}, "maximize");
  both_ways(std::type_identity<RAdam>(), RAdamOptions{}, RAdamOptions{.decoupled_weight_decay = true},
            "decoupled_weight_decay");
  both_ways(std::type_identity<RAdam>(), RAdamOptions{}, RAdamOptions{.maximize = true}, "maximize");
  both_ways(std::type_identity<Adagrad>(), AdagradOptions{}, AdagradOptions{.maximize = true}, "maximize");
  both_ways(std::type_identity<Adadelta>(), AdadeltaOptions{}, AdadeltaOptions{.maximize = true}, "maximize");
  both_ways(std::type_identity<Adamax>(), AdamaxOptions{}, AdamaxOptions{.maximize = true}, "maximize");
  both_ways(std::type_identity<Asgd>(), AsgdOptions{}, AsgdOptions{.maximize = true}, "maximize");
  both_ways(std::type_identity<Rprop>(), RpropOptions{}, RpropOptions{.maximize = true}, "maximize");
  both_ways(std::type_identity<Lion>(), LionOptions{}, LionOptions{.maximize = true}, "maximize");
}

TEST_P(CheckpointGroupsTest, TheRuleOfALaterGroupMustBeTheSame) {
  const auto saved = two<Sgd>(SgdOptions{}, SgdOptions{.momentum = 0.5});
  const auto other = two<Sgd>(SgdOptions{}, SgdOptions{});
  expect_refused(*saved, *other, "1/rule: the file has MomentumSgd, here it is Sgd");
  // The same rule by another optimizer's options.
  const auto adamw = two<AdamW>(AdamWOptions{.weight_decay = 0.1}, AdamWOptions{.weight_decay = 0.2});
  const auto adam = two<Adam>(AdamOptions{.weight_decay = 1, .decoupled_weight_decay = true},
                              AdamOptions{.weight_decay = 1, .decoupled_weight_decay = true});
  save(*adamw);
  load(*adam);
  EXPECT_EQ(adam->value("weight_decay", 1).to_vector<float>(), (std::vector<float>{0.2F}));
}

/// Files of before said nothing of options.
TEST_P(CheckpointGroupsTest, AFileThatSaysNothingOfOptionsIsLoaded) {
  Sgd saved({leaf()}, {.lr = 0.5, .momentum = 0.5, .nesterov = true, .maximize = true});
  save(saved);
  const SafetensorsFile file(path());
  Metadata texts = file.metadata();
  EXPECT_EQ(texts.at("optimizer/maximize"), "true");
  EXPECT_EQ(texts.erase("optimizer/maximize") + texts.erase("optimizer/nesterov"), 2U);
  std::vector<NamedTensor> tensors;
  for (const auto& [name, stored] : file.tensors()) tensors.push_back({name, file.tensor(name)});
  write_safetensors("test", path(), tensors, texts, true);
  Sgd same({leaf()}, {.lr = 0.1, .momentum = 0.1, .nesterov = true, .maximize = true});
  load(same);
  EXPECT_EQ(same.lr().item(), 0.5);
  Sgd other({leaf()}, {.lr = 0.1, .momentum = 0.1, .nesterov = true});
  EXPECT_MESSAGE(ValueError,
                 "checkpoint.load: '" + path() +
                     "' differs: optimizer: the file has NesterovSgd, maximize, here it is NesterovSgd",
                 load(other));
}

// ---- several arenas

TEST_P(CheckpointGroupsTest, SetsStandStillInEveryArena) {
  struct Two {
    explicit Two(Device device)
        : here({.sets = 3, .device = device}), there({.sets = 3, .device = device}), a(here.add("x", {}, init::ones())),
          b(there.add("x", {}, init::ones())), optimizer({{.params = {a}}, {.params = {b}}}) {}
    checkpoint::Parts parts() { return {.tensors = {{"a", a}, {"b", b}}, .optimizer = &optimizer}; }
    Parameters here, there;
    Tensor a, b;
    Adam optimizer;
  };
  Two saved(device()), other(device());
  saved.here.set_active(tensor({1, 0, 1}).to(boolean).to(device()));
  saved.there.set_active(tensor({0, 1, 1}).to(boolean).to(device()));
  checkpoint::save(path(), saved.parts());
  EXPECT_TRUE(SafetensorsFile(path()).contains("optimizer/exp_avg.a"));
  EXPECT_TRUE(SafetensorsFile(path()).contains("optimizer/1/exp_avg.b"));
  checkpoint::load(path(), other.parts());
  EXPECT_EQ(other.here.active().to_vector<bool>(), (std::vector<bool>{true, false, true}));
  EXPECT_EQ(other.there.active().to_vector<bool>(), (std::vector<bool>{false, true, true}));
  // The params of the first arena are not all that is stepped.
  EXPECT_MESSAGE(ValueError,
                 "checkpoint.save: the optimizer steps a tensor of shape (3,), its parameter 'x', that is not among the params "
                 "given",
                 checkpoint::save(path(), {.params = saved.here, .optimizer = &saved.optimizer}));
  checkpoint::save(path(), {.params = saved.here, .tensors = {{"b", saved.b}}, .optimizer = &saved.optimizer});
}

// ---- schedules that the host knows something of

struct Scheduled {
  using Make = std::function<std::vector<std::unique_ptr<LrScheduler>>(Optimizer&)>;
  Scheduled(Device device, const Make& make)
      : optimizer({{.params = {ones({2}, {.device = device}).requires_grad_()}, .options = {.lr = 0.5}},
                   {.params = {ones({2}, {.device = device}).requires_grad_()}, .options = {.lr = 0.25, .momentum = 0.5}}}),
        schedules(make(optimizer)) {}
  std::vector<double> rates(int steps) {
    std::vector<double> result;
    for (int i = 0; i < steps; ++i) {
      schedules.front()->step();
      for (const std::size_t group : {0, 1}) result.push_back(optimizer.lr(group).item());
    }
    return result;
  }
  checkpoint::Parts parts() { return {.optimizer = &optimizer, .schedules = {schedules.front().get()}}; }
  Sgd optimizer;
  std::vector<std::unique_ptr<LrScheduler>> schedules;
};

template <class... Schedules>
std::vector<std::unique_ptr<LrScheduler>> list(Schedules... schedules) {
  std::vector<std::unique_ptr<LrScheduler>> result;
  (result.push_back(std::move(schedules)), ...);
  return result;
}

const std::vector<LrFunction> kFactors{[](std::int64_t n) { return 1.0 / static_cast<double>(1 + n); },
                                       [](std::int64_t n) { return 0.9 + 0.01 * static_cast<double>(n); }};

std::vector<std::pair<std::string, Scheduled::Make>> schedules() {
  return {
      {"lambda", [](Optimizer& o) { return list(std::make_unique<LambdaLr>(o, kFactors)); }},
      {"multiplicative", [](Optimizer& o) { return list(std::make_unique<MultiplicativeLr>(o, kFactors)); }},
      {"cyclic",
       [](Optimizer& o) {
         return list(std::make_unique<CyclicLr>(
             o, CyclicLrOptions{.base_lr = {0.01}, .max_lr = {0.1}, .step_size_up = 4,
                                .scale_fn = [](double x) { return 1 / x; }, .cycle_momentum = false}));
       }},
      {"lambda, then multiplicative",
       [](Optimizer& o) {
         auto first = std::make_unique<LambdaLr>(o, kFactors);
         auto second = std::make_unique<MultiplicativeLr>(o, kFactors);
         auto both = std::make_unique<SequentialLr>(
             o, SequentialLrOptions{.schedulers = {*first, *second}, .milestones = {7}});
         return list(std::move(both), std::move(first), std::move(second));
       }},
      {"chained",
       [](Optimizer& o) {
         auto first = std::make_unique<LambdaLr>(o, kFactors);
         auto second = std::make_unique<StepLr>(o, StepLrOptions{.step_size = 3});
         auto both = std::make_unique<ChainedScheduler>(std::vector<std::reference_wrapper<LrScheduler>>{*first, *second});
         return list(std::move(both), std::move(first), std::move(second));
       }},
  };
}

TEST_P(CheckpointGroupsTest, FunctionsOfTheHostGoOnFromTheFile) {
  for (const auto& [name, make] : schedules()) {
    SCOPED_TRACE(name);
    Scheduled whole(device(), make);
    const std::vector<double> all = whole.rates(16);
    Scheduled cut(device(), make);
    cut.rates(9);
    checkpoint::save(path(), cut.parts());
    for (const int before : {0, 4, 9, 14}) {
      SCOPED_TRACE(before);
      Scheduled other(device(), make);
      other.rates(before);
      checkpoint::load(path(), other.parts());
      EXPECT_EQ(other.schedules.front()->steps_taken(), 9);
      EXPECT_EQ(other.rates(7), std::vector<double>(all.begin() + 18, all.end()));
    }
  }
}

TEST_P(CheckpointGroupsTest, TheStepsOfACycleAreCountedFromTheFile) {
  const Scheduled::Make make = [](Optimizer& o) {
    return list(std::make_unique<OneCycleLr>(o, OneCycleLrOptions{.max_lr = {0.5}, .total_steps = 9, .cycle_momentum = false}));
  };
  Scheduled cut(device(), make);
  cut.rates(6);
  checkpoint::save(path(), cut.parts());
  for (const int before : {0, 8}) {
    Scheduled other(device(), make);
    other.rates(before);
    checkpoint::load(path(), other.parts());
    other.rates(3);
    EXPECT_MESSAGE(ValueError, "step: the schedule has 9 steps, and all are taken", other.rates(1));
  }
}

TEST_P(CheckpointGroupsTest, AFunctionThatThrowsLeavesAllAsItWas) {
  bool fails = false;
  const Scheduled::Make make = [&](Optimizer& o) {
    const LrFunction one = [&](std::int64_t n) {
      if (fails && n == 5) throw std::runtime_error("no");
      return 1.0 / static_cast<double>(1 + n);
    };
    return list(std::make_unique<LambdaLr>(o, std::vector<LrFunction>{kFactors[0]}),
                std::make_unique<LambdaLr>(o, std::vector<LrFunction>{one}));
  };
  Scheduled saved(device(), make), other(device(), make), expected(device(), make);
  const auto step = [](Scheduled& of) {
    for (const auto& one : of.schedules) one->step();
    return of.optimizer.lr().item();
  };
  for (int i = 0; i < 7; ++i) step(saved);
  checkpoint::save(path(), saved.parts());
  for (int i = 0; i < 2; ++i) step(other), step(expected);
  fails = true;
  EXPECT_THROW(checkpoint::load(path(), other.parts()), std::runtime_error);
  EXPECT_EQ(other.schedules[0]->steps_taken(), 2);
  EXPECT_EQ(other.schedules[1]->steps_taken(), 2);
  EXPECT_EQ(other.optimizer.lr().item(), expected.optimizer.lr().item());
  EXPECT_EQ(step(other), step(expected));
  fails = false;
  checkpoint::load(path(), other.parts());
  EXPECT_EQ(step(other), step(saved));
}

}  // namespace
}  // namespace luge::test::checkpoint_groups
