// Optimizers.

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <variant>

#include <fmt/format.h>
#include <nanobind/stl/array.h>

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

// ---- options as torch.optim has them ------------------------------------------------------------

using Pair = std::pair<double, double>;
using Standard = std::variant<double, bool, std::nullptr_t, Pair>;

struct Option {
  const char* name;
  Standard standard;
};

/// The options of a class, in the order of torch.optim's; those from `keyword_only` on are given by name alone.
struct Signature {
  const char* op;
  std::vector<Option> options;
  std::size_t keyword_only;
};

nb::object object_of(const Standard& standard) {
  const auto number = [](double value) -> nb::object {
    return value == std::floor(value) ? nb::cast(static_cast<long>(value)) : nb::cast(value);
  };
  if (const auto* value = std::get_if<double>(&standard)) return number(*value);
  if (const auto* on = std::get_if<bool>(&standard)) return nb::cast(*on);
  if (const auto* pair = std::get_if<Pair>(&standard)) return nb::make_tuple(number(pair->first), number(pair->second));
  return nb::none();
}

/// What a signature says of an argument: "lr: float | Tensor = 0.001".
std::string described(const Option& option) {
  const nb::str shown = nb::repr(object_of(option.standard));
  const char* type = "bool | None";
  if (std::holds_alternative<double>(option.standard)) type = "float | Tensor";
  if (std::holds_alternative<bool>(option.standard)) type = "bool";
  if (std::holds_alternative<Pair>(option.standard)) type = "tuple[float | Tensor, float | Tensor]";
  return fmt::format("{}: {} = {}", option.name, type, shown.c_str());
}

std::string signature_text(const Signature& signature) {
  std::string text =
      "def __init__(self, params: Parameters | Iterable[Tensor] | Iterable[tuple[str, Tensor]] | Iterable[dict[str, "
      "Any]]";
  for (std::size_t i = 0; i < signature.options.size(); ++i) {
    if (i == signature.keyword_only) text += ", *";
    text += ", " + described(signature.options[i]);
  }
  return text + ") -> None";
}

/// The arguments of a call by name, "params" first. What does not fit the signature is for the error to explain.
std::pair<nb::object, nb::dict> bound(const Signature& signature, const nb::args& args, const nb::kwargs& kwargs) {
  nb::object params;
  nb::dict given, options;
  if (args.size() > signature.keyword_only + 1) throw nb::next_overload();
  for (std::size_t i = 0; i < args.size(); ++i)
    if (i == 0)
      params = args[0];
    else
      given[signature.options[i - 1].name] = args[i];
  for (const auto& [name, value] : kwargs) {
    const std::string key = nb::cast<std::string>(name);
    const bool is_option = std::ranges::any_of(signature.options, [&](const Option& o) { return key == o.name; });
    if (key == "params" ? params.is_valid() : !is_option || given.contains(name)) throw nb::next_overload();
    if (key == "params")
      params = nb::borrow(value);
    else
      given[name] = value;
  }
  if (!params.is_valid()) throw nb::next_overload();
  for (const Option& option : signature.options) {
    const nb::object value = given.contains(option.name) ? nb::object(given[option.name]) : object_of(option.standard);
    const bool is_flag = std::holds_alternative<bool>(option.standard);
    if ((is_flag && !PyBool_Check(value.ptr())) ||
        (std::holds_alternative<Pair>(option.standard) && (!nb::isinstance<nb::sequence>(value) || nb::len(value) != 2)))
      throw nb::next_overload();
    options[option.name] = value;
  }
  return {params, options};
}

/// Parameter groups as luge.optim._groups.parsed has read them.
std::vector<SettingsGroup> groups_of(const char* op, nb::handle parsed) {
  std::vector<SettingsGroup> groups;
  for (const nb::handle one : nb::borrow(parsed)) {
    SettingsGroup& group = groups.emplace_back();
    group.leaves = leaves_in(op, "params", one.attr("leaves"));
    for (const nb::handle value : nb::object(one.attr("values")))
      group.settings.values.emplace_back(
          nb::cast<std::string>(value[0]),
          per_set(op, nb::cast<std::string>(value[1]).c_str(), nb::object(value[2])));
    for (const nb::handle flag : nb::object(one.attr("flags")))
      group.settings.flags.emplace_back(nb::cast<std::string>(flag[0]), nb::cast<bool>(flag[1]));
  }
  return groups;
}

nb::object groups_module() { return nb::module_::import_("luge.optim._groups"); }

