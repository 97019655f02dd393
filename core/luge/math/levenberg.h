// Levenberg and Marquardt's method, once for both backends: it says where to evaluate the model next and is told the
// cost, its gradient and the products of the Jacobian's columns there. It is written for a vector of fits, of which
// each goes its own way: where fits differ, a mask says for which of them a number is replaced. A GPU has vectors of
// one.
//
// A trust region with the damping that fits it: J. J. More, "The Levenberg-Marquardt algorithm: implementation and
// theory", Numerical Analysis, LNM 630 (1978), on the normal equations with columns scaled by their greatest length so
// far. Bounds: a parameter at a bound that the gradient presses against is held; a step stops at the first bound that
// it meets, and the others go on. Convergence: the relative offset of D. M. Bates and D. G. Watts, "A relative offset
// orthogonality convergence criterion for nonlinear least squares", Technometrics 23 (1981), with the ratio of the last
// two full steps telling what is left to go. Everything compares like with like, so that units play no part.
#include <luge/math/dialect.h>

#if defined(LUGE_MATH_LEVENBERG_H_) == defined(LUGE_TARGET_TOGGLE)
#ifdef LUGE_MATH_LEVENBERG_H_
#undef LUGE_MATH_LEVENBERG_H_
#else
#define LUGE_MATH_LEVENBERG_H_
#endif

LUGE_BEFORE_DIALECT
namespace luge::math::LUGE_DIALECT {

inline constexpr double kInfinite = __builtin_bit_cast(double, 0x7FF0000000000000ul);

template <class V>
LUGE_FN V larger(V a, V b) {
  return select(a > b, a, b);
}
template <class V>
LUGE_FN V smaller(V a, V b) {
  return select(a < b, a, b);
}
template <class V>
LUGE_FN V clipped(V x, V low, V high) {
  return select(x < low, low, select(x > high, high, x));
}

/// What fits of one call share. `status` numbers are those of core/luge/seam/fit.h.
struct FitSettings {
  double ftol, xtol, gtol;
  int max_steps;
  double epsilon, root_epsilon;  ///< of the model's values
};

/// A vector V of fits (double: one) with P parameters, or with P = 0 as many as there are, up to 32. All memory is the
/// object's own; before fits begin it is zero. What comes of a fit depends on nothing but what it was told.
template <class V, int P>
class LevenbergFits {
 public:
  using M = decltype(V(0.0) == V(0.0));
  static constexpr int kMost = P > 0 ? P : 32;

  /// Begins the fits of `which`; `low` and `high` may be null, for all or for none. `squares`: the sum of squares of
  /// the weighted observations.
  LUGE_FN void begin(M which, int parameters, const V* start, const V* low, const V* high, V observations, V squares) {
    parameters_ = parameters;
    const V spare = observations - V(static_cast<double>(parameters));
    set(root_degrees_, which, select(spare > V(0.0), sqrt(spare), V(1.0)));
    set(size_, which, sqrt(squares));
    for (int j = 0; j < count(); ++j) {
      set(low_[j], which, low ? low[j] : V(-kInfinite));
      set(high_[j], which, high ? high[j] : V(kInfinite));
      const V at = clipped(start[j], low_[j], high_[j]);
      set(at_[j], which, at);
      set(trial_[j], which, at);
    }
    is_bounded_ = low || high;
    set(steps_, which, V(0.0));
    starts_ = starts_ | which;
    ends_ = ends_ & !which;
  }

  /// Where the model is to be evaluated.
  LUGE_FN const V* trial() const { return trial_; }

  /// The sums there of the fits `told`: sums(0) is twice the cost, then come the gradient and the lower triangle of
  /// products row by row. Returns which of them have ended.
  template <class Sums>
  LUGE_FN M tell(const FitSettings& settings, const Sums& sums, M told) {
    set(steps_, told, steps_ + V(1.0));
    const V cost = sums(0) * V(0.5);
    V clean = cost - cost;  // 0, or NaN
    for (int k = 1; k < 1 + count() + products(); ++k) clean = clean + (sums(k) - sums(k));
    const M finite = clean == V(0.0);
    const M starts = told & starts_, ends = told & ends_, tries = told & !(starts | ends);
    M ended = ends, moved = none();
    V status(kGoesOn);
    if (any(ends)) end(settings, cost, finite, sums, ends);
    if (any(starts)) {
      moved = starts & finite;
      start(cost, sums, starts, moved);
      ended = ended | (starts & !finite);
    }
    if (any(tries)) {
      const M accepted = try_step(settings, cost, sums, tries, finite);
      moved = moved | accepted;
      set(status, tries & !accepted, rejected(settings));
    }
    if (any(moved)) set(status, moved, test(settings, moved));
    const M goes_on = moved | tries;
    if (any(goes_on)) ended = ended | go_on(settings, goes_on, status);
    return ended;
  }

