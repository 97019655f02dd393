// Checkpoints: a training that was stopped and loaded equals one that never stopped, bit by bit; and what load()
// refuses.

#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <luge/base/detail/sanitizers.h>
#include <luge/luge.h>

#include "devices.h"
#include "folder.h"
#include "has_words.h"
#include "train/messages.h"

namespace luge::test {
namespace {

class CheckpointTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(CheckpointTest);

using MakeOptimizer = std::function<std::unique_ptr<Optimizer>(Parameters&)>;
using MakeSchedules = std::function<std::vector<std::unique_ptr<LrScheduler>>(Optimizer&)>;

template <class Kind, class Options>
MakeOptimizer optimizer(Options options) {
  return
      [options](Parameters& params) -> std::unique_ptr<Optimizer> { return std::make_unique<Kind>(params, options); };
}

std::vector<std::pair<std::string, MakeOptimizer>> optimizers() {
  return {{"sgd", optimizer<Sgd>(SgdOptions{.lr = 0.1})},
          {"momentum", optimizer<Sgd>(SgdOptions{.lr = 0.1, .momentum = 0.9, .dampening = 0.1, .weight_decay = 0.01})},
          {"nesterov", optimizer<Sgd>(SgdOptions{.lr = 0.1, .momentum = 0.9, .nesterov = true})},
          {"adam", optimizer<Adam>(AdamOptions{.lr = 0.05})},
          {"adamw", optimizer<AdamW>(AdamWOptions{.lr = 0.05})},
          {"rmsprop", optimizer<RmsProp>(RmsPropOptions{})},
          {"centred rmsprop", optimizer<RmsProp>(RmsPropOptions{.momentum = 0.5, .centered = true})},
          {"adagrad", optimizer<Adagrad>(AdagradOptions{.lr_decay = 0.01, .initial_accumulator_value = 0.1})}};
}

template <class... Schedules>
std::vector<std::unique_ptr<LrScheduler>> list(Schedules... schedules) {
  std::vector<std::unique_ptr<LrScheduler>> result;
  (result.push_back(std::move(schedules)), ...);
  return result;
}

std::vector<std::pair<std::string, MakeSchedules>> schedules() {
  return {{"none", [](Optimizer&) { return list(); }},
          {"step", [](Optimizer& o) { return list(std::make_unique<StepLr>(o, StepLrOptions{.step_size = 3})); }},
          {"multistep",
           [](Optimizer& o) {
             return list(std::make_unique<MultiStepLr>(o, MultiStepLrOptions{.milestones = {2, 7}}));
           }},
          {"constant", [](Optimizer& o) { return list(std::make_unique<ConstantLr>(o)); }},
          {"linear", [](Optimizer& o) { return list(std::make_unique<LinearLr>(o)); }},
          {"exponential",
           [](Optimizer& o) { return list(std::make_unique<ExponentialLr>(o, ExponentialLrOptions{.gamma = 0.9})); }},
          {"cosine",
           [](Optimizer& o) {
             return list(std::make_unique<CosineAnnealingLr>(o, CosineAnnealingLrOptions{.t_max = 10}));
           }},
          {"two",
           [](Optimizer& o) {
             return list(std::make_unique<LinearLr>(o),
                         std::make_unique<ExponentialLr>(o, ExponentialLrOptions{.gamma = 0.9}));
           }},
          {"sequential", [](Optimizer& o) {
             auto warmup = std::make_unique<LinearLr>(o);
             auto decay = std::make_unique<CosineAnnealingLr>(o, CosineAnnealingLrOptions{.t_max = 10});
             auto both = std::make_unique<SequentialLr>(
                 o, SequentialLrOptions{.schedulers = {*warmup, *decay}, .milestones = {4}});
             return list(std::move(both), std::move(warmup), std::move(decay));
           }}};
}

/// A small training with everything that has a state: noise from the global generator too.
class Training {
 public:
  Training(std::optional<std::int64_t> sets, Device device, const MakeOptimizer& make,
           const MakeSchedules& make_schedules, std::uint64_t seed)
      : params({.sets = sets, .device = device, .seed = seed}),
        w(params.add("w", {3}, init::normal(0, 1))),
        b(params.add("layer.b", {}, init::normal(0, 1))),
        optimizer(make(params)),
        schedules(make_schedules(*optimizer)),
        monitor({.keep_sets = 2, .progress = false}) {}

  void step() {
    optimizer->zero_grad();
    const Tensor noise = randn({3}, {.device = params.device()});
    const Tensor loss = ((w - noise).square().sum(-1) + (b - 0.5).square()) * 0.5;
    loss.sum().backward();
    optimizer->step();
    if (!schedules.empty()) schedules[0]->step();
    if (schedules.size() == 2) schedules[1]->step();
    monitor.record(loss);
  }

  void run(int steps, bool captured) {
    if (steps == 0) return;
    if (!captured) {
      for (int i = 0; i < steps; ++i) step();
      return;
    }
    auto recorded = capture([this] { step(); });
    for (int i = 0; i < steps; ++i) recorded();
  }

