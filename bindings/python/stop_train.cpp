// Live compaction: what luge/_stop_train.py stands on.

#include <memory>

#include <nanobind/stl/shared_ptr.h>

#include <fmt/format.h>

#include <luge/train/stop_train.h>

#include "python.h"

namespace luge::python {

namespace {

/// Calls the user's step with what it works on; None stands for the optimizer and the rule that train() was given.
Tensor call(const nb::callable& step, stop::Live& live) {
  const nb::gil_scoped_acquire locked;
  nb::dict data;
  for (const auto& [name, values] : live.data()) data[nb::str(name.data(), name.size())] = wrap(values);
  const nb::object optimizer = live.is_whole() ? nb::none() : nb::cast(live.own_optimizer());
  const nb::object rule = live.is_whole() ? nb::none() : nb::cast(live.own_rule());
  const nb::object loss = step(live.params, optimizer, rule, wrap(live.sets), data);
  if (loss.is_none()) return {};
  if (!is_tensor(loss))
    throw TypeError(fmt::format(
        "stop.train: the step returned an object of type {}; it must be a tensor with one loss per set, or None",
        type_of(loss)));
  return as_tensor(loss);
}

stop::Training train(Optimizer& optimizer, stop::StopRule& rule, nb::handle data, const nb::callable& step,
                     std::int64_t every, std::optional<std::int64_t> max_steps, bool compact, std::int64_t min_sets,
                     nb::str file, int line) {
  stop::PerSetData given;
  if (!data.is_none())
    for (auto& [name, values] : named_tensors("stop.train", "data", data)) given.emplace_back(name, values);
  const auto hear_interrupts = [] {
    const nb::gil_scoped_acquire locked;
    if (PyErr_CheckSignals() != 0) nb::raise_python_error();
  };
  const SourceLocation at = location_in(std::move(file), line);
  const nb::gil_scoped_release unlocked;
  return stop::run_training(
      optimizer, rule, given, [&step](stop::Live& live) { return call(step, live); },
      {.every = every, .max_steps = max_steps, .compact = compact, .min_sets = min_sets, .between = hear_interrupts},
      at);
}

}  // namespace

void bind_stop_train(nb::module_& m) {
  nb::module_ own = nb::borrow<nb::module_>(m.attr("_stop"));
  nb::class_<stop::Round>(own, "Round", "Steps between two looks at the sets.")
      .def_ro("active", &stop::Round::active, "Sets that went on when it began.")
      .def_ro("size", &stop::Round::size, "Sets that its steps computed, those included that stood still.")
      .def_ro("steps", &stop::Round::steps, "How many steps.")
      .def("__repr__", [](const stop::Round& self) {
        return fmt::format("<luge.stop.Round: {} steps of {} sets, {} of them active>", self.steps, self.size,
                           self.active);
      });
  nb::class_<stop::Training>(own, "Training", "What luge.stop.train did; print it.")
      .def_ro("rounds", &stop::Training::rounds, "In their order.")
      .def_ro("sets", &stop::Training::sets, "How many sets there are.")
      .def_ro("steps", &stop::Training::steps, "Steps taken.")
      .def_ro("computed", &stop::Training::computed, "Steps of single sets that were computed.")
      .def_ro("needed", &stop::Training::needed, "Those of them that were of active sets.")
      .def_ro("stops", &stop::Training::stops, "What the rule says at the end.")
      .def_prop_ro(
          "losses", [](const stop::Training& self) { return wrap(self.losses()); },
          nb::sig("def losses(self) -> Tensor | None"),
          "The loss that the step returned last in each round: of shape (rounds, sets); NaN for a set that no longer "
          "went on when the round began. None where the step returned none. It is put together at every call.")
      .def("text", &stop::Training::text, "What it prints.")
      .def("__str__", &stop::Training::text);
  own.def("_train", &train, "optimizer"_a, "rule"_a, "data"_a.none(), "step"_a, "every"_a, "max_steps"_a.none(),
          "compact"_a, "min_sets"_a, "file"_a, "line"_a);
}

}  // namespace luge::python
