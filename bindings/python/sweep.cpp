// Sweeps: what luge/sweep.py stands on.

#include <fmt/format.h>

#include <luge/sweep/run.h>

#include "python.h"

namespace luge::python {

namespace {

using sweep::Distribution;
using sweep::Result;
using sweep::Settings;

/// Values given as a tensor, as numbers one after the other (NumPy's arrays too), or as one number.
std::vector<double> numbers(const char* op, const std::string& what, nb::handle given) {
  if (is_tensor(given)) return as_tensor(given).detach().to(DType::Float64).to_vector<double>();
  const auto refuse = [&](nb::handle value) {
    throw TypeError(fmt::format("{}: {} is of type {}; it must be numbers", op, what, type_of(value)));
  };
  if (nb::isinstance<nb::str>(given) || nb::isinstance<nb::dict>(given)) refuse(given);
  if (const std::optional<Scalar> one = number(given)) return {one->to_double()};
  if (!nb::hasattr(given, "__iter__")) refuse(given);
  std::vector<double> result;
  for (const nb::handle value : nb::borrow(given)) {
    const std::optional<Scalar> one = nb::isinstance<nb::str>(value) ? std::nullopt : number(value);
    if (!one)
      throw TypeError(fmt::format("{}: {} holds an object of type {}; allowed are numbers", op, what, type_of(value)));
    result.push_back(one->to_double());
  }
  return result;
}

/// The names and values of a dict.
template <class Value>
auto items(const char* op, const nb::dict& given, const Value& value) {
  std::vector<std::pair<std::string, decltype(value(std::string(), nb::handle()))>> result;
  for (const auto& [key, one] : given) {
    if (!nb::isinstance<nb::str>(key))
      throw TypeError(fmt::format("{}: a name is of type {}; names must be str", op, type_of(key)));
    std::string name = text_of(op, "a name", key);
    auto converted = value(name, one);
    result.emplace_back(std::move(name), std::move(converted));
  }
  return result;
}

Settings grid(const nb::dict& lists, std::int64_t seeds) {
  constexpr const char* kOp = "sweep.grid";
  return sweep::grid(items(kOp, lists, [](const std::string& name, nb::handle one) { return numbers(kOp, name, one); }),
                     {.seeds = seeds});
}

Settings space(const nb::dict& given, std::int64_t sets, std::uint64_t seed, std::int64_t seeds, std::int64_t first_set,
               const std::string& method) {
  constexpr const char* kOp = "sweep.space";
  if (method != "random" && method != "halton")
    throw ValueError(fmt::format("{}: method is '{}'; allowed are 'random' and 'halton'", kOp, method));
  const auto distributions = items(kOp, given, [&](const std::string& name, nb::handle one) {
    if (nb::isinstance<Distribution>(one)) return nb::cast<Distribution>(one);
    if (const std::optional<Scalar> value = number(one)) return sweep::choice({value->to_double()});
    throw TypeError(fmt::format(
        "{}: {} is of type {}; it must be choice(...), uniform(...), log_uniform(...), integers(...), or a number", kOp,
        name, type_of(one)));
  });
  return sweep::space(distributions, {.sets = sets,
                                      .seed = seed,
                                      .seeds = seeds,
                                      .first_set = first_set,
                                      .draws = method == "random" ? sweep::Draws::Random : sweep::Draws::Halton});
}

Settings settings(const nb::dict& given, std::int64_t seeds) {
  constexpr const char* kOp = "Settings";
  std::vector<sweep::Column> columns;
  for (auto& [name, values] :
       items(kOp, given, [](const std::string&name, nb::handle one) { return numbers(kOp, name, one); })) {
    std::string what = fmt::format("{} values", values.size());
    columns.push_back({.name = name, .values = std::move(values), .space = std::move(what)});
  }
  return Settings(std::move(columns), seeds);
}

std::string shown(const Settings& self) {
  std::string text = fmt::format("<luge.sweep.Settings of {} sets", self.sets());
  if (self.seeds() > 1) text += fmt::format(", {} of each setting", self.seeds());
  for (const sweep::Column& column : self.columns()) text += fmt::format("; {}: {}", column.name, column.space);
  return text + ">";
}

bool has(const Settings& self, const std::string& name) {
  const std::vector<std::string> names = self.names();
  return std::find(names.begin(), names.end(), name) != names.end();
}

Tensor values_of(const Settings& self, const std::string& name) {
  if (!has(self, name))
    throw nb::key_error(
        fmt::format("there is no hyperparameter '{}'; there are: {}", name, fmt::join(self.names(), ", ")).c_str());
  return self[name];
}

/// What the optimizers of luge.optim take.
nb::dict hyper(const Settings& self, const nb::args& given) {
  std::vector<std::string> names;
  for (const nb::handle name : given) names.push_back(text_of("Settings.hyper", "a name", name));
  if (names.empty()) names = self.names();
  nb::dict result;
  nb::object betas[2] = {nb::float_(0.9), nb::float_(0.999)};
  for (const std::string& name : names) {
    const nb::object values = wrap(values_of(self, name));
    if (name == "beta1" || name == "beta2") {
      betas[name == "beta2"] = values;
      result["betas"] = nb::make_tuple(betas[0], betas[1]);
    } else {
      result[name == "epsilon" ? "eps" : name.c_str()] = values;
    }
  }
  return result;
}

void bind_spaces(nb::module_& own) {
  nb::class_<Distribution>(own, "Distribution", "What values a hyperparameter takes, and how often.")
      .def("quantile", &Distribution::quantile, "u"_a,
           "The value below which the share `u` of all draws lies, 0 <= u < 1.")
      .def("__repr__", &Distribution::text);
  own.def(
      "_choice", [](nb::handle values) { return sweep::choice(numbers("sweep.choice", "values", values)); },
      "values"_a);
  own.def("_uniform", &sweep::uniform, "low"_a, "high"_a);
  own.def("_log_uniform", &sweep::log_uniform, "low"_a, "high"_a);
  own.def("_integers", &sweep::integers, "low"_a, "high"_a);
  own.def("_linspace", &sweep::linspace, "first"_a, "last"_a, "count"_a);
  own.def("_geomspace", &sweep::geomspace, "first"_a, "last"_a, "count"_a);
  own.def("_grid", &grid, "lists"_a, "seeds"_a);
  own.def("_space", &space, "distributions"_a, "sets"_a, "seed"_a, "seeds"_a, "first_set"_a, "method"_a);

  nb::class_<Settings>(
      own, "Settings",
      "The hyperparameters of many sets, by name: float64 tensors of shape (sets). Made by grid, by space, "
      "or of values by name.")
      .def(
          "__init__",
          [](Settings* self, const nb::dict& values, std::int64_t seeds) {
            new (self) Settings(settings(values, seeds));
          },
          "values"_a, "seeds"_a = 1, nb::sig("def __init__(self, values: dict[str, Any], seeds: int = 1) -> None"))
      .def("__getitem__", &values_of, "name"_a)
      .def("__contains__", &has, "name"_a)
      .def(
          "__iter__", [](const Settings& self) { return nb::iter(nb::cast(self.names())); },
          nb::sig("def __iter__(self) -> Iterator[str]"))
      .def("__repr__", &shown)
      .def("hyper", &hyper, nb::sig("def hyper(self, *names: str) -> dict[str, Any]"),
           "Keyword arguments for an optimizer of luge.optim: those of these names, or all. beta1 and beta2 become "
           "betas, "
           "epsilon becomes eps.")
      .def_prop_ro(
          "names", [](const Settings& self) { return nb::tuple(nb::cast(self.names())); },
          nb::sig("def names(self) -> tuple[str, ...]"), "Names of the hyperparameters, in order.")
      .def_prop_ro("sets", &Settings::sets, "How many sets there are.")
      .def_prop_ro("seeds", &Settings::seeds, "Sets of each setting, which differ in their initial values.")
      .def_prop_ro("settings", &Settings::settings, "How many different settings there are.");
}

// ---- results

template <class T>
nb::object as_tensor_object(const std::vector<T>& values) {
  return wrap(from_host(values, {static_cast<std::int64_t>(values.size())}));
}

nb::object curves(const Result& self) {
  std::vector<double> all;
  for (const std::vector<double>& look : self.curves) all.insert(all.end(), look.begin(), look.end());
  return wrap(from_host(all, {static_cast<std::int64_t>(self.curves.size()), self.sets()}));
}

/// A row for each of the sets, by the names of the columns.
nb::dict row(const Result& self, std::int64_t set) {
  const auto at = static_cast<std::size_t>(set);
  nb::dict result;
  result["set"] = set;
  result["setting"] = set / self.settings.seeds();
  result["seed"] = set % self.settings.seeds();
  for (const sweep::Column& column : self.settings.columns()) result[column.name.c_str()] = column.values[at];
  result["score"] = self.scores[at];
  result["best_score"] = self.best_scores[at];
  result["best_step"] = self.best_steps[at];
  result["steps"] = self.steps[at];
  result["stopped"] = self.stopped[at];
  return result;
}

nb::list rows(const Result& self, const std::optional<std::vector<std::int64_t>>& sets) {
  nb::list result;
  if (!sets) {
    for (std::int64_t set = 0; set < self.sets(); ++set) result.append(row(self, set));
    return result;
  }
  for (const std::int64_t set : *sets) {
    if (set < 0 || set >= self.sets())
      throw IndexError(fmt::format("Result.rows: there is no set {}; there are {}", set, self.sets()));
    result.append(row(self, set));
  }
  return result;
}

nb::object write_report(const Result& self, const PathArgument& directory, const std::string& title,
                        nb::handle options) {
  const std::string path = directory.native("Result.report");
  std::vector<std::pair<std::string, std::string>> facts;
  if (!options.is_none()) {
    if (!nb::hasattr(options, "items"))
      throw TypeError(fmt::format("Result.report: options is of type {}; it must be a dict", type_of(options)));
    for (const nb::handle item : nb::borrow(options.attr("items")())) {
      const nb::object name = item[0], value = item[1];
      facts.emplace_back(nb::str(nb::handle(name)).c_str(), nb::str(nb::handle(value)).c_str());
    }
  }
  report::Written written;
  {
    const nb::gil_scoped_release unlocked;
    written = self.report(path, {.title = title, .facts = facts});
  }
  if (!written.trouble.empty() &&
      PyErr_WarnEx(PyExc_RuntimeWarning, ("report without pictures: " + written.trouble).c_str(), 1) != 0)
    nb::raise_python_error();
  return path_object(written.page);
}

nb::object to_dataframe(const Result& self) {
  nb::object pandas;
  try {
    pandas = nb::module_::import_("pandas");
  } catch (nb::python_error& error) {
    if (!error.matches(PyExc_ImportError)) throw;
    nb::raise_from(error, PyExc_ImportError, "Result.to_dataframe needs pandas, which is not installed");
  }
  return pandas.attr("DataFrame")(rows(self, std::nullopt)).attr("set_index")("set");
}

void bind_result(nb::module_& own) {
  nb::class_<sweep::SettingScores>(own, "SettingScores", "Scores of one setting over its seeds.")
      .def_ro("setting", &sweep::SettingScores::setting, "Its number: sets setting * seeds and on have it.")
      .def_ro("finite", &sweep::SettingScores::finite, "Seeds whose score is finite.")
      .def_ro("mean", &sweep::SettingScores::mean, "Over all seeds; NaN where a score is not finite.")
      .def_ro("deviation", &sweep::SettingScores::deviation, "Standard deviation of a sample; NaN for one seed.")
      .def_ro("best", &sweep::SettingScores::best, "The lowest finite score; NaN: none is.")
      .def("__repr__", [](const sweep::SettingScores& self) {
        return fmt::format("<setting {}: mean {:.6g}, deviation {:.3g}>", self.setting, self.mean, self.deviation);
      });
  nb::class_<sweep::Association>(own, "Association",
                                 "How the scores go with one hyperparameter, by ranks alone. Neither number says what "
                                 "causes what.")
      .def_ro("name", &sweep::Association::name, "The hyperparameter.")
      .def_ro(
          "rank_correlation", &sweep::Association::rank_correlation,
          "Spearman's; 1: a larger value always has a larger, worse, score. It does not see an optimum in the middle.")
      .def_ro(
          "explained", &sweep::Association::explained,
          "Share of the variance of the scores' ranks between groups of like values, less what chance puts there: "
          "epsilon squared, Kelley 1935.")
      .def("__repr__", [](const sweep::Association& self) {
        return fmt::format("<{}: rank_correlation {:.2f}, explained {:.2f}>", self.name, self.rank_correlation,
                           self.explained);
      });
  nb::class_<sweep::Look>(own, "Look", "How far a sweep is.")
      .def_ro("steps", &sweep::Look::steps, "Steps that were taken.")
      .def_ro("of_steps", &sweep::Look::of_steps, "Steps that will be, at most.")
      .def_ro("active", &sweep::Look::active, "Sets that go on.")
      .def_ro("best_set", &sweep::Look::best_set, "The best set by the present scores.")
      .def_ro("best", &sweep::Look::best, "Its score; NaN: none is finite.")
      .def_ro("seconds", &sweep::Look::seconds, "Since the sweep began.");

  nb::class_<Result>(own, "Result",
                     "What a sweep found. Scores are better the lower they are; one that is not finite is the worst.")
      .def_ro("settings", &Result::settings, "The settings of the sets.")
      .def_ro("score_name", &Result::score_name, "What the score is.")
      .def_ro("seconds", &Result::seconds, "How long it took.")
      .def_ro("interrupted", &Result::interrupted, "Whether it was ended before all steps were taken.")
      .def_ro(
          "stopped", &Result::stopped,
          "By set: why it stopped: the name of a luge.stop.Reason, 'halving', 'steps', 'interrupted' or 'inactive'.")
      .def_prop_ro(
          "scores", [](const Result& self) { return as_tensor_object(self.scores); },
          nb::sig("def scores(self) -> Tensor"), "By set: the score at the end of its training.")
      .def_prop_ro(
          "best_scores", [](const Result& self) { return as_tensor_object(self.best_scores); },
          nb::sig("def best_scores(self) -> Tensor"),
          "By set: the lowest finite score at any look; NaN: there was none.")
      .def_prop_ro(
          "best_steps", [](const Result& self) { return as_tensor_object(self.best_steps); },
          nb::sig("def best_steps(self) -> Tensor"), "By set: steps before the lowest score, -1 without one.")
      .def_prop_ro(
          "steps", [](const Result& self) { return as_tensor_object(self.steps); },
          nb::sig("def steps(self) -> Tensor"), "By set: steps that it took.")
      .def_prop_ro(
          "looks", [](const Result& self) { return as_tensor_object(self.looks); },
          nb::sig("def looks(self) -> Tensor"), "Steps after which there was a look.")
      .def_prop_ro("curves", &curves, nb::sig("def curves(self) -> Tensor"),
                   "Scores of shape (looks, sets); NaN for a set that took no step since the look before.")
      .def_prop_ro("total_steps", &Result::total_steps, "Steps of all sets together.")
      .def("best", &Result::best, "count"_a = 1, "The numbers of the best sets, the best first.")
      .def("rows", &rows, "sets"_a = nb::none(),
           nb::sig("def rows(self, sets: Sequence[int] | None = None) -> list[dict[str, Any]]"),
           "A dict for each of these sets, or for all.")
      .def("by_setting", &Result::by_setting, nb::sig("def by_setting(self) -> list[SettingScores]"),
           "Mean and spread of every setting over its seeds, the best mean first.")
      .def("associations", &Result::associations, nb::sig("def associations(self) -> list[Association]"),
           "How the scores go with each hyperparameter.")
      .def(
          "table", [](const Result& self, std::int64_t count) { return self.table(count).text(); }, "count"_a = 10,
          "The best sets as text, one a row.")
      .def("csv", &Result::csv, "A heading and a row for each set.")
      .def("json", &Result::json, "The same as a JSON object; numbers that JSON cannot hold are null.")
      .def(
          "save", [](const Result& self, const PathArgument& path) { self.save(path.native("Result.save")); }, "path"_a,
          "Writes csv() or json(), as the path ends; the file appears whole or not at all.")
      .def("__repr__",
           [](const Result& self) {
             return fmt::format("<luge.sweep.Result of {} sets\n{}>", self.sets(), self.table(10).text());
           })
      .def("report", &write_report, "directory"_a, nb::kw_only(), "title"_a = "Sweep", "options"_a = nb::none(),
           nb::sig("def report(self, directory: str | os.PathLike[str], *, title: str = 'Sweep', options: Mapping[str, "
                   "object] "
                   "| None = None) -> str"),
           "Writes a page about the sweep into a folder and returns its path: the best sets, curves by quantile, "
           "parallel "
           "coordinates, the score over each hyperparameter, the data. `options` are shown on it. Without the program "
           "gnuplot it has no pictures, and a warning says so.")
      .def("to_dataframe", &to_dataframe, nb::sig("def to_dataframe(self) -> Any"),
           "A pandas.DataFrame with a row for each set. Needs pandas.");
}

/// What a function of the user's returned, as scores.
Tensor returned(const char* what, const nb::object& value) {
  if (!is_tensor(value))
    throw TypeError(
        fmt::format("sweep.run: {} returned an object of type {}; it must be a tensor with one value for each set",
                    what, type_of(value)));
  return as_tensor(value);
}

Result run(const nb::callable& advance, Optimizer& optimizer, const Settings& settings, std::int64_t steps,
           std::int64_t every, std::optional<std::pair<std::int64_t, std::int64_t>> halving, nb::handle validate,
           nb::handle rule, nb::handle watch, const std::string& score_name) {
  sweep::RunOptions options{.steps = steps, .every = every, .score_name = score_name};
  if (halving) options.halving = sweep::Halving{halving->first, halving->second};
  if (!validate.is_none())
    options.validate = [validate] { return returned("validate", nb::borrow<nb::callable>(validate)()); };
  if (!watch.is_none())
    options.watch = [watch](const sweep::Look& look) {
      return !nb::borrow<nb::callable>(watch)(look).equal(nb::bool_(false));
    };
  if (!rule.is_none()) options.rule = nb::cast<const stop::StopRule*>(rule);
  const bool reads_loss = validate.is_none();
  return sweep::run(
      [&](std::int64_t count) {
        const nb::object loss = advance(count);
        return reads_loss ? returned("the step", loss) : Tensor();
      },
      optimizer, settings, options, location());
}

}  // namespace

void bind_sweep(nb::module_& m) {
  nb::module_ own = m.def_submodule("_sweep", "Sweeps.");
  bind_spaces(own);
  bind_result(own);
  own.def(
      "_run", &run, "advance"_a, "optimizer"_a, "settings"_a, "steps"_a, "every"_a, "halving"_a.none(),
      "validate"_a.none(), "rule"_a.none(), "watch"_a.none(), "score_name"_a,
      nb::sig("def _run(advance: Callable[[int], Tensor | None], optimizer: Optimizer, settings: Settings, steps: int, "
              "every: int, halving: tuple[int, int] | None, validate: Callable[[], Tensor] | None, rule: StopRule | "
              "None, watch: Callable[[Look], Any] | None, score_name: str) -> Result"));
}

}  // namespace luge::python
