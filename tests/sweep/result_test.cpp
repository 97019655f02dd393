// Results: associations against values of SciPy 1.11 (spearmanr, kruskal) and by hand, files read back, the page.

#include <luge/sweep/result.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>

#include <nlohmann/json.hpp>

#include <luge/sweep/space.h>

#include "expect.h"
#include "folder.h"
#include "has_words.h"
#include "report_page.h"

namespace luge::test {
namespace {

using sweep::Result;

/// A result of one look.
Result result_of(sweep::Settings settings, const std::vector<double>& scores) {
  const std::size_t sets = scores.size();
  Result result;
  result.settings = std::move(settings);
  result.score_name = "loss";
  result.scores = result.best_scores = scores;
  result.best_steps.assign(sets, 5);
  result.steps.assign(sets, 5);
  result.stopped.assign(sets, "steps");
  result.looks = {5};
  result.curves = {scores};
  return result;
}

TEST(SweepResult, RanksSayHowTheScoreGoesWithAHyperparameter) {
  const double nan = std::nan("");
  // a: monotonic; b: an optimum in the middle; c: constant.
  const Result result = result_of(sweep::grid({{"a", {1, 2, 3}}, {"b", {1, 2, 3, 4}}, {"c", {7}}}),
                                  {4, 1, 1.5, 5, 8, 2, 3, 9, 12, 6, 7, nan});
  const std::vector<sweep::Association> all = result.associations();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].name, "a");
  // Ranks of the scores: 5 1 2 6 | 9 3 4 10 | 11 7 8 12. By hand: groups of a have means 3.5, 6.5, 9.5.
  // eta^2 = 4 (9 + 0 + 9) / 143; adjusted 1 - (1 - eta^2) 11 / 9.
  EXPECT_NEAR(all[0].explained, 1 - (1 - 72.0 / 143) * 11 / 9, 1e-14);
  // Of a the ranks are 2.5, 6.5, 10.5: sum of products (-4)(-12) + 0 + 4 (12) = 96; 128 and 143 are the squares.
  EXPECT_NEAR(all[0].rank_correlation, 96 / std::sqrt(128.0 * 143), 1e-14);
  // Groups of b have means 25/3, 11/3, 14/3, 28/3.
  const double eta_b = 3 *
                       (std::pow(25. / 3 - 6.5, 2) + std::pow(11. / 3 - 6.5, 2) + std::pow(14. / 3 - 6.5, 2) +
                        std::pow(28. / 3 - 6.5, 2)) /
                       143;
  EXPECT_NEAR(all[1].explained, 1 - (1 - eta_b) * 11 / 8, 1e-14);
  EXPECT_LT(std::abs(all[1].rank_correlation), 0.25);  // it does not see the middle
  EXPECT_TRUE(std::isnan(all[2].rank_correlation));
  EXPECT_EQ(all[2].explained, 0);
}

TEST(SweepResult, ManyValuesAreEightGroups) {
  std::vector<double> scores;
  const sweep::Settings settings =
      sweep::space({{"u", sweep::uniform(-1, 1)}, {"v", sweep::uniform(-1, 1)}}, {.sets = 800, .seed = 3});
  for (const double u : settings.column("u").values) scores.push_back(u * u);
  const std::vector<sweep::Association> all = result_of(settings, scores).associations();
  EXPECT_GT(all[0].explained, 0.9);  // the eighths of a parabola
  EXPECT_LT(std::abs(all[0].rank_correlation), 0.15);
  EXPECT_LT(all[1].explained, 0.03);
  const std::vector<sweep::Association> equal = result_of(settings, std::vector<double>(800, 2.0)).associations();
  EXPECT_TRUE(std::isnan(equal[0].explained));
  EXPECT_TRUE(std::isnan(equal[0].rank_correlation));
}

Result mixed() {
  Result result = result_of(sweep::grid({{"lr", {1e-3, 0.1}}, {"decay", {0, 1. / 3}}}, {.seeds = 2}),
                            {0.5, 0.25, 1. / 3, 2, std::nan(""), 7, std::numeric_limits<double>::infinity(), 1e-300});
  result.stopped[4] = "nan_loss";
  return result;
}

TEST(SweepResult, TablesListTheBestFirst) {
  const report::Table table = mixed().table(3);
  std::vector<std::string> names;
  for (const auto& column : table.columns()) names.push_back(column.name);
  EXPECT_EQ(names, (std::vector<std::string>{"rank", "set", "lr", "decay", "loss", "best", "steps", "stopped"}));
  ASSERT_EQ(table.rows().size(), 3U);
  EXPECT_EQ(table.rows()[0], (std::vector<std::string>{"1", "7", "0.1", "0.3333", "1e-300", "1e-300", "5", "steps"}));
  EXPECT_EQ(table.rows()[1][1], "1");
  EXPECT_EQ(mixed().table(100).rows().size(), 8U);
  EXPECT_EQ(mixed().table(100).rows()[6][1], "4");  // NaN and infinity are the worst, in their order
}

