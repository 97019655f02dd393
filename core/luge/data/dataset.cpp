#include <luge/data/dataset.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <vector>

#include <fmt/ranges.h>

#include <luge/base/detail/check.h>
#include <luge/data/idx.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>

namespace luge {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSystemFolder = "/usr/share/datasets";

/// The file in the folder, or its compressed form.
std::optional<std::string> find_file(const fs::path& directory, const std::string& file) {
  for (const char* ending : {"", ".gz"}) {
    const fs::path path = directory / (file + ending);
    std::error_code ignored;
    if (fs::exists(path, ignored)) return path.string();
  }
  return {};
}

/// The names of a data set's files, and what its pages say of their contents.
struct Files {
  std::string train_images, train_labels, test_images, test_labels;
  bool transposed = false;  ///< each image is stored column by column
};

Files files_of(const std::string& train, const std::string& test, const char* images, const char* labels) {
  return {train + "-images" + images, train + "-labels" + labels, test + "-images" + images, test + "-labels" + labels};
}

/// What the splits of EMNIST are called in this folder.
std::vector<std::string> emnist_splits(const fs::path& directory) {
  const std::string begin = "emnist-", end = "-train-images-idx3-ubyte";
  std::vector<std::string> splits;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    const std::string name = entry.path().filename().string();
    const auto stop = name.find(end);
    if (name.rfind(begin, 0) == 0 && stop != std::string::npos) splits.push_back(name.substr(begin.size(), stop - begin.size()));
  }
  std::sort(splits.begin(), splits.end());
  splits.erase(std::unique(splits.begin(), splits.end()), splits.end());
  return splits;
}

/// The families that come as IDX files: those of MNIST's names, QMNIST (Yadav, Bottou 2019), EMNIST (Cohen et al. 2017).
std::vector<Files> families(const fs::path& directory, const std::string& split) {
  std::vector<Files> found;
  if (split.empty()) {
    found.push_back(files_of("train", "t10k", "-idx3-ubyte", "-idx1-ubyte"));
    found.push_back(files_of("train", "t10k", ".idx3-ubyte", ".idx1-ubyte"));
    found.push_back(files_of("qmnist-train", "qmnist-test", "-idx3-ubyte", "-idx2-int"));
  }
  for (const std::string& name : emnist_splits(directory)) {
    if (!split.empty() && name != split) continue;
    Files files = files_of("emnist-" + name + "-train", "emnist-" + name + "-test", "-idx3-ubyte", "-idx1-ubyte");
    files.transposed = true;
    found.push_back(std::move(files));
  }
  return found;
}

Files choose_files(const std::string& directory, const std::string& split) {
  std::error_code ignored;
  LUGE_CHECK(IoError, fs::is_directory(directory, ignored), "dataset: {}: no such folder", directory);
  const std::vector<std::string> splits = emnist_splits(directory);
  std::vector<Files> there;
  for (Files& files : families(directory, split))
    if (find_file(directory, files.train_images)) there.push_back(std::move(files));
  LUGE_CHECK(IoError, !there.empty() || !split.empty(),
             "dataset: {}: no training images; looked for train-images-idx3-ubyte.gz, qmnist-train-images-idx3-ubyte.gz and "
             "emnist-*-train-images-idx3-ubyte.gz, or without .gz", directory);
  LUGE_CHECK(ValueError, !there.empty(), "dataset: {}: split is '{}'; there are {}", directory, split,
             splits.empty() ? "no splits of EMNIST" : fmt::format("{}", fmt::join(splits, ", ")));
  LUGE_CHECK(ValueError, there.size() == 1 || !there[0].transposed, "dataset: {}: split is missing; it must be one of {}", directory,
             fmt::join(splits, ", "));
  return there[0];
}

std::string require_file(const std::string& directory, const std::string& file) {
  const std::optional<std::string> path = find_file(directory, file);
  LUGE_CHECK(IoError, path.has_value(), "dataset: {}: neither {} nor {}.gz is there", directory, file, file);
  return *path;
}

bool is_floating(IdxType type) { return type == IdxType::Float32 || type == IdxType::Float64; }

Tensor load_images(const std::string& path, bool transposed) {
  const IdxArray images = read_idx(path);
  LUGE_CHECK(IoError, images.type == IdxType::UInt8 || is_floating(images.type),
             "dataset: {}: offset 2: images must be of type 0x08 (uint8), 0x0d (float32) or 0x0e (float64), this is 0x{:02x}", path,
             static_cast<int>(images.type));
  LUGE_CHECK(IoError, images.shape.ndim() >= (transposed ? 3 : 2), "dataset: {}: offset 3: images need at least {} dimensions, sizes are {}",
             path, transposed ? 3 : 2, to_string(images.shape));
  LUGE_CHECK(IoError, element_count(images.shape) > 0, "dataset: {}: no images, sizes are {}", path, to_string(images.shape));
  Tensor result = is_floating(images.type) ? images.to_tensor().to(float32) : images.to_tensor(float32).mul_(1.0 / 255);
  return transposed ? result.transpose(1, 2).contiguous() : result;
}

