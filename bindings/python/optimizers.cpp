// Optimizers.

#include <fmt/format.h>

#include "python.h"

namespace luge::python {

std::vector<Tensor> leaves_in(const char* op, const char* argument, nb::handle given) {
  if (is_tensor(given) || !nb::hasattr(given, "__iter__"))
    throw nb::type_error(
        fmt::format("{}: {} must be a luge.Parameters or an iterable of tensors", op, argument).c_str());
  std::vector<Tensor> leaves;
  for (const nb::handle leaf : nb::borrow(given)) {
    if (!is_tensor(leaf))
      throw nb::type_error(
          fmt::format("{}: {} holds an object of type {}; allowed are tensors", op, argument, type_of(leaf)).c_str());
    leaves.push_back(as_tensor(leaf));
  }
  return leaves;
}

namespace {

/// An optimizer over a Parameters, or over what model.parameters() gives.
template <class Kind, class Options>
void construct(Kind* self, const char* op, nb::handle params, const Options& options) {
  if (nb::isinstance<Parameters>(params)) {
    new (self) Kind(nb::cast<Parameters>(params), options);
    return;
  }
  new (self) Kind(leaves_in(op, "params", params), options);
}

/// Keyword arguments that make an optimizer like this one.
nb::dict options_of(const Optimizer& optimizer) {
  nb::dict options;
  options["weight_decay"] = 0.0;
  options["maximize"] = optimizer.maximize();
  if (optimizer.rule() == UpdateRule::NesterovSgd) options["nesterov"] = true;
  if (optimizer.rule() == UpdateRule::CenteredRmsProp || optimizer.rule() == UpdateRule::CenteredMomentumRmsProp)
    options["centered"] = true;
  nb::object betas[2];
  for (auto& [name, values] : optimizer.hyperparameters()) {
    if (name == "beta1" || name == "beta2")
      betas[name == "beta2"] = wrap(values);
    else
      options[name == "epsilon" ? "eps" : name.c_str()] = wrap(values);
  }
  if (betas[0].is_valid()) options["betas"] = nb::make_tuple(betas[0], betas[1]);
  return options;
}

template <class Kind, class Options>
void bind_adam(nb::module_& m, const char* name, double decay, const char* text) {
  nb::class_<Kind, Optimizer> type(m, name, text);
  type.def(
      "__init__",
      [name](Kind* self, nb::handle params, nb::handle lr, const std::pair<nb::object, nb::object>& betas,
             nb::handle eps, nb::handle weight_decay, bool maximize) {
        construct(self, name, params,
                  Options{.lr = per_set(name, "lr", lr),
                          .beta1 = per_set(name, "betas[0]", betas.first),
                          .beta2 = per_set(name, "betas[1]", betas.second),
                          .epsilon = per_set(name, "eps", eps),
                          .weight_decay = per_set(name, "weight_decay", weight_decay),
                          .maximize = maximize});
      },
      "params"_a.none(), "lr"_a = 1e-3, "betas"_a = nb::make_tuple(0.9, 0.999), "eps"_a = 1e-8,
      "weight_decay"_a = decay, nb::kw_only(), "maximize"_a = false,
      nb::sig(fmt::format(
                  "def __init__(self, params: Parameters | Iterable[Tensor], lr: float | Tensor = 0.001, betas: "
                  "tuple[float | Tensor, float | Tensor] = (0.9, 0.999), eps: float | Tensor = 1e-08, weight_decay: "
                  "float | Tensor = {}, *, maximize: bool = False) -> None",
                  decay)
                  .c_str()));
}

}  // namespace

void bind_optimizers(nb::module_& m) {
  nb::class_<Optimizer> optimizer(m, "Optimizer", nb::is_weak_referenceable(),
                                  "What all optimizers share. A step is one kernel call over all parameters.\n\n"
                                  "A hyperparameter is a number, or a tensor of shape (sets) with one for each set.");
  optimizer
      .def(
          "zero_grad", [](Optimizer& self, bool) { self.zero_grad(); }, "set_to_none"_a = true,
          "Forgets all gradients; touches no memory.")
      .def(
          "step",
          [](Optimizer& self, const nb::object& closure) {
            nb::object loss = closure.is_none() ? nb::none() : closure();
            const Unlocked unlocked(kQuick);
            self.step();
            return loss;
          },
          "closure"_a = nb::none(), "Updates every parameter that requires a gradient and has one; returns what `closure` returned.")
      .def(
          "set_lr", [](Optimizer& self, nb::handle lr) { self.set_lr(per_set("set_lr", "lr", lr), location()); },
          "lr"_a.none(), nb::sig("def set_lr(self, lr: float | Tensor) -> None"),
          "Changes the learning rate from the next step on; schedules go on from it.")
      .def("_options", &options_of, "What it was made with, as keyword arguments.")
      .def("_state", &Optimizer::state, "What its steps change: the tensors that it works on.")
      .def_prop_ro("lr", [](const Optimizer& self) { return self.lr(); }, "The learning rate in force: shape () or (sets), a copy.")
      .def_prop_ro(
          "parameters", [](Optimizer& self) { return self.parameters(); }, "The arena it works on.")
      .def(
          "steps_taken", [](const Optimizer& self) { return self.steps_taken(location()); },
          "Steps taken; waits for the device.");

  nb::class_<Sgd, Optimizer> sgd(m, "SGD",
                                 "Stochastic gradient descent with momentum, dampening, Nesterov and weight decay, as "
                                 "torch.optim.SGD.\n\n>>> x = luge.tensor(-1.0, requires_grad=True)\n"
                                 ">>> luge.optim.SGD([x], lr=0.01).steps_taken()\n0");
  sgd.def(
      "__init__",
      [](Sgd* self, nb::handle params, nb::handle lr, nb::handle momentum, nb::handle dampening,
         nb::handle weight_decay, bool nesterov, bool maximize) {
        construct(self, "SGD", params,
                  SgdOptions{.lr = per_set("SGD", "lr", lr),
                             .momentum = per_set("SGD", "momentum", momentum),
                             .dampening = per_set("SGD", "dampening", dampening),
                             .weight_decay = per_set("SGD", "weight_decay", weight_decay),
                             .nesterov = nesterov,
                             .maximize = maximize});
      },
      "params"_a.none(), "lr"_a = 1e-3, "momentum"_a = 0.0, "dampening"_a = 0.0, "weight_decay"_a = 0.0,
      "nesterov"_a = false, nb::kw_only(), "maximize"_a = false,
      nb::sig("def __init__(self, params: Parameters | Iterable[Tensor], lr: float | Tensor = 0.001, momentum: float | "
              "Tensor = 0, dampening: float | Tensor = 0, weight_decay: float | Tensor = 0, nesterov: bool = False, *, "
              "maximize: bool = False) -> None"));
  bind_adam<Adam, AdamOptions>(m, "Adam", 0.0, "Adam as torch.optim.Adam: weight decay is added to the gradient.");
  bind_adam<AdamW, AdamWOptions>(m, "AdamW", 1e-2,
                                 "AdamW as torch.optim.AdamW: weight decay is decoupled from the gradient.");
  nb::class_<RmsProp, Optimizer> rmsprop(m, "RMSprop",
                                         "RMSprop as torch.optim.RMSprop: `alpha` smooths the mean square, `centered` "
                                         "divides by the deviation.");
  rmsprop.def(
      "__init__",
      [](RmsProp* self, nb::handle params, nb::handle lr, nb::handle alpha, nb::handle eps, nb::handle weight_decay,
         nb::handle momentum, bool centered, bool maximize) {
        construct(self, "RMSprop", params,
                  RmsPropOptions{.lr = per_set("RMSprop", "lr", lr),
                                 .alpha = per_set("RMSprop", "alpha", alpha),
                                 .epsilon = per_set("RMSprop", "eps", eps),
                                 .weight_decay = per_set("RMSprop", "weight_decay", weight_decay),
                                 .momentum = per_set("RMSprop", "momentum", momentum),
                                 .centered = centered,
                                 .maximize = maximize});
      },
      "params"_a.none(), "lr"_a = 1e-2, "alpha"_a = 0.99, "eps"_a = 1e-8, "weight_decay"_a = 0.0, "momentum"_a = 0.0,
      "centered"_a = false, nb::kw_only(), "maximize"_a = false,
      nb::sig("def __init__(self, params: Parameters | Iterable[Tensor], lr: float | Tensor = 0.01, alpha: float | "
              "Tensor = 0.99, eps: float | Tensor = 1e-08, weight_decay: float | Tensor = 0, momentum: float | Tensor "
              "= 0, centered: bool = False, *, maximize: bool = False) -> None"));
  nb::class_<Adagrad, Optimizer> adagrad(m, "Adagrad", "Adagrad as torch.optim.Adagrad.");
  adagrad.def(
      "__init__",
      [](Adagrad* self, nb::handle params, nb::handle lr, nb::handle lr_decay, nb::handle weight_decay,
         double initial_accumulator_value, nb::handle eps, bool maximize) {
        construct(self, "Adagrad", params,
                  AdagradOptions{.lr = per_set("Adagrad", "lr", lr),
                                 .lr_decay = per_set("Adagrad", "lr_decay", lr_decay),
                                 .weight_decay = per_set("Adagrad", "weight_decay", weight_decay),
                                 .initial_accumulator_value = initial_accumulator_value,
                                 .epsilon = per_set("Adagrad", "eps", eps),
                                 .maximize = maximize});
      },
      "params"_a.none(), "lr"_a = 1e-2, "lr_decay"_a = 0.0, "weight_decay"_a = 0.0, "initial_accumulator_value"_a = 0.0,
      "eps"_a = 1e-10, nb::kw_only(), "maximize"_a = false,
      nb::sig("def __init__(self, params: Parameters | Iterable[Tensor], lr: float | Tensor = 0.01, lr_decay: float | "
              "Tensor = 0, weight_decay: float | Tensor = 0, initial_accumulator_value: float = 0, eps: float | Tensor "
              "= 1e-10, *, maximize: bool = False) -> None"));
}

}  // namespace luge::python