  checkpoint::Parts parts() {
    checkpoint::Parts result{.params = params, .optimizer = optimizer.get(), .monitor = &monitor};
    // The parts of a sequence are not stepped by themselves.
    for (std::size_t i = 0; i < schedules.size() && i < (schedules.size() == 3 ? 1U : 2U); ++i)
      result.schedules.push_back(schedules[i].get());
    return result;
  }

  /// Everything that it is made of, as bits.
  std::string state() {
    std::string bits;
    const auto add = [&](const Tensor& tensor) {
      const Tensor packed = tensor.detach().to(Device::cpu()).contiguous();
      bits.append(static_cast<const char*>(packed.data()),
                  static_cast<std::size_t>(packed.numel()) * size_of(packed.dtype()));
    };
    for (const Tensor& tensor : params.tensors()) add(tensor);
    for (const auto& [name, tensor] : optimizer->named_state()) add(tensor);
    for (std::size_t i = 0; i < parts().schedules.size(); ++i) {
      add(schedules[i]->last_lr());
      bits += std::to_string(schedules[i]->steps_taken());
    }
    for (const HistoryRow& row : monitor.history()) {
      for (const double value : {row.mean, row.min, row.max})
        bits.append(reinterpret_cast<const char*>(&value), sizeof value);
      for (const double value : row.sets) bits.append(reinterpret_cast<const char*>(&value), sizeof value);
      bits += std::to_string(row.step) + " " + std::to_string(row.not_finite);
    }
    return bits;
  }

  Parameters params;
  Tensor w, b;
  std::unique_ptr<Optimizer> optimizer;
  std::vector<std::unique_ptr<LrScheduler>> schedules;
  Monitor monitor;
};

/// A sanitizer looks at the same code for few sets, ten times as slowly; the other builds try a thousand.
#ifdef LUGE_ASAN
const std::vector<std::optional<std::int64_t>> kSets{{}, 3};
#else
const std::vector<std::optional<std::int64_t>> kSets{{}, 1, 1000};
#endif

TEST_P(CheckpointTest, AResumedTrainingEqualsOneThatNeverStopped) {
  constexpr int kSteps = 12;
  const Folder folder;
  for (const auto& [optimizer_name, make] : optimizers())
    for (const auto& [schedule_name, make_schedules] : schedules())
      for (const std::optional<std::int64_t> sets : kSets)
        for (const bool captured : {false, true}) {
          SCOPED_TRACE(optimizer_name + ", " + schedule_name + ", " + (sets ? std::to_string(*sets) : "no") + " sets" +
                       (captured ? ", captured" : ""));
          manual_seed(1);
          Training whole(sets, device(), make, make_schedules, 7);
          whole.run(kSteps, captured);
          const std::string expected = whole.state();
          for (const int cut : {0, 5, 11}) {
            SCOPED_TRACE(cut);
            manual_seed(1);
            {
              Training first(sets, device(), make, make_schedules, 7);
              first.run(cut, captured);
              checkpoint::save(folder.path("x"), first.parts(), {.step = cut});
            }
            manual_seed(99);
            Training second(sets, device(), make, make_schedules, 8);
            const checkpoint::Loaded loaded = checkpoint::load(folder.path("x"), second.parts());
            EXPECT_EQ(loaded.step, cut);
            second.run(kSteps - cut, captured);
            ASSERT_TRUE(second.state() == expected);
          }
        }
}

MakeOptimizer adam() { return optimizer<Adam>(AdamOptions{.lr = 0.05}); }
MakeSchedules cosine() {
  return
      [](Optimizer& o) { return list(std::make_unique<CosineAnnealingLr>(o, CosineAnnealingLrOptions{.t_max = 10})); };
}
MakeSchedules none() {
  return [](Optimizer&) { return list(); };
}

TEST_P(CheckpointTest, ACapturedStepGoesOnAfterALoad) {
  const Folder folder;
  manual_seed(1);
  Training training(5, device(), adam(), cosine(), 7);
  auto step = capture([&] { training.step(); });
  for (int i = 0; i < 3; ++i) step();
  checkpoint::save(folder.path("x"), training.parts());
  for (int i = 0; i < 4; ++i) step();
  const std::string expected = training.state();
  for (int i = 0; i < 9; ++i) step();
  for (int i = 0; i < 2; ++i) {
    checkpoint::load(folder.path("x"), training.parts());
    for (int j = 0; j < 4; ++j) step();
    EXPECT_TRUE(training.state() == expected);
  }
}

TEST_P(CheckpointTest, KeepsSetsThatStandStillAndRatesOfTheirOwn) {
  const Folder folder;
  Training training(3, device(), adam(), cosine(), 7);
  training.optimizer->set_lr(tensor({0.1, 0.2, 0.3}));
  training.params.set_active(tensor({1, 0, 1}).to(boolean).to(device()));
  training.run(2, false);
  checkpoint::save(folder.path("x"), training.parts());
  Training other(3, device(), adam(), cosine(), 8);
  checkpoint::load(folder.path("x"), other.parts());
  EXPECT_EQ(other.params.active().to_vector<bool>(), (std::vector<bool>{true, false, true}));
  EXPECT_TRUE(other.state() == training.state());
  other.params.set_active(ones({3}, on(boolean)));
  checkpoint::save(folder.path("x"), other.parts());
  checkpoint::load(folder.path("x"), training.parts());
  EXPECT_TRUE(training.params.active().all().item<bool>());
}

TEST_P(CheckpointTest, HasNamesThatAPersonReads) {
  const Folder folder;
  Training training(2, device(), adam(), cosine(), 7);
  training.run(1, false);
  checkpoint::save(folder.path("x"), training.parts(),
                   {.step = 1, .extra = {{"best", ones({2}, on())}}, .notes = {{"command", "luge train"}}});
  const SafetensorsFile file(folder.path("x"));
  std::vector<std::string> names;
  for (const auto& [name, stored] : file.tensors()) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"extra/best",
                                             "monitor/max",
                                             "monitor/mean",
                                             "monitor/min",
                                             "monitor/not_finite",
                                             "monitor/seconds",
                                             "monitor/sets",
                                             "optimizer/beta1",
                                             "optimizer/beta2",
                                             "optimizer/epsilon",
                                             "optimizer/exp_avg.layer.b",
                                             "optimizer/exp_avg.w",
                                             "optimizer/exp_avg_sq.layer.b",
                                             "optimizer/exp_avg_sq.w",
                                             "optimizer/lr",
                                             "optimizer/step",
                                             "params/layer.b",
                                             "params/w",
                                             "schedule/0.last_lr",
                                             "schedule/0.steps",
                                             "schedule/base",
                                             "sets/active"}));
  EXPECT_EQ(file.metadata().at("optimizer"), "Adam");
  EXPECT_EQ(file.metadata().at("step"), "1");
  const checkpoint::Loaded loaded = checkpoint::load(folder.path("x"), {});
  EXPECT_EQ(loaded.extra.at("best").sum().item(), 2);
  EXPECT_EQ(loaded.notes, (Metadata{{"command", "luge train"}}));
}

