// Models and fits: what luge/fit.py stands on.

#include <chrono>
#include <optional>

#include <nanobind/stl/function.h>

#include <fmt/format.h>

#include <luge/fit/curve_fit.h>
#include <luge/fit/plan.h>
#include <luge/train/detail/progress.h>

#include "python.h"

namespace luge::python {

namespace {

using fit::FitOptions;
using fit::FitResult;
using fit::Model;

/// The names of models as luge/fit.py gives them.
fit::ModelNames names_of(std::vector<std::string> predictors, std::vector<std::string> parameters) {
  return {std::move(predictors), std::move(parameters)};
}

std::vector<Tensor> tensors_of(const char* op, const char* argument, nb::handle given) {
  if (is_tensor(given)) return {as_tensor(given)};
  return leaves_in(op, argument, given);
}

/// A model of a Python function f(predictors..., parameters...).
Model traced(nb::object function, std::vector<std::string> predictors, std::vector<std::string> parameters) {
  return Model(
      [&function](const std::vector<Tensor>& x, const std::vector<Tensor>& p) {
        nb::list arguments;
        for (const std::vector<Tensor>* part : {&x, &p})
          for (const Tensor& tensor : *part) arguments.append(wrap(tensor));
        const nb::object result = function(*nb::tuple(arguments));
        if (!is_tensor(result) && !nb::isinstance<nb::tuple>(result) && !nb::isinstance<nb::list>(result))
          throw TypeError(
              fmt::format("model: the function returns an object of type {}; it must return a tensor, or a tuple of "
                          "them, one for each output",
                          type_of(result)));
        return tensors_of("model", "the result of the function", result);
      },
      names_of(std::move(predictors), std::move(parameters)));
}

Tensor optional_tensor(nb::handle given) { return given.is_none() ? Tensor() : as_tensor(given); }

/// What fits and plans are given alike.
struct Given {
  Tensor x, y, p0;
  FitOptions options;
  std::string loss, method;

  Given(nb::handle x_given, nb::handle y_given, nb::handle start, const nb::dict& named)
      : x(optional_tensor(x_given)), y(as_tensor(y_given)), p0(as_tensor(start)) {
    const auto tensor = [&](const char* name) { return optional_tensor(named[name]); };
    const auto number = [&](const char* name) { return nb::cast<double>(named[name]); };
    const auto count = [&](const char* name) { return nb::cast<std::int64_t>(named[name]); };
    loss = nb::cast<std::string>(named["loss"]);
    method = nb::cast<std::string>(named["method"]);
    options = {.sigma = tensor("sigma"),
               .mask = tensor("mask"),
               .lower = tensor("lower"),
               .upper = tensor("upper"),
               .fixed = tensor("fixed"),
               .loss = loss,
               .f_scale = number("f_scale"),
               .method = method,
               .max_steps = named["max_steps"].is_none() ? std::optional<std::int64_t>() : count("max_steps"),
               .ftol = number("ftol"),
               .xtol = number("xtol"),
               .gtol = number("gtol"),
               .absolute_sigma = nb::cast<bool>(named["absolute_sigma"]),
               .starts = count("starts"),
               .seed = nb::cast<std::uint64_t>(named["seed"]),
               .chunk = count("chunk"),
               .progress = {}};
  }
  Given(const Given&) = delete;
  Given& operator=(const Given&) = delete;
};

/// The line on the terminal, while a fit goes on.
class Bar {
 public:
  void draw(std::int64_t done, std::int64_t sets) {
    const double seconds = std::chrono::duration<double>(Clock::now() - begun_).count();
    if (progress_.due(seconds) || (done == sets && progress_.open()))
      progress_.draw({.step = done, .total = sets, .seconds = seconds, .unit = "sets"});
    if (done == sets) progress_.finish();
  }
  ~Bar() { progress_.finish(); }

