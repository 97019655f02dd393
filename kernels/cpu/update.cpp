// One optimizer step over a whole arena, in one pass over values, gradients and state.
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(update.cpp)
#include <hwy/foreach_target.h>

#include "vector.h"

#include <algorithm>
#include <cmath>

#include <luge/math/updates.h>
#include <luge/tensor/dispatch.h>

#include "kernels.h"
#include "threads.h"
#include "update_loop.h"

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

namespace rule = luge::math::HWY_NAMESPACE;

using Number = UpdateNumber;
inline constexpr int kNumbers = kFirstStep;  ///< those that Uniform and PerElement hold

/// Elements whose numbers are laid out at a time where sets are small and have their own.
constexpr std::int64_t kTile = 512;
/// Sets at least this large get their numbers as constants instead.
constexpr std::int64_t kLargeSet = 64;

/// Whether a number is a hyperparameter as it is.
bool raw(Number number) {
  return number != kKept && number != kRest1 && number != kRest2 && number != kBias1 && number != kRootBias2;
}

/// One that is computed from a hyperparameter. 1 - beta^t in float64: in float32 it would lose half of its
/// digits at the first steps.
template <class T>
T derived(T value, Number number, double step) {
  if (number == kBias1) return static_cast<T>(1.0 - std::pow(static_cast<double>(value), step));
  if (number == kRootBias2) return static_cast<T>(std::sqrt(1.0 - std::pow(static_cast<double>(value), step)));
  return T(1) - value;
}

/// The hyperparameter behind each number that the call's rule reads: visit(hyper, number).
template <class Visit>
void for_each_number(const Update& call, const Visit& visit) {
  visit(call.lr, kLr);
  visit(call.weight_decay, kDecay);
  if (call.rule == UpdateRule::Sgd) {
    if (call.first == nullptr) return;
    visit(call.momentum, kMomentum);
    visit(call.dampening, kKept);
  } else {
    for (const Number number : {kBeta1, kRest1, kBias1}) visit(call.beta1, number);
    for (const Number number : {kBeta2, kRest2, kRootBias2}) visit(call.beta2, number);
    visit(call.epsilon, kEpsilon);
  }
}

/// The numbers of some sets at a time: at[number][i] for the i-th of them.
template <class T>
class SetNumbers {
 public:
  SetNumbers(const Update& call, std::int64_t step) : step_(static_cast<double>(step)) {
    std::fill_n(&tiles_[0][0], kNumbers * kTile, T(0));
    for (int n = 0; n < kNumbers; ++n) at[n] = tiles_[n];
    for_each_number(call, [&](const Hyper& hyper, Number number) { add(hyper, number); });
  }

  /// True where every set has the same numbers; they are then there for any set.
  bool shared() const { return own_count_ == 0; }

  void load_sets(std::int64_t first_set, std::int64_t count) {
    for (int i = 0; i < own_count_; ++i) {
      const auto [data, number] = own_[i];
      if (raw(number))
        at[number] = data + first_set;
      else
        for (std::int64_t s = 0; s < count; ++s) tiles_[number][s] = derived(data[first_set + s], number, step_);
    }
  }

  /// Lays out, in `elements`, the numbers that sets have of their own for n elements, the first of which
  /// is number `begin` of the loaded sets of `per_set` elements each, and points `laid_out` there.
  void spread(std::int64_t begin, std::int64_t per_set, std::int64_t n, T (*elements)[kTile],
              const T** laid_out) const {
    for (int i = 0; i < own_count_; ++i) {
      const Number number = own_[i].number;
      laid_out[number] = elements[number];
      const T* from = at[number];
      std::int64_t left = per_set - begin;
      for (std::int64_t j = 0; j < n; ++j, --left) {
        if (left == 0) ++from, left = per_set;
        elements[number][j] = *from;
      }
    }
  }

  const T* at[kNumbers];

 private:
  struct Own {
    const T* data;
    Number number;
  };

  void add(const Hyper& hyper, Number number) {
    const T* const data = static_cast<const T*>(hyper.data);
    if (data != nullptr && hyper.stride != 0)
      own_[own_count_++] = {data, number};
    else
      std::fill_n(tiles_[number], kTile,
                  raw(number) ? (data == nullptr ? T(0) : *data) : derived(data == nullptr ? T(0) : *data, number, step_));
  }

  double step_;
  int own_count_ = 0;
  Own own_[kNumbers];
  HWY_ALIGN T tiles_[kNumbers][kTile];
};

/// One set's numbers, for any number of elements.
template <class T>
struct Uniform {
  Vec<T> values[kNumbers];

