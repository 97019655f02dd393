#pragma once
// What a reduction remembers and how: identity, include one element, merge two memories (commutative),
// finish. `count` in finish is the number of elements reduced.

#include <cstdint>
#include <limits>
#include <type_traits>

#include <luge/math/dialect.h>

#include "device.h"

namespace luge::cuda {

template <class T>
inline constexpr bool kFloating = std::is_floating_point_v<T>;

/// Sums and products of floats are carried in float64.
template <class T>
using Carried = std::conditional_t<kFloating<T>, double, std::int64_t>;
template <class T>
using Totalled = std::conditional_t<kFloating<T>, T, std::int64_t>;

template <class T, bool mean>
struct Sum {
  using Value = T;
  using State = Carried<T>;
  using Result = Totalled<T>;

  __device__ State identity() const { return 0; }
  __device__ State include(State state, T x, std::int64_t) const { return state + static_cast<State>(x); }
  __device__ State merge(State a, State b) const { return a + b; }
  __device__ Result finish(State state, std::int64_t count) const {
    return static_cast<Result>(mean ? state / static_cast<State>(count) : state);
  }
};

template <class T>
struct Product {
  using Value = T;
  using State = Carried<T>;
  using Result = Totalled<T>;

  __device__ State identity() const { return 1; }
  __device__ State include(State state, T x, std::int64_t) const { return state * static_cast<State>(x); }
  __device__ State merge(State a, State b) const { return a * b; }
  __device__ Result finish(State state, std::int64_t) const { return static_cast<Result>(state); }
};

/// States move between threads in 32-bit words, so a bool is carried as an int.
template <class T>
using Word = std::conditional_t<std::is_same_v<T, bool>, int, T>;

/// The value that loses against every other one.
template <class T, bool maximum>
__device__ inline T loser() {
  if constexpr (kFloating<T>)
    return maximum ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::infinity();
  else
    return maximum ? std::numeric_limits<T>::lowest() : std::numeric_limits<T>::max();
}

/// The largest or smallest; NaN if there is one.
template <class T, bool maximum>
struct Extreme {
  using Value = T;
  using State = Word<T>;
  using Result = T;

  __device__ State identity() const { return loser<State, maximum>(); }
  __device__ State include(State state, T x, std::int64_t) const { return merge(state, static_cast<State>(x)); }
  __device__ State merge(State a, State b) const {
    if (math::scalar::is_nan(a)) return a;
    if (math::scalar::is_nan(b)) return b;
    return (maximum ? a < b : b < a) ? b : a;
  }
  __device__ Result finish(State state, std::int64_t) const { return static_cast<Result>(state); }
};

/// Where the largest or smallest stands: the first of equals; the first NaN if there is one.
template <class T, bool maximum>
struct ArgExtreme {
  using Value = T;
  struct State {
    std::int64_t position;  ///< kNowhere: nothing seen yet
    Word<T> value;
  };
  using Result = std::int64_t;
  static constexpr std::int64_t kNowhere = std::numeric_limits<std::int64_t>::max();

  __device__ State identity() const { return {kNowhere, Word<T>(0)}; }
  __device__ State include(const State& state, T x, std::int64_t position) const {
    return merge(state, State{position, static_cast<Word<T>>(x)});
  }
  __device__ State merge(const State& a, const State& b) const {
    if (a.position == kNowhere) return b;
    if (b.position == kNowhere) return a;
    const bool first = a.position < b.position;
    const bool a_nan = math::scalar::is_nan(a.value), b_nan = math::scalar::is_nan(b.value);
    if (a_nan || b_nan) return a_nan && (!b_nan || first) ? a : b;
    if (a.value == b.value) return first ? a : b;
    return (maximum ? a.value > b.value : a.value < b.value) ? a : b;
  }
  __device__ Result finish(const State& state, std::int64_t) const { return state.position; }
};

/// log(sum(exp(x))) in one pass: the largest x so far, and the sum of exp(x - largest).
template <class T>
struct LogSumExp {
  using Value = T;
  struct State {
    double sum;
    double largest;  ///< a T; in a double so that the state has no gaps
  };
  using Result = T;

  __device__ State identity() const { return {0, -std::numeric_limits<double>::infinity()}; }
  __device__ State include(const State& state, T x, std::int64_t) const {
    const auto largest = static_cast<T>(state.largest);
    if (x <= largest) {
      if (x == loser<T, true>()) return state;  // exp(-inf - -inf) would be NaN
      return {state.sum + static_cast<double>(math::scalar::exp(x - largest)), state.largest};
    }
    if (math::scalar::is_nan(largest)) return state;
    return {state.sum * static_cast<double>(math::scalar::exp(largest - x)) + 1, static_cast<double>(x)};
  }
  __device__ State merge(const State& a, const State& b) const {
    const State& high = a.largest < b.largest || math::scalar::is_nan(b.largest) ? b : a;
    const State& low = &high == &a ? b : a;
    if (low.largest == identity().largest) return high;
    const auto scale =
        static_cast<double>(math::scalar::exp(static_cast<T>(low.largest) - static_cast<T>(high.largest)));
    return {high.sum + low.sum * scale, high.largest};
  }
  __device__ Result finish(const State& state, std::int64_t) const {
    const auto largest = static_cast<T>(state.largest);
    if (!(largest - largest == T(0))) return largest;  // an infinity or NaN is the answer
    return static_cast<T>(static_cast<double>(largest) + math::scalar::log(state.sum));
  }
};

}  // namespace luge::cuda
