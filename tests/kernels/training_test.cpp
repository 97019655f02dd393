// Optimizer steps, clipping and the record of losses.

#include "backend_fixture.h"
#include "train/reference.h"

namespace luge::test {
namespace {

/// An arena of a few parameters with gaps, and what each set has.
struct Arena {
  std::int64_t sets;
  std::vector<std::int64_t> offset, per_set;
  std::int64_t size = 0;

  Arena(std::int64_t s, std::vector<std::int64_t> lengths) : sets(s), per_set(std::move(lengths)) {
    for (const std::int64_t n : per_set) {
      offset.push_back(size);
      size += (sets * n + 63) / 64 * 64;
    }
  }
  /// The layout's tables, on host and device.
  ArenaLayout layout(DeviceArray& table) const {
    return {.sets = sets,
            .parameters = static_cast<int>(offset.size()),
            .size = size,
            .offset = offset.data(),
            .per_set = per_set.data(),
            .device_table = static_cast<const std::int64_t*>(table.data())};
  }
  Array table() const {
    Array result(int64, static_cast<std::int64_t>(2 * offset.size()));
    for (std::size_t p = 0; p < offset.size(); ++p) {
      result.set(static_cast<std::int64_t>(p), static_cast<double>(offset[p]));
      result.set(static_cast<std::int64_t>(offset.size() + p), static_cast<double>(per_set[p]));
    }
    return result;
  }
  template <class F>
  void each(F visit) const {
    for (std::size_t p = 0; p < offset.size(); ++p)
      for (std::int64_t s = 0; s < sets; ++s)
        for (std::int64_t i = 0; i < per_set[p]; ++i) visit(s, offset[p] + s * per_set[p] + i);
  }
};

struct Settings {
  UpdateRule rule;
  bool maximize = false, per_set = false;
  bool idle = false;  ///< every third set stands still
};

/// The reference's name of a rule, and what chooses it among the rules of its optimizer.
struct Choice {
  Rule rule;
  bool has_momentum = false, nesterov = false, centered = false, amsgrad = false, decoupled = false;
};
Choice choice_of(UpdateRule rule) {
  switch (rule) {
    case UpdateRule::Sgd: return {Rule::Sgd};
    case UpdateRule::MomentumSgd: return {Rule::Sgd, true};
    case UpdateRule::NesterovSgd: return {Rule::Sgd, true, true};
    case UpdateRule::Adam: return {Rule::Adam};
    case UpdateRule::AdamW: return {Rule::AdamW};
    case UpdateRule::AmsgradAdam: return {.rule = Rule::Adam, .amsgrad = true};
    case UpdateRule::AmsgradAdamW: return {.rule = Rule::AdamW, .amsgrad = true};
    case UpdateRule::RmsProp: return {Rule::RmsProp};
    case UpdateRule::CenteredRmsProp: return {Rule::RmsProp, false, false, true};
    case UpdateRule::MomentumRmsProp: return {Rule::RmsProp, true};
    case UpdateRule::CenteredMomentumRmsProp: return {Rule::RmsProp, true, false, true};
    case UpdateRule::Adagrad: return {Rule::Adagrad};
    case UpdateRule::Adadelta: return {Rule::Adadelta};
    case UpdateRule::Adamax: return {Rule::Adamax};
    case UpdateRule::NAdam: return {Rule::NAdam};
    case UpdateRule::DecoupledNAdam: return {.rule = Rule::NAdam, .decoupled = true};
    case UpdateRule::RAdam: return {Rule::RAdam};
    case UpdateRule::DecoupledRAdam: return {.rule = Rule::RAdam, .decoupled = true};
    case UpdateRule::Asgd: return {Rule::Asgd};
    case UpdateRule::Rprop: return {Rule::Rprop};
    case UpdateRule::Lion: return {Rule::Lion};
  }
  return {Rule::Sgd};
}

/// Which hyperparameter of a rule is which number of the reference.
std::vector<double Numbers::*> hypers_of(UpdateRule rule) {
  using N = Numbers;
  switch (choice_of(rule).rule) {
    case Rule::Sgd: return {&N::lr, &N::weight_decay, &N::momentum, &N::dampening};
    case Rule::Adam:
    case Rule::Adamax:
    case Rule::RAdam:
    case Rule::AdamW: return {&N::lr, &N::weight_decay, &N::beta1, &N::beta2, &N::epsilon};
    case Rule::RmsProp: return {&N::lr, &N::weight_decay, &N::alpha, &N::epsilon, &N::momentum};
    case Rule::Adagrad: return {&N::lr, &N::weight_decay, &N::lr_decay, &N::epsilon};
    case Rule::Adadelta: return {&N::lr, &N::weight_decay, &N::rho, &N::epsilon};
    case Rule::NAdam: return {&N::lr, &N::weight_decay, &N::beta1, &N::beta2, &N::epsilon, &N::momentum_decay};
    case Rule::Asgd: return {&N::lr, &N::weight_decay, &N::lambd, &N::power, &N::t0};
    case Rule::Rprop:
      return {&N::lr, &N::weight_decay, &N::eta_minus, &N::eta_plus, &N::step_min, &N::step_max};
    case Rule::Lion: return {&N::lr, &N::weight_decay, &N::beta1, &N::beta2};
  }
  return {};
}

/// What set s is trained with; numbers that all sets share are those of set 0.
Numbers numbers_of(const Settings& x, std::int64_t s) {
  const Choice choice = choice_of(x.rule);
  const double at = x.per_set ? static_cast<double>(s % 17) / 17 : 0;
  return {.lr = 0.01 + 0.1 * at,
          .momentum = choice.has_momentum ? 0.5 + 0.4 * at : 0,
          .dampening = 0.1 + 0.3 * at,
          .weight_decay = 0.01 + 0.02 * at,
          .beta1 = 0.8 + 0.15 * at,
          .beta2 = 0.9 + 0.09 * at,
          .epsilon = 1e-6 + 1e-3 * at,
          .alpha = 0.85 + 0.1 * at,
          .lr_decay = 0.1 + 0.2 * at,
          .nesterov = choice.nesterov,
          .centered = choice.centered,
          .maximize = x.maximize,
          .amsgrad = choice.amsgrad,
          .decoupled = choice.decoupled,
          .rho = 0.8 + 0.15 * at,
          .momentum_decay = 0.1 + 0.2 * at,
          .lambd = 0.1 + 0.2 * at,
          .power = 0.5 + 0.4 * at,
          .t0 = at < 0.5 ? 0.0 : 1e6,
          .eta_minus = 0.4 + 0.2 * at,
          .eta_plus = 1.1 + 0.3 * at,
          .step_min = 0.004 + 0.002 * at,
          .step_max = 0.02 + 0.2 * at};
}

class UpdateTest : public BackendTest {
 protected:
  static constexpr int kSteps = 4;

