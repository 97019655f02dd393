// Learning-rate schedules, as luge/optim/lr_scheduler.py builds on them.

#include <fmt/format.h>

#include <nanobind/stl/function.h>

#include <luge/train/schedule_cycles.h>
#include <luge/train/schedule_host.h>

#include "python.h"

namespace luge::python {

namespace {

template <class Kind>
nb::class_<Kind, LrScheduler> schedule(nb::module_& m, const char* name) {
  return nb::class_<Kind, LrScheduler>(m, name);
}

std::vector<std::reference_wrapper<LrScheduler>> several(const char* op, const std::vector<LrScheduler*>& given) {
  std::vector<std::reference_wrapper<LrScheduler>> result;
  for (LrScheduler* const one : given) {
    if (!one) throw nb::type_error(fmt::format("{}: schedulers holds None; allowed are schedules", op).c_str());
    result.emplace_back(*one);
  }
  return result;
}

void bind_base(nb::module_& m) {
  nb::class_<LrScheduler> base(m, "LRScheduler", "What luge.optim.lr_scheduler's classes step.");
  base.def("step", &LrScheduler::step, "Counts a step and sets the optimizer's learning rate.")
      .def(
          "last_lr",
          [](const LrScheduler& self) {
            std::vector<Tensor> result;
            for (std::size_t g = 0; g < self.groups(); ++g) result.push_back(self.last_lr(g));
            return result;
          },
          "The learning rates that it set last, one for each parameter group.")
      .def(
          "state",
          [](const LrScheduler& self) {
            nb::dict result;
            for (const auto& [name, tensor] : self.state()) result[name.c_str()] = wrap(tensor);
            return result;
          },
          "The tensors that a step changes, by name.")
      .def("resume", &LrScheduler::resume, "steps"_a, "base"_a, "now"_a = false)
      .def(
          "steps_taken", [](const LrScheduler& self) { return self.steps_taken(location()); },
          "Steps taken; waits for the device.");
}

void bind_closed_forms(nb::module_& m) {
  schedule<StepLr>(m, "StepLR")
      .def(
          "__init__",
          [](StepLr* self, Optimizer& o, std::int64_t step_size, double gamma) {
            new (self) StepLr(o, {.step_size = step_size, .gamma = gamma});
          },
          "optimizer"_a, "step_size"_a, "gamma"_a = 0.1);
  schedule<MultiStepLr>(m, "MultiStepLR")
      .def(
          "__init__",
          [](MultiStepLr* self, Optimizer& o, const std::vector<std::int64_t>& milestones, double gamma) {
            new (self) MultiStepLr(o, {.milestones = milestones, .gamma = gamma});
          },
          "optimizer"_a, "milestones"_a, "gamma"_a = 0.1);
  schedule<ConstantLr>(m, "ConstantLR")
      .def(
          "__init__",
          [](ConstantLr* self, Optimizer& o, double factor, std::int64_t total_iters) {
            new (self) ConstantLr(o, {.factor = factor, .total_iters = total_iters});
          },
          "optimizer"_a, "factor"_a = 1.0 / 3, "total_iters"_a = 5);
  schedule<LinearLr>(m, "LinearLR")
      .def(
          "__init__",
          [](LinearLr* self, Optimizer& o, double start_factor, double end_factor, std::int64_t total_iters) {
            new (self)
                LinearLr(o, {.start_factor = start_factor, .end_factor = end_factor, .total_iters = total_iters});
          },
          "optimizer"_a, "start_factor"_a = 1.0 / 3, "end_factor"_a = 1.0, "total_iters"_a = 5);
  schedule<ExponentialLr>(m, "ExponentialLR")
      .def(
          "__init__",
          [](ExponentialLr* self, Optimizer& o, double gamma) { new (self) ExponentialLr(o, {.gamma = gamma}); },
          "optimizer"_a, "gamma"_a);
  schedule<CosineAnnealingLr>(m, "CosineAnnealingLR")
      .def(
          "__init__",
          [](CosineAnnealingLr* self, Optimizer& o, std::int64_t t_max, double eta_min) {
            new (self) CosineAnnealingLr(o, {.t_max = t_max, .eta_min = eta_min});
          },
          "optimizer"_a, "T_max"_a, "eta_min"_a = 0.0);
  schedule<PolynomialLr>(m, "PolynomialLR")
      .def(
          "__init__",
          [](PolynomialLr* self, Optimizer& o, std::int64_t total_iters, double power) {
            new (self) PolynomialLr(o, {.total_iters = total_iters, .power = power});
          },
          "optimizer"_a, "total_iters"_a = 5, "power"_a = 1.0);
  schedule<SequentialLr>(m, "SequentialLR")
      .def(
          "__init__",
          [](SequentialLr* self, Optimizer& o, const std::vector<LrScheduler*>& schedulers,
             const std::vector<std::int64_t>& milestones) {
            new (self)
                SequentialLr(o, {.schedulers = several("SequentialLR", schedulers), .milestones = milestones});
          },
          "optimizer"_a, "schedulers"_a, "milestones"_a);
  schedule<ChainedScheduler>(m, "ChainedScheduler")
      .def(
          "__init__",
          [](ChainedScheduler* self, const std::vector<LrScheduler*>& schedulers) {
            new (self) ChainedScheduler(several("ChainedScheduler", schedulers));
          },
          "schedulers"_a);
}

void bind_cycles(nb::module_& m) {
  schedule<CosineAnnealingWarmRestarts>(m, "CosineAnnealingWarmRestarts")
      .def(
          "__init__",
          [](CosineAnnealingWarmRestarts* self, Optimizer& o, std::int64_t t_0, std::int64_t t_mult, double eta_min) {
            new (self) CosineAnnealingWarmRestarts(o, {.t_0 = t_0, .t_mult = t_mult, .eta_min = eta_min});
          },
          "optimizer"_a, "T_0"_a, "T_mult"_a = 1, "eta_min"_a = 0.0)
      .def(
          "step_to", [](CosineAnnealingWarmRestarts& self, double epoch) { self.step(epoch, location()); }, "epoch"_a);
  schedule<OneCycleLr>(m, "OneCycleLR")
      .def(
          "__init__",
          [](OneCycleLr* self, Optimizer& o, const PerGroup& max_lr, std::int64_t total_steps, double pct_start,
             bool linear, bool cycle_momentum, const PerGroup& base_momentum, const PerGroup& max_momentum,
             double div_factor, double final_div_factor, bool three_phase) {
            new (self) OneCycleLr(o, {.max_lr = max_lr,
                                      .total_steps = total_steps,
                                      .pct_start = pct_start,
                                      .anneal_strategy = linear ? Annealing::Linear : Annealing::Cos,
                                      .cycle_momentum = cycle_momentum,
                                      .base_momentum = base_momentum,
                                      .max_momentum = max_momentum,
                                      .div_factor = div_factor,
                                      .final_div_factor = final_div_factor,
                                      .three_phase = three_phase});
          },
          "optimizer"_a, "max_lr"_a, "total_steps"_a, "pct_start"_a, "linear"_a, "cycle_momentum"_a, "base_momentum"_a,
          "max_momentum"_a, "div_factor"_a, "final_div_factor"_a, "three_phase"_a);
  schedule<CyclicLr>(m, "CyclicLR")
      .def(
          "__init__",
          [](CyclicLr* self, Optimizer& o, const PerGroup& base_lr, const PerGroup& max_lr, double step_size_up,
             std::optional<double> step_size_down, int mode, double gamma,
             std::optional<std::function<double(double)>> scale_fn, bool by_iterations, bool cycle_momentum,
             const PerGroup& base_momentum, const PerGroup& max_momentum) {
            new (self) CyclicLr(o, {.base_lr = base_lr,
                                    .max_lr = max_lr,
                                    .step_size_up = step_size_up,
                                    .step_size_down = step_size_down,
                                    .mode = static_cast<CyclicLrOptions::Mode>(mode),
                                    .gamma = gamma,
                                    .scale_fn = scale_fn.value_or(nullptr),
                                    .scale_by_iterations = by_iterations,
                                    .cycle_momentum = cycle_momentum,
                                    .base_momentum = base_momentum,
                                    .max_momentum = max_momentum});
          },
          "optimizer"_a, "base_lr"_a, "max_lr"_a, "step_size_up"_a, "step_size_down"_a.none(), "mode"_a, "gamma"_a,
          "scale_fn"_a.none(), "by_iterations"_a, "cycle_momentum"_a, "base_momentum"_a, "max_momentum"_a);
  schedule<SwaLr>(m, "SWALR")
      .def(
          "__init__",
          [](SwaLr* self, Optimizer& o, const PerGroup& swa_lr, std::int64_t anneal_epochs, bool linear) {
            new (self) SwaLr(o, {.swa_lr = swa_lr,
                                 .anneal_epochs = anneal_epochs,
                                 .anneal_strategy = linear ? Annealing::Linear : Annealing::Cos});
          },
          "optimizer"_a, "swa_lr"_a, "anneal_epochs"_a, "linear"_a);
}

void bind_hosts(nb::module_& m) {
  schedule<LambdaLr>(m, "LambdaLR")
      .def(
          "__init__",
          [](LambdaLr* self, Optimizer& o, const std::vector<LrFunction>& lr_lambda) { new (self) LambdaLr(o, lr_lambda); },
          "optimizer"_a, "lr_lambda"_a);
  schedule<MultiplicativeLr>(m, "MultiplicativeLR")
      .def(
          "__init__",
          [](MultiplicativeLr* self, Optimizer& o, const std::vector<LrFunction>& lr_lambda) {
            new (self) MultiplicativeLr(o, lr_lambda);
          },
          "optimizer"_a, "lr_lambda"_a);
  using Options = ReduceLrOnPlateauOptions;
  schedule<ReduceLrOnPlateau>(m, "ReduceLROnPlateau")
      .def(
          "__init__",
          [](ReduceLrOnPlateau* self, Optimizer& o, bool max, double factor, std::int64_t patience, double threshold,
             bool absolute, std::int64_t cooldown, const PerGroup& min_lr, double eps) {
            new (self) ReduceLrOnPlateau(o, {.mode = max ? Options::Mode::Max : Options::Mode::Min,
                                             .factor = factor,
                                             .patience = patience,
                                             .threshold = threshold,
                                             .threshold_mode = absolute ? Options::ThresholdMode::Abs : Options::ThresholdMode::Rel,
                                             .cooldown = cooldown,
                                             .min_lr = min_lr,
                                             .eps = eps});
          },
          "optimizer"_a, "max"_a, "factor"_a, "patience"_a, "threshold"_a, "absolute"_a, "cooldown"_a, "min_lr"_a, "eps"_a)
      .def(
          "step_by",
          [](ReduceLrOnPlateau& self, nb::handle metric) {
            if (is_tensor(metric))
              self.step(as_tensor(metric));
            else
              self.step(scalar("step", "metrics", metric).to_double(), location());
          },
          "metrics"_a.none());
}

}  // namespace

void bind_schedules(nb::module_& m) {
  bind_base(m);
  bind_closed_forms(m);
  bind_cycles(m);
  bind_hosts(m);
}

}  // namespace luge::python
