#include <luge/fit/curve_fit.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/math/covariance.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/join.h>
#include <luge/seam/backend.h>
#include <luge/seam/detail/fit_model.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/storage.h>

namespace luge::fit {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr const char* kOp = "curve_fit";

constexpr std::pair<std::string_view, FitLoss> kLosses[] = {{"linear", FitLoss::Linear}, {"soft_l1", FitLoss::SoftL1},
                                                            {"huber", FitLoss::Huber},   {"cauchy", FitLoss::Cauchy},
                                                            {"tukey", FitLoss::Tukey},   {"poisson", FitLoss::Poisson}};

FitLoss loss_named(std::string_view name) {
  for (const auto& [known, loss] : kLosses)
    if (known == name) return loss;
  raise<ValueError>("{}: loss is '{}'; allowed are linear, soft_l1, huber, cauchy, tukey, poisson", kOp, name);
}

/// A problem as the backend takes it: every tensor with all of its dimensions, in memory that lives as long.
struct Problem {
  std::int64_t sets = 1, points = 0, parameters = 0, outputs = 1, predictors = 1;
  bool has_sets = false;
  DType dtype = DType::Float64;
  Tensor x, y, weight, lower, upper, start;
};

void check_real(const char* argument, const Tensor& tensor) {
  LUGE_CHECK(DTypeError, tensor.dtype() != DType::Bool, "{}: {} is bool; it must hold numbers", kOp, argument);
}

/// `tensor` with one dimension more in front if it has one less than all; whether it has sets goes to `has_sets`.
Tensor with_sets(const char* argument, const Tensor& tensor, int ndim, int front, std::string_view shapes,
                 bool& has_sets) {
  LUGE_CHECK(ShapeError, tensor.ndim() == ndim || tensor.ndim() == ndim - 1, "{}: {} has shape {}; allowed are {}", kOp,
             argument, to_string(tensor.shape()), shapes);
  if (tensor.ndim() == ndim) {
    has_sets = true;
    return tensor;
  }
  return tensor.unsqueeze(front);
}

class Setup {
 public:
  Setup(const Model& model, const Tensor& x, const Tensor& y, const Tensor& p0, const FitOptions& options)
      : model_(model), options_(options) {
    problem_.parameters = static_cast<std::int64_t>(model.parameters().size());
    problem_.predictors = static_cast<std::int64_t>(model.predictors().size());
    problem_.outputs = model.outputs();
    for (const auto& [argument, tensor] : {std::pair{"y", &y}, std::pair{"p0", &p0}}) {
      LUGE_CHECK(ValueError, tensor->defined(), "{}: {} is missing", kOp, argument);
      check_real(argument, *tensor);
    }
    LUGE_CHECK(ValueError, x.defined() == (problem_.predictors > 0), "{}: the model has {} predictors, and x is {}",
               kOp, problem_.predictors, x.defined() ? "given" : "missing");
    const DType given =
        x.defined() ? promote(arithmetic_dtype(x.dtype()), arithmetic_dtype(y.dtype())) : arithmetic_dtype(y.dtype());
    problem_.dtype = given == DType::Float32 ? DType::Float32 : DType::Float64;
    shape(x, y, p0);
    weigh();
    bound();
  }

  Problem take() { return std::move(problem_); }

 private:
  void same_device(const char* argument, const Tensor& tensor) const {
    LUGE_CHECK(DeviceError, tensor.device() == problem_.y.device(), "{}: {} is on {}, y on {}", kOp, argument,
               to_string(tensor.device()), to_string(problem_.y.device()));
  }
  void join_sets(const char* argument, std::int64_t sets) {
    LUGE_CHECK(ShapeError, sets == problem_.sets || sets == 1 || problem_.sets == 1,
               "{}: {} has {} sets, others have {}", kOp, argument, sets, problem_.sets);
    if (sets != 1) problem_.sets = sets;
  }

