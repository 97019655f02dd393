#include <luge/fit/detail/problem.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <luge/base/detail/check.h>
#include <luge/fit/detail/method.h>
#include <luge/math/covariance.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/join.h>
#include <luge/seam/backend.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/storage.h>

namespace luge::fit {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// The stream of the random numbers that starts are made of.
constexpr std::uint64_t kStream = 0x57A275;
/// From this ratio of its bounds on a parameter starts uniformly in its logarithm.
constexpr double kFarApart = 100;
constexpr std::int64_t kMostStarts = 1 << 20;

constexpr std::pair<std::string_view, FitLoss> kLosses[] = {{"linear", FitLoss::Linear}, {"soft_l1", FitLoss::SoftL1},
                                                            {"huber", FitLoss::Huber},   {"cauchy", FitLoss::Cauchy},
                                                            {"tukey", FitLoss::Tukey},   {"poisson", FitLoss::Poisson}};

FitLoss loss_named(const char* op, std::string_view name) {
  for (const auto& [known, loss] : kLosses)
    if (known == name) return loss;
  raise<ValueError>("{}: loss is '{}'; allowed are linear, soft_l1, huber, cauchy, tukey, poisson", op, name);
}

void check_options(const char* op, const FitOptions& options, FitLoss loss) {
  LUGE_CHECK(ValueError, options.max_steps.value_or(1) >= 1, "{}: max_steps is {}; it must be at least 1", op,
             *options.max_steps);
  LUGE_CHECK(ValueError, std::isfinite(options.f_scale) && options.f_scale > 0,
             "{}: f_scale is {}; it must be positive", op, options.f_scale);
  for (const auto& [argument, value] :
       {std::pair{"ftol", options.ftol}, std::pair{"xtol", options.xtol}, std::pair{"gtol", options.gtol}})
    LUGE_CHECK(ValueError, value >= 0 && value < 1, "{}: {} is {}; it must be in [0, 1)", op, argument, value);
  LUGE_CHECK(ValueError, loss != FitLoss::Poisson || !options.sigma.defined(),
             "{}: sigma is given; counts with the loss 'poisson' have the deviation of their expectation", op);
  LUGE_CHECK(ValueError, options.starts >= 1 && options.starts <= kMostStarts,
             "{}: starts is {}; it must be from 1 to {}", op, options.starts, kMostStarts);
  LUGE_CHECK(ValueError, options.chunk >= 0, "{}: chunk is {}; it must be at least 1, or 0 for a choice", op,
             options.chunk);
}

/// `tensor` with one dimension more in front if it has one less than all; whether it has sets goes to `has_sets`.
Tensor with_sets(const char* op, const char* argument, const Tensor& tensor, int ndim, int front,
                 std::string_view shapes, bool& has_sets) {
  LUGE_CHECK(ShapeError, tensor.ndim() == ndim || tensor.ndim() == ndim - 1, "{}: {} has shape {}; allowed are {}", op,
             argument, to_string(tensor.shape()), shapes);
  if (tensor.ndim() == ndim) {
    has_sets = true;
    return tensor;
  }
  return tensor.unsqueeze(front);
}

class Setup {
 public:
  Setup(const char* op, const Model& model, const Tensor& x, const Tensor& y, const Tensor& p0,
        const FitOptions& options)
      : op_(op), model_(model), options_(options) {
    problem_.loss = loss_named(op, options.loss);
    const Method& method = method_named(op, options.method);
    problem_.method = method.method;
    problem_.usual_steps = method.usual;
    problem_.max_steps = options.max_steps.value_or(method.max_steps);
    check_options(op, options, problem_.loss);
    problem_.parameters = static_cast<std::int64_t>(model.parameters().size());
    problem_.predictors = static_cast<std::int64_t>(model.predictors().size());
    problem_.outputs = model.outputs();
    for (const auto& [argument, tensor] : {std::pair{"y", &y}, std::pair{"p0", &p0}}) {
      LUGE_CHECK(ValueError, tensor->defined(), "{}: {} is missing", op_, argument);
      check_real(argument, *tensor);
    }
    LUGE_CHECK(ValueError, x.defined() == (problem_.predictors > 0), "{}: the model has {} predictors, and x is {}",
               op_, problem_.predictors, x.defined() ? "given" : "missing");
    const DType given =
        x.defined() ? promote(arithmetic_dtype(x.dtype()), arithmetic_dtype(y.dtype())) : arithmetic_dtype(y.dtype());
    problem_.dtype = given == DType::Float32 ? DType::Float32 : DType::Float64;
    shape(x, y, p0);
    weigh();
    bound();
    draw();
  }