  LUGE_FN const V* found() const { return at_; }
  LUGE_FN V cost() const { return cost_; }
  LUGE_FN V cosine() const { return optimality_; }
  LUGE_FN V steps() const { return steps_; }
  LUGE_FN V status() const { return status_; }
  /// At what was found, of fits that did not diverge.
  LUGE_FN V product(int i, int j) const { return products_[place(i, j)]; }

  static constexpr double kMaxSteps = 0, kGradient = 1, kCost = 2, kStep = 3, kPrecision = 5, kStalled = -1,
                          kDiverged = -2, kGoesOn = 100;

 private:
  static constexpr double kLeastRatio = 0.1, kMostLeft = 1e3;  ///< of two full steps in a row; steps left to go
  static constexpr double kRound = 4, kExact = 4096;           ///< units of rounding
  static constexpr double kPivot = 1e-14, kRidge = 1e-10;
  static constexpr double kFirstRadius = 1, kNear = 0.1;
  static constexpr int kSearches = 10;
  static constexpr double kAccepted = 1e-4, kPoor = 0.25, kGood = 0.75, kGrowth = 2;
  static constexpr double kCollapsed = 1e-12, kFlat = 1e-3;

  LUGE_FN static M none() { return V(0.0) != V(0.0); }
  LUGE_FN static void set(V& to, M where, V value) { to = select(where, value, to); }
  LUGE_FN static void set(M& to, M where, M value) { to = (where & value) | (to & !where); }

  LUGE_FN int count() const {
    if constexpr (P > 0) return P;
    return parameters_;
  }
  LUGE_FN int products() const { return count() * (count() + 1) / 2; }
  LUGE_FN static int place(int i, int j) { return i >= j ? i * (i + 1) / 2 + j : j * (j + 1) / 2 + i; }

  /// The length of a step in units of the columns.
  LUGE_FN V length(const V* step) const {
    V sum(0.0);
    for (int j = 0; j < count(); ++j) sum = sum + (scale_[j] * step[j]) * (scale_[j] * step[j]);
    return sqrt(sum);
  }

  template <class Sums>
  LUGE_FN void move(M which, V cost, const Sums& sums) {
    set(cost_, which, cost);
    for (int j = 0; j < count(); ++j) {
      set(at_[j], which, trial_[j]);
      set(gradient_[j], which, sums(1 + j));
    }
    for (int k = 0; k < products(); ++k) set(products_[k], which, sums(1 + count() + k));
  }

  /// Cholesky's factor, with the reciprocals of its diagonal.
  struct Factor {
    V lower[kMost * (kMost + 1) / 2], pivot[kMost];
  };
  /// That of the scaled products of the parameters in `chosen`, with `damping` added to the diagonal; rows of others
  /// are those of the identity. False where a pivot is nothing but rounding.
  LUGE_FN M factorize(const M* chosen, V damping, Factor& factor) const {
    M holds = !none();
    for (int j = 0; j < count(); ++j) {
      const M has_j = chosen[j];
      V diagonal = product(j, j) * inverse_[j] * inverse_[j] + damping;
      const V whole = diagonal;
      for (int k = 0; k < j; ++k) diagonal = diagonal - factor.lower[place(j, k)] * factor.lower[place(j, k)];
      holds = holds & ((diagonal > V(kPivot) * whole) | !has_j);
      const V root = sqrt(select(has_j, diagonal, V(1.0)));
      factor.lower[place(j, j)] = root;
      factor.pivot[j] = V(1.0) / root;
      for (int i = j + 1; i < count(); ++i) {
        V sum = select(has_j & chosen[i], product(i, j) * inverse_[i] * inverse_[j], V(0.0));
        for (int k = 0; k < j; ++k) sum = sum - factor.lower[place(i, k)] * factor.lower[place(j, k)];
        factor.lower[place(i, j)] = sum * factor.pivot[j];
      }
    }
    return holds;
  }
  LUGE_FN void forward(const Factor& factor, V* x) const {
    for (int i = 0; i < count(); ++i) {
      for (int k = 0; k < i; ++k) x[i] = x[i] - factor.lower[place(i, k)] * x[k];
      x[i] = x[i] * factor.pivot[i];
    }
  }
  LUGE_FN void backward(const Factor& factor, V* x) const {
    for (int i = count() - 1; i >= 0; --i) {
      for (int k = i + 1; k < count(); ++k) x[i] = x[i] - factor.lower[place(k, i)] * x[k];
      x[i] = x[i] * factor.pivot[i];
    }
  }

