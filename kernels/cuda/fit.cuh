#pragma once
// Fits, a warp or a thread for each set: what every generated kernel of fits (fit/) consists of beside its model. The
// sums over a set's points are float64 and have an order that the numbers of its points and parameters alone determine.

#include <cstdint>

#include <luge/math/adam_search.h>
#include <luge/math/covariance.h>
#include <luge/math/fit_losses.h>
#include <luge/math/lbfgs.h>
#include <luge/math/levenberg.h>
#include <luge/math/nelder_mead.h>

#include "fit_data.cuh"

namespace luge::cuda {

namespace formula = math::scalar;

/// core/luge/seam/detail/fit_model.h has the same number.
inline constexpr int kMostFitted = 32;
/// Up to so many parameters each lane has sums of its own, in registers; with more the lanes share the sums out.
inline constexpr int kMostOwnSums = 8;
/// Up to so many parameters and points a thread fits a set alone, search and sums in its registers: in a warp for each
/// set 31 lanes would wait for the search of one.
inline constexpr int kMostAloneParameters = 4, kMostAlonePoints = 128;

constexpr int fit_products(int parameters) { return parameters * (parameters + 1) / 2; }
/// The cost (twice), the gradient, the products of columns.
constexpr int fit_sums(int parameters) { return 1 + parameters + fit_products(parameters); }

/// The row and the column of a place in a lower triangle.
struct TrianglePlace {
  int i = 0, j = 0;
  __device__ explicit TrianglePlace(int place) {
    while (fit_products(i + 1) <= place) ++i;
    j = place - fit_products(i);
  }
};

// ---- sums of a search

/// A team's memory.
template <template <int> class Search, int P>
struct SearchMemory {
  Search<P> search;
  double sums[fit_sums(P)];
};
/// What lanes hand to each other of a point each.
struct SearchPoint {
  double cost, score, curvature, columns[kMostFitted];
};
/// A warp's memory for more than kMostOwnSums parameters.
template <template <int> class Search>
struct LargeSearchMemory {
  Search<0> search;
  double sums[fit_sums(kMostFitted)];
  SearchPoint points[kWarp];
};

template <class Model, class Term>
__device__ inline formula::FitTerm<double> term_of(const FitValues<Model>& values, int output, const Term& term) {
  return term(static_cast<double>(values.f[output]), static_cast<double>(values.y[output]),
              static_cast<double>(values.weight[output]));
}

/// Each thread of a team sums its points; those of a warp are added up as in warp_reduce.
template <class Team, class Model, class Term, template <int> class Search>
__device__ inline void sum_points(const FitSet<Model>& set, const typename Model::Element* parameters, const Term& term,
                                  SearchMemory<Search, Model::kParameters>& memory) {
  constexpr int P = Model::kParameters;
  double own[fit_sums(P)] = {};
#pragma unroll 1
  for (std::int64_t point = Team::rank(); point < set.points(); point += Team::kSize) {
    FitValues<Model> values;
    if (!set.evaluate(parameters, point, values)) continue;
#pragma unroll
    for (int o = 0; o < Model::kOutputs; ++o) {
      if (values.weight[o] == 0) continue;
      const formula::FitTerm<double> part = term_of(values, o, term);
      own[0] += part.cost;
      double columns[P];
#pragma unroll
      for (int i = 0; i < P; ++i) {
        columns[i] = values.derivatives[o * P + i];
        own[1 + i] = formula::fma(part.score, columns[i], own[1 + i]);
        const double bent = part.curvature * columns[i];
#pragma unroll
        for (int j = 0; j <= i; ++j) {
          double& product = own[1 + P + fit_products(i) + j];
          product = formula::fma(bent, columns[j], product);
        }
      }
    }
  }
#pragma unroll
  for (int n = 0; n < fit_sums(P); ++n) {
    const double sum = Team::sum(own[n]);
    if (Team::rank() == 0) memory.sums[n] = sum;
  }
}

/// Each lane evaluates a point; then each adds 32 points to its part of the sums. Team is a warp.
template <class Team, class Model, class Term, template <int> class Search>
__device__ inline void sum_points(const FitSet<Model>& set, const typename Model::Element* parameters, const Term& term,
                                  LargeSearchMemory<Search>& memory) {
  constexpr int P = Model::kParameters;
  const int rank = WarpTeam::rank();
  for (int n = rank; n < fit_sums(P); n += kWarp) memory.sums[n] = 0;
  for (std::int64_t first = 0; first < set.points(); first += kWarp) {
    FitValues<Model> values;
    set.evaluate(parameters, first + rank, values);
    for (int o = 0; o < Model::kOutputs; ++o) {
      SearchPoint& own = memory.points[rank];
      const bool is_observed = values.weight[o] != 0;
      const formula::FitTerm<double> part = is_observed ? term_of(values, o, term) : formula::FitTerm<double>{};
      own.cost = part.cost;
      own.score = part.score;
      own.curvature = part.curvature;
      for (int i = 0; i < P; ++i)
        own.columns[i] = is_observed ? static_cast<double>(values.derivatives[o * P + i]) : 0.0;
      __syncwarp();
      for (int n = rank; n < fit_sums(P); n += kWarp) {
        double sum = memory.sums[n];
        if (n == 0) {
          for (const auto& point : memory.points) sum += point.cost;
        } else if (n <= P) {
          for (const auto& point : memory.points) sum = formula::fma(point.score, point.columns[n - 1], sum);
        } else {
          const TrianglePlace at(n - 1 - P);
          for (const auto& point : memory.points)
            sum = formula::fma(point.curvature * point.columns[at.i], point.columns[at.j], sum);
        }
        memory.sums[n] = sum;
      }
      __syncwarp();
    }
  }
}

// ---- searches

/// What luge::LeastSquares has beside the observations.
struct FitSearch {
  formula::FitSettings settings;
  double *cost, *optimality;
  int *steps, *status;
  void* memory;  ///< a LargeSearchMemory for each warp; null for up to kMostOwnSums parameters
  double* sums;  ///< null: nobody asks

