#pragma once
// Files of columns: numbers and labels in rows of text, with a name for each column. What is read and written of them
// goes through libcsv here.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <luge/io/detail/file.h>

namespace luge::cli {

/// How a file of columns is written.
struct CsvFormat {
  char delimiter = 0;              ///< 0: as the first row has it; ' ': any number of spaces and tabs
  std::vector<std::string> names;  ///< of the columns where no row has them; empty: the first row does
};

/// Columns, row by row.
struct CsvColumns {
  std::vector<std::vector<double>> numbers;  ///< [column][row]; NaN: missing
  std::vector<std::string> labels;           ///< of the column of labels, each once, in order of appearance
  std::vector<std::int64_t> groups;          ///< [row]: which label; empty without a column of labels
  std::vector<std::int64_t> lines;           ///< [row]: in which line of the file it begins
  std::int64_t rows() const { return static_cast<std::int64_t>(lines.size()); }
};

/// A file of columns. Lines that begin with # and empty lines are skipped. Fields may be quoted. A number that is
/// empty, nan or NA is missing. Every IoError names the file, the line, the column and what was found there.
class CsvFile {
 public:
  /// Reads the names of the columns. Throws IoError.
  CsvFile(const std::string& path, CsvFormat format);

  const std::vector<std::string>& names() const { return format_.names; }
  /// Reads columns of numbers and maybe one of labels, by their places among the names. Throws IoError.
  CsvColumns read(const std::vector<std::size_t>& numbers, std::optional<std::size_t> labels) const;

 private:
  InputFile file_;
  CsvFormat format_;
  bool has_row_of_names_;
};

/// A number as these files have them; none: the text is no number, or beyond float64.
std::optional<double> parse_csv_number(std::string_view text);

/// Text as a field: quoted where it must be.
std::string csv_field(std::string_view text);

}  // namespace luge::cli
