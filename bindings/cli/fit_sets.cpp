// Fits the sets of luge fit, some at a time.

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include <luge/autograd/grad_mode.h>
#include <luge/base/memory.h>
#include <luge/ops/create.h>
#include <luge/ops/join.h>
#include <luge/report/table.h>
#include <luge/seam/backend.h>
#include <luge/train/detail/progress.h>

#include "fit.h"
#include "interruption.h"
#include "timing.h"

namespace luge::cli {
namespace {

/// Sets of the first call; calls grow until one takes so many seconds, so that the line moves and Ctrl-C is seen.
constexpr std::int64_t kFirstSets = 256;
constexpr double kCallSeconds = 0.1;
/// Numbers of one array of a call, at most.
constexpr std::int64_t kMostNumbers = std::int64_t{1} << 24;
/// From so many points on a backend may sum a set in another order (kernels/cpu/fit): nothing is added up to there.
constexpr std::int64_t kLongSet = 512;

bool is_even(const FitData& data) {
  for (std::int64_t set = 1; set < data.sets(); ++set)
    if (data.points(set) != data.points(0)) return false;
  return true;
}

/// The points that a set gets, those that are added masked. It depends on the set's own number alone: so do its bits.
std::int64_t width_of(std::int64_t points, bool even, std::int64_t parameters) {
  if (!even) {
    const std::int64_t step =
        std::max<std::int64_t>(1, static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(points))) / 16);
    const std::int64_t whole = (points + step - 1) / step * step;
    points = points < kLongSet ? std::min(whole, kLongSet - 1) : whole;
  }
  return std::max(points, parameters);
}

class Fitter {
 public:
  Fitter(const FitArguments& arguments, const FitProblem& problem, const FitData& data, const Common& common,
         bool keeps_covariance)
      : problem_(problem),
        data_(data),
        device_(common.device),
        dtype_(arguments.float32 ? float32 : float64),
        parameters_(static_cast<std::int64_t>(problem.start.size())),
        keeps_covariance_(keeps_covariance) {
    options_.loss = arguments.loss;
    options_.f_scale = arguments.f_scale;
    options_.method = arguments.method;
    options_.max_steps = arguments.max_steps;
    options_.absolute_sigma = arguments.absolute_sigma;
    options_.starts = arguments.starts;
    options_.seed = common.seed;
    const Shape shape{parameters_};
    start_ = from_host(problem.start, shape, device_);
    const auto none = [](double bound) { return std::isinf(bound); };
    if (!std::all_of(problem.lower.begin(), problem.lower.end(), none))
      options_.lower = from_host(problem.lower, shape, device_);
    if (!std::all_of(problem.upper.begin(), problem.upper.end(), none))
      options_.upper = from_host(problem.upper, shape, device_);
    const std::vector<std::uint8_t> fixed(problem.fixed.begin(), problem.fixed.end());
    if (std::count(fixed.begin(), fixed.end(), 1) > 0) options_.fixed = from_host(fixed, shape, device_).to(boolean);
    const auto sets = static_cast<std::size_t>(data.sets()), numbers = sets * problem.start.size();
    table_.parameters.resize(numbers);
    table_.errors.resize(numbers);
    table_.active.resize(numbers);
    if (keeps_covariance) table_.covariance.resize(numbers * problem.start.size());
    table_.status.resize(sets);
    table_.steps.resize(sets);
    table_.start.resize(sets);
    table_.agreement.resize(sets);
    table_.chi2.resize(sets);
    table_.reduced_chi2.resize(sets);
    table_.r2.resize(sets);
    table_.observations.resize(sets);
  }

  /// Fits sets that get the same number of points.
  void fit(const std::int64_t* sets, std::int64_t count, std::int64_t width) {
    fit::FitOptions options = options_;
    const Tensor y = of_sets(data_.y, sets, count, width);
    if (data_.has_sigma()) {
      options.sigma =
          data_.sigma.is_shared ? shared(data_.sigma, width, 1) : of_sets(data_.sigma, sets, count, width, 1);
    }
    Tensor x;
    if (!data_.x.empty()) x = predictors(sets, count, width);
    const Tensor seen = mask(sets, count, width);
    if (seen.defined()) options.mask = seen;
    keep(fit::curve_fit(problem_.model, x, y, start_, options), sets, count);
    table_.done += count;
  }

  FitTable take() { return std::move(table_); }
  std::int64_t done() const { return table_.done; }

 private:
  std::int64_t first(std::int64_t set) const { return data_.first[static_cast<std::size_t>(set)]; }

  /// (sets, width), with `rest` behind the points of a set.
  Tensor of_sets(const Series& series, const std::int64_t* sets, std::int64_t count, std::int64_t width,
                 double rest = 0) const {
    std::vector<double> values(static_cast<std::size_t>(count * width), rest);
    for (std::int64_t s = 0; s < count; ++s)
      for (std::int64_t i = 0; i < data_.points(sets[s]); ++i)
        values[static_cast<std::size_t>(s * width + i)] = series.at(first(sets[s]), i);
    return on_device(values, {count, width});
  }
  /// (width), the same for all sets.
  Tensor shared(const Series& series, std::int64_t width, double rest = 0) const {
    std::vector<double> values = series.values;
    values.resize(static_cast<std::size_t>(width), rest);
    return on_device(values, {width});
  }
  Tensor on_device(const std::vector<double>& values, const Shape& shape) const {
    return from_host(values, shape).to(dtype_).to(device_);
  }

