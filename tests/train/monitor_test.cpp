// The monitor: what it keeps, how it writes it, and the line it draws.

#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <luge/luge.h>
#include <luge/train/detail/progress.h>

#include "expect.h"
#include "folder.h"
#include "train/messages.h"

namespace luge {
namespace {

using test::kInfinity;
using test::kNaN;

/// A path that is removed in the end.
class TemporaryFile {
 public:
  TemporaryFile() : path_(std::filesystem::temp_directory_path() / ("luge_monitor_" + std::to_string(::getpid()))) {}
  ~TemporaryFile() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }
  std::vector<std::string> lines() const {
    std::ifstream file(path_);
    std::vector<std::string> result;
    for (std::string line; std::getline(file, line);) result.push_back(line);
    return result;
  }

 private:
  std::filesystem::path path_;
};

TEST(Monitor, KeepsASummaryOfEveryStep) {
  Monitor monitor({.keep_sets = 2});
  monitor.record(tensor({1, 2, 6}));
  monitor.record(tensor({-1, 5, 2}, {.dtype = float64}));
  const auto& rows = monitor.history();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].step, 0);
  EXPECT_EQ(rows[0].mean, 3);
  EXPECT_EQ(rows[0].min, 1);
  EXPECT_EQ(rows[0].max, 6);
  EXPECT_EQ(rows[0].not_finite, 0);
  EXPECT_EQ(rows[0].sets, (std::vector<double>{1, 2}));
  EXPECT_EQ(rows[1].step, 1);
  EXPECT_EQ(rows[1].mean, 2);
  EXPECT_EQ(rows[1].sets, (std::vector<double>{-1, 5}));
  EXPECT_GE(rows[1].seconds, rows[0].seconds);
}

TEST(Monitor, ReadsBehindTheTrainingBeyondItsCapacity) {
  for (const std::int64_t capacity : {1, 2, 7, 100, 4096}) {
    Monitor monitor({.keep_sets = 1, .capacity = capacity});
    for (int step = 0; step < 1000; ++step) monitor.record(tensor({1.0 * step, step + 2.0}));
    const auto& rows = monitor.history();
    ASSERT_EQ(rows.size(), 1000U);
    for (int step = 0; step < 1000; ++step) {
      const HistoryRow& row = rows[static_cast<std::size_t>(step)];
      EXPECT_EQ(row.step, step);
      EXPECT_EQ(row.mean, step + 1);
      EXPECT_EQ(row.sets, std::vector<double>{1.0 * step});
    }
    monitor.record(tensor({5, 5}));
    EXPECT_EQ(monitor.history().size(), 1001U);
  }
}

TEST(Monitor, CountsLossesThatAreNotFinite) {
  Monitor monitor({.keep_sets = 4});
  monitor.record(tensor({kNaN, 1, kInfinity, 3}));
  monitor.record(tensor({kNaN, kNaN, -kInfinity, kNaN}));
  const auto& rows = monitor.history();
  EXPECT_EQ(rows[0].not_finite, 2);
  EXPECT_EQ(rows[0].mean, 2);
  EXPECT_EQ(rows[0].min, 1);
  EXPECT_EQ(rows[0].max, 3);
  EXPECT_TRUE(std::isnan(rows[0].sets[0]));
  EXPECT_EQ(rows[0].sets[2], kInfinity);
  EXPECT_EQ(rows[1].not_finite, 4);
  EXPECT_TRUE(std::isnan(rows[1].mean));
  EXPECT_TRUE(std::isnan(rows[1].min));
}

TEST(Monitor, TakesLossesOfAnyShapeAndFromAnyGraph) {
  const Tensor w = ones({2, 3}, {.requires_grad = true});
  Monitor monitor;
  monitor.record(w.sum());
  monitor.record(w * tensor({1, 2, 3}));
  monitor.record((w * tensor({1, 2, 3})).t());
  monitor.record(tensor({4}).expand({3, 3}));
  const auto& rows = monitor.history();
  EXPECT_EQ(rows[0].mean, 6);
  EXPECT_EQ(rows[1].mean, 2);
  EXPECT_EQ(rows[2].mean, 2);
  EXPECT_EQ(rows[3].mean, 4);
  EXPECT_TRUE(rows[3].sets.empty());
}

