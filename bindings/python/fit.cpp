// Models and fits: what luge/fit.py stands on.

#include <nanobind/stl/function.h>

#include <fmt/format.h>

#include <luge/fit/curve_fit.h>

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

nb::dict curve_fit(const Model& model, nb::handle x, nb::handle y, nb::handle p0, nb::handle sigma, nb::handle mask,
                   nb::handle lower, nb::handle upper, nb::handle fixed, const std::string& loss, double f_scale,
                   const std::string& method, std::optional<std::int64_t> max_steps, double ftol, double xtol,
                   double gtol, bool absolute_sigma) {
  const FitOptions options{.sigma = optional_tensor(sigma),
                           .mask = optional_tensor(mask),
                           .lower = optional_tensor(lower),
                           .upper = optional_tensor(upper),
                           .fixed = optional_tensor(fixed),
                           .loss = loss,
                           .f_scale = f_scale,
                           .method = method,
                           .max_steps = max_steps,
                           .ftol = ftol,
                           .xtol = xtol,
                           .gtol = gtol,
                           .absolute_sigma = absolute_sigma};
  const Tensor predictors = optional_tensor(x), observed = as_tensor(y), start = as_tensor(p0);
  FitResult found;
  {
    const nb::gil_scoped_release unlocked;
    found = fit::curve_fit(model, predictors, observed, start, options);
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
                                                {"observations", found.observations}};
  for (const auto& [name, tensor] : all) result[name] = wrap(tensor);
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
  own.def(
      "_curve_fit", &curve_fit, "model"_a, "x"_a.none(), "y"_a, "p0"_a, "sigma"_a.none(), "mask"_a.none(),
      "lower"_a.none(), "upper"_a.none(), "fixed"_a.none(), "loss"_a, "f_scale"_a, "method"_a, "max_steps"_a.none(),
      "ftol"_a, "xtol"_a, "gtol"_a, "absolute_sigma"_a,
      nb::sig(
          "def _curve_fit(model: _Model, x: Tensor | None, y: Tensor, p0: Tensor, sigma: Tensor | None, mask: Tensor | "
          "None, lower: Tensor | None, upper: Tensor | None, fixed: Tensor | None, loss: str, f_scale: float, method: "
          "str, max_steps: int | None, ftol: float, xtol: float, gtol: float, absolute_sigma: bool) -> dict[str, "
          "Tensor]"));
  own.def(
      "_text_of", [](int status) { return std::string(fit::text_of(static_cast<FitStatus>(status))); }, "status"_a);
}

}  // namespace luge::python