  /// kSteps steps with fixed random gradients; the values afterwards. The numbers are those of the sets from first_set on.
  Array train(const Arena& arena, DType dtype, const Settings& x, const Array& start, const std::vector<Array>& grads,
              std::int64_t first_set = 0) {
    Array zero(dtype, arena.size), one(int64, 1), flags(dtype, arena.sets);
    DeviceArray table(backend(), arena.table()), value(backend(), start), steps(backend(), one);
    for (std::int64_t s = 0; s < arena.sets; ++s) flags.set(s, is_idle(x, first_set + s) ? 0 : 1);
    DeviceArray active(backend(), flags);
    std::vector<std::unique_ptr<DeviceArray>> states, hypers;
    for (int s = 0; s < traits(x.rule).states; ++s) states.push_back(std::make_unique<DeviceArray>(backend(), zero));
    const std::int64_t stride = x.per_set ? 1 : 0;
    for (double Numbers::*const member : hypers_of(x.rule)) {
      Array values(dtype, x.per_set ? arena.sets : 1);
      for (std::int64_t s = 0; s < values.count(); ++s) values.set(s, numbers_of(x, first_set + s).*member);
      hypers.push_back(std::make_unique<DeviceArray>(backend(), values));
    }
    for (const Array& grad : grads) {
      DeviceArray g(backend(), grad);
      Update call;
      call.rule = x.rule;
      call.dtype = dtype;
      call.layout = arena.layout(table);
      call.value = value.data();
      call.grad = g.data();
      for (std::size_t s = 0; s < states.size(); ++s) call.state[s] = states[s]->data();
      call.steps = static_cast<std::int64_t*>(steps.data());
      for (std::size_t h = 0; h < hypers.size(); ++h) call.hyper[h] = {hypers[h]->data(), stride};
      if (x.idle) call.hyper[Update::kActive] = {active.data(), 1};
      call.maximize = x.maximize;
      backend().run(call);
    }
    EXPECT_EQ(steps.download().at<std::int64_t>(0), static_cast<std::int64_t>(grads.size()));
    return value.download();
  }

