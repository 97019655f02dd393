#include <luge/sweep/settings.h>

#include <algorithm>
#include <cmath>

#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/sweep/detail/names.h>

namespace luge::sweep {

namespace {

bool is_allowed(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

}  // namespace

void check_name(std::string_view name) {
  LUGE_CHECK(ValueError, !name.empty() && std::all_of(name.begin(), name.end(), is_allowed),
             "sweep: a hyperparameter is named '{}'; names hold letters, digits, '_', '.' and '-'", name);
  LUGE_CHECK(ValueError, std::find(std::begin(kResultNames), std::end(kResultNames), name) == std::end(kResultNames),
             "sweep: a hyperparameter is named '{}', as a column of the results is; it needs another name", name);
}

Settings::Settings(std::vector<Column> columns, std::int64_t seeds) : columns_(std::move(columns)), seeds_(seeds) {
  LUGE_CHECK(ValueError, !columns_.empty(), "sweep: there is no hyperparameter");
  LUGE_CHECK(ValueError, seeds_ >= 1, "sweep: seeds is {}; it must be 1 or more", seeds_);
  sets_ = static_cast<std::int64_t>(columns_[0].values.size());
  LUGE_CHECK(ValueError, sets_ > 0, "sweep: there is no set: '{}' has no value", columns_[0].name);
  LUGE_CHECK(ValueError, sets_ % seeds_ == 0, "sweep: there are {} sets and {} seeds; sets must be a multiple of seeds",
             sets_, seeds_);
  for (auto column = columns_.begin(); column != columns_.end(); ++column) {
    check_name(column->name);
    const auto is_same = [&](const Column& other) { return other.name == column->name; };
    LUGE_CHECK(ValueError, std::none_of(columns_.begin(), column, is_same), "sweep: there are two hyperparameters '{}'",
               column->name);
    LUGE_CHECK(ValueError, static_cast<std::int64_t>(column->values.size()) == sets_,
               "sweep: '{}' has {} values and '{}' has {}; each has one for every set", column->name,
               column->values.size(), columns_[0].name, sets_);
    const auto bad =
        std::find_if(column->values.begin(), column->values.end(), [](double v) { return !std::isfinite(v); });
    LUGE_CHECK(ValueError, bad == column->values.end(), "sweep: value {} of '{}' is {}; values must be finite",
               bad - column->values.begin(), column->name, *bad);
  }
}

std::vector<std::string> Settings::names() const {
  std::vector<std::string> result;
  for (const Column& column : columns_) result.push_back(column.name);
  return result;
}

const Column& Settings::column(std::string_view name) const {
  const auto found = std::find_if(columns_.begin(), columns_.end(), [&](const Column& c) { return c.name == name; });
  LUGE_CHECK(ValueError, found != columns_.end(), "Settings: there is no hyperparameter '{}'; there are: {}", name,
             fmt::join(names(), ", "));
  return *found;
}

Tensor Settings::operator[](std::string_view name) const { return from_host(column(name).values, {sets_}); }

}  // namespace luge::sweep
