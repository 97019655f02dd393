#include <luge/ops/quantiles.h>

#include <array>
#include <limits>
#include <utility>
#include <vector>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/index.h>
#include <luge/ops/sort.h>
#include <luge/seam/observer.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

constexpr std::array<std::pair<std::string_view, Interpolation>, 5> kNames{{{"linear", Interpolation::Linear},
                                                                            {"lower", Interpolation::Lower},
                                                                            {"higher", Interpolation::Higher},
                                                                            {"midpoint", Interpolation::Midpoint},
                                                                            {"nearest", Interpolation::Nearest}}};

/// Whether rows with a NaN have NaN as their quantiles.
enum class Nan : bool { Counts, IsLeftAway };

void check_x(const char* op, const Tensor& x) {
  const TensorImpl& impl = checked(x, op);
  LUGE_CHECK(DTypeError, impl.dtype == DType::Float32 || impl.dtype == DType::Float64,
             "{}: the tensor is {}; allowed are float32 and float64", op, name(impl.dtype));
  LUGE_CHECK(ShapeError, impl.numel > 0, "{}: the tensor has shape {}; it must not be empty", op, to_string(impl.shape));
}

void check_q(const char* op, double q) {
  LUGE_CHECK(ValueError, q >= 0 && q <= 1, "{}: q is {}; it must be in [0, 1]", op, q);
}

void check_q(const char* op, const Tensor& x, const Tensor& q) {
  const TensorImpl& impl = checked(q, op, "q");
  LUGE_CHECK(ShapeError, impl.shape.ndim() <= 1, "{}: q is {}; it must be 0-d or 1-d", op, to_string(impl.shape));
  LUGE_CHECK(DTypeError, impl.dtype == x.dtype(), "{}: q is {} and the tensor is {}; they must have one dtype", op,
             name(impl.dtype), name(x.dtype()));
  LUGE_CHECK(DeviceError, q.device() == x.device(), "{}: q is on {} and the tensor on {}; they must be on one device",
             op, to_string(q.device()), to_string(x.device()));
  // A captured step is given other values later; they are limited to [0, 1] then, as they are on a GPU.
  if (observer || impl.numel == 0 || !q.device().is_cpu()) return;
  for (const double one : q.to_vector<double>()) check_q(op, one);
}

/// Between two neighbours at a fraction of the way, which is 0 where they are one.
Tensor between(const Tensor& below, const Tensor& above, const Tensor& fraction) {
  // Steps from an infinity are NaN; weighted sums are not, unless the infinities differ.
  const Tensor infinite = below.abs().eq(kInfinity).logical_or(above.abs().eq(kInfinity)), apart = fraction.ne(0);
  const Tensor steps = lerp(where(infinite, 0, below), where(infinite, 0, above), fraction);
  const Tensor weighed = infinite.logical_and(apart);
  const Tensor sum = where(weighed, below, 0) * (1 - fraction) + where(weighed, above, 0) * fraction;
  return where(apart, where(infinite, sum, steps), below);
}

/// x's rows are its last dimension; q is 1-d. (.., number of q)
Tensor of_rows(const Tensor& x, const Tensor& q, Interpolation interpolation, Nan nan) {
  const Tensor sorted = sort(x).values, missing = no_grad([&] { return sorted.isnan(); });
  const std::int64_t last = x.size(-1) - 1;
  // In float64, since float32 has no bits for the ranks of many elements.
  const Tensor limited = clamp(q.to(DType::Float64), Scalar(0), Scalar(1));
  Tensor ranks;
  if (nan == Nan::IsLeftAway) {
    const Tensor numbers = missing.logical_not().sum(DimList(-1), true).to(DType::Float64);
    ranks = clamp(limited * (numbers - 1), Scalar(0), std::nullopt);
  } else {
    ranks = where(missing.slice(-1, last), static_cast<double>(last), limited * static_cast<double>(last));
  }
  const auto at = [&](const Tensor& rank) { return gather(sorted, -1, rank.detach().to(DType::Int64)); };
  const Tensor low = ranks.detach().floor(), high = neg(neg(ranks.detach()).floor());
  switch (interpolation) {
    case Interpolation::Lower: return at(low);
    case Interpolation::Higher: return at(high);
    case Interpolation::Nearest: {
      const Tensor distance = ranks.detach() - low, half = low * 0.5;
      const Tensor is_odd = half.ne(half.floor());
      return at(where(distance.gt(0.5).logical_or(distance.eq(0.5).logical_and(is_odd)), high, low));
    }
    case Interpolation::Linear: return between(at(low), at(high), (ranks - low).to(x.dtype()));
    case Interpolation::Midpoint: break;
  }
  return between(at(low), at(high), full_like(low, 0.5).to(x.dtype()));
}