 private:
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begun_ = Clock::now();
  Progress progress_{true};
};

/// Between chunks Ctrl-C is heard, and `progress` is told: a function, or true for a line on the terminal.
nb::dict curve_fit(const Model& model, nb::handle x, nb::handle y, nb::handle p0, const nb::dict& options,
                   nb::handle progress) {
  Given given(x, y, p0, options);
  std::optional<Bar> bar;
  if (progress.ptr() == Py_True) bar.emplace();
  const bool is_told = !bar && !progress.is_none() && progress.ptr() != Py_False;
  given.options.progress = [&](std::int64_t done, std::int64_t sets) {
    const nb::gil_scoped_acquire locked;
    if (PyErr_CheckSignals() != 0) nb::raise_python_error();
    if (bar) bar->draw(done, sets);
    if (is_told) progress(done, sets);
  };
  FitResult found;
  {
    const nb::gil_scoped_release unlocked;
    found = fit::curve_fit(model, given.x, given.y, given.p0, given.options);
  }
  nb::dict result;
  const std::pair<const char*, Tensor> all[] = {{"parameters", found.parameters},
                                                {"covariance", found.covariance},
                                                {"standard_errors", found.standard_errors},
                                                {"status", found.status},
                                                {"steps", found.steps},
                                                {"cost", found.cost},
                                                {"optimality", found.optimality},
                                                {"chi2", found.chi2},
                                                {"reduced_chi2", found.reduced_chi2},
                                                {"r2", found.r2},
                                                {"aic", found.aic},
                                                {"condition", found.condition},
                                                {"active", found.active},
                                                {"observations", found.observations},
                                                {"start", found.start},
                                                {"agreement", found.agreement},
                                                {"_evaluations", found.evaluations}};
  for (const auto& [name, tensor] : all) result[name] = wrap(tensor);
  const fit::FitReceipt& taken = found.taken;
  nb::dict receipt;
  receipt["sets"] = taken.sets;
  receipt["starts"] = taken.starts;
  receipt["chunk"] = taken.chunk;
  receipt["chunks"] = taken.chunks;
  receipt["seconds"] = taken.seconds;
  receipt["bytes"] = taken.bytes;
  result["_taken"] = receipt;
  return result;
}

nb::dict plan(const Model& model, nb::handle x, nb::handle y, nb::handle p0, const nb::dict& options,
              std::int64_t memory) {
  if (memory < 0) throw ValueError(fmt::format("plan: memory is {}; it must be 0 or more", memory));
  const Given given(x, y, p0, options);
  const fit::FitPlan found =
      fit::plan(model, given.x, given.y, given.p0, given.options, static_cast<std::size_t>(memory));
  nb::dict result;
  result["sets"] = found.sets;
  result["starts"] = found.starts;
  result["chunk"] = found.chunk;
  result["chunks"] = found.chunks;
  result["calls"] = found.calls;
  result["bytes"] = found.bytes;
  result["result_bytes"] = found.result_bytes;
  result["free_bytes"] = found.free_bytes;
  return result;
}

}  // namespace

void bind_fit(nb::module_& m) {
  nb::module_ own = m.def_submodule("_fit", "Models and fits.");
  nb::class_<Model>(own, "_Model")
      .def_prop_ro(
          "predictors", [](const Model& self) { return nb::tuple(nb::cast(self.predictors())); },
          nb::sig("def predictors(self) -> tuple[str, ...]"), "Names of what is given beside the parameters.")
      .def_prop_ro(
          "parameters", [](const Model& self) { return nb::tuple(nb::cast(self.parameters())); },
          nb::sig("def parameters(self) -> tuple[str, ...]"), "Names of what is fitted, in order.")
      .def_prop_ro(
          "formulas", [](const Model& self) { return nb::tuple(nb::cast(self.formulas())); },
          nb::sig("def formulas(self) -> tuple[str, ...]"), "As they were given; empty for a function.")
      .def_prop_ro("outputs", &Model::outputs, "How many functions it is.")
      .def(
          "_evaluate",
          [](const Model& self, const std::vector<nb::object>& x, const std::vector<nb::object>& p, int output) {
            std::vector<Tensor> predictors, parameters;
            for (const nb::object& tensor : x) predictors.push_back(as_tensor(tensor));
            for (const nb::object& tensor : p) parameters.push_back(as_tensor(tensor));
            return wrap(self(predictors, parameters, output));
          },
          "predictors"_a, "parameters"_a, "output"_a,
          nb::sig("def _evaluate(self, predictors: Sequence[Tensor], parameters: Sequence[Tensor], output: int) -> "
                  "Tensor"));
  own.def(
      "_of_formulas",
      [](const std::vector<std::string>& formulas, std::vector<std::string> predictors,
         std::vector<std::string> parameters) {
        return Model(formulas, names_of(std::move(predictors), std::move(parameters)));
      },
      "formulas"_a, "predictors"_a, "parameters"_a);
  own.def("_of_function", &traced, "function"_a, "predictors"_a, "parameters"_a,
          nb::sig("def _of_function(function: Callable[..., Tensor | Sequence[Tensor]], predictors: Sequence[str], "
                  "parameters: Sequence[str]) -> _Model"));
  own.def("_curve_fit", &curve_fit, "model"_a, "x"_a.none(), "y"_a, "p0"_a, "options"_a, "progress"_a.none(),
          nb::sig("def _curve_fit(model: _Model, x: Tensor | None, y: Tensor, p0: Tensor, options: dict[str, object], "
                  "progress: Callable[[int, int], object] | bool | None) -> dict[str, object]"));
  own.def(
      "_plan", &plan, "model"_a, "x"_a.none(), "y"_a, "p0"_a, "options"_a, "memory"_a,
      nb::sig("def _plan(model: _Model, x: Tensor | None, y: Tensor, p0: Tensor, options: dict[str, object], memory: "
              "int) -> dict[str, int]"));
  own.def(
      "_text_of", [](int status) { return std::string(fit::text_of(static_cast<FitStatus>(status))); }, "status"_a);
}

}  // namespace luge::python
