// Optimizer steps over arenas of every layout: whole ones, and those from which parameters are left out.

#include "backend_fixture.h"
#include "train/reference.h"

namespace luge::test {
namespace {

class UpdateLayoutTest : public BackendTest {
 protected:
  struct Part {
    std::int64_t per_set;
    bool steps;  ///< false: the layout leaves it out
  };

  /// A rule, what the reference calls it, and which of its numbers are the hyperparameters after lr and weight_decay.
  struct RuleCase {
    UpdateRule rule;
    Rule reference;
    Numbers numbers;
    std::vector<double Numbers::*> hypers;
  };
  static std::vector<RuleCase> rules() {
    using N = Numbers;
    const N plain{.weight_decay = 0.02, .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-3, .alpha = 0.9, .lr_decay = 0.1};
    N momentum = plain, nesterov, centered = plain, both, amsgrad = plain, decoupled = plain;
    amsgrad.amsgrad = true;
    decoupled.decoupled = true;
    momentum.momentum = 0.5, momentum.dampening = 0.1;
    nesterov = momentum, nesterov.nesterov = true;
    centered.centered = true;
    both = momentum, both.centered = true;
    const std::vector<double N::*> sgd{&N::momentum, &N::dampening}, adam{&N::beta1, &N::beta2, &N::epsilon},
        rms{&N::alpha, &N::epsilon, &N::momentum},
        nadam{&N::beta1, &N::beta2, &N::epsilon, &N::momentum_decay};
    return {{UpdateRule::Sgd, Rule::Sgd, plain, {}},
            {UpdateRule::MomentumSgd, Rule::Sgd, momentum, sgd},
            {UpdateRule::NesterovSgd, Rule::Sgd, nesterov, sgd},
            {UpdateRule::Adam, Rule::Adam, plain, adam},
            {UpdateRule::AdamW, Rule::AdamW, plain, adam},
            {UpdateRule::RmsProp, Rule::RmsProp, plain, rms},
            {UpdateRule::CenteredRmsProp, Rule::RmsProp, centered, rms},
            {UpdateRule::MomentumRmsProp, Rule::RmsProp, momentum, rms},
            {UpdateRule::CenteredMomentumRmsProp, Rule::RmsProp, both, rms},
            {UpdateRule::Adagrad, Rule::Adagrad, plain, {&N::lr_decay, &N::epsilon}},
            {UpdateRule::AmsgradAdam, Rule::Adam, amsgrad, adam},
            {UpdateRule::AmsgradAdamW, Rule::AdamW, amsgrad, adam},
            {UpdateRule::Adadelta, Rule::Adadelta, plain, {&N::rho, &N::epsilon}},
            {UpdateRule::Adamax, Rule::Adamax, plain, adam},
            {UpdateRule::NAdam, Rule::NAdam, plain, nadam},
            {UpdateRule::DecoupledNAdam, Rule::NAdam, decoupled, nadam},
            {UpdateRule::RAdam, Rule::RAdam, plain, adam},
            {UpdateRule::DecoupledRAdam, Rule::RAdam, decoupled, adam},
            {UpdateRule::Asgd, Rule::Asgd, plain, {&N::lambd, &N::power, &N::t0}},
            {UpdateRule::Rprop, Rule::Rprop, plain, {&N::eta_minus, &N::eta_plus, &N::step_min, &N::step_max}},
            {UpdateRule::Lion, Rule::Lion, plain, {&N::beta1, &N::beta2}}};
  }

