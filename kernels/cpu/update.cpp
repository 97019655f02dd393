// One optimizer step over a whole arena, in one pass over values, gradients and state.
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(update.cpp)
#include <hwy/foreach_target.h>

#include "vector.h"

#include <algorithm>
#include <cmath>

#include <luge/math/updates.h>

#include "kernels.h"
#include "threads.h"

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

namespace rule = luge::math::HWY_NAMESPACE;

/// The numbers of a rule, as an index into what Uniform and PerElement hold.
enum Number { kLr, kDecay, kMomentum, kKept, kBeta1, kRest1, kBeta2, kRest2, kEpsilon, kBias1, kRootBias2, kNumbers };

/// Elements whose numbers are laid out at a time where sets are small and have their own.
constexpr std::int64_t kTile = 256;
/// Sets at least this large get their numbers as constants instead.
constexpr std::int64_t kLargeSet = 64;

/// values[number][i] for sets first_set + i, i < count; derived numbers included.
template <class T>
void set_numbers(const Update& call, std::int64_t step, std::int64_t first_set, std::int64_t count, T (*values)[kTile]) {
  const auto read = [&](const Hyper& hyper, Number number) {
    const T* const data = static_cast<const T*>(hyper.data);
    T* const to = values[number];
    if (data == nullptr)
      std::fill_n(to, count, T(0));
    else if (hyper.stride == 0)
      std::fill_n(to, count, *data);
    else
      std::copy_n(data + first_set, count, to);
  };
  const auto rest_of = [&](Number number, Number rest) {
    for (std::int64_t i = 0; i < count; ++i) values[rest][i] = T(1) - values[number][i];
  };
  // 1 - beta^t in float64: in float32 it would lose half of its digits at the first steps.
  const auto bias_of = [&](const Hyper& beta, Number number, Number bias, bool root) {
    for (std::int64_t i = 0; i < count; ++i) {
      if (i > 0 && beta.stride == 0) {
        values[bias][i] = values[bias][0];
        continue;
      }
      const double b = 1.0 - std::pow(static_cast<double>(values[number][i]), static_cast<double>(step));
      values[bias][i] = static_cast<T>(root ? std::sqrt(b) : b);
    }
  };
  read(call.lr, kLr);
  read(call.weight_decay, kDecay);
  if (call.rule == UpdateRule::Sgd) {
    if (call.first == nullptr) return;
    read(call.momentum, kMomentum);
    read(call.dampening, kKept);
    rest_of(kKept, kKept);
    return;
  }
  read(call.beta1, kBeta1);
  read(call.beta2, kBeta2);
  rest_of(kBeta1, kRest1);
  rest_of(kBeta2, kRest2);
  read(call.epsilon, kEpsilon);
  bias_of(call.beta1, kBeta1, kBias1, false);
  bias_of(call.beta2, kBeta2, kRootBias2, true);
}

/// One set's numbers, for any number of elements.
template <class T>
struct Uniform {
  Vec<T> values[kNumbers];

  Uniform(const T (*from)[kTile], std::int64_t index) {
    for (int n = 0; n < kNumbers; ++n) values[n] = Vec<T>(static_cast<double>(from[n][index]));
  }
  HWY_INLINE Vec<T> get(Number number, std::int64_t) const { return values[number]; }
};

/// Numbers laid out element by element, padded to whole vectors.
template <class T>
struct PerElement {
  const T (*values)[kTile];
  HWY_INLINE Vec<T> get(Number number, std::int64_t i) const { return load(values[number] + i); }
};

/// Parts of the arena that begin at the same element.
template <class T>
struct Block {
  T* value;
  const T* grad;
  T* first;
  T* second;

  Block from(std::int64_t i) const {
    return {value + i, grad + i, first == nullptr ? nullptr : first + i, second == nullptr ? nullptr : second + i};
  }
};

template <class T>
struct PlainSgd {
  bool maximize;

  template <class Source, class Load, class Save>
  HWY_INLINE void operator()(const Block<T>& b, std::int64_t i, const Source& n, Load get, Save put) const {
    Vec<T> p = get(b.value + i), g = get(b.grad + i);
    if (maximize) g = -g;
    rule::Sgd<Vec<T>>{n.get(kLr, i), Vec<T>(0.0), Vec<T>(0.0), n.get(kDecay, i)}.step(p, g);
    put(b.value + i, p);
  }
};

template <class T>
struct MomentumSgd {
  bool maximize, first_step, nesterov;

  template <class Source, class Load, class Save>
  HWY_INLINE void operator()(const Block<T>& b, std::int64_t i, const Source& n, Load get, Save put) const {
    Vec<T> p = get(b.value + i), g = get(b.grad + i), buffer = get(b.first + i);
    if (maximize) g = -g;
    rule::Sgd<Vec<T>>{n.get(kLr, i), n.get(kMomentum, i), n.get(kKept, i), n.get(kDecay, i)}.step(p, g, buffer, first_step,
                                                                                                nesterov);
    put(b.value + i, p);
    put(b.first + i, buffer);
  }
};

template <class T>
struct AdamStep {
  bool maximize, decoupled;

