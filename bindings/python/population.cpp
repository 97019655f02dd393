// Populations and the points that sets are given: what luge/population.py and luge/data.py stand on.

#include <fmt/format.h>

#include <luge/data/sampling.h>
#include <luge/train/population.h>

#include "python.h"

namespace luge::python {

namespace {

DrawStep step_of(const char* op, nb::handle step) {
  if (is_tensor(step)) return as_tensor(step);
  return integer(op, "step", step);
}

Draw draw_of(const char* op, std::optional<std::uint64_t> seed, nb::handle step, std::int64_t first_set = 0) {
  return {.seed = seed, .step = step_of(op, step), .first_set = first_set};
}

/// (low, high, any_of)
population::Factors factors_of(double low, double high, std::vector<double> any_of) {
  return {.low = low, .high = high, .any_of = std::move(any_of)};
}

void bind_changes(nb::module_& own) {
  own.def(
      "_clone",
      [](Optimizer& optimizer, const Tensor& source, bool hyperparameters) {
        const Unlocked unlocked(kQuick);
        population::clone(optimizer, source, {.hyperparameters = hyperparameters});
      },
      "optimizer"_a, "source"_a, "hyperparameters"_a);
  own.def(
      "_clone_tensors",
      [](nb::handle tensors, const Tensor& source) {
        population::clone(leaves_in("population.clone", "what", tensors), source);
      },
      "tensors"_a, "source"_a);
  own.def(
      "_restart",
      [](Optimizer& optimizer, const Tensor& mask, std::optional<std::uint64_t> seed) {
        const Unlocked unlocked(kQuick);
        population::restart(optimizer, mask, seed);
      },
      "optimizer"_a, "mask"_a, "seed"_a.none());
  own.def(
      "_perturb",
      [](const Tensor& values, double low, double high, std::vector<double> any_of, std::optional<Tensor> mask,
         std::optional<std::uint64_t> seed, nb::handle step, std::int64_t first_set) {
        const Draw draw = draw_of("population.perturb", seed, step, first_set);
        return population::perturb(values, factors_of(low, high, std::move(any_of)), mask.value_or(Tensor()), draw);
      },
      "values"_a, "low"_a, "high"_a, "any_of"_a, "mask"_a.none(), "seed"_a.none(), "step"_a, "first_set"_a);
  own.def(
      "_resample",
      [](const Tensor& values, const Init& init, std::optional<Tensor> mask, std::optional<std::uint64_t> seed,
         nb::handle step, std::int64_t first_set) {
        const Draw draw = draw_of("population.resample", seed, step, first_set);
        return population::resample(values, init, mask.value_or(Tensor()), draw);
      },
      "values"_a, "init"_a, "mask"_a.none(), "seed"_a.none(), "step"_a, "first_set"_a);
}

void bind_selection(nb::module_& own) {
  own.def("_ranks", &population::ranks, "scores"_a);
  own.def("_best", &population::best, "scores"_a, "count"_a);
  own.def("_best_of", &population::best_of, "scores"_a, "starts"_a);
  own.def(
      "_halve",
      [](Parameters parameters, const Tensor& scores, std::int64_t keep) {
        return population::halve(parameters, scores, keep);
      },
      "parameters"_a, "scores"_a, "keep"_a);
  own.def(
      "_exploit",
      [](Optimizer& optimizer, const Tensor& scores, double fraction, bool by_rank, bool hyperparameters,
         std::optional<std::uint64_t> seed, nb::handle step) {
        population::ExploitOptions options{.fraction = fraction, .hyperparameters = hyperparameters};
        options.pairing = by_rank ? population::Pairing::ByRank : population::Pairing::Random;
        options.draw = draw_of("population.exploit", seed, step);
        return population::exploit(optimizer, scores, options);
      },
      "optimizer"_a, "scores"_a, "fraction"_a, "by_rank"_a, "hyperparameters"_a, "seed"_a.none(), "step"_a);
  own.def(
      "_explore",
      [](Optimizer& optimizer, const Tensor& source, std::vector<std::string> names, double low, double high,
         std::vector<double> any_of, std::optional<std::uint64_t> seed, nb::handle step) {
        // As the constructors call them here.
        for (std::string& name : names)
          if (name == "eps") name = "epsilon";
        population::explore(optimizer, source,
                            {.hyperparameters = std::move(names),
                             .factors = factors_of(low, high, std::move(any_of)),
                             .draw = draw_of("population.explore", seed, step)});
      },
      "optimizer"_a, "source"_a, "names"_a, "low"_a, "high"_a, "any_of"_a, "seed"_a.none(), "step"_a);
  const auto numbers = [](const std::vector<population::Rung>& rungs) {
    nb::list result;
    for (const population::Rung& rung : rungs) result.append(nb::make_tuple(rung.sets, rung.steps, rung.keep));
    return result;
  };
  own.def(
      "_successive_halving",
      [numbers](std::int64_t sets, std::int64_t min_steps, std::int64_t eta) {
        return numbers(population::successive_halving(sets, min_steps, eta));
      },
      "sets"_a, "min_steps"_a, "eta"_a,
      nb::sig("def _successive_halving(sets: int, min_steps: int, eta: int) -> list[tuple[int, int, int]]"));
  own.def(
      "_hyperband",
      [numbers](std::int64_t max_steps, std::int64_t eta) {
        nb::list result;
        for (const auto& rungs : population::hyperband(max_steps, eta)) result.append(numbers(rungs));
        return result;
      },
      "max_steps"_a, "eta"_a, nb::sig("def _hyperband(max_steps: int, eta: int) -> list[list[tuple[int, int, int]]]"));
}

#define LUGE_KEYED "seed: int | None = None, *, step: int | Tensor = 0, first_set: int = 0, "
#define LUGE_PLACED "device: device | str | None = None) -> Tensor"

void bind_sampling(nb::module_& own) {
  const auto place = [](std::optional<DeviceArgument> device) -> Device { return device.value_or(Device::cpu()); };
  own.def(
      "bootstrap",
      [place](std::int64_t points, std::int64_t sets, std::optional<std::uint64_t> seed, nb::handle step,
              std::int64_t first_set, std::optional<DeviceArgument> device) {
        return data::bootstrap(points, sets, draw_of("bootstrap", seed, step, first_set), place(device));
      },
      "points"_a, "sets"_a, "seed"_a = nb::none(), nb::kw_only(), "step"_a = 0, "first_set"_a = 0,
      "device"_a = nb::none(), nb::sig("def bootstrap(points: int, sets: int, " LUGE_KEYED LUGE_PLACED),
      "Bootstrap samples: for each set as many points as there are, drawn with replacement: int64 indices of shape "
      "(sets, points).\n\nWithout a seed they are the next numbers of the global generator, others at each replay of a "
      "captured step. With one they depend on seed and step alone; a captured step counts steps in an int64 tensor.\n\n"
      ">>> luge.data.bootstrap(5, 2, seed=1).shape\n(2, 5)");
  own.def(
      "bootstrap_counts",
      [place](std::int64_t points, std::int64_t sets, std::optional<std::uint64_t> seed, nb::handle step,
              std::int64_t first_set, std::optional<PyDType> dtype, std::optional<DeviceArgument> device) {
        return data::bootstrap_counts(points, sets, draw_of("bootstrap_counts", seed, step, first_set),
                                      {.dtype = dtype ? dtype->value : DType::Float32, .device = place(device)});
      },
      "points"_a, "sets"_a, "seed"_a = nb::none(), nb::kw_only(), "step"_a = 0, "first_set"_a = 0,
      "dtype"_a = nb::none(), "device"_a = nb::none(),
      nb::sig("def bootstrap_counts(points: int, sets: int, " LUGE_KEYED "dtype: dtype | None = None, " LUGE_PLACED),
      "How often each set drew each point, as weights of shape (sets, points): what bootstrap() with the same seed "
      "draws. curve_fit takes them as sigma / counts.sqrt().\n\n"
      ">>> luge.data.bootstrap_counts(5, 2, seed=1).sum(1).tolist()\n[5.0, 5.0]");
  own.def(
      "folds",
      [place](std::int64_t points, std::int64_t k, std::optional<std::uint64_t> seed, nb::handle step,
              std::optional<Tensor> assignment, std::optional<DeviceArgument> device) {
        return data::folds(points, k, draw_of("folds", seed, step), assignment.value_or(Tensor()), place(device));
      },
      "points"_a, "k"_a, "seed"_a = nb::none(), nb::kw_only(), "step"_a = 0, "assignment"_a = nb::none(),
      "device"_a = nb::none(),
      nb::sig("def folds(points: int, k: int, seed: int | None = None, *, step: int | Tensor = 0, assignment: Tensor | "
              "None = None, " LUGE_PLACED),
      "k-fold cross-validation: for each set the mask of the points it is validated with, bool of shape (sets, "
      "points). "
      "There are k sets, set i with fold i, unless `assignment` says each set's fold.\n\n"
      ">>> luge.data.folds(6, 3, seed=1).sum(1).tolist()\n[2, 2, 2]");
  own.def(
      "split",
      [place](std::int64_t points, std::int64_t held, std::int64_t sets, std::optional<std::uint64_t> seed,
              nb::handle step, std::int64_t first_set, std::optional<DeviceArgument> device) {
        return data::split(points, held, sets, draw_of("split", seed, step, first_set), place(device));
      },
      "points"_a, "held"_a, "sets"_a, "seed"_a = nb::none(), nb::kw_only(), "step"_a = 0, "first_set"_a = 0,
      "device"_a = nb::none(), nb::sig("def split(points: int, held: int, sets: int, " LUGE_KEYED LUGE_PLACED),
      "A split of its own for each set: the mask of the `held` points that it is validated with, bool of shape (sets, "
      "points).\n\n>>> luge.data.split(6, 2, sets=3, seed=1).sum(1).tolist()\n[2, 2, 2]");
  own.def(
      "shuffled",
      [place](std::int64_t points, std::int64_t sets, std::optional<std::uint64_t> seed, nb::handle step,
              std::int64_t first_set, std::optional<DeviceArgument> device) {
        return data::shuffled(points, sets, draw_of("shuffled", seed, step, first_set), place(device));
      },
      "points"_a, "sets"_a, "seed"_a = nb::none(), nb::kw_only(), "step"_a = 0, "first_set"_a = 0,
      "device"_a = nb::none(), nb::sig("def shuffled(points: int, sets: int, " LUGE_KEYED LUGE_PLACED),
      "All points in an order of its own for each set: int64 indices of shape (sets, points).\n\n"
      ">>> luge.data.shuffled(5, 2, seed=1).sum(1).tolist()\n[10, 10]");
  own.def(
      "_minibatch_of",
      [](const Tensor& orders, std::int64_t batch, nb::handle step) {
        return data::minibatch(orders, batch, step_of("minibatch", step));
      },
      "orders"_a, "batch"_a, "step"_a,
      nb::sig("def _minibatch_of(orders: Tensor, batch: int, step: int | Tensor) -> Tensor"));
  own.def(
      "_minibatch",
      [place](std::int64_t points, std::int64_t batch, std::int64_t sets, std::optional<std::uint64_t> seed,
              nb::handle step, std::int64_t first_set, std::optional<DeviceArgument> device) {
        return data::minibatch(points, batch, sets, draw_of("minibatch", seed, step, first_set), place(device));
      },
      "points"_a, "batch"_a, "sets"_a, "seed"_a.none(), "step"_a, "first_set"_a, "device"_a.none(),
      nb::sig(
          "def _minibatch(points: int, batch: int, sets: int, seed: int | None, step: int | Tensor, first_set: int, "
          "device: device | str | None) -> Tensor"));
}

}  // namespace

void bind_population(nb::module_& m) {
  nb::module_ own = m.def_submodule("_population", "Populations.");
  bind_changes(own);
  bind_selection(own);
  nb::module_ sampling = m.def_submodule("_sampling", "Which points each set is given.");
  bind_sampling(sampling);
}

}  // namespace luge::python
