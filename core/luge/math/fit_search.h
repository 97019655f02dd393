// What searches for the parameters of fits other than Levenberg and Marquardt's share, once for both backends. Each has
// its interface: it says where to evaluate the model next and is told the cost, its gradient and the products of the
// Jacobian's columns there.
//
// Every method ends by the same tests: the relative offset of D. M. Bates and D. G. Watts, "A relative offset
// orthogonality convergence criterion for nonlinear least squares", Technometrics 23 (1981), is the length of Gauss and
// Newton's step in units of standard errors. Everything compares like with like, so that units play no part.
#include <luge/math/levenberg.h>

#if defined(LUGE_MATH_FIT_SEARCH_H_) == defined(LUGE_TARGET_TOGGLE)
#ifdef LUGE_MATH_FIT_SEARCH_H_
#undef LUGE_MATH_FIT_SEARCH_H_
#else
#define LUGE_MATH_FIT_SEARCH_H_
#endif

LUGE_BEFORE_DIALECT
namespace luge::math::LUGE_DIALECT {

/// A point with what is known of the cost there, the bounds around it, and how far the minimum is. P parameters, or
/// with P = 0 as many as there are, up to 32. All memory is the object's own.
template <int P>
class FitPoint {
 public:
  static constexpr int kMost = P > 0 ? P : 32;

  LUGE_FN const double* trial() const { return trial_; }
  LUGE_FN const double* found() const { return at_; }
  LUGE_FN double cost() const { return cost_; }
  LUGE_FN double cosine() const { return optimality_; }
  LUGE_FN int steps() const { return steps_; }
  LUGE_FN int status() const { return status_; }
  /// Two columns' product at what was found.
  LUGE_FN double product(int i, int j) const { return products_[place(i, j)]; }

 protected:
  static constexpr int kMaxSteps = 0, kGradient = 1, kCost = 2, kStep = 3, kPrecision = 5, kStalled = -1,
                       kDiverged = -2, kGoesOn = 100;

  LUGE_FN void begin_point(int parameters, const double* start, const double* low, const double* high,
                           long observations, double squares) {
    parameters_ = parameters;
    root_degrees_ = observations > parameters ? sqrt(static_cast<double>(observations - parameters)) : 1.0;
    size_ = sqrt(squares);
    is_bounded_ = low || high;
    for (int j = 0; j < count(); ++j) {
      low_[j] = low ? low[j] : -kInfinite;
      high_[j] = high ? high[j] : kInfinite;
      at_[j] = trial_[j] = clipped(start[j], low_[j], high_[j]);
      scale_[j] = 0;
    }
    steps_ = 0;
  }

  LUGE_FN static bool is_number(double x) { return x - x == 0; }
  LUGE_FN int count() const {
    if constexpr (P > 0) return P;
    return parameters_;
  }
  LUGE_FN int products() const { return count() * (count() + 1) / 2; }
  LUGE_FN static int place(int i, int j) { return i >= j ? i * (i + 1) / 2 + j : j * (j + 1) / 2 + i; }
  LUGE_FN bool is_free(int j) const { return (free_ >> j & 1) != 0; }

  LUGE_FN bool is_finite(const double* sums, long stride) const {
    bool finite = true;
    for (int k = 0; k < 1 + count() + products(); ++k) finite = finite && is_number(sums[k * stride]);
    return finite;
  }
  /// Whether the model feels a parameter only a `part` as much as before: it might not find back.
  LUGE_FN bool is_collapsed(double part, const double* sums, long stride) const {
    for (int j = 0; j < count(); ++j)
      if (sums[(1 + count() + place(j, j)) * stride] < part * part * product(j, j)) return true;
    return false;
  }

