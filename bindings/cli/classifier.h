#pragma once
// The network of luge train and luge sweep, and how often it is right.

#include <cstdint>
#include <vector>

#include <luge/data/batches.h>
#include <luge/nn/sequential.h>
#include <luge/train/parameters.h>

namespace luge::cli {

/// The network: inputs - hidden, relu - classes. One copy for every set of `params`.
nn::Sequential make_mlp(Parameters& params, std::int64_t inputs, std::int64_t hidden, std::int64_t classes);
/// The same on parameters that make_mlp has added, or that were made like those (stop::Live).
nn::Sequential mlp_on(const Parameters& params);

/// Samples in their order, so many at a time as the hidden layers of all sets have memory for.
Batches measured_batches(const LabelledImages& samples, std::int64_t sets, std::int64_t hidden, Device device);

/// The fraction of the samples that each set classifies correctly.
std::vector<double> accuracies(const nn::Sequential& model, const Batches& samples, std::int64_t sets);
/// Of these sets alone, int64 of shape (n), at the price of n.
std::vector<double> accuracies(const Parameters& params, const Batches& samples, const Tensor& sets);

}  // namespace luge::cli
