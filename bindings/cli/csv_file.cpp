#include "csv_file.h"

#include <csv.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <limits>
#include <unordered_map>

#include <luge/base/detail/check.h>

namespace luge::cli {
namespace {

constexpr std::string_view kBlank = " \t\r\n";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

/// Text of a file as a message shows it.
std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 40;
  std::string result = "'";
  for (const char c : text.substr(0, kMost)) result += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return result + (text.size() > kMost ? "...'" : "'");
}

bool is_missing(std::string_view text) {
  std::string lower(text.substr(0, 4));
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  return lower.empty() || lower == "nan" || lower == "na";
}

/// The lines of a text with what ends them: \n, \r\n or \r.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  bool next() {
    if (rest_.empty()) return false;
    std::size_t end = std::min(rest_.find_first_of("\r\n"), rest_.size() - 1);
    if (rest_[end] == '\r' && end + 1 < rest_.size() && rest_[end + 1] == '\n') ++end;
    line_ = rest_.substr(0, end + 1);
    rest_.remove_prefix(end + 1);
    ++number_;
    return true;
  }
  std::string_view line() const { return line_; }
  std::int64_t number() const { return number_; }

 private:
  std::string_view rest_, line_;
  std::int64_t number_ = 0;
};

/// Splits a text into rows of fields. Whoever takes them may throw.
class Rows {
 public:
  explicit Rows(const std::string& path, char delimiter) : path_(path), delimiter_(delimiter) {
    if (csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI | CSV_EMPTY_IS_NULL) != 0)
      raise<IoError>("fit: {}: libcsv cannot begin", path_);
    csv_set_delim(&parser_, static_cast<unsigned char>(delimiter));
    csv_set_blk_size(&parser_, 4096);
  }
  virtual ~Rows() { csv_free(&parser_); }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  /// Takes rows until there are none left, or until take_row says that it has enough.
  void run(std::string_view text) {
    Lines lines(text);
    while (!is_done_ && lines.next()) {
      const std::string_view line = lines.line();
      const std::size_t begin = line.find_first_not_of(kBlank);
      if (!in_row_ && (begin == std::string_view::npos || line[begin] == '#')) continue;
      if (!in_row_) line_ = lines.number();
      in_row_ = true;
      feed(line);
    }
    if (!is_done_ && in_row_) {
      const int outcome = csv_fini(&parser_, &on_field, &on_row, this);
      if (thrown_) std::rethrow_exception(thrown_);
      if (outcome != 0) raise<IoError>("fit: {}: line {}: a quote is opened and never closed", path_, line_);
    }
  }

 protected:
  virtual void take_field(std::size_t column, std::string_view text) = 0;
  /// Whether there is to be another row.
  virtual bool take_row(std::size_t fields) = 0;
  std::int64_t line() const { return line_; }
  const std::string& path() const { return path_; }

 private:
  void feed(std::string_view line) {
    if (delimiter_ == ' ' && line.find('\t') != std::string_view::npos) {
      spaced_ = line;
      std::replace(spaced_.begin(), spaced_.end(), '\t', ' ');
      line = spaced_;
    }
    const std::size_t read = csv_parse(&parser_, line.data(), line.size(), &on_field, &on_row, this);
    if (thrown_) std::rethrow_exception(thrown_);
    if (read == line.size()) return;
    if (csv_error(&parser_) != CSV_EPARSE) throw std::bad_alloc();
    raise<IoError>("fit: {}: line {}: a quote stands within a field, or text behind one that is quoted", path_, line_);
  }

  // No exception may pass through libcsv, which is C.
  template <class Take>
  void guarded(const Take& take) {
    if (thrown_ || is_done_) return;
    try {
      take();
    } catch (...) {
      thrown_ = std::current_exception();
    }
  }
  static void on_field(void* text, std::size_t length, void* self) {
    Rows& rows = *static_cast<Rows*>(self);
    if (text == nullptr && rows.delimiter_ == ' ') return;  // one space of several
    const std::string_view field(text == nullptr ? "" : static_cast<const char*>(text), length);
    rows.guarded([&] { rows.take_field(rows.fields_, field); });
    ++rows.fields_;
  }
  static void on_row(int, void* self) {
    Rows& rows = *static_cast<Rows*>(self);
    rows.guarded([&] { rows.is_done_ = !rows.take_row(rows.fields_); });
    rows.fields_ = 0;
    rows.in_row_ = false;
  }

  csv_parser parser_{};
  const std::string& path_;
  char delimiter_;
  std::string spaced_;
  std::exception_ptr thrown_;
  std::size_t fields_ = 0;
  std::int64_t line_ = 0;
  bool in_row_ = false, is_done_ = false;
};

class FirstRow : public Rows {
 public:
  using Rows::line;
  using Rows::Rows;
  std::vector<std::string> fields;

 private:
  void take_field(std::size_t, std::string_view text) override { fields.emplace_back(trimmed(text)); }
  bool take_row(std::size_t) override { return false; }
};

