// Sums over the observations of fits.
#include "../targets.h"
#undef HWY_TARGET_INCLUDE
// clang-format off
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(fit/sums.cpp)
// clang-format on
#include <hwy/foreach_target.h>

#include "../vector.h"

#include <luge/math/fit_losses.h>

#include "sums.h"

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

using Double = Vec<double>;

HWY_INLINE Double load_double(const double* from) { return load(from); }
HWY_INLINE Double load_double(const float* from) {
  const hn::Rebind<float, Double::D> narrow;
  return Double(hn::PromoteTo(Double::D(), hn::LoadU(narrow, from)));
}
HWY_INLINE void add_to(double* sum, Double value) { store(sum, load(static_cast<const double*>(sum)) + value); }

/// A row's weighted residual and columns: 0 where nothing was observed, whatever the model says there.
template <bool weighted, class T>
HWY_INLINE Double weighted_by(const T* weight, Double value) {
  if constexpr (!weighted) return value;
  const Double w = load_double(weight);
  return select(w == Double(0.0), Double(0.0), value * w);
}

/// Sums of squares with their products in registers, for a number of parameters known to the compiler.
template <int P, bool weighted, class T>
HWY_NOINLINE void add_squares(const FitRows<T>& in, const FitSums& sums) {
  constexpr int kProducts = P * (P + 1) / 2;
  for (std::size_t lane = 0; lane < static_cast<std::size_t>(kFitLanes); lane += kLanes<double>) {
    Double cost = load(static_cast<const double*>(sums.cost() + lane)), gradient[P], products[kProducts];
    for (int p = 0; p < P; ++p) gradient[p] = load(static_cast<const double*>(sums.gradient(p) + lane));
    for (int k = 0; k < kProducts; ++k)
      products[k] = load(static_cast<const double*>(sums.product(0, 0) + k * kFitLanes + lane));
    for (std::int64_t row = 0; row < in.rows; ++row) {
      const std::size_t at = static_cast<std::size_t>(row * kFitLanes) + lane;
      const T* const weight = weighted ? in.weight + at : nullptr;
      const Double r = weighted_by<weighted>(weight, load_double(in.f + at) - load_double(in.y + at));
      cost = Double(hn::MulAdd(r.raw, r.raw, cost.raw));
      Double column[P];
      for (int p = 0; p < P; ++p) {
        column[p] = weighted_by<weighted>(weight, load_double(in.columns[p] + at));
        gradient[p] = Double(hn::MulAdd(column[p].raw, r.raw, gradient[p].raw));
      }
      for (int i = 0; i < P; ++i)
        for (int j = 0; j <= i; ++j) {
          Double& product = products[i * (i + 1) / 2 + j];
          product = Double(hn::MulAdd(column[i].raw, column[j].raw, product.raw));
        }
    }
    store(sums.cost() + lane, cost);
    for (int p = 0; p < P; ++p) store(sums.gradient(p) + lane, gradient[p]);
    for (int k = 0; k < kProducts; ++k) store(sums.product(0, 0) + k * kFitLanes + lane, products[k]);
  }
}

/// A row of some lanes.
struct Observation {
  template <class T>
  HWY_INLINE Observation(const FitRows<T>& in, std::size_t at)
      : f(load_double(in.f + at)),
        y(load_double(in.y + at)),
        weight(in.weight ? load_double(in.weight + at) : Double(1.0)) {}
  /// 0 where nothing was observed, whatever the model says there.
  HWY_INLINE Double there(Double value) const { return select(weight == Double(0.0), Double(0.0), value); }

  Double f, y, weight;
};

/// The same for any number of parameters and any term of the cost: term(f, y, weight, at) is a FitTerm.
template <class T, class Term>
HWY_NOINLINE void add_terms(const FitRows<T>& in, const FitSums& sums, const Term& term) {
  const int parameters = sums.parameters;
  for (std::int64_t row = 0; row < in.rows; ++row)
    for (std::size_t lane = 0; lane < static_cast<std::size_t>(kFitLanes); lane += kLanes<double>) {
      const std::size_t at = static_cast<std::size_t>(row * kFitLanes) + lane;
      const Observation seen(in, at);
      const auto there = [&](Double value) HWY_ATTR { return seen.there(value); };
      const scalar_math::FitTerm<Double> part = term(seen.f, seen.y, seen.weight);
      add_to(sums.cost() + lane, there(part.cost));
      Double columns[kMostFitParameters];
      for (int i = 0; i < parameters; ++i) {
        columns[i] = there(load_double(in.columns[i] + at));
        add_to(sums.gradient(i) + lane, there(part.score) * columns[i]);
        const Double bent = there(part.curvature) * columns[i];
        for (int j = 0; j <= i; ++j) add_to(sums.product(i, j) + lane, bent * columns[j]);
      }
    }
}

/// visit(term) with the term of a loss.
template <class Visit>
HWY_INLINE void with_term(FitLoss loss, double scale, const Visit& visit) {
  switch (loss) {
    case FitLoss::Linear: return visit(scalar_math::SquareTerm());
    case FitLoss::SoftL1: return visit(scalar_math::RobustTerm<scalar_math::SoftL1Loss>{scale});
    case FitLoss::Huber: return visit(scalar_math::RobustTerm<scalar_math::HuberLoss>{scale});
    case FitLoss::Cauchy: return visit(scalar_math::RobustTerm<scalar_math::CauchyLoss>{scale});
    case FitLoss::Tukey: return visit(scalar_math::RobustTerm<scalar_math::TukeyLoss>{scale});
    case FitLoss::Poisson: return visit(scalar_math::PoissonTerm());
  }
}

