#include "observations.h"

#include <algorithm>
#include <cmath>

namespace luge::cpu {

namespace {

template <class T>
const T* begin_of(const Operand& from, std::int64_t set, std::int64_t first) {
  return static_cast<const T*>(from.data) + from.strides[0] * first + from.strides[1] * set;
}

/// With the set in front, as y, weight and bounds have it.
template <class T>
const T* row_of(const Operand& from, std::int64_t set, int output) {
  return static_cast<const T*>(from.data) + from.strides[0] * set + from.strides[1] * output;
}

}  // namespace

template <class T>
FitLanes<T>::FitLanes(const Observations& of, std::int64_t sums)
    : of_(of),
      model_(*of.model),
      program_(model_),
      outputs_(static_cast<int>(model_.outputs.size())),
      wide_(of.points >= kWideFit),
      weighted_(of.weight.is_memory() || (wide_ && of.points % kFitLanes != 0)),
      shares_x_(!wide_ && model_.predictors > 0 && of.x.strides[1] == 0),
      rows_(wide_ ? (of.points + kFitLanes - 1) / kFitLanes : of.points),
      block_(rows_ / ((rows_ + kFitRows - 1) / kFitRows) + (rows_ % ((rows_ + kFitRows - 1) / kFitRows) != 0)),
      x_(rows_ * kFitLanes * model_.predictors),
      y_(rows_ * kFitLanes * outputs_),
      weight_(weighted_ ? rows_ * kFitLanes * outputs_ : 0) {
  const std::int64_t observed = rows_ * kFitLanes * outputs_;
  std::fill_n(x_.data(), rows_ * kFitLanes * model_.predictors, T(0));
  std::fill_n(y_.data(), observed, T(0));
  if (weighted_) std::fill_n(weight_.data(), observed, T(0));
  columns_.resize(static_cast<std::size_t>(model_.parameters));
  predictors_.resize(static_cast<std::size_t>(model_.predictors));
  if constexpr (sizeof(T) == sizeof(double)) {
    // To compile a model takes as long as some ten thousand points.
    constexpr std::int64_t kWorthCompiling = 20000;
    if (of.loss == FitLoss::Linear && sums * of.points >= kWorthCompiling)
      code_ = compile_fit({model_, program_.formulas(), program_.is_lane(), program_.lanes(), weighted_});
  }
  if (!shares_x_) return;
  for (int k = 0; k < model_.predictors; ++k) {
    const T* const from = begin_of<T>(of.x, 0, k);
    for (std::int64_t point = 0; point < of.points; ++point) {
      const T value = from[point * of.x.strides[2]];
      std::fill_n(x_.data() + (k * rows_ + point) * kFitLanes, kFitLanes, value);
      // Weights are looked at set by set.
      x_is_finite_ = x_is_finite_ && (std::isfinite(value) || of.weight.is_memory());
    }
  }
}

template <class T>
std::size_t FitLanes<T>::place(int group, std::int64_t point, std::int64_t lane) const {
  return static_cast<std::size_t>(wide_ ? group * rows_ * kFitLanes + point
                                        : (group * rows_ + point) * kFitLanes + lane);
}

/// x - x is 0 of finite numbers alone.
template <class T>
Observed FitLanes<T>::load(std::int64_t set, std::int64_t lane) {
  Observed observed;
  bool is_finite = x_is_finite_;
  const std::int64_t points = of_.points;
  const std::size_t step = wide_ ? 1 : static_cast<std::size_t>(kFitLanes);
  if (of_.weight.is_memory()) {
    is_finite = load_weighted(set, lane, observed) && is_finite;
  } else {
    observed.count = points * outputs_;
    for (int o = 0; o < outputs_; ++o) {
      const T* const y = row_of<T>(of_.y, set, o);
      T* const to = y_.data() + place(o, 0, lane);
      for (std::int64_t point = 0; point < points; ++point) {
        const T value = y[point * of_.y.strides[2]];
        to[static_cast<std::size_t>(point) * step] = value;
        observed.squares += static_cast<double>(value) * static_cast<double>(value);
        is_finite &= value - value == T(0);
      }
      if (weighted_)
        std::fill_n(weight_.data() + place(o, 0, lane), points, T(1));  // a wide fit's last row is not whole
    }
  }
  for (int k = 0; k < model_.predictors && !shares_x_; ++k) {
    const T* const x = begin_of<T>(of_.x, set, k);
    T* const to = x_.data() + place(k, 0, lane);
    for (std::int64_t point = 0; point < points; ++point) {
      const T value = x[point * of_.x.strides[2]];
      to[static_cast<std::size_t>(point) * step] = value;
      is_finite &= value - value == T(0) || !is_observed(point, lane);
    }
  }
  observed.is_finite = is_finite;
  return observed;
}

/// Where no output was observed a predictor may be anything.
template <class T>
bool FitLanes<T>::is_observed(std::int64_t point, std::int64_t lane) {
  bool any = !of_.weight.is_memory();
  for (int o = 0; o < outputs_ && !any; ++o) any = weight_.data()[place(o, point, lane)] != T(0);
  return any;
}

template <class T>
bool FitLanes<T>::load_weighted(std::int64_t set, std::int64_t lane, Observed& observed) {
  bool is_finite = true;
  for (int o = 0; o < outputs_; ++o) {
    const T* const y = row_of<T>(of_.y, set, o);
    const T* const weight = row_of<T>(of_.weight, set, o);
    for (std::int64_t point = 0; point < of_.points; ++point) {
      const T w = weight[point * of_.weight.strides[2]];
      const T value = w == T(0) ? T(0) : y[point * of_.y.strides[2]];
      const std::size_t at = place(o, point, lane);
      y_.data()[at] = value;
      weight_.data()[at] = w;
      if (w == T(0)) continue;
      ++observed.count;
      const double product = static_cast<double>(value) * static_cast<double>(w);
      observed.squares += product * product;
      is_finite &= value - value == T(0) && w - w == T(0);
    }
  }
  for (int k = 0; k < model_.predictors && shares_x_; ++k)
    for (std::int64_t point = 0; point < of_.points; ++point) {
      const T value = x_.data()[place(k, point, lane)];
      is_finite &= value - value == T(0) || !is_observed(point, lane);
    }
  return is_finite;
}

template <class T>
void FitLanes<T>::set_parameter(std::int64_t lane, int p, double value) {
  if (wide_)
    std::fill_n(program_.parameter(p), kFitLanes, static_cast<T>(value));
  else
    program_.parameter(p)[lane] = static_cast<T>(value);
}

template <class T>
void FitLanes<T>::set_parameters(int p, const double* values) {
  if (wide_) return set_parameter(0, p, values[0]);
  T* const to = program_.parameter(p);
  for (std::int64_t lane = 0; lane < kFitLanes; ++lane) to[lane] = static_cast<T>(values[lane]);
}

template <class T>
const T* const* FitLanes<T>::predictors(std::int64_t begin) {
  for (int k = 0; k < model_.predictors; ++k)
    predictors_[static_cast<std::size_t>(k)] = x_.data() + (k * rows_ + begin) * kFitLanes;
  return predictors_.data();
}

template <class T>
void FitLanes<T>::run(std::int64_t begin, std::int64_t rows) {
  program_.run(predictors(begin), rows);
}

template <class T>
void FitLanes<T>::sum_by_code(const FitSums& sums) {
  if constexpr (sizeof(T) == sizeof(double)) {
    program_.prepare_lanes();
    code_->prepare();
    const auto outputs = static_cast<std::size_t>(outputs_);
    std::vector<const double*> y(outputs), weight(outputs, nullptr);
    for (std::int64_t begin = 0; begin < rows_; begin += block_) {
      for (std::size_t o = 0; o < outputs; ++o) {
        const std::int64_t at = (static_cast<std::int64_t>(o) * rows_ + begin) * kFitLanes;
        y[o] = y_.data() + at;
        if (weighted_) weight[o] = weight_.data() + at;
      }
      code_->run({predictors(begin), y.data(), weight.data()}, std::min(block_, rows_ - begin), sums.memory);
    }
  }
}

template <class T>
FitRows<T> FitLanes<T>::tile(int output, std::int64_t begin, std::int64_t rows) {
  for (int p = 0; p < model_.parameters; ++p) columns_[static_cast<std::size_t>(p)] = program_.derivative(output, p);
  const std::int64_t at = (output * rows_ + begin) * kFitLanes;
  return {program_.output(output), y_.data() + at, weighted_ ? weight_.data() + at : nullptr, columns_.data(), rows};
}

template <class T>
void FitLanes<T>::sum(const FitSums& sums) {
  const std::int64_t numbers = FitSums::numbers(model_.parameters);
  std::fill_n(sums.memory, numbers * kFitLanes, 0.0);
  if (code_)
    sum_by_code(sums);
  else
    evaluate([&](const FitRows<T>& rows) { add_rows(of_.loss, of_.loss_scale, rows, sums); });
  if (wide_) join(sums.memory, numbers);
}

template <class T>
void FitLanes<T>::join(double* numbers, std::int64_t count) const {
  for (std::int64_t n = 0; n < count; ++n) {
    double* const lanes = numbers + n * kFitLanes;
    for (std::int64_t width = kFitLanes / 2; width > 0; width /= 2)
      for (std::int64_t lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  }
}

template class FitLanes<float>;
template class FitLanes<double>;

}  // namespace luge::cpu
