#pragma once
// Labelled images, as MNIST and its relatives come: four IDX files in one folder.

#include <cstdint>
#include <string>
#include <string_view>

#include <luge/tensor/tensor.h>

namespace luge {

/// Samples and what they are: images (n, height, width, ...) float32 in [0, 1], labels (n) int64.
struct LabelledImages {
  Tensor images, labels;
  std::int64_t count() const { return labels.size(0); }
};

/// One data set on the CPU.
struct Dataset {
  LabelledImages train, test;
  std::int64_t classes = 0;  ///< one more than the largest label
  /// Numbers in one image: 784 for 28 by 28.
  std::int64_t pixels() const { return train.images.numel() / train.count(); }
};

/// Reads train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
/// t10k-labels-idx1-ubyte (each with or without .gz) from a folder. The images must be unsigned bytes of
/// at least two dimensions, the labels integers >= 0. Throws IoError naming the file.
Dataset load_idx_dataset(const std::string& directory, SourceLocation location = SourceLocation::current());

/// The folder of a data set by name ("fashion-mnist"): $LUGE_DATA or $LUGE_DATA/<name>, else where
/// Debian's package dataset-<name> puts it. Throws IoError naming the places and the package.
std::string find_dataset(std::string_view name);

/// Mean and standard deviation over all pixels of all images; in float64.
struct Moments {
  double mean = 0, deviation = 1;
};
Moments moments(const Tensor& images, SourceLocation location = SourceLocation::current());

/// (images - mean) / deviation, in place, with the moments of the training images for both parts.
/// A deviation of 0 (all pixels equal) only shifts.
Moments normalize(Dataset& dataset, SourceLocation location = SourceLocation::current());

}  // namespace luge