  Tensor predictors(const std::int64_t* sets, std::int64_t count, std::int64_t width) const {
    const bool all_shared =
        std::all_of(data_.x.begin(), data_.x.end(), [](const Series& series) { return series.is_shared; });
    std::vector<Tensor> rows;
    for (const Series& series : data_.x)
      rows.push_back(all_shared ? shared(series, width) : of_sets(series, sets, count, width));
    if (rows.size() == 1) return rows[0];
    return stack(rows, 0);
  }

  /// What was observed; undefined: all of it.
  Tensor mask(const std::int64_t* sets, std::int64_t count, std::int64_t width) const {
    std::vector<std::uint8_t> seen(static_cast<std::size_t>(count * width));
    bool is_whole = true;
    for (std::int64_t s = 0; s < count; ++s)
      for (std::int64_t i = 0; i < width; ++i) {
        const bool is_seen = i < data_.points(sets[s]) && !data_.is_missing(sets[s], i);
        seen[static_cast<std::size_t>(s * width + i)] = is_seen;
        is_whole = is_whole && is_seen;
      }
    return is_whole ? Tensor() : from_host(seen, {count, width}, device_).to(boolean);
  }

  /// Numbers of sets to their places.
  template <class T>
  void place(const Tensor& from, std::vector<T>& to, const std::int64_t* sets, std::int64_t count) const {
    const std::vector<T> values = from.to_vector<T>();
    const std::int64_t each = static_cast<std::int64_t>(values.size()) / count;
    for (std::int64_t s = 0; s < count; ++s) std::copy_n(values.begin() + s * each, each, to.begin() + sets[s] * each);
  }
  void keep(const fit::FitResult& result, const std::int64_t* sets, std::int64_t count) {
    place(result.parameters, table_.parameters, sets, count);
    place(result.standard_errors, table_.errors, sets, count);
    place(result.active, table_.active, sets, count);
    if (keeps_covariance_) place(result.covariance, table_.covariance, sets, count);
    place(result.status, table_.status, sets, count);
    place(result.steps, table_.steps, sets, count);
    place(result.start, table_.start, sets, count);
    place(result.agreement, table_.agreement, sets, count);
    place(result.chi2, table_.chi2, sets, count);
    place(result.reduced_chi2, table_.reduced_chi2, sets, count);
    place(result.r2, table_.r2, sets, count);
    place(result.observations, table_.observations, sets, count);
  }

  const FitProblem& problem_;
  const FitData& data_;
  Device device_;
  DType dtype_;
  std::int64_t parameters_;
  bool keeps_covariance_;
  fit::FitOptions options_;
  Tensor start_;
  FitTable table_;
};

}  // namespace

FitTable fit_sets(const FitArguments& arguments, const FitProblem& problem, const FitData& data, const Common& common) {
  const NoGrad no_grad;
  const auto parameters = static_cast<std::int64_t>(problem.start.size());
  const bool even = is_even(data);
  const auto width = [&](std::int64_t set) { return width_of(data.points(set), even, parameters); };
  std::vector<std::int64_t> order(static_cast<std::size_t>(data.sets()));
  std::iota(order.begin(), order.end(), 0);
  if (!even)
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) { return width(a) < width(b); });

  Fitter fitter(arguments, problem, data, common, common.json);
  const Interruption interruption;
  fmt::print(stderr, "fitting {} set{}\n", report::grouped(data.sets()), data.sets() == 1 ? "" : "s");
  Progress progress(true);
  const Stopwatch watch;
  std::int64_t at_once = std::max<std::int64_t>(1, kFirstSets / arguments.starts);
  // Data of a call, eight bytes a number, take an eighth of the memory at most.
  const std::int64_t most_numbers = std::min(kMostNumbers, static_cast<std::int64_t>(memory_limit() / 64));
  while (fitter.done() < data.sets() && !Interruption::is_requested()) {
    const std::int64_t* const sets = order.data() + fitter.done();
    const std::int64_t points = width(sets[0]), most = std::max<std::int64_t>(1, most_numbers / points);
    std::int64_t count = std::min({at_once, most, data.sets() - fitter.done()});
    while (width(sets[count - 1]) != points) --count;
    const Stopwatch call;
    fitter.fit(sets, count, points);
    if (count == at_once && call.seconds() < kCallSeconds) at_once *= 2;
    if (progress.due(watch.seconds()) && fitter.done() < data.sets())
      progress.draw({.step = fitter.done(), .total = data.sets(), .seconds = watch.seconds(), .unit = "sets"});
  }
  if (progress.open())
    progress.draw({.step = fitter.done(), .total = data.sets(), .seconds = watch.seconds(), .unit = "sets"});
  progress.finish();
  FitTable table = fitter.take();
  table.seconds = watch.seconds();
  return table;
}

}  // namespace luge::cli
