#include <luge/fit/curve_fit.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/base/threads.h>
#include <luge/fit/detail/problem.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/index.h>
#include <luge/ops/join.h>
#include <luge/seam/backend.h>
#include <luge/seam/detail/fit_model.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/storage.h>

namespace luge::fit {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Operand strided(const Tensor& tensor) {
  Operand result;
  if (!tensor.defined()) return result;
  result = operand(tensor);
  for (int d = 0; d < tensor.ndim(); ++d) result.strides[static_cast<std::size_t>(d)] = tensor.impl()->strides[d];
  return result;
}

/// What has a row for each set.
constexpr Tensor FitResult::*kRows[] = {&FitResult::parameters, &FitResult::covariance,   &FitResult::standard_errors,
                                        &FitResult::status,     &FitResult::steps,        &FitResult::cost,
                                        &FitResult::optimality, &FitResult::chi2,         &FitResult::reduced_chi2,
                                        &FitResult::r2,         &FitResult::aic,          &FitResult::condition,
                                        &FitResult::active,     &FitResult::observations, &FitResult::start,
                                        &FitResult::agreement};

/// What a search ends with, of each of its fits.
struct Search {
  Tensor parameters, cost, optimality, steps, status;
  Tensor sums;  ///< LeastSquares::sums; undefined: not asked for
};

/// Of each set.
struct Spread {
  Tensor count;    ///< observations that count
  Tensor scatter;  ///< the sum of weighted squares of what they are from their mean
};

/// `given`: weights; may be undefined.
Spread spread_of(const Tensor& y, const Tensor& given) {
  const Tensor observed = y.to(DType::Float64);
  if (!given.defined()) {
    const Tensor apart = observed - observed.mean({1, 2}, true);
    const auto all = static_cast<double>(y.shape()[1] * y.shape()[2]);
    return {full({y.shape()[0]}, all, {.dtype = DType::Float64, .device = y.device()}), (apart * apart).sum({1, 2})};
  }
  const Tensor weight = given.to(DType::Float64), square = weight * weight, counts = weight != 0.0;
  const Tensor seen = where(counts, observed, Scalar(0.0));
  const Tensor mean = (square * seen).sum({1, 2}, true) / square.sum({1, 2}, true);
  return {counts.to(DType::Float64).sum({1, 2}), (square * (seen - mean) * (seen - mean)).sum({1, 2})};
}
/// So many sets together.
Spread spread_of(const Piece& piece, std::int64_t together) {
  if (observer || piece.sets <= together) return spread_of(piece.y, piece.weight);
  std::vector<Tensor> counts, scatters;
  for (std::int64_t set = 0; set < piece.sets; set += together) {
    const std::int64_t end = std::min(set + together, piece.sets);
    Spread part =
        spread_of(piece.y.slice(0, set, end), piece.weight.defined() ? piece.weight.slice(0, set, end) : piece.weight);
    counts.push_back(std::move(part.count));
    scatters.push_back(std::move(part.scatter));
  }
  return {cat(counts), cat(scatters)};
}

/// One fit of some sets.
class Fitting {
 public:
  Fitting(const Model& model, const Problem& problem, const FitOptions& options, Backend& backend)
      : model_(model), problem_(problem), options_(options), backend_(backend) {}

  /// Sets from `begin` to `end`; evaluations are added to `evaluations`.
  FitResult run(std::int64_t begin, std::int64_t end, Tensor& evaluations) const {
    const Piece piece = piece_of(problem_, begin, end);
    FitResult result;
    Search found;
    if (problem_.starts == 1) {
      found = search(piece);
      evaluations.add_(found.steps.sum());
      result.start = made({piece.sets}, DType::Int32).zero_();
      result.agreement = (found.status > 0).to(DType::Int32);
    } else {
      const Search all = search(with_all_starts(problem_, piece));
      evaluations.add_(all.steps.sum());
      found = best_of(all, piece, result);
    }
    result.parameters = std::move(found.parameters);
    result.cost = std::move(found.cost);
    result.optimality = std::move(found.optimality);
    result.steps = std::move(found.steps);
    result.status = std::move(found.status);
    measure(piece, found.sums, result);
    return result;
  }

