// The map of statuses in the report of luge fit: how the sets ended, in the order of the data.

#include <algorithm>
#include <iterator>
#include <map>

#include <fmt/format.h>

#include <luge/report/report.h>
#include <luge/report/table.h>

#include "fit.h"

namespace luge::cli {

using namespace report;

namespace {

constexpr std::int64_t kColumns = 100, kMostRows = 50;
/// Up to so many lines or columns are counted one by one.
constexpr std::int64_t kFew = 10;

/// Statuses from the one that is most wished for to the one that is least: a cell of several sets shows the last of
/// these, so that no failure is hidden.
constexpr fit::FitStatus kOrder[] = {fit::FitStatus::Precision, fit::FitStatus::Singular, fit::kIllConditioned,
                                     fit::FitStatus::MaxSteps,  fit::FitStatus::Stalled,  fit::FitStatus::Diverged,
                                     fit::FitStatus::BadData};
/// Of what has converged, of the order above, and of any other.
constexpr const char* kRankColours[std::size(kOrder) + 2] = {"#10b981", "#0891b2", "#3b82f6", "#a855f7", "#ca8a04",
                                                             "#f97316", "#ef4444", "#64748b", "#db2777"};

std::size_t rank(fit::FitStatus status) {
  if (fit::is_converged(status)) return 0;
  return 1 + static_cast<std::size_t>(std::find(std::begin(kOrder), std::end(kOrder), status) - std::begin(kOrder));
}

}  // namespace

void add_status_map(Report& report, const FitData& data, const FitTable& table) {
  const std::int64_t sets = data.sets(), each = (sets + kColumns * kMostRows - 1) / (kColumns * kMostRows),
                     cells = (sets + each - 1) / each, columns = std::min(cells, kColumns),
                     rows = (cells + columns - 1) / columns;
  // Cells side by side that are alike become one box.
  std::string csv = "column,row,width,rank,status\n";
  std::map<std::size_t, std::string> names;
  std::size_t last = 0;
  std::int64_t begin = 0;
  const auto close = [&](std::int64_t end) {
    if (end > begin)
      csv += fmt::format("{},{},{},{},{}\n", begin % columns, begin / columns, end - begin, last, names[last]);
    begin = end;
  };
  for (std::int64_t cell = 0; cell < cells; ++cell) {
    std::int64_t shown = cell * each;
    for (std::int64_t set = shown + 1; set < std::min(sets, (cell + 1) * each); ++set)
      if (rank(table.status_of(set)) > rank(table.status_of(shown))) shown = set;
    const std::size_t worst = rank(table.status_of(shown));
    names.emplace(worst, short_text_of(table.status_of(shown)));
    if (worst != last || cell % columns == 0) close(cell);
    last = worst;
  }
  close(cells);
  report.write_file("map.csv", csv);
  std::string plot;
  for (const auto& [which, name] : names)
    plot += fmt::format(
        "{}'map.csv' skip 1 using ($4 == {} ? $1 + $3 / 2.0 : NaN):($2 + 0.5):($1):($1 + $3):2:($2 + 1) with "
        "boxxyerror "
        "fs solid noborder lc rgb \"{}\" title '{}'",
        plot.empty() ? "plot " : ", \\\n  ", which, kRankColours[which], name);
  report.add_plot(
      {"map", "Where the fits ended how",
       each == 1 ? std::string("Each set in the order of the data, line by line from the top left.")
                 : fmt::format("The sets in the order of the data, line by line from the top left, {} to a cell, which "
                               "has the colour of the worst of them.",
                               grouped(each)),
       fmt::format("set xrange [0:{}]\nset yrange [{}:0]\nunset grid\nset border 0\nset xtics scale 0{}\n"
                   "set ytics scale 0{}\nset xlabel '{}, {} in a line'\nset ylabel 'line'\n"
                   "set key outside right top\n{}\n",
                   columns, rows, columns <= kFew ? " 1" : "", rows <= kFew ? " 1" : "",
                   each == 1 ? std::string("set") : fmt::format("cell of {} sets", grouped(each)), columns, plot)});
  report.add_file("map.csv", "how the sets ended, in boxes of the picture");
}

}  // namespace luge::cli
