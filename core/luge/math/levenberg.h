// Levenberg and Marquardt's method for one fit, once for both backends: it says where to evaluate the model next and is
// told the cost, its gradient and the products of the Jacobian's columns there.
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

LUGE_FN bool is_finite_number(double x) { return x - x == 0; }
LUGE_FN double larger(double a, double b) { return a > b ? a : b; }
LUGE_FN double smaller(double a, double b) { return a < b ? a : b; }
LUGE_FN double clipped(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

/// What fits of one call share. `status` numbers are those of core/luge/seam/fit.h.
struct FitSettings {
  double ftol, xtol, gtol;
  int max_steps;
  double epsilon, root_epsilon;  ///< of the model's values
};

/// P parameters, or with P = 0 as many as there are, up to 32. All memory is the object's own.
template <int P>
class Levenberg {
 public:
  static constexpr int kMost = P > 0 ? P : 32;

  /// Begins a fit; `low` and `high` may be null. `squares`: the sum of squares of the weighted observations.
  LUGE_FN void begin(int parameters, const double* start, const double* low, const double* high, long observations,
                     double squares) {
    parameters_ = parameters;
    root_degrees_ = observations > parameters ? sqrt(static_cast<double>(observations - parameters)) : 1.0;
    size_ = sqrt(squares);
    for (int j = 0; j < count(); ++j) {
      low_[j] = low ? low[j] : -kInfinite;
      high_[j] = high ? high[j] : kInfinite;
      at_[j] = trial_[j] = clipped(start[j], low_[j], high_[j]);
    }
    is_bounded_ = low || high;
    steps_ = 0;
    phase_ = Phase::Start;
  }

  /// Where the model is to be evaluated.
  LUGE_FN const double* trial() const { return trial_; }

  /// The sums there, `stride` apart: twice the cost, the gradient, the lower triangle of products row by row. Returns
  /// true when the fit has ended.
  LUGE_FN bool tell(const FitSettings& settings, const double* sums, long stride) {
    ++steps_;
    const double cost = sums[0] / 2;
    bool finite = is_finite_number(cost);
    for (int k = 1; k < 1 + count() + products(); ++k) finite = finite && is_finite_number(sums[k * stride]);
    switch (phase_) {
      case Phase::Start: return started(settings, cost, finite, sums, stride);
      case Phase::Trial: return tried(settings, cost, finite, sums, stride);
      case Phase::Last: break;
    }
    // The step that was left, taken if it does what was expected of it.
    const double rounding = kRound * settings.epsilon * size_;
    if (finite && cost <= cost_ * (1 + settings.root_epsilon) + rounding * rounding) {
      move(cost, sums, stride);
      if (cost_ > 0) optimality_ = optimality();
    } else if (!is_exact(settings)) {
      status_ = kStalled;
    }
    return true;
  }

  LUGE_FN const double* found() const { return at_; }
  LUGE_FN double cost() const { return cost_; }
  LUGE_FN double cosine() const { return optimality_; }
  LUGE_FN int steps() const { return steps_; }
  LUGE_FN int status() const { return status_; }

 private:
  enum class Phase { Start, Trial, Last };
  static constexpr int kMaxSteps = 0, kGradient = 1, kCost = 2, kStep = 3, kPrecision = 5, kStalled = -1,
                       kDiverged = -2, kGoesOn = 100;

  static constexpr double kLeastRatio = 0.1, kMostLeft = 1e3;  ///< of two full steps in a row; steps left to go
  static constexpr double kRound = 4, kExact = 4096;           ///< units of rounding
  static constexpr double kPivot = 1e-14, kRidge = 1e-10;
  static constexpr double kFirstRadius = 1, kNear = 0.1;
  static constexpr int kSearches = 10;
  static constexpr double kAccepted = 1e-4, kPoor = 0.25, kGood = 0.75, kGrowth = 2;
  static constexpr double kCollapsed = 1e-12, kFlat = 1e-3;

  LUGE_FN int count() const {
    if constexpr (P > 0) return P;
    return parameters_;
  }
  LUGE_FN int products() const { return count() * (count() + 1) / 2; }
  LUGE_FN static int place(int i, int j) { return i >= j ? i * (i + 1) / 2 + j : j * (j + 1) / 2 + i; }
  LUGE_FN double product(int i, int j) const { return products_[place(i, j)]; }
  LUGE_FN bool is_free(int j) const { return (free_ >> j & 1) != 0; }

  /// The length of a step in units of the columns.
  LUGE_FN double length(const double* step) const {
    double sum = 0;
    for (int j = 0; j < count(); ++j) sum += (scale_[j] * step[j]) * (scale_[j] * step[j]);
    return sqrt(sum);
  }

  LUGE_FN void move(double cost, const double* sums, long stride) {
    cost_ = cost;
    for (int j = 0; j < count(); ++j) {
      at_[j] = trial_[j];
      gradient_[j] = sums[(1 + j) * stride];
    }
    for (int k = 0; k < products(); ++k) products_[k] = sums[(1 + count() + k) * stride];
  }

  /// Cholesky's factor of the scaled products of the parameters in `set`, with `damping` added to the diagonal; rows of
  /// others are those of the identity. False where a pivot is nothing but rounding.
  LUGE_FN bool factorize(unsigned set, double damping) {
    for (int j = 0; j < count(); ++j) {
      const bool has_j = (set >> j & 1) != 0;
      for (int i = j; i < count(); ++i) {
        const bool has_both = has_j && (set >> i & 1) != 0;
        double sum = has_both ? product(i, j) * inverse_[i] * inverse_[j] : 0.0;
        if (i == j) {
          if (!has_j) {
            factor_[place(j, j)] = 1;
            pivot_[j] = 1;
            continue;
          }
          sum += damping;
          const double whole = sum;
          for (int k = 0; k < j; ++k) sum -= factor_[place(j, k)] * factor_[place(j, k)];
          if (!(sum > kPivot * whole)) return false;
          factor_[place(j, j)] = sqrt(sum);
          pivot_[j] = 1 / factor_[place(j, j)];
        } else {
          for (int k = 0; k < j; ++k) sum -= factor_[place(i, k)] * factor_[place(j, k)];
          factor_[place(i, j)] = sum * pivot_[j];
        }
      }
    }
    return true;
  }
  LUGE_FN void forward(double* x) const {
    for (int i = 0; i < count(); ++i) {
      for (int k = 0; k < i; ++k) x[i] -= factor_[place(i, k)] * x[k];
      x[i] *= pivot_[i];
    }
  }
  LUGE_FN void backward(double* x) const {
    for (int i = count() - 1; i >= 0; --i) {
      for (int k = i + 1; k < count(); ++k) x[i] -= factor_[place(k, i)] * x[k];
      x[i] *= pivot_[i];
    }
  }

  /// The damped step of the free parameters, which ends at bounds; false where a pivot fails.
  LUGE_FN bool solve(double damping, double* step) {
    unsigned set = free_, hit = 0;
    for (int j = 0; j < count(); ++j) step[j] = 0;
    while (set != 0) {
      if (!factorize(set, damping)) return false;
      double x[kMost];
      for (int j = 0; j < count(); ++j) {
        double sum = gradient_[j];
        for (int h = 0; h < count() && hit != 0; ++h)
          if (hit >> h & 1) sum += product(j, h) * step[h];
        x[j] = (set >> j & 1) != 0 ? -sum * inverse_[j] : 0.0;
      }
      forward(x);
      backward(x);
      for (int j = 0; j < count(); ++j)
        if (set >> j & 1) step[j] = x[j] * inverse_[j];
      if (!is_bounded_) break;
      // The bound that is met first along the step.
      int first = -1;
      double part = kInfinite, to = 0;
      for (int j = 0; j < count(); ++j) {
        if (!(set >> j & 1)) continue;
        const double next = at_[j] + step[j];
        if (next >= low_[j] && next <= high_[j]) continue;
        const double way = (next < low_[j] ? low_[j] : high_[j]) - at_[j];
        if (way / step[j] < part) {
          part = way / step[j];
          first = j;
          to = way;
        }
      }
      if (first < 0) break;
      step[first] = to;
      hit |= 1u << first;
      set &= ~(1u << first);
    }
    hit_ = hit;
    return true;
  }
  /// The same with damping that makes the pivots hold.
  LUGE_FN double solve_damped(double damping, double* step) {
    while (!solve(damping, step)) damping = larger(10 * damping, kRidge);
    return damping;
  }

  /// The damping whose step is as long as the radius, by More's iteration on 1 / length.
  LUGE_FN double find_damping() {
    double x[kMost], low = base_, steepest = 0;
    for (int j = 0; j < count(); ++j)
      if (is_free(j)) steepest += (gradient_[j] * inverse_[j]) * (gradient_[j] * inverse_[j]);
    double high = sqrt(steepest) / radius_;
    double damping = smaller(larger(damping_, low), high);
    if (damping == 0) damping = 1e-3 * high;
    for (int search = 0; search < kSearches; ++search) {
      if (!factorize(free_, damping)) {
        low = damping;
        damping = larger(10 * damping, 1e-3 * high);
        continue;
      }
      for (int j = 0; j < count(); ++j) x[j] = is_free(j) ? -gradient_[j] * inverse_[j] : 0.0;
      forward(x);
      backward(x);
      double square = 0, steep = 0;
      for (int j = 0; j < count(); ++j) square += x[j] * x[j];
      const double step = sqrt(square), beyond = step - radius_;
      if (abs(beyond) <= kNear * radius_) break;
      forward(x);
      for (int j = 0; j < count(); ++j) steep += x[j] * x[j];
      double next = damping + square / steep * beyond / radius_;
      if (beyond > 0)
        low = larger(low, damping);
      else
        high = smaller(high, damping);
      if (high <= low) break;
      if (next <= low) next = larger(1e-3 * high, sqrt(low * high));
      damping = smaller(next, high);
    }
    return damping;
  }

  LUGE_FN double optimality() const {
    double most = 0;
    for (int j = 0; j < count(); ++j) {
      const double square = product(j, j);
      if (is_free(j) && square > 0) most = larger(most, gradient_[j] * gradient_[j] / square);
    }
    return sqrt(most / (2 * cost_));
  }

  /// After a move: finds the free parameters and Gauss and Newton's step, and whether that is still worth going.
  LUGE_FN int test(const FitSettings& settings) {
    free_ = 0;
    for (int j = 0; j < count(); ++j) {
      const bool presses = (at_[j] <= low_[j] && gradient_[j] >= 0) || (at_[j] >= high_[j] && gradient_[j] <= 0);
      if (low_[j] < high_[j] && !presses) free_ |= 1u << j;
      full_[j] = 0;
    }
    base_ = 0;
    optimality_ = 0;
    if (cost_ == 0 || free_ == 0) return kGradient;
    const double norm = sqrt(2 * cost_);
    optimality_ = optimality();
    if (optimality_ <= settings.gtol) return kGradient;
    base_ = solve_damped(0, full_);
    full_hit_ = hit_;
    double square = 0;
    for (int i = 0; i < count(); ++i)
      for (int j = 0; j < count(); ++j) square += full_[i] * product(i, j) * full_[j];
    const double expected = square > 0 ? sqrt(square) : 0.0;
    full_length_ = length(full_);
    const double size = length(at_);
    double left = 1;
    if (was_full_ && expected_ > 0) {
      const double ratio = larger(expected / expected_, kLeastRatio);
      left = ratio >= 1 ? kMostLeft : smaller(kMostLeft, ratio / (1 - ratio));
    }
    expected_ = expected;
    if (full_length_ > (1 + kNear) * radius_) return kGoesOn;
    if (expected * left <= settings.ftol * norm / root_degrees_) return kCost;
    if (expected <= kRound * settings.epsilon * size_) return is_exact(settings) ? kCost : kPrecision;
    if (full_length_ * left <= settings.xtol * size && optimality_ <= 1e-2) return kStep;
    return kGoesOn;
  }

  LUGE_FN bool started(const FitSettings& settings, double cost, bool finite, const double* sums, long stride) {
    cost_ = cost;
    if (!finite) {
      status_ = kDiverged;
      optimality_ = __builtin_bit_cast(double, 0x7FF8000000000000ul);
      return true;
    }
    move(cost, sums, stride);
    for (int j = 0; j < count(); ++j) {
      const double square = product(j, j);
      scale_[j] = square > 0 ? sqrt(square) : 1.0;
      inverse_[j] = 1 / scale_[j];
    }
    const double size = length(at_);
    radius_ = kFirstRadius * (size > 0 ? size : sqrt(2 * cost_));
    damping_ = 0;
    expected_ = 0;
    was_full_ = false;
    is_first_ = true;
    return go_on(settings, test(settings));
  }

  LUGE_FN bool tried(const FitSettings& settings, double cost, bool finite, const double* sums, long stride) {
    bool is_good = finite;
    // A column that has gone to nothing: the model no longer feels the parameter, and would not find back.
    for (int j = 0; j < count() && is_good; ++j)
      if (sums[(1 + count() + place(j, j)) * stride] < kCollapsed * kCollapsed * product(j, j)) is_good = false;
    double gain = -kInfinite, ratio = -1;
    if (is_good) {
      gain = cost_ - cost;
      if (abs(gain) <= settings.root_epsilon * cost_) {
        // The difference is rounding; the slopes at both ends are not.
        gain = 0;
        for (int j = 0; j < count(); ++j) gain -= 0.5 * (gradient_[j] + sums[(1 + j) * stride]) * (trial_[j] - at_[j]);
      }
      ratio = gain / predicted_;
    }
    judge(is_good, gain, ratio);
    if (ratio > kAccepted) {
      move(cost, sums, stride);
      for (int j = 0; j < count(); ++j) {
        if (!(product(j, j) > scale_[j] * scale_[j])) continue;
        scale_[j] = sqrt(product(j, j));
        inverse_[j] = 1 / scale_[j];
      }
      was_full_ = is_full_;
      return go_on(settings, test(settings));
    }
    return go_on(settings, rejected(settings));
  }

  /// What the ratio of gain and prediction makes of radius and damping.
  LUGE_FN void judge(bool is_good, double gain, double ratio) {
    damping_ = tried_damping_;
    if (ratio <= kPoor) {
      const double part = !is_good ? 0.1 : gain >= 0 ? 0.5 : larger(0.1, 0.5 * slope_ / (slope_ + gain));
      radius_ = part * smaller(radius_, 10 * step_length_);
      damping_ = tried_damping_ / part;
    } else if (is_full_ || ratio >= kGood) {
      radius_ = larger(kGrowth * step_length_, radius_);
      damping_ = 0.5 * tried_damping_;
    }
  }
  /// Whether the residuals are the rounding of the observations.
  LUGE_FN bool is_exact(const FitSettings& settings) const {
    return sqrt(2 * cost_) <= kExact * settings.epsilon * size_;
  }
  /// No step makes the cost smaller: at a minimum as far as rounding lets it be seen, or not.
  LUGE_FN int worn_out(const FitSettings& settings) const {
    return is_exact(settings) ? kCost : optimality_ <= kFlat ? kPrecision : kStalled;
  }
  LUGE_FN int rejected(const FitSettings& settings) const {
    return step_length_ > 4 * settings.epsilon * length(at_) ? kGoesOn : worn_out(settings);
  }

  /// The next trial, or the end.
  LUGE_FN bool go_on(const FitSettings& settings, int status) {
    while (status == kGoesOn) {
      if (steps_ >= settings.max_steps) {
        status_ = kMaxSteps;
        return true;
      }
      is_full_ = full_length_ <= (1 + kNear) * radius_;
      double step[kMost];
      if (is_full_) {
        for (int j = 0; j < count(); ++j) step[j] = full_[j];
        tried_damping_ = base_;
        hit_ = full_hit_;
      } else {
        tried_damping_ = solve_damped(find_damping(), step);
      }
      bool moves = false;
      slope_ = 0;
      for (int j = 0; j < count(); ++j) {
        trial_[j] = clipped(at_[j] + step[j], low_[j], high_[j]);
        step[j] = trial_[j] - at_[j];
        moves = moves || step[j] != 0;
        slope_ += gradient_[j] * step[j];
      }
      if (!moves) {
        status = worn_out(settings);
        break;
      }
      step_length_ = length(step);
      predicted_ = -slope_;
      for (int i = 0; i < count(); ++i)
        for (int j = 0; j < count(); ++j) predicted_ -= 0.5 * step[i] * product(i, j) * step[j];
      if (is_first_ && hit_ == 0) radius_ = smaller(radius_, step_length_);
      is_first_ = false;
      if (predicted_ > 0) {
        phase_ = Phase::Trial;
        return false;
      }
      judge(false, -kInfinite, -1);
      status = rejected(settings);
    }
    status_ = status;
    if (status < 0 || status == kPrecision) return true;
    for (int j = 0; j < count(); ++j) trial_[j] = clipped(at_[j] + full_[j], low_[j], high_[j]);
    phase_ = Phase::Last;
    return false;
  }

  int parameters_, steps_, status_;
  unsigned free_, hit_, full_hit_;  ///< parameters, bit by bit
  Phase phase_;
  bool is_full_, was_full_, is_first_, is_bounded_;
  double root_degrees_, size_, cost_, optimality_, radius_, damping_, base_, tried_damping_;
  double expected_, full_length_, step_length_, slope_, predicted_;
  double low_[kMost], high_[kMost], at_[kMost], trial_[kMost], gradient_[kMost], full_[kMost], scale_[kMost],
      inverse_[kMost], pivot_[kMost];
  double products_[kMost * (kMost + 1) / 2], factor_[kMost * (kMost + 1) / 2];
};

}  // namespace luge::math::LUGE_DIALECT
LUGE_AFTER_DIALECT

#endif  // toggling guard
