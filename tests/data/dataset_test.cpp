#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <optional>
#include <set>

#include <luge/data/batches.h>
#include <luge/data/dataset.h>
#include <luge/base/error.h>
#include <luge/ops/create.h>

#include "has_words.h"
#include "idx_files.h"

namespace luge {
namespace {

using namespace luge::test;

std::string load_error(const std::string& directory) {
  try {
    load_idx_dataset(directory);
    return {};
  } catch (const IoError& error) {
    return error.what();
  }
}

/// Sets an environment variable and puts it back.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    if (const char* const old = std::getenv(name)) old_ = old;
    ::setenv(name, value.c_str(), 1);
  }
  ~Environment() {
    if (old_) {
      ::setenv(name_, old_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

TEST(Dataset, LoadsPlainAndCompressedFiles) {
  for (const bool gzip : {false, true}) {
    const Folder folder;
    write_dataset(folder, 20, 7, 4, gzip);
    const Dataset data = load_idx_dataset(folder.path());
    EXPECT_EQ(data.train.images.shape(), (Shape{20, 2, 3}));
    EXPECT_EQ(data.train.images.dtype(), float32);
    EXPECT_EQ(data.test.count(), 7);
    EXPECT_EQ(data.classes, 4);
    EXPECT_EQ(data.pixels(), 6);
    EXPECT_EQ(data.train.labels.dtype(), int64);
    EXPECT_EQ(data.train.labels[5].item<int>(), 1);
    EXPECT_FLOAT_EQ(data.train.images[19].select(0, 1)[2].item<float>(), 24.0F / 255);
  }
}

/// Two parts of three images of 2 x 3 pixels, whose files begin with `train` and `test`.
void write_parts(const Folder& folder, const std::string& train, const std::string& test, const std::string& images,
                 const std::string& labels, const Bytes& label_file) {
  std::vector<std::uint8_t> pixels(18);
  std::iota(pixels.begin(), pixels.end(), std::uint8_t{0});
  for (const std::string& part : {train, test}) {
    write_plain(folder.path() + "/" + part + images, idx_bytes<std::uint8_t>(0x08, {3, 2, 3}, pixels));
    write_gzip(folder.path() + "/" + part + labels + ".gz", label_file);
  }
}

TEST(Dataset, QmnistHasTheClassInItsFirstColumn) {
  const Folder folder;
  const std::vector<std::int32_t> labels{4, 0, 1000, 1, 0, 2000, 9, 1, 3000};
  write_parts(folder, "qmnist-train", "qmnist-test", "-images-idx3-ubyte", "-labels-idx2-int",
              idx_bytes<std::uint32_t>(0x0C, {3, 3}, labels));
  const Dataset data = load_idx_dataset(folder.path());
  EXPECT_EQ(data.test.labels.to_vector<std::int64_t>(), (std::vector<std::int64_t>{4, 1, 9}));
  EXPECT_EQ(data.classes, 10);
  const Environment variable("LUGE_DATA", folder.path());
  EXPECT_EQ(find_dataset("qmnist"), folder.path());
}

TEST(Dataset, EmnistStandsUprightAndHasSplits) {
  const Folder folder;
  const Bytes labels = idx_bytes<std::uint8_t>(0x08, {3}, std::vector<std::uint8_t>{1, 2, 26});
  write_parts(folder, "emnist-letters-train", "emnist-letters-test", "-images-idx3-ubyte", "-labels-idx1-ubyte", labels);
  const Dataset alone = load_idx_dataset(folder.path());
  EXPECT_EQ(alone.train.images.shape(), (Shape{3, 3, 2}));
  EXPECT_FLOAT_EQ(alone.train.images[0].select(0, 2)[1].item<float>(), 5.0F / 255);
  EXPECT_FLOAT_EQ(alone.train.images[0].select(0, 2)[0].item<float>(), 2.0F / 255);
  EXPECT_EQ(alone.classes, 27);
  write_parts(folder, "emnist-digits-train", "emnist-digits-test", "-images-idx3-ubyte", "-labels-idx1-ubyte", labels);
  EXPECT_EQ(load_idx_dataset(folder.path(), "digits").train.count(), 3);
  for (const auto& [split, words] : {std::pair{"", "split is missing; it must be one of digits, letters"},
                                     std::pair{"mnist", "split is 'mnist'; there are digits, letters"}}) {
    try {
      load_idx_dataset(folder.path(), split);
      ADD_FAILURE() << "loaded";
    } catch (const ValueError& error) {
      EXPECT_TRUE(has_words(error.what(), {words})) << error.what();
    }
  }
}

TEST(Dataset, FloatingImagesStayAsTheyAre) {
  const Folder folder;
  const std::vector<float> pixels{-1.5F, 0.25F, 3, 1e-40F};
  for (const char* const part : {"train", "t10k"}) {
    write_plain(folder.path() + "/" + part + "-images.idx3-ubyte", idx_bytes<std::uint32_t>(0x0D, {2, 1, 2}, pixels));
    write_plain(folder.path() + "/" + part + "-labels.idx1-ubyte",
                idx_bytes<std::uint8_t>(0x08, {2}, std::vector<std::uint8_t>{0, 1}));
  }
  const Dataset data = load_idx_dataset(folder.path());
  EXPECT_EQ(data.train.images.to_vector<float>(), pixels);
}

TEST(Dataset, NormalizeUsesTheTrainingMoments) {
  const Folder folder;
  write_dataset(folder, 50, 9, 3);
  Dataset data = load_idx_dataset(folder.path());
  const float before = data.test.images[0].select(0, 0)[1].item<float>();
  const Moments found = normalize(data);
  const Moments after = moments(data.train.images);
  EXPECT_NEAR(after.mean, 0, 1e-6);
  EXPECT_NEAR(after.deviation, 1, 1e-6);
  EXPECT_NEAR(data.test.images[0].select(0, 0)[1].item(), (before - found.mean) / found.deviation, 1e-6);
}

TEST(DatasetErrors, NameWhatIsMissing) {
  const Folder folder;
  EXPECT_TRUE(has_words(load_error(folder.path("nowhere")), {"nowhere", "no such folder"}));
  EXPECT_TRUE(has_words(load_error(folder.path()), {folder.path(), "train-images-idx3-ubyte.gz"}));
  write_dataset(folder, 4, 4, 2);
  std::filesystem::remove(folder.path("t10k-labels-idx1-ubyte"));
  EXPECT_TRUE(has_words(load_error(folder.path()), {"t10k-labels-idx1-ubyte"}));
}

TEST(DatasetErrors, NameTheFileThatDoesNotFit) {
  const auto with = [](const std::string& file, const Bytes& bytes) {
    const Folder folder;
    write_dataset(folder, 4, 4, 2);
    write_plain(folder.path(file), bytes);
    return load_error(folder.path());
  };
  const std::string images = "train-images-idx3-ubyte", labels = "train-labels-idx1-ubyte", test = "t10k-images-idx3-ubyte";
  EXPECT_TRUE(has_words(with(images, idx_bytes<std::uint16_t>(0x0B, {4, 1, 1}, std::vector<std::int16_t>(4))), {images, "0x0b"}));
  EXPECT_TRUE(has_words(with(images, idx_bytes<std::uint8_t>(0x08, {4}, std::vector<std::uint8_t>(4))), {"at least 2 dimensions"}));
  EXPECT_TRUE(has_words(with(images, idx_bytes<std::uint8_t>(0x08, {5, 2, 3}, std::vector<std::uint8_t>(30))), {"5 images"}));
  EXPECT_TRUE(has_words(with(labels, idx_bytes<std::uint32_t>(0x0D, {4}, std::vector<float>(4))), {"must be integers"}));
  EXPECT_TRUE(has_words(with(labels, idx_bytes<std::uint8_t>(0x08, {4, 1, 1}, std::vector<std::uint8_t>(4))), {"1 dimension"}));
  EXPECT_TRUE(has_words(with(labels, idx_bytes<std::uint8_t, std::int8_t>(0x09, {4}, {0, 1, -3, 1})), {"label -3", "index 2"}));
  EXPECT_TRUE(has_words(with(test, idx_bytes<std::uint8_t>(0x08, {4, 3, 3}, std::vector<std::uint8_t>(36))), {"(2, 3)", "(3, 3)"}));
}

TEST(FindDataset, LooksIntoTheFolderOfTheUserFirst) {
  const Folder folder;
  write_dataset(folder, 4, 4, 2);
  const Environment data("LUGE_DATA", folder.path());
  EXPECT_EQ(find_dataset("anything"), folder.path());
}

TEST(FindDataset, NamesThePlacesWhereNothingIsThere) {
  const Folder folder;
  const Environment data("LUGE_DATA", folder.path());
  try {
    find_dataset("no-such-set");
    FAIL();
  } catch (const IoError& error) {
    EXPECT_TRUE(has_words(error.what(), {"no-such-set", folder.path(), "LUGE_DATA"}));
    EXPECT_EQ(std::string(error.what()).find("apt-get"), std::string::npos) << "there is no such package";
  }
}

LabelledImages counting(std::int64_t n) {
  return {arange(n * 2, {.dtype = float32}).reshape({n, 1, 2}), arange(n, {.dtype = int64})};
}

std::vector<std::int64_t> labels_of(const Batches::Epoch& epoch) {
  std::vector<std::int64_t> all;
  for (const Batch& batch : epoch) {
    EXPECT_EQ(batch.images.shape(), (Shape{batch.labels.numel(), 2}));
    const auto labels = batch.labels.to_vector<std::int64_t>();
    const auto pixels = batch.images.to_vector<float>();
    for (std::size_t i = 0; i < labels.size(); ++i) EXPECT_EQ(pixels[2 * i], static_cast<float>(2 * labels[i]));
    all.insert(all.end(), labels.begin(), labels.end());
  }
  return all;
}

TEST(Batches, ServeEverySampleOnce) {
  const Batches batches(counting(103), {.batch = 10, .seed = 5});
  EXPECT_EQ(batches.size(), 11);
  EXPECT_EQ(batches.epoch(0)[10].labels.numel(), 3);
  std::vector<std::int64_t> labels = labels_of(batches.epoch(0)), expected(103);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_NE(labels, expected);
  std::sort(labels.begin(), labels.end());
  EXPECT_EQ(labels, expected);
}

TEST(Batches, OrderIsKeyedBySeedAndEpoch) {
  const LabelledImages samples = counting(50);
  const Batches a(samples, {.batch = 7, .seed = 1}), b(samples, {.batch = 7, .seed = 1}), c(samples, {.batch = 7, .seed = 2});
  EXPECT_EQ(labels_of(a.epoch(3)), labels_of(b.epoch(3)));
  EXPECT_NE(labels_of(a.epoch(3)), labels_of(a.epoch(4)));
  EXPECT_NE(labels_of(a.epoch(3)), labels_of(c.epoch(3)));
}

TEST(Batches, ShufflesEvenly) {
  const Batches batches(counting(4), {.batch = 4});
  std::array<int, 4> first{};
  for (int epoch = 0; epoch < 4000; ++epoch) ++first[static_cast<std::size_t>(batches.epoch(epoch)[0].labels[0].item<int>())];
  for (const int count : first) EXPECT_NEAR(count, 1000, 150);  // five deviations of a binomial count are 137
}

TEST(Batches, WithoutShufflingTheOrderIsThatOfTheFiles) {
  const Batches batches(counting(9), {.batch = 4, .shuffle = false});
  std::vector<std::int64_t> expected(9);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(labels_of(batches.epoch(2)), expected);
}

TEST(BatchesErrors, NameWhatIsAllowed) {
  const auto message = [](auto body) -> std::string {
    try {
      body();
      return {};
    } catch (const Error& error) {
      return error.what();
    }
  };
  EXPECT_TRUE(has_words(message([] { Batches(counting(9), {.batch = 10}); }), {"batch is 10", "1 to 9"}));
  EXPECT_TRUE(has_words(message([] { Batches(counting(9), {.batch = 0}); }), {"1 to 9"}));
  EXPECT_TRUE(has_words(message([] { Batches({counting(9).images, counting(8).labels}); }), {"(9, 1, 2)", "(8,)"}));
  EXPECT_TRUE(has_words(message([] { Batches(counting(9), {.batch = 3}).epoch(0)[3]; }), {"index 3", "0 to 2"}));
}

}  // namespace
}  // namespace luge
