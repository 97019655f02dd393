// Tile functions of comparisons, logic and tests, whose result is bool, and of where.
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(elementwise_choice.cpp)
#include <hwy/foreach_target.h>

#include "tile_loops.h"

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

template <class F, class T>
struct CompareForward : LoopShape<T, 2, 1, kNone, true> {
  static HWY_NOINLINE void run(const void* const* in, void* const* out, const double*, std::size_t n) {
    const T* const a = static_cast<const T*>(in[0]);
    const T* const b = static_cast<const T*>(in[1]);
    bool* const y = static_cast<bool*>(out[0]);
    for (std::size_t i = 0; i < n; i += kLanes<T>) store_mask(y + i, F::forward(load(a + i), load(b + i)));
  }
};

template <class F, class T>
struct TestForward : LoopShape<T, 1, 1, kNone, true> {
  static HWY_NOINLINE void run(const void* const* in, void* const* out, const double*, std::size_t n) {
    const T* const x = static_cast<const T*>(in[0]);
    bool* const y = static_cast<bool*>(out[0]);
    for (std::size_t i = 0; i < n; i += kLanes<T>) store_mask(y + i, F::forward(load(x + i)));
  }
};

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
      if (da != nullptr) store(da + i, gradients.a);
      if (db != nullptr) store(db + i, gradients.b);
    }
  }
};

/// Element by element, for integers and bools.
template <class F, class T>
void plain_compare(const void* const* in, void* const* out, const double*, std::size_t n) {
  const T* const a = static_cast<const T*>(in[0]);
  const T* const b = static_cast<const T*>(in[1]);
  bool* const y = static_cast<bool*>(out[0]);
  for (std::size_t i = 0; i < n; ++i) y[i] = F::forward(a[i], b[i]);
}
/// Bools as bytes of 0 and 1: g++ 12 does not vectorise the negation of a bool.
template <class F>
void plain_test(const void* const* in, void* const* out, const double*, std::size_t n) {
  const auto* const x = static_cast<const unsigned char*>(in[0]);
  auto* const y = static_cast<unsigned char*>(out[0]);
  for (std::size_t i = 0; i < n; ++i) y[i] = F::forward(x[i]);
}
template <class F, class T>
void plain_choice(const void* const* in, void* const* out, const double*, std::size_t n) {
  const bool* const condition = static_cast<const bool*>(in[0]);
  const T* const a = static_cast<const T*>(in[1]);
  const T* const b = static_cast<const T*>(in[2]);
  T* const y = static_cast<T*>(out[0]);
  for (std::size_t i = 0; i < n; ++i) y[i] = F::forward(condition[i], a[i], b[i]);
}

template <class F, DTypes accepted>
void add_compare(TileTable& table, Op op) {
  TileFn* const forward = table.forward[static_cast<int>(op)];
  forward[static_cast<int>(boolean)] = &plain_compare<F, bool>;
  if constexpr (accepted == DTypes::Any) {
    forward[static_cast<int>(int32)] = &plain_compare<F, std::int32_t>;
    forward[static_cast<int>(int64)] = &plain_compare<F, std::int64_t>;
    forward[static_cast<int>(float32)] = &tile<CompareForward<F, float>>;
    forward[static_cast<int>(float64)] = &tile<CompareForward<F, double>>;
  }
}

template <class F, DTypes accepted>
void add_test(TileTable& table, Op op) {
  TileFn* const forward = table.forward[static_cast<int>(op)];
  if constexpr (accepted == DTypes::Logical) {
    forward[static_cast<int>(boolean)] = &plain_test<F>;
  } else {
    forward[static_cast<int>(float32)] = &tile<TestForward<F, float>>;
    forward[static_cast<int>(float64)] = &tile<TestForward<F, double>>;
  }
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
#define LUGE_ROW(function, Formula, dtypes, ...) add_compare<formula::Formula, DTypes::dtypes>(table, Op::Formula);
  LUGE_COMPARE_ROWS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, dtypes, ...) add_test<formula::Formula, DTypes::dtypes>(table, Op::Formula);
  LUGE_TEST_ROWS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, dtypes, ...) add_choice<formula::Formula>(table, Op::Formula);
  LUGE_WHERE_ROWS(LUGE_ROW)
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