TEST_P(CheckpointTest, LooseLeavesHaveTheModelsNames) {
  const Folder folder;
  const auto leaf = [&](double value) { return full({2}, value, on(float32, true)); };
  const Tensor a = leaf(1), b = leaf(2);
  Adam optimizer({a, b}, {});
  (a * b).sum().backward();
  optimizer.step();
  checkpoint::save(folder.path("x"), {.tensors = {{"first", a}, {"second", b}}, .optimizer = &optimizer});
  EXPECT_TRUE(SafetensorsFile(folder.path("x")).contains("optimizer/exp_avg.second"));
  const Tensor c = leaf(5), d = leaf(6);
  Adam other({c, d}, {});
  checkpoint::load(folder.path("x"), {.tensors = {{"first", c}, {"second", d}}, .optimizer = &other});
  EXPECT_EQ(c.to_vector<float>(), a.to_vector<float>());
  EXPECT_EQ(other.steps_taken(), 1);
  EXPECT_EQ(other.state()[3].to_vector<float>(), optimizer.state()[3].to_vector<float>());
}

TEST_P(CheckpointTest, NamesTheFirstDifferenceAndChangesNothing) {
  const Folder folder;
  manual_seed(3);
  Training saved(2, device(), adam(), cosine(), 7);
  saved.run(2, false);
  checkpoint::save(folder.path("x"), saved.parts());
  Training training(2, device(), adam(), cosine(), 8);
  training.run(1, false);
  const std::string before = training.state();
  const float next = rand({}).item<float>();
  manual_seed(3);
  static_cast<void>(next);
  const auto fault = [&]<class E>(std::type_identity<E>, const checkpoint::Parts& parts,
                                  const checkpoint::LoadOptions& options = {}) {
    const std::string message = message_of<E>([&] { checkpoint::load(folder.path("x"), parts, options); });
    EXPECT_TRUE(training.state() == before);
    return message;
  };
  constexpr std::type_identity<ValueError> value;
  constexpr std::type_identity<ShapeError> shape;
  constexpr std::type_identity<DTypeError> dtype;
  const std::string head = "checkpoint.load: '" + folder.path("x") + "' differs: ";
  {
    Parameters three({.sets = 3, .device = device()});
    three.add("w", {3}, init::constant(0));
    three.add("layer.b", {}, init::constant(0));
    EXPECT_EQ(fault(shape, {.params = three}), head + "params/w: the file has shape (2, 3), here it is (3, 3)");
    EXPECT_EQ(three["w"].detach().abs().sum().item(), 0);
  }
  {
    Parameters more({.sets = 2, .device = device()});
    more.add("w", {3}, init::constant(0));
    more.add("c", {}, init::constant(0));
    EXPECT_EQ(fault(value, {.params = more}), head + "params/c: the file has no such tensor");
    const checkpoint::Loaded loaded = checkpoint::load(folder.path("x"), {.params = more}, {.strict = false});
    EXPECT_EQ(loaded.missing, (std::vector<std::string>{"params/c"}));
    EXPECT_EQ(loaded.unexpected, (std::vector<std::string>{"params/layer.b"}));
    EXPECT_EQ(more["w"].detach().to_vector<float>(), saved.w.detach().to_vector<float>());
  }
  {
    Parameters less({.sets = 2, .device = device()});
    less.add("w", {3}, init::constant(0));
    EXPECT_EQ(fault(value, {.params = less}), head + "params/layer.b: there is no such tensor here");
  }
  {
    Parameters wide({.sets = 2, .device = device(), .dtype = float64});
    wide.add("w", {3}, init::constant(0));
    wide.add("layer.b", {}, init::constant(0));
    EXPECT_EQ(fault(dtype, {.params = wide}), head + "params/w: the file has float32, here it is float64");
  }
  {
    Training other(2, device(), optimizer<AdamW>(AdamWOptions{}), cosine(), 8);
    EXPECT_EQ(fault(value, other.parts()), head + "optimizer: the file has Adam, here it is AdamW");
    EXPECT_EQ(fault(value, other.parts(), {.strict = false}), head + "optimizer: the file has Adam, here it is AdamW");
    Training decayed(2, device(), optimizer<Adam>(AdamOptions{.weight_decay = 0.1}), cosine(), 8);
    EXPECT_EQ(fault(value, decayed.parts()), head + "optimizer/weight_decay: the file has no such tensor");
    Training unscheduled(2, device(), adam(), none(), 8);
    checkpoint::save(folder.path("y"), unscheduled.parts());
    const std::string message = message_of<ValueError>([&] { checkpoint::load(folder.path("y"), training.parts()); });
    EXPECT_EQ(message, "checkpoint.load: '" + folder.path("y") +
                           "' differs: schedules: the file has (none), here it is CosineAnnealingLr");
    EXPECT_TRUE(training.state() == before);
  }
  {
    Monitor narrow({.keep_sets = 1, .progress = false});
    checkpoint::Parts parts = training.parts();
    parts.monitor = &narrow;
    EXPECT_EQ(fault(value, parts), head + "monitor: the file has keep_sets 2, here it is keep_sets 1");
    Monitor wide({.keep_sets = 5, .progress = false});
    parts.monitor = &wide;
    EXPECT_EQ(fault(value, parts), head + "monitor: the file has keep_sets 2, here it is keep_sets 5");
    Monitor one({.keep_sets = 2, .progress = false});
    one.record(ones({1}, on()));
    parts.monitor = &one;
    EXPECT_EQ(fault(value, parts), head + "monitor/sets: the file has losses of 2 sets, the monitor keeps 1");
    EXPECT_EQ(one.history().size(), 1U);
  }
  {
    Training apart(2, device(), adam(), none(), 8);
    checkpoint::Parts parts = training.parts();
    parts.params = apart.params;
    EXPECT_EQ(fault(value, parts), "checkpoint.load: the optimizer steps other parameters than the params given");
    parts = training.parts();
    parts.optimizer = nullptr;
    EXPECT_EQ(fault(value, parts), "checkpoint.load: a schedule is given without its optimizer");
    parts = apart.parts();
    parts.schedules = training.parts().schedules;
    EXPECT_EQ(fault(value, parts), "checkpoint.load: schedule 0 is not of the optimizer given");
  }
  save_file({{"w", ones({2})}}, folder.path("plain"));
  EXPECT_TRUE(has_words(message_of<IoError>([&] { checkpoint::load(folder.path("plain"), training.parts()); }),
                        {"'" + folder.path("plain") + "' is no checkpoint of luge"}));
  EXPECT_THROW(capture([&] { checkpoint::load(folder.path("x"), training.parts()); })(), CaptureError);
  EXPECT_THROW(capture([&] { checkpoint::save(folder.path("z"), training.parts()); })(), CaptureError);
}

