// What a reduction knows of the elements that it has seen, once for all backends. The order in which elements are seen
// and groups of them merged is the backend's.
//
// A reducer of elements of type T is a struct:
//   State                       what is known of some elements
//   identity()                  of none
//   include(state, x, position) of one more
//   merge(a, b)                 of two disjoint groups
//   finish(state, count)        -> Result, of all `count` elements
// Loops over many elements may keep to the parts of it that are theirs: a sum is + in any of them.
#include <cstdint>
#include <limits>
#include <type_traits>

#include <luge/math/dialect.h>

#if defined(LUGE_MATH_REDUCERS_H_) == defined(LUGE_TARGET_TOGGLE)
#ifdef LUGE_MATH_REDUCERS_H_
#undef LUGE_MATH_REDUCERS_H_
#else
#define LUGE_MATH_REDUCERS_H_
#endif

LUGE_BEFORE_DIALECT
namespace luge::math::LUGE_DIALECT {

template <class T>
inline constexpr bool kFloating = std::is_floating_point_v<T>;

/// Sums and products of floats are carried in float64, those of integers and bools modulo 2^64.
template <class T>
using Carried = std::conditional_t<kFloating<T>, double, std::int64_t>;
template <class T>
using Totalled = std::conditional_t<kFloating<T>, T, std::int64_t>;

template <class T, bool mean>
struct Sum {
  using Value = T;
  using State = Carried<T>;
  using Result = Totalled<T>;

  LUGE_FN static State identity() { return 0; }
  LUGE_FN static State include(State state, T x, std::int64_t) { return state + static_cast<State>(x); }
  LUGE_FN static State merge(State a, State b) { return a + b; }
  LUGE_FN static Result finish(State state, std::int64_t count) {
    return static_cast<Result>(mean ? state / static_cast<State>(count) : state);
  }
};

/// The square of the Euclidean norm.
template <class T>
struct SumSquares : Sum<T, false> {
  using State = Carried<T>;

  LUGE_FN static State include(State state, T x, std::int64_t) {
    return state + static_cast<State>(x) * static_cast<State>(x);
  }
};

template <class T>
struct Product {
  using Value = T;
  using State = Carried<T>;
  using Result = Totalled<T>;

  LUGE_FN static State identity() { return 1; }
  LUGE_FN static State include(State state, T x, std::int64_t) { return state * static_cast<State>(x); }
  LUGE_FN static State merge(State a, State b) { return a * b; }
  LUGE_FN static Result finish(State state, std::int64_t) { return static_cast<Result>(state); }
};

/// GPU threads hand states to one another in 32-bit words, so a bool is carried as an int.
template <class T>
using Word = std::conditional_t<std::is_same_v<T, bool>, int, T>;

/// The value that loses against every other one.
template <class T, bool maximum>
LUGE_FN T loser() {
  if constexpr (kFloating<T>)
    return maximum ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::infinity();
  else
    return maximum ? std::numeric_limits<T>::lowest() : std::numeric_limits<T>::max();
}

/// Whether b takes the place of an a that stands before it: it is beyond a, or the first NaN. Without short cuts, so
/// that loops can be vectorised.
template <bool maximum, class T>
LUGE_FN bool beats(T b, T a) {
  if constexpr (kFloating<T>)
    return bool((maximum ? a < b : b < a) | (bool(b != b) & bool(a == a)));
  else
    return maximum ? a < b : b < a;
}

/// The largest or smallest; NaN if there is one.
template <class T, bool maximum>
struct Extreme {
  using Value = T;
  using State = Word<T>;
  using Result = T;

  LUGE_FN static State identity() { return loser<State, maximum>(); }
  LUGE_FN static State include(State state, T x, std::int64_t) { return merge(state, static_cast<State>(x)); }
  LUGE_FN static State merge(State a, State b) { return beats<maximum>(b, a) ? b : a; }
  LUGE_FN static Result finish(State state, std::int64_t) { return static_cast<Result>(state); }
};

/// The same with where it stands, which is the result: the first of equals; the first NaN if there is one.
template <class T, bool maximum>
struct ArgExtreme {
  using Value = T;
  struct State {
    std::int64_t position;  ///< kNowhere: nothing seen yet
    Word<T> value;
  };
  using Result = std::int64_t;
  static constexpr std::int64_t kNowhere = std::numeric_limits<std::int64_t>::max();

