// Files for TensorBoard, taken apart here by hand: records between lengths and checksums, and the fields in them.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <luge/luge.h>

#include "expect.h"
#include "folder.h"
#include "train/messages.h"

namespace luge {
namespace {

using test::kInfinity;
using test::kNaN;

/// CRC-32C, bit by bit.
std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = ~0U;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78U : 0U);
  }
  return ~crc;
}

template <class Number>
Number take(std::string_view& bytes) {
  Number result = 0;
  if (bytes.size() < sizeof(result)) throw std::runtime_error("the bytes end early");
  std::memcpy(&result, bytes.data(), sizeof(result));
  bytes.remove_prefix(sizeof(result));
  return result;
}

std::uint64_t take_varint(std::string_view& bytes) {
  std::uint64_t result = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = take<std::uint8_t>(bytes);
    result |= std::uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80) return result;
  }
}

/// The fields of a message of protobuf: numbers as their bits, all else as bytes.
struct Field {
  std::uint64_t bits = 0;
  std::string_view bytes;
  double number() const { return std::bit_cast<double>(bits); }
  double single() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits)); }
};
using Message = std::multimap<std::uint64_t, Field>;

Message parse(std::string_view bytes) {
  Message result;
  while (!bytes.empty()) {
    const std::uint64_t key = take_varint(bytes);
    Field field;
    switch (key & 7) {
      case 0: field.bits = take_varint(bytes); break;
      case 1: field.bits = take<std::uint64_t>(bytes); break;
      case 2: {
        const std::uint64_t length = take_varint(bytes);
        field.bytes = bytes.substr(0, length);
        bytes.remove_prefix(length);
        break;
      }
      case 5: field.bits = take<std::uint32_t>(bytes); break;
      default: throw std::runtime_error("no type of protobuf");
    }
    result.emplace(key >> 3, field);
  }
  return result;
}

Field only(const Message& message, std::uint64_t field) {
  return message.count(field) == 1 ? message.find(field)->second : Field{};
}

std::vector<double> numbers(std::string_view packed) {
  std::vector<double> result;
  while (!packed.empty()) result.push_back(take<double>(packed));
  return result;
}

/// What the files of a folder say.
struct Found {
  std::map<std::string, std::map<std::uint64_t, double>> scalars;  ///< by step
  std::map<std::string, std::map<std::uint64_t, std::vector<double>>> histograms;
  std::map<std::string, std::string> plugins;
  std::vector<double> times;
  int files = 0;
};

void read_record(std::string_view data, Found& found) {
  const Message event = parse(data);
  const std::uint64_t step = only(event, 2).bits;
  found.times.push_back(only(event, 1).number());
  for (const auto& [ignored, value] : parse(only(event, 5).bytes)) {
    const Message entry = parse(value.bytes);
    const std::string tag(only(entry, 1).bytes);
    if (entry.contains(2)) found.scalars[tag][step] = only(entry, 2).single();
    if (entry.contains(5)) {
      const Message histogram = parse(only(entry, 5).bytes);
      std::vector<double>& all = found.histograms[tag][step];
      for (const std::uint64_t field : {1, 2, 3, 4, 5}) all.push_back(only(histogram, field).number());
      for (const std::uint64_t field : {6, 7})
        for (const double number : numbers(only(histogram, field).bytes)) all.push_back(number);
    }
    if (entry.contains(9)) {
      const Message plugin = parse(only(parse(only(entry, 9).bytes), 1).bytes);
      EXPECT_EQ(only(plugin, 1).bytes, "hparams");
      found.plugins[tag] = only(plugin, 2).bytes;
    }
  }
}

