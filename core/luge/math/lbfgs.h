// The limited-memory method of quasi-Newton steps within bounds for one fit, once for both backends.
//
// R. H. Byrd, P. Lu, J. Nocedal, C. Zhu, "A limited memory algorithm for bound constrained optimization", SIAM J. Sci.
// Comput. 16 (1995): the first minimum of the quadratic model along the projected gradient says which bounds hold, the
// model's minimum over the other parameters is the direction. J. L. Morales, J. Nocedal, "Remark on algorithm 778", ACM
// Trans. Math. Softw. 38 (2011): it is brought into the bounds by projection. The model's matrix is made anew for each
// direction, from the lengths of the Jacobian's columns and the last ten steps: of 32 parameters at most it is cheaper
// to have than the products that stand for it. Steps along the direction are halved and doubled by cubics until they
// fulfil Wolfe's conditions (A. S. Lewis, M. L. Overton, "Nonsmooth optimization via quasi-Newton methods", Math.
// Program. 141 (2013)).
#include <luge/math/fit_search.h>

#if defined(LUGE_MATH_LBFGS_H_) == defined(LUGE_TARGET_TOGGLE)
#ifdef LUGE_MATH_LBFGS_H_
#undef LUGE_MATH_LBFGS_H_
#else
#define LUGE_MATH_LBFGS_H_
#endif

LUGE_BEFORE_DIALECT
namespace luge::math::LUGE_DIALECT {

template <int P>
class Lbfgs : public FitPoint<P> {
  using Base = FitPoint<P>;
  using Base::is_number, Base::at_, Base::count, Base::gradient_, Base::high_, Base::kGoesOn, Base::kMaxSteps,
      Base::kMost, Base::low_, Base::place, Base::scale, Base::steps_, Base::trial_;

 public:
  LUGE_FN void begin(int parameters, const double* start, const double* low, const double* high, long observations,
                     double squares) {
    this->begin_point(parameters, start, low, high, observations, squares);
    pairs_ = first_ = 0;
    phase_ = Phase::Start;
  }

  LUGE_FN bool tell(const FitSettings& settings, const double* sums, long stride) {
    ++steps_;
    const bool finite = this->is_finite(sums, stride);
    switch (phase_) {
      case Phase::Start:
        if (!this->has_start(finite, sums, stride)) return true;
        return go_on(settings);
      case Phase::Search: return tried(settings, finite && !this->is_collapsed(kFaded, sums, stride), sums, stride);
      case Phase::Settle: break;
    }
    accept(sums, stride);
    return go_on(settings);
  }

 private:
  enum class Phase { Start, Search, Settle };
  static constexpr int kMemory = 10, kTrials = 30;
  static constexpr double kDecrease = 1e-4, kFlatter = 0.9;  ///< Wolfe's conditions
  static constexpr double kNarrow = 0.1, kGrowth = 2, kFirstRadius = 0.5;
  static constexpr double kFaded = 0.1;  ///< of a column's length, in one step
  static constexpr double kNothing = 1e-15;

  LUGE_FN static double product_of(const double* a, const double* b, int count) {
    double sum = 0;
    for (int j = 0; j < count; ++j) sum += a[j] * b[j];
    return sum;
  }
  /// The model's matrix times x.
  LUGE_FN void times_matrix(const double* x, double* to) const {
    for (int i = 0; i < count(); ++i) {
      to[i] = 0;
      for (int j = 0; j < count(); ++j) to[i] += matrix_[place(i, j)] * x[j];
    }
  }
  LUGE_FN double* step_of(int pair) { return memory_[2 * ((first_ + pair) % kMemory)]; }
  LUGE_FN double* change_of(int pair) { return memory_[2 * ((first_ + pair) % kMemory) + 1]; }

  LUGE_FN void make_matrix() {
    const int n = count();
    double stiffness = 1;
    if (pairs_ > 0) {
      const double *step = step_of(pairs_ - 1), *change = change_of(pairs_ - 1);
      double square = 0;
      for (int j = 0; j < n; ++j) square += (change[j] / scale(j)) * (change[j] / scale(j));
      stiffness = square / product_of(step, change, n);
    }
    for (int i = 0; i < n; ++i)
      for (int j = 0; j <= i; ++j) matrix_[place(i, j)] = i == j ? stiffness * scale(i) * scale(i) : 0.0;
    for (int pair = 0; pair < pairs_; ++pair) {
      const double *step = step_of(pair), *change = change_of(pair);
      double image[kMost];
      times_matrix(step, image);
      const double bend = product_of(step, image, n), curvature = product_of(step, change, n);
      for (int i = 0; i < n; ++i)
        for (int j = 0; j <= i; ++j)
          matrix_[place(i, j)] += change[i] * change[j] / curvature - image[i] * image[j] / bend;
    }
  }

