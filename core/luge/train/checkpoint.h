#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <luge/data/batches.h>
#include <luge/io/safetensors.h>
#include <luge/train/monitor.h>
#include <luge/train/optimizer.h>
#include <luge/train/parameters.h>
#include <luge/train/schedule.h>

/// A training that is kept on disk: stopped at any step and loaded, it goes on bit by bit as if it had not been
/// stopped.
///
/// A checkpoint is one safetensors file, which any tool reads: "params/hidden.weight",
/// "optimizer/exp_avg.hidden.weight", "optimizer/step", "schedule/0.steps", "monitor/mean", "sets/active",
/// "extra/NAME". Its metadata say "format": "luge.checkpoint", "version": "1", the step, the optimizer's rule, the
/// kinds of its schedules, how many sets the monitor keeps, the random generator's place, the loader's place, notes,
/// and the checksum of every tensor. Gradients are not kept: save between steps.
namespace luge::checkpoint {

/// What a checkpoint is of. What is left out is neither saved nor loaded.
struct Parts {
  std::optional<Parameters> params = {};
  /// More tensors that belong to the model, by name: a module's leaves, buffers. They are saved beside the parameters,
  /// and written in place by load().
  std::vector<std::pair<std::string, Tensor>> tensors = {};
  /// What it steps must be among `params` or `tensors`, if any are given.
  Optimizer* optimizer = nullptr;
  /// Schedules of the optimizer. All schedules of the optimizer are saved and loaded with any of them.
  std::vector<LrScheduler*> schedules = {};
  Monitor* monitor = nullptr;
  BatchStream* loader = nullptr;
};

struct SaveOptions {
  std::int64_t step = 0;
  /// Tensors that load() gives back, texts, and other values as JSON.
  std::map<std::string, Tensor> extra = {};
  Metadata notes = {}, json = {};
  /// With k, and a path that holds "{step}": of the files of that path only this one and those with the highest steps
  /// stay, k in all. 0: all.
  std::int64_t keep = 0;
  /// With a metric, which is better the lower it is, the best file yet also stays under the name with "best" in place
  /// of
  /// "{step}".
  std::optional<double> metric = {};
};

/// Writes a checkpoint and returns its path, in which "{step}" has become the step. The file appears whole or not at
/// all. Waits for the device. Throws IoError, ValueError for a negative keep or step or a keep without "{step}",
/// CaptureError while a step is captured.
std::string save(const std::string& path, const Parts& parts, const SaveOptions& options = {},
                 SourceLocation location = SourceLocation::current());

/// A checkpoint that is being written behind the training.
class PendingSave {
 public:
  /// Waits for it. An error that nobody has waited for is told on standard error.
  ~PendingSave();
  PendingSave(PendingSave&&) noexcept;
  PendingSave& operator=(PendingSave&&) noexcept;
  /// Waits until the file is on the disk; throws what save() would have thrown. Returns its path.
  std::string wait();
  bool is_done() const;

 private:
  class Impl;
  friend PendingSave save_async(const std::string&, const Parts&, const SaveOptions&, SourceLocation);
  explicit PendingSave(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Copies everything on its device and returns; a thread writes the copy. Two that write files of one path must not
/// overlap: wait() for the first.
[[nodiscard]] PendingSave save_async(const std::string& path, const Parts& parts, const SaveOptions& options = {},
                                     SourceLocation location = SourceLocation::current());

/// What a checkpoint says beside its parts.
struct Loaded {
  std::int64_t step = 0;
  std::map<std::string, Tensor> extra;  ///< on the CPU
  Metadata notes, json;
  std::optional<double> metric;
  /// With strict = false: what the parts have and the file has not, and the other way around.
  std::vector<std::string> missing, unexpected;
};

struct LoadOptions {
  /// Whether everything of the parts must be in the file, and all that the file has of a part in the part. Without it
  /// what only one of them has is passed over; shapes, dtypes and the optimizer's rule must fit anyway.
  bool strict = true;
  /// The sets of the file to be loaded, by number, and the sets of the model that take them; both empty: all of them,
  /// and the model must have as many. Parameters and the optimizer alone are loaded so: no schedule, monitor or loader
  /// may be given, and the model's step count must be that of the file (or 0, and is then taken). A learning rate that
  /// is one number for all sets becomes one for each where they then differ; another hyperparameter must not differ
  /// then.
  std::vector<std::int64_t> sets = {}, into_sets = {};
  /// Whether the global generator goes on as when the checkpoint was written. Never with `sets`.
  bool random = true;
  /// Called when everything is read and checked and nothing has changed yet: for a loader of another kind, whose state
  /// is among the notes. What it throws leaves everything as it was.
  std::function<void(const Loaded&)> accept = {};
};

/// Loads a checkpoint into the parts, in place: steps that were captured before stay as they are. Everything is read
/// and checked first, the checksums too. Throws IoError naming the path for what is no checkpoint, is newer than this
/// version or is damaged, ValueError, ShapeError or DTypeError naming the first difference between file and parts,
/// CaptureError while a step is captured; nothing has changed then.
Loaded load(const std::string& path, const Parts& parts, const LoadOptions& options = {},
            SourceLocation location = SourceLocation::current());

/// Of the files of a path that holds "{step}": the one with the highest step. Absent: there is none.
std::optional<std::string> latest(const std::string& path);

}  // namespace luge::checkpoint
