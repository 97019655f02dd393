// Optimizer steps, clipping and the record of losses.

#include "backend_fixture.h"

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
  bool momentum = false, nesterov = false, maximize = false, per_set = false;
};

/// Hyperparameters, one value or one per set.
struct Hypers {
  Array lr, momentum, dampening, decay, beta1, beta2, epsilon;

  Hypers(DType dtype, std::int64_t sets, bool per_set)
      : lr(dtype, per_set ? sets : 1), momentum(lr), dampening(lr), decay(lr), beta1(lr), beta2(lr), epsilon(lr) {
    for (std::int64_t i = 0; i < lr.count(); ++i) {
      const double x = static_cast<double>(i % 17) / 17;
      lr.set(i, 0.01 + 0.1 * x);
      momentum.set(i, 0.5 + 0.4 * x);
      dampening.set(i, 0.3 * x);
      decay.set(i, 0.02 * x);
      beta1.set(i, 0.8 + 0.15 * x);
      beta2.set(i, 0.9 + 0.09 * x);
      epsilon.set(i, 1e-6 + 1e-3 * x);
    }
  }
};

/// torch.optim's update of one element, in float64.
struct Element {
  double p, m = 0, v = 0;

  void step(const Settings& x, const Hypers& h, std::int64_t s, double g, int t) {
    const double lr = h.lr.get(s), decay = h.decay.get(s);
    if (x.maximize) g = -g;
    if (x.rule == UpdateRule::Sgd) {
      g += decay * p;
      if (x.momentum) {
        const double mu = h.momentum.get(s);
        m = t == 1 ? g : mu * m + (1 - h.dampening.get(s)) * g;
        g = x.nesterov ? g + mu * m : m;
      }
      p -= lr * g;
      return;
    }
    const double b1 = h.beta1.get(s), b2 = h.beta2.get(s);
    if (x.rule == UpdateRule::AdamW)
      p -= lr * decay * p;
    else
      g += decay * p;
    m = b1 * m + (1 - b1) * g;
    v = b2 * v + (1 - b2) * g * g;
    p -= lr * (m / (1 - std::pow(b1, t))) / (std::sqrt(v / (1 - std::pow(b2, t))) + h.epsilon.get(s));
  }
};

class UpdateTest : public BackendTest {
 protected:
  static constexpr int kSteps = 4;

  /// kSteps steps with fixed random gradients; the values afterwards.
  Array train(const Arena& arena, DType dtype, const Settings& x, const Array& start, const std::vector<Array>& grads,
              const Hypers& h) {
    Array zero(dtype, arena.size), one(int64, 1);
    DeviceArray table(backend(), arena.table()), value(backend(), start), first(backend(), zero),
        second(backend(), zero), steps(backend(), one);
    DeviceArray lr(backend(), h.lr), momentum(backend(), h.momentum), dampening(backend(), h.dampening),
        decay(backend(), h.decay), beta1(backend(), h.beta1), beta2(backend(), h.beta2), epsilon(backend(), h.epsilon);
    const std::int64_t stride = h.lr.count() > 1 ? 1 : 0;
    for (const Array& grad : grads) {
      DeviceArray g(backend(), grad);
      Update call;
      call.rule = x.rule;
      call.dtype = dtype;
      call.layout = arena.layout(table);
      call.value = value.data();
      call.grad = g.data();
      const bool adam = x.rule != UpdateRule::Sgd;
      call.first = adam || x.momentum ? first.data() : nullptr;
      call.second = adam ? second.data() : nullptr;
      call.steps = static_cast<std::int64_t*>(steps.data());
      call.lr = {lr.data(), stride};
      call.weight_decay = {decay.data(), stride};
      call.momentum = {momentum.data(), stride};
      call.dampening = {dampening.data(), stride};
      call.beta1 = {beta1.data(), stride};
      call.beta2 = {beta2.data(), stride};
      call.epsilon = {epsilon.data(), stride};
      call.nesterov = x.nesterov;
      call.maximize = x.maximize;
      backend().run(call);
    }
    EXPECT_EQ(steps.download().at<std::int64_t>(0), static_cast<std::int64_t>(grads.size()));
    return value.download();
  }

  static std::vector<Settings> all_settings() {
    std::vector<Settings> result;
    for (const bool per_set : {false, true}) {
      for (const bool maximize : {false, true}) {
        for (const UpdateRule rule : {UpdateRule::Sgd, UpdateRule::Adam, UpdateRule::AdamW})
          result.push_back({.rule = rule, .maximize = maximize, .per_set = per_set});
        result.push_back({.rule = UpdateRule::Sgd, .momentum = true, .maximize = maximize, .per_set = per_set});
        result.push_back(
            {.rule = UpdateRule::Sgd, .momentum = true, .nesterov = true, .maximize = maximize, .per_set = per_set});
      }
    }
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
        const Hypers hypers(dtype, arena.sets, x.per_set);
        const Array result = train(arena, dtype, x, start, grads, hypers);
        std::vector<bool> parameter(static_cast<std::size_t>(arena.size), false);
        arena.each([&](std::int64_t s, std::int64_t i) {
          parameter[static_cast<std::size_t>(i)] = true;
          Element element{start.get(i)};
          for (int t = 1; t <= kSteps; ++t)
            element.step(x, hypers, x.per_set ? s : 0, grads[static_cast<std::size_t>(t - 1)].get(i), t);
          // Adam divides two small numbers: near a second moment of zero its step is as inexact as the first.
          ASSERT_TRUE(close(result.get(i), element.p, 200 * epsilon(dtype)))
              << "rule " << static_cast<int>(x.rule) << " set " << s << ": " << result.get(i) << " instead of "
              << element.p;
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
      const Hypers hypers(float32, kSets, x.per_set);
      const Array together = train(arena, float32, x, start, grads, hypers);
      for (const std::int64_t s : {std::int64_t{0}, std::int64_t{13}, std::int64_t{99}}) {
        Hypers own(float32, 1, false);
        if (x.per_set) {
          const auto take = [&](Array& to, const Array& from) { to.set(0, from.get(s)); };
          take(own.lr, hypers.lr), take(own.momentum, hypers.momentum), take(own.dampening, hypers.dampening),
              take(own.decay, hypers.decay);
          take(own.beta1, hypers.beta1), take(own.beta2, hypers.beta2), take(own.epsilon, hypers.epsilon);
        }
        const auto part = [&](const Array& from) {
          Array to(float32, single.size);
          for (std::size_t p = 0; p < 2; ++p)
            for (std::int64_t i = 0; i < single.per_set[p]; ++i)
              to.set(single.offset[p] + i, from.get(arena.offset[p] + s * arena.per_set[p] + i));
          return to;
        };
        std::vector<Array> own_grads;
        for (const Array& grad : grads) own_grads.push_back(part(grad));
        const Array alone = train(single, float32, x, part(start), own_grads, own), expected = part(together);
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
    for (const Arena& arena : {Arena(1, {3, 20000}), Arena(40, {1, 5, 300})}) {
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

}  // namespace
}  // namespace luge::test