  /// The damped step of the free parameters, which ends at bounds. Returns for which of `which` a pivot failed; their
  /// step is to be found again.
  LUGE_FN M solve(M which, V damping, V* step) {
    Factor factor;
    M chosen[kMost], hit[kMost], going = none(), failed = none(), has_hit = none();
    for (int j = 0; j < count(); ++j) {
      set(step[j], which, V(0.0));
      chosen[j] = free_[j];
      hit[j] = none();
      going = going | free_[j];
    }
    going = going & which;
    while (any(going)) {
      const M holds = factorize(chosen, damping, factor);
      failed = failed | (going & !holds);
      going = going & holds;
      V x[kMost];
      for (int j = 0; j < count(); ++j) {
        V sum = gradient_[j];
        for (int h = 0; h < count() && is_bounded_; ++h) set(sum, hit[h], sum + product(j, h) * step[h]);
        x[j] = select(chosen[j], -sum * inverse_[j], V(0.0));
      }
      forward(factor, x);
      backward(factor, x);
      for (int j = 0; j < count(); ++j) set(step[j], going & chosen[j], x[j] * inverse_[j]);
      if (!is_bounded_) break;
      // The bound that is met first along the step.
      V part(kInfinite), to(0.0), first(-1.0);
      for (int j = 0; j < count(); ++j) {
        const V next = at_[j] + step[j];
        const M beyond = chosen[j] & !((next >= low_[j]) & (next <= high_[j]));
        const V way = select(next < low_[j], low_[j], high_[j]) - at_[j];
        const M is_first = beyond & (way / step[j] < part);
        set(part, is_first, way / step[j]);
        set(first, is_first, V(static_cast<double>(j)));
        set(to, is_first, way);
      }
      going = going & (first >= V(0.0));
      M left = none();
      for (int j = 0; j < count(); ++j) {
        const M meets = going & (first == V(static_cast<double>(j)));
        set(step[j], meets, to);
        hit[j] = hit[j] | meets;
        chosen[j] = chosen[j] & !meets;
        left = left | chosen[j];
      }
      has_hit = has_hit | going;
      going = going & left;
    }
    set(hit_, which & !failed, has_hit);
    return failed;
  }
  /// The same with damping that makes the pivots hold.
  LUGE_FN V solve_damped(M which, V damping, V* step) {
    for (M failed = solve(which, damping, step); any(failed); failed = solve(failed, damping, step))
      set(damping, failed, larger(V(10.0) * damping, V(kRidge)));
    return damping;
  }

