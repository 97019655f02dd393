#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <luge/report/report.h>
#include <luge/report/table.h>
#include <luge/sweep/settings.h>

namespace luge::sweep {

/// Scores of one setting over its seeds.
struct SettingScores {
  std::int64_t setting = 0;
  std::int64_t finite = 0;  ///< seeds whose score is finite
  /// Over all seeds, NaN where a score is not finite; the deviation is that of a sample (n - 1), NaN for one seed.
  double mean = 0, deviation = 0;
  double best = 0;  ///< the lowest finite score; NaN: none is
};

/// How the scores go with one hyperparameter, by ranks alone, of which the worst is that of scores that are not finite.
/// Neither says what causes what, and what acts only together with another hyperparameter shows in neither.
struct Association {
  std::string name;
  /// Spearman's: 1 where a larger value always has a larger, worse, score, -1 the reverse. It does not see an optimum
  /// in the middle. NaN where all values or all scores are equal.
  double rank_correlation = 0;
  /// The share of the variance of the scores' ranks that lies between groups of like values, adjusted for the number of
  /// groups: the epsilon squared of Kruskal and Wallis (Kelley 1935). Groups are the values, or, of more than 8, eight
  /// parts of like size. 0: none; 1: all. NaN where all scores are equal or there are not more sets than groups.
  double explained = 0;
};

/// What stands on the page of Result::report() beside the results.
struct PageOptions {
  std::string title = "Sweep";
  /// Names and values, for instance what was trained.
  std::vector<std::pair<std::string, std::string>> facts = {};
  Device device = Device::cpu();
};

/// What a sweep found. Scores are better the lower they are; one that is not finite is the worst.
struct Result {
  Settings settings;
  std::string score_name;
  /// By set: the score at the end of its training, which is that of the parameters it has, and the lowest finite one at
  /// any look. NaN: there was none.
  std::vector<double> scores, best_scores;
  /// By set: steps before the lowest score, -1 without one, and steps in all.
  std::vector<std::int64_t> best_steps, steps;
  /// By set: the name of a stop::Reason, or "halving", "steps" (it took all of them), "interrupted", "inactive" (it was
  /// stopped by something else).
  std::vector<std::string> stopped;
  /// Steps after which there was a look, and each one's scores by set; NaN for a set that took no step since the last.
  std::vector<std::int64_t> looks;
  std::vector<std::vector<double>> curves;
  double seconds = 0;
  bool interrupted = false;

  std::int64_t sets() const { return settings.sets(); }
  /// Steps of all sets together.
  std::int64_t total_steps() const;
  /// The sets by their score, the best first, ties in their order; `count` of them at most. Throws ValueError below 1.
  std::vector<std::int64_t> best(std::int64_t count = 1) const;
  /// By setting, the best mean first; those with a score that is not finite last.
  std::vector<SettingScores> by_setting() const;
  /// One for each hyperparameter, in their order.
  std::vector<Association> associations() const;

  /// The best sets, one a row: settings, final and best score, steps, why it stopped.
  report::Table table(std::int64_t count) const;
  /// A heading and a row for each set in their order: set, setting and seed, hyperparameters, score, best_score,
  /// best_step, steps, stopped. Numbers read back as they were.
  std::string csv() const;
  /// The same as a JSON object with its list "sets"; numbers that JSON cannot hold are null.
  std::string json() const;
  /// csv() or json() as a file that ends so; it appears whole or not at all. Throws ValueError for another ending,
  /// IoError.
  void save(const std::string& path) const;
  /// Writes a page into a folder, which it makes: the best sets, curves by quantile, parallel coordinates, the score
  /// over each hyperparameter, and the data. Throws IoError; without the program gnuplot the page has no pictures and
  /// says so.
  report::Written report(const std::string& directory, const PageOptions& options = {}) const;
};

}  // namespace luge::sweep
