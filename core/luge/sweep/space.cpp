#include <luge/sweep/space.h>

#include <algorithm>
#include <cmath>

#include <luge/base/detail/check.h>
#include <luge/math/random.h>
#include <luge/sweep/detail/names.h>

namespace luge::sweep {

namespace {

constexpr std::int64_t kMostSets = 100'000'000;
/// Integers up to here are exact in float64.
constexpr std::int64_t kExact = std::int64_t{1} << 53;
/// A grid whose values span more than this factor is drawn on a logarithmic axis.
constexpr double kWideSpan = 30;
constexpr int kBases[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29};

void check_ends(const char* op, double low, double high) {
  LUGE_CHECK(ValueError, std::isfinite(low) && std::isfinite(high) && low <= high,
             "{}: low is {} and high is {}; both must be finite and low at most high", op, low, high);
}

void check_count(const char* op, std::int64_t count) {
  LUGE_CHECK(ValueError, count >= 1 && count <= kMostSets, "{}: count is {}; it must be from 1 to {}", op, count,
             kMostSets);
}

/// The i-th of `count` parts of the way.
double part(std::int64_t i, std::int64_t count) {
  return count > 1 ? static_cast<double>(i) / static_cast<double>(count - 1) : 0;
}

/// The stream of a name: FNV-1a, with the highest of the 40 bits set, so that it is none of those that parameters count
/// up from 0.
std::uint64_t stream_of(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  constexpr int kBits = 39;
  return std::uint64_t{1} << kBits | (hash & ((std::uint64_t{1} << kBits) - 1));
}

double draw(std::uint64_t seed, std::string_view name, std::int64_t setting, std::uint64_t element) {
  return math::scalar::uniform_double(
      math::scalar::random_word(seed, stream_of(name), static_cast<std::uint64_t>(setting), element));
}

/// The digits of i in a base, mirrored at the point (van der Corput 1935).
double radical_inverse(std::int64_t i, int base) {
  double result = 0, place = 1;
  for (; i > 0; i /= base) result += static_cast<double>(i % base) * (place /= base);
  return result;
}

bool spans_widely(const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return *low > 0 && *high > kWideSpan * *low;
}

}  // namespace

Distribution choice(std::vector<double> values) {
  LUGE_CHECK(ValueError, !values.empty(), "sweep.choice: there is no value to choose");
  for (const double value : values)
    LUGE_CHECK(ValueError, std::isfinite(value), "sweep.choice: a value is {}; values must be finite", value);
  return {Distribution::Kind::Choice, std::move(values)};
}

Distribution uniform(double low, double high) {
  check_ends("sweep.uniform", low, high);
  return {Distribution::Kind::Uniform, {low, high}};
}

Distribution log_uniform(double low, double high) {
  LUGE_CHECK(ValueError, std::isfinite(low) && std::isfinite(high) && low > 0 && low <= high,
             "sweep.log_uniform: low is {} and high is {}; both must be positive and finite, and low at most high", low,
             high);
  return {Distribution::Kind::LogUniform, {low, high}};
}

Distribution integers(std::int64_t low, std::int64_t high) {
  LUGE_CHECK(ValueError, low < high,
             "sweep.integers: low is {} and high is {}; there is no number from low to high - 1", low, high);
  LUGE_CHECK(ValueError, low >= -kExact && high <= kExact,
             "sweep.integers: low is {} and high is {}; both must be within 2^53", low, high);
  return {Distribution::Kind::Integers, {static_cast<double>(low), static_cast<double>(high)}};
}

double Distribution::quantile(double u) const {
  LUGE_CHECK(ValueError, u >= 0 && u < 1, "Distribution.quantile: u is {}; it must be at least 0 and less than 1", u);
  const double low = values_.front(), high = values_.back();
  switch (kind_) {
    case Kind::Choice: {
      const auto count = static_cast<double>(values_.size());
      return values_[static_cast<std::size_t>(std::min(std::floor(u * count), count - 1))];
    }
    case Kind::Uniform: return std::lerp(low, high, u);
    case Kind::LogUniform: return std::clamp(std::exp(std::lerp(std::log(low), std::log(high), u)), low, high);
    case Kind::Integers: break;
  }
  return std::min(low + std::floor(u * (high - low)), high - 1);
}

std::string Distribution::text() const {
  switch (kind_) {
    case Kind::Choice: return fmt::format("choice({})", fmt::join(values_, ", "));
    case Kind::Uniform: return fmt::format("uniform({}, {})", values_[0], values_[1]);
    case Kind::LogUniform: return fmt::format("log_uniform({}, {})", values_[0], values_[1]);
    case Kind::Integers: break;
  }
  return fmt::format("integers({}, {})", values_[0], values_[1]);
}

std::vector<double> linspace(double first, double last, std::int64_t count) {
  constexpr const char* kOp = "sweep.linspace";
  check_count(kOp, count);
  LUGE_CHECK(ValueError, std::isfinite(first) && std::isfinite(last), "{}: the ends are {} and {}; both must be finite",
             kOp, first, last);
  std::vector<double> result;
  for (std::int64_t i = 0; i < count; ++i) result.push_back(std::lerp(first, last, part(i, count)));
  return result;
}

std::vector<double> geomspace(double first, double last, std::int64_t count) {
  constexpr const char* kOp = "sweep.geomspace";
  check_count(kOp, count);
  LUGE_CHECK(ValueError, std::isfinite(first) && std::isfinite(last) && first > 0 && last > 0,
             "{}: the ends are {} and {}; both must be positive and finite", kOp, first, last);
  std::vector<double> result;
  for (std::int64_t i = 0; i < count; ++i)
    result.push_back(std::exp(std::lerp(std::log(first), std::log(last), part(i, count))));
  result.front() = first;  // the ends themselves, which the logarithm rounds
  if (count > 1) result.back() = last;
  return result;
}

Settings grid(const std::vector<std::pair<std::string, std::vector<double>>>& lists, GridOptions options) {
  const Operation operation("sweep.grid");
  LUGE_CHECK(ValueError, options.seeds >= 1 && options.seeds <= kMostSets, "grid: seeds is {}; it must be from 1 to {}",
             options.seeds, kMostSets);
  std::int64_t sets = options.seeds;
  for (const auto& [name, values] : lists) {
    check_name(name);
    LUGE_CHECK(ValueError, !values.empty(), "grid: '{}' has no value", name);
    const auto count = static_cast<std::int64_t>(values.size());
    LUGE_CHECK(ValueError, count <= kMostSets / sets, "grid: with '{}' there are more than {} sets", name, kMostSets);
    sets *= count;
  }
  std::vector<Column> columns;
  std::int64_t repeats = sets;  // sets in a row that have the same value
  for (const auto& [name, values] : lists) {
    const auto count = static_cast<std::int64_t>(values.size());
    repeats /= count;
    Column column{.name = name,
                  .values = std::vector<double>(static_cast<std::size_t>(sets)),
                  .logarithmic = spans_widely(values),
                  .space = count == 1 ? fmt::format("{}", values[0]) : fmt::format("{} values", count)};
    for (std::int64_t set = 0; set < sets; ++set)
      column.values[static_cast<std::size_t>(set)] = values[static_cast<std::size_t>(set / repeats % count)];
    columns.push_back(std::move(column));
  }
  return Settings(std::move(columns), options.seeds);
}

Settings space(const std::vector<std::pair<std::string, Distribution>>& distributions, SpaceOptions options) {
  const Operation operation("sweep.space");
  const auto [sets, seed, seeds, first_set, draws] = options;
  LUGE_CHECK(ValueError, sets >= 1 && sets <= kMostSets, "space: sets is {}; it must be from 1 to {}", sets, kMostSets);
  LUGE_CHECK(ValueError, seeds >= 1, "space: seeds is {}; it must be 1 or more", seeds);
  LUGE_CHECK(ValueError, sets % seeds == 0, "space: sets is {} and seeds is {}; sets must be a multiple of seeds", sets,
             seeds);
  constexpr std::int64_t kMostFirst = std::int64_t{1} << 39;
  LUGE_CHECK(ValueError, first_set >= 0 && first_set < kMostFirst && first_set % seeds == 0,
             "space: first_set is {}; it must be a multiple of seeds, {}, from 0 to 2^39", first_set, seeds);
  LUGE_CHECK(ValueError, draws == Draws::Random || distributions.size() <= std::size(kBases),
             "space: there are {} hyperparameters; Halton's sequence is for up to {}", distributions.size(),
             std::size(kBases));
  std::vector<Column> columns;
  for (const auto& [name, distribution] : distributions) {
    check_name(name);
    Column column{.name = name, .values = {}, .logarithmic = distribution.logarithmic(), .space = distribution.text()};
    const int base = draws == Draws::Halton ? kBases[columns.size()] : 0;
    for (std::int64_t set = 0; set < sets; ++set) {
      const std::int64_t setting = (first_set + set) / seeds;
      double u = 0;
      if (draws == Draws::Random) {
        u = draw(seed, name, setting, 0);
      } else {
        u = radical_inverse(setting, base) + draw(seed, name, 0, 1);
        u -= std::floor(u);
      }
      column.values.push_back(distribution.quantile(u));
    }
    columns.push_back(std::move(column));
  }
  return Settings(std::move(columns), seeds);
}

}  // namespace luge::sweep
