// Tile functions of the ops with one input, with and without parameters.
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(elementwise_unary.cpp)
#include <hwy/foreach_target.h>

#include "tile_loops.h"

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

template <class F, class T>
struct UnaryForward : LoopShape<T, 1, 1> {
  static HWY_NOINLINE void run(const void* const* in, void* const* out, const double* parameters, std::size_t n) {
    const Parameters<F, Vec<T>> p(parameters);
    const T* const x = static_cast<const T*>(in[0]);
    T* const y = static_cast<T*>(out[0]);
    for (std::size_t i = 0; i < n; i += kLanes<T>) store(y + i, p.forward(load(x + i)));
  }
};

template <class F, class T>
struct UnaryBackward : LoopShape<T, 3, 1> {
  static HWY_NOINLINE void run(const void* const* in, void* const* out, const double* parameters, std::size_t n) {
    constexpr bool kInput = (F::kSaves & formula::kSavesInputs) != 0,
                   kOutput = (F::kSaves & formula::kSavesOutput) != 0;
    const Parameters<F, Vec<T>> p(parameters);
    const T* const dy = static_cast<const T*>(in[0]);
    const T* const x = static_cast<const T*>(in[1]);
    const T* const y = static_cast<const T*>(in[2]);
    T* const dx = static_cast<T*>(out[0]);
    for (std::size_t i = 0; i < n; i += kLanes<T>)
      store(dx + i, p.backward(load(dy + i), load_saved<kInput>(x, i), load_saved<kOutput>(y, i)));
  }
};

template <class F, class I>
void integer_forward(const void* const* in, void* const* out, const double*, std::size_t n) {
  const I* const x = static_cast<const I*>(in[0]);
  I* const y = static_cast<I*>(out[0]);
  for (std::size_t i = 0; i < n; ++i) y[i] = F::forward(x[i]);
}

template <class F, DTypes accepted>
void add_unary(TileTable& table, Op op) {
  TileFn* const forward = table.forward[static_cast<int>(op)];
  TileFn* const backward = table.backward[static_cast<int>(op)];
  forward[static_cast<int>(float32)] = &tile<UnaryForward<F, float>>;
  forward[static_cast<int>(float64)] = &tile<UnaryForward<F, double>>;
  backward[static_cast<int>(float32)] = &tile<UnaryBackward<F, float>>;
  backward[static_cast<int>(float64)] = &tile<UnaryBackward<F, double>>;
  if constexpr (accepted == DTypes::Numeric) {
    forward[static_cast<int>(int32)] = &integer_forward<F, std::int32_t>;
    forward[static_cast<int>(int64)] = &integer_forward<F, std::int64_t>;
  }
}

void add_unary_tiles(TileTable& table) {
#define LUGE_ROW(function, Formula, dtypes, ...) add_unary<formula::Formula, DTypes::dtypes>(table, Op::Formula);
  LUGE_UNARY_ROWS(LUGE_ROW)
  LUGE_UNARY_PARAMETER_ROWS(LUGE_ROW)
#undef LUGE_ROW
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {
HWY_EXPORT(add_unary_tiles);
void add_unary_tiles(TileTable& table) { HWY_DYNAMIC_DISPATCH(add_unary_tiles)(table); }
}  // namespace luge::cpu
#endif
