// Captured steps and the monitor.

#include <chrono>

#include <fmt/format.h>

#include "python.h"

namespace luge::python {

namespace {

/// What a captured function returned besides tensors: how they are to be put together again.
class Structure {
 public:
  /// Takes note of what the function returned and gives its tensors.
  std::vector<Tensor> take(nb::handle returned) {
    std::vector<Tensor> tensors;
    if (returned.is_none()) {
      kind_ = Kind::None;
    } else if (is_tensor(returned)) {
      kind_ = Kind::One;
      tensors.push_back(luge::python::as_tensor(returned));
    } else if (nb::isinstance<nb::dict>(returned)) {
      kind_ = Kind::Dict;
      keys_.clear();
      for (const auto& [key, value] : nb::borrow<nb::dict>(returned)) {
        keys_.push_back(nb::borrow(key));
        tensors.push_back(tensor(value));
      }
    } else if (nb::isinstance<nb::tuple>(returned) || nb::isinstance<nb::list>(returned)) {
      kind_ = nb::isinstance<nb::tuple>(returned) ? Kind::Tuple : Kind::List;
      for (const nb::handle value : nb::borrow(returned)) tensors.push_back(tensor(value));
    } else {
      refuse(returned);
    }
    return tensors;
  }

  nb::object put(const std::vector<Tensor>& tensors) const {
    switch (kind_) {
      case Kind::None: return nb::none();
      case Kind::One: return wrap(tensors.front());
      case Kind::Dict: {
        nb::dict result;
        for (std::size_t i = 0; i < keys_.size(); ++i) result[keys_[i]] = wrap(tensors[i]);
        return result;
      }
      case Kind::Tuple:
      case Kind::List: break;
    }
    nb::list result;
    for (const Tensor& tensor : tensors) result.append(wrap(tensor));
    return kind_ == Kind::Tuple ? nb::object(nb::tuple(result)) : nb::object(result);
  }

 private:
  enum class Kind { None, One, Tuple, List, Dict };

  [[noreturn]] static void refuse(nb::handle value) {
    throw nb::type_error(
        fmt::format("capture: the function returned an object of type {}; allowed are None, a tensor, and a "
                    "tuple, list or dict of tensors",
                    type_of(value))
            .c_str());
  }
  static Tensor tensor(nb::handle value) {
    if (!is_tensor(value)) refuse(value);
    return luge::python::as_tensor(value);
  }

  Kind kind_ = Kind::None;
  std::vector<nb::object> keys_;
};

class PyStep {
 public:
  PyStep(nb::object function, bool keep_gradients, SourceLocation location)
      : function_(std::move(function)),
        step_(
            [this] {
              const nb::gil_scoped_acquire locked;
              return structure_.take(function_());
            },
            {.keep_gradients = keep_gradients}, location) {}

  /// Many steps in parts, between which Ctrl-C is heard.
  nb::object run(std::int64_t steps) {
    using Clock = std::chrono::steady_clock;
    constexpr std::int64_t kFirst = 256;
    constexpr std::chrono::milliseconds kPatience(100);
    const std::vector<Tensor>* results = nullptr;
    std::int64_t part = kFirst;
    do {
      const Clock::time_point begun = Clock::now();
      const std::int64_t now = std::min(part, steps);
      {
        const nb::gil_scoped_release unlocked;
        results = &step_.run(now);
      }
      steps -= now;
      if (PyErr_CheckSignals() != 0) nb::raise_python_error();
      if (Clock::now() - begun < kPatience / 2) part *= 2;
      if (Clock::now() - begun > kPatience && part > kFirst) part /= 2;
    } while (steps > 0);
    return structure_.put(*results);
  }

  nb::object once() {
    const std::vector<Tensor>* results = nullptr;
    {
      const nb::gil_scoped_release unlocked;
      results = &step_.run(1);
    }
    return structure_.put(*results);
  }

  const CapturedStep& step() const { return step_; }
  const nb::object& function() const { return function_; }

  /// For the cycle collector: a step and the function that it captured often know each other.
  static int traverse(PyObject* self, visitproc visit, void* arg) noexcept {
    Py_VISIT(Py_TYPE(self));
    if (nb::inst_ready(self)) Py_VISIT(nb::inst_ptr<PyStep>(nb::handle(self))->function_.ptr());
    return 0;
  }
  static int clear(PyObject* self) noexcept {
    if (nb::inst_ready(self)) nb::inst_ptr<PyStep>(nb::handle(self))->function_.reset();
    return 0;
  }

