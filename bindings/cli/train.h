#pragma once
// luge train: classify images with a network of one hidden layer, many models at once if asked to.

#include <cstdint>
#include <string>
#include <vector>

#include <luge/data/dataset.h>
#include <luge/train/checkpoint.h>
#include <luge/train/monitor.h>

#include "commands.h"

namespace luge::cli {

/// What tells the data of a training from others.
struct DataIdentity {
  std::int64_t train_images = 0, test_images = 0;
  std::string checksum;
  friend bool operator==(const DataIdentity&, const DataIdentity&) = default;
};
DataIdentity identity_of(const Dataset& data);

struct TrainOptions {
  std::int64_t sets = 1, epochs = 5, batch = 64, hidden = 256;
  std::string lr = "1e-3", data, report;
  std::string checkpoint;  ///< empty: of the usual name, and written at an interruption alone
  bool eager = false, resume = false;
  DataIdentity identity;  ///< of the data that it was begun with
};

/// One model at the end.
struct TrainedSet {
  std::int64_t set = 0;
  double lr = 0, accuracy = 0;
};

struct TrainResult {
  std::vector<double> lr;                     ///< of each set
  std::vector<std::vector<double>> accuracy;  ///< of each epoch and set, on the test images
  std::vector<TrainedSet> ranking;            ///< best first
  std::int64_t steps = 0, train_images = 0, test_images = 0;
  double seconds = 0;             ///< of training alone
  double samples_per_second = 0;  ///< images shown per second; every set sees each
  bool interrupted = false;       ///< the checkpoint has the rest
};

/// The file that an interrupted training is kept in.
inline std::string checkpoint_path(const TrainOptions& options) {
  return options.checkpoint.empty() ? "luge-train.safetensors" : options.checkpoint;
}
/// Throws IoError unless --checkpoint can be written; says so where there is none and Ctrl-C could keep nothing.
void try_place(const TrainOptions& options);
void save_training(const TrainOptions& options, const Common& common, const checkpoint::Parts& parts,
                   const TrainResult& result);
/// The options that the training was begun with. Throws IoError for a file that is no checkpoint of luge train.
void take_options(TrainOptions& options, Common& common);
void load_training(const TrainOptions& options, const checkpoint::Parts& parts, TrainResult& result);

void write_train_report(const TrainOptions& options, const Common& common, const TrainResult& result, Monitor& monitor);

}  // namespace luge::cli
