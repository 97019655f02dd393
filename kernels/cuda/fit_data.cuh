#pragma once
// Observations of fits, and a model at one of their points, as a team of threads reads them. A generated kernel (fit/)
// defines the Model:
//   Element                              float or double
//   kPredictors, kParameters, kOutputs
//   evaluate(x, parameters, values, derivatives)   [output], [output * kParameters + parameter]

#include <cstdint>

#include "blocks.cuh"

namespace luge::cuda {

/// Memory of three dimensions, or none.
template <class T>
struct FitWindow {
  const T* data;
  std::int64_t strides[3];

  __device__ T at(std::int64_t i, std::int64_t j, std::int64_t k = 0) const {
    return data[strides[0] * i + strides[1] * j + strides[2] * k];
  }
};

/// luge::Observations.
template <class T>
struct FitData {
  FitWindow<T> x;                  ///< [predictor][set][point]
  FitWindow<T> y, weight;          ///< [set][output][point]
  FitWindow<double> lower, upper;  ///< [set][parameter]
  double* parameters;
  std::int64_t sets, points;
  double loss_scale;
};

struct Add {
  template <class State>
  __device__ State merge(const State& a, const State& b) const {
    return a + b;
  }
};

/// Who fits a set: a warp, one of its threads leading, or a thread alone.
struct FitWarp : WarpTeam {
  __device__ static void sync() { __syncwarp(); }
  __device__ static bool all(bool mine) { return __all_sync(kWholeWarp, mine ? 1 : 0) != 0; }
  /// What the leader has.
  template <class Value>
  __device__ static Value leaders(Value mine) {
    return __shfl_sync(kWholeWarp, mine, 0);
  }
  template <class Value>
  __device__ static Value sum(Value mine) {
    return warp_reduce(mine, Add{});
  }
};
struct FitThread {
  static constexpr int kSize = 1;
  __device__ static int rank() { return 0; }
  __device__ static void sync() {}
  __device__ static bool all(bool mine) { return mine; }
  template <class Value>
  __device__ static Value leaders(Value mine) {
    return mine;
  }
  template <class Value>
  __device__ static Value sum(Value mine) {
    return mine;
  }
};

/// Sets, handed out one by one: a team that is done with one takes the next, so that a set costs what its own steps
/// cost.
struct FitQueue {
  unsigned long long* taken;  ///< device memory, 0 at first

  template <class Team>
  __device__ std::int64_t next() const {
    unsigned long long set = 0;
    if (Team::rank() == 0) set = atomicAdd(taken, 1ull);
    return static_cast<std::int64_t>(Team::leaders(set));
  }
};

/// What a set's observations are worth.
struct Observed {
  bool is_finite;      ///< all that have a weight
  std::int64_t count;  ///< that have a weight
  double squares;      ///< of y times weight
};

/// A model at one point.
template <class Model>
struct FitValues {
  using T = typename Model::Element;
  T f[Model::kOutputs], y[Model::kOutputs], weight[Model::kOutputs];
  T derivatives[Model::kOutputs * Model::kParameters];
};

/// One set.
template <class Model>
class FitSet {
 public:
  using T = typename Model::Element;

  __device__ FitSet(const FitData<T>& data, std::int64_t set) : data_(data), set_(set) {}

  __device__ std::int64_t points() const { return data_.points; }

  /// To be called by a whole team; every thread gets the result.
  template <class Team>
  __device__ Observed observe() const {
    Observed own{true, 0, 0};
    for (std::int64_t point = Team::rank(); point < data_.points; point += Team::kSize) {
      bool is_observed = false;
      for (int o = 0; o < Model::kOutputs; ++o) {
        const T w = weight(o, point);
        if (w == T(0)) continue;
        const T value = data_.y.at(set_, o, point);
        const double product = static_cast<double>(value) * static_cast<double>(w);
        is_observed = true;
        ++own.count;
        own.squares += product * product;
        own.is_finite = own.is_finite && value - value == T(0) && w - w == T(0);
      }
      for (int k = 0; k < Model::kPredictors && is_observed; ++k) {
        const T x = data_.x.at(k, set_, point);
        own.is_finite = own.is_finite && x - x == T(0);
      }
    }
    return {Team::all(own.is_finite), Team::sum(own.count), Team::sum(own.squares)};
  }

  /// Parameters that are not held by bounds that are equal.
  __device__ int free() const {
    int count = Model::kParameters;
    for (int p = 0; p < Model::kParameters && is_bounded(); ++p)
      if (lower(p) == upper(p)) --count;
    return count;
  }
  __device__ bool is_bounded() const { return data_.lower.data != nullptr; }
  __device__ double lower(int p) const { return data_.lower.at(set_, p); }
  __device__ double upper(int p) const { return data_.upper.at(set_, p); }

  /// False where there is no such point, or nothing was observed: then only the weights are written, 0.
  __device__ bool evaluate(const T* parameters, std::int64_t point, FitValues<Model>& values) const {
    bool is_observed = false;
#pragma unroll
    for (int o = 0; o < Model::kOutputs; ++o) {
      values.weight[o] = point < data_.points ? weight(o, point) : T(0);
      is_observed = is_observed || values.weight[o] != T(0);
    }
    if (!is_observed) return false;
    T x[Model::kPredictors > 0 ? Model::kPredictors : 1];
#pragma unroll
    for (int k = 0; k < Model::kPredictors; ++k) x[k] = data_.x.at(k, set_, point);
#pragma unroll
    for (int o = 0; o < Model::kOutputs; ++o)
      values.y[o] = values.weight[o] == T(0) ? T(0) : data_.y.at(set_, o, point);
    Model::evaluate(x, parameters, values.f, values.derivatives);
    return true;
  }

 private:
  __device__ T weight(int output, std::int64_t point) const {
    return data_.weight.data ? data_.weight.at(set_, output, point) : T(1);
  }

  const FitData<T>& data_;
  const std::int64_t set_;
};

}  // namespace luge::cuda