Found read(const std::string& folder) {
  Found found;
  std::set<std::string> paths;
  for (const auto& file : std::filesystem::directory_iterator(folder)) paths.insert(file.path().string());
  for (const std::string& path : paths) {
    EXPECT_NE(path.find("/events.out.tfevents."), std::string::npos) << path;
    ++found.files;
    const std::string text = test::text_of(path);
    bool first = true;
    for (std::string_view left = text; !left.empty(); first = false) {
      const auto masked = [](std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + 0xA282EAD8U; };
      const std::string_view length = left.substr(0, 8);
      const auto size = take<std::uint64_t>(left);
      EXPECT_EQ(take<std::uint32_t>(left), masked(length));
      const std::string_view data = left.substr(0, size);
      left.remove_prefix(size);
      EXPECT_EQ(take<std::uint32_t>(left), masked(data));
      if (first) {
        EXPECT_EQ(only(parse(data), 3).bytes, "brain.Event:2");
      } else {
        read_record(data, found);
      }
    }
  }
  return found;
}

class TensorboardTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(crc32c("123456789"), 0xE3069283U);
    try {
      Monitor({.progress = false}).write_tensorboard(folder_.path("probe"));
    } catch (const IoError& error) {
      if (std::string_view(error.what()).find("this build of luge writes nothing") == std::string_view::npos) throw;
      GTEST_SKIP() << error.what();
    }
  }
  std::string run() const { return folder_.path("run"); }

 private:
  test::Folder folder_;
};

TEST_F(TensorboardTest, HasEveryStepOfEachSet) {
  Monitor monitor({.keep_sets = 3, .progress = false});
  const auto before = static_cast<double>(std::time(nullptr)) - 2;
  for (int step = 0; step < 200; ++step) monitor.record(tensor({0.0, 1.0, 2.0}) + step / 8.0);
  monitor.write_tensorboard(run());
  const Found found = read(run());
  EXPECT_EQ(found.files, 1);
  EXPECT_EQ(found.scalars.size(), 6U);
  for (std::uint64_t step = 0; step < 200; ++step) {
    const double base = static_cast<double>(step) / 8;
    for (const auto& [name, value] :
         std::map<std::string, double>{{"mean", 1}, {"min", 0}, {"max", 2}, {"set_0", 0}, {"set_1", 1}, {"set_2", 2}})
      EXPECT_EQ(found.scalars.at("loss/" + name).at(step), base + value) << name << ' ' << step;
  }
  EXPECT_TRUE(std::is_sorted(found.times.begin(), found.times.end()));
  EXPECT_GE(found.times.front(), before);
  EXPECT_LE(found.times.back(), static_cast<double>(std::time(nullptr)) + 2);
}

TEST_F(TensorboardTest, HasQuantilesOfManySets) {
  Monitor monitor({.keep_sets = 101, .progress = false});
  monitor.record(arange(101).to(float32));
  monitor.write_tensorboard(run());
  const Found found = read(run());
  EXPECT_EQ(found.scalars.at("loss/kept_q5").at(0), 5);
  EXPECT_EQ(found.scalars.at("loss/kept_q95").at(0), 95);
  EXPECT_FALSE(found.scalars.contains("loss/set_0"));
}

TEST_F(TensorboardTest, HasDistributions) {
  Monitor monitor({.progress = false});
  monitor.record(tensor({1}));
  const Summary summary = monitor.distribution("x", tensor({1, 2, 3, 10, kNaN}), {.bins = 3});
  EXPECT_EQ(summary.count, 4);
  monitor.write_tensorboard(run());
  const Found found = read(run());
  EXPECT_EQ(found.scalars.at("x/q50").at(0), 2.5);
  EXPECT_EQ(found.scalars.at("x/not_finite").at(0), 1);
  EXPECT_EQ(found.scalars.at("x/max").at(0), 10);
  // min, max, count, sum, sum of squares; upper edges; counts
  EXPECT_EQ(found.histograms.at("x").at(0), (std::vector<double>{1, 10, 4, 16, 114, 4, 7, 10, 3, 0, 1}));
}