TEST(Checkpoint, ADamagedFileIsRefusedWhereverTheDamageIs) {
  const Folder folder;
  Training training(2, Device::cpu(), adam(), cosine(), 7);
  training.run(2, false);
  checkpoint::save(folder.path("x"), training.parts(),
                   {.step = 2, .extra = {{"e", ones({2})}}, .notes = {{"n", "text"}}});
  const std::string whole = text_of(folder.path("x")), before = training.state();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string bad = whole;
    bad[at] = static_cast<char>(bad[at] ^ (1 << (at % 8)));
    write_text(folder.path("bad"), bad);
    EXPECT_THROW(checkpoint::load(folder.path("bad"), training.parts()), IoError) << "byte " << at;
  }
  for (std::size_t length = 0; length < whole.size(); length += 7) {
    write_text(folder.path("bad"), whole.substr(0, length));
    EXPECT_THROW(checkpoint::load(folder.path("bad"), training.parts()), IoError) << "cut at " << length;
  }
  EXPECT_TRUE(training.state() == before);
  EXPECT_NO_THROW(checkpoint::load(folder.path("x"), training.parts()));
}

TEST_P(CheckpointTest, SomeSetsAreLoadedAppendedAndReplaced) {
  const Folder folder;
  Training two(2, device(), adam(), none(), 7), three(3, device(), adam(), none(), 8);
  two.run(4, false);
  three.run(4, false);
  checkpoint::save(folder.path("two"), {.params = two.params, .optimizer = two.optimizer.get()});
  checkpoint::save(folder.path("three"), {.params = three.params, .optimizer = three.optimizer.get()});
  Training five(5, device(), adam(), none(), 9);
  const checkpoint::Parts parts{.params = five.params, .optimizer = five.optimizer.get()};
  checkpoint::load(folder.path("three"), parts, {.sets = {0, 1, 2}, .into_sets = {0, 1, 2}});
  checkpoint::load(folder.path("two"), parts, {.sets = {1, 0}, .into_sets = {3, 4}});
  const auto row = [](const Tensor& t, std::int64_t set) {
    return t.detach()[set].to(Device::cpu()).to_vector<float>();
  };
  const auto moments = [](Training& t) { return t.optimizer->named_state(); };
  for (std::int64_t set = 0; set < 5; ++set) {
    Training& from = set < 3 ? three : two;
    const std::int64_t source = set < 3 ? set : 4 - set;
    EXPECT_EQ(row(five.w, set), row(from.w, source));
    EXPECT_EQ(row(five.b, set), row(from.b, source));
    for (std::size_t i = 5; i < moments(five).size(); ++i)  // after step, lr, beta1, beta2 and epsilon
      EXPECT_EQ(row(moments(five)[i].second, set), row(moments(from)[i].second, source)) << moments(five)[i].first;
  }
  EXPECT_EQ(five.optimizer->steps_taken(), 4);
  five.run(1, false);
  const std::string before = five.state();
  const auto fault = [&]<class E>(std::type_identity<E>, const checkpoint::Parts& given,
                                  const checkpoint::LoadOptions& options) {
    const std::string message = message_of<E>([&] { checkpoint::load(folder.path("two"), given, options); });
    EXPECT_TRUE(five.state() == before);
    return message;
  };
  constexpr std::type_identity<ValueError> value;
  constexpr std::type_identity<IndexError> index;
  EXPECT_TRUE(has_words(fault(value, parts, {.sets = {0}, .into_sets = {0}}), {"has taken 4 steps, the one here 5"}));
  EXPECT_TRUE(
      has_words(fault(index, parts, {.sets = {2}, .into_sets = {0}}), {"set 2 of sets is out of range", "has 2 sets"}));
  EXPECT_TRUE(has_words(fault(index, parts, {.sets = {0}, .into_sets = {5}}), {"set 5 of into_sets", "5 sets"}));
  EXPECT_TRUE(has_words(fault(value, parts, {.sets = {0, 1}, .into_sets = {0}}), {"2 sets and 1 into_sets"}));
  EXPECT_TRUE(has_words(fault(value, parts, {.sets = {0, 1}, .into_sets = {1, 1}}), {"twice in into_sets"}));
  EXPECT_TRUE(has_words(fault(value, five.parts(), {.sets = {0}, .into_sets = {0}}), {"by sets"}));
  checkpoint::load(folder.path("two"), {.params = five.params}, {.sets = {0}, .into_sets = {2}});
  EXPECT_EQ(row(five.w, 2), row(two.w, 0));
}

