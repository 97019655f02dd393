// Checkpoints: what luge/checkpoint.py stands on.

#include <nanobind/stl/function.h>
#include <nanobind/stl/map.h>

#include <fmt/format.h>

#include <luge/train/checkpoint.h>

#include "python.h"

namespace luge::python {

namespace {

using NamedTensors = std::vector<std::pair<std::string, nb::object>>;

/// The parts as luge/checkpoint.py gives them; it has looked at their types.
checkpoint::Parts parts_of(nb::handle params, const NamedTensors& tensors, nb::handle optimizer,
                           const std::vector<LrScheduler*>& schedules, nb::handle monitor, nb::handle loader) {
  checkpoint::Parts parts;
  if (!params.is_none()) parts.params = nb::cast<Parameters>(params);
  for (const auto& [name, tensor] : tensors) parts.tensors.emplace_back(name, as_tensor(tensor));
  if (!optimizer.is_none()) parts.optimizer = nb::cast<Optimizer*>(optimizer);
  parts.schedules = schedules;
  if (!monitor.is_none()) parts.monitor = nb::cast<Monitor*>(monitor);
  if (!loader.is_none()) parts.loader = nb::cast<BatchStream*>(loader);
  return parts;
}

checkpoint::SaveOptions options_of(std::int64_t step, const NamedTensors& extra, const Metadata& notes,
                                   const Metadata& json, std::int64_t keep, std::optional<double> metric) {
  checkpoint::SaveOptions options{
      .step = step, .extra = {}, .notes = notes, .json = json, .keep = keep, .metric = metric};
  for (const auto& [name, tensor] : extra) options.extra[name] = as_tensor(tensor);
  return options;
}

template <auto save>
void bind_save(nb::module_& m, const char* name, const char* op) {
  m.def(
      name,
      [op](const PathArgument& path, nb::handle params, const NamedTensors& tensors, nb::handle optimizer,
           const std::vector<LrScheduler*>& schedules, nb::handle monitor, nb::handle loader, std::int64_t step,
           const NamedTensors& extra, const Metadata& notes, const Metadata& json, std::int64_t keep,
           std::optional<double> metric) {
        const SourceLocation at = location();
        const checkpoint::Parts parts = parts_of(params, tensors, optimizer, schedules, monitor, loader);
        const checkpoint::SaveOptions options = options_of(step, extra, notes, json, keep, metric);
        const std::string file = path.native(op);
        auto written = [&] {
          const nb::gil_scoped_release unlocked;
          return save(file, parts, options, at);
        }();
        if constexpr (std::is_same_v<decltype(written), std::string>)
          return path_object(written);
        else
          return written;
      },
      "path"_a, "params"_a.none(), "tensors"_a, "optimizer"_a.none(), "schedules"_a, "monitor"_a.none(),
      "loader"_a.none(), "step"_a, "extra"_a, "notes"_a, "json"_a, "keep"_a, "metric"_a.none());
}

}  // namespace

void bind_checkpoint(nb::module_& m) {
  nb::module_ own = m.def_submodule("_checkpoint", "Checkpoints.");
  nb::class_<checkpoint::PendingSave>(own, "PendingSave", "A checkpoint that is being written behind the training.")
      .def(
          "wait",
          [](checkpoint::PendingSave& self) {
            std::string path;
            {
              const nb::gil_scoped_release unlocked;
              path = self.wait();
            }
            return path_object(path);
          },
          "Waits until the file is on the disk and returns its path; raises what save() would have raised.")
      .def_prop_ro("is_done", &checkpoint::PendingSave::is_done, "Whether wait() would not wait.");
  bind_save<&checkpoint::save>(own, "_save", "checkpoint.save");
  bind_save<&checkpoint::save_async>(own, "_save_async", "checkpoint.save_async");
  own.def(
      "_load",
      [](const PathArgument& path, nb::handle params, const NamedTensors& tensors, nb::handle optimizer,
         const std::vector<LrScheduler*>& schedules, nb::handle monitor, nb::handle loader, bool strict,
         const std::vector<std::int64_t>& sets, const std::vector<std::int64_t>& into_sets, bool random,
         const std::function<void(Metadata)>& accept) {
        const SourceLocation at = location();
        const checkpoint::Parts parts = parts_of(params, tensors, optimizer, schedules, monitor, loader);
        const std::string file = path.native("checkpoint.load");
        checkpoint::LoadOptions options{.strict = strict, .sets = sets, .into_sets = into_sets, .random = random};
        if (accept)
          options.accept = [&](const checkpoint::Loaded& told) {
            const nb::gil_scoped_acquire locked;
            accept(told.json);
          };
        checkpoint::Loaded loaded;
        {
          const nb::gil_scoped_release unlocked;
          loaded = checkpoint::load(file, parts, options, at);
        }
        return nb::make_tuple(loaded.step, as_dict(loaded.extra), loaded.notes, loaded.json, loaded.metric,
                              loaded.missing, loaded.unexpected);
      },
      "path"_a, "params"_a.none(), "tensors"_a, "optimizer"_a.none(), "schedules"_a, "monitor"_a.none(),
      "loader"_a.none(), "strict"_a, "sets"_a, "into_sets"_a, "random"_a, "accept"_a.none(),
      nb::sig(
          "def _load(path: str | os.PathLike[str], params: Parameters | None, tensors: Sequence[tuple[str, Tensor]], "
          "optimizer: Optimizer | None, schedules: Sequence[LRScheduler], monitor: _Monitor | None, loader: "
          "BatchStream | None, strict: bool, sets: Sequence[int], into_sets: Sequence[int], random: bool, accept: "
          "Callable[[dict[str, str]], None] | None) -> "
          "tuple[int, dict[str, Tensor], dict[str, str], dict[str, str], float | None, list[str], list[str]]"));
  own.def(
      "_latest",
      [](const PathArgument& path) {
        const std::optional<std::string> found = checkpoint::latest(path.native("checkpoint.latest"));
        return found ? nb::object(path_object(*found)) : nb::none();
      },
      "path"_a, nb::sig("def _latest(path: str | os.PathLike[str]) -> str | None"));
}

}  // namespace luge::python