 private:
  Tensor made(const Shape& shape, DType dtype) const {
    return empty(shape, {.dtype = dtype, .device = problem_.device()});
  }

  Observations observations(const Piece& piece, const Tensor& parameters) const {
    Observations of;
    of.model = model_.compiled(problem_.dtype);
    of.loss = problem_.loss;
    of.loss_scale = options_.f_scale;
    of.sets = piece.sets;
    of.points = problem_.points;
    of.x = strided(piece.x);
    of.y = strided(piece.y);
    of.weight = strided(piece.weight);
    of.lower = strided(piece.lower);
    of.upper = strided(piece.upper);
    of.parameters = strided(parameters);
    return of;
  }

  Search search(const Piece& piece) const {
    Search found{piece.start,
                 made({piece.sets}, DType::Float64),
                 made({piece.sets}, DType::Float64),
                 made({piece.sets}, DType::Int32),
                 made({piece.sets}, DType::Int32),
                 {}};
    if (problem_.keeps_sums()) found.sums = made({problem_.sums(), piece.sets}, DType::Float64);
    LeastSquares call;
    call.of = observations(piece, found.parameters);
    call.method = problem_.method;
    call.max_steps = problem_.max_steps;
    call.ftol = options_.ftol;
    call.xtol = options_.xtol;
    call.gtol = options_.gtol;
    call.cost = strided(found.cost);
    call.optimality = strided(found.optimality);
    call.steps = strided(found.steps);
    call.status = strided(found.status);
    call.sums = strided(found.sums);
    if (piece.sets > 0) backend_.run(call);
    return found;
  }

  /// Of every set the start that converged to the least cost; where none did, the one of the least cost.
  Search best_of(const Search& all, const Piece& piece, FitResult& result) const {
    const std::int64_t sets = piece.sets, starts = problem_.starts;
    const Tensor infinite = full({}, kInfinity, {.dtype = DType::Float64, .device = problem_.device()});
    const Tensor cost = all.cost.view({sets, starts}), converged = all.status.view({sets, starts}) > 0;
    const Tensor finite = where(isfinite(cost), cost, infinite), low = where(converged, finite, infinite);
    const Tensor start = where(converged.to(DType::Int32).sum({1}, true) > 0, low, finite).argmin({1});
    const Tensor at = arange(sets, {.dtype = DType::Int64, .device = problem_.device()}) * starts + start;
    Search best{all.parameters.index_select(0, at), all.cost.index_select(0, at),
                all.optimality.index_select(0, at), all.steps.index_select(0, at),
                all.status.index_select(0, at),     all.sums.defined() ? all.sums.index_select(1, at) : Tensor()};
    // What rounding and the tolerance leave of a cost, and of one that is 0.
    const double epsilon = problem_.dtype == DType::Float32 ? 0x1p-23 : 0x1p-52;
    const Tensor rounding = squares(piece) * (16 * epsilon * epsilon);
    const Tensor most = best.cost * (1 + std::max(std::sqrt(epsilon), options_.ftol)) + rounding;
    result.start = start.to(DType::Int32);
    result.agreement = logical_and(converged, cost <= most.unsqueeze(1)).to(DType::Int32).sum({1}).to(DType::Int32);
    return best;
  }

  /// The sum of squares of each set's weighted observations.
  Tensor squares(const Piece& piece) const {
    const Tensor observed = piece.y.to(DType::Float64);
    if (!piece.weight.defined()) return observed.square().sum({1, 2});
    return where(piece.weight != 0.0, observed * piece.weight.to(DType::Float64), Scalar(0.0)).square().sum({1, 2});
  }