  void expect_steps(DType dtype, std::int64_t sets, const std::vector<Part>& parts, bool own_rates, bool begun) {
    for (const RuleCase& rule : rules()) expect_steps(rule, dtype, sets, parts, own_rates, begun);
  }
  /// Three steps. Every set's learning rate is its own if `own_rates`; set 0 began anew after the first step if
  /// `begun`. Parts that are left out keep their bits, whatever their gradients and states are.
  void expect_steps(const RuleCase& rule, DType dtype, std::int64_t sets, const std::vector<Part>& parts, bool own_rates,
                    bool begun) {
    constexpr int kSteps = 3;
    const std::int64_t room = 64 / static_cast<std::int64_t>(size_of(dtype));  // a parameter begins at a cache line
    std::vector<std::int64_t> begin, offset, per_set;
    std::int64_t size = 0;
    for (const Part& part : parts) {
      begin.push_back(size);
      if (part.steps) offset.push_back(size), per_set.push_back(part.per_set);
      size += (std::max<std::int64_t>(sets * part.per_set, 1) + room - 1) / room * room;
    }
    Array table(int64, static_cast<std::int64_t>(2 * offset.size())), steps(int64, 1), began(int64, sets),
        start(dtype, size), gradient(dtype, size), states(dtype, size);
    for (std::size_t p = 0; p < offset.size(); ++p) {
      table.set(static_cast<std::int64_t>(p), static_cast<double>(offset[p]));
      table.set(static_cast<std::int64_t>(offset.size() + p), static_cast<double>(per_set[p]));
    }
    Chooser choose(7);
    for (std::size_t p = 0; p < parts.size(); ++p)
      for (std::int64_t i = begin[p]; i < begin[p] + sets * parts[p].per_set; ++i) {
        start.set(i, choose.uniform(-1, 1));
        gradient.set(i, choose.uniform(-1, 1));
        if (!parts[p].steps) states.set(i, choose.uniform(0, 1));
      }
    if (begun) began.set(0, 1);
    const auto rate = [&](std::int64_t s) { return own_rates ? 0.01 + 0.001 * static_cast<double>(s % 31) : 0.01; };
    Array rates(dtype, own_rates ? sets : 1), shared(dtype, static_cast<std::int64_t>(1 + rule.hypers.size()));
    for (std::int64_t s = 0; s < rates.count(); ++s) rates.set(s, rate(s));
    shared.set(0, rule.numbers.weight_decay);
    for (std::size_t h = 0; h < rule.hypers.size(); ++h)
      shared.set(static_cast<std::int64_t>(1 + h), rule.numbers.*rule.hypers[h]);

    DeviceArray d_table(backend(), table), d_steps(backend(), steps), d_began(backend(), began),
        d_value(backend(), start), d_gradient(backend(), gradient), d_first(backend(), states),
        d_second(backend(), states), d_third(backend(), states), d_rates(backend(), rates), d_shared(backend(), shared);
    Update call;
    call.rule = rule.rule;
    call.dtype = dtype;
    call.layout = {.sets = sets, .parameters = static_cast<int>(offset.size()), .size = size, .offset = offset.data(),
                   .per_set = per_set.data(), .device_table = static_cast<const std::int64_t*>(d_table.data())};
    call.value = d_value.data();
    call.grad = d_gradient.data();
    void* const blocks[] = {d_first.data(), d_second.data(), d_third.data()};
    for (std::size_t s = 0; s < static_cast<std::size_t>(traits(rule.rule).states); ++s) call.state[s] = blocks[s];
    call.steps = static_cast<std::int64_t*>(d_steps.data());
    call.hyper[math::kLr] = {d_rates.data(), own_rates ? 1 : 0};
    for (std::size_t h = 0; h <= rule.hypers.size(); ++h)
      call.hyper[1 + h] = {static_cast<std::byte*>(d_shared.data()) + h * size_of(dtype), 0};
    for (int step = 0; step < kSteps; ++step) {
      if (begun && step == 1) call.begun = static_cast<const std::int64_t*>(d_began.data());
      backend().run(call);
    }
    EXPECT_EQ(d_steps.download().at<std::int64_t>(0), kSteps);

    const Array value = d_value.download(), moment = d_first.download();
    for (std::size_t p = 0; p < parts.size(); ++p)
      for (std::int64_t s = 0; s < sets; ++s)
        for (std::int64_t k = 0; k < parts[p].per_set; ++k) {
          const std::int64_t i = begin[p] + s * parts[p].per_set + k;
          if (!parts[p].steps) {
            ASSERT_TRUE(value.same_bits(i, start, i) && moment.same_bits(i, states, i)) << "left out, element " << i;
            continue;
          }
          Element element{start.get(i)};
          Numbers n = rule.numbers;
          n.lr = rate(s);
          for (int step = 0; step < kSteps; ++step) {
            if (begun && step == 1 && s == 0) element.steps = 0;
            element.step(rule.reference, n, gradient.get(i));
          }
          ASSERT_TRUE(close(value.get(i), element.value, 200 * epsilon(dtype)))
              << "set " << s << ", part " << p << ", element " << k << ": " << value.get(i) << " instead of " << element.value;
        }
  }
};
LUGE_ON_EVERY_DEVICE(UpdateLayoutTest);

TEST_P(UpdateLayoutTest, WholeArenas) {
  for (const DType dtype : {float32, float64})
    for (const std::int64_t sets : {1, 3, 30})
      for (const bool own_rates : {false, true}) {
        expect_steps(dtype, sets, {{1, true}}, own_rates, false);
        expect_steps(dtype, sets, {{15, true}, {0, true}, {16, true}, {17, true}, {5, true}}, own_rates, false);
        expect_steps(dtype, sets, {{259, true}, {2, true}}, own_rates, false);
      }
}

TEST_P(UpdateLayoutTest, PartsThatAreLeftOut) {
  for (const DType dtype : {float32, float64})
    for (const std::int64_t sets : {1, 5})
      for (const bool own_rates : {false, true}) {
        expect_steps(dtype, sets, {{1, false}, {1, true}}, own_rates, false);
        expect_steps(dtype, sets, {{1, true}, {1, false}, {90, true}}, own_rates, false);
        expect_steps(dtype, sets, {{90, true}, {3, true}, {1, false}}, own_rates, false);
        expect_steps(dtype, sets, {{7, true}, {600, false}, {9, true}, {16, false}}, own_rates, false);
      }
}

TEST_P(UpdateLayoutTest, SetsThatBeganAnew) {
  for (const DType dtype : {float32, float64})
    for (const std::int64_t per_set : {1, 3, 64})
      for (const bool own_rates : {false, true}) expect_steps(dtype, 9, {{per_set, true}, {2, true}}, own_rates, true);
}

}  // namespace
}  // namespace luge::test