  void shape(const Tensor& x, const Tensor& y, const Tensor& p0) {
    const bool many = problem_.outputs > 1;
    problem_.y = y.detach();
    Tensor observed = with_sets("y", problem_.y.to(problem_.dtype), many ? 3 : 2, 0,
                                many ? "(outputs, points) and (sets, outputs, points)" : "(points,) and (sets, points)",
                                problem_.has_sets);
    if (!many) observed = observed.unsqueeze(1);
    LUGE_CHECK(ShapeError, observed.shape()[1] == problem_.outputs, "{}: y has shape {}; the model has {} outputs", kOp,
               to_string(y.shape()), problem_.outputs);
    problem_.points = observed.shape()[2];
    problem_.sets = observed.shape()[0];
    if (x.defined()) {
      check_real("x", x);
      same_device("x", x);
      const bool several = problem_.predictors > 1;
      Tensor predictors = x.detach().to(problem_.dtype);
      if (!several) predictors = predictors.unsqueeze(0);
      LUGE_CHECK(ShapeError, predictors.shape()[0] == problem_.predictors,
                 "{}: x has shape {}; the model has {} predictors ({})", kOp, to_string(x.shape()), problem_.predictors,
                 fmt::join(model_.predictors(), ", "));
      problem_.x =
          with_sets("x", predictors, 3, 1,
                    several ? "(predictors, points) and (predictors, sets, points)" : "(points,) and (sets, points)",
                    problem_.has_sets);
      LUGE_CHECK(ShapeError, problem_.x.shape()[2] == problem_.points, "{}: x has {} points, y has {}", kOp,
                 problem_.x.shape()[2], problem_.points);
      join_sets("x", problem_.x.shape()[1]);
    }
    same_device("p0", p0);
    const Tensor start = with_sets("p0", p0.detach().to(DType::Float64), 2, 0, "(parameters,) and (sets, parameters)",
                                   problem_.has_sets);
    LUGE_CHECK(ShapeError, start.shape()[1] == problem_.parameters,
               "{}: p0 has {} numbers; the model has {} parameters ({})", kOp, start.shape()[1], problem_.parameters,
               fmt::join(model_.parameters(), ", "));
    join_sets("p0", start.shape()[0]);
    LUGE_CHECK(ValueError, options_.fixed.defined() || problem_.points * problem_.outputs >= problem_.parameters,
               "{}: y has {} points, fewer than the {} parameters ({})", kOp, problem_.points * problem_.outputs,
               problem_.parameters, fmt::join(model_.parameters(), ", "));
    problem_.y = observed.expand({problem_.sets, problem_.outputs, problem_.points});
    if (problem_.x.defined()) problem_.x = problem_.x.expand({problem_.predictors, problem_.sets, problem_.points});
    problem_.start = start.expand({problem_.sets, problem_.parameters}).clone();
  }

  /// An argument that is broadcast to y.
  Tensor like_y(const char* argument, const Tensor& tensor) const {
    same_device(argument, tensor);
    Tensor given = tensor.detach();
    if (problem_.outputs == 1 && given.ndim() == 2) given = given.unsqueeze(1);
    const Shape& target = problem_.y.shape();
    const bool fits = given.ndim() <= 3 && [&] {
      for (int d = 1; d <= given.ndim(); ++d)
        if (given.shape()[given.ndim() - d] != 1 && given.shape()[given.ndim() - d] != target[3 - d]) return false;
      return true;
    }();
    LUGE_CHECK(ShapeError, fits, "{}: {} has shape {}, which cannot be that of y: {} sets of {} points", kOp, argument,
               to_string(tensor.shape()), problem_.sets, problem_.points);
    return given.expand(target);
  }

  /// Whether a deviation that counts is not positive.
  bool is_refused(const Tensor& sigma) const {
    Tensor wrong = sigma <= 0.0;
    if (options_.mask.defined()) wrong = logical_and(wrong, like_y("mask", options_.mask));
    return wrong.any().item<bool>();
  }

  void weigh() {
    if (options_.sigma.defined()) {
      check_real("sigma", options_.sigma);
      const Tensor sigma = like_y("sigma", options_.sigma).to(problem_.dtype);
      if (!observer && sigma.numel() > 0)
        LUGE_CHECK(ValueError, !is_refused(sigma), "{}: sigma has a value that is not positive", kOp);
      problem_.weight = Scalar(1.0) / sigma;
    }
    if (!options_.mask.defined()) return;
    LUGE_CHECK(DTypeError, options_.mask.dtype() == DType::Bool, "{}: mask is {}; it must be bool", kOp,
               name(options_.mask.dtype()));
    const Tensor mask = like_y("mask", options_.mask);
    const Tensor zero = full({}, 0.0, {.dtype = problem_.dtype, .device = problem_.y.device()});
    problem_.weight = problem_.weight.defined() ? where(mask, problem_.weight, zero) : mask.to(problem_.dtype);
  }

