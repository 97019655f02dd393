#include <luge/report/table.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

namespace luge::report {
namespace {

/// Three significant digits of value / base^n with the n-th prefix.
template <std::size_t kCount>
std::string scaled(double value, double base, const std::array<const char*, kCount>& prefixes, std::string_view unit) {
  std::size_t i = 0;
  while (i + 1 < kCount && std::abs(value) >= base * 0.9995) {
    value /= base;
    ++i;
  }
  const int digits = std::abs(value) >= 100 ? 0 : std::abs(value) >= 10 ? 1 : 2;
  return fmt::format("{:.{}f} {}{}", value, digits, prefixes[i], unit);
}

}  // namespace

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t width = columns_[c].name.size();
    for (const auto& row : rows_) width = std::max(width, row[c].size());
    widths.push_back(width);
  }
  std::string text;
  const auto add_line = [&](const auto& cell) {
    std::string line;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (c > 0) line += "  ";
      line += columns_[c].left ? fmt::format("{:<{}}", cell(c), widths[c]) : fmt::format("{:>{}}", cell(c), widths[c]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  };
  add_line([&](std::size_t c) -> const std::string& { return columns_[c].name; });
  for (const auto& row : rows_) add_line([&](std::size_t c) -> const std::string& { return row[c]; });
  return text;
}

std::string si(double value, std::string_view unit) {
  return scaled(value, 1000, std::array{"", "k", "M", "G", "T", "P"}, unit);
}

std::string bytes_text(double bytes) { return scaled(bytes, 1024, std::array{"", "Ki", "Mi", "Gi", "Ti"}, "B"); }

std::string grouped(long long value) {
  const std::string digits = fmt::format("{}", std::abs(value));
  std::string result = value < 0 ? "-" : "";
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) result += ',';
    result += digits[i];
  }
  return result;
}

}  // namespace luge::report