  LUGE_FN static State identity() { return {kNowhere, Word<T>(0)}; }
  LUGE_FN static State include(const State& state, T x, std::int64_t position) {
    return merge(state, State{position, static_cast<Word<T>>(x)});
  }
  // Values are chosen, not states: a GPU has no registers that a reference could name.
  LUGE_FN static State merge(const State& a, const State& b) {
    const bool in_order = a.position <= b.position;
    const std::int64_t first = in_order ? a.position : b.position, second = in_order ? b.position : a.position;
    const Word<T> x = in_order ? a.value : b.value, y = in_order ? b.value : a.value;
    const bool wins = bool((second != kNowhere) & beats<maximum>(y, x));
    return {wins ? second : first, wins ? y : x};
  }
  LUGE_FN static Result finish(const State& state, std::int64_t) { return state.position; }
};

/// The largest or smallest up to an element of a scan, and where it stands: the last of equals, the last NaN if there is
/// one. What is merged stands behind in the order of the scan.
template <class T, bool maximum>
struct LastExtreme {
  using Value = T;
  struct State {
    std::int64_t position;  ///< kNowhere: nothing seen yet
    T value;
  };
  using Result = T;
  static constexpr std::int64_t kNowhere = -1;

  LUGE_FN static State identity() { return {kNowhere, T(0)}; }
  LUGE_FN static State include(const State& state, T x, std::int64_t position) {
    return merge(state, State{position, x});
  }
  LUGE_FN static State merge(const State& a, const State& b) {
    const bool replaces = bool((a.position == kNowhere) | !beats<maximum>(a.value, b.value)) & bool(b.position != kNowhere);
    return {replaces ? b.position : a.position, replaces ? b.value : a.value};
  }
  LUGE_FN static Result finish(const State& state, std::int64_t) { return state.value; }
};

/// log(sum(exp(x))) in one pass: the largest x so far, and the sum of exp(x - largest). A loop that knows the largest x
/// beforehand adds by itself, and ends with total().
template <class T>
struct LogSumExp {
  using Value = T;
  struct State {
    double sum;
    double largest;  ///< a T; in a double so that the state has no gaps
  };
  using Result = T;

  /// A state while a loop includes element after element: without branches, and with one exponential each. It starts
  /// at the least number instead of at -inf: exp(-inf - -inf) would be NaN.
  struct Pass {
    double sum = 0;
    T largest = std::numeric_limits<T>::lowest();
    bool has_nan = false;

    LUGE_FN void include(T x) {
      const bool higher = x > largest;
      const auto share = static_cast<double>(exp(-abs(x - largest)));
      sum = (higher ? sum * share : sum) + (higher ? 1.0 : share);
      largest = higher ? x : largest;
      has_nan = bool(has_nan | is_nan(x));
    }
    LUGE_FN State state() const {
      if (has_nan) return {sum, std::numeric_limits<double>::quiet_NaN()};
      return sum == 0 ? identity() : State{sum, static_cast<double>(largest)};
    }
  };

  LUGE_FN static State identity() { return {0, -std::numeric_limits<double>::infinity()}; }
  LUGE_FN static State include(const State& state, T x, std::int64_t) {
    if (x == loser<T, true>() || is_nan(state.largest)) return state;
    Pass pass{state.sum, state.sum == 0 ? std::numeric_limits<T>::lowest() : static_cast<T>(state.largest), false};
    pass.include(x);
    return pass.state();
  }
  LUGE_FN static State merge(const State& a, const State& b) {
    const bool second = bool((a.largest < b.largest) | is_nan(b.largest));
    const double high = second ? b.largest : a.largest, low = second ? a.largest : b.largest;
    const double high_sum = second ? b.sum : a.sum, low_sum = second ? a.sum : b.sum;
    if (low == identity().largest) return {high_sum, high};
    const auto scale = static_cast<double>(exp(static_cast<T>(low) - static_cast<T>(high)));
    return {high_sum + low_sum * scale, high};
  }
  LUGE_FN static Result finish(const State& state, std::int64_t) {
    return total(state.sum, static_cast<T>(state.largest));
  }
  LUGE_FN static T total(double sum, T largest) {
    const auto known = static_cast<T>(static_cast<double>(largest) + log(sum));
    return largest - largest == T(0) ? known : largest;  // an infinity or NaN is the answer, whatever the sum is
  }
};

}  // namespace luge::math::LUGE_DIALECT
LUGE_AFTER_DIALECT

#endif  // toggling guard
