// What becomes of the history: quantiles, and files for other programs. Their numbers are written so that they read
// back as the same numbers.

#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <luge/io/detail/file.h>
#include <luge/train/monitor.h>
#include <luge/train/summary.h>

namespace luge {

namespace {

/// Lines on their way to a file that appears whole or not at all.
class Lines {
 public:
  Lines(const char* op, const std::string& path) : file_(op, path) {}

  template <class... Values>
  void add(fmt::format_string<Values...> format, Values&&... values) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Values>(values)...);
    if (text_.size() >= kAtOnce) flush();
  }
  void commit() {
    flush();
    file_.commit();
  }

 private:
  static constexpr std::size_t kAtOnce = std::size_t{1} << 20;

  void flush() {
    file_.write(text_.data(), text_.size());
    text_.clear();
  }

  OutputFile file_;
  std::string text_;
};

}  // namespace

std::vector<std::vector<double>> Monitor::kept_quantiles(const std::vector<double>& probabilities,
                                                         SourceLocation location) {
  std::vector<std::vector<double>> result;
  for (const HistoryRow& row : history(location)) result.push_back(quantiles_of(row.sets, probabilities));
  return result;
}

void Monitor::write_csv(const std::string& path, SourceLocation location) {
  const std::vector<HistoryRow>& rows = history(location);
  Lines lines("Monitor.write_csv", path);
  lines.add("step,seconds,mean,min,max,not_finite");
  for (std::size_t set = 0; !rows.empty() && set < rows.front().sets.size(); ++set) lines.add(",set_{}", set);
  lines.add("\n");
  for (const HistoryRow& row : rows) {
    lines.add("{},{},{},{},{},{}", row.step, row.seconds, row.mean, row.min, row.max, row.not_finite);
    for (const double loss : row.sets) lines.add(",{}", loss);
    lines.add("\n");
  }
  lines.commit();
}

void Monitor::write_jsonl(const std::string& path, SourceLocation location) {
  const std::vector<HistoryRow>& rows = history(location);
  Lines lines("Monitor.write_jsonl", path);
  for (const HistoryRow& row : rows) {
    // It writes NaN and infinity as null.
    nlohmann::ordered_json line = {{"step", row.step}, {"seconds", row.seconds}, {"mean", row.mean},
                                   {"min", row.min},   {"max", row.max},         {"not_finite", row.not_finite}};
    for (std::size_t set = 0; set < row.sets.size(); ++set) line[fmt::format("set_{}", set)] = row.sets[set];
    lines.add("{}\n", line.dump());
  }
  lines.commit();
}

}  // namespace luge