 private:
  nb::object function_;
  Structure structure_;
  CapturedStep step_;
};

PyType_Slot step_slots[] = {{Py_tp_traverse, reinterpret_cast<void*>(&PyStep::traverse)},
                            {Py_tp_clear, reinterpret_cast<void*>(&PyStep::clear)},
                            {0, nullptr}};

void bind_step(nb::module_& m) {
  nb::class_<StepFigures>(m, "StepFigures", "What a step takes, by counting: as it was recorded, and in the plan.")
      .def_ro("recorded_calls", &StepFigures::recorded_calls, "Kernel calls of the eager step.")
      .def_ro("launches", &StepFigures::launches, "Calls and fused chains of the plan.")
      .def_ro("recorded_bytes", &StepFigures::recorded_bytes, "Bytes that cross the memory bus in the eager step.")
      .def_ro("bytes", &StepFigures::bytes, "Bytes that cross the memory bus in the plan.")
      .def_ro("flops", &StepFigures::flops, "Floating-point operations.")
      .def_ro("recorded_peak", &StepFigures::recorded_peak,
              "Bytes of the step's own memory, at most, in the eager step.")
      .def_ro("peak", &StepFigures::peak, "Bytes of the step's own memory in the plan.");
  nb::class_<StepStats>(m, "StepStats", "What replays took.")
      .def_ro("replays", &StepStats::replays)
      .def_ro("seconds", &StepStats::seconds, "Per replay, on the host's clock; on a GPU the time to queue it.")
      .def_ro("bytes_per_second", &StepStats::bytes_per_second);
  nb::class_<PyStep> step(
      m, "Step", nb::type_slots(step_slots), nb::is_weak_referenceable(),
      "A training step that was recorded once and is replayed from then on; made by luge.capture.\n\n"
      "The first call runs the function and records it; that step counts. Later calls replay it without "
      "running the function and return the same tensors, filled anew. Feed a step by refilling its "
      "tensors in place (copy_).");
  step.def(
          "__init__",
          [](PyStep* self, nb::object function, bool keep_gradients, nb::str file, int line) {
            if (!PyCallable_Check(function.ptr())) throw nb::type_error("capture: the argument must be a function");
            new (self) PyStep(std::move(function), keep_gradients, location_in(std::move(file), line));
          },
          "function"_a, "keep_gradients"_a, "file"_a, "line"_a,
          "For luge.capture: file and line are those of its call.")
      .def("__call__", &PyStep::once, "One step; returns what the function returned.")
      .def(
          "run",
          [](PyStep& self, std::int64_t steps) {
            if (steps < 1) throw ValueError(fmt::format("run: steps is {}; it must be 1 or more", steps));
            return self.run(steps);
          },
          "steps"_a, "Many steps without Python in between; returns the results of the last.")
      .def(
          "plan", [](const PyStep& self) { return self.step().plan(); },
          "What will run, as text. Raises CaptureError before the first step.")
      .def_prop_ro("figures", [](const PyStep& self) { return self.step().figures(); })
      .def_prop_ro("stats", [](const PyStep& self) { return self.step().stats(); })
      .def_prop_ro("__wrapped__", &PyStep::function, "The captured function.");
}

// ---- the monitor

/// The history by columns, as memory for NumPy or as lists.
nb::dict columns(Monitor& monitor) {
  const SourceLocation at = location();
  const std::vector<HistoryRow>* history = nullptr;
  {
    const nb::gil_scoped_release unlocked;
    history = &monitor.history(at);
  }
  nb::list step, seconds, mean, min, max, not_finite, sets;
  for (const HistoryRow& row : *history) {
    step.append(row.step);
    seconds.append(row.seconds);
    mean.append(row.mean);
    min.append(row.min);
    max.append(row.max);
    not_finite.append(row.not_finite);
    sets.append(row.sets);
  }
  nb::dict result;
  result["step"] = step;
  result["seconds"] = seconds;
  result["mean"] = mean;
  result["min"] = min;
  result["max"] = max;
  result["not_finite"] = not_finite;
  result["sets"] = sets;
  return result;
}

void bind_monitor(nb::module_& m) {
  nb::class_<Monitor>(m, "_Monitor", nb::is_weak_referenceable(), "The part of luge.Monitor that is compiled.")
      .def(
          "__init__",
          [](Monitor* self, std::int64_t total, std::int64_t keep_sets, std::int64_t capacity, bool progress) {
            new (self) Monitor({.total = total, .keep_sets = keep_sets, .capacity = capacity, .progress = progress});
          },
          "total"_a, "keep_sets"_a, "capacity"_a, "progress"_a)
      .def(
          "record",
          [](Monitor& self, const Tensor& loss) {
            const Unlocked unlocked(loss);
            self.record(loss);
          },
          "loss"_a)
      .def("columns", &columns)
      .def("latest",
           [](Monitor& self) -> std::optional<std::pair<std::int64_t, double>> {
             const HistoryRow* const row = self.latest();
             if (!row) return std::nullopt;
             return std::pair(row->step, row->mean);
           })
      .def("recorded", &Monitor::recorded)
      .def("finish",
           [](Monitor& self) {
             const nb::gil_scoped_release unlocked;
             self.finish();
           })
      .def(
          "write_csv", [](Monitor& self, const std::string& path) { self.write_csv(path, location()); }, "path"_a)
      .def(
          "write_jsonl", [](Monitor& self, const std::string& path) { self.write_jsonl(path, location()); }, "path"_a);
}

}  // namespace

void bind_capture(nb::module_& m) {
  bind_step(m);
  bind_monitor(m);
}

}  // namespace luge::python