  /// The covariance, and what is known of each set by formulas.
  void measure(const Piece& piece, const Tensor& sums, FitResult& result) const {
    const std::int64_t sets = piece.sets, parameters = problem_.parameters;
    result.covariance = made({sets, parameters, parameters}, DType::Float64);
    result.condition = made({sets}, DType::Float64);
    result.chi2 = made({sets}, DType::Float64);
    const Tensor free = made({sets}, DType::Int32), rank = made({sets}, DType::Int32);
    Covariance last;
    last.of = observations(piece, result.parameters);
    last.sums = strided(sums);
    last.covariance = strided(result.covariance);
    last.condition = strided(result.condition);
    last.chi2 = strided(result.chi2);
    last.free = strided(free);
    last.rank = strided(rank);
    if (sets > 0) backend_.run(last);

    const auto [count, scatter] = spread_of(piece, spread_at_once(problem_));
    const Tensor left = count - free.to(DType::Float64);
    const Tensor infinite = full({}, kInfinity, {.dtype = DType::Float64, .device = piece.y.device()});
    const Tensor missing = full({}, std::nan(""), {.dtype = DType::Float64, .device = piece.y.device()});
    const Tensor has_data = result.status != static_cast<std::int64_t>(FitStatus::BadData);
    result.chi2 = where(has_data, result.chi2, missing);
    result.reduced_chi2 = where(left > 0.0, result.chi2 / left, infinite);
    const bool robust = problem_.loss != FitLoss::Linear && problem_.loss != FitLoss::Poisson;
    const Tensor any_left = (left > 0.0).unsqueeze(-1).unsqueeze(-1);
    if (robust) {
      const Tensor sandwich = where(any_left, result.covariance * (count / left).unsqueeze(-1).unsqueeze(-1), infinite);
      // Residuals that are all rejected or all 0 say nothing of errors.
      result.covariance = where(sandwich == 0.0, infinite, sandwich);
    }
    if (problem_.loss == FitLoss::Linear && !options_.absolute_sigma)
      result.covariance =
          where(any_left, result.covariance * result.reduced_chi2.unsqueeze(-1).unsqueeze(-1), infinite);
    result.covariance = where(has_data.unsqueeze(-1).unsqueeze(-1), result.covariance, missing);
    result.standard_errors =
        result.covariance.view({sets, parameters * parameters}).slice(1, 0, {}, parameters + 1).sqrt();
    result.aic = count * (result.chi2 / count).log() + 2.0 * free.to(DType::Float64);
    result.r2 = 1.0 - result.chi2 / scatter;
    const Tensor is_singular = logical_and(result.status > 0, rank < free);
    const auto code = [](FitStatus status) { return Scalar(static_cast<std::int64_t>(status)); };
    // Products of columns have twice their digits: beyond this, float64 has lost the last of them.
    constexpr double kMostCondition = 1e7;
    const Tensor is_alike = logical_and(result.status > 0, result.condition > kMostCondition);
    result.status = where(is_alike, code(kIllConditioned), result.status.to(DType::Int64));
    result.status = where(is_singular, code(FitStatus::Singular), result.status).to(DType::Int32);
    result.active = made({sets, parameters}, DType::Int32).zero_();
    if (piece.lower.defined())
      result.active =
          (result.parameters == piece.upper).to(DType::Int32) - (result.parameters == piece.lower).to(DType::Int32);
    result.observations = count.to(DType::Int64);
  }

  const Model& model_;
  const Problem& problem_;
  const FitOptions& options_;
  Backend& backend_;
};

/// Sets at a time, so that a caller who watches hears of them about every quarter of a second.
class Pace {
 public:
  Pace(const Problem& problem, const FitModel& model, std::int64_t most) : most_(most) {
    // From 512 points on a CPU gives all lanes to one fit, else sixteen go side by side.
    const bool on_cpu = problem.device().is_cpu();
    least_ = on_cpu ? num_threads() * (problem.points < 512 ? 16 : 1) : 1024;
    const double each = static_cast<double>(problem.points * problem.starts) *
                        static_cast<double>(model.formulas.links.size() + model.derivatives.size() + 8);
    take((on_cpu ? 1e8 : 1e10) / (each * static_cast<double>(problem.usual_steps)));
  }
  std::int64_t sets() const { return sets_; }
  void took(double seconds) {
    take(static_cast<double>(sets_) * std::clamp(kSeconds / std::max(seconds, 1e-9), 0.1, 8.0));
  }

 private:
  static constexpr double kSeconds = 0.25;

