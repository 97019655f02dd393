#pragma once
// Labelled images, as MNIST and its relatives come: four IDX files in one folder.

#include <cstdint>
#include <string>
#include <string_view>

#include <luge/tensor/tensor.h>

namespace luge {

/// Samples and what they are: images (n, height, width, ...) float32, in [0, 1] where the file holds bytes; labels (n) int64.
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

/// Reads four IDX files of a folder, each with or without .gz:
///   MNIST, Fashion-MNIST, KMNIST  train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-..., also spelled train-images.idx3-ubyte
///   QMNIST                        qmnist-train-images-idx3-ubyte, qmnist-train-labels-idx2-int (the class is the first of
///                                 eight columns), qmnist-test-...
///   EMNIST                        emnist-SPLIT-train-images-idx3-ubyte, ..., emnist-SPLIT-test-...; `split` is to be given
///                                 where the folder holds several. Its files store each image column by column: here they
///                                 stand upright.
/// Images are bytes, which become 0 to 1, or floating numbers, which stay as they are; of two dimensions or more. Labels are
/// integers >= 0. Throws IoError naming the file, ValueError for a split that is missing or not there.
Dataset load_idx_dataset(const std::string& directory, const std::string& split = {},
                         SourceLocation location = SourceLocation::current());

/// The folder of a data set by name ("fashion-mnist", "emnist"): $LUGE_DATA or $LUGE_DATA/<name>, else where Debian's
/// packages put them (there is dataset-fashion-mnist). Throws IoError naming the places.
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
