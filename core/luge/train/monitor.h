#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <luge/report/report.h>
#include <luge/tensor/tensor.h>
#include <luge/train/summary.h>

namespace luge {

struct MonitorOptions {
  /// Steps that will be recorded, for the progress bar's ETA; 0: unknown.
  std::int64_t total = 0;
  /// Losses of the first sets that are kept one by one beside the summary.
  std::int64_t keep_sets = 0;
  /// Steps the ring holds; reading behind the training starts well before it is full.
  std::int64_t capacity = 4096;
  /// Draw a progress bar on standard error: only where that is a terminal.
  bool progress = true;
};

/// What one recorded step left: over the finite losses of all sets.
struct HistoryRow {
  std::int64_t step = 0;
  double seconds = 0;  ///< host time since the monitor began, when it was recorded
  double mean = 0, min = 0, max = 0;
  std::int64_t not_finite = 0;
  std::vector<double> sets;  ///< losses of the first keep_sets sets
};

/// What stands on the page of Monitor::report() beside the history.
struct ReportOptions {
  std::string title = "Training";
  /// Names and values, for instance hyperparameters.
  std::vector<std::pair<std::string, std::string>> facts = {};
};

/// A hyperparameter for a logger.
using Hyperparameter = std::variant<bool, std::int64_t, double, std::string>;

struct TensorboardOptions {
  /// Every that many steps is written.
  std::int64_t every = 1;
  /// Hyperparameters and results, for the page HPARAMS.
  std::vector<std::pair<std::string, Hyperparameter>> hparams = {};
  std::vector<std::pair<std::string, double>> metrics = {};
};

/// Watches a training without slowing it: record() queues one small kernel that writes to a ring which
/// the host reads behind the training. Nothing waits for the device until history() is asked for (or
/// the ring is full).
class Monitor {
 public:
  explicit Monitor(MonitorOptions options = {});
  ~Monitor();
  Monitor(Monitor&&) noexcept;
  Monitor& operator=(Monitor&&) noexcept;

  /// Notes the losses of one step: any shape of a floating dtype; with sets, one per set.
  void record(const Tensor& loss);
  /// All steps so far; waits for the device. Throws CaptureError while a step is captured.
  const std::vector<HistoryRow>& history(SourceLocation location = SourceLocation::current());
  /// The last step whose losses have arrived, without waiting; null: none has yet. Valid until the next call.
  const HistoryRow* latest();
  /// Steps recorded so far, whether or not their losses have arrived.
  std::int64_t recorded() const;
  /// How many sets' losses a history that restore() takes may have.
  struct KeptSets {
    std::int64_t most = 0;
    bool exactly = false;  ///< as many; else so many at most
  };
  /// `keep_sets` before the first loss has come; then as many as that loss had sets to keep.
  KeptSets kept_sets() const;
  /// The option.
  std::int64_t keep_sets() const;
  /// Ends the progress line.
  void finish();
  /// Takes these steps for its own, in place of what it has recorded, and goes on after them; time goes on from the
  /// last one's seconds. Waits for the device. Throws ValueError unless every row has losses of the same number of
  /// sets, which kept_sets() allows, and seconds from 0 to 10^9; CaptureError while a step is captured.
  void restore(std::vector<HistoryRow> rows, SourceLocation location = SourceLocation::current());

  /// Quantiles of the kept sets' losses, a row for each step: of the finite ones, linear between neighbours in order.
  /// They stand for all sets where the first keep_sets are a fair sample, as they are where sets differ by random
  /// starts alone. Throws ValueError for a probability outside [0, 1], CaptureError while a step is captured.
  std::vector<std::vector<double>> kept_quantiles(const std::vector<double>& probabilities,
                                                  SourceLocation location = SourceLocation::current());

  /// Writes the history: step, seconds, mean, min, max, not_finite, then set_0 ... The file appears whole or not at
  /// all, and its numbers read back as they were. Throws IoError.
  void write_csv(const std::string& path, SourceLocation location = SourceLocation::current());
  /// One JSON object a line, the same fields. Numbers that JSON cannot hold (NaN, infinity) become null.
  void write_jsonl(const std::string& path, SourceLocation location = SourceLocation::current());
  /// Summarises a tensor (summarize) and keeps the summary, under the last recorded step, for write_tensorboard. For
  /// the end of a training and for every so many steps: it waits for the device and copies the values to the host.
  Summary distribution(const std::string& name, const Tensor& x, const SummaryOptions& options = {},
                       SourceLocation location = SourceLocation::current());
  /// Writes the history for TensorBoard into a folder, which it makes and which stands for one run. Each of the steps
  /// has loss/mean, loss/min, loss/max, loss/not_finite where there are such sets, and the kept sets: loss/set_0 ... of
  /// up to 8, else quantiles, loss/kept_q50 and so on; each distribution() has its quantiles and a histogram. A later
  /// call for the same folder adds what is new, as a file of its own, which appears whole or not at all. TensorBoard
  /// holds float32. Throws IoError, also where luge was built without protobuf, ValueError for an `every` below 1,
  /// CaptureError while a step is captured.
  void write_tensorboard(const std::string& folder, const TensorboardOptions& options = {},
                         SourceLocation location = SourceLocation::current());
  /// Writes a page about the training into a folder, which it makes: the loss over the steps as a picture, the first
  /// and the last step as a table, the machine, history.csv and history.jsonl. Waits for the device. Throws IoError,
  /// CaptureError while a step is captured; without the program gnuplot the page has no picture and says so.
  report::Written report(const std::string& directory, const ReportOptions& options = {},
                         SourceLocation location = SourceLocation::current());

 private:
  /// Of the losses; the CPU before the first.
  Device device() const;

  /// Seconds since the monitor began.
  double elapsed() const;

  struct Logged;
  Logged& logged();

  class Impl;
  std::shared_ptr<Impl> impl_;      ///< one owner; shared so that a recorded step sees when it is gone
  std::shared_ptr<Logged> logged_;  ///< distributions, and what was written of them; null: none yet
};

}  // namespace luge
