// Loops that make a tile function of a formula, compiled once per target.
#include "vector.h"

#include <cstdint>

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

/// Which operands of a loop are bools; the others are its lane type.
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

/// The formula's forward or backward with its parameters, converted once per call, at the end.
template <class F, class V>
struct Parameters {
  V values[F::kParameters == 0 ? 1 : F::kParameters];
  HWY_INLINE explicit Parameters(const double* from) {
    for (int i = 0; i < F::kParameters; ++i) values[i] = V(from[i]);
  }
  HWY_INLINE V forward(V x) const {
    if constexpr (F::kParameters == 0) return F::forward(x);
    if constexpr (F::kParameters == 1) return F::forward(x, values[0]);
    if constexpr (F::kParameters == 2) return F::forward(x, values[0], values[1]);
  }
  HWY_INLINE V backward(V dy, V x, V y) const {
    if constexpr (F::kParameters == 0) return F::backward(dy, x, y);
    if constexpr (F::kParameters == 1) return F::backward(dy, x, y, values[0]);
    if constexpr (F::kParameters == 2) return F::backward(dy, x, y, values[0], values[1]);
  }
};

/// An operand that the derivative reads only if the formula saves it.
template <bool saved, class T>
HWY_INLINE Vec<T> load_saved(const T* from, std::size_t i) {
  if constexpr (saved)
    return load(from + i);
  else
    return Vec<T>(0.0);
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggling guard
