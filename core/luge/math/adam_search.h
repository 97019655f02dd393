// Adam for one fit, once for both backends.
//
// D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR (2015), of parameters in units of the
// Jacobian's columns, so that one rate serves them all. The rate begins as a part of the size of the parameters and is
// halved, and the search begun again from the best point, whenever that point has not been improved for some steps:
// with a rate that is left as it is, Adam circles the minimum.
#include <luge/math/fit_search.h>

#if defined(LUGE_MATH_ADAM_SEARCH_H_) == defined(LUGE_TARGET_TOGGLE)
#ifdef LUGE_MATH_ADAM_SEARCH_H_
#undef LUGE_MATH_ADAM_SEARCH_H_
#else
#define LUGE_MATH_ADAM_SEARCH_H_
#endif

LUGE_BEFORE_DIALECT
namespace luge::math::LUGE_DIALECT {

template <int P>
class AdamSearch : public FitPoint<P> {
  using Base = FitPoint<P>;
  using Base::at_, Base::count, Base::gradient_, Base::high_, Base::kGoesOn, Base::kMaxSteps, Base::kMost, Base::low_,
      Base::scale, Base::steps_, Base::trial_;

 public:
  LUGE_FN void begin(int parameters, const double* start, const double* low, const double* high, long observations,
                     double squares) {
    this->begin_point(parameters, start, low, high, observations, squares);
    is_first_ = true;
  }

  LUGE_FN bool tell(const FitSettings& settings, const double* sums, long stride) {
    ++steps_;
    const bool finite = this->is_finite(sums, stride);
    if (is_first_) {
      is_first_ = false;
      if (!this->has_start(finite, sums, stride)) return true;
      rate_ = kRate * smaller(this->first_radius(), sqrt(2 * this->cost_));
      return settle(settings);
    }
    const bool is_good = finite && !this->is_collapsed(kFaded, sums, stride);
    if (is_good && this->gain(settings, sums, stride) > 0) {
      this->move(sums, stride);
      const int status = this->test(settings);
      if (status != kGoesOn) return this->end(status);
      since_best_ = 0;
    } else if (++since_best_ >= kPatience || !is_good) {
      rate_ *= is_good ? kHalved : kShortened;
      if (rate_ <= settings.epsilon * this->length(at_) / 4) return this->end(this->worn_out(settings));
      return settle(settings);
    }
    double gradient[kMost];
    for (int j = 0; j < count(); ++j) gradient[j] = sums[(1 + j) * stride];
    return step(settings, gradient);
  }

 private:
  static constexpr double kRate = 0.1, kFirst = 0.9, kSecond = 0.99, kTiny = 1e-8;
  static constexpr double kHalved = 0.5, kShortened = 0.1;
  static constexpr double kFaded = 1e-12;  ///< of a column's length, since the best point
  static constexpr int kPatience = 20;

  /// Begins anew at the best point.
  LUGE_FN bool settle(const FitSettings& settings) {
    const int status = this->test(settings);
    if (status != kGoesOn) return this->end(status);
    for (int j = 0; j < count(); ++j) {
      trial_[j] = at_[j];
      mean_[j] = square_[j] = 0;
    }
    since_best_ = 0;
    first_left_ = second_left_ = 1;
    return step(settings, gradient_);
  }

  LUGE_FN bool step(const FitSettings& settings, const double* gradient) {
    if (steps_ >= settings.max_steps) return this->end(kMaxSteps);
    first_left_ *= kFirst;
    second_left_ *= kSecond;
    double steepest = 0;
    for (int j = 0; j < count(); ++j) steepest = larger(steepest, abs(gradient[j] / scale(j)));
    for (int j = 0; j < count(); ++j) {
      if (!(low_[j] < high_[j])) continue;
      const double slope = gradient[j] / scale(j);
      mean_[j] = kFirst * mean_[j] + (1 - kFirst) * slope;
      square_[j] = kSecond * square_[j] + (1 - kSecond) * slope * slope;
      const double root = sqrt(square_[j] / (1 - second_left_));
      if (root == 0) continue;
      trial_[j] -= rate_ * (mean_[j] / (1 - first_left_)) / (root + kTiny * steepest) / scale(j);
      if (trial_[j] >= low_[j] && trial_[j] <= high_[j]) continue;
      trial_[j] = clipped(trial_[j], low_[j], high_[j]);
      mean_[j] = 0;
    }
    return false;
  }

  bool is_first_;
  int since_best_;
  double rate_, first_left_, second_left_;
  double mean_[kMost], square_[kMost];
};

}  // namespace luge::math::LUGE_DIALECT
LUGE_AFTER_DIALECT

#endif  // toggling guard