/// In that order of making.
MakeSchedules warmup_then_decay() {
  return [](Optimizer& o) {
    auto warmup = std::make_unique<LinearLr>(o);
    return list(std::move(warmup), std::make_unique<ExponentialLr>(o, ExponentialLrOptions{.gamma = 0.9}));
  };
}

TEST_P(CheckpointTest, SchedulesMustBeOfTheSameKinds) {
  const Folder folder;
  const MakeSchedules two = warmup_then_decay();
  const MakeSchedules reversed = [](Optimizer& o) {
    auto decay = std::make_unique<ExponentialLr>(o, ExponentialLrOptions{.gamma = 0.9});
    return list(std::move(decay), std::make_unique<LinearLr>(o));
  };
  const MakeSchedules sequence = [](Optimizer& o) {
    auto warmup = std::make_unique<LinearLr>(o);
    auto decay = std::make_unique<StepLr>(o, StepLrOptions{.step_size = 3});
    auto both =
        std::make_unique<SequentialLr>(o, SequentialLrOptions{.schedulers = {*warmup, *decay}, .milestones = {4}});
    return list(std::move(both), std::move(warmup), std::move(decay));
  };
  Training saved(2, device(), adam(), two, 7);
  saved.run(3, false);
  checkpoint::save(folder.path("x"), saved.parts());
  const auto message = [&](const MakeSchedules& make) {
    Training other(2, device(), adam(), make, 8);
    const std::string before = other.state();
    const std::string text = message_of<ValueError>([&] { checkpoint::load(folder.path("x"), other.parts()); });
    EXPECT_TRUE(other.state() == before);
    return text;
  };
  const std::string head = "checkpoint.load: '" + folder.path("x") +
                           "' differs: schedules: the file has LinearLr, ExponentialLr, here it is ";
  EXPECT_EQ(message(reversed), head + "ExponentialLr, LinearLr");
  EXPECT_EQ(message(cosine()), head + "CosineAnnealingLr");
  EXPECT_EQ(message(sequence), head + "SequentialLr(LinearLr, StepLr)");
}

