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
FitLanes<T>::FitLanes(const Observations& of)
    : of_(of),
      model_(*of.model),
      program_(model_),
      outputs_(static_cast<int>(model_.outputs.size())),
      wide_(of.points >= kWideFit),
      weighted_(of.weight.is_memory() || (wide_ && of.points % kFitLanes != 0)),
      shares_x_(!wide_ && model_.predictors > 0 && of.x.strides[1] == 0),
      rows_(wide_ ? (of.points + kFitLanes - 1) / kFitLanes : of.points) {
  const auto tiles = static_cast<std::size_t>(rows_ * kFitLanes);
  x_.assign(tiles * static_cast<std::size_t>(model_.predictors), T(0));
  y_.assign(tiles * static_cast<std::size_t>(outputs_), T(0));
  if (weighted_) weight_.assign(y_.size(), T(0));
  columns_.resize(static_cast<std::size_t>(model_.parameters));
  predictors_.resize(static_cast<std::size_t>(model_.predictors));
  if (!shares_x_) return;
  for (int k = 0; k < model_.predictors; ++k) {
    const T* const from = begin_of<T>(of.x, 0, k);
    for (std::int64_t point = 0; point < of.points; ++point)
      std::fill_n(x_.data() + (k * rows_ + point) * kFitLanes, kFitLanes, from[point * of.x.strides[2]]);
  }
}

template <class T>
Observed FitLanes<T>::load(std::int64_t set, std::int64_t lane) {
  Observed observed;
  const auto place = [&](int group, std::int64_t point) {
    return wide_ ? group * rows_ * kFitLanes + point : (group * rows_ + point) * kFitLanes + lane;
  };
  const bool has_weights = of_.weight.is_memory();
  for (int o = 0; o < outputs_; ++o) {
    const T* const y = row_of<T>(of_.y, set, o);
    const T* const weight = has_weights ? row_of<T>(of_.weight, set, o) : nullptr;
    for (std::int64_t point = 0; point < of_.points; ++point) {
      const T w = has_weights ? weight[point * of_.weight.strides[2]] : T(1);
      const T value = w == T(0) ? T(0) : y[point * of_.y.strides[2]];
      const auto at = static_cast<std::size_t>(place(o, point));
      y_[at] = value;
      if (weighted_) weight_[at] = w;
      if (w == T(0)) continue;
      ++observed.count;
      const double product = static_cast<double>(value) * static_cast<double>(w);
      observed.squares += product * product;
      observed.is_finite = observed.is_finite && std::isfinite(value) && std::isfinite(w);
    }
  }
  for (int k = 0; k < model_.predictors; ++k) {
    const T* const x = begin_of<T>(of_.x, set, k);
    for (std::int64_t point = 0; point < of_.points; ++point) {
      // Where no output was observed the predictor may be anything.
      bool is_observed = !has_weights;
      for (int o = 0; o < outputs_ && !is_observed; ++o)
        is_observed = weight_[static_cast<std::size_t>(place(o, point))] != T(0);
      const T value = x[point * of_.x.strides[2]];
      if (is_observed) observed.is_finite = observed.is_finite && std::isfinite(value);
      if (!shares_x_) x_[static_cast<std::size_t>(place(k, point))] = value;
    }
  }
  return observed;
}

template <class T>
void FitLanes<T>::set_parameter(std::int64_t lane, int p, double value) {
  if (wide_)
    std::fill_n(program_.parameter(p), kFitLanes, static_cast<T>(value));
  else
    program_.parameter(p)[lane] = static_cast<T>(value);
}

template <class T>
void FitLanes<T>::run(std::int64_t begin, std::int64_t rows) {
  for (int k = 0; k < model_.predictors; ++k)
    predictors_[static_cast<std::size_t>(k)] = x_.data() + (k * rows_ + begin) * kFitLanes;
  program_.run(predictors_.data(), rows);
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