  template <class Source, class Load, class Save>
  HWY_INLINE void operator()(const Block<T>& b, std::int64_t i, const Source& n, Load get, Save put) const {
    Vec<T> p = get(b.value + i), g = get(b.grad + i), m = get(b.first + i), v = get(b.second + i);
    if (maximize) g = -g;
    rule::Adam<Vec<T>>{n.get(kLr, i),      n.get(kBeta1, i),   n.get(kRest1, i), n.get(kBeta2, i),    n.get(kRest2, i),
                       n.get(kEpsilon, i), n.get(kDecay, i),   n.get(kBias1, i), n.get(kRootBias2, i)}
        .step(p, g, m, v, decoupled);
    put(b.value + i, p);
    put(b.first + i, m);
    put(b.second + i, v);
  }
};

struct LoadWhole {
  template <class T>
  HWY_INLINE Vec<T> operator()(const T* from) const { return load(from); }
};
struct LoadPart {
  std::size_t n;
  template <class T>
  HWY_INLINE Vec<T> operator()(const T* from) const { return load_part(from, n); }
};
struct SaveWhole {
  template <class T>
  HWY_INLINE void operator()(T* to, Vec<T> v) const { store(to, v); }
};
struct SavePart {
  std::size_t n;
  template <class T>
  HWY_INLINE void operator()(T* to, Vec<T> v) const { store_part(to, v, n); }
};

template <class Rule, class T, class Source>
HWY_NOINLINE void update_run(const Rule& rule, const Block<T>& block, std::int64_t n, const Source& numbers) {
  constexpr auto kN = static_cast<std::int64_t>(kLanes<T>);
  std::int64_t i = 0;
  for (; i + kN <= n; i += kN) rule(block, i, numbers, LoadWhole(), SaveWhole());
  if (i == n) return;
  const auto rest = static_cast<std::size_t>(n - i);
  rule(block, i, numbers, LoadPart{rest}, SavePart{rest});
}

/// The elements [begin, end) of the arena that belong to parameters.
template <class T, class Rule>
void update_range(const Update& call, const Rule& rule, std::int64_t step, std::int64_t begin, std::int64_t end) {
  const ArenaLayout& layout = call.layout;
  const Block<T> block{static_cast<T*>(call.value), static_cast<const T*>(call.grad), static_cast<T*>(call.first),
                       static_cast<T*>(call.second)};
  bool shared = true;
  for (const Hyper* hyper : {&call.lr, &call.momentum, &call.dampening, &call.weight_decay, &call.beta1, &call.beta2, &call.epsilon})
    shared &= hyper->data == nullptr || hyper->stride == 0;
  HWY_ALIGN T sets[kNumbers][kTile];
  HWY_ALIGN T elements[kNumbers][kTile];
  std::fill_n(&sets[0][0], kNumbers * kTile, T(0));
  std::fill_n(&elements[0][0], kNumbers * kTile, T(0));
  if (shared) set_numbers(call, step, 0, 1, sets);
  const std::int64_t* const past = std::upper_bound(layout.offset, layout.offset + layout.parameters, begin);
  for (std::int64_t p = std::max<std::int64_t>(past - layout.offset - 1, 0); p < layout.parameters; ++p) {
    const std::int64_t offset = layout.offset[p], per_set = layout.per_set[p];
    if (offset >= end) break;
    const std::int64_t low = std::max(begin, offset), high = std::min(end, offset + layout.sets * per_set);
    if (low >= high) continue;
    if (shared) {
      update_run(rule, block.from(low), high - low, Uniform<T>(sets, 0));
      continue;
    }
    for (std::int64_t i = low; i < high;) {
      const std::int64_t set = (i - offset) / per_set;
      if (per_set >= kLargeSet) {
        const std::int64_t n = std::min(high, offset + (set + 1) * per_set) - i;
        set_numbers(call, step, set, 1, sets);
        update_run(rule, block.from(i), n, Uniform<T>(sets, 0));
        i += n;
      } else {
        const std::int64_t n = std::min(high - i, kTile), last = (i + n - 1 - offset) / per_set;
        set_numbers(call, step, set, last - set + 1, per_set == 1 ? elements : sets);
        if (per_set > 1) {
          for (int number = 0; number < kNumbers; ++number) {
            std::int64_t left = (set + 1) * per_set - (i - offset), from = 0;
            for (std::int64_t j = 0; j < n; ++j, --left) {
              if (left == 0) ++from, left = per_set;
              elements[number][j] = sets[number][from];
            }
          }
        }
        update_run(rule, block.from(i), n, PerElement<T>{elements});
        i += n;
      }
    }
  }
}

template <class T>
void update_as(const Update& call) {
  const std::int64_t taken = *call.steps;
  const auto over_arena = [&](const auto& rule) {
    parallel_for(
        call.layout.size, 2,
        [&](std::int64_t begin, std::int64_t end) { update_range<T>(call, rule, taken + 1, begin, end); }, kTile);
  };
  if (call.rule != UpdateRule::Sgd)
    over_arena(AdamStep<T>{call.maximize, call.rule == UpdateRule::AdamW});
  else if (call.first != nullptr)
    over_arena(MomentumSgd<T>{call.maximize, taken == 0, call.nesterov});
  else
    over_arena(PlainSgd<T>{call.maximize});
  *call.steps = taken + 1;
}

void update(const Update& call) { call.dtype == float32 ? update_as<float>(call) : update_as<double>(call); }

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {
HWY_EXPORT(update);
void run(const Update& call) { HWY_DYNAMIC_DISPATCH(update)(call); }
}  // namespace luge::cpu
#endif