/// The class is the first of several columns, as in QMNIST.
Tensor load_labels(const std::string& path) {
  const IdxArray labels = read_idx(path);
  LUGE_CHECK(IoError, !is_floating(labels.type), "dataset: {}: offset 2: labels must be integers, this is type 0x{:02x}", path,
             static_cast<int>(labels.type));
  LUGE_CHECK(IoError, labels.shape.ndim() == 1 || (labels.shape.ndim() == 2 && labels.shape[1] > 0),
             "dataset: {}: offset 3: labels need 1 dimension, or 2 with the class in the first column; sizes are {}", path,
             to_string(labels.shape));
  const Tensor all = labels.to_tensor(int64);
  return all.ndim() == 1 ? all : all.select(1, 0).contiguous();
}

LabelledImages load_part(const std::string& image_path, const std::string& label_path, bool transposed) {
  LabelledImages result{load_images(image_path, transposed), load_labels(label_path)};
  LUGE_CHECK(IoError, result.images.size(0) == result.count(),
             "dataset: {} holds {} images, {} holds {} labels; the counts must be equal", image_path, result.images.size(0), label_path,
             result.count());
  const auto smallest = result.labels.min().item<std::int64_t>();
  LUGE_CHECK(IoError, smallest >= 0, "dataset: {}: label {} at index {}; labels must be >= 0", label_path, smallest,
             result.labels.argmin().item<std::int64_t>());
  return result;
}

/// Sizes of one image.
Shape image_shape(const Tensor& images) {
  Shape shape = images.shape();
  shape.erase(0);
  return shape;
}

}  // namespace

Dataset load_idx_dataset(const std::string& directory, const std::string& split, SourceLocation location) {
  refuse_capture("load_idx_dataset", kHostWrite, location);
  const Files files = choose_files(directory, split);
  const auto part = [&](const std::string& images, const std::string& labels) {
    return load_part(require_file(directory, images), require_file(directory, labels), files.transposed);
  };
  Dataset dataset{part(files.train_images, files.train_labels), part(files.test_images, files.test_labels)};
  const Shape train = image_shape(dataset.train.images), test = image_shape(dataset.test.images);
  LUGE_CHECK(IoError, train == test, "dataset: {}: training images are {}, test images are {}; they must be of one size", directory,
             to_string(train), to_string(test));
  dataset.classes = 1 + std::max(dataset.train.labels.max().item<std::int64_t>(), dataset.test.labels.max().item<std::int64_t>());
  return dataset;
}

std::string find_dataset(std::string_view name) {
  std::string searched;
  const auto has_data = [&](const fs::path& folder) {
    searched += (searched.empty() ? "" : ", ") + folder.string();
    const std::vector<Files> known = families(folder, "");
    return std::any_of(known.begin(), known.end(), [&](const Files& files) { return find_file(folder, files.train_images); });
  };
  if (const char* const given = std::getenv("LUGE_DATA"); given != nullptr && *given != '\0')
    for (const fs::path& folder : {fs::path(given), fs::path(given) / name})
      if (has_data(folder)) return folder.string();
  const fs::path folder = fs::path(kSystemFolder) / name;
  if (has_data(folder)) return folder.string();
  raise<IoError>("dataset: {} is not in {}; {}set LUGE_DATA to its folder", name, searched,
                 name == "fashion-mnist" ? "on Debian: apt-get install dataset-fashion-mnist; elsewhere " : "");
}

Moments moments(const Tensor& images, SourceLocation location) {
  refuse_capture("moments", kHostRead, location);
  LUGE_CHECK(ShapeError, images.numel() > 0, "moments: images are {}; at least one number is needed", to_string(images.shape()));
  // One image after the other, so that no float64 copy of all is made.
  double sum = 0, squares = 0;
  const auto flat = images.reshape({images.size(0), -1});
  constexpr std::int64_t kChunk = 1000;
  for (std::int64_t start = 0; start < flat.size(0); start += kChunk) {
    const Tensor chunk = flat.slice(0, start, start + kChunk).to(float64);
    sum += chunk.sum().item();
    squares += (chunk * chunk).sum().item();
  }
  const auto n = static_cast<double>(images.numel());
  const double mean = sum / n;
  return {mean, std::sqrt(std::max(squares / n - mean * mean, 0.0))};
}

Moments normalize(Dataset& dataset, SourceLocation location) {
  refuse_capture("normalize", kHostRead, location);
  const Moments found = moments(dataset.train.images);
  for (LabelledImages* part : {&dataset.train, &dataset.test}) {
    part->images.sub_(found.mean);
    if (found.deviation > 0) part->images.div_(found.deviation);
  }
  return found;
}

}  // namespace luge