TEST_F(TensorboardTest, GetsWhatIsNew) {
  Monitor monitor({.progress = false});
  for (int step = 0; step < 5; ++step) monitor.record(tensor({1.0 * step}));
  monitor.distribution("x", ones({2}));
  monitor.write_tensorboard(run(), {.every = 2});
  for (int step = 5; step < 9; ++step) monitor.record(tensor({1.0 * step}));
  monitor.write_tensorboard(run() + "/.", {.every = 2});
  const Found found = read(run());
  EXPECT_EQ(found.files, 2);
  EXPECT_EQ(found.scalars.at("loss/mean"), (std::map<std::uint64_t, double>{{0, 0}, {2, 2}, {4, 4}, {6, 6}, {8, 8}}));
  EXPECT_EQ(found.histograms.at("x").size(), 1U);
  EXPECT_EQ(found.times.size(), 5U);
}

TEST_F(TensorboardTest, HasHyperparametersAndResults) {
  Monitor monitor({.progress = false});
  monitor.record(tensor({1}));
  monitor.record(tensor({2}));
  monitor.write_tensorboard(run(), {.hparams = {{"lr", 0.25}, {"layers", 3}, {"rule", "Adam"}, {"nesterov", true}},
                                    .metrics = {{"accuracy", 0.5}}});
  const Found found = read(run());
  EXPECT_EQ(found.scalars.at("accuracy"), (std::map<std::uint64_t, double>{{1, 0.5}}));
  const Message start = parse(only(parse(found.plugins.at("_hparams_/session_start_info")), 3).bytes);
  std::map<std::string, Message> values;
  for (auto [at, end] = start.equal_range(1); at != end; ++at) {
    const Message pair = parse(at->second.bytes);
    values[std::string(only(pair, 1).bytes)] = parse(only(pair, 2).bytes);
  }
  EXPECT_EQ(values.size(), 4U);
  EXPECT_EQ(only(values["lr"], 2).number(), 0.25);
  EXPECT_EQ(only(values["layers"], 2).number(), 3);
  EXPECT_EQ(only(values["rule"], 3).bytes, "Adam");
  EXPECT_EQ(only(values["nesterov"], 4).bits, 1U);
  const Message experiment = parse(only(parse(found.plugins.at("_hparams_/experiment")), 2).bytes);
  EXPECT_EQ(experiment.count(4), 4U);
  EXPECT_EQ(experiment.count(5), 1U);
  EXPECT_TRUE(found.plugins.contains("_hparams_/session_end_info"));
}

TEST_F(TensorboardTest, HasNaN) {
  Monitor monitor({.progress = false});
  monitor.record(tensor({kNaN, kInfinity}));
  monitor.distribution("x", tensor({kNaN}));
  monitor.write_tensorboard(run());
  const Found found = read(run());
  EXPECT_TRUE(std::isnan(found.scalars.at("loss/mean").at(0)));
  EXPECT_EQ(found.scalars.at("loss/not_finite").at(0), 2);
  EXPECT_TRUE(found.histograms.empty());
}

TEST_F(TensorboardTest, WritesDistributionsOfNoStepAndOfStepsThatARestoreTookBack) {
  Monitor monitor({.progress = false});
  monitor.distribution("x", ones({2}));
  monitor.write_tensorboard(run());
  EXPECT_EQ(read(run()).histograms.at("x").count(0), 1U);
  for (int step = 0; step < 9; ++step) monitor.record(tensor({1}));
  monitor.distribution("y", ones({2}));
  monitor.restore({});
  monitor.write_tensorboard(run());
  EXPECT_EQ(read(run()).histograms.at("y").count(8), 1U);
}

TEST_F(TensorboardTest, RefusesWhatCannotBe) {
  Monitor monitor({.progress = false});
  EXPECT_MESSAGE(ValueError, "Monitor::write_tensorboard: every is 0; it must be 1 or more",
                 monitor.write_tensorboard(run(), {.every = 0}));
  EXPECT_FALSE(std::filesystem::exists(run()));
  EXPECT_MESSAGE(IoError, "Monitor::write_tensorboard: cannot make the folder '/proc/none': No such file or directory",
                 monitor.write_tensorboard("/proc/none"));
}

}  // namespace
}  // namespace luge
