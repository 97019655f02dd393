#pragma once
// luge train: classify images with a network of one hidden layer, many models at once if asked to.

#include <cstdint>
#include <string>
#include <vector>

#include <luge/nn/sequential.h>
#include <luge/train/monitor.h>
#include <luge/train/parameters.h>

#include "commands.h"

namespace luge::cli {

struct TrainOptions {
  std::int64_t sets = 1, epochs = 5, batch = 64, hidden = 256;
  std::string lr = "1e-3", data, report;
  bool eager = false;
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
  double seconds = 0;                         ///< of training alone
  double samples_per_second = 0;              ///< images shown per second; every set sees each
};

/// The network: inputs - hidden, relu - classes. One copy for every set of `params`.
nn::Sequential make_mlp(Parameters& params, std::int64_t inputs, std::int64_t hidden, std::int64_t classes);

void write_train_report(const TrainOptions& options, const Common& common, const TrainResult& result, Monitor& monitor);

}  // namespace luge::cli
