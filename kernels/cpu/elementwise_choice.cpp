// Tile functions of the ops with three inputs, and of where, whose first one is bool.
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(elementwise_choice.cpp)
#include <hwy/foreach_target.h>

#include "tile_loops.h"

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

template <class F, class T>
struct ChoiceForward : LoopShape<T, 3, 1, 0> {
  static HWY_NOINLINE void run(const void* const* in, void* const* out, const double*, std::size_t n) {
    const bool* const condition = static_cast<const bool*>(in[0]);
    const T* const a = static_cast<const T*>(in[1]);
    const T* const b = static_cast<const T*>(in[2]);
    T* const y = static_cast<T*>(out[0]);
    for (std::size_t i = 0; i < n; i += kLanes<T>)
      store(y + i, F::forward(load_mask<T>(condition + i), load(a + i), load(b + i)));
  }
};

/// The gradients go to the two values: out[1] and out[2].
template <class F, class T>
struct ChoiceBackward : LoopShape<T, 2, 3, 1> {
  static HWY_NOINLINE void run(const void* const* in, void* const* out, const double*, std::size_t n) {
    const T* const dy = static_cast<const T*>(in[0]);
    const bool* const condition = static_cast<const bool*>(in[1]);
    T* const da = static_cast<T*>(out[1]);
    T* const db = static_cast<T*>(out[2]);
    for (std::size_t i = 0; i < n; i += kLanes<T>) {
      const auto gradients = F::backward(load(dy + i), load_mask<T>(condition + i));
      if (da != nullptr) store(da + i, gradients[0]);
      if (db != nullptr) store(db + i, gradients[1]);
    }
  }
};

/// Element by element, for integers and bools.
template <class F, class T>
void plain_choice(const void* const* in, void* const* out, const double*, std::size_t n) {
  const bool* const condition = static_cast<const bool*>(in[0]);
  const T* const a = static_cast<const T*>(in[1]);
  const T* const b = static_cast<const T*>(in[2]);
  T* const y = static_cast<T*>(out[0]);
  for (std::size_t i = 0; i < n; ++i) y[i] = F::forward(condition[i], a[i], b[i]);
}

template <class F>
void add_choice(TileTable& table, Op op) {
  TileFn* const forward = table.forward[static_cast<int>(op)];
  TileFn* const backward = table.backward[static_cast<int>(op)];
  forward[static_cast<int>(boolean)] = &plain_choice<F, bool>;
  forward[static_cast<int>(int32)] = &plain_choice<F, std::int32_t>;
  forward[static_cast<int>(int64)] = &plain_choice<F, std::int64_t>;
  forward[static_cast<int>(float32)] = &tile<ChoiceForward<F, float>>;
  forward[static_cast<int>(float64)] = &tile<ChoiceForward<F, double>>;
  backward[static_cast<int>(float32)] = &tile<ChoiceBackward<F, float>>;
  backward[static_cast<int>(float64)] = &tile<ChoiceBackward<F, double>>;
}

void add_choice_tiles(TileTable& table) {
  add_choice<formula::Where>(table, Op::Where);
#define LUGE_ROW(function, Formula, dtypes, ...) add_tiles<formula::Formula, DTypes::dtypes, 3>(table, Op::Formula);
  LUGE_TERNARY_OPS(LUGE_ROW)
#undef LUGE_ROW
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {
HWY_EXPORT(add_choice_tiles);
void add_choice_tiles(TileTable& table) { HWY_DYNAMIC_DISPATCH(add_choice_tiles)(table); }
}  // namespace luge::cpu
#endif
