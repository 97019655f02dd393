#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <luge/base/device.h>
#include <luge/report/table.h>

/// Pages about a training: pictures, tables and facts in a folder, which any browser shows.
namespace luge::report {

/// A picture of a report: `script` holds the gnuplot commands after those that all pictures share. It
/// runs in the report's folder, so data files are named without a folder; they hold comma-separated values.
struct Plot {
  std::string name;  ///< of its files: name.svg, name.gp
  std::string title;
  std::string caption;  ///< what is to be seen, in a sentence
  std::string script;
};

/// Colours of the series of a plot that read well on light and on dark, for `lc rgb`.
inline constexpr const char* kColours[] = {"#3b82f6", "#f97316", "#10b981", "#a855f7",
                                           "#ef4444", "#0891b2", "#ca8a04", "#db2777"};
inline constexpr int kColourCount = 8;

/// Makes the folder and tries to write to it. Throws IoError; called before the work that the report is about.
void require_folder(const std::string& directory);

/// A report on the disk.
struct Written {
  std::string page;     ///< where index.html lies
  std::string trouble;  ///< why pictures are missing; empty: none is
};

/// A folder with index.html, which needs no other file and no network, the pictures and their data.
class Report {
 public:
  /// Makes the folder. Throws IoError.
  Report(std::string directory, std::string title, std::string summary);

  /// Where a file of this report lies.
  std::string path(std::string_view file) const;
  /// Writes a file into the folder; it appears whole or not at all. Throws IoError.
  void write_file(std::string_view file, std::string_view text);

  void add_facts(std::string heading, std::vector<std::pair<std::string, std::string>> facts);
  void add_table(std::string heading, const Table& table);
  /// Draws with gnuplot, a program. Where that fails, the page says why; the data stay.
  void add_plot(const Plot& plot);
  /// A file of the folder that the page links to.
  void add_file(std::string file, std::string what);
  /// Adds the facts of the machine and writes index.html. Throws IoError.
  Written finish(Device device);

 private:
  std::string directory_, title_, summary_, pictures_, tables_, files_, trouble_;
};

}  // namespace luge::report
