// Captured steps and the monitor.

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <nanobind/stl/map.h>

#include <fmt/format.h>

#include "python.h"

namespace luge::python {

namespace {

/// What a captured function returned besides tensors: how they are to be put together again.
class Structure {
 public:
  /// Keys are Python's: whoever lets go of them last may be a thread without the interpreter's lock.
  ~Structure() {
    const nb::gil_scoped_acquire locked;
    keys_.clear();
  }

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

/// How often a module has begun or stopped to train, so that steps look at theirs only where any has.
std::int64_t training_changes = 0;

/// The modules that a captured function calls, and whether each of them trained then: others are another step.
class Modes {
 public:
  /// While it lives, modules that this thread calls are listed.
  class Listing {
   public:
    Listing() : recorded_(nb::module_::import_("luge.nn._hooked").attr("recorded")) { recorded_.attr("modules") = modules_; }
    ~Listing() {
      if (PyObject_SetAttrString(recorded_.ptr(), "modules", Py_None) != 0) PyErr_Clear();
    }
    Listing(const Listing&) = delete;
    Listing& operator=(const Listing&) = delete;
    const nb::list& modules() const { return modules_; }

   private:
    nb::object recorded_;
    nb::list modules_;
  };

  /// A function that itself lets modules train and stops them depends on no mode.
  void take(const Listing& listing, std::int64_t changes_before) {
    trained_.clear();
    if (training_changes == changes_before)
      for (const nb::handle module : listing.modules()) {
        const auto same = [&](const std::pair<nb::object, bool>& known) { return known.first().is(module); };
        if (std::none_of(trained_.begin(), trained_.end(), same)) trained_.emplace_back(nb::weakref(module), trains(module));
      }
    seen_ = training_changes;
  }

  bool hold() {
    if (seen_ == training_changes) return true;
    for (const auto& [reference, trained] : trained_) {
      const nb::object module = reference();
      if (!module.is_none() && trains(module) != trained) return false;
    }
    seen_ = training_changes;
    return true;
  }

 private:
  static bool trains(nb::handle module) { return nb::cast<bool>(nb::bool_(module.attr("training"))); }

  std::vector<std::pair<nb::object, bool>> trained_;  ///< weak references
  std::int64_t seen_ = -1;
};

class PyStep {
 public:
  PyStep(nb::object function, bool keep_gradients, SourceLocation location)
      : function_(std::move(function)), keep_gradients_(keep_gradients), location_(location) {}

  PyStep(const PyStep&) = delete;
  PyStep& operator=(const PyStep&) = delete;

  /// Many steps in parts, between which Ctrl-C is heard.
  nb::object run(std::int64_t steps, const nb::args& positional, const nb::kwargs& named) {
    using Clock = std::chrono::steady_clock;
    constexpr std::int64_t kFirst = 256;
    constexpr std::chrono::milliseconds kPatience(100);
    const std::vector<Tensor> arguments = tensors(positional, named);
    CapturedStep& step = step_for(named);
    const StepResults* results = nullptr;
    std::int64_t part = kFirst;
    do {
      const Clock::time_point begun = Clock::now();
      const std::int64_t now = std::min(part, steps);
      {
        const nb::gil_scoped_release unlocked;
        results = &step.run(now, arguments);
      }
      steps -= now;
      if (PyErr_CheckSignals() != 0) nb::raise_python_error();
      if (Clock::now() - begun < kPatience / 2) part *= 2;
      if (Clock::now() - begun > kPatience && part > kFirst) part /= 2;
    } while (steps > 0);
    return put(*results);
  }

  nb::object once(const nb::args& positional, const nb::kwargs& named) {
    const std::vector<Tensor> arguments = tensors(positional, named);
    CapturedStep& step = step_for(named);
    const StepResults* results = nullptr;
    {
      const nb::gil_scoped_release unlocked;
      results = &step.run(1, arguments);
    }
    return put(*results);
  }

