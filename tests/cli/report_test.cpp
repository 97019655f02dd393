#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>

#include <nlohmann/json.hpp>

#include "has_words.h"
#include "report_page.h"
#include "run_program.h"

namespace luge {
namespace {

using namespace luge::test;

void expect_report(const std::string& arguments, std::initializer_list<const char*> plots, std::initializer_list<std::string_view> words) {
  SCOPED_TRACE(arguments);
  const Folder folder;
  const std::string directory = folder.path("a/report");
  const Outcome run = run_luge(arguments + " --report " + directory);
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_TRUE(has_words(run.err, {"report: " + directory + "/index.html"}));
  const std::string html = text_of(directory + "/index.html");
  EXPECT_TRUE(has_words(html, words));
  EXPECT_TRUE(has_words(html, {"prefers-color-scheme: dark", "Machine", "Options", "BLAS", "history.csv"}));
  expect_self_contained(html);
  for (const char* file : {"/history.csv", "/history.jsonl"}) EXPECT_GT(std::filesystem::file_size(directory + file), 0U);
  std::istringstream lines(text_of(directory + "/history.jsonl"));
  for (std::string line; std::getline(lines, line);) EXPECT_TRUE(nlohmann::json::accept(line)) << line;
  if (!gnuplot_is_there()) GTEST_SKIP() << "gnuplot is not installed";
  for (const char* plot : plots) EXPECT_TRUE(has_words(text_of(directory + "/" + plot + ".svg"), {"<svg", "</svg>"})) << plot;
  EXPECT_EQ(static_cast<std::size_t>(std::count(html.begin(), html.end(), '\0')), 0U);
  EXPECT_TRUE(has_words(html, {"<svg", "currentColor"}));
  EXPECT_EQ(html.find("No pictures"), std::string::npos);
  expect_no_repeated_ids(html);
}

TEST(Report, OfOneParameter) {
  expect_report("demo", {"descent", "loss", "gradient", "distance"}, {"0.3238891", "2.6669342", "The descent on the curve", "Eager and captured", "plan.txt"});
}
TEST(Report, OfADivergingDescent) { expect_report("demo --lr 0.5 --epochs 400", {"descent", "loss", "gradient"}, {"Gradient"}); }
TEST(Report, OfADescentWithoutSteps) { expect_report("demo --epochs 0", {"descent", "loss", "gradient", "distance"}, {"Loss"}); }

TEST(Report, OfManySets) {
  expect_report("demo --sets 5000", {"loss", "sets", "errors", "errors_by_rate", "losses"}, {"5,000 parameter sets", "copy bandwidth", "captured step", "kernel calls"});
}
TEST(Report, OfOneSet) { expect_report("demo --sets 1", {"loss", "sets"}, {"1 parameter set"}); }

TEST(Report, OfTrainedModels) {
  const Folder folder;
  write_dataset(folder, 60, 20, 3);
  const std::string train = "train --batch 10 --hidden 8 --epochs 2 --data " + folder.path();
  expect_report(train, {"loss", "accuracy"}, {"An image classifier", "captured step"});
  expect_report(train + " --sets 3 --lr 1e-3:1e-2", {"loss", "accuracy", "ranking"}, {"3 image classifiers", "Final accuracy of every set"});
  expect_report(train + " --sets 45 --lr 1e-3:1e-2", {"loss", "accuracy", "ranking"}, {"45 image classifiers"});
}

TEST(Report, WithoutGnuplotKeepsTheHistoryAndSaysSo) {
  const Folder folder;
  std::filesystem::create_directories(folder.path("empty"));
  const Outcome run = run_luge("demo --report " + folder.path("report"), "PATH=" + folder.path("empty"));
  ASSERT_EQ(run.code, 0) << run.err;
  const std::string html = text_of(folder.path("report/index.html"));
  EXPECT_TRUE(has_words(html, {"No pictures", "gnuplot is not installed", "apt-get install gnuplot-nox", "history.csv"}));
  EXPECT_EQ(html.find("<svg"), std::string::npos);
  expect_self_contained(html);
  EXPECT_TRUE(has_words(text_of(folder.path("report/history.csv")), {"epoch,x,f,gradient,closed_form"}));
}

TEST(Report, AGnuplotThatFailsIsNamed) {
  const Folder folder;
  write_plain(folder.path("gnuplot"), {'#', '!', '/', 'b', 'i', 'n', '/', 's', 'h', '\n', 'e', 'c', 'h', 'o', ' ', 'n', 'o', '\n',
                                       'e', 'x', 'i', 't', ' ', '3', '\n'});
  std::filesystem::permissions(folder.path("gnuplot"), std::filesystem::perms::owner_all);
  const Outcome run = run_luge("demo --report " + folder.path("report"), "PATH=" + folder.path());
  EXPECT_EQ(run.code, 0);
  EXPECT_TRUE(has_words(text_of(folder.path("report/index.html")), {"No pictures", "gnuplot failed on descent.gp: no"}));
}

TEST(Report, AFolderThatCannotBeMadeIsNamed) {
  const Folder folder;
  write_plain(folder.path("file"), {1});
  for (const std::string command : {"demo", "demo --sets 10", "train"}) {
    for (const std::string& place : {folder.path("file/report"), folder.path("file"), std::string("/proc/report")}) {
      const Outcome run = run_luge(command + " --report " + place);
      EXPECT_EQ(run.code, 1);
      EXPECT_EQ(run.out, "");  // before any work
      EXPECT_EQ(run.err.find("reading"), std::string::npos) << run.err;
      EXPECT_TRUE(has_words(run.err, {"luge: error: report: ", place}));
    }
  }
}

}  // namespace
}  // namespace luge
