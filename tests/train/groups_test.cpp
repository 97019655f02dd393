// Parameter groups: hyperparameters of their own, read and written, in eager and captured steps.

#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <luge/luge.h>

#include "expect.h"
#include "train/messages.h"

namespace luge {
namespace {

using Values = std::vector<double>;

Tensor leaf(std::int64_t n, double value = 1) {
  return full({n}, value, {.dtype = float64}).requires_grad_();
}

TEST(ParameterGroups, HaveLearningRatesOfTheirOwn) {
  const Tensor a = leaf(2), b = leaf(3);
  Sgd optimizer({{.params = {a}, .options = {.lr = 0.25}}, {.params = {b}, .options = {.lr = 0.5, .momentum = 0.5}}});
  ASSERT_EQ(optimizer.groups(), 2u);
  for (int step = 0; step < 2; ++step) {
    optimizer.zero_grad();
    (a.sum() + b.sum()).backward();
    optimizer.step();
  }
  EXPECT_EQ(a.to_vector<double>(), (Values{0.5, 0.5}));
  EXPECT_EQ(b.to_vector<double>(), (Values{-0.25, -0.25, -0.25}));
  EXPECT_EQ(optimizer.lr(1).item(), 0.5);
  EXPECT_EQ(optimizer.value("momentum", 1).item(), 0.5);
  EXPECT_EQ(optimizer.params(1).size(), 1u);
  EXPECT_EQ(optimizer.steps_taken(), 2);
  optimizer.set_lr(0.125, 0);
  EXPECT_EQ(optimizer.lr(0).item(), 0.125);
  EXPECT_EQ(optimizer.lr(1).item(), 0.5);
  optimizer.set_lr(1);
  EXPECT_EQ(optimizer.lr(1).item(), 1);
}

TEST(ParameterGroups, StepAsOptimizersOfTheirOwn) {
  const Tensor a = leaf(5, 0.3), b = leaf(7, -0.6), c = leaf(5, 0.3), d = leaf(7, -0.6);
  NAdam both({{.params = {a}, .options = {.lr = 0.02}},
              {.params = {b}, .options = {.lr = 0.05, .weight_decay = 0.1, .decoupled_weight_decay = true}}});
  NAdam first({c}, {.lr = 0.02});
  NAdam second({d}, {.lr = 0.05, .weight_decay = 0.1, .decoupled_weight_decay = true});
  for (int step = 0; step < 20; ++step) {
    both.zero_grad(), first.zero_grad(), second.zero_grad();
    (cos(a).sum() + (b * b).sum()).backward();
    (cos(c).sum() + (d * d).sum()).backward();
    both.step(), first.step(), second.step();
  }
  EXPECT_EQ(a.to_vector<double>(), c.to_vector<double>());
  EXPECT_EQ(b.to_vector<double>(), d.to_vector<double>());
}

TEST(ParameterGroups, ACapturedStepFollowsWhatIsWritten) {
  const Tensor a = leaf(2), b = leaf(2);
  Sgd optimizer({{.params = {a}, .options = {.lr = 0.25}}, {.params = {b}, .options = {.lr = 0.25, .momentum = 0.5}}});
  auto step = capture([&] {
    optimizer.zero_grad();
    (a.sum() + b.sum()).backward();
    optimizer.step();
  });
  step();
  optimizer.set_lr(0.5, 0);
  optimizer.set_value("momentum", 0.25, 1);
  step();
  EXPECT_EQ(a.to_vector<double>(), (Values{0.25, 0.25}));
  EXPECT_EQ(b.to_vector<double>(), (Values{0.75 - 0.25 * 1.25, 0.75 - 0.25 * 1.25}));
  optimizer.set_value("weight_decay", 0.5, 0);
  EXPECT_MESSAGE(CaptureError,
                 "step: 'weight_decay' of the optimizer has changed since this step was captured, in a way that asks for "
                 "another kernel; capture it again",
                 step());
  optimizer.step();  // eager steps go on
}

TEST(ParameterGroups, AreAddedLater) {
  const Tensor a = leaf(2), b = leaf(3);
  Adam optimizer({a}, {.lr = 0.5});
  optimizer.add_group({.params = {b}, .options = {.lr = 0.25}});
  (a.sum() + b.sum()).backward();
  optimizer.step();
  EXPECT_NEAR(a.to_vector<double>()[0], 0.5, 1e-7);
  EXPECT_NEAR(b.to_vector<double>()[0], 0.75, 1e-7);
  EXPECT_MESSAGE(ValueError, "Adam: a tensor of shape (2,) of parameter group 2 is in an earlier group, too",
                 optimizer.add_group({.params = {a}}));
  EXPECT_EQ(optimizer.groups(), 2u);
  optimizer.zero_grad();
  EXPECT_EQ(b.grad().to_vector<double>(), (Values{0, 0, 0}));
}

TEST(ParameterGroups, OfAnArenaLeaveOthersAlone) {
  Parameters params({.sets = 2, .dtype = float64});
  const Tensor a = params.add("a", {2}, init::ones()), b = params.add("b", {}, init::ones()),
               c = params.add("c", {3}, init::ones());
  Sgd ends({{.params = {a}, .options = {.lr = from_host<double>({0.25, 0.5}, {2})}}, {.params = {c}, .options = {.lr = 1}}});
  Sgd middle({b}, {.lr = 0.125});
  (a.sum() + b.sum() + c.sum()).backward();
  ends.step();
  EXPECT_EQ(a.to_vector<double>(), (Values{0.75, 0.75, 0.5, 0.5}));
  EXPECT_EQ(b.to_vector<double>(), (Values{1, 1}));
  EXPECT_EQ(c.to_vector<double>(), Values(6, 0));
  ends.zero_grad();
  middle.step();
  ends.step();
  EXPECT_EQ(b.to_vector<double>(), (Values{0.875, 0.875}));
  EXPECT_EQ(a.to_vector<double>(), (Values{0.75, 0.75, 0.5, 0.5}));
}

TEST(ParameterGroups, RefuseWhatIsWrongAndChangeNothing) {
  const Tensor a = leaf(2), b = leaf(3);
  EXPECT_MESSAGE(ValueError, "Sgd: a tensor of shape (2,) of parameter group 1 is in an earlier group, too",
                 Sgd({{.params = {a}}, {.params = {b, a}}}));
  EXPECT_MESSAGE(ValueError, "Sgd: lr is -1; it must be 0 or more and finite",
                 Sgd({{.params = {a}}, {.params = {b}, .options = {.lr = -1}}}));
  EXPECT_MESSAGE(ValueError, "Rprop: eta_plus is 0.5; it must be above 1 and finite", Rprop({a}, {.eta_plus = 0.5}));
  EXPECT_FALSE(Parameters::home_of(a).has_value());
  Sgd optimizer({a});
  EXPECT_MESSAGE(ValueError, "Sgd: there is no hyperparameter 'beta1'; it has lr, momentum, dampening, weight_decay",
                 optimizer.set_value("beta1", 0.5));
  EXPECT_MESSAGE(IndexError, "Sgd: there is no parameter group 1; there are 1", optimizer.lr(1));
  EXPECT_MESSAGE(ValueError, "Sgd: there is no flag 'amsgrad'; it has nesterov, maximize", optimizer.set_flag("amsgrad", true));
}

/// What changes the sets of one arena would leave those of the other as they are.
TEST(ParameterGroups, OfSeveralArenasHaveNoCommonSets) {
  const auto message = [](const char* op) {
    return fmt::format("{}: parameter group 1 has tensors of another Parameters than group 0; all groups must be of one", op);
  };
  Parameters here({.sets = 2}), there({.sets = 2});
  const Tensor a = here.add("x", {}, init::ones()), b = there.add("x", {}, init::ones()),
               c = here.add("y", {}, init::ones());
  Sgd optimizer({{.params = {a}}, {.params = {b}}});
  const Tensor both = from_host<std::int64_t>({0, 0}, {2}), none = zeros({2}, {.dtype = DType::Bool});
  EXPECT_MESSAGE(ValueError, message("stop.when"), stop::when(optimizer, {.loss_below = 1}));
  EXPECT_MESSAGE(ValueError, message("population.clone"), population::clone(optimizer, both));
  EXPECT_MESSAGE(ValueError, message("population.restart"), population::restart(optimizer, none));
  EXPECT_MESSAGE(ValueError, message("population.explore"), population::explore(optimizer, both));
  const sweep::Settings settings = sweep::grid({{"lr", {0.1, 0.2}}});
  const sweep::Advance advance = [](std::int64_t) { return zeros({2}); };
  EXPECT_MESSAGE(ValueError, message("sweep.run"), sweep::run(advance, optimizer, settings, {.steps = 1}));
  Sgd alone({a});
  stop::StopRule rule = stop::when(alone, {.loss_below = 1});
  alone.add_group(SettingsGroup{{b}, {}});
  EXPECT_MESSAGE(ValueError, message("stop.train"),
                 stop::train(alone, rule, {}, [](stop::Live&) {}, {.compact = false}));
  Sgd of_one({{.params = {a}}, {.params = {c}}});
  EXPECT_NO_THROW(stop::when(of_one, {.loss_below = 1}));
}

}  // namespace
}  // namespace luge
