#include <luge/sweep/result.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <luge/base/detail/check.h>
#include <luge/io/detail/file.h>
#include <luge/sweep/detail/order.h>

namespace luge::sweep {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
/// Groups of a hyperparameter that has more values.
constexpr std::size_t kGroups = 8;

std::size_t at(std::int64_t set) { return static_cast<std::size_t>(set); }

/// Pearson's, NaN where one of them is constant.
double correlation(const std::vector<double>& x, const std::vector<double>& y) {
  const auto count = static_cast<double>(x.size());
  const double mean_x = std::accumulate(x.begin(), x.end(), 0.0) / count;
  const double mean_y = std::accumulate(y.begin(), y.end(), 0.0) / count;
  double xx = 0, yy = 0, xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    yy += (y[i] - mean_y) * (y[i] - mean_y);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
  }
  return xx > 0 && yy > 0 ? std::clamp(xy / std::sqrt(xx) / std::sqrt(yy), -1.0, 1.0) : kNaN;
}

/// The number of each value's group: equal values are in one.
std::vector<std::size_t> groups_of(const std::vector<double>& values) {
  std::map<double, std::size_t> distinct;
  for (const double value : values)
    if (distinct.size() <= kGroups) distinct.emplace(value, 0);
  std::vector<std::size_t> result;
  if (distinct.size() <= kGroups) {
    for (std::size_t next = 0; auto& [value, group] : distinct) group = next++;
    for (const double value : values) result.push_back(distinct.at(value));
    return result;
  }
  for (const double rank : ranks(values))
    result.push_back(static_cast<std::size_t>((rank - 0.5) / static_cast<double>(values.size()) * kGroups));
  return result;
}

/// 1 - (1 - eta^2) (n - 1) / (n - k), with eta^2 the share of the variance that lies between the k groups; 0 at least.
double explained(const std::vector<double>& y, const std::vector<std::size_t>& groups) {
  struct Group {
    double sum = 0, count = 0;
  };
  std::map<std::size_t, Group> all;
  for (std::size_t i = 0; i < y.size(); ++i) {
    all[groups[i]].sum += y[i];
    ++all[groups[i]].count;
  }
  const auto n = static_cast<double>(y.size()), k = static_cast<double>(all.size());
  const double mean = std::accumulate(y.begin(), y.end(), 0.0) / n;
  double within = 0, total = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const Group& group = all[groups[i]];
    within += std::pow(y[i] - group.sum / group.count, 2);
    total += std::pow(y[i] - mean, 2);
  }
  if (!(total > 0) || n <= k) return kNaN;
  return std::max(0.0, 1 - within / total * (n - 1) / (n - k));
}

nlohmann::ordered_json number(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

}  // namespace

std::int64_t Result::total_steps() const { return std::accumulate(steps.begin(), steps.end(), std::int64_t{0}); }

std::vector<std::int64_t> Result::best(std::int64_t count) const {
  LUGE_CHECK(ValueError, count >= 1, "Result.best: count is {}; it must be 1 or more", count);
  std::vector<std::int64_t> order = best_first(scores);
  order.resize(std::min(order.size(), at(count)));
  return order;
}

std::vector<SettingScores> Result::by_setting() const {
  const std::int64_t seeds = settings.seeds();
  std::vector<SettingScores> all;
  std::vector<double> means;
  for (std::int64_t setting = 0; setting < settings.settings(); ++setting) {
    SettingScores one{.setting = setting, .best = kNaN};
    const double* const own = &scores[at(setting * seeds)];
    for (std::int64_t i = 0; i < seeds; ++i) {
      one.mean += own[i];
      if (!std::isfinite(own[i])) continue;
      ++one.finite;
      one.best = std::fmin(one.best, own[i]);  // of NaN and a number the number
    }
    one.mean = one.finite == seeds ? one.mean / static_cast<double>(seeds) : kNaN;
    double squares = 0;
    for (std::int64_t i = 0; i < seeds; ++i) squares += (own[i] - one.mean) * (own[i] - one.mean);
    one.deviation = seeds > 1 ? std::sqrt(squares / static_cast<double>(seeds - 1)) : kNaN;
    means.push_back(one.mean);
    all.push_back(one);
  }
  std::vector<SettingScores> sorted;
  for (const std::int64_t setting : best_first(means)) sorted.push_back(all[at(setting)]);
  return sorted;
}

