// Tile functions of the ops with two inputs of one type.
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(elementwise_binary.cpp)
#include <hwy/foreach_target.h>

#include "tile_loops.h"

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

template <class F, class T>
struct BinaryForward : LoopShape<T, 2, 1> {
  static HWY_NOINLINE void run(const void* const* in, void* const* out, const double*, std::size_t n) {
    const T* const a = static_cast<const T*>(in[0]);
    const T* const b = static_cast<const T*>(in[1]);
    T* const y = static_cast<T*>(out[0]);
    for (std::size_t i = 0; i < n; i += kLanes<T>) store(y + i, F::forward(load(a + i), load(b + i)));
  }
};

/// Writes the gradients that somebody wants; the compiler drops the arithmetic of the other.
template <class F, class T, bool want_a, bool want_b>
HWY_INLINE void binary_backward(const void* const* in, void* const* out, std::size_t n) {
  constexpr bool kInputs = (F::kSaves & formula::kSavesInputs) != 0, kOutput = (F::kSaves & formula::kSavesOutput) != 0;
  const T* const dy = static_cast<const T*>(in[0]);
  const T* const a = static_cast<const T*>(in[1]);
  const T* const b = static_cast<const T*>(in[2]);
  const T* const y = static_cast<const T*>(in[3]);
  T* const da = static_cast<T*>(out[0]);
  T* const db = static_cast<T*>(out[1]);
  for (std::size_t i = 0; i < n; i += kLanes<T>) {
    const auto gradients =
        F::backward(load(dy + i), load_saved<kInputs>(a, i), load_saved<kInputs>(b, i), load_saved<kOutput>(y, i));
    if constexpr (want_a) store(da + i, gradients.a);
    if constexpr (want_b) store(db + i, gradients.b);
  }
}

template <class F, class T>
struct BinaryBackward : LoopShape<T, 4, 2> {
  static HWY_NOINLINE void run(const void* const* in, void* const* out, const double*, std::size_t n) {
    if (out[0] != nullptr && out[1] != nullptr)
      binary_backward<F, T, true, true>(in, out, n);
    else if (out[0] != nullptr)
      binary_backward<F, T, true, false>(in, out, n);
    else
      binary_backward<F, T, false, true>(in, out, n);
  }
};

template <class F, class I>
void integer_forward(const void* const* in, void* const* out, const double*, std::size_t n) {
  const I* const a = static_cast<const I*>(in[0]);
  const I* const b = static_cast<const I*>(in[1]);
  I* const y = static_cast<I*>(out[0]);
  for (std::size_t i = 0; i < n; ++i) y[i] = F::forward(a[i], b[i]);
}

template <class F, DTypes accepted>
void add_binary(TileTable& table, Op op) {
  TileFn* const forward = table.forward[static_cast<int>(op)];
  TileFn* const backward = table.backward[static_cast<int>(op)];
  forward[static_cast<int>(float32)] = &tile<BinaryForward<F, float>>;
  forward[static_cast<int>(float64)] = &tile<BinaryForward<F, double>>;
  backward[static_cast<int>(float32)] = &tile<BinaryBackward<F, float>>;
  backward[static_cast<int>(float64)] = &tile<BinaryBackward<F, double>>;
  if constexpr (accepted == DTypes::Numeric) {
    forward[static_cast<int>(int32)] = &integer_forward<F, std::int32_t>;
    forward[static_cast<int>(int64)] = &integer_forward<F, std::int64_t>;
  }
}

template <class F>
void add_bitwise(TileTable& table, Op op) {
  TileFn* const forward = table.forward[static_cast<int>(op)];
  forward[static_cast<int>(int32)] = &integer_forward<F, std::int32_t>;
  forward[static_cast<int>(int64)] = &integer_forward<F, std::int64_t>;
}

void add_binary_tiles(TileTable& table) {
#define LUGE_ROW(function, Formula, dtypes, ...) add_binary<formula::Formula, DTypes::dtypes>(table, Op::Formula);
  LUGE_BINARY_ROWS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, ...) add_bitwise<formula::Formula>(table, Op::Formula);
  LUGE_BITWISE_ROWS(LUGE_ROW)
#undef LUGE_ROW
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {
HWY_EXPORT(add_binary_tiles);
void add_binary_tiles(TileTable& table) { HWY_DYNAMIC_DISPATCH(add_binary_tiles)(table); }
}  // namespace luge::cpu
#endif
