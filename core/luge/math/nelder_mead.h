// The simplex method for one fit, once for both backends: it compares costs and needs no derivative on its way.
//
// J. A. Nelder, R. Mead, "A simplex method for function minimization", Comput. J. 7 (1965), with the tie-breaking rules
// of J. C. Lagarias, J. A. Reeds, M. H. Wright, P. E. Wright, "Convergence properties of the Nelder-Mead simplex method
// in low dimensions", SIAM J. Optim. 9 (1998); the first simplex is SciPy's, 5 % of each parameter; bounds clip. A
// simplex can end where no minimum is (K. I. M. McKinnon, SIAM J. Optim. 9 (1998)): the derivatives at its best point
// decide whether it has converged or is spread out again.
#include <luge/math/fit_search.h>

#if defined(LUGE_MATH_NELDER_MEAD_H_) == defined(LUGE_TARGET_TOGGLE)
#ifdef LUGE_MATH_NELDER_MEAD_H_
#undef LUGE_MATH_NELDER_MEAD_H_
#else
#define LUGE_MATH_NELDER_MEAD_H_
#endif

LUGE_BEFORE_DIALECT
namespace luge::math::LUGE_DIALECT {

template <int P>
class NelderMead : public FitPoint<P> {
  using Base = FitPoint<P>;
  using Base::is_number, Base::at_, Base::cost_, Base::count, Base::high_, Base::kCost, Base::kGoesOn, Base::kMaxSteps,
      Base::kMost, Base::kStep, Base::low_, Base::steps_, Base::trial_;

 public:
  LUGE_FN void begin(int parameters, const double* start, const double* low, const double* high, long observations,
                     double squares) {
    this->begin_point(parameters, start, low, high, observations, squares);
    moved_ = 0;
    for (int j = 0; j < count(); ++j)
      if (low_[j] < high_[j]) movable_[moved_++] = j;
    restarts_ = 0;
    phase_ = Phase::Start;
  }

  LUGE_FN bool tell(const FitSettings& settings, const double* sums, long stride) {
    ++steps_;
    double cost = sums[0] / 2;
    if (!is_number(cost)) cost = kInfinite;
    if (phase_ == Phase::Start) {
      if (!this->has_start(cost < kInfinite, sums, stride)) return true;
      return spread(settings);
    }
    if (cost < cost_) this->move(sums, stride);
    switch (phase_) {
      case Phase::Start: break;
      case Phase::Spread:
      case Phase::Shrink:
        keep(order_[vertex_], cost);
        if (++vertex_ > moved_) {
          sort();
          return go_on(settings);
        }
        return phase_ == Phase::Spread ? spread_vertex(settings) : shrink_vertex(settings);
      case Phase::Reflect: return reflected(settings, cost);
      case Phase::Expand:
        if (cost < reflected_cost_) return replace_worst(settings, cost);
        take_reflected();
        return replace_worst(settings, reflected_cost_);
      case Phase::Outside:
        if (cost <= reflected_cost_) return replace_worst(settings, cost);
        return begin_shrink(settings);
      case Phase::Inside:
        if (cost < value_[order_[moved_]]) return replace_worst(settings, cost);
        return begin_shrink(settings);
    }
    return true;
  }

 private:
  enum class Phase { Start, Spread, Reflect, Expand, Outside, Inside, Shrink };
  static constexpr double kEdge = 0.05, kNegligible = 1e-6;
  static constexpr double kReflection = 1, kExpansion = 2, kContraction = 0.5;
  static constexpr int kRestarts = 20;
  static constexpr double kAlike = 1e-15;                        ///< parts of a float64 sum that are rounding
  static constexpr double kMinimum = 1e-4, kSingleMinimum = 30;  ///< standard errors; roots of a model's rounding
  static constexpr double kLeastGain = 1e-9;                     ///< part of the cost

  LUGE_FN bool evaluate(const FitSettings& settings, Phase phase) {
    phase_ = phase;
    if (steps_ < settings.max_steps) return false;
    const int tested = this->test(settings);
    return this->end(tested == kGoesOn ? kMaxSteps : tested);
  }
  LUGE_FN void keep(int vertex, double cost) {
    value_[vertex] = cost;
    for (int j = 0; j < count(); ++j) vertices_[vertex][j] = trial_[j];
  }

  /// The first simplex around the best point, or another one.
  LUGE_FN bool spread(const FitSettings& settings) {
    for (int k = 0; k <= moved_; ++k) order_[k] = k;
    for (int j = 0; j < count(); ++j) trial_[j] = at_[j];
    keep(0, cost_);
    spread_cost_ = cost_;
    vertex_ = 1;
    if (moved_ == 0) return this->end(this->test(settings));
    return spread_vertex(settings);
  }
  LUGE_FN bool spread_vertex(const FitSettings& settings) {
    const int j = movable_[vertex_ - 1];
    // A parameter of 0 has no size: what its column says of it is one.
    const double natural = smaller(this->first_radius(), sqrt(2 * cost_)) / this->scale(j);
    const double size = abs(at_[j]) > kNegligible * natural ? abs(at_[j]) : natural;
    double edge = (at_[j] < 0 ? -kEdge : kEdge) * size;
    if (restarts_ % 2 == 1) edge = -edge;
    if (at_[j] + edge > high_[j] || at_[j] + edge < low_[j]) edge = -edge;
    for (int k = 0; k < count(); ++k) trial_[k] = at_[k];
    trial_[j] = clipped(at_[j] + edge, low_[j], high_[j]);
    return evaluate(settings, Phase::Spread);
  }