template <class Kind>
void construct(nb::pointer_and_handle<Kind> self, const char* op, nb::handle params, const nb::dict& options,
               const std::vector<std::string>& values) {
  const nb::object parsed = groups_module().attr("parsed")(op, params, options, nb::cast(values));
  std::vector<SettingsGroup> groups = groups_of(op, parsed);
  if constexpr (std::is_same_v<Kind, Optimizer>) {
    new (self.p) CompositeOptimizer(op, groups);
  } else {
    if (nb::isinstance<Parameters>(params))
      new (self.p) Kind(nb::cast<Parameters>(params), groups.at(0).settings, std::true_type());
    else
      new (self.p) Kind(groups);
  }
  if constexpr (std::is_same_v<Kind, Optimizer>)
    self.h.attr("_composite_state") = nb::module_::import_("luge.optim._state").attr("TensorDict")();
  self.h.attr("defaults") = options;
  self.h.attr("_given") = parsed;
}

template <class Kind>
nb::class_<Kind, Optimizer> bind_kind(nb::module_& m, const Signature& signature, const char* text) {
  nb::class_<Kind, Optimizer> type(m, signature.op, text);
  type.def(
      "__init__",
      [signature](nb::pointer_and_handle<Kind> self, const nb::args& args, const nb::kwargs& kwargs) {
        const auto [params, options] = bound(signature, args, kwargs);
        construct<Kind>(self, signature.op, params, options, {});
      },
      nb::sig(signature_text(signature).c_str()));
  return type;
}

Option number_option(const char* name, double standard) { return {name, standard}; }
Option off(const char* name) { return {name, false}; }
Option ignored(const char* name) { return {name, nullptr}; }

void bind_kinds(nb::module_& m) {
  const Option lr3 = number_option("lr", 1e-3), lr2 = number_option("lr", 1e-2), eps = number_option("eps", 1e-8);
  const Option decay = number_option("weight_decay", 0), betas{"betas", Pair{0.9, 0.999}}, maximize = off("maximize"),
               foreach = ignored("foreach"), fused = ignored("fused"), capturable = off("capturable"),
               differentiable = off("differentiable");
  bind_kind<Sgd>(m,
                 {"SGD",
                  {lr3, number_option("momentum", 0), number_option("dampening", 0), decay, off("nesterov"), maximize,
                   foreach, differentiable, fused},
                  5},
                 "Stochastic gradient descent with momentum, dampening, Nesterov and weight decay, as "
                 "torch.optim.SGD.\n\n>>> x = luge.tensor(-1.0, requires_grad=True)\n"
                 ">>> luge.optim.SGD([x], lr=0.01).steps_taken()\n0");
  bind_kind<Adam>(m,
                  {"Adam",
                   {lr3, betas, eps, decay, off("amsgrad"), foreach, maximize, capturable, differentiable, fused,
                    off("decoupled_weight_decay")},
                   5},
                  "Adam as torch.optim.Adam: weight decay is added to the gradient, unless it is decoupled.");
  bind_kind<AdamW>(m,
                   {"AdamW",
                    {lr3, betas, eps, number_option("weight_decay", 1e-2), off("amsgrad"), maximize, foreach, capturable,
                     differentiable, fused},
                    5},
                   "AdamW as torch.optim.AdamW: weight decay is decoupled from the gradient.");
  bind_kind<RmsProp>(m,
                     {"RMSprop",
                      {lr2, number_option("alpha", 0.99), eps, decay, number_option("momentum", 0), off("centered"),
                       capturable, foreach, maximize, differentiable},
                      10},
                     "RMSprop as torch.optim.RMSprop: `alpha` smooths the mean square, `centered` divides by the "
                     "deviation.");
  bind_kind<Adagrad>(m,
                     {"Adagrad",
                      {lr2, number_option("lr_decay", 0), decay, number_option("initial_accumulator_value", 0),
                       number_option("eps", 1e-10), foreach, maximize, differentiable, fused},
                      6},
                     "Adagrad as torch.optim.Adagrad.");
  bind_kind<Adadelta>(m,
                      {"Adadelta",
                       {number_option("lr", 1), number_option("rho", 0.9), number_option("eps", 1e-6), decay, foreach,
                        capturable, maximize, differentiable},
                       5},
                      "Adadelta as torch.optim.Adadelta.");
  bind_kind<Adamax>(
      m, {"Adamax", {number_option("lr", 2e-3), betas, eps, decay, foreach, maximize, differentiable, capturable}, 5},
      "Adamax as torch.optim.Adamax.");
  bind_kind<NAdam>(m,
                   {"NAdam",
                    {number_option("lr", 2e-3), betas, eps, decay, number_option("momentum_decay", 4e-3),
                     off("decoupled_weight_decay"), foreach, maximize, capturable, differentiable},
                    6},
                   "NAdam as torch.optim.NAdam: Adam with Nesterov momentum.");
  bind_kind<RAdam>(m,
                   {"RAdam",
                    {lr3, betas, eps, decay, off("decoupled_weight_decay"), foreach, maximize, capturable,
                     differentiable},
                    5},
                   "RAdam as torch.optim.RAdam: Adam with a rectified adaptive rate.");
  bind_kind<Asgd>(m,
                  {"ASGD",
                   {lr2, number_option("lambd", 1e-4), number_option("alpha", 0.75), number_option("t0", 1e6), decay,
                    foreach, maximize, differentiable, capturable},
                   9},
                  "Averaged stochastic gradient descent as torch.optim.ASGD; the averages are in state[p][\"ax\"].");
  bind_kind<Rprop>(m,
                   {"Rprop",
                    {lr2, {"etas", Pair{0.5, 1.2}}, {"step_sizes", Pair{1e-6, 50}}, capturable, foreach, maximize,
                     differentiable},
                    3},
                   "Resilient backpropagation as torch.optim.Rprop.");
  bind_kind<Lion>(m, {"Lion", {number_option("lr", 1e-4), {"betas", Pair{0.9, 0.99}}, decay, maximize}, 3},
                  "Lion (arXiv:2302.06675): steps by the sign of a moment, with decoupled weight decay.\n\n"
                  ">>> x = luge.tensor(1.0, requires_grad=True)\n>>> optimizer = luge.optim.Lion([x], lr=0.25)\n"
                  ">>> (3 * x).backward()\n>>> optimizer.step()\n>>> x.item()\n0.75");
}