  Tensor like_parameters(const char* argument, const Tensor& tensor) const {
    same_device(argument, tensor);
    bool sets = false;
    const Tensor given = with_sets(argument, tensor.detach(), 2, 0, "(parameters,) and (sets, parameters)", sets);
    LUGE_CHECK(ShapeError,
               (given.shape()[0] == 1 || given.shape()[0] == problem_.sets) && given.shape()[1] == problem_.parameters,
               "{}: {} has shape {}; there are {} sets of {} parameters ({})", kOp, argument, to_string(tensor.shape()),
               problem_.sets, problem_.parameters, fmt::join(model_.parameters(), ", "));
    return given.expand({problem_.sets, problem_.parameters});
  }

  void bound() {
    const auto given = [&](const char* argument, const Tensor& tensor, double none) {
      if (tensor.defined()) return like_parameters(argument, tensor.to(DType::Float64));
      return full({}, none, {.dtype = DType::Float64, .device = problem_.y.device()})
          .expand({problem_.sets, problem_.parameters});
    };
    const bool holds = options_.fixed.defined();
    if (!observer)
      refuse_where(logical_not(isfinite(problem_.start)), "p0 has {} for {}; a start is finite", problem_.start,
                   problem_.start);
    if (!options_.lower.defined() && !options_.upper.defined() && !holds) return;
    problem_.lower = given("lower", options_.lower, -kInfinity);
    problem_.upper = given("upper", options_.upper, kInfinity);
    if (!observer) {
      refuse_where(logical_not(problem_.lower <= problem_.upper), "the lower bound {} of {} is not below the upper {}",
                   problem_.lower, problem_.upper);
      refuse_where(problem_.start < problem_.lower, "p0 has {} for {}, below its lower bound {}", problem_.start,
                   problem_.lower);
      refuse_where(problem_.start > problem_.upper, "p0 has {} for {}, above its upper bound {}", problem_.start,
                   problem_.upper);
    }
    if (!holds) return;
    LUGE_CHECK(DTypeError, options_.fixed.dtype() == DType::Bool, "{}: fixed is {}; it must be bool", kOp,
               name(options_.fixed.dtype()));
    const Tensor fixed = like_parameters("fixed", options_.fixed);
    problem_.lower = where(fixed, problem_.start, problem_.lower);
    problem_.upper = where(fixed, problem_.start, problem_.upper);
  }

  /// ValueError about the first place where `wrong` holds.
  void refuse_where(const Tensor& wrong, std::string_view format, const Tensor& first, const Tensor& second) const {
    if (!wrong.any().item<bool>()) return;
    const std::int64_t at = wrong.to(DType::Int32).argmax().item<std::int64_t>();
    const std::int64_t set = at / problem_.parameters, parameter = at % problem_.parameters;
    const double a = first[set][parameter].item<double>(), b = second[set][parameter].item<double>();
    const std::string& who = model_.parameters()[static_cast<std::size_t>(parameter)];
    const std::string what = fmt::format(fmt::runtime(format), a, who, b);
    if (problem_.has_sets) raise<ValueError>("{}: set {}: {}", kOp, set, what);
    raise<ValueError>("{}: {}", kOp, what);
  }

