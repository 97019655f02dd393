#include <luge/data/dataset.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <optional>

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

std::string require_file(const std::string& directory, const std::string& file) {
  std::error_code ignored;
  LUGE_CHECK(IoError, fs::is_directory(directory, ignored), "dataset: {}: no such folder", directory);
  const std::optional<std::string> path = find_file(directory, file);
  LUGE_CHECK(IoError, path.has_value(), "dataset: {}: neither {} nor {}.gz is there", directory, file, file);
  return *path;
}

LabelledImages load_part(const std::string& directory, const std::string& part) {
  const IdxArray images = read_idx(require_file(directory, part + "-images-idx3-ubyte"));
  const IdxArray labels = read_idx(require_file(directory, part + "-labels-idx1-ubyte"));
  LUGE_CHECK(IoError, images.type == IdxType::UInt8, "dataset: {}: offset 2: images must be of type 0x08 (uint8), this is 0x{:02x}",
             images.path, static_cast<int>(images.type));
  LUGE_CHECK(IoError, images.shape.ndim() >= 2, "dataset: {}: offset 3: images need at least 2 dimensions, sizes are {}", images.path,
             to_string(images.shape));
  LUGE_CHECK(IoError, labels.type != IdxType::Float32 && labels.type != IdxType::Float64,
             "dataset: {}: offset 2: labels must be integers, this is type 0x{:02x}", labels.path, static_cast<int>(labels.type));
  LUGE_CHECK(IoError, labels.shape.ndim() == 1, "dataset: {}: offset 3: labels need 1 dimension, sizes are {}", labels.path,
             to_string(labels.shape));
  LUGE_CHECK(IoError, images.shape[0] == labels.shape[0], "dataset: {} holds {} images, {} holds {} labels; the counts must be equal",
             images.path, images.shape[0], labels.path, labels.shape[0]);
  LUGE_CHECK(IoError, element_count(images.shape) > 0, "dataset: {}: no images, sizes are {}", images.path, to_string(images.shape));

  LabelledImages result{images.to_tensor(float32), labels.to_tensor(int64)};
  result.images.mul_(1.0 / 255);
  const auto smallest = result.labels.min().item<std::int64_t>();
  LUGE_CHECK(IoError, smallest >= 0, "dataset: {}: label {} at index {}; labels must be >= 0", labels.path, smallest,
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

Dataset load_idx_dataset(const std::string& directory, SourceLocation location) {
  refuse_capture("load_idx_dataset", kHostWrite, location);
  Dataset dataset{load_part(directory, "train"), load_part(directory, "t10k")};
  const Shape train = image_shape(dataset.train.images), test = image_shape(dataset.test.images);
  LUGE_CHECK(IoError, train == test, "dataset: {}: training images are {}, test images are {}; they must be of one size", directory,
             to_string(train), to_string(test));
  dataset.classes = 1 + std::max(dataset.train.labels.max().item<std::int64_t>(), dataset.test.labels.max().item<std::int64_t>());
  return dataset;
}

std::string find_dataset(std::string_view name) {
  const std::string marker = "train-images-idx3-ubyte";
  std::string searched;
  const auto has_data = [&](const fs::path& folder) {
    searched += (searched.empty() ? "" : ", ") + folder.string();
    return find_file(folder, marker).has_value();
  };
  if (const char* const given = std::getenv("LUGE_DATA"); given != nullptr && *given != '\0')
    for (const fs::path& folder : {fs::path(given), fs::path(given) / name})
      if (has_data(folder)) return folder.string();
  const fs::path folder = fs::path(kSystemFolder) / name;
  if (has_data(folder)) return folder.string();
  raise<IoError>("dataset: {} is not in {}; on Debian: apt-get install dataset-{}; elsewhere set LUGE_DATA to its folder", name,
                 searched, name);
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