  Problem take() { return std::move(problem_); }

 private:
  void check_real(const char* argument, const Tensor& tensor) const {
    LUGE_CHECK(DTypeError, tensor.dtype() != DType::Bool, "{}: {} is bool; it must hold numbers", op_, argument);
  }
  void same_device(const char* argument, const Tensor& tensor) const {
    LUGE_CHECK(DeviceError, tensor.device() == problem_.y.device(), "{}: {} is on {}, y on {}", op_, argument,
               to_string(tensor.device()), to_string(problem_.y.device()));
  }
  void join_sets(const char* argument, std::int64_t sets) {
    LUGE_CHECK(ShapeError, sets == problem_.sets || sets == 1 || problem_.sets == 1,
               "{}: {} has {} sets, others have {}", op_, argument, sets, problem_.sets);
    if (sets != 1) problem_.sets = sets;
  }

  void shape(const Tensor& x, const Tensor& y, const Tensor& p0) {
    const bool many = problem_.outputs > 1;
    problem_.y = with_sets(op_, "y", y.detach(), many ? 3 : 2, 0,
                           many ? "(outputs, points) and (sets, outputs, points)" : "(points,) and (sets, points)",
                           problem_.has_sets);
    if (!many) problem_.y = problem_.y.unsqueeze(1);
    LUGE_CHECK(ShapeError, problem_.y.shape()[1] == problem_.outputs, "{}: y has shape {}; the model has {} outputs",
               op_, to_string(y.shape()), problem_.outputs);
    problem_.points = problem_.y.shape()[2];
    problem_.sets = problem_.y.shape()[0];
    if (x.defined()) {
      check_real("x", x);
      same_device("x", x);
      const bool several = problem_.predictors > 1;
      Tensor predictors = x.detach();
      if (!several) predictors = predictors.unsqueeze(0);
      LUGE_CHECK(ShapeError, predictors.shape()[0] == problem_.predictors,
                 "{}: x has shape {}; the model has {} predictors ({})", op_, to_string(x.shape()), problem_.predictors,
                 fmt::join(model_.predictors(), ", "));
      problem_.x =
          with_sets(op_, "x", predictors, 3, 1,
                    several ? "(predictors, points) and (predictors, sets, points)" : "(points,) and (sets, points)",
                    problem_.has_sets);
      LUGE_CHECK(ShapeError, problem_.x.shape()[2] == problem_.points, "{}: x has {} points, y has {}", op_,
                 problem_.x.shape()[2], problem_.points);
      join_sets("x", problem_.x.shape()[1]);
    }
    same_device("p0", p0);
    const Tensor start = with_sets(op_, "p0", p0.detach().to(DType::Float64), 2, 0,
                                   "(parameters,) and (sets, parameters)", problem_.has_sets);
    LUGE_CHECK(ShapeError, start.shape()[1] == problem_.parameters,
               "{}: p0 has {} numbers; the model has {} parameters ({})", op_, start.shape()[1], problem_.parameters,
               fmt::join(model_.parameters(), ", "));
    join_sets("p0", start.shape()[0]);
    LUGE_CHECK(ValueError, options_.fixed.defined() || problem_.points * problem_.outputs >= problem_.parameters,
               "{}: y has {} points, fewer than the {} parameters ({})", op_, problem_.points * problem_.outputs,
               problem_.parameters, fmt::join(model_.parameters(), ", "));
    problem_.start = start.expand({problem_.sets, problem_.parameters});
  }

