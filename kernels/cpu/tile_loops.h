// Loops that make a tile function of a formula, compiled once per target.
#include "vector.h"

#include <cstdint>
#include <type_traits>

#include <luge/math/elementwise.h>

#include "tile.h"

#if defined(LUGE_CPU_TILE_LOOPS_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LUGE_CPU_TILE_LOOPS_H_
#undef LUGE_CPU_TILE_LOOPS_H_
#else
#define LUGE_CPU_TILE_LOOPS_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

namespace formula = luge::math::HWY_NAMESPACE;

/// Which operand of a loop is bool; the others are its lane type.
inline constexpr int kNone = -1;

/// A tile function of a loop over whole vectors. What is left at the end is padded to one vector and
/// goes through the same code, so its bits are those it would have anywhere else.
template <class Loop>
void tile(const void* const* in, void* const* out, const double* parameters, std::size_t n) {
  using T = typename Loop::Lane;
  constexpr std::size_t kN = kLanes<T>;
  const std::size_t whole = n - n % kN;
  if (whole != 0) Loop::run(in, out, parameters, whole);
  if (whole == n) return;
  const std::size_t rest = n - whole;
  HWY_ALIGN T buffers[(Loop::kInputs + Loop::kOutputs) * kN];
  const void* tail_in[Loop::kInputs];
  void* tail_out[Loop::kOutputs];
  for (int i = 0; i < Loop::kInputs; ++i) {
    T* const buffer = buffers + static_cast<std::size_t>(i) * kN;
    tail_in[i] = in[i] == nullptr ? nullptr : buffer;
    if (in[i] == nullptr) continue;
    if (i == Loop::kBoolInput) {
      bool* const bools = reinterpret_cast<bool*>(buffer);
      for (std::size_t j = 0; j < kN; ++j) bools[j] = j < rest && static_cast<const bool*>(in[i])[whole + j];
    } else {
      store(buffer, load_part(static_cast<const T*>(in[i]) + whole, rest));
    }
  }
  for (int i = 0; i < Loop::kOutputs; ++i)
    tail_out[i] = out[i] == nullptr ? nullptr : buffers + static_cast<std::size_t>(Loop::kInputs + i) * kN;
  Loop::run(tail_in, tail_out, parameters, kN);
  for (int i = 0; i < Loop::kOutputs; ++i) {
    if (out[i] == nullptr) continue;
    if (Loop::kBoolOutput) {
      for (std::size_t j = 0; j < rest; ++j)
        static_cast<bool*>(out[i])[whole + j] = static_cast<const bool*>(tail_out[i])[j];
    } else {
      store_part(static_cast<T*>(out[i]) + whole, load(static_cast<const T*>(tail_out[i])), rest);
    }
  }
}

template <class T, int inputs, int outputs, int bool_input = kNone, bool bool_output = false>
struct LoopShape {
  using Lane = T;
  static constexpr int kInputs = inputs, kOutputs = outputs, kBoolInput = bool_input;
  static constexpr bool kBoolOutput = bool_output;
};

/// A call's parameters as vectors, converted once.
template <class F, class V>
struct Parameters {
  V values[F::kParameters == 0 ? 1 : F::kParameters];
  HWY_INLINE explicit Parameters(const double* from) {
    for (int i = 0; i < F::kParameters; ++i) values[i] = V(from[i]);
  }
};

/// How far ahead of the arithmetic a loop asks for what comes from memory: farther than the prefetchers go, which wait
/// for the loop as the loop would wait for them.
inline constexpr std::size_t kAheadBytes = 4096;

template <class T>
HWY_INLINE void fetch_ahead(const T* from) {
  __builtin_prefetch(reinterpret_cast<const char*>(from) + kAheadBytes);
}

/// `past_caches` for inputs that come from memory and outputs, at multiples of a vector's size, that nobody reads soon.
template <class F, class T, bool past_caches = false>
struct ForwardLoop : LoopShape<T, F::kInputs, 1, kNone, F::kIsMask> {
  using Result = std::conditional_t<F::kIsMask, bool, T>;
  static HWY_NOINLINE void run(const void* const* in, void* const* out, const double* from, std::size_t n) {
    const Parameters<F, Vec<T>> parameters(from);
    const T* x[F::kInputs];
    for (int i = 0; i < F::kInputs; ++i) x[i] = static_cast<const T*>(in[i]);
    Result* const y = static_cast<Result*>(out[0]);
    for (std::size_t at = 0; at < n; at += kLanes<T>) {
      Vec<T> values[F::kInputs];
      for (int i = 0; i < F::kInputs; ++i) {
        if constexpr (past_caches) fetch_ahead(x[i] + at);
        values[i] = load(x[i] + at);
      }
      if constexpr (F::kIsMask)
        store_mask(y + at, formula::invoke_forward<F>(values, parameters.values));
      else if constexpr (past_caches)
        store_past_caches(y + at, formula::invoke_forward<F>(values, parameters.values));
      else
        store(y + at, formula::invoke_forward<F>(values, parameters.values));
    }
  }
};