  /// The step that ran last. Throws CaptureError before the first one.
  const CapturedStep& step(const char* op) const {
    if (!last_) throw CaptureError(fmt::format("{}: nothing is recorded yet; call the step once before", op));
    return *last_;
  }
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
  /// The arguments, those with names behind the others.
  static std::vector<Tensor> tensors(const nb::args& positional, const nb::kwargs& named) {
    std::vector<Tensor> result;
    const auto add = [&](const std::string& argument, nb::handle value) {
      if (!is_tensor(value))
        throw nb::type_error(
            fmt::format("step: argument {} is an object of type {}; a captured step takes tensors; luge.as_tensor "
                        "makes one of an array, and what never changes the function may know by itself",
                        argument, type_of(value))
                .c_str());
      result.push_back(luge::python::as_tensor(value));
    };
    for (const nb::handle value : positional) add(std::to_string(result.size()), value);
    for (const auto& [key, value] : named) add(nb::cast<std::string>(key), value);
    return result;
  }

  struct Variant {
    Modes modes;
    std::unique_ptr<CapturedStep> step;
  };
  static constexpr std::size_t kMostVariants = 16;

  /// One for each order of the names, and for modules that train and that do not.
  CapturedStep& step_for(const nb::kwargs& named) {
    std::vector<std::string> names;
    for (const auto& [key, value] : named) names.push_back(nb::cast<std::string>(key));
    std::vector<std::unique_ptr<Variant>>& variants = steps_[names];
    auto variant = std::find_if(variants.begin(), variants.end(), [](const auto& one) { return one->modes.hold(); });
    if (variant == variants.end()) {
      if (variants.size() == kMostVariants)
        throw CaptureError(fmt::format("step: its modules have been in {} different combinations of train() and eval(); allowed are {}, each "
                                       "of which has a plan of its own",
                                       kMostVariants + 1, kMostVariants));
      variants.push_back(std::make_unique<Variant>());
      variant = variants.end() - 1;
      (*variant)->step = std::make_unique<CapturedStep>(
          [this, names, modes = &(*variant)->modes](const std::vector<Tensor>& inputs) { return call(inputs, names, *modes); },
          CaptureOptions{.keep_gradients = keep_gradients_}, location_);
    }
    last_ = (*variant)->step.get();
    return *(*variant)->step;
  }

  StepResults call(const std::vector<Tensor>& inputs, const std::vector<std::string>& names, Modes& modes) const {
    const nb::gil_scoped_acquire locked;
    nb::list positional;
    nb::dict named;
    const std::size_t before = inputs.size() - names.size();
    for (std::size_t i = 0; i < before; ++i) positional.append(wrap(inputs[i]));
    for (std::size_t i = 0; i < names.size(); ++i) named[names[i].c_str()] = wrap(inputs[before + i]);
    const auto structure = std::make_shared<Structure>();
    const Modes::Listing listing;
    const std::int64_t changes = training_changes;
    StepResults results;
    results.tensors = structure->take(function_(*positional, **named));
    modes.take(listing, changes);
    results.form = structure;
    return results;
  }

  static nb::object put(const StepResults& results) {
    return static_cast<const Structure*>(results.form.get())->put(results.tensors);
  }