nb::object state_module() { return nb::module_::import_("luge.optim._state"); }

/// What luge/optim/_groups.py and _state.py do, as members of the class.
void bind_groups(nb::class_<Optimizer>& optimizer) {
  optimizer
      .def_prop_ro(
          "param_groups", [](nb::handle self) -> nb::object { return groups_module().attr("param_groups")(self); },
          nb::sig("def param_groups(self) -> list[Any]"),
          "The parameter groups, dict-like, to read and to write by torch.optim's names.")
      .def(
          "add_param_group",
          [](nb::handle self, nb::handle group) { groups_module().attr("add_param_group")(self, group); },
          "param_group"_a.none(), nb::sig("def add_param_group(self, param_group: Mapping[str, Any]) -> None"),
          "Adds a group of further parameters, as torch.optim.Optimizer.add_param_group. Loose ones move into an arena of\n"
          "their own. A step that was captured before does not step them.\n\n"
          ">>> a, b = luge.ones(1, requires_grad=True), luge.ones(1, requires_grad=True)\n"
          ">>> optimizer = luge.optim.SGD([a], lr=0.5)\n"
          ">>> optimizer.add_param_group({\"params\": [b], \"lr\": 0.25})\n>>> len(optimizer.param_groups)\n2")
      .def_prop_ro(
          "state", [](nb::handle self) -> nb::object { return state_module().attr("state")(self); },
          nb::sig("def state(self) -> Any"),
          "A mapping from each parameter to a dict of what is kept with it, by torch.optim's names.")
      .def(
          "state_dict", [](nb::handle self) -> nb::object { return state_module().attr("state_dict")(self); },
          nb::sig("def state_dict(self) -> dict[str, Any]"),
          "Everything that later steps depend on, in torch.optim's format: {\"state\": {0: {\"step\": ..., \"exp_avg\": ...}},\n"
          "\"param_groups\": [{\"lr\": ..., \"params\": [0]}]}. Its tensors are copies on the parameters' device.\n\n"
          ">>> x = luge.ones(2, requires_grad=True)\n>>> optimizer = luge.optim.Adam([x])\n>>> x.sum().backward()\n"
          ">>> optimizer.step()\n>>> list(optimizer.state_dict()[\"state\"][0])\n['step', 'exp_avg', 'exp_avg_sq']")
      .def(
          "load_state_dict",
          [](nb::handle self, nb::handle given) { state_module().attr("load_state_dict")(self, given); },
          "state_dict"_a, nb::sig("def load_state_dict(self, state_dict: Mapping[str, Any]) -> None"),
          "Takes what state_dict() of an optimizer of the same kind gave, luge's or torch.optim's, whose tensors it accepts.\n"
          "Throws ValueError, and then has changed nothing, for one with other groups or shapes.\n\n"
          ">>> x = luge.ones(2, requires_grad=True)\n>>> optimizer = luge.optim.SGD([x], lr=0.5)\n"
          ">>> saved = optimizer.state_dict()\n>>> saved[\"param_groups\"][0][\"lr\"] = 0.25\n"
          ">>> optimizer.load_state_dict(saved)\n>>> optimizer.param_groups[0][\"lr\"]\n0.25")
      .def(
          "register_step_pre_hook",
          [](nb::handle self, nb::handle hook) -> nb::object {
            return state_module().attr("register_step_pre_hook")(self, hook);
          },
          "hook"_a, nb::sig("def register_step_pre_hook(self, hook: Callable[..., Any]) -> Any"),
          "Calls hook(optimizer, args, kwargs) before each step; it may return other args and kwargs. `remove()` of what\n"
          "this returns takes the hook away.\n\n"
          ">>> optimizer = luge.optim.SGD([luge.ones(1, requires_grad=True)])\n"
          ">>> handle = optimizer.register_step_pre_hook(lambda optimizer, args, kwargs: print(\"a step\"))\n"
          ">>> optimizer.step()\na step\n>>> handle.remove()")
      .def(
          "register_step_post_hook",
          [](nb::handle self, nb::handle hook) -> nb::object {
            return state_module().attr("register_step_post_hook")(self, hook);
          },
          "hook"_a, nb::sig("def register_step_post_hook(self, hook: Callable[..., Any]) -> Any"),
          "Calls hook(optimizer, args, kwargs) after each step.")
      .def("__repr__", [](nb::handle self) -> nb::object { return state_module().attr("shown")(self); },
           nb::sig("def __repr__(self) -> str"))
      .def(
          "__reduce_ex__",
          [](nb::handle self, int) -> nb::object {
            return nb::module_::import_("luge._pickle").attr("reduce_optimizer")(self);
          },
          "protocol"_a, nb::sig("def __reduce_ex__(self, protocol: Any, /) -> tuple[Any, ...]"));
}