  /// From best to worst; of equals the older one first.
  LUGE_FN void sort() {
    for (int k = 1; k <= moved_; ++k) {
      const int vertex = order_[k];
      int to = k;
      for (; to > 0 && value_[order_[to - 1]] > value_[vertex]; --to) order_[to] = order_[to - 1];
      order_[to] = vertex;
    }
  }

  /// The worst vertex, gone through the centre of the others by `part` of its way.
  LUGE_FN void place_trial(double part) {
    for (int j = 0; j < count(); ++j) {
      double centre = 0;
      for (int k = 0; k < moved_; ++k) centre += vertices_[order_[k]][j];
      centre /= moved_;
      // One that is held is not to be rounded.
      const double way = low_[j] < high_[j] ? centre - vertices_[order_[moved_]][j] : 0.0;
      trial_[j] = clipped(low_[j] < high_[j] ? centre + part * way : at_[j], low_[j], high_[j]);
    }
  }
  LUGE_FN void take_reflected() {
    for (int j = 0; j < count(); ++j) trial_[j] = reflected_[j];
  }
  LUGE_FN bool replace_worst(const FitSettings& settings, double cost) {
    keep(order_[moved_], cost);
    sort();
    return go_on(settings);
  }
  LUGE_FN bool reflected(const FitSettings& settings, double cost) {
    reflected_cost_ = cost;
    for (int j = 0; j < count(); ++j) reflected_[j] = trial_[j];
    if (cost < value_[order_[0]]) {
      place_trial(kExpansion);
      return evaluate(settings, Phase::Expand);
    }
    if (cost < value_[order_[moved_ - 1]]) return replace_worst(settings, cost);
    const bool outside = cost < value_[order_[moved_]];
    place_trial(outside ? kContraction : -kContraction);
    return evaluate(settings, outside ? Phase::Outside : Phase::Inside);
  }
  LUGE_FN bool begin_shrink(const FitSettings& settings) {
    vertex_ = 1;
    return shrink_vertex(settings);
  }
  LUGE_FN bool shrink_vertex(const FitSettings& settings) {
    const double *const best = vertices_[order_[0]], *const vertex = vertices_[order_[vertex_]];
    for (int j = 0; j < count(); ++j)
      trial_[j] = clipped(best[j] + kContraction * (vertex[j] - best[j]), low_[j], high_[j]);
    return evaluate(settings, Phase::Shrink);
  }

  /// Whether all vertices cost the same, or are the same.
  LUGE_FN int collapsed(const FitSettings& settings) const {
    const double best = value_[order_[0]], worst = value_[order_[moved_]];
    const double step = settings.ftol * sqrt(2 * best) / this->root_degrees_, rounding = settings.epsilon * this->size_;
    const double alike = larger(0.5 * larger(step * step, rounding * rounding), kAlike * best);
    if (worst - best <= alike) return kCost;
    double longest = 0, way[kMost];
    for (int k = 1; k <= moved_; ++k) {
      for (int j = 0; j < count(); ++j) way[j] = vertices_[order_[k]][j] - vertices_[order_[0]][j];
      longest = larger(longest, this->length(way));
    }
    return longest <= larger(settings.xtol, kAlike) * this->length(at_) ? kStep : kGoesOn;
  }

  LUGE_FN bool go_on(const FitSettings& settings) {
    const int status = collapsed(settings);
    if (status != kGoesOn) return conclude(settings, status);
    place_trial(kReflection);
    return evaluate(settings, Phase::Reflect);
  }

  /// The simplex has ended: what the derivatives say of its best point, or another simplex.
  LUGE_FN bool conclude(const FitSettings& settings, int status) {
    const int tested = this->test(settings);
    if (tested != kGoesOn) return this->end(tested);
    if (this->offset_ <= larger(kMinimum, kSingleMinimum * settings.root_epsilon)) return this->end(status);
    if (this->is_exact(settings)) return this->end(kCost);
    const bool goes_nowhere = restarts_ > 0 && spread_cost_ - cost_ <= kLeastGain * cost_;
    if (goes_nowhere || restarts_ == kRestarts) return this->end(this->worn_out(settings));
    ++restarts_;
    return spread(settings);
  }

  Phase phase_;
  int moved_, vertex_, restarts_;
  double reflected_cost_, spread_cost_;
  int movable_[kMost], order_[kMost + 1];
  double value_[kMost + 1], reflected_[kMost], vertices_[kMost + 1][kMost];
};

}  // namespace luge::math::LUGE_DIALECT
LUGE_AFTER_DIALECT

#endif  // toggling guard