/// x and q are checked.
Tensor quantiles(const char* op, const Tensor& x, const Tensor& q, std::optional<int> dim, bool keepdim,
                 Interpolation interpolation, Nan nan) {
  const Operation called(op);
  Shape shape = x.shape();
  if (dim && !shape.empty()) {
    const int d = normalize_dim(op, *dim, x.ndim());
    if (keepdim)
      shape[d] = 1;
    else
      shape.erase(d);
    std::vector<int> q_first{d};
    for (int i = 0; i < x.ndim(); ++i)
      if (i != d) q_first.push_back(i);
    if (q.ndim() == 1) shape.insert(0, q.numel());
    const Tensor found = of_rows(x.transpose(d, -1), q.reshape({q.numel()}), interpolation, nan);
    return found.transpose(d, -1).permute(q_first).reshape(shape);
  }
  if (dim) normalize_dim(op, *dim, 0);
  const Tensor found = of_rows(x.reshape({x.numel()}), q.reshape({q.numel()}), interpolation, nan);
  Shape all = keepdim ? Dims::filled(x.ndim(), 1) : Shape();
  if (q.ndim() == 1) all.insert(0, q.numel());
  return found.reshape(all);
}

Tensor quantiles(const char* op, const Tensor& x, double q, std::optional<int> dim, bool keepdim,
                 Interpolation interpolation, Nan nan) {
  check_x(op, x);
  check_q(op, q);
  return quantiles(op, x, full({}, q, {.dtype = x.dtype(), .device = x.device()}), dim, keepdim, interpolation, nan);
}

Tensor quantiles_checked(const char* op, const Tensor& x, const Tensor& q, std::optional<int> dim, bool keepdim,
                         Interpolation interpolation, Nan nan) {
  check_x(op, x);
  check_q(op, x, q);
  return quantiles(op, x, q, dim, keepdim, interpolation, nan);
}

}  // namespace

Interpolation interpolation_named(const char* op, std::string_view name) {
  for (const auto& [known, interpolation] : kNames)
    if (known == name) return interpolation;
  raise<ValueError>("{}: interpolation is {}; allowed are linear, lower, higher, midpoint and nearest", op, name);
}

Tensor quantile(const Tensor& x, double q, std::optional<int> dim, bool keepdim, Interpolation interpolation) {
  return quantiles("quantile", x, q, dim, keepdim, interpolation, Nan::Counts);
}
Tensor quantile(const Tensor& x, const Tensor& q, std::optional<int> dim, bool keepdim, Interpolation interpolation) {
  return quantiles_checked("quantile", x, q, dim, keepdim, interpolation, Nan::Counts);
}
Tensor nanquantile(const Tensor& x, double q, std::optional<int> dim, bool keepdim, Interpolation interpolation) {
  return quantiles("nanquantile", x, q, dim, keepdim, interpolation, Nan::IsLeftAway);
}
Tensor nanquantile(const Tensor& x, const Tensor& q, std::optional<int> dim, bool keepdim, Interpolation interpolation) {
  return quantiles_checked("nanquantile", x, q, dim, keepdim, interpolation, Nan::IsLeftAway);
}

}  // namespace luge