  void take(double sets) {
    const auto whole = static_cast<std::int64_t>(std::min(sets, static_cast<double>(most_)));
    sets_ = std::clamp<std::int64_t>(whole / least_ * least_, std::min(least_, most_), most_);
  }

  std::int64_t most_, least_ = 1, sets_ = 1;
};

}  // namespace

std::string_view text_of(FitStatus status) {
  if (status == kIllConditioned)
    return "ill-conditioned: parameters are so alike that float64 cannot tell them apart; take x from its mean";
  switch (status) {
    case FitStatus::MaxSteps: return "not converged: the most steps were taken";
    case FitStatus::Gradient: return "converged: no parameter makes the residuals shorter";
    case FitStatus::Cost: return "converged: the cost no longer falls";
    case FitStatus::Step: return "converged: the parameters no longer move";
    case FitStatus::Precision: return "precision: rounding hides what steps change";
    case FitStatus::Stalled: return "stalled: no step makes the cost smaller";
    case FitStatus::Diverged: return "failed: the model or a derivative of it is not finite at the start";
    case FitStatus::Singular: return "singular: the observations do not determine all parameters";
    case FitStatus::BadData: return "bad data: an observation is not finite, or there are fewer than parameters";
    case FitStatus::Running: break;
  }
  return "unknown";
}

FitResult curve_fit(const Model& model, const Tensor& x, const Tensor& y, const Tensor& p0, const FitOptions& options) {
  constexpr const char* op = "curve_fit";
  const Operation called(op);
  const NoGrad no_grad;
  const Problem problem = problem_of(op, model, x, y, p0, options);
  const std::int64_t sets = problem.sets;
  const bool is_watched = options.progress && !observer;
  // A step that is being recorded keeps its calls: what is free now says nothing of later.
  const std::int64_t most = options.chunk > 0 ? std::min(options.chunk, std::max<std::int64_t>(sets, 1))
                            : observer        ? std::max<std::int64_t>(sets, 1)
                                              : most_at_once(problem, 0);
  check_deviations(op, problem, most);

  using Clock = std::chrono::steady_clock;
  const auto seconds_since = [](Clock::time_point begun) {
    return std::chrono::duration<double>(Clock::now() - begun).count();
  };
  const Clock::time_point begun = Clock::now();
  Backend& device = problem.start.storage()->backend();
  const Fitting fitting(model, problem, options, device);
  Pace pace(problem, *model.compiled(problem.dtype), most);
  FitResult result;
  result.names = model.parameters();
  result.evaluations = zeros({}, {.dtype = DType::Int64, .device = problem.device()});
  FitReceipt& receipt = result.taken;
  for (std::int64_t begin = 0; begin < sets || receipt.chunks == 0;) {
    const std::int64_t at_once = is_watched && options.chunk == 0 ? pace.sets() : most;
    const std::int64_t end = std::min(sets, begin + at_once);
    const Clock::time_point started = Clock::now();
    FitResult part = fitting.run(begin, end, result.evaluations);
    for (Tensor FitResult::*const row : kRows) {
      Tensor& all = result.*row;
      if (end - begin == sets) {
        all = std::move(part.*row);
        continue;
      }
      if (begin == 0) {
        Shape shape = (part.*row).shape();
        shape[0] = sets;
        all = empty(shape, {.dtype = (part.*row).dtype(), .device = problem.device()});
      }
      all.slice(0, begin, end).copy_(part.*row);
    }
    receipt.chunk = std::max(receipt.chunk, end - begin);
    ++receipt.chunks;
    begin = end;
    if (!is_watched) continue;
    device.synchronize();
    pace.took(seconds_since(started));
    options.progress(begin, sets);
  }
  if (!observer) device.synchronize();
  receipt.sets = sets;
  receipt.starts = problem.starts;
  receipt.seconds = seconds_since(begun);
  receipt.bytes = planned_bytes(problem, receipt.chunk);
  if (!problem.has_sets)
    for (Tensor FitResult::*const row : kRows) result.*row = (result.*row).squeeze(0);
  return result;
}

FitReceipt FitResult::receipt() const {
  FitReceipt receipt = taken;
  receipt.evaluations = evaluations.item<std::int64_t>();
  return receipt;
}

}  // namespace luge::fit