  const Model& model_;
  const FitOptions& options_;
  Problem problem_;
};

Operand strided(const Tensor& tensor) {
  Operand result;
  if (!tensor.defined()) return result;
  result = operand(tensor);
  for (int d = 0; d < tensor.ndim(); ++d) result.strides[static_cast<std::size_t>(d)] = tensor.impl()->strides[d];
  return result;
}

/// The sum of weighted squares of what each set's observations are from their mean; weight may be undefined.
Tensor scatter_of(const Tensor& y, const Tensor& given) {
  const Tensor observed = y.to(DType::Float64);
  if (!given.defined()) {
    const Tensor apart = observed - observed.mean({1, 2}, true);
    return (apart * apart).sum({1, 2});
  }
  const Tensor weight = given.to(DType::Float64), square = weight * weight;
  const Tensor seen = where(weight != 0.0, observed, Scalar(0.0));
  const Tensor mean = (square * seen).sum({1, 2}, true) / square.sum({1, 2}, true);
  return (square * (seen - mean) * (seen - mean)).sum({1, 2});
}
/// On the CPU in slices of sets, whose intermediate tensors a cache holds.
Tensor scatter_of(const Problem& problem) {
  constexpr std::int64_t kSlice = 1 << 15;  // observations
  const std::int64_t together = std::max<std::int64_t>(kSlice / (problem.points * problem.outputs + 1), 1);
  if (observer || !problem.y.device().is_cpu() || problem.sets <= together)
    return scatter_of(problem.y, problem.weight);
  std::vector<Tensor> parts;
  for (std::int64_t set = 0; set < problem.sets; set += together) {
    const std::int64_t end = std::min(set + together, problem.sets);
    parts.push_back(scatter_of(problem.y.slice(0, set, end),
                               problem.weight.defined() ? problem.weight.slice(0, set, end) : problem.weight));
  }
  return cat(parts);
}

Tensor result_like(const Problem& problem, const Shape& shape, DType dtype) {
  return empty(shape, {.dtype = dtype, .device = problem.y.device()});
}

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
  const Operation called(kOp);
  const NoGrad no_grad;
  const FitLoss loss = loss_named(options.loss);
  LUGE_CHECK(ValueError, options.method == "lm", "{}: method is '{}'; allowed is lm", kOp, options.method);
  LUGE_CHECK(ValueError, options.max_steps >= 1, "{}: max_steps is {}; it must be at least 1", kOp, options.max_steps);
  LUGE_CHECK(ValueError, std::isfinite(options.f_scale) && options.f_scale > 0,
             "{}: f_scale is {}; it must be positive", kOp, options.f_scale);
  for (const auto& [argument, value] :
       {std::pair{"ftol", options.ftol}, std::pair{"xtol", options.xtol}, std::pair{"gtol", options.gtol}})
    LUGE_CHECK(ValueError, value >= 0 && value < 1, "{}: {} is {}; it must be in [0, 1)", kOp, argument, value);
  LUGE_CHECK(ValueError, loss != FitLoss::Poisson || !options.sigma.defined(),
             "{}: sigma is given; counts with the loss 'poisson' have the deviation of their expectation", kOp);
  Problem problem = Setup(model, x, y, p0, options).take();
  if (loss == FitLoss::Poisson)  // no count is negative
    problem.y = where(problem.y < 0.0, full({}, std::nan(""), {.dtype = problem.dtype, .device = problem.y.device()}),
                      problem.y);
  const std::int64_t sets = problem.sets, parameters = problem.parameters;

  FitResult result;
  result.names = model.parameters();
  result.parameters = problem.start;
  result.cost = result_like(problem, {sets}, DType::Float64);
  result.optimality = result_like(problem, {sets}, DType::Float64);
  result.steps = result_like(problem, {sets}, DType::Int32);
  result.status = result_like(problem, {sets}, DType::Int32);
  result.covariance = result_like(problem, {sets, parameters, parameters}, DType::Float64);
  result.condition = result_like(problem, {sets}, DType::Float64);
  result.chi2 = result_like(problem, {sets}, DType::Float64);
  Tensor free = result_like(problem, {sets}, DType::Int32), rank = result_like(problem, {sets}, DType::Int32);
  // Of more parameters they take more memory than an evaluation is worth.
  Tensor sums;
  if (loss == FitLoss::Linear && options.method == "lm" && parameters <= math::scalar::kMostPlain)
    sums = result_like(problem, {1 + parameters * (parameters + 1) / 2, sets}, DType::Float64);