  /// Goes to the trial, of which the sums are.
  LUGE_FN void move(const double* sums, long stride) {
    cost_ = sums[0] / 2;
    has_derivatives_ = is_finite(sums, stride);
    for (int j = 0; j < count(); ++j) {
      at_[j] = trial_[j];
      gradient_[j] = sums[(1 + j) * stride];
    }
    for (int k = 0; k < products(); ++k) products_[k] = sums[(1 + count() + k) * stride];
    for (int j = 0; j < count(); ++j) {
      const double column = sqrt(product(j, j));
      if (column > scale_[j] && column < kInfinite) scale_[j] = column;
    }
  }

  /// How much smaller the cost is at the trial; if the difference is rounding, as the slopes at both ends tell (W. W.
  /// Hager, H. Zhang, "A new conjugate gradient method with guaranteed descent", SIAM J. Optim. 16 (2005)).
  LUGE_FN double gain(const FitSettings& settings, const double* sums, long stride) const {
    double gain = cost_ - sums[0] / 2;
    if (!(abs(gain) <= settings.root_epsilon * cost_)) return gain;
    gain = 0;
    for (int j = 0; j < count(); ++j) gain -= 0.5 * (gradient_[j] + sums[(1 + j) * stride]) * (trial_[j] - at_[j]);
    return gain;
  }

  /// The length of a column, the greatest so far: a unit of the parameter is 1 / that. A parameter that the model
  /// never felt has its own size as unit.
  LUGE_FN double scale(int j) const { return scale_[j] > 0 ? scale_[j] : at_[j] != 0 ? 1 / abs(at_[j]) : 1.0; }
  LUGE_FN double length(const double* x) const {
    double sum = 0;
    for (int j = 0; j < count(); ++j) sum += (scale(j) * x[j]) * (scale(j) * x[j]);
    return sqrt(sum);
  }
  /// How far a first step may go: as far as the parameters are large, or the residuals.
  LUGE_FN double first_radius() const {
    const double size = length(at_);
    return size > 0 ? size : sqrt(2 * cost_);
  }

  /// Cholesky's factor of the rows in `set` of a symmetric matrix, whose lower triangle is given row by row, scaled to
  /// a diagonal of 1 + damping; other rows are those of the identity. False where a pivot is nothing but rounding.
  LUGE_FN bool factorize(const double* matrix, unsigned set, double damping) {
    for (int j = 0; j < count(); ++j) {
      const double square = matrix[place(j, j)];
      inverse_[j] = (set >> j & 1) != 0 && square > 0 ? 1 / sqrt(square) : 1.0;
    }
    for (int j = 0; j < count(); ++j) {
      const bool has_j = (set >> j & 1) != 0;
      for (int i = j; i < count(); ++i) {
        const bool has_both = has_j && (set >> i & 1) != 0;
        double sum = has_both ? matrix[place(i, j)] * inverse_[i] * inverse_[j] : 0.0;
        if (i == j) sum = has_j ? sum + damping : 1.0;
        const double whole = sum;
        for (int k = 0; k < j; ++k) sum -= factor_[place(i, k)] * factor_[place(j, k)];
        if (i > j) {
          factor_[place(i, j)] = sum / factor_[place(j, j)];
        } else {
          if (!(sum > kPivot * whole)) return false;
          factor_[place(j, j)] = sqrt(sum);
        }
      }
    }
    return true;
  }
  /// The matrix's inverse times x, which is 0 in other rows.
  LUGE_FN void solve(double* x) const {
    for (int i = 0; i < count(); ++i) {
      x[i] *= inverse_[i];
      for (int k = 0; k < i; ++k) x[i] -= factor_[place(i, k)] * x[k];
      x[i] /= factor_[place(i, i)];
    }
    for (int i = count() - 1; i >= 0; --i) {
      for (int k = i + 1; k < count(); ++k) x[i] -= factor_[place(k, i)] * x[k];
      x[i] /= factor_[place(i, i)];
    }
    for (int i = 0; i < count(); ++i) x[i] *= inverse_[i];
  }

