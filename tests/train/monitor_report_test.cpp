// The page about a training.

#include <filesystem>
#include <limits>
#include <sstream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <luge/luge.h>

#include "folder.h"
#include "has_words.h"
#include "report_page.h"
#include "train/messages.h"

namespace luge {
namespace {

using namespace luge::test;

constexpr double kNoLoss = std::numeric_limits<double>::quiet_NaN();

int lines_of(const std::string& path) {
  const std::string text = text_of(path);
  return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
}

TEST(MonitorReport, ShowsHistoryTableAndMachine) {
  Monitor monitor({.keep_sets = 2});
  for (int step = 0; step < 30; ++step) monitor.record(tensor({1000.0 / (1 << step), 4.5, 8.0}));
  const Folder folder;
  const std::string directory = folder.path("a/report");
  const report::Written written = monitor.report(directory, {.title = "Mine & <yours>", .facts = {{"lr", "0.125"}}});
  EXPECT_EQ(written.page, directory + "/index.html");
  const std::string page = text_of(written.page);
  EXPECT_TRUE(has_words(
      page, {"<title>Mine &amp; &lt;yours&gt;</title>", "30 steps in", "First and last step", "step 29", "set 1", "4.5",
             "<dt>lr</dt><dd>0.125</dd>", "Machine", "BLAS", "history.csv", "history.jsonl", "loss.csv"}));
  EXPECT_FALSE(has_words(page, {"A point stands for"}));
  expect_self_contained(page);
  expect_no_repeated_ids(page);
  EXPECT_EQ(lines_of(directory + "/history.csv"), 31);
  EXPECT_EQ(lines_of(directory + "/history.jsonl"), 30);
  if (!gnuplot_is_there()) GTEST_SKIP() << "gnuplot is not installed";
  EXPECT_EQ(written.trouble, "");
  EXPECT_TRUE(has_words(page, {"<svg", "smallest to largest", "set 0", "mean"}));
}

TEST(MonitorReport, ALongTrainingIsDrawnByStretches) {
  Monitor monitor({.keep_sets = 100});
  const Tensor losses = arange(100).to(float32);
  for (int step = 0; step < 1201; ++step) monitor.record(step == 100 ? losses * kNoLoss : losses);
  const Folder folder;
  const report::Written written = monitor.report(folder.path());
  EXPECT_TRUE(has_words(text_of(written.page),
                        {"A point stands for 3 steps", "the first 64 of 100 kept sets", "set 99", "1,201 steps"}));
  EXPECT_EQ(lines_of(folder.path("history.csv")), 1202);
  std::istringstream points(text_of(folder.path("loss.csv")));
  std::string line;
  std::getline(points, line);
  EXPECT_TRUE(line.starts_with("step,mean,min,max,set_0,")) << line;
  EXPECT_TRUE(line.ends_with(",set_63")) << line;
  int count = 0;
  for (; std::getline(points, line); ++count) {
    const std::string first = std::to_string(count < 400 ? 3 * count + 1 : 1200);
    EXPECT_TRUE(line.starts_with(first + ",49.5,0,99,0,1,2,")) << line;  // NaNs beside numbers count for nothing
  }
  EXPECT_EQ(count, 401);
}

TEST(MonitorReport, OfNothingOfOneStepAndOfNothingButNaN) {
  const Folder folder;
  Monitor none, one, diverged;
  one.record(tensor({2.5}));
  diverged.record(tensor({kNoLoss, kNoLoss}));
  const report::Written empty = none.report(folder.path("none"));
  EXPECT_TRUE(has_words(text_of(empty.page), {"No step was recorded.", "Machine"}));
  EXPECT_FALSE(std::filesystem::exists(folder.path("none/loss.gp")));
  const report::Written nans = diverged.report(folder.path("nan"));
  EXPECT_TRUE(has_words(text_of(nans.page), {"sets that are not finite</td><td>2</td>"}));
  EXPECT_EQ(nans.trouble, "");
  const report::Written single = one.report(folder.path("one"));
  EXPECT_TRUE(has_words(text_of(single.page), {"One step, with a mean loss of 2.5."}));
  EXPECT_EQ(single.trouble.empty(), gnuplot_is_there()) << single.trouble;
}

TEST(MonitorReport, WithoutGnuplotSaysWhichPackageHasIt) {
  const Folder folder;
  Monitor monitor;
  monitor.record(tensor({1, 2}));
  const std::string former = getenv("PATH");
  setenv("PATH", folder.path().c_str(), 1);
  const report::Written written = monitor.report(folder.path("report"));
  setenv("PATH", former.c_str(), 1);
  EXPECT_EQ(written.trouble, "gnuplot is not installed; on Debian: apt-get install gnuplot-nox");
  const std::string page = text_of(written.page);
  EXPECT_TRUE(has_words(page, {"No pictures", "apt-get install gnuplot-nox", "history.csv"}));
  EXPECT_EQ(page.find("<svg"), std::string::npos);
  EXPECT_EQ(lines_of(folder.path("report/loss.csv")), 2);
}

TEST(MonitorReport, NamesTheFolderThatCannotBeMade) {
  const Folder folder;
  write_text(folder.path("file"), "x");
  Monitor monitor;
  EXPECT_MESSAGE(IoError, "report: " + folder.path("file/in") + ": cannot make the folder: Not a directory",
                 monitor.report(folder.path("file/in")));
}

TEST(MonitorReport, IsRefusedWhileAStepIsCaptured) {
  const Folder folder;
  Monitor monitor;
  Tensor x = ones({2});
  auto step = capture([&] {
    monitor.report(folder.path("report"));
    return x * 2;
  });
  EXPECT_THROW(step(), CaptureError);
  EXPECT_FALSE(std::filesystem::exists(folder.path("report")));
}

}  // namespace
}  // namespace luge