  /// An argument that is broadcast to y, in its three dimensions.
  Tensor like_y(const char* argument, const Tensor& tensor) const {
    same_device(argument, tensor);
    Tensor given = tensor.detach();
    if (problem_.outputs == 1 && given.ndim() == 2) given = given.unsqueeze(1);
    const Shape target{problem_.sets, problem_.outputs, problem_.points};
    const bool fits = given.ndim() <= 3 && [&] {
      for (int d = 1; d <= given.ndim(); ++d)
        if (given.shape()[given.ndim() - d] != 1 && given.shape()[given.ndim() - d] != target[3 - d]) return false;
      return true;
    }();
    const bool is_matrix =
        tensor.ndim() == 2 && tensor.shape()[0] == problem_.points && tensor.shape()[1] == problem_.points;
    LUGE_CHECK(ShapeError, fits || !is_matrix || std::string_view(argument) != "sigma",
               "{}: sigma has shape {}, a matrix of covariances between the points; allowed are standard deviations, "
               "broadcast to y",
               op_, to_string(tensor.shape()));
    LUGE_CHECK(ShapeError, fits, "{}: {} has shape {}, which cannot be that of y: {} sets of {} points", op_, argument,
               to_string(tensor.shape()), problem_.sets, problem_.points);
    while (given.ndim() < 3) given = given.unsqueeze(0);
    return given;
  }

  void weigh() {
    if (options_.sigma.defined()) {
      check_real("sigma", options_.sigma);
      problem_.sigma = like_y("sigma", options_.sigma);
    }
    if (!options_.mask.defined()) return;
    LUGE_CHECK(DTypeError, options_.mask.dtype() == DType::Bool, "{}: mask is {}; it must be bool", op_,
               name(options_.mask.dtype()));
    problem_.mask = like_y("mask", options_.mask);
  }

  Tensor like_parameters(const char* argument, const Tensor& tensor) const {
    same_device(argument, tensor);
    bool sets = false;
    const Tensor given = with_sets(op_, argument, tensor.detach(), 2, 0, "(parameters,) and (sets, parameters)", sets);
    LUGE_CHECK(ShapeError,
               (given.shape()[0] == 1 || given.shape()[0] == problem_.sets) && given.shape()[1] == problem_.parameters,
               "{}: {} has shape {}; there are {} sets of {} parameters ({})", op_, argument, to_string(tensor.shape()),
               problem_.sets, problem_.parameters, fmt::join(model_.parameters(), ", "));
    return given.expand({problem_.sets, problem_.parameters});
  }

  void bound() {
    const auto given = [&](const char* argument, const Tensor& tensor, double none) {
      if (tensor.defined()) return like_parameters(argument, tensor.to(DType::Float64));
      return full({}, none, {.dtype = DType::Float64, .device = problem_.device()})
          .expand({problem_.sets, problem_.parameters});
    };
    const bool holds = options_.fixed.defined();
    if (!observer)
      refuse_where(logical_not(isfinite(problem_.start)), "p0 has {} for {}; a start is finite", problem_.start,
                   problem_.start);
    if (options_.lower.defined() || options_.upper.defined() || holds) {
      problem_.lower = given("lower", options_.lower, -kInfinity);
      problem_.upper = given("upper", options_.upper, kInfinity);
      if (!observer) {
        refuse_where(logical_not(problem_.lower <= problem_.upper),
                     "the lower bound {} of {} is not below the upper {}", problem_.lower, problem_.upper);
        refuse_where(problem_.start < problem_.lower, "p0 has {} for {}, below its lower bound {}", problem_.start,
                     problem_.lower);
        refuse_where(problem_.start > problem_.upper, "p0 has {} for {}, above its upper bound {}", problem_.start,
                     problem_.upper);
      }
    }
    if (holds) {
      LUGE_CHECK(DTypeError, options_.fixed.dtype() == DType::Bool, "{}: fixed is {}; it must be bool", op_,
                 name(options_.fixed.dtype()));
      const Tensor fixed = like_parameters("fixed", options_.fixed);
      problem_.lower = where(fixed, problem_.start, problem_.lower);
      problem_.upper = where(fixed, problem_.start, problem_.upper);
    }
    for (std::int64_t p = 0; p < problem_.parameters; ++p) hold(p);
  }

