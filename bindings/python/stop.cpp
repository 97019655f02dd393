// Stop rules: what luge/stop.py stands on.

#include <cctype>

#include <fmt/format.h>

#include <luge/train/stop.h>

#include "python.h"

namespace luge::python {

namespace {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

NamedTensors named_tensors(const nb::dict& given) {
  NamedTensors result;
  for (const auto& [name, value] : given) {
    if (!nb::isinstance<nb::str>(name))
      throw TypeError(fmt::format("StopRule.restore: state has a key of type {}; names must be str", type_of(name)));
    std::string text = nb::cast<std::string>(name);
    if (!is_tensor(value))
      throw TypeError(
          fmt::format("StopRule.restore: state['{}'] is of type {}; it must be a tensor", text, type_of(value)));
    result.emplace_back(std::move(text), as_tensor(value));
  }
  return result;
}

std::optional<PerSet> threshold(const char* name, nb::handle given) {
  if (given.is_none()) return std::nullopt;
  return per_set("stop.when", name, given);
}

stop::StopRule when(Optimizer& optimizer, nb::handle loss_below, std::optional<std::int64_t> patience,
                    nb::handle min_delta, nb::handle gradient_below, nb::handle step_below,
                    std::optional<std::int64_t> max_steps, bool nan, bool keep_best) {
  stop::Options options;
  options.loss_below = threshold("loss_below", loss_below);
  if (patience)
    options.plateau =
        stop::Plateau{.patience = *patience, .min_delta = per_set("stop.when", "the min_delta of plateau", min_delta)};
  options.gradient_below = threshold("gradient_below", gradient_below);
  options.step_below = threshold("step_below", step_below);
  options.max_steps = max_steps;
  options.nan = nan;
  options.keep_best = keep_best;
  return stop::when(optimizer, options, location());
}

/// The program's step: of a captured one the function, which is run eagerly.
std::vector<stop::Quarantined> explain(stop::StopRule& rule, nb::object step) {
  if (nb::isinstance(step, nb::module_::import_("luge._C").attr("Step"))) step = step.attr("__wrapped__");
  if (!PyCallable_Check(step.ptr()))
    throw TypeError(
        fmt::format("StopRule.explain: step is of type {}; it must be a function without arguments, the training step",
                    type_of(step)));
  return rule.explain([&step] { step(); }, location());
}

/// By reason, for those that some set has.
template <class Value>
nb::dict by_reason(const stop::Report& report, const Value& value) {
  nb::dict result;
  for (int i = 0; i < stop::kReasons; ++i)
    if (report.counts[static_cast<std::size_t>(i)] > 0)
      result[stop::name(static_cast<stop::Reason>(i))] = value(static_cast<std::size_t>(i));
  return result;
}

void bind_report(nb::module_& own) {
  nb::enum_<stop::Reason> reason(own, "Reason", nb::is_arithmetic(),
                                 "Why a set stopped. Of several criteria that hold at one check, the first is noted.");
  for (int i = 0; i < stop::kReasons; ++i) {
    const auto value = static_cast<stop::Reason>(i);
    const std::string text = stop::name(value);
    std::string name = text;
    for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    reason.value(name.c_str(), value, fmt::format("\"{}\" in a report.", text).c_str());
  }
  nb::class_<stop::Quarantined>(own, "Quarantined", "A set that is in quarantine.")
      .def_ro("set", &stop::Quarantined::set, "Its number.")
      .def_ro("step", &stop::Quarantined::step, "Optimizer steps that it took before.")
      .def_ro("reason", &stop::Quarantined::reason, "NAN_LOSS: on the way forward; NAN_GRADIENT: on the way back.")
      .def_ro(
          "operation", &stop::Quarantined::operation,
          "After explain: the operation that first gave a value that is not finite, \"log\"; empty where it did not "
          "happen again.")
      .def_ro("backward", &stop::Quarantined::backward, "Whether that was on the way back.")
      .def_ro("from_data", &stop::Quarantined::from_data,
              "Whether the operation read a value from outside of the step that was not finite already.");
  nb::class_<stop::Report>(own, "Report", "What a rule has decided so far; print it.")
      .def_ro("sets", &stop::Report::sets, "How many sets there are.")
      .def_ro("checks", &stop::Report::checks, "How many checks there were.")
      .def_ro("active", &stop::Report::active, "Sets that optimizers step.")
      .def_ro("held", &stop::Report::held, "Sets that this rule has not stopped and that stand still all the same.")
      .def_prop_ro(
          "counts",
          [](const stop::Report& self) { return by_reason(self, [&](std::size_t i) { return self.counts[i]; }); },
          nb::sig("def counts(self) -> dict[str, int]"), "Sets by the name of the reason, for those that some set has.")
      .def_prop_ro(
          "steps",
          [](const stop::Report& self) {
            return by_reason(self, [&](std::size_t i) { return nb::make_tuple(self.first[i], self.last[i]); });
          },
          nb::sig("def steps(self) -> dict[str, tuple[int, int]]"),
          "The least and the greatest number of steps after which sets stopped, likewise.")
      .def_ro("quarantined", &stop::Report::quarantined, "In the order of the sets.")
      .def("__str__", &stop::Report::text);
}

}  // namespace

void bind_stop(nb::module_& m) {
  nb::module_ own = m.def_submodule("_stop", "Stop rules.");
  bind_report(own);
  nb::class_<stop::StopRule>(
      own, "StopRule", nb::is_weak_referenceable(),
      "Stops sets; made by luge.stop.when. All that it notes is on the device of the parameters.")
      .def(
          "check",
          [](stop::StopRule& self, const Tensor& loss) {
            const Unlocked unlocked(kQuick);
            self.check(loss);
          },
          "loss"_a, nb::sig("def check(self, loss: Tensor) -> None"),
          "Judges every active set by its loss, of shape (sets), or () for an ordinary model; lower is better. To be "
          "called between backward() and the optimizer's step(): a set that stops keeps the parameters that the loss "
          "is "
          "of.")
      .def_prop_ro("reason", &stop::StopRule::reason, "Why sets stopped: int32, a Reason; a copy.")
      .def_prop_ro("stopped_at", &stop::StopRule::stopped_at,
                   "Optimizer steps that each set had taken when it stopped; -1 while it runs.")
      .def_prop_ro("active", &stop::StopRule::active, "Which sets optimizers step, whoever stopped the others.")
      .def_prop_ro("best_loss", &stop::StopRule::best_loss,
                   "The lowest finite loss of each set, infinity before there was one. Needs keep_best.")
      .def(
          "all_stopped",
          [](const stop::StopRule& self) {
            const SourceLocation at = location();
            const Unlocked unlocked(kQuick);
            return self.all_stopped(at);
          },
          "Whether no set is active any more; waits for the device.")
      .def(
          "report",
          [](const stop::StopRule& self) {
            const SourceLocation at = location();
            const Unlocked unlocked(kQuick);
            return self.report(at);
          },
          "What has been decided so far; waits for the device.")
      .def("explain", &explain, "step"_a, nb::sig("def explain(self, step: Callable[[], object]) -> list[Quarantined]"),
           "Finds out which operation put sets in quarantine: runs step, the training step or what it has of forward "
           "and "
           "backward, once more and takes back what it did. Also in report() from then on.")
      .def(
          "restore_best",
          [](stop::StopRule& self) {
            const Unlocked unlocked(kQuick);
            self.restore_best();
          },
          "Gives every set the parameters of its lowest loss. Needs keep_best.")
      .def(
          "state",
          [](const stop::StopRule& self) {
            nb::dict result;
            for (auto& [name, tensor] : self.state()) result[nb::str(name.data(), name.size())] = wrap(tensor);
            return result;
          },
          nb::sig("def state(self) -> dict[str, Tensor]"),
          "What checks have noted so far, by name. Later checks change these tensors: ask again, or copy them.")
      .def(
          "restore",
          [](stop::StopRule& self, const nb::dict& state) {
            const SourceLocation at = location();
            self.restore(named_tensors(state), at);
          },
          "state"_a, nb::sig("def restore(self, state: dict[str, Tensor]) -> None"),
          "Takes what state() of a rule that was made alike gave, and stops the sets that it had stopped.");
  own.def("_when", &when, "optimizer"_a, "loss_below"_a.none(), "patience"_a.none(), "min_delta"_a.none(),
          "gradient_below"_a.none(), "step_below"_a.none(), "max_steps"_a.none(), "nan"_a, "keep_best"_a);
}

}  // namespace luge::python