template <int P, class T>
HWY_INLINE void add_squares(const FitRows<T>& in, const FitSums& sums) {
  in.weight ? add_squares<P, true>(in, sums) : add_squares<P, false>(in, sums);
}

template <class T>
void add_fit_rows(FitLoss loss, double scale, const FitRows<T>& in, const FitSums& sums) {
  switch (loss == FitLoss::Linear ? sums.parameters : 0) {
    case 1: return add_squares<1>(in, sums);
    case 2: return add_squares<2>(in, sums);
    case 3: return add_squares<3>(in, sums);
    case 4: return add_squares<4>(in, sums);
    case 5: return add_squares<5>(in, sums);
    default: with_term(loss, scale, [&](const auto& term) HWY_ATTR { add_terms(in, sums, term); });
  }
}

/// Adds a product to the unevaluated sum of two numbers: T. Ogita, S. M. Rump, S. Oishi, "Accurate sum and dot
/// product", SIAM J. Sci. Comput. 26 (2005).
HWY_INLINE void add_product(double* high, double* low, Double a, Double b) {
  const Double before = load(static_cast<const double*>(high));
  const Double product = a * b, lost(hn::MulSub(a.raw, b.raw, product.raw));
  const Double sum = before + product, part = sum - before;
  store(high, sum);
  add_to(low, ((before - (sum - part)) + (product - part)) + lost);
}

/// Products of columns times the root of how much they count, with the sign of that.
template <class T, class Term>
HWY_NOINLINE void add_exact_terms(const FitRows<T>& in, bool sandwich, const ExactSums& sums, const Term& term) {
  const int parameters = sums.parameters;
  for (std::int64_t row = 0; row < in.rows; ++row)
    for (std::size_t lane = 0; lane < static_cast<std::size_t>(kFitLanes); lane += kLanes<double>) {
      const std::size_t at = static_cast<std::size_t>(row * kFitLanes) + lane;
      const Observation seen(in, at);
      const auto there = [&](Double value) HWY_ATTR { return seen.there(value); };
      const scalar_math::FitTerm<Double> part = term(seen.f, seen.y, seen.weight);
      const Double residual = (seen.f - seen.y) * seen.weight;
      add_product(sums.chi2() + lane, sums.chi2() + kFitLanes + lane, there(residual), there(residual));
      const Double root = there(sqrt(abs(part.bend)));
      const Double score = there(part.score);
      Double columns[kMostFitParameters], signed_columns[kMostFitParameters];
      for (int i = 0; i < parameters; ++i) {
        const Double column = there(load_double(in.columns[i] + at));
        columns[i] = column * root;
        signed_columns[i] = copy_sign(Double(1.0), part.bend) * columns[i];
        const Double scored = column * score * score;
        for (int j = 0; j <= i; ++j) {
          add_product(sums.high(i, j) + lane, sums.low(i, j) + lane, signed_columns[i], columns[j]);
          if (sandwich) add_to(sums.score(i, j) + lane, scored * there(load_double(in.columns[j] + at)));
        }
      }
    }
}

template <class T>
void add_exact_rows(FitLoss loss, double scale, const FitRows<T>& in, const ExactSums& sums) {
  const bool sandwich = loss != FitLoss::Linear && loss != FitLoss::Poisson;
  with_term(loss, scale, [&](const auto& term) HWY_ATTR { add_exact_terms(in, sandwich, sums, term); });
}

void add_single(FitLoss loss, double scale, const FitRows<float>& in, const FitSums& sums) {
  add_fit_rows(loss, scale, in, sums);
}
void add_double(FitLoss loss, double scale, const FitRows<double>& in, const FitSums& sums) {
  add_fit_rows(loss, scale, in, sums);
}

void add_exact_single(FitLoss loss, double scale, const FitRows<float>& in, const ExactSums& sums) {
  add_exact_rows(loss, scale, in, sums);
}
void add_exact_double(FitLoss loss, double scale, const FitRows<double>& in, const ExactSums& sums) {
  add_exact_rows(loss, scale, in, sums);
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {
HWY_EXPORT(add_single);
HWY_EXPORT(add_double);
HWY_EXPORT(add_exact_single);
HWY_EXPORT(add_exact_double);
void add_rows(FitLoss loss, double scale, const FitRows<float>& in, const FitSums& sums) {
  HWY_DYNAMIC_DISPATCH(add_single)(loss, scale, in, sums);
}
void add_rows(FitLoss loss, double scale, const FitRows<double>& in, const FitSums& sums) {
  HWY_DYNAMIC_DISPATCH(add_double)(loss, scale, in, sums);
}
void add_rows_exactly(FitLoss loss, double scale, const FitRows<float>& in, const ExactSums& sums) {
  HWY_DYNAMIC_DISPATCH(add_exact_single)(loss, scale, in, sums);
}
void add_rows_exactly(FitLoss loss, double scale, const FitRows<double>& in, const ExactSums& sums) {
  HWY_DYNAMIC_DISPATCH(add_exact_double)(loss, scale, in, sums);
}
}  // namespace luge::cpu
#endif