TEST_P(CheckpointTest, AChainGoesOnFromWhereItsPartsWere) {
  const Folder folder;
  const auto chained = [&](int before) {
    return [before](Optimizer& o) {
      auto warmup = std::make_unique<LinearLr>(o);
      auto decay = std::make_unique<StepLr>(o, StepLrOptions{.step_size = 3});
      for (int i = 0; i < before; ++i) decay->step();
      const std::vector<std::reference_wrapper<LrScheduler>> parts{*warmup, *decay};
      return list(std::make_unique<ChainedScheduler>(parts), std::move(warmup), std::move(decay));
    };
  };
  Training saved(2, device(), adam(), chained(2), 7), other(2, device(), adam(), chained(0), 8);
  saved.run(3, false);
  checkpoint::save(folder.path("x"), saved.parts());
  checkpoint::load(folder.path("x"), other.parts());
  for (Training* const training : {&saved, &other}) training->schedules[0]->step();
  EXPECT_EQ(other.optimizer->lr().item(), saved.optimizer->lr().item());
}

TEST_P(CheckpointTest, AnyScheduleOfTheOptimizerStandsForAll) {
  const Folder folder;
  const MakeSchedules two = warmup_then_decay();
  Training saved(2, device(), adam(), two, 7);
  saved.run(3, false);
  for (const std::vector<std::size_t>& given : {std::vector<std::size_t>{1}, {1, 0}}) {
    checkpoint::Parts parts = saved.parts();
    parts.schedules = {saved.schedules[0].get()};
    checkpoint::save(folder.path("x"), parts);
    Training other(2, device(), adam(), two, 8);
    parts = other.parts();
    parts.schedules.clear();
    for (const std::size_t i : given) parts.schedules.push_back(other.schedules[i].get());
    checkpoint::load(folder.path("x"), parts);
    EXPECT_TRUE(other.state() == saved.state());
  }
}

TEST_P(CheckpointTest, HyperparametersOfTheSetsComeWithThem) {
  const Folder folder;
  const auto rates = [](const Training& t) { return t.optimizer->lr().to(Device::cpu()).to_vector<float>(); };
  const auto with = [&](std::int64_t sets, const PerSet& lr, const PerSet& beta1 = 0.9) {
    return std::make_unique<Training>(sets, device(), optimizer<Adam>(AdamOptions{.lr = lr, .beta1 = beta1}), none(),
                                      7);
  };
  const auto parts = [](Training& t) { return checkpoint::Parts{.params = t.params, .optimizer = t.optimizer.get()}; };
  const auto save = [&](Training& t) { checkpoint::save(folder.path("x"), parts(t)); };
  const auto load = [&](Training& t, std::vector<std::int64_t> sets, std::vector<std::int64_t> into) {
    checkpoint::load(folder.path("x"), parts(t), {.sets = std::move(sets), .into_sets = std::move(into)});
  };
  save(*with(2, tensor({0.5, 0.25})));
  auto one = with(3, 1.0);
  load(*one, {1}, {2});  // one number becomes one for each
  EXPECT_EQ(rates(*one), (std::vector<float>{1, 1, 0.25}));
  one->run(1, false);
  save(*with(2, 0.5));
  auto each = with(3, tensor({1.0, 2.0, 3.0}));
  load(*each, {0, 1}, {0, 2});
  EXPECT_EQ(rates(*each), (std::vector<float>{0.5, 2, 0.5}));
  auto all = with(2, 1.0);
  load(*all, {1, 0}, {0, 1});  // all sets agree: one number stays one
  EXPECT_EQ(rates(*all), (std::vector<float>{0.5}));
  // Other hyperparameters keep their form, and then must not differ.
  auto other = with(3, 1.0, 0.5);
  const std::string before = other->state();
  EXPECT_EQ(message_of<ValueError>([&] { load(*other, {0}, {1}); }),
            "checkpoint.load: '" + folder.path("x") +
                "' differs: optimizer/beta1: all sets here have 0.5, the sets of the file have other values; give the "
                "optimizer one for each set");
  EXPECT_TRUE(other->state() == before);
  auto betas = with(3, 1.0, tensor({0.5, 0.5, 0.5}));
  load(*betas, {0}, {1});
  EXPECT_EQ(betas->optimizer->named_state()[2].first, "beta1");
  EXPECT_EQ(betas->optimizer->named_state()[2].second.to(Device::cpu()).to_vector<float>(),
            (std::vector<float>{0.5F, 0.9F, 0.5F}));
}