TEST(Monitor, WritesCsv) {
  Monitor monitor({.keep_sets = 2});
  monitor.record(tensor({0.1, 2.5}, {.dtype = float64}));
  monitor.record(tensor({kNaN, kInfinity}, {.dtype = float64}));
  const TemporaryFile file;
  monitor.write_csv(file.path());
  const std::vector<std::string> lines = file.lines();
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0], "step,seconds,mean,min,max,not_finite,set_0,set_1");
  std::vector<double> cells;
  std::stringstream row(lines[1]);
  for (std::string cell; std::getline(row, cell, ',');) cells.push_back(std::stod(cell));
  ASSERT_EQ(cells.size(), 8U);
  EXPECT_EQ(cells[2], 1.3);  // written so that it reads back exactly
  EXPECT_EQ(cells[6], 0.1);
  EXPECT_EQ(cells[7], 2.5);
  EXPECT_NE(lines[2].find("nan,nan,nan,2,nan,inf"), std::string::npos) << lines[2];
}

TEST(Monitor, WritesNumbersThatReadBackAsTheyWere) {
  Monitor monitor;
  const std::vector<double> losses = {1.0 / 3, 1e-300, 123456789.123456789, std::numeric_limits<double>::denorm_min()};
  for (const double loss : losses) monitor.record(tensor({loss}, {.dtype = float64}));
  const TemporaryFile csv;
  monitor.write_csv(csv.path());
  const std::vector<std::string> lines = csv.lines();
  ASSERT_EQ(lines.size(), losses.size() + 1);
  for (std::size_t step = 0; step < losses.size(); ++step) {
    const HistoryRow& row = monitor.history()[step];
    char* at = const_cast<char*>(lines[step + 1].c_str());
    EXPECT_EQ(std::strtoll(at, &at, 10), row.step);
    for (const double value : {row.seconds, losses[step], losses[step], losses[step]})
      EXPECT_EQ(std::strtod(at + 1, &at), value);
  }
  monitor.write_jsonl(csv.path());
  for (std::size_t step = 0; step < losses.size(); ++step) {
    const auto line = nlohmann::json::parse(csv.lines()[step]);
    EXPECT_EQ(line["seconds"].get<double>(), monitor.history()[step].seconds);
    EXPECT_EQ(line["mean"].get<double>(), losses[step]);
  }
}

TEST(Monitor, FilesAppearWholeOrNotAtAll) {
  Monitor monitor;
  monitor.record(tensor({1}));
  const test::Folder folder;
  const std::string path = folder.path("history.csv");
  monitor.write_csv(path);
  const std::string before = test::text_of(path);
  // A file may be no longer than 8 bytes: writing fails midway.
  struct rlimit former = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &former), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit few = {8, former.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &few), 0);
  EXPECT_THROW(monitor.write_csv(path), IoError);
  EXPECT_THROW(monitor.write_jsonl(folder.path("history.jsonl")), IoError);
  setrlimit(RLIMIT_FSIZE, &former);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(test::text_of(path), before);
  EXPECT_EQ(folder.files(), 1);
}

TEST(Monitor, WritesJsonLines) {
  Monitor monitor({.keep_sets = 2});
  monitor.record(tensor({0.1, 2.5}, {.dtype = float64}));
  monitor.record(tensor({kNaN, kInfinity}, {.dtype = float64}));
  const TemporaryFile file;
  monitor.write_jsonl(file.path());
  const std::vector<std::string> lines = file.lines();
  ASSERT_EQ(lines.size(), 2U);
  const auto first = nlohmann::json::parse(lines[0]), second = nlohmann::json::parse(lines[1]);
  EXPECT_EQ(first["step"], 0);
  EXPECT_EQ(first["mean"], 1.3);
  EXPECT_EQ(first["set_0"], 0.1);
  EXPECT_EQ(first["not_finite"], 0);
  EXPECT_TRUE(second["mean"].is_null());
  EXPECT_TRUE(second["set_1"].is_null());
  EXPECT_EQ(second["not_finite"], 2);
  EXPECT_EQ(second.size(), 8U);
}

TEST(Monitor, WithoutStepsHasAnEmptyHistory) {
  Monitor monitor;
  EXPECT_TRUE(monitor.history().empty());
  const TemporaryFile file;
  monitor.write_csv(file.path());
  EXPECT_EQ(file.lines(), std::vector<std::string>{"step,seconds,mean,min,max,not_finite"});
  monitor.write_jsonl(file.path());
  EXPECT_TRUE(file.lines().empty());
  monitor.finish();
}

TEST(Monitor, CanBeMoved) {
  Monitor first;
  first.record(tensor({1}));
  Monitor second = std::move(first);
  second.record(tensor({2}));
  EXPECT_EQ(second.history().size(), 2U);
}

