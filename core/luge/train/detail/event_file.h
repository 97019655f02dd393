#pragma once
// Internal: a file of TensorBoard's. core/luge/train/tensorboard/events.cpp makes it with protobuf, no_events.cpp says
// that the build has none.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <luge/train/monitor.h>
#include <luge/train/summary.h>

namespace luge {

/// A file in the making, which appears with commit(), whole or not at all.
class EventFile {
 public:
  virtual ~EventFile() = default;
  /// What is logged of one step; `time` in seconds since 1970.
  virtual void begin(std::int64_t step, double time) = 0;
  virtual void add(const std::string& name, double value) = 0;
  virtual void add(const std::string& name, const Summary& summary) = 0;
  virtual void end() = 0;
  /// For the page HPARAMS: what there is, and the values of this run.
  virtual void add(const std::vector<std::pair<std::string, Hyperparameter>>& hparams,
                   const std::vector<std::pair<std::string, double>>& metrics, double time) = 0;
  virtual void commit() = 0;
};

/// In a folder that it makes, of a name that no other file has, in the order of making. Throws IoError, also where the
/// build has none.
std::unique_ptr<EventFile> make_event_file(const char* op, const std::string& folder);

}  // namespace luge