TEST_P(CheckpointTest, RefusesAnOptimizerOfOtherLeaves) {
  const Folder folder;
  const auto leaf = [&](double value) { return full({2}, value, on(float32, true)); };
  const Tensor a = leaf(1), b = leaf(2);
  Adam optimizer({a, b}, {});
  const std::string words =
      "the optimizer steps a tensor of shape (2,), its parameter '1', that is not among the params given";
  const checkpoint::Parts parts{.tensors = {{"first", a}, {"other", leaf(3)}}, .optimizer = &optimizer};
  EXPECT_EQ(message_of<ValueError>([&] { checkpoint::save(folder.path("x"), parts); }), "checkpoint.save: " + words);
  EXPECT_EQ(folder.files(), 0);
  checkpoint::save(folder.path("x"), {.tensors = {{"first", a}, {"second", b}}, .optimizer = &optimizer});
  EXPECT_EQ(message_of<ValueError>([&] { checkpoint::load(folder.path("x"), parts); }), "checkpoint.load: " + words);
  checkpoint::save(folder.path("x"), {.optimizer = &optimizer});  // of no params at all
  const Tensor c = leaf(3);
  Adam head({c}, {});
  checkpoint::save(folder.path("x"), {.tensors = {{"first", a}, {"second", c}}, .optimizer = &head});  // of some
}

TEST_P(CheckpointTest, AcceptRunsBeforeAnythingChanges) {
  const Folder folder;
  Training saved(2, device(), adam(), cosine(), 7), training(2, device(), adam(), cosine(), 8);
  saved.run(2, false);
  checkpoint::save(folder.path("x"), saved.parts(), {.step = 2, .notes = {{"place", "7"}}});
  const std::string before = training.state();
  const auto refuse = [](const checkpoint::Loaded& loaded) { throw ValueError(loaded.notes.at("place")); };
  EXPECT_EQ(message_of<ValueError>([&] { checkpoint::load(folder.path("x"), training.parts(), {.accept = refuse}); }),
            "7");
  EXPECT_TRUE(training.state() == before);
  const auto accept = [&](const checkpoint::Loaded&) { EXPECT_TRUE(training.state() == before); };
  checkpoint::load(folder.path("x"), training.parts(), {.accept = accept});
  EXPECT_TRUE(training.state() == saved.state());
}

TEST(Checkpoint, KeepsTheLastAndTheBest) {
  const Folder folder;
  Training training(2, Device::cpu(), adam(), none(), 7);
  const std::string path = folder.path("run-{step}.safetensors");
  EXPECT_FALSE(checkpoint::latest(path));
  const double metrics[] = {3, 2, 5, std::numeric_limits<double>::quiet_NaN(), 2, 7};
  for (std::int64_t i = 0; i < 6; ++i)
    EXPECT_EQ(checkpoint::save(path, training.parts(), {.step = i * 5, .keep = 2, .metric = metrics[i]}),
              folder.path("run-" + std::to_string(i * 5) + ".safetensors"));
  EXPECT_EQ(checkpoint::latest(path), folder.path("run-25.safetensors"));
  EXPECT_EQ(folder.files(), 3);
  EXPECT_TRUE(std::filesystem::exists(folder.path("run-20.safetensors")));
  const checkpoint::Loaded best = checkpoint::load(folder.path("run-best.safetensors"), training.parts());
  EXPECT_EQ(best.step, 5);
  EXPECT_EQ(best.metric, 2);
  EXPECT_TRUE(
      has_words(message_of<ValueError>([&] { checkpoint::save(folder.path("x"), training.parts(), {.keep = 2}); }),
                {"keep is given", "{step}"}));
  EXPECT_TRUE(has_words(message_of<ValueError>([&] { checkpoint::save(path, training.parts(), {.keep = -1}); }),
                        {"keep is -1"}));
  EXPECT_TRUE(has_words(message_of<ValueError>([&] { checkpoint::save(path, training.parts(), {.step = -1}); }),
                        {"step is -1"}));
}

TEST(Checkpoint, TheBestMayHaveALongNameOrBeALink) {
  const Folder folder;
  const std::string stem(240, 'n');
  for (const double metric : {2.0, 1.0, 3.0})
    checkpoint::save(folder.path(stem + "{step}"), {}, {.step = static_cast<std::int64_t>(metric), .metric = metric});
  EXPECT_EQ(checkpoint::load(folder.path(stem + "best"), {}).metric, 1);
  EXPECT_EQ(folder.files(), 4);
  std::filesystem::create_symlink("aside", folder.path("best"));
  checkpoint::save(folder.path("{step}"), {}, {.metric = 5});
  checkpoint::save(folder.path("{step}"), {}, {.metric = 4});
  EXPECT_TRUE(std::filesystem::is_symlink(folder.path("best")));
  EXPECT_EQ(checkpoint::load(folder.path("aside"), {}).metric, 4);
  EXPECT_EQ(folder.files(), 7);
}