  explicit Uniform(const T* const* at) {
    for (int n = 0; n < kNumbers; ++n) values[n] = Vec<T>(static_cast<double>(*at[n]));
  }
  template <class Load>
  HWY_INLINE Vec<T> get(Number number, std::int64_t, Load) const {
    return values[number];
  }
};

/// Numbers laid out element by element.
template <class T>
struct PerElement {
  const T* const* at;

  template <class Load>
  HWY_INLINE Vec<T> get(Number number, std::int64_t i, Load load_from) const {
    return load_from(at[number] + i);
  }
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
  bool maximize, decays;

  template <class Source, class Load, class Save>
  HWY_INLINE void operator()(const Block<T>& b, std::int64_t i, const Source& n, Load get, Save put) const {
    Vec<T> p = get(b.value + i), g = get(b.grad + i);
    if (maximize) g = -g;
    rule::Sgd<Vec<T>>{n.get(kLr, i, get), Vec<T>(0.0), Vec<T>(0.0), n.get(kDecay, i, get), decays}.step(p, g);
    put(b.value + i, p);
  }
};

template <class T>
struct MomentumSgd {
  bool maximize, decays, first_step, nesterov;

  template <class Source, class Load, class Save>
  HWY_INLINE void operator()(const Block<T>& b, std::int64_t i, const Source& n, Load get, Save put) const {
    Vec<T> p = get(b.value + i), g = get(b.grad + i), buffer = get(b.first + i);
    if (maximize) g = -g;
    rule::Sgd<Vec<T>>{n.get(kLr, i, get), n.get(kMomentum, i, get), n.get(kKept, i, get), n.get(kDecay, i, get), decays}
        .step(p, g, buffer, first_step, nesterov);
    put(b.value + i, p);
    put(b.first + i, buffer);
  }
};

template <class T>
struct AdamStep {
  bool maximize, decays, decoupled;

  template <class Source, class Load, class Save>
  HWY_INLINE void operator()(const Block<T>& b, std::int64_t i, const Source& n, Load get, Save put) const {
    Vec<T> p = get(b.value + i), g = get(b.grad + i), m = get(b.first + i), v = get(b.second + i);
    if (maximize) g = -g;
    rule::Adam<Vec<T>>{n.get(kLr, i, get),    n.get(kBeta1, i, get), n.get(kRest1, i, get),
                       n.get(kBeta2, i, get), n.get(kRest2, i, get), n.get(kEpsilon, i, get),
                       n.get(kDecay, i, get), n.get(kBias1, i, get), n.get(kRootBias2, i, get), decays}
        .step(p, g, m, v, decoupled);
    put(b.value + i, p);
    put(b.first + i, m);
    put(b.second + i, v);
  }
};

struct LoadWhole {
  template <class T>
  HWY_INLINE Vec<T> operator()(const T* from) const {
    return load(from);
  }
};
struct LoadPart {
  std::size_t n;
  template <class T>
  HWY_INLINE Vec<T> operator()(const T* from) const {
    return load_part(from, n);
  }
};
struct SaveWhole {
  template <class T>
  HWY_INLINE void operator()(T* to, Vec<T> v) const {
    store(to, v);
  }
};
struct SavePart {
  std::size_t n;
  template <class T>
  HWY_INLINE void operator()(T* to, Vec<T> v) const {
    store_part(to, v, n);
  }
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

/// Steps over elements of single parameters.
template <class T, class Rule>
class PartLoop final : public UpdateLoop {
 public:
  PartLoop(const Update& call, const Rule& rule, std::int64_t step) : rule_(rule), numbers_(call, step) {}

  void run(std::int64_t per_set, std::int64_t begin, std::int64_t n, void* value, const void* grad, void* first,
           void* second) override {
    run(per_set, begin, n,
        Block<T>{static_cast<T*>(value), static_cast<const T*>(grad), static_cast<T*>(first), static_cast<T*>(second)});
  }

  void run(std::int64_t per_set, std::int64_t begin, std::int64_t count, const Block<T>& block) {
    if (numbers_.shared()) return update_run(rule_, block, count, Uniform<T>(numbers_.at));
    for (std::int64_t done = 0; done < count;) {
      const std::int64_t i = begin + done, set = i / per_set;
      std::int64_t n = count - done;
      if (per_set >= kLargeSet) {
        n = std::min(n, (set + 1) * per_set - i);
        numbers_.load_sets(set, 1);
        update_run(rule_, block.from(done), n, Uniform<T>(numbers_.at));
      } else {
        n = std::min(n, kTile);
        numbers_.load_sets(set, (i + n - 1) / per_set - set + 1);
        if (per_set == 1) {
          update_run(rule_, block.from(done), n, PerElement<T>{numbers_.at});
        } else {
          const T* laid_out[kNumbers];
          std::copy_n(numbers_.at, static_cast<int>(kNumbers), laid_out);
          numbers_.spread(i - set * per_set, per_set, n, elements_, laid_out);
          update_run(rule_, block.from(done), n, PerElement<T>{laid_out});
        }
      }
      done += n;
    }
  }