  /// A parameter that only decides conditions has to be held.
  void hold(std::int64_t p) const {
    if (model_.has_derivative(static_cast<std::size_t>(p))) return;
    const bool is_held = problem_.lower.defined() &&
                         (observer || !(problem_.lower.select(1, p) != problem_.upper.select(1, p)).any().item<bool>());
    LUGE_CHECK(ValueError, is_held,
               "{}: the parameter {} decides conditions and nothing else, so that no derivative tells where it should "
               "go; it can only be fixed",
               op_, model_.parameters()[static_cast<std::size_t>(p)]);
  }

  /// The same numbers for every set: so a set starts alone as it does among others, whatever its number.
  void draw() {
    problem_.starts = options_.starts;
    if (options_.starts == 1) return;
    LUGE_CHECK(ValueError, problem_.lower.defined(),
               "{}: starts is {}; they are drawn between bounds, and there are none", op_, options_.starts);
    if (!observer) {
      refuse_where(logical_not(isfinite(problem_.lower)),
                   "starts are drawn between finite bounds, and the lower one is {} of {}", problem_.lower,
                   problem_.lower);
      refuse_where(logical_not(isfinite(problem_.upper)),
                   "starts are drawn between finite bounds, and the upper one is {} of {}", problem_.upper,
                   problem_.upper);
    }
    problem_.drawn =
        empty({options_.starts - 1, problem_.parameters}, {.dtype = DType::Float64, .device = problem_.device()});
    Random call;
    call.sets = options_.starts - 1;
    call.per_set = problem_.parameters;
    call.first_set = 1;
    call.seed = options_.seed;
    call.stream = kStream;
    call.out = operand(problem_.drawn);
    call.out.strides[0] = 1;
    problem_.drawn.storage()->backend().run(call);
  }

  /// ValueError about the first place where `wrong` holds.
  void refuse_where(const Tensor& wrong, std::string_view format, const Tensor& first, const Tensor& second) const {
    if (!wrong.any().item<bool>()) return;
    const std::int64_t at = wrong.to(DType::Int32).argmax().item<std::int64_t>();
    const std::int64_t set = at / problem_.parameters, parameter = at % problem_.parameters;
    const double a = first[set][parameter].item<double>(), b = second[set][parameter].item<double>();
    const std::string& who = model_.parameters()[static_cast<std::size_t>(parameter)];
    const std::string what = fmt::format(fmt::runtime(format), a, who, b);
    if (problem_.has_sets) raise<ValueError>("{}: set {}: {}", op_, set, what);
    raise<ValueError>("{}: {}", op_, what);
  }

  const char* const op_;
  const Model& model_;
  const FitOptions& options_;
  Problem problem_;
};

/// Sets from `begin` to `end` of what has them along `dim`, or all that they share.
Tensor part(const Tensor& tensor, int dim, std::int64_t begin, std::int64_t end) {
  return tensor.shape()[dim] == 1 ? tensor : tensor.slice(dim, begin, end);
}

/// Every set `starts` times along `dim`.
Tensor repeated(const Tensor& tensor, int dim, std::int64_t starts) {
  Shape shape = tensor.shape();
  shape.insert(dim + 1, starts);
  const Tensor each = tensor.unsqueeze(dim + 1).expand(shape);
  shape.erase(dim + 1);
  shape[dim] *= starts;
  return each.reshape(shape);
}

}  // namespace

bool Problem::keeps_sums() const {
  return method == FitMethod::LevenbergMarquardt && loss == FitLoss::Linear && parameters <= math::scalar::kMostPlain;
}

Problem problem_of(const char* op, const Model& model, const Tensor& x, const Tensor& y, const Tensor& p0,
                   const FitOptions& options) {
  return Setup(op, model, x, y, p0, options).take();
}