class ColumnReader : public Rows {
 public:
  ColumnReader(const std::string& path, const CsvFormat& format, bool skips_first,
               const std::vector<std::size_t>& numbers, std::optional<std::size_t> labels)
      : Rows(path, format.delimiter), names_(format.names), labels_(labels), skips_(skips_first) {
    places_.resize(names_.size());
    for (std::size_t i = 0; i < numbers.size(); ++i) places_[numbers[i]].push_back(i);
    columns_.numbers.resize(numbers.size());
  }
  CsvColumns take() { return std::move(columns_); }

 private:
  void take_field(std::size_t column, std::string_view text) override {
    if (skips_ || column >= names_.size()) return;
    if (labels_ == column) take_label(trimmed(text));
    if (places_[column].empty()) return;
    const std::optional<double> value = parse_csv_number(text);
    LUGE_CHECK(IoError, value.has_value(), "fit: {}: line {}, column {}: {} is not a number of float64", path(), line(),
               names_[column], shown(text));
    for (const std::size_t place : places_[column]) columns_.numbers[place].push_back(*value);
  }

  void take_label(std::string_view text) {
    LUGE_CHECK(IoError, !text.empty(), "fit: {}: line {}, column {}: the label of a set is missing", path(), line(),
               names_[*labels_]);
    const auto [place, is_new] =
        numbers_of_labels_.try_emplace(std::string(text), static_cast<std::int64_t>(columns_.labels.size()));
    if (is_new) columns_.labels.emplace_back(text);
    columns_.groups.push_back(place->second);
  }

  bool take_row(std::size_t fields) override {
    if (skips_) {
      skips_ = false;
      return true;
    }
    LUGE_CHECK(IoError, fields == names_.size(), "fit: {}: line {} has {} fields; there are {} columns ({})", path(),
               line(), fields, names_.size(), fmt::join(names_, ", "));
    columns_.lines.push_back(line());
    return true;
  }

  const std::vector<std::string>& names_;
  std::optional<std::size_t> labels_;
  bool skips_;
  std::vector<std::vector<std::size_t>> places_;  ///< [column]: where its numbers go
  std::unordered_map<std::string, std::int64_t> numbers_of_labels_;
  CsvColumns columns_;
};

/// The text of the file without what some programs put in front.
std::string_view text_of(const InputFile& file) {
  if (file.size() == 0) return {};
  const auto bytes = file.mapped();
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  return text;
}

/// What stands between the fields of the first row: a tab, the more frequent of ; and , or spaces.
char delimiter_in(std::string_view text) {
  Lines lines(text);
  while (lines.next()) {
    const std::string_view line = trimmed(lines.line());
    if (line.empty() || line[0] == '#') continue;
    std::int64_t commas = 0, semicolons = 0, tabs = 0, spaces = 0;
    bool is_quoted = false;
    for (const char c : line) {
      if (c == '"') is_quoted = !is_quoted;
      if (is_quoted) continue;
      commas += c == ',';
      semicolons += c == ';';
      tabs += c == '\t';
      spaces += c == ' ';
    }
    if (commas + semicolons > 0) return semicolons > commas ? ';' : ',';
    if (tabs > 0 && spaces == 0) return '\t';
    return tabs + spaces > 0 ? ' ' : ',';
  }
  return ',';
}

}  // namespace

std::optional<double> parse_csv_number(std::string_view text) {
  text = trimmed(text);
  if (is_missing(text)) return std::numeric_limits<double>::quiet_NaN();
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size()) return {};
  if (error == std::errc::result_out_of_range) {  // too large, or so small that it is 0
    value = std::strtod(std::string(text).c_str(), nullptr);
    if (std::abs(value) > 1) return {};
  } else if (error != std::errc()) {
    return {};
  }
  return value;
}

std::string csv_field(std::string_view text) {
  if (trimmed(text) == text && text.find_first_of(",;\"#\r\n\t") == std::string_view::npos) return std::string(text);
  std::string result(2 * text.size() + 2, '\0');
  result.resize(csv_write(result.data(), result.size(), text.data(), text.size()));
  return result;
}

CsvFile::CsvFile(const std::string& path, CsvFormat format)
    : file_("fit", path), format_(std::move(format)), has_row_of_names_(format_.names.empty()) {
  const std::string_view text = text_of(file_);
  if (format_.delimiter == 0) format_.delimiter = delimiter_in(text);
  FirstRow first(path, format_.delimiter);
  first.run(text);
  LUGE_CHECK(IoError, !first.fields.empty(), "fit: {}: there is no row of data", path);
  if (!has_row_of_names_) return;
  LUGE_CHECK(IoError,
             !std::all_of(first.fields.begin(), first.fields.end(),
                          [](const std::string& field) { return parse_csv_number(field).has_value(); }),
             "fit: {}: line {} begins with {}; it must hold the names of the columns, or --columns must give them",
             path, first.line(), shown(first.fields.front()));
  format_.names = std::move(first.fields);
}

CsvColumns CsvFile::read(const std::vector<std::size_t>& numbers, std::optional<std::size_t> labels) const {
  ColumnReader reader(file_.path(), format_, has_row_of_names_, numbers, labels);
  reader.run(text_of(file_));
  return reader.take();
}

}  // namespace luge::cli
