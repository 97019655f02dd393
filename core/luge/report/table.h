#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace luge::report {

/// A table of text. Numbers stand on the right of their column.
class Table {
 public:
  struct Column {
    std::string name;
    bool left = false;  ///< text rather than numbers
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void add_row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

  const std::vector<Column>& columns() const { return columns_; }
  const std::vector<std::vector<std::string>>& rows() const { return rows_; }

  /// Aligned with spaces, a heading line first, each line ended.
  std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// "12.3 GB/s": three significant digits and a decimal prefix.
std::string si(double value, std::string_view unit);

/// "1.5 GiB": three significant digits and a binary prefix.
std::string bytes_text(double bytes);

/// 1000000 as "1,000,000".
std::string grouped(long long value);

}  // namespace luge::report