nb::list named(const std::vector<std::pair<std::string, Tensor>>& tensors) {
  nb::list result;
  for (const auto& [name, tensor] : tensors) result.append(nb::make_tuple(name, wrap(tensor)));
  return result;
}

}  // namespace

void bind_optimizers(nb::module_& m) {
  nb::class_<Optimizer> optimizer(
      m, "Optimizer", nb::is_weak_referenceable(), nb::dynamic_attr(),
      "What all optimizers share. A step is one kernel call over all parameters of a group.\n\n"
      "A hyperparameter is a number, or a tensor of shape (sets) with one for each set. A class that derives from this "
      "one, as from torch.optim.Optimizer, calls `super().__init__(params, defaults)` and has a `step` of its own.\n\n"
      "`param_groups` is a list of dict-like groups; `group[\"lr\"] = 0.1` takes effect at the next step, also of a "
      "captured step.\n\n"
      ">>> body, head = luge.ones(2, requires_grad=True), luge.ones(1, requires_grad=True)\n"
      ">>> optimizer = luge.optim.SGD([{\"params\": [body]}, {\"params\": [head], \"lr\": 0.5}], lr=0.25)\n"
      ">>> [group[\"lr\"] for group in optimizer.param_groups]\n[0.25, 0.5]\n"
      ">>> optimizer.param_groups[0][\"lr\"] = 0.125\n>>> (body.sum() + head.sum()).backward()\n"
      ">>> optimizer.step()\n>>> body.tolist(), head.tolist()\n([0.875, 0.875], [0.5])");
  optimizer
      .def(
          "__init__",
          [](nb::pointer_and_handle<Optimizer> self, nb::handle params, const nb::dict& defaults) {
            const nb::object type = nb::borrow(self.h.type());
            const std::string name = nb::cast<std::string>(type.attr("__name__"));
            if (type.is(nb::type<Optimizer>()))
              throw nb::type_error("Optimizer: this is what all optimizers share; make one of a class that has a step");
            std::vector<std::string> values{"lr"};
            if (nb::hasattr(type, "_on_device"))
              values = nb::cast<std::vector<std::string>>(nb::list(type.attr("_on_device")));
            construct<Optimizer>(self, name.c_str(), params, nb::cast<nb::dict>(nb::module_::import_("builtins").attr("dict")(defaults)), values);
          },
          "params"_a.none(), "defaults"_a, nb::sig("def __init__(self, params: Any, defaults: dict[str, Any]) -> None"))
      .def(
          "zero_grad", [](Optimizer& self, bool) { self.zero_grad(); }, "set_to_none"_a = true,
          "Forgets the gradients of all parameters; touches no memory.")
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
          "set_lr",
          [](Optimizer& self, nb::handle lr, std::optional<std::size_t> group) {
            const PerSet given = per_set("set_lr", "lr", lr);
            group ? self.set_lr(given, *group, location()) : self.set_lr(given, location());
          },
          "lr"_a.none(), "group"_a = nb::none(),
          nb::sig("def set_lr(self, lr: float | Tensor, group: int | None = None) -> None"),
          "Changes the learning rate of all groups, or of one, from the next step on; schedules go on from it.")
      .def(
          "_value", [](const Optimizer& self, const std::string& name, std::size_t group) { return wrap(self.value(name, group)); },
          "name"_a, "group"_a)
      .def(
          "_set_value",
          [](Optimizer& self, const std::string& name, nb::handle value, std::size_t group, const char* shown) {
            self.set_value(name, per_set("param_groups", shown, value), group, location());
          },
          "name"_a, "value"_a.none(), "group"_a, "shown"_a)
      .def(
          "_flag", [](const Optimizer& self, const std::string& name, std::size_t group) { return self.flag(name, group); },
          "name"_a, "group"_a)
      .def(
          "_set_flag",
          [](Optimizer& self, const std::string& name, bool on, std::size_t group) { self.set_flag(name, on, group); },
          "name"_a, "on"_a, "group"_a)
      .def("_value_names", &Optimizer::value_names)
      .def("_flag_names", &Optimizer::flag_names)
      .def("_groups", &Optimizer::groups)
      .def("_params", [](const Optimizer& self, std::size_t group) {
            nb::list result;
            for (const Tensor& leaf : self.params(group)) result.append(wrap(leaf));
            return result;
          }, "group"_a)
      .def("_steps", [](const Optimizer& self, std::size_t group) { return wrap(self.steps(group)); }, "group"_a)
      .def("_state_of", [](const Optimizer& self, std::size_t group, std::size_t i) { return named(self.state_of(group, i)); },
           "group"_a, "i"_a)
      .def("_add_group", [](Optimizer& self, nb::handle parsed) {
            for (const SettingsGroup& group : groups_of("add_param_group", parsed)) self.add_group(group);
          }, "parsed"_a)
      .def("_set_steps", [](Optimizer& self, std::size_t group, std::int64_t steps) { self.set_steps(steps, group); },
           "group"_a, "steps"_a)
      .def("_is_active", &Optimizer::is_active, "group"_a, "i"_a)
      .def("_stepped_sets", [](const Optimizer& self, std::size_t group) -> nb::object {
            const Tensor sets = self.stepped_sets(group);
            return sets.defined() ? wrap(sets) : nb::none();
          }, "group"_a)
      .def("_rule", [](const Optimizer& self) { return traits(self.rule()).rule; })
      .def("_state", &Optimizer::state, "What its steps change: the tensors that it works on.")
      .def_prop_ro("lr", [](const Optimizer& self) { return self.lr(); }, "The learning rate in force: shape () or (sets), a copy; of group 0.")
      .def_prop_ro(
          "parameters", [](Optimizer& self) { return self.parameters(); }, "The arena it works on.")
      .def(
          "steps_taken", [](const Optimizer& self) { return self.steps_taken(location()); },
          "Steps taken; waits for the device.");
  m.def(
      "_muon_step_",
      [](nb::handle p, nb::handle gradient, nb::handle buffer, const std::vector<nb::object>& numbers, nb::handle stepped, bool nesterov,
         const std::array<double, 3>& coefficients, int steps, double eps, int rate) {
        Tensor to = as_tensor(p), average = as_tensor(buffer);
        const MuonStep step{.lr = as_tensor(numbers.at(0)),
                            .weight_decay = as_tensor(numbers.at(1)),
                            .momentum = as_tensor(numbers.at(2)),
                            .stepped = stepped.is_none() ? Tensor() : as_tensor(stepped)};
        muon_step_(to, as_tensor(gradient), average, step,
                   {.nesterov = nesterov, .ns_coefficients = coefficients, .eps = eps, .ns_steps = steps, .rate = static_cast<MuonRate>(rate)});
      },
      "p"_a, "gradient"_a, "buffer"_a, "numbers"_a, "stepped"_a.none(), "nesterov"_a, "coefficients"_a, "steps"_a, "eps"_a, "rate"_a);
  bind_groups(optimizer);
  bind_kinds(m);
}

}  // namespace luge::python