  __device__ void write(std::int64_t set, double its_cost, double its_optimality, int its_steps, int its_status) const {
    cost[set] = its_cost;
    optimality[set] = its_optimality;
    steps[set] = its_steps;
    status[set] = its_status;
  }
};

/// Leaves the sums of what was found, or NaN; by the leader.
template <int P>
__device__ inline void write_sums(bool is_known, const formula::Levenberg<P>& search, std::int64_t set,
                                  std::int64_t sets, double* sums) {
  if (sums == nullptr) return;
  const double nan = __builtin_bit_cast(double, 0x7FF8000000000000ul);
  sums[set] = is_known ? 2 * search.cost() : nan;
  for (int i = 0; i < P; ++i)
    for (int j = 0; j <= i; ++j) sums[(1 + fit_products(i) + j) * sets + set] = is_known ? search.product(i, j) : nan;
}
/// Other searches are not asked for sums.
template <int P, class Search>
__device__ inline void write_sums(bool, const Search&, std::int64_t, std::int64_t, double*) {}

/// The leader begins; false where a set's observations cannot be fitted.
template <class Team, class Model, class Search>
__device__ inline bool begin_search(const FitSet<Model>& of, const double* start, Search& search) {
  constexpr int P = Model::kParameters;
  const Observed observed = of.template observe<Team>();
  if (!observed.is_finite || observed.count < of.free()) return false;
  if (Team::rank() != 0) return true;
  // Two calls, because a pointer that may be null would keep the arrays in memory.
  if (!of.is_bounded()) {
    search.begin(P, start, nullptr, nullptr, observed.count, observed.squares);
    return true;
  }
  double low[P], high[P];
#pragma unroll
  for (int p = 0; p < P; ++p) {
    low[p] = of.lower(p);
    high[p] = of.upper(p);
  }
  search.begin(P, start, low, high, observed.count, observed.squares);
  return true;
}

/// Threads of a warp that fit a set each evaluate their models together: whoever is done takes another set before.
template <class Team, class Model, class Term, class Memory>
__device__ inline void search_sets(const FitData<typename Model::Element>& data, const FitQueue& queue,
                                   const FitSearch& out, const Term& term, Memory& memory) {
  constexpr int P = Model::kParameters;
  constexpr int kBadData = -4, kDiverged = -2;  // FitStatus
  const double nan = __builtin_bit_cast(double, 0x7FF8000000000000ul);
  const bool leads = Team::rank() == 0;
  std::int64_t set = 0;
  bool goes_on = false;
  while (true) {
    while (!goes_on) {
      set = queue.template next<Team>();
      if (set >= data.sets) return;
      goes_on = begin_search<Team>(FitSet<Model>(data, set), data.parameters + set * P, memory.search);
      if (goes_on || !leads) continue;
      out.write(set, nan, nan, 0, kBadData);
      write_sums<P>(false, memory.search, set, data.sets, out.sums);
    }
    Team::sync();
    typename Model::Element parameters[P];
    for (int p = 0; p < P; ++p) parameters[p] = static_cast<typename Model::Element>(memory.search.trial()[p]);
    sum_points<Team>(FitSet<Model>(data, set), parameters, term, memory);
    Team::sync();
    if (leads) goes_on = !memory.search.tell(out.settings, memory.sums, 1);
    goes_on = Team::leaders(goes_on ? 1 : 0) != 0;
    if (goes_on || !leads) continue;
    double* const found = data.parameters + set * P;
    for (int p = 0; p < P; ++p) found[p] = memory.search.found()[p];
    out.write(set, memory.search.cost(), memory.search.cosine(), memory.search.steps(), memory.search.status());
    write_sums<P>(memory.search.status() != kDiverged, memory.search, set, data.sets, out.sums);
  }
}

/// The whole kernel, a warp for each set.
template <class Model, template <int> class Search, class Term>
__device__ inline void search_by_warps(const FitData<typename Model::Element>& data, const FitQueue& queue,
                                       const FitSearch& out, const Term& term) {
  if constexpr (Model::kParameters <= kMostOwnSums) {
    using Memory = SearchMemory<Search, Model::kParameters>;
    LUGE_SHARED(Memory, memory, kWarps);
    search_sets<FitWarp, Model>(data, queue, out, term, memory[threadIdx.x / kWarp]);
  } else {
    search_sets<FitWarp, Model>(data, queue, out, term,
                                static_cast<LargeSearchMemory<Search>*>(out.memory)[WarpTeam::first()]);
  }
}
/// The same, a thread for each set.
template <class Model, template <int> class Search, class Term>
__device__ inline void search_by_threads(const FitData<typename Model::Element>& data, const FitQueue& queue,
                                         const FitSearch& out, const Term& term) {
  SearchMemory<Search, Model::kParameters> memory{};
  search_sets<FitThread, Model>(data, queue, out, term, memory);
}

// ---- covariances

/// A warp's memory.
struct CovarianceMemory {
  struct Point {
    double residual, root, sign, score, columns[kMostFitted];
  };
  Point points[kWarp];
  /// Products of columns as the second derivative of the cost has them, each as two numbers; the sum of squared
  /// weighted residuals behind them; products with squared scores.
  double high[fit_products(kMostFitted) + 1], low[fit_products(kMostFitted) + 1], scores[fit_products(kMostFitted)];
  formula::CovarianceWork work;
};

/// What luge::Covariance has beside the observations.
struct FitCovariance {
  double *covariance, *condition, *chi2;
  int *free, *rank;
  CovarianceMemory* memory;  ///< one for each warp
  const double* sums;        ///< that the search has left; or null
  double tolerance;
  bool sandwich;
};

/// Adds a product to the unevaluated sum of two numbers: T. Ogita, S. M. Rump, S. Oishi, "Accurate sum and dot
/// product", SIAM J. Sci. Comput. 26 (2005).
__device__ inline void add_product(formula::Pair& sum, double a, double b) {
  const formula::Pair product = formula::pair_product(a, b), next = formula::pair_sum(sum.high, product.high);
  sum = {next.high, sum.low + (next.low + product.low)};
}

/// Each lane adds 32 points to its part of the sums.
template <int P>
__device__ inline void add_exactly(bool sandwich, CovarianceMemory& memory) {
  for (int n = WarpTeam::rank(); n <= fit_products(P); n += kWarp) {
    formula::Pair sum{memory.high[n], memory.low[n]};
    if (n == fit_products(P)) {
      for (const auto& point : memory.points) add_product(sum, point.residual, point.residual);
    } else {
      const TrianglePlace at(n);
      for (const auto& point : memory.points)
        add_product(sum, point.sign * (point.columns[at.i] * point.root), point.columns[at.j] * point.root);
      if (sandwich)
        for (const auto& point : memory.points)
          memory.scores[n] += point.columns[at.i] * point.score * point.score * point.columns[at.j];
    }
    memory.high[n] = sum.high;
    memory.low[n] = sum.low;
  }
}

template <class Model, class Term>
__device__ inline void sum_exactly(const FitSet<Model>& set, const typename Model::Element* parameters,
                                   const Term& term, bool sandwich, CovarianceMemory& memory) {
  constexpr int P = Model::kParameters;
  const int rank = WarpTeam::rank();
  for (int n = rank; n <= fit_products(P); n += kWarp) {
    memory.high[n] = memory.low[n] = 0;
    if (n < fit_products(P)) memory.scores[n] = 0;
  }
  for (std::int64_t first = 0; first < set.points(); first += kWarp) {
    FitValues<Model> values;
    set.evaluate(parameters, first + rank, values);
    for (int o = 0; o < Model::kOutputs; ++o) {
      CovarianceMemory::Point& own = memory.points[rank];
      const bool is_observed = values.weight[o] != 0;
      const formula::FitTerm<double> part = is_observed ? term_of(values, o, term) : formula::FitTerm<double>{};
      own.residual = is_observed ? (static_cast<double>(values.f[o]) - static_cast<double>(values.y[o])) *
                                       static_cast<double>(values.weight[o])
                                 : 0.0;
      own.root = formula::sqrt(formula::abs(part.bend));
      own.sign = part.bend < 0 ? -1.0 : 1.0;
      own.score = part.score;
      for (int i = 0; i < P; ++i)
        own.columns[i] = is_observed ? static_cast<double>(values.derivatives[o * P + i]) : 0.0;
      __syncwarp();
      add_exactly<P>(sandwich, memory);
      __syncwarp();
    }
  }
}

template <class Model>
__device__ inline unsigned bounds_met(const FitSet<Model>& of, const double* found) {
  unsigned bits = 0;
  for (int p = 0; p < Model::kParameters && of.is_bounded(); ++p)
    if (of.lower(p) == found[p] || of.upper(p) == found[p]) bits |= 1u << p;
  return bits;
}

/// By one lane, from what the search has left; false where exact sums are needed.
template <class Model>
__device__ inline bool write_plain_covariance(const FitSet<Model>& of, std::int64_t set, std::int64_t sets,
                                              const double* found, const FitCovariance& out) {
  constexpr int P = Model::kParameters;
  if constexpr (P > formula::kMostPlain) {
    return false;
  } else {
    if (out.sums == nullptr || bounds_met(of, found) != 0) return false;
    const double* const sums = out.sums + set;
    const auto product = [sums, sets](int i, int j) { return sums[(1 + fit_products(i) + j) * sets]; };
    formula::PlainCovariance<double> plain;
    if (!plain.find(P, product, static_cast<double>(of.points()) * Model::kOutputs)) return false;
    for (int i = 0; i < P; ++i)
      for (int j = 0; j < P; ++j) out.covariance[(set * P + i) * P + j] = plain.covariance(i, j);
    out.condition[set] = plain.condition();
    out.chi2[set] = sums[0];
    out.free[set] = out.rank[set] = P;
    return true;
  }
}

/// By one lane, from the sums.
template <class Model>
__device__ inline void write_covariance(const FitSet<Model>& of, std::int64_t set, const double* found,
                                        const FitCovariance& out, CovarianceMemory& memory) {
  constexpr int P = Model::kParameters, kProducts = fit_products(P);
  for (int k = 0; k < kProducts; ++k) {
    const formula::Pair pair = formula::pair_sum(memory.high[k], memory.low[k]);
    memory.high[k] = pair.high;
    memory.low[k] = pair.low;
  }
  const formula::CovarianceInput in{P, memory.high,           memory.low,   out.sandwich ? memory.scores : nullptr,
                                    1, bounds_met(of, found), out.tolerance};
  const formula::CovarianceOutput known = formula::covariance_of(in, memory.work, out.covariance + set * P * P);
  out.condition[set] = known.condition;
  out.chi2[set] = memory.high[kProducts] + memory.low[kProducts];
  out.free[set] = known.free;
  out.rank[set] = known.rank;
}

/// The whole kernel.
template <class Model, class Term>
__device__ inline void find_covariances(const FitData<typename Model::Element>& data, const FitQueue& queue,
                                        const FitCovariance& out, const Term& term) {
  constexpr int P = Model::kParameters;
  CovarianceMemory& memory = out.memory[WarpTeam::first()];
  for (std::int64_t set = queue.next<FitWarp>(); set < data.sets; set = queue.next<FitWarp>()) {
    const FitSet<Model> of(data, set);
    const double* const found = data.parameters + set * P;
    const bool is_known = WarpTeam::rank() == 0 && write_plain_covariance(of, set, data.sets, found, out);
    if (__shfl_sync(kWholeWarp, is_known ? 1 : 0, 0) != 0) continue;
    typename Model::Element parameters[P];
    for (int p = 0; p < P; ++p) parameters[p] = static_cast<typename Model::Element>(found[p]);
    sum_exactly(of, parameters, term, out.sandwich, memory);
    if (WarpTeam::rank() == 0) write_covariance(of, set, found, out, memory);
    __syncwarp();
  }
}

}  // namespace luge::cuda