TEST(Monitor, RefusesWhatItCannotRecord) {
  Monitor monitor({.keep_sets = 3});
  EXPECT_MESSAGE(DTypeError, "Monitor::record: the loss is int64; allowed are the floating dtypes",
                 monitor.record(arange(3)));
  EXPECT_MESSAGE(ShapeError, "Monitor::record: the loss of shape (0,) has no elements", monitor.record(zeros({0})));
  EXPECT_MESSAGE(ValueError, "Monitor::record: loss is an undefined tensor", monitor.record(Tensor()));
  monitor.record(tensor({1, 2, 3}));
  EXPECT_MESSAGE(ShapeError, "Monitor::record: the loss has 1 elements; the first one kept 3 sets",
                 monitor.record(tensor({1})));
  EXPECT_EQ(monitor.history().size(), 1U);
}

TEST(Monitor, RefusesToRestoreTimesThatNoClockHas) {
  Monitor monitor;
  monitor.record(tensor({1}));
  const auto at = [](double seconds) {
    HistoryRow row;
    row.seconds = seconds;
    return row;
  };
  for (const double seconds : {-kInfinity, kInfinity, kNaN, -1.0, 1.1e9})
    EXPECT_THROW(monitor.restore({at(1), at(seconds)}), ValueError) << seconds;
  EXPECT_MESSAGE(ValueError, "Monitor::restore: a row has seconds of inf; allowed are 0 to 1000000000",
                 monitor.restore({at(kInfinity)}));
  ASSERT_EQ(monitor.history().size(), 1U);
  EXPECT_EQ(monitor.history()[0].mean, 1);
  monitor.restore({at(1e9)});
  monitor.record(tensor({2}));
  EXPECT_GE(monitor.history()[1].seconds, 1e9);
}

TEST(Monitor, RefusesImpossibleOptions) {
  EXPECT_MESSAGE(ValueError, "Monitor: capacity is 0; it must be 1 or more", Monitor({.capacity = 0}));
  EXPECT_MESSAGE(ValueError, "Monitor: total is -1 and keep_sets is 0; both must be 0 or more", Monitor({.total = -1}));
  EXPECT_MESSAGE(ValueError, "Monitor: total is 0 and keep_sets is -1; both must be 0 or more",
                 Monitor({.keep_sets = -1}));
  EXPECT_THROW(Monitor({.capacity = std::numeric_limits<std::int64_t>::max()}), ValueError);
  EXPECT_THROW(Monitor({.keep_sets = std::numeric_limits<std::int64_t>::max()}), ValueError);
}

TEST(Monitor, NamesTheFileItCannotWrite) {
  Monitor monitor;
  monitor.record(tensor({1}));
  EXPECT_MESSAGE(IoError, "Monitor.write_csv: cannot write '/nowhere/at/all.csv': No such file or directory",
                 monitor.write_csv("/nowhere/at/all.csv"));
  EXPECT_MESSAGE(IoError, "Monitor.write_jsonl: cannot write '/dev/full': it is no regular file",
                 monitor.write_jsonl("/dev/full"));
}

TEST(Monitor, IsSilentWhereThereIsNoTerminal) {
  testing::internal::CaptureStderr();
  {
    Monitor monitor({.total = 200});
    for (int step = 0; step < 200; ++step) monitor.record(tensor({1}));
    monitor.finish();
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Progress, ShowsBarRateLossAndTimeToGo) {
  const ProgressState state{.step = 250, .total = 1000, .seconds = 2, .loss = 0.125};
  EXPECT_EQ(progress_text(state, 200),
            "[########......................]  25%  250/1000  125 steps/s  loss 0.125  ETA 0:06");
  EXPECT_EQ(progress_text({.step = 1000, .total = 1000, .seconds = 7200, .loss = kNaN}, 80),
            "[##########################] 100%  1000/1000  0.1389 steps/s  loss nan  ETA 0:00");
  EXPECT_EQ(progress_text({.step = 5, .total = 10, .seconds = 1, .unit = "sets"}, 36), " 50%  5/10  5 sets/s  ETA 0:01");
  EXPECT_EQ(progress_text({.step = 10, .seconds = 1, .loss = 1}, 80), "step 10  10 steps/s  loss 1");
  EXPECT_EQ(progress_text({.step = 1, .total = 100000, .seconds = 1, .loss = 1}, 80).find("ETA 27:46:39") !=
                std::string::npos,
            true);
}

TEST(Progress, FitsAnyTerminal) {
  const ProgressState state{.step = 250, .total = 1000, .seconds = 2, .loss = 0.125};
  for (std::size_t columns = 1; columns < 120; ++columns) EXPECT_LE(progress_text(state, columns).size(), columns);
  EXPECT_EQ(progress_text(state, 28), " 25%  250/1000  loss 0.125");
  EXPECT_EQ(progress_text(state, 5), " 25% ");
}

}  // namespace
}  // namespace luge