  /// The first minimum of the model along the projected gradient; returns the parameters that are at no bound there.
  LUGE_FN unsigned find_cauchy_point(double* way) const {
    double direction[kMost], image[kMost], left[kMost];
    unsigned inside = 0;
    for (int j = 0; j < count(); ++j) {
      direction[j] = -gradient_[j] / (scale(j) * scale(j));
      way[j] = 0;
      const double room = direction[j] < 0 ? low_[j] - at_[j] : high_[j] - at_[j];
      left[j] = direction[j] == 0 ? kInfinite : room / direction[j];
      if (left[j] > 0 && low_[j] < high_[j])
        inside |= 1u << j;
      else
        direction[j] = 0;
    }
    while (inside != 0) {
      times_matrix(direction, image);
      double slope = 0, bend = 0, next = kInfinite;
      for (int j = 0; j < count(); ++j) {
        slope += gradient_[j] * direction[j] + way[j] * image[j];
        bend += direction[j] * image[j];
        if (direction[j] != 0) next = smaller(next, left[j]);
      }
      if (!(slope < 0) || !(bend > 0)) break;
      const double most = -slope / bend;
      for (int j = 0; j < count(); ++j) {
        if (direction[j] == 0) continue;
        way[j] += smaller(most, next) * direction[j];
        if (left[j] > next || most < next) {
          left[j] -= next;
          continue;
        }
        way[j] = (direction[j] < 0 ? low_[j] : high_[j]) - at_[j];
        direction[j] = 0;
        inside &= ~(1u << j);
      }
      if (most < next) break;
    }
    return inside;
  }

  /// False where there is no direction in which the cost falls.
  LUGE_FN bool find_direction() {
    make_matrix();
    double way[kMost], rest[kMost], image[kMost];
    unsigned inside = this->free_;
    for (int j = 0; j < count(); ++j) way[j] = 0;
    if (this->is_bounded_) inside = find_cauchy_point(way);
    times_matrix(way, image);
    for (int j = 0; j < count(); ++j) rest[j] = (inside >> j & 1) != 0 ? -(gradient_[j] + image[j]) : 0.0;
    if (!this->factorize(matrix_, inside, 0)) return false;
    this->solve(rest);
    double part = 1;
    for (int j = 0; j < count(); ++j) direction_[j] = clipped(at_[j] + way[j] + rest[j], low_[j], high_[j]) - at_[j];
    slope_ = product_of(gradient_, direction_, count());
    if (!(slope_ < 0) && this->is_bounded_) {
      for (int j = 0; j < count(); ++j) {
        if (rest[j] == 0) continue;
        const double room = (rest[j] < 0 ? low_[j] : high_[j]) - at_[j] - way[j];
        part = smaller(part, larger(room / rest[j], 0.0));
      }
      for (int j = 0; j < count(); ++j) direction_[j] = way[j] + part * rest[j];
      slope_ = product_of(gradient_, direction_, count());
    }
    if (!(slope_ < 0)) return false;
    most_ = kInfinite;
    for (int j = 0; j < count(); ++j)
      if (direction_[j] != 0)
        most_ = smaller(most_, larger(1.0, ((direction_[j] < 0 ? low_[j] : high_[j]) - at_[j]) / direction_[j]));
    return true;
  }

  /// After a move: another search, or the end.
  LUGE_FN bool go_on(const FitSettings& settings) {
    const int status = this->test(settings);
    return status == kGoesOn ? begin_search(settings) : this->end(status);
  }
  /// The first trial along the next direction, or the end.
  LUGE_FN bool begin_search(const FitSettings& settings) {
    if (steps_ >= settings.max_steps) return this->end(kMaxSteps);
    while (true) {
      if (find_direction()) {
        trials_ = 0;
        nearer_ = {0, 0, slope_};
        has_farther_ = false;
        part_ = pairs_ == 0 ? first_part() : 1.0;
        phase_ = Phase::Search;
        if (place_trial()) return false;
      }
      if (pairs_ == 0) return this->end(this->worn_out(settings));
      pairs_ = 0;
    }
  }
  /// The line search has found nothing: from here without what is remembered, or not at all.
  LUGE_FN bool give_up(const FitSettings& settings) {
    if (pairs_ == 0) return this->end(this->worn_out(settings));
    pairs_ = 0;
    return begin_search(settings);
  }