TEST(Checkpoint, KeepsWhatWasJustWrittenAndNoOtherNames) {
  const Folder folder;
  const std::string path = folder.path("run-{step}");
  checkpoint::save(path, {}, {.step = 300, .keep = 1});
  write_text(folder.path("run-0099"), "somebody's");
  const std::string written = checkpoint::save(path, {}, {.step = 10, .keep = 1});
  EXPECT_EQ(checkpoint::load(written, {}).step, 10);
  EXPECT_EQ(checkpoint::latest(path), written);
  EXPECT_TRUE(std::filesystem::exists(folder.path("run-0099")));
  EXPECT_FALSE(std::filesystem::exists(folder.path("run-300")));
}

TEST(Checkpoint, RefusesTensorsThatCannotBeWrittenInPlace) {
  const Folder folder;
  checkpoint::save(folder.path("x"), {.tensors = {{"a", ones({2})}, {"e", ones({3})}}});
  const Tensor a = zeros({2});
  const checkpoint::Parts parts{.tensors = {{"a", a}, {"e", ones({1}).expand({3})}}};
  EXPECT_TRUE(has_words(message_of<ValueError>([&] { checkpoint::load(folder.path("x"), parts); }),
                        {"checkpoint.load: tensor 'e' of shape ", "repeats its elements"}));
  EXPECT_EQ(a.sum().item(), 0);
}

TEST_P(CheckpointTest, SavesWhatWasThereWhenTheTrainingGoesOn) {
  const Folder folder;
  Training training(100, device(), adam(), cosine(), 7);
  training.run(3, false);
  const std::string before = training.state();
  checkpoint::PendingSave pending = checkpoint::save_async(folder.path("x"), training.parts(), {.step = 3});
  training.run(5, true);
  EXPECT_EQ(pending.wait(), folder.path("x"));
  EXPECT_TRUE(pending.is_done());
  Training other(100, device(), adam(), cosine(), 8);
  EXPECT_EQ(checkpoint::load(folder.path("x"), other.parts()).step, 3);
  EXPECT_TRUE(other.state() == before);
  checkpoint::PendingSave lost = checkpoint::save_async(folder.path("absent/x"), training.parts());
  EXPECT_TRUE(
      has_words(message_of<IoError>([&] { lost.wait(); }), {"checkpoint.save_async: cannot write", "No such file"}));
  EXPECT_THROW(lost.wait(), IoError);  // as often as it is asked
}

TEST(CheckpointThread, ManySavesRunBehindOneTraining) {
  const Folder folder;
  Training training(50, Device::cpu(), adam(), cosine(), 7);
  std::vector<checkpoint::PendingSave> pending;
  std::vector<std::string> states;
  for (int i = 0; i < 8; ++i) {
    training.run(2, false);
    states.push_back(training.state());
    pending.push_back(checkpoint::save_async(folder.path("{step}"), training.parts(), {.step = i}));
  }
  for (int i = 0; i < 8; ++i) {
    Training other(50, Device::cpu(), adam(), cosine(), 8);
    checkpoint::load(pending[static_cast<std::size_t>(i)].wait(), other.parts());
    EXPECT_TRUE(other.state() == states[static_cast<std::size_t>(i)]) << i;
  }
}

TEST_P(CheckpointTest, ALoaderGoesOnWhereItWas) {
  const Folder folder;
  const LabelledImages samples{randn({10, 4}), arange(10)};
  const Batches batches(samples, {.batch = 3, .seed = 5, .device = device()});
  BatchStream whole(batches);
  std::vector<std::vector<std::int64_t>> labels;
  for (int i = 0; i < 11; ++i) labels.push_back(whole.next().labels.to_vector<std::int64_t>());
  EXPECT_EQ(labels[3].size(), 1U);
  EXPECT_EQ(whole.epoch(), 2);
  EXPECT_EQ(whole.index(), 3);
  for (const int cut : {0, 3, 4, 9}) {
    BatchStream first(batches), second(batches);
    for (int i = 0; i < cut; ++i) first.next();
    checkpoint::save(folder.path("x"), {.loader = &first});
    checkpoint::load(folder.path("x"), {.loader = &second});
    for (std::size_t i = static_cast<std::size_t>(cut); i < labels.size(); ++i)
      EXPECT_EQ(second.next().labels.to_vector<std::int64_t>(), labels[i]);
  }
  BatchStream other(Batches(samples, {.batch = 4, .seed = 5, .device = device()}));
  EXPECT_TRUE(has_words(message_of<ValueError>([&] { checkpoint::load(folder.path("x"), {.loader = &other}); }),
                        {"a loader whose batch is 3; here it is 4"}));
  EXPECT_TRUE(has_words(message_of<ValueError>([&] { other.seek(0, 3); }), {"epoch 0 and index 3", "0 to 2"}));
  checkpoint::save(folder.path("x"), {});
  EXPECT_TRUE(has_words(message_of<ValueError>([&] { checkpoint::load(folder.path("x"), {.loader = &other}); }),
                        {"loader: the file has none"}));
}

}  // namespace
}  // namespace luge::test