  static bool is_idle(const Settings& x, std::int64_t set) { return x.idle && set % 3 == 1; }

  static std::vector<Settings> all_settings() {
    std::vector<Settings> result;
    const UpdateRule rules[] = {
#define LUGE_ROW(Rule, ...) UpdateRule::Rule,
        LUGE_UPDATE_RULES(LUGE_ROW)
#undef LUGE_ROW
    };
    for (const UpdateRule rule : rules)
      for (const bool per_set : {false, true})
        for (const bool maximize : {false, true})
          result.push_back({.rule = rule, .maximize = maximize, .per_set = per_set, .idle = maximize});
    return result;
  }
};
LUGE_ON_EVERY_DEVICE(UpdateTest);

TEST_P(UpdateTest, FollowsTheRules) {
  for (const DType dtype : {float32, float64}) {
    for (const Arena& arena : {Arena(1, {1, 7, 1000}), Arena(5, {1, 3, 63, 64, 200}), Arena(700, {1, 2, 17})}) {
      for (const Settings& x : all_settings()) {
        Chooser choose(2);
        Array start(dtype, arena.size);
        std::vector<Array> grads(kSteps, start);
        arena.each([&](std::int64_t, std::int64_t i) {
          start.set(i, choose.uniform(-1, 1));
          for (Array& grad : grads) grad.set(i, choose.uniform(-1, 1));
        });
        const Array result = train(arena, dtype, x, start, grads);
        std::vector<bool> parameter(static_cast<std::size_t>(arena.size), false);
        arena.each([&](std::int64_t s, std::int64_t i) {
          parameter[static_cast<std::size_t>(i)] = true;
          Element element{start.get(i)};
          for (const Array& grad : grads)
            if (!is_idle(x, s)) element.step(choice_of(x.rule).rule, numbers_of(x, s), grad.get(i));
          // Adam divides two small numbers: near a second moment of zero its step is as inexact as the first. A
          // variance is a small difference of two numbers in the same way.
          ASSERT_TRUE(close(result.get(i), element.value, 200 * epsilon(dtype)))
              << "rule " << static_cast<int>(x.rule) << " set " << s << ": " << result.get(i) << " instead of "
              << element.value;
        });
        for (std::int64_t i = 0; i < arena.size; ++i)
          ASSERT_TRUE(parameter[static_cast<std::size_t>(i)] || result.get(i) == 0) << "padding changed at " << i;
      }
    }
  }
}

TEST_P(UpdateTest, ASetHasTheBitsItHasAlone) {
  constexpr std::int64_t kSets = 100;
  for (const Settings& x : all_settings()) {
    for (const std::int64_t length : {std::int64_t{1}, std::int64_t{5}, std::int64_t{130}}) {
      const Arena arena(kSets, {length, 2}), single(1, {length, 2});
      Chooser choose(2);
      Array start(float32, arena.size);
      std::vector<Array> grads(kSteps, start);
      arena.each([&](std::int64_t, std::int64_t i) {
        start.set(i, choose.uniform(-1, 1));
        for (Array& grad : grads) grad.set(i, choose.uniform(-1, 1));
      });
      const Array together = train(arena, float32, x, start, grads);
      for (const std::int64_t s : {std::int64_t{0}, std::int64_t{13}, std::int64_t{99}}) {
        const auto part = [&](const Array& from) {
          Array to(float32, single.size);
          for (std::size_t p = 0; p < 2; ++p)
            for (std::int64_t i = 0; i < single.per_set[p]; ++i)
              to.set(single.offset[p] + i, from.get(arena.offset[p] + s * arena.per_set[p] + i));
          return to;
        };
        std::vector<Array> own_grads;
        for (const Array& grad : grads) own_grads.push_back(part(grad));
        const Array alone = train(single, float32, x, part(start), own_grads, s), expected = part(together);
        for (std::int64_t i = 0; i < single.size; ++i)
          ASSERT_TRUE(alone.same_bits(i, expected, i)) << "set " << s << " element " << i;
      }
    }
  }
}

class ClipNormTest : public BackendTest {};
LUGE_ON_EVERY_DEVICE(ClipNormTest);

TEST_P(ClipNormTest, ScalesEachSetByItsNorm) {
  for (const DType dtype : {float32, float64}) {
    for (const Arena& arena :
         {Arena(1, {3, 20000}), Arena(40, {1, 5, 300}), Arena(3, {4095, 1, 4097, 8192}), Arena(500, {1, 3}),
          Arena(5, {1, 3001}), Arena(2, {64, 1})}) {
      for (const bool per_set : {false, true}) {
        Array grad(dtype, arena.size), most(dtype, per_set ? arena.sets : 1);
        Chooser choose(1);
        arena.each([&](std::int64_t, std::int64_t i) { grad.set(i, choose.uniform(-1, 1)); });
        choose.fill(most, 1, 20);
        DeviceArray table(backend(), arena.table()), g(backend(), grad), m(backend(), most),
            norm(backend(), Array(dtype, arena.sets));
        ClipNorm call;
        call.dtype = dtype;
        call.layout = arena.layout(table);
        call.grad = g.data();
        call.norm = norm.data();
        call.max_norm = {m.data(), per_set ? 1 : 0};
        backend().run(call);
        std::vector<long double> squares(static_cast<std::size_t>(arena.sets), 0);
        arena.each([&](std::int64_t s, std::int64_t i) {
          squares[static_cast<std::size_t>(s)] += static_cast<long double>(grad.get(i)) * grad.get(i);
        });
        const Array norms = norm.download(), result = g.download();
        arena.each([&](std::int64_t s, std::int64_t i) {
          const auto exact = static_cast<double>(std::sqrt(squares[static_cast<std::size_t>(s)]));
          ASSERT_NEAR(norms.get(s), exact, 4 * epsilon(dtype) * exact);
          const double factor = std::min(1.0, most.get(per_set ? s : 0) / (exact + 1e-6));
          ASSERT_NEAR(result.get(i), grad.get(i) * factor, 8 * epsilon(dtype));
        });
      }
    }
  }
}

/// A set within its limit keeps its bits, a norm of NaN makes all of its set NaN, and what lies between parameters is
/// left alone.
TEST_P(ClipNormTest, TouchesNothingButSetsBeyondTheirLimit) {
  for (const Arena& arena : {Arena(1, {3, 20000}), Arena(3, {4095, 3001}), Arena(30, {1, 5, 300}), Arena(30, {1, 2})}) {
    for (std::int64_t beyond = -1; beyond < arena.sets; beyond += 2) {  // this set alone
      Array grad(float32, arena.size), most(float32, arena.sets);
      Chooser choose(1);
      for (std::int64_t i = 0; i < arena.size; ++i) grad.set(i, 7);
      arena.each([&](std::int64_t, std::int64_t i) { grad.set(i, choose.uniform(-1, 1)); });
      for (std::int64_t s = 0; s < arena.sets; ++s) most.set(s, s == beyond ? 0.01 : 1000);
      if (beyond == 1)
        arena.each([&](std::int64_t s, std::int64_t i) {
          if (s == 1) grad.set(i, std::numeric_limits<double>::quiet_NaN());
        });
      DeviceArray table(backend(), arena.table()), g(backend(), grad), m(backend(), most),
          norm(backend(), Array(float32, arena.sets));
      ClipNorm call;
      call.dtype = float32;
      call.layout = arena.layout(table);
      call.grad = g.data();
      call.norm = norm.data();
      call.max_norm = {m.data(), 1};
      backend().run(call);
      const Array result = g.download();
      std::vector<bool> changes(static_cast<std::size_t>(arena.size), false);
      arena.each([&](std::int64_t s, std::int64_t i) { changes[static_cast<std::size_t>(i)] = s == beyond; });
      for (std::int64_t i = 0; i < arena.size; ++i) {
        if (!changes[static_cast<std::size_t>(i)])
          ASSERT_TRUE(result.same_bits(i, grad, i)) << "element " << i;
        else if (beyond == 1)
          ASSERT_TRUE(std::isnan(result.get(i))) << "element " << i;
        else
          ASSERT_LE(std::abs(result.get(i)), 0.011) << "element " << i;
      }
    }
  }
}

class RecordTest : public BackendTest {};
LUGE_ON_EVERY_DEVICE(RecordTest);

TEST_P(RecordTest, SummarisesFiniteLosses) {
  constexpr std::int64_t kCapacity = 3, kKept = 5;
  for (const DType dtype : {float32, float64}) {
    for (const std::int64_t n : {std::int64_t{2}, std::int64_t{100}, std::int64_t{30000}}) {
      Array counter(int64, 1);
      DeviceArray count(backend(), counter);
      auto* const ring = static_cast<LossSummary*>(backend().allocate_host_visible(sizeof(LossSummary) * kCapacity));
      auto* const rows = static_cast<double*>(backend().allocate_host_visible(sizeof(double) * kCapacity * kKept));
      for (int step = 0; step < 5; ++step) {
        Array losses(dtype, n);
        Chooser choose(static_cast<std::uint64_t>(step));
        choose.fill(losses, -2, 6);
        if (step == 1) losses.set(n - 1, std::numeric_limits<double>::quiet_NaN());
        if (step == 2) losses.set(0, std::numeric_limits<double>::infinity());
        if (step == 4)
          for (std::int64_t i = 0; i < n; ++i) losses.set(i, std::numeric_limits<double>::quiet_NaN());
        DeviceArray l(backend(), losses);
        Record call;
        call.losses = l.operand();
        call.n = n;
        call.ring = ring;
        call.rows = rows;
        call.kept = kKept;
        call.capacity = kCapacity;
        call.counter = static_cast<std::int64_t*>(count.data());
        backend().run(call);
        backend().synchronize();
        const LossSummary& summary = ring[step % kCapacity];
        double sum = 0, low = std::numeric_limits<double>::infinity(), high = -low;
        std::int64_t finite = 0;
        for (std::int64_t i = 0; i < n; ++i) {
          const double x = losses.get(i);
          if (!std::isfinite(x)) continue;
          sum += x, low = std::min(low, x), high = std::max(high, x), ++finite;
        }
        EXPECT_EQ(summary.sequence, step + 1);
        EXPECT_EQ(summary.not_finite, n - finite);
        if (finite == 0) {
          EXPECT_TRUE(std::isnan(summary.mean) && std::isnan(summary.min) && std::isnan(summary.max));
        } else {
          EXPECT_NEAR(summary.mean, sum / static_cast<double>(finite), 1e-12);
          EXPECT_EQ(summary.min, low);
          EXPECT_EQ(summary.max, high);
        }
        for (std::int64_t i = 0; i < std::min(n, kKept); ++i)
          EXPECT_TRUE(close(rows[step % kCapacity * kKept + i], losses.get(i), 0)) << step;
      }
      backend().free_host_visible(ring, sizeof(LossSummary) * kCapacity);
      backend().free_host_visible(rows, sizeof(double) * kCapacity * kKept);
    }
  }
}

/// More losses than one warp's 1024 chunks hold: several groups, and zero again where they are counted.
TEST_P(RecordTest, SummarisesAMillionLosses) {
  constexpr std::int64_t kManyLosses = std::int64_t{1024} * 1024 + 1500;
  DeviceArray count(backend(), Array(int64, 1));
  auto* const ring = static_cast<LossSummary*>(backend().allocate_host_visible(sizeof(LossSummary)));
  Array losses(float32, kManyLosses);
  Chooser choose(8);
  choose.fill(losses, -2, 6);
  losses.set(kManyLosses - 1, -7);
  losses.set(1024, std::numeric_limits<double>::quiet_NaN());
  double sum = 0;
  for (std::int64_t i = 0; i < kManyLosses; ++i)
    if (i != 1024) sum += losses.get(i);
  DeviceArray l(backend(), losses);
  for (int step = 0; step < 2; ++step) {
    Record call;
    call.losses = l.operand();
    call.n = kManyLosses;
    call.ring = ring;
    call.rows = nullptr;
    call.kept = 0;
    call.capacity = 1;
    call.counter = static_cast<std::int64_t*>(count.data());
    backend().run(call);
    backend().synchronize();
    EXPECT_EQ(ring->sequence, step + 1);
    EXPECT_EQ(ring->not_finite, 1);
    EXPECT_NEAR(ring->mean, sum / static_cast<double>(kManyLosses - 1), 1e-9);
    EXPECT_EQ(ring->min, -7);
  }
  backend().free_host_visible(ring, sizeof(LossSummary));
}

}  // namespace
}  // namespace luge::test