  /// The damping whose step is as long as the radius, by More's iteration on 1 / length.
  LUGE_FN V find_damping(M which) const {
    Factor factor;
    V x[kMost], low = base_, steepest(0.0);
    for (int j = 0; j < count(); ++j)
      set(steepest, free_[j], steepest + (gradient_[j] * inverse_[j]) * (gradient_[j] * inverse_[j]));
    V high = sqrt(steepest) / radius_;
    V damping = smaller(larger(damping_, low), high);
    set(damping, damping == V(0.0), V(1e-3) * high);
    M going = which;
    for (int search = 0; search < kSearches && any(going); ++search) {
      const M holds = factorize(free_, damping, factor), failed = going & !holds;
      set(low, failed, damping);
      set(damping, failed, larger(V(10.0) * damping, V(1e-3) * high));
      for (int j = 0; j < count(); ++j) x[j] = select(free_[j], -gradient_[j] * inverse_[j], V(0.0));
      forward(factor, x);
      backward(factor, x);
      V square(0.0), steep(0.0);
      for (int j = 0; j < count(); ++j) square = square + x[j] * x[j];
      const V step = sqrt(square), beyond = step - radius_;
      going = going & (failed | !(abs(beyond) <= V(kNear) * radius_));
      forward(factor, x);
      for (int j = 0; j < count(); ++j) steep = steep + x[j] * x[j];
      V next = damping + square / steep * beyond / radius_;
      const M improved = going & !failed, is_long = beyond > V(0.0);
      set(low, improved & is_long, larger(low, damping));
      set(high, improved & !is_long, smaller(high, damping));
      going = going & (failed | !(high <= low));
      set(next, next <= low, larger(V(1e-3) * high, sqrt(low * high)));
      set(damping, going & !failed, smaller(next, high));
    }
    return damping;
  }

  LUGE_FN V optimality() const {
    V most(0.0);
    for (int j = 0; j < count(); ++j) {
      const V square = product(j, j);
      set(most, free_[j] & (square > V(0.0)), larger(most, gradient_[j] * gradient_[j] / square));
    }
    return sqrt(most / (V(2.0) * cost_));
  }

  /// After a move: finds the free parameters and Gauss and Newton's step, and whether that is still worth going.
  LUGE_FN V test(const FitSettings& settings, M which) {
    M any_free = none();
    for (int j = 0; j < count(); ++j) {
      const M presses =
          ((at_[j] <= low_[j]) & (gradient_[j] >= V(0.0))) | ((at_[j] >= high_[j]) & (gradient_[j] <= V(0.0)));
      set(free_[j], which, (low_[j] < high_[j]) & !presses);
      any_free = any_free | free_[j];
      set(full_[j], which, V(0.0));
    }
    set(base_, which, V(0.0));
    const V norm = sqrt(V(2.0) * cost_), cosine = optimality();
    const M is_slope = any_free & !(cost_ == V(0.0));
    set(optimality_, which, select(is_slope, cosine, V(0.0)));
    const M goes = which & is_slope & !(cosine <= V(settings.gtol));
    V status(kGradient);
    if (!any(goes)) return status;
    set(base_, goes, solve_damped(goes, V(0.0), full_));
    set(full_hit_, goes, hit_);
    V square(0.0);
    for (int i = 0; i < count(); ++i)
      for (int j = 0; j < count(); ++j) square = square + full_[i] * product(i, j) * full_[j];
    const V expected = select(square > V(0.0), sqrt(square), V(0.0));
    set(full_length_, goes, length(full_));
    const V size = length(at_), ratio = larger(expected / expected_, V(kLeastRatio));
    const V steps = select(ratio >= V(1.0), V(kMostLeft), smaller(V(kMostLeft), ratio / (V(1.0) - ratio)));
    const V left = select(was_full_ & (expected_ > V(0.0)), steps, V(1.0));
    set(expected_, goes, expected);
    V verdict(kGoesOn);
    set(verdict, (full_length_ * left <= V(settings.xtol) * size) & (optimality_ <= V(1e-2)), V(kStep));
    set(verdict, expected <= V(kRound * settings.epsilon) * size_, select(is_exact(settings), V(kCost), V(kPrecision)));
    set(verdict, expected * left <= V(settings.ftol) * norm / root_degrees_, V(kCost));
    set(verdict, full_length_ > V(1 + kNear) * radius_, V(kGoesOn));
    return select(goes, verdict, status);
  }

  /// `fits` that begin, of which those in `moved` have finite sums.
  template <class Sums>
  LUGE_FN void start(V cost, const Sums& sums, M fits, M moved) {
    const M diverged = fits & !moved;
    set(cost_, fits, cost);
    set(status_, diverged, V(kDiverged));
    set(optimality_, diverged, V(__builtin_bit_cast(double, 0x7FF8000000000000ul)));
    starts_ = starts_ & !fits;
    move(moved, cost, sums);
    for (int j = 0; j < count(); ++j) {
      const V square = product(j, j), scale = select(square > V(0.0), sqrt(square), V(1.0));
      set(scale_[j], moved, scale);
      set(inverse_[j], moved, V(1.0) / scale);
    }
    const V size = length(at_);
    set(radius_, moved, V(kFirstRadius) * select(size > V(0.0), size, sqrt(V(2.0) * cost_)));
    set(damping_, moved, V(0.0));
    set(expected_, moved, V(0.0));
    was_full_ = was_full_ & !moved;
    is_first_ = is_first_ | moved;
  }