  Observations of;
  of.model = model.compiled(problem.dtype);
  of.loss = loss;
  of.loss_scale = options.f_scale;
  of.sets = sets;
  of.points = problem.points;
  of.x = strided(problem.x);
  of.y = strided(problem.y);
  of.weight = strided(problem.weight);
  of.lower = strided(problem.lower);
  of.upper = strided(problem.upper);
  of.parameters = strided(result.parameters);
  Backend& device = problem.start.storage()->backend();
  if (sets > 0) {
    LeastSquares search;
    search.of = of;
    search.max_steps = options.max_steps;
    search.ftol = options.ftol;
    search.xtol = options.xtol;
    search.gtol = options.gtol;
    search.cost = strided(result.cost);
    search.optimality = strided(result.optimality);
    search.steps = strided(result.steps);
    search.status = strided(result.status);
    search.sums = strided(sums);
    device.run(search);
    Covariance last;
    last.of = of;
    last.sums = search.sums;
    last.covariance = strided(result.covariance);
    last.condition = strided(result.condition);
    last.chi2 = strided(result.chi2);
    last.free = strided(free);
    last.rank = strided(rank);
    device.run(last);
  }

  // What is known of each set by formulas.
  const Tensor weight = problem.weight.defined() ? problem.weight.to(DType::Float64) : Tensor();
  const auto all = static_cast<double>(problem.points * problem.outputs);
  const Tensor count = weight.defined() ? (weight != 0.0).to(DType::Float64).sum({1, 2})
                                        : full({sets}, all, {.dtype = DType::Float64, .device = problem.y.device()});
  const Tensor left = count - free.to(DType::Float64);
  const Tensor infinite = full({}, kInfinity, {.dtype = DType::Float64, .device = problem.y.device()});
  const Tensor missing = full({}, std::nan(""), {.dtype = DType::Float64, .device = problem.y.device()});
  const Tensor has_data = result.status != static_cast<std::int64_t>(FitStatus::BadData);
  result.chi2 = where(has_data, result.chi2, missing);
  result.reduced_chi2 = where(left > 0.0, result.chi2 / left, infinite);
  const bool robust = loss != FitLoss::Linear && loss != FitLoss::Poisson;
  const Tensor any_left = (left > 0.0).unsqueeze(-1).unsqueeze(-1);
  if (robust) {
    const Tensor sandwich = where(any_left, result.covariance * (count / left).unsqueeze(-1).unsqueeze(-1), infinite);
    // Residuals that are all rejected or all 0 say nothing of errors.
    result.covariance = where(sandwich == 0.0, infinite, sandwich);
  }
  if (loss == FitLoss::Linear && !options.absolute_sigma)
    result.covariance = where(any_left, result.covariance * result.reduced_chi2.unsqueeze(-1).unsqueeze(-1), infinite);
  result.covariance = where(has_data.unsqueeze(-1).unsqueeze(-1), result.covariance, missing);
  result.standard_errors =
      result.covariance.view({sets, parameters * parameters}).slice(1, 0, {}, parameters + 1).sqrt();
  result.aic = count * (result.chi2 / count).log() + 2.0 * free.to(DType::Float64);
  result.r2 = 1.0 - result.chi2 / scatter_of(problem);
  const Tensor is_singular = logical_and(result.status > 0, rank < free);
  const auto code = [](FitStatus status) { return Scalar(static_cast<std::int64_t>(status)); };
  // Products of columns have twice their digits: beyond this, float64 has lost the last of them.
  constexpr double kMostCondition = 1e7;
  const Tensor is_alike = logical_and(result.status > 0, result.condition > kMostCondition);
  result.status = where(is_alike, code(kIllConditioned), result.status.to(DType::Int64));
  result.status = where(is_singular, code(FitStatus::Singular), result.status).to(DType::Int32);
  result.active = result_like(problem, {sets, parameters}, DType::Int32).zero_();
  if (problem.lower.defined())
    result.active =
        (result.parameters == problem.upper).to(DType::Int32) - (result.parameters == problem.lower).to(DType::Int32);
  result.observations = count.to(DType::Int64);
  if (!problem.has_sets)
    for (Tensor* tensor : {&result.parameters, &result.covariance, &result.standard_errors, &result.status,
                           &result.steps, &result.cost, &result.optimality, &result.chi2, &result.reduced_chi2,
                           &result.r2, &result.aic, &result.condition, &result.active, &result.observations})
      *tensor = tensor->squeeze(0);
  return result;
}

}  // namespace luge::fit