TEST(SweepResult, FilesReadBackAsTheyWere) {
  const Folder folder;
  const Result result = mixed();
  result.save(folder.path("a.csv"));
  result.save(folder.path("a.json"));
  std::istringstream lines(text_of(folder.path("a.csv")));
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "set,setting,seed,lr,decay,score,best_score,best_step,steps,stopped");
  const nlohmann::json json = nlohmann::json::parse(text_of(folder.path("a.json")));
  ASSERT_EQ(json["sets"].size(), 8U);
  for (std::size_t set = 0; set < 8; ++set) {
    ASSERT_TRUE(std::getline(lines, line));
    std::vector<std::string> cells;
    std::istringstream cut(line);
    for (std::string one; std::getline(cut, one, ',');) cells.push_back(one);
    ASSERT_EQ(cells.size(), 10U);
    EXPECT_EQ(std::stoul(cells[0]), set);
    EXPECT_EQ(std::stoul(cells[1]), set / 2);
    EXPECT_EQ(std::stoul(cells[2]), set % 2);
    EXPECT_EQ(std::stod(cells[3]), result.settings.column("lr").values[set]);
    EXPECT_EQ(std::stod(cells[4]), result.settings.column("decay").values[set]);
    EXPECT_TRUE(close(std::stod(cells[5]), result.scores[set], 0));
    EXPECT_EQ(cells[9], result.stopped[set]);
    const nlohmann::json& one = json["sets"][set];
    EXPECT_EQ(one["settings"]["decay"], result.settings.column("decay").values[set]);
    EXPECT_EQ(one["score"], std::isfinite(result.scores[set]) ? nlohmann::json(result.scores[set]) : nlohmann::json());
  }
  EXPECT_EQ(json["total_steps"], 40);
  expect_errors({
      LUGE_ERROR(ValueError, "Result.save: 'a.txt' ends neither", result.save("a.txt")),
      LUGE_ERROR(IoError, "Result.save: .*absent", result.save(folder.path("absent/a.csv"))),
      LUGE_ERROR(ValueError, "Result.best: count is 0", result.best(0)),
  });
}

TEST(SweepResult, ThePageHasPicturesTablesAndData) {
  const Folder folder;
  Result result = result_of(
      sweep::space({{"lr", sweep::log_uniform(1e-4, 1)}, {"width", sweep::choice({16, 32})}}, {.sets = 300, .seed = 1}),
      std::vector<double>(300));
  for (std::size_t set = 0; set < 300; ++set)
    result.scores[set] = std::pow(std::log10(result.settings.column("lr").values[set]) + 2, 2) + 0.01;
  result.scores[17] = std::nan("");
  result.score_name = "a 'loss' of `it`";
  result.looks = {1, 2, 3};
  result.curves = {result.scores, result.scores, result.scores};
  const report::Written written =
      result.report(folder.path("page"), {.title = "A <sweep>", .facts = {{"model", "none"}}});
  const std::string html = text_of(folder.path("page/index.html"));
  EXPECT_TRUE(has_words(
      html, {"A &lt;sweep&gt;", "300 sets of 2 hyperparameters", "The hundred best sets", "log_uniform(0.0001, 1)",
             "choice(16, 32)", "results.csv", "rank correlation", "Why sets stopped", "<dt>model</dt>"}));
  EXPECT_EQ(text_of(folder.path("page/results.csv")), result.csv());
  expect_self_contained(html);
  expect_no_repeated_ids(html);
  // One heading, 283 lines at most of each set and a blank line between.
  EXPECT_TRUE(has_words(text_of(folder.path("page/points.csv")), {"place,lr,width,score\n", "\n0,"}));
  EXPECT_EQ(text_of(folder.path("page/points.csv")).find("nan"), std::string::npos);
  if (!gnuplot_is_there()) GTEST_SKIP() << "gnuplot is not installed";
  EXPECT_EQ(written.trouble, "");
  for (const char* plot : {"curves", "parallel", "score_lr", "score_width"})
    EXPECT_TRUE(has_words(text_of(folder.path("page/" + std::string(plot) + ".svg")), {"<svg", "</svg>"})) << plot;
  EXPECT_TRUE(has_words(html, {"Sets whose score is not finite are not drawn: 1."}));
}

TEST(SweepResult, APageOfLittle) {
  const double nan = std::nan("");
  for (const std::vector<double>& scores : {std::vector<double>{3}, {nan}, {1, 1}, {-1, 0}, {nan, 2}, {1, 1e30}}) {
    SCOPED_TRACE(scores.size());
    const Folder folder;
    const Result result =
        result_of(sweep::grid({{"x", sweep::linspace(0, 1, static_cast<std::int64_t>(scores.size()))}}), scores);
    const report::Written written = result.report(folder.path());
    EXPECT_EQ(written.trouble.empty(), gnuplot_is_there()) << written.trouble;
    EXPECT_TRUE(has_words(text_of(folder.path("index.html")),
                          {std::isnan(scores[0]) && scores.size() == 1 ? "No score is finite" : "The best, set"}));
  }
}

}  // namespace
}  // namespace luge::test