  /// Judges steps; returns which of them are taken.
  template <class Sums>
  LUGE_FN M try_step(const FitSettings& settings, V cost, const Sums& sums, M fits, M finite) {
    M is_good = finite;
    // A column that has gone to nothing: the model no longer feels the parameter, and would not find back.
    for (int j = 0; j < count(); ++j)
      is_good = is_good & !(sums(1 + count() + place(j, j)) < V(kCollapsed * kCollapsed) * product(j, j));
    V gain = cost_ - cost, slopes(0.0);
    // Where the difference is rounding, the slopes at both ends are not.
    for (int j = 0; j < count(); ++j) slopes = slopes - V(0.5) * (gradient_[j] + sums(1 + j)) * (trial_[j] - at_[j]);
    set(gain, abs(gain) <= V(settings.root_epsilon) * cost_, slopes);
    const V ratio = select(is_good, gain / predicted_, V(-1.0));
    judge(fits, is_good, select(is_good, gain, V(-kInfinite)), ratio);
    const M accepted = fits & (ratio > V(kAccepted));
    move(accepted, cost, sums);
    for (int j = 0; j < count(); ++j) {
      const M grows = accepted & (product(j, j) > scale_[j] * scale_[j]);
      if (!any(grows)) continue;
      const V scale = sqrt(product(j, j));
      set(scale_[j], grows, scale);
      set(inverse_[j], grows, V(1.0) / scale);
    }
    set(was_full_, accepted, is_full_);
    return accepted;
  }

  /// What the ratio of gain and prediction makes of radius and damping.
  LUGE_FN void judge(M which, M is_good, V gain, V ratio) {
    const M is_poor = ratio <= V(kPoor), is_better = is_full_ | (ratio >= V(kGood));
    const V bent = larger(V(0.1), V(0.5) * slope_ / (slope_ + gain));
    const V part = select(is_good, select(gain >= V(0.0), V(0.5), bent), V(0.1));
    const V shorter = part * smaller(radius_, V(10.0) * step_length_);
    const V longer = larger(V(kGrowth) * step_length_, radius_);
    set(radius_, which, select(is_poor, shorter, select(is_better, longer, radius_)));
    const V less = select(is_better, V(0.5) * tried_damping_, tried_damping_);
    set(damping_, which, select(is_poor, tried_damping_ / part, less));
  }
  /// Whether the residuals are the rounding of the observations.
  LUGE_FN M is_exact(const FitSettings& settings) const {
    return sqrt(V(2.0) * cost_) <= V(kExact * settings.epsilon) * size_;
  }
  /// No step makes the cost smaller: at a minimum as far as rounding lets it be seen, or not.
  LUGE_FN V worn_out(const FitSettings& settings) const {
    return select(is_exact(settings), V(kCost), select(optimality_ <= V(kFlat), V(kPrecision), V(kStalled)));
  }
  LUGE_FN V rejected(const FitSettings& settings) const {
    return select(step_length_ > V(4 * settings.epsilon) * length(at_), V(kGoesOn), worn_out(settings));
  }