std::vector<Association> Result::associations() const {
  std::vector<double> compared;
  for (const double score : scores) compared.push_back(comparable(score));
  const std::vector<double> score_ranks = ranks(compared);
  std::vector<Association> result;
  for (const Column& column : settings.columns())
    result.push_back({.name = column.name,
                      .rank_correlation = correlation(ranks(column.values), score_ranks),
                      .explained = explained(score_ranks, groups_of(column.values))});
  return result;
}

// ---- tables and files ---------------------------------------------------------------------------

report::Table Result::table(std::int64_t count) const {
  std::vector<report::Table::Column> columns{{"rank"}, {"set"}};
  for (const Column& column : settings.columns()) columns.push_back({column.name});
  columns.insert(columns.end(), {{score_name}, {"best"}, {"steps"}, {"stopped", true}});
  report::Table table(columns);
  std::int64_t rank = 0;
  for (const std::int64_t set : best(count)) {
    std::vector<std::string> row{fmt::format("{}", ++rank), fmt::format("{}", set)};
    for (const Column& column : settings.columns()) row.push_back(fmt::format("{:.4g}", column.values[at(set)]));
    row.push_back(fmt::format("{:.6g}", scores[at(set)]));
    row.push_back(fmt::format("{:.6g}", best_scores[at(set)]));
    row.push_back(report::grouped(steps[at(set)]));
    row.push_back(stopped[at(set)]);
    table.add_row(std::move(row));
  }
  return table;
}

std::string Result::csv() const {
  std::string csv =
      fmt::format("set,setting,seed,{},score,best_score,best_step,steps,stopped\n", fmt::join(settings.names(), ","));
  const auto out = std::back_inserter(csv);
  for (std::int64_t set = 0; set < sets(); ++set) {
    fmt::format_to(out, "{},{},{}", set, set / settings.seeds(), set % settings.seeds());
    for (const Column& column : settings.columns()) fmt::format_to(out, ",{}", column.values[at(set)]);
    fmt::format_to(out, ",{},{},{},{},{}\n", scores[at(set)], best_scores[at(set)], best_steps[at(set)], steps[at(set)],
                   stopped[at(set)]);
  }
  return csv;
}

std::string Result::json() const {
  using Json = nlohmann::ordered_json;
  Json list = Json::array();
  for (std::int64_t set = 0; set < sets(); ++set) {
    Json values = Json::object();
    for (const Column& column : settings.columns()) values[column.name] = column.values[at(set)];
    list.push_back({{"set", set},
                    {"setting", set / settings.seeds()},
                    {"seed", set % settings.seeds()},
                    {"settings", values},
                    {"score", number(scores[at(set)])},
                    {"best_score", number(best_scores[at(set)])},
                    {"best_step", best_steps[at(set)]},
                    {"steps", steps[at(set)]},
                    {"stopped", stopped[at(set)]}});
  }
  const Json json = {{"score", score_name},
                     {"interrupted", interrupted},
                     {"seconds", seconds},
                     {"total_steps", total_steps()},
                     {"sets", list}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

void Result::save(const std::string& path) const {
  const bool is_csv = path.ends_with(".csv");
  LUGE_CHECK(ValueError, is_csv || path.ends_with(".json"), "Result.save: '{}' ends neither with .csv nor with .json",
             path);
  const std::string text = is_csv ? csv() : json();
  OutputFile file("Result.save", path);
  file.write(text.data(), text.size());
  file.commit();
}

}  // namespace luge::sweep