  /// How far to go first: to the minimum of Gauss and Newton's model, and no farther than half the size of parameters.
  LUGE_FN double first_part() const {
    double bend = 0;
    for (int i = 0; i < count(); ++i)
      for (int j = 0; j < count(); ++j) bend += direction_[i] * this->product(i, j) * direction_[j];
    const double least = bend > 0 ? -slope_ / bend : 1.0;
    return smaller(smaller(1.0, least), kFirstRadius * this->first_radius() / this->length(direction_));
  }

  /// False where that is where the search began.
  LUGE_FN bool place_trial() {
    bool moves = false;
    for (int j = 0; j < count(); ++j) {
      trial_[j] = clipped(at_[j] + part_ * direction_[j], low_[j], high_[j]);
      moves = moves || trial_[j] != at_[j];
    }
    return moves;
  }

  /// Goes to the trial and remembers the way there, in place of the oldest one.
  LUGE_FN void accept(const double* sums, long stride) {
    double curvature = 0, longest = 0, steepest = 0;
    for (int j = 0; j < count(); ++j) {
      const double step = trial_[j] - at_[j], change = sums[(1 + j) * stride] - gradient_[j];
      curvature += step * change;
      longest += (step * scale(j)) * (step * scale(j));
      steepest += (change / scale(j)) * (change / scale(j));
    }
    if (curvature > kNothing * sqrt(longest) * sqrt(steepest)) {
      if (pairs_ == kMemory) first_ = (first_ + 1) % kMemory;
      if (pairs_ < kMemory) ++pairs_;
      double *const step = step_of(pairs_ - 1), *const change = change_of(pairs_ - 1);
      for (int j = 0; j < count(); ++j) {
        step[j] = trial_[j] - at_[j];
        change[j] = sums[(1 + j) * stride] - gradient_[j];
      }
    }
    this->move(sums, stride);
  }

  /// A place along the direction: how much the cost has risen, and its slope.
  struct Place {
    double part, rise, slope;
  };

  LUGE_FN bool tried(const FitSettings& settings, bool is_good, const double* sums, long stride) {
    Place here{part_, kInfinite, 0};
    if (is_good) {
      here.rise = -this->gain(settings, sums, stride);
      for (int j = 0; j < count(); ++j) here.slope += sums[(1 + j) * stride] * direction_[j];
    }
    const bool falls = is_good && here.rise <= kDecrease * part_ * slope_;
    if (falls && (here.slope >= kFlatter * slope_ || part_ >= most_)) {
      accept(sums, stride);
      return go_on(settings);
    }
    if (falls) {
      nearer_ = here;
    } else {
      farther_ = here;
      has_farther_ = true;
    }
    const double width = (has_farther_ ? farther_.part : part_) - nearer_.part;
    const bool is_over = ++trials_ >= kTrials ||
                         (has_farther_ && width * this->length(direction_) <= 4 * settings.epsilon * this->length(at_));
    if (is_over) {
      if (nearer_.part == 0) return give_up(settings);
      part_ = nearer_.part;
      phase_ = Phase::Settle;
    } else if (has_farther_) {
      const double middle = farther_.rise < kInfinite ? least_between(nearer_, farther_) : 0.0;
      part_ = nearer_.part + clipped(middle, kNarrow, 1 - kNarrow) * width;
    } else {
      part_ = smaller(most_, kGrowth * part_);
    }
    if (!place_trial()) return give_up(settings);
    return steps_ >= settings.max_steps ? this->end(kMaxSteps) : false;
  }

  /// The minimum of the cubic that has the values and slopes of both places, as a part of the way between them.
  LUGE_FN static double least_between(const Place& a, const Place& b) {
    const double width = b.part - a.part, slope_a = a.slope * width, slope_b = b.slope * width;
    const double bend = slope_a + slope_b - 3 * (b.rise - a.rise), square = bend * bend - slope_a * slope_b;
    if (!(square >= 0)) return 0.5;
    const double root = sqrt(square), result = 1 - (slope_b + root - bend) / (slope_b - slope_a + 2 * root);
    return is_number(result) ? result : 0.5;
  }

  Phase phase_;
  int pairs_, first_, trials_;
  bool has_farther_;
  double slope_, part_, most_;
  Place nearer_, farther_;
  double direction_[kMost], matrix_[kMost * (kMost + 1) / 2];
  double memory_[2 * kMemory][kMost];  ///< steps, and how the gradient changed; a ring
};

}  // namespace luge::math::LUGE_DIALECT
LUGE_AFTER_DIALECT

#endif  // toggling guard
