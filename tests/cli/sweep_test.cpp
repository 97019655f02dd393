// luge sweep on small data: what it finds, its files, halving, an interruption, and options that make no sense.

#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <set>
#include <sstream>

#include <nlohmann/json.hpp>

#include "has_words.h"
#include "report_page.h"
#include "run_program.h"

namespace luge {
namespace {

using namespace luge::test;
using Json = nlohmann::json;

/// 96 training images, of which 16 are held back, in three classes.
struct SweepData {
  SweepData() { write_dataset(folder, 96, 30, 3); }
  std::string command(const std::string& options) const {
    return "sweep --batch 20 --hidden 8 --data " + folder.path() + " " + options;
  }
  Json json(const std::string& options) const {
    const Outcome run = run_luge(command(options) + " --json");
    EXPECT_EQ(run.code, 0) << run.err;
    return run.code == 0 ? Json::parse(run.out) : Json();
  }
  Folder folder;
};

TEST(Sweep, FindsTheRatesThatLearn) {
  const SweepData data;
  const Json json = data.json("--sets 24 --lr 1e-6:1e-1 --weight-decay 0.01 --epochs 30");
  EXPECT_EQ(json["score"], "validation error");
  EXPECT_EQ(json["train_images"], 80);
  EXPECT_EQ(json["validation_images"], 16);
  EXPECT_EQ(json["steps"], 120);
  EXPECT_EQ(json["interrupted"], false);
  ASSERT_EQ(json["sets"].size(), 24U);
  double fast = 0, slow = 0;
  int fast_count = 0;
  for (const Json& set : json["sets"]) {
    const double lr = set["settings"]["lr"], error = set["score"];
    EXPECT_GE(lr, 1e-6);
    EXPECT_LE(lr, 1e-1);
    EXPECT_EQ(set["settings"]["weight_decay"], 0.01);
    EXPECT_EQ(set["steps"], 120);
    EXPECT_EQ(set["stopped"], "steps");
    EXPECT_EQ(error * 16, std::round(error * 16));  // the share of 16 images
    (lr > 3e-3 ? fast : slow) += error;
    fast_count += lr > 3e-3;
  }
  ASSERT_GT(fast_count, 2);
  EXPECT_LT(fast / fast_count, 0.2);
  EXPECT_GT(slow / (24 - fast_count), 0.3);
  const std::size_t best = json["best"];
  for (const Json& set : json["sets"]) EXPECT_LE(json["sets"][best]["score"], set["score"]);
  EXPECT_GT(json["test_accuracy_of_best"], 0.9);
  EXPECT_LT(json["associations"]["lr"]["rank_correlation"], -0.5);
  EXPECT_TRUE(json["associations"]["weight_decay"]["rank_correlation"].is_null());
}

TEST(Sweep, TheSameSeedGivesTheSameSets) {
  const SweepData data;
  const std::string options = "--sets 6 --steps 12 --every 5 --seed ";
  const Json first = data.json(options + "3");
  for (const std::string& other : {std::string("3"), std::string("3 --threads 1")})
    EXPECT_EQ(data.json(options + other)["sets"], first["sets"]);
  EXPECT_NE(data.json(options + "4")["sets"], first["sets"]);
  EXPECT_NE(data.json(options + "3 --halton")["sets"], first["sets"]);
  std::set<double> drawn;
  for (const Json& set : first["sets"]) drawn.insert(set["settings"]["weight_decay"].get<double>());
  EXPECT_EQ(drawn.size(), 6U);
}

TEST(Sweep, HalvingSavesSteps) {
  const SweepData data;
  const Outcome run = run_luge(data.command("--sets 32 --seeds 2 --steps 64 --halving 4 --json"));
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_TRUE(
      has_words(run.err, {"halving: 16 settings, 4 after 4 steps, 1 after 16 steps", "step 4 of 64: 8 sets go on",
                          "step 16 of 64: 2 sets go on", "step 64 of 64: 2 sets go on"}));
  const Json json = Json::parse(run.out);
  EXPECT_EQ(json["total_steps"], 24 * 4 + 6 * 16 + 2 * 64);
  std::multiset<std::int64_t> steps;
  for (std::size_t set = 0; set < 32; set += 2) {
    EXPECT_EQ(json["sets"][set]["settings"], json["sets"][set + 1]["settings"]);
    EXPECT_EQ(json["sets"][set]["steps"], json["sets"][set + 1]["steps"]);
    EXPECT_EQ(json["sets"][set]["stopped"], json["sets"][set]["steps"] == 64 ? "steps" : "halving");
    steps.insert(json["sets"][set]["steps"].get<std::int64_t>());
  }
  EXPECT_EQ(steps.count(4), 12U);
  EXPECT_EQ(steps.count(16), 3U);
  EXPECT_EQ(steps.count(64), 1U);
}

TEST(Sweep, WritesATableAFileAndAPage) {
  const SweepData data;
  const std::string file = data.folder.path("table.csv"), page = data.folder.path("page");
  const Outcome run = run_luge(data.command("--sets 12 --steps 20 --best 3 --output " + file + " --report " + page));
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_TRUE(has_words(
      run.out, {"12 models with 8 hidden units", "up to 20 steps over 80 images", "16 held images", "rank  set",
                "weight_decay", "validation error", "lr: rank correlation", "of 30 test images right"}));
  EXPECT_TRUE(
      has_words(run.err, {"reading", "step 2 of 20: 12 sets go on; the best,", "report: " + page + "/index.html"}));
  std::istringstream table(run.out);
  int rows = 0;
  for (std::string line; std::getline(table, line);) rows += line.ends_with("steps") && line.starts_with("   ");
  EXPECT_EQ(rows, 3);
  std::istringstream lines(text_of(file));
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "set,setting,seed,lr,weight_decay,score,best_score,best_step,steps,stopped");
  int sets = 0;
  while (std::getline(lines, line)) ++sets;
  EXPECT_EQ(sets, 12);
  const std::string html = text_of(page + "/index.html");
  EXPECT_TRUE(has_words(html, {"A sweep over 12 image classifiers", "log_uniform(0.0001, 0.1)", "uniform(0, 0.1)",
                               "hidden units", "Machine", "prefers-color-scheme: dark"}));
  expect_self_contained(html);
  EXPECT_EQ(text_of(page + "/results.csv"), text_of(file));
  if (!gnuplot_is_there()) GTEST_SKIP() << "gnuplot is not installed";
  EXPECT_EQ(html.find("No pictures"), std::string::npos);
  expect_no_repeated_ids(html);
  for (const char* plot : {"curves", "parallel", "score_lr", "score_weight_decay"})
    EXPECT_TRUE(has_words(text_of(page + "/" + plot + ".svg"), {"<svg", "</svg>"})) << plot;
}

TEST(Sweep, AnInterruptionEndsWithTheTableSoFar) {
  const SweepData data;
  const std::string file = data.folder.path("table.csv");
  const Outcome run = run_and_signal(data.command("--sets 4 --steps 4000 --every 10 --json --output " + file),
                                     "step 20 of", SIGINT, data.folder.path("out"));
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_TRUE(has_words(run.err, {"stopped after", "of 4,000 steps; these are the scores so far"}));
  const Json json = Json::parse(run.out);
  EXPECT_EQ(json["interrupted"], true);
  for (const Json& set : json["sets"]) {
    EXPECT_GE(set["steps"], 20);
    EXPECT_LT(set["steps"], 4000);
    EXPECT_EQ(set["stopped"], "interrupted");
    EXPECT_TRUE(set["score"].is_number());
  }
  EXPECT_TRUE(has_words(text_of(file), {",interrupted\n"}));
}

TEST(Sweep, BadOptionsAreCode2AndSayWhatIsWrong) {
  const SweepData data;
  const std::pair<std::string, std::string> cases[] = {
      {"--sets 0", "--sets"},
      {"--lr 1e-1:1e-4", "'1e-1:1e-4' must be a number >= 0, or two of them as low:high"},
      {"--lr=-1", "'-1' must be a number >= 0"},
      {"--lr fast", "'fast' is not a finite number"},
      {"--weight-decay 0:", "--weight-decay"},
      {"--steps 5 --epochs 2", "excludes"},
      {"--halving 1", "--halving"},
      {"--min-steps 3", "--halving"},
      {"--halving 4 --sets 3", "the eta of halving is 4 and there are 3 settings"},
      {"--halving 4 --steps 5", "5 steps are too few"},
      {"--halving 4 --steps 5 --min-steps 5", "min_steps of halving is 5"},
      {"--sets 5 --seeds 2", "2 does not divide the 5 of --sets"},
      {"--batch 81", "81 is more than the 80 training images"},
      {"--every 0", "--every"},
  };
  for (const auto& [options, words] : cases) {
    SCOPED_TRACE(options);
    std::string command = "sweep --hidden 8 --data " + data.folder.path() + " " + options;
    const Outcome run = run_luge(command);
    EXPECT_EQ(run.code, 2);
    EXPECT_EQ(run.out, "");
    EXPECT_TRUE(has_words(run.err, {words}));
  }
}

TEST(Sweep, FilesThatCannotBeWrittenAreCode1BeforeAnyWork) {
  const SweepData data;
  for (const std::string& option : {std::string("--output "), std::string("--report ")}) {
    write_plain(data.folder.path("file"), {1});
    const Outcome run = run_luge(data.command(option + data.folder.path("file/x")));
    EXPECT_EQ(run.code, 1);
    EXPECT_EQ(run.out, "");
    EXPECT_EQ(run.err.find("reading"), std::string::npos) << run.err;
    EXPECT_TRUE(has_words(run.err, {"luge: error: ", "file/x"}));
  }
}

}  // namespace
}  // namespace luge