/// Writes the gradients that somebody wants, bit by bit; the compiler drops the arithmetic of the others. What the
/// formula does not save is not read.
template <class F, class T, int wanted, bool past_caches = false>
HWY_INLINE void backward_loop(const void* const* in, void* const* out, const double* from, std::size_t n) {
  constexpr int kIn = F::kInputs + 2;
  constexpr bool kInputs = (F::kSaves & formula::kSavesInputs) != 0, kOutput = (F::kSaves & formula::kSavesOutput) != 0;
  const Parameters<F, Vec<T>> parameters(from);
  const T* x[kIn];
  T* dx[F::kInputs];
  for (int i = 0; i < kIn; ++i) x[i] = static_cast<const T*>(in[i]);
  for (int i = 0; i < F::kInputs; ++i) dx[i] = static_cast<T*>(out[i]);
  for (std::size_t at = 0; at < n; at += kLanes<T>) {
    Vec<T> values[kIn];
    if constexpr (past_caches) {
      fetch_ahead(x[0] + at);
      for (int i = 1; i <= F::kInputs && kInputs; ++i) fetch_ahead(x[i] + at);
      if (kOutput) fetch_ahead(x[kIn - 1] + at);
    }
    values[0] = load(x[0] + at);
    for (int i = 1; i <= F::kInputs; ++i) values[i] = kInputs ? load(x[i] + at) : Vec<T>(0.0);
    values[kIn - 1] = kOutput ? load(x[kIn - 1] + at) : Vec<T>(0.0);
    const auto gradients = formula::invoke_backward<F>(values, parameters.values);
    for (int i = 0; i < F::kInputs; ++i)
      if (wanted >> i & 1) past_caches ? store_past_caches(dx[i] + at, gradients[i]) : store(dx[i] + at, gradients[i]);
  }
}

template <class F, class T, bool past_caches = false>
struct BackwardLoop : LoopShape<T, F::kInputs + 2, F::kInputs> {
  static HWY_NOINLINE void run(const void* const* in, void* const* out, const double* parameters, std::size_t n) {
    int wanted = 0;
    for (int i = 0; i < F::kInputs; ++i) wanted |= (out[i] != nullptr) << i;
    pick<(1 << F::kInputs) - 1>(wanted, in, out, parameters, n);
  }
  template <int set>
  static HWY_INLINE void pick(int wanted, const void* const* in, void* const* out, const double* parameters,
                              std::size_t n) {
    if (wanted == set) return backward_loop<F, T, set, past_caches>(in, out, parameters, n);
    if constexpr (set > 1) pick<set - 1>(wanted, in, out, parameters, n);
  }
};

/// Element by element, for integers and bools.
template <class F, class T, class Result>
void plain(const void* const* in, void* const* out, const double*, std::size_t n) {
  const T* x[F::kInputs];
  for (int i = 0; i < F::kInputs; ++i) x[i] = static_cast<const T*>(in[i]);
  Result* const y = static_cast<Result*>(out[0]);
  for (std::size_t at = 0; at < n; ++at) {
    T values[F::kInputs];
    for (int i = 0; i < F::kInputs; ++i) values[i] = x[i][at];
    y[at] = formula::invoke_forward<F>(values, static_cast<const T*>(nullptr));
  }
}

/// The tile functions of an op with this many inputs, for every dtype that it takes.
template <class F, DTypes accepted, int inputs>
void add_tiles(TileTable& table, Op op) {
  if constexpr (F::kInputs == inputs) {
    TileFn* const forward = table.forward[static_cast<int>(op)];
    TileFn* const backward = table.backward[static_cast<int>(op)];
    const auto add = [&]<class T>(DType dtype) {
      const auto at = static_cast<int>(dtype);
      if constexpr (!takes<T>(accepted))
        return;
      else if constexpr (std::is_floating_point_v<T>) {
        forward[at] = &tile<ForwardLoop<F, T>>;
        if constexpr (!F::kIsMask) backward[at] = &tile<BackwardLoop<F, T>>;
        if constexpr (!F::kIsMask && inputs == 1) {
          table.past_caches[static_cast<int>(op)][at] = &tile<ForwardLoop<F, T, true>>;
          table.past_caches_backward[static_cast<int>(op)][at] = &tile<BackwardLoop<F, T, true>>;
        }
      } else if constexpr (std::is_same_v<T, bool> && inputs == 1) {
        forward[at] = &plain<F, unsigned char, unsigned char>;  // g++ 12 does not vectorise the negation of a bool
      } else {
        forward[at] = &plain<F, T, std::conditional_t<F::kIsMask, bool, T>>;
      }
    };
    add.template operator()<bool>(DType::Bool);
    add.template operator()<std::int32_t>(DType::Int32);
    add.template operator()<std::int64_t>(DType::Int64);
    add.template operator()<float>(DType::Float32);
    add.template operator()<double>(DType::Float64);
  }
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggling guard