  nb::object function_;
  bool keep_gradients_;
  SourceLocation location_;
  std::map<std::vector<std::string>, std::vector<std::unique_ptr<Variant>>> steps_;
  const CapturedStep* last_ = nullptr;
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
      .def("__call__", &PyStep::once, "args"_a, "kwargs"_a,
           nb::sig("def __call__(self, *args: Tensor, **kwargs: Tensor) -> typing.Any"),
           "One step; returns what the function returned.\n\n"
           "Arguments are tensors. They are copied into those that stand for them in the function, and what it changes in "
           "place is copied back; others of another shape, "
           "dtype or device record another plan, up to 16. Raises AutogradError where one requires a gradient.")
      .def(
          "run",
          [](PyStep& self, std::int64_t steps, const nb::args& positional, const nb::kwargs& named) {
            if (steps < 1) throw ValueError(fmt::format("run: steps is {}; it must be 1 or more", steps));
            return self.run(steps, positional, named);
          },
          "steps"_a, "args"_a, "kwargs"_a,
          nb::sig("def run(self, steps: int, *args: Tensor, **kwargs: Tensor) -> typing.Any"),
          "Many steps without Python in between, with the same arguments; returns the results of the last.")
      .def(
          "plan", [](const PyStep& self) { return self.step("plan").plan(); },
          "What will run, as text. Raises CaptureError before the first step.")
      .def_prop_ro("figures", [](const PyStep& self) { return self.step("figures").figures(); })
      .def_prop_ro("stats", [](const PyStep& self) { return self.step("stats").stats(); })
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
          "write_csv",
          [](Monitor& self, const PathArgument& path) { self.write_csv(path.native("Monitor.write_csv"), location()); }, "path"_a)
      .def(
          "write_jsonl",
          [](Monitor& self, const PathArgument& path) { self.write_jsonl(path.native("Monitor.write_jsonl"), location()); },
          "path"_a)
      .def(
          "_kept_quantiles",
          [](Monitor& self, const std::vector<double>& q) {
            const SourceLocation at = location();
            const nb::gil_scoped_release unlocked;
            return self.kept_quantiles(q, at);
          },
          "q"_a)
      .def(
          "_report",
          [](Monitor& self, const PathArgument& folder, const std::string& title,
             const std::vector<std::pair<std::string, std::string>>& facts) {
            const SourceLocation at = location();
            const std::string path = folder.native("report");
            report::Written written;
            {
              const nb::gil_scoped_release unlocked;
              written = self.report(path, {.title = title, .facts = facts}, at);
            }
            return std::pair(path_object(written.page), written.trouble);
          },
          "folder"_a, "title"_a, "facts"_a, "The page, and why it has no pictures.");
}

void bind_summary(nb::module_& m) {
  nb::class_<Summary>(
      m, "Summary",
      "How the finite values of a tensor are spread; made by luge.summarize. Without a finite value, mean, "
      "bounds and quantiles are NaN and there is no histogram.")
      .def_ro("count", &Summary::count, "How many values are finite.")
      .def_ro("not_finite", &Summary::not_finite, "How many values are not.")
      .def_ro("mean", &Summary::mean, "The mean.")
      .def_ro("min", &Summary::min, "The smallest value.")
      .def_ro("max", &Summary::max, "The largest value.")
      .def_ro("sum", &Summary::sum, "The sum.")
      .def_ro("sum_squares", &Summary::sum_squares, "The sum of squares.")
      .def_prop_ro(
          "quantiles",
          [](const Summary& self) {
            std::map<double, double> result;
            for (std::size_t i = 0; i < self.quantiles.size(); ++i) result[self.probabilities[i]] = self.quantiles[i];
            return result;
          },
          "Quantiles by probability: quantiles[0.5] is the median.")
      .def_ro("edges", &Summary::edges, "Edges of the histogram's bins: one more than there are bins.")
      .def_ro("counts", &Summary::counts, "How many values lie in each bin.")
      .def("__repr__", [](const Summary& self) {
        return fmt::format("<luge.Summary of {} finite values: mean {:.6g}, from {:.6g} to {:.6g}>", self.count,
                           self.mean, self.min, self.max);
      });
  m.def(
      "summarize",
      [](const Tensor& x, const std::vector<double>& quantiles, std::int64_t bins) {
        const SourceLocation at = location();
        const nb::gil_scoped_release unlocked;
        return summarize(x, {.quantiles = quantiles, .bins = bins}, at);
      },
      "x"_a, "quantiles"_a = SummaryOptions().quantiles, "bins"_a = SummaryOptions().bins,
      nb::sig("def summarize(x: Tensor, quantiles: Sequence[float] = (0.05, 0.25, 0.5, 0.75, 0.95), bins: int = 64) -> "
              "Summary"),
      "Quantiles and a histogram of the finite values of a tensor of any shape: the final losses of a million sets, "
      "their parameters.\n\nIt copies the values to the host, waits for the device, and selects there without sorting; "
      "meant "
      "for the end of a training and for every so many steps.\n\n"
      ">>> luge.summarize(luge.tensor([1.0, 2.0, 3.0, 10.0]), bins=3).counts\n[3, 0, 1]\n"
      ">>> luge.summarize(luge.arange(101).to(luge.float32)).quantiles[0.95]\n95.0");
}

}  // namespace

void bind_capture(nb::module_& m) {
  m.def("_training_changed", [] { ++training_changes; }, "A module begins or stops to train: captured steps look at theirs.");
  bind_summary(m);
  bind_step(m);
  bind_monitor(m);
}

}  // namespace luge::python