  /// Finds the free parameters, the greatest cosine and the relative offset of the point; says whether it is a minimum.
  LUGE_FN int test(const FitSettings& settings) {
    free_ = 0;
    optimality_ = 0;
    offset_ = 0;
    double most = 0;
    for (int j = 0; j < count(); ++j) {
      const bool presses = (at_[j] <= low_[j] && gradient_[j] >= 0) || (at_[j] >= high_[j] && gradient_[j] <= 0);
      if (!(low_[j] < high_[j]) || presses) continue;
      free_ |= 1u << j;
      const double square = product(j, j);
      if (square > 0) most = larger(most, gradient_[j] * gradient_[j] / square);
    }
    if (cost_ == 0 || free_ == 0) return kGradient;
    if (!has_derivatives_) {
      optimality_ = offset_ = __builtin_bit_cast(double, 0x7FF8000000000000ul);
      return kGoesOn;
    }
    const double norm = sqrt(2 * cost_);
    optimality_ = sqrt(most) / norm;
    if (optimality_ <= settings.gtol) return kGradient;
    double damping = 0, step[kMost];
    while (!factorize(products_, free_, damping)) damping = larger(10 * damping, kRidge);
    for (int j = 0; j < count(); ++j) step[j] = is_free(j) ? -gradient_[j] : 0.0;
    solve(step);
    double slope = 0, moved = 0, size = 0;
    for (int j = 0; j < count(); ++j) {
      slope -= gradient_[j] * step[j];
      moved += product(j, j) * step[j] * step[j];
      size += product(j, j) * at_[j] * at_[j];
    }
    const double left = sqrt(larger(slope, 0.0));
    offset_ = left * root_degrees_ / norm;
    if (offset_ <= settings.ftol) return kCost;
    if (left <= kRound * settings.epsilon * size_) return is_exact(settings) ? kCost : kPrecision;
    if (sqrt(moved) <= settings.xtol * sqrt(size) && optimality_ <= 1e-2) return kStep;
    return kGoesOn;
  }
  /// Whether the residuals are the rounding of the observations.
  LUGE_FN bool is_exact(const FitSettings& settings) const {
    return sqrt(2 * cost_) <= kExact * settings.epsilon * size_;
  }
  /// No step makes the cost smaller: at a minimum as far as rounding lets it be seen, or not.
  LUGE_FN int worn_out(const FitSettings& settings) const {
    if (is_exact(settings)) return kCost;
    const double rounding = kUnseen * settings.epsilon * size_ * root_degrees_ / sqrt(2 * cost_);
    return optimality_ <= kFlat && offset_ <= larger(kNear, rounding) ? kPrecision : kStalled;
  }

  /// The first evaluation, at the start. False, with a status, where there is nothing to begin with.
  LUGE_FN bool has_start(bool finite, const double* sums, long stride) {
    cost_ = sums[0] / 2;
    if (finite) {
      move(sums, stride);
      return true;
    }
    status_ = kDiverged;
    optimality_ = __builtin_bit_cast(double, 0x7FF8000000000000ul);
    return false;
  }
  LUGE_FN bool end(int status) {
    status_ = status;
    return true;
  }

  static constexpr double kRound = 4, kUnseen = 256, kExact = 4096;  ///< units of rounding
  static constexpr double kNear = 1e-2;                              ///< standard errors
  static constexpr double kPivot = 1e-14, kRidge = 1e-10, kFlat = 1e-3;

  int parameters_, steps_, status_;
  unsigned free_;  ///< parameters, bit by bit
  bool is_bounded_, has_derivatives_;
  double root_degrees_, size_, cost_, optimality_, offset_;
  double low_[kMost], high_[kMost], at_[kMost], trial_[kMost], gradient_[kMost], scale_[kMost], inverse_[kMost];
  double products_[kMost * (kMost + 1) / 2], factor_[kMost * (kMost + 1) / 2];
};

}  // namespace luge::math::LUGE_DIALECT
LUGE_AFTER_DIALECT

#endif  // toggling guard