 private:
  Rule rule_;
  SetNumbers<T> numbers_;
  HWY_ALIGN T elements_[kNumbers][kTile];
};

/// The elements [begin, end) of the arena that belong to parameters.
template <class T, class Rule>
void update_range(const Update& call, const Rule& rule, std::int64_t step, std::int64_t begin, std::int64_t end) {
  const ArenaLayout& layout = call.layout;
  const Block<T> block{static_cast<T*>(call.value), static_cast<const T*>(call.grad), static_cast<T*>(call.first),
                       static_cast<T*>(call.second)};
  PartLoop<T, Rule> loop(call, rule, step);
  const std::int64_t* const past = std::upper_bound(layout.offset, layout.offset + layout.parameters, begin);
  for (std::int64_t p = std::max<std::int64_t>(past - layout.offset - 1, 0); p < layout.parameters; ++p) {
    const std::int64_t offset = layout.offset[p], per_set = layout.per_set[p];
    if (offset >= end) break;
    const std::int64_t low = std::max(begin, offset), high = std::min(end, offset + layout.sets * per_set);
    if (low < high) loop.run(per_set, low - offset, high - low, block.from(low));
  }
}

/// with(rule) for the rule of the call at step number `step`.
template <class T, class With>
void with_rule(const Update& call, std::int64_t step, const With& with) {
  const bool decays = call.weight_decay.data != nullptr;
  if (call.rule != UpdateRule::Sgd)
    with(AdamStep<T>{call.maximize, decays, call.rule == UpdateRule::AdamW});
  else if (call.first != nullptr)
    with(MomentumSgd<T>{call.maximize, decays, step == 1, call.nesterov});
  else
    with(PlainSgd<T>{call.maximize, decays});
}

template <class T>
void update_as(const Update& call) {
  const std::int64_t step = *call.steps + 1;
  with_rule<T>(call, step, [&](const auto& rule) {
    parallel_for(
        call.layout.size, 2,
        [&](std::int64_t begin, std::int64_t end) { update_range<T>(call, rule, step, begin, end); }, kTile);
  });
  *call.steps = step;
}

void update(const Update& call) { with_floating(call.dtype, [&]<class T>() { return update_as<T>(call); }); }

template <class T>
std::unique_ptr<UpdateLoop> loop_as(const Update& call, std::int64_t step) {
  std::unique_ptr<UpdateLoop> loop;
  with_rule<T>(call, step, [&]<class Rule>(const Rule& rule) { loop = std::make_unique<PartLoop<T, Rule>>(call, rule, step); });
  return loop;
}

template <class T>
void numbers_as(const Update& call, std::int64_t step, std::array<double, kUpdateNumbers>& numbers) {
  for_each_number(call, [&](const Hyper& hyper, Number number) {
    const T value = hyper.data == nullptr ? T(0) : *static_cast<const T*>(hyper.data);
    numbers[static_cast<std::size_t>(number)] = static_cast<double>(raw(number) ? value : derived(value, number, static_cast<double>(step)));
  });
  numbers[kFirstStep] = step == 1 ? 1 : 0;
}

void update_numbers(const Update& call, std::int64_t step, std::array<double, kUpdateNumbers>& numbers) {
  with_floating(call.dtype, [&]<class T>() { return numbers_as<T>(call, step, numbers); });
}

std::unique_ptr<UpdateLoop> update_loop(const Update& call, std::int64_t step) {
  return with_floating(call.dtype, [&]<class T>() { return loop_as<T>(call, step); });
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {
HWY_EXPORT(update);
HWY_EXPORT(update_loop);
void run(const Update& call) { HWY_DYNAMIC_DISPATCH(update)(call); }
HWY_EXPORT(update_numbers);
void update_numbers(const Update& call, std::int64_t step, std::array<double, kUpdateNumbers>& numbers) {
  HWY_DYNAMIC_DISPATCH(update_numbers)(call, step, numbers);
}
std::unique_ptr<UpdateLoop> update_loop(const Update& call, std::int64_t step) {
  return HWY_DYNAMIC_DISPATCH(update_loop)(call, step);
}
}  // namespace luge::cpu
#endif