  /// The next trials of `which`, or their ends: returns those that have ended.
  LUGE_FN M go_on(const FitSettings& settings, M which, V status) {
    const M out_of_steps = which & (status == V(kGoesOn)) & (steps_ >= V(static_cast<double>(settings.max_steps)));
    set(status_, out_of_steps, V(kMaxSteps));
    M tries = none();
    M going = which & (status == V(kGoesOn)) & !out_of_steps;
    while (any(going)) {
      V step[kMost];
      for (int j = 0; j < count(); ++j) step[j] = full_[j];
      set(is_full_, going, full_length_ <= V(1 + kNear) * radius_);
      const M full = going & is_full_, part = going & !is_full_;
      set(tried_damping_, full, base_);
      set(hit_, full, full_hit_);
      if (any(part)) set(tried_damping_, part, solve_damped(part, find_damping(part), step));
      M moves = none();
      V slope(0.0);
      for (int j = 0; j < count(); ++j) {
        set(trial_[j], going, clipped(at_[j] + step[j], low_[j], high_[j]));
        step[j] = trial_[j] - at_[j];
        moves = moves | (step[j] != V(0.0));
        slope = slope + gradient_[j] * step[j];
      }
      set(slope_, going, slope);
      set(status, going & !moves, worn_out(settings));
      going = going & moves;
      set(step_length_, going, length(step));
      V predicted = -slope;
      for (int i = 0; i < count(); ++i)
        for (int j = 0; j < count(); ++j) predicted = predicted - V(0.5) * step[i] * product(i, j) * step[j];
      set(predicted_, going, predicted);
      set(radius_, going & is_first_ & !hit_, smaller(radius_, step_length_));
      is_first_ = is_first_ & !going;
      const M tried = going & (predicted > V(0.0));
      tries = tries | tried;
      going = going & !tried;
      if (!any(going)) break;
      judge(going, none(), V(-kInfinite), V(-1.0));
      set(status, going, rejected(settings));
      going = going & (status == V(kGoesOn));
    }
    const M left = which & !tries & !out_of_steps;
    if (!any(left)) return out_of_steps;
    set(status_, left, status);
    const M last = left & (status >= V(0.0)) & !(status == V(kPrecision));
    for (int j = 0; j < count(); ++j) set(trial_[j], last, clipped(at_[j] + full_[j], low_[j], high_[j]));
    ends_ = ends_ | last;
    return out_of_steps | (left & !last);
  }

  /// The step that was left, taken if it does what was expected of it.
  template <class Sums>
  LUGE_FN void end(const FitSettings& settings, V cost, M finite, const Sums& sums, M fits) {
    const V rounding = V(kRound * settings.epsilon) * size_;
    const M is_good = fits & finite & (cost <= cost_ * V(1 + settings.root_epsilon) + rounding * rounding);
    set(status_, fits & !is_good & !is_exact(settings), V(kStalled));
    move(is_good, cost, sums);
    set(optimality_, is_good & (cost_ > V(0.0)), optimality());
  }

  int parameters_;
  bool is_bounded_;
  M starts_, ends_;  ///< of which the next sums are those of the start, of the last step
  M is_full_, was_full_, is_first_, hit_, full_hit_;
  M free_[kMost];
  V steps_, status_;
  V root_degrees_, size_, cost_, optimality_, radius_, damping_, base_, tried_damping_;
  V expected_, full_length_, step_length_, slope_, predicted_;
  V low_[kMost], high_[kMost], at_[kMost], trial_[kMost], gradient_[kMost], full_[kMost], scale_[kMost],
      inverse_[kMost];
  V products_[kMost * (kMost + 1) / 2];
};

/// One fit.
template <int P>
class Levenberg : private LevenbergFits<double, P> {
 public:
  using Fits = LevenbergFits<double, P>;

  /// Begins a fit; `low` and `high` may be null. `squares`: the sum of squares of the weighted observations.
  LUGE_FN void begin(int parameters, const double* start, const double* low, const double* high, long observations,
                     double squares) {
    static_cast<Fits&>(*this) = Fits();
    Fits::begin(true, parameters, start, low, high, static_cast<double>(observations), squares);
  }
  /// The sums at trial(), `stride` apart: twice the cost, the gradient, the lower triangle of products row by row.
  /// Returns true when the fit has ended.
  LUGE_FN bool tell(const FitSettings& settings, const double* sums, long stride) {
    return Fits::tell(settings, Strided{sums, stride}, true);
  }
  LUGE_FN int steps() const { return static_cast<int>(Fits::steps()); }
  LUGE_FN int status() const { return static_cast<int>(Fits::status()); }
  using Fits::cosine;
  using Fits::cost;
  using Fits::found;
  using Fits::product;
  using Fits::trial;

 private:
  struct Strided {
    const double* sums;
    long stride;
    LUGE_FN double operator()(int k) const { return sums[k * stride]; }
  };
};

}  // namespace luge::math::LUGE_DIALECT
LUGE_AFTER_DIALECT

#endif  // toggling guard