Piece piece_of(const Problem& problem, std::int64_t begin, std::int64_t end) {
  const std::int64_t sets = end - begin;
  const Shape observations{sets, problem.outputs, problem.points};
  Piece piece;
  piece.sets = sets;
  if (problem.x.defined())
    piece.x = part(problem.x, 1, begin, end).to(problem.dtype).expand({problem.predictors, sets, problem.points});
  Tensor y = part(problem.y, 0, begin, end).to(problem.dtype);
  if (problem.loss == FitLoss::Poisson)  // no count is negative
    y = where(y < 0.0, full({}, std::nan(""), {.dtype = problem.dtype, .device = problem.device()}), y);
  piece.y = y.expand(observations);
  if (problem.sigma.defined()) piece.weight = Scalar(1.0) / part(problem.sigma, 0, begin, end).to(problem.dtype);
  if (problem.mask.defined()) {
    const Tensor mask = part(problem.mask, 0, begin, end);
    const Tensor zero = full({}, 0.0, {.dtype = problem.dtype, .device = problem.device()});
    piece.weight = piece.weight.defined() ? where(mask, piece.weight, zero) : mask.to(problem.dtype);
  }
  if (piece.weight.defined()) piece.weight = piece.weight.expand(observations);
  if (problem.lower.defined()) {
    piece.lower = problem.lower.slice(0, begin, end);
    piece.upper = problem.upper.slice(0, begin, end);
  }
  piece.start = problem.start.slice(0, begin, end).clone();
  return piece;
}

Piece with_all_starts(const Problem& problem, const Piece& piece) {
  const std::int64_t starts = problem.starts, fits = piece.sets * starts;
  Piece all;
  all.sets = fits;
  if (problem.x.defined())
    all.x = problem.x.shape()[1] == 1 ? piece.x.slice(1, 0, 1).expand({problem.predictors, fits, problem.points})
                                      : repeated(piece.x, 1, starts);
  all.y = repeated(piece.y, 0, starts);
  if (piece.weight.defined()) all.weight = repeated(piece.weight, 0, starts);
  all.lower = repeated(piece.lower, 0, starts);
  all.upper = repeated(piece.upper, 0, starts);
  // Bounds of one sign that are far apart are those of a parameter whose order of magnitude is unknown.
  const Tensor low = piece.lower.unsqueeze(1), high = piece.upper.unsqueeze(1), u = problem.drawn.unsqueeze(0);
  const Tensor near = minimum(low.abs(), high.abs()), far = maximum(low.abs(), high.abs());
  const Tensor by_size = logical_and(low.sign() * high.sign() > 0.0, far >= kFarApart * near);
  const Tensor even = low * (1.0 - u) + high * u;
  const Tensor magnitude = exp(low.abs().log() * (1.0 - u) + high.abs().log() * u);
  const Tensor drawn = minimum(maximum(where(by_size, low.sign() * magnitude, even), low), high);
  all.start = cat({piece.start.unsqueeze(1), drawn}, 1).reshape({fits, problem.parameters});
  return all;
}

void check_deviations(const char* op, const Problem& problem, std::int64_t at_once) {
  if (!problem.sigma.defined() || observer || problem.sigma.numel() == 0) return;
  const bool has_sets = problem.sigma.shape()[0] != 1 || (problem.mask.defined() && problem.mask.shape()[0] != 1);
  const std::int64_t sets = has_sets ? problem.sets : 1;
  for (std::int64_t begin = 0; begin < sets; begin += at_once) {
    const std::int64_t end = std::min(sets, begin + at_once);
    Tensor wrong = part(problem.sigma, 0, begin, end).to(problem.dtype) <= 0.0;
    if (problem.mask.defined()) wrong = logical_and(wrong, part(problem.mask, 0, begin, end));
    LUGE_CHECK(ValueError, !wrong.any().item<bool>(), "{}: sigma has a value that is not positive", op);
  }
}

}  // namespace luge::fit
