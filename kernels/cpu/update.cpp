// One optimizer step over a whole arena, in one pass over values, gradients and state.
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(update.cpp)
#include <hwy/foreach_target.h>

#include "vector.h"

#include <algorithm>
#include <array>

#include <luge/math/updates.h>
#include <luge/base/detail/dispatch.h>

#include "kernels.h"
#include "threads.h"
#include "update_loop.h"

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

namespace formula = luge::math::HWY_NAMESPACE;

/// Those of a rule's step, and whether a set takes part.
constexpr int kMostNumbers = RuleTraits::kMaxNumbers + 1;
/// Elements whose numbers are laid out at a time where sets are small and have their own.
constexpr std::int64_t kTile = 512;
/// Sets at least this large get their numbers as constants instead.
constexpr std::int64_t kLargeSet = 64;

/// Number i of a call's rule for one set at step number `step`.
template <class T>
T number_of(const Update& call, int i, std::int64_t set, std::int64_t step) {
  const auto value = [&](int h) {
    const Hyper& hyper = call.hyper[static_cast<std::size_t>(h)];
    return hyper.data == nullptr ? T(0) : static_cast<const T*>(hyper.data)[set * hyper.stride];
  };
  const math::Number number = call.number(i);
  const std::int64_t own = call.begun == nullptr ? step : step - call.begun[set];
  return formula::derived(number.how, value(number.hyper), value(number.other), value(number.third),
                          static_cast<double>(own));
}

/// The numbers of some sets at a time: at[i][s] is number i of the s-th of them.
template <class T>
class SetNumbers {
 public:
  SetNumbers(const Update& call, std::int64_t step)
      : call_(call),
        step_(step),
        count_(call.numbers()),
        flags_(static_cast<const T*>(call.hyper[Update::kActive].data)),
        flag_stride_(call.hyper[Update::kActive].stride) {
    for (int i = 0; i < count_; ++i) {
      at[i] = tiles_[i];
      if (call.is_per_set(i)) {
        own_[own_count_++] = i;
        tiles_[i][0] = number_of<T>(call, i, 0, step);
        numbers_differ_ |= i < traits(call.rule).numbers;
      } else {
        std::fill_n(tiles_[i], kTile, number_of<T>(call, i, 0, step));
      }
    }
  }

  int count() const { return count_; }
  /// Whether some set may stand still: its flag is 0.
  bool has_flags() const { return flags_ != nullptr; }
  const T* flag(std::int64_t set) const { return flags_ + (set - first_flag_) * flag_stride_; }
  /// Flags of the sets from `first` on, in place of the call's.
  void take_flags(const T* flags, std::int64_t first) {
    flags_ = flags;
    first_flag_ = first;
    flag_stride_ = 1;
  }
  /// True where every set has the same numbers, apart from its flag; they are then there for any set.
  bool shared() const { return !numbers_differ_; }

  void load_sets(std::int64_t first_set, std::int64_t count) {
    for (int k = 0; k < own_count_; ++k) {
      const int i = own_[k];
      const math::Number number = call_.number(i);
      if (number.hyper == Update::kActive)
        at[i] = flag(first_set);
      else if (number.how == math::Derivation::Plain)
        at[i] = static_cast<const T*>(call_.hyper[static_cast<std::size_t>(number.hyper)].data) + first_set;
      else
        for (std::int64_t s = 0; s < count; ++s) tiles_[i][s] = number_of<T>(call_, i, first_set + s, step_);
    }
  }

  /// Lays out, in `elements`, the numbers that sets have of their own for n elements, the first of which
  /// is number `begin` of the loaded sets of `per_set` elements each, and points `laid_out` there.
  void spread(std::int64_t begin, std::int64_t per_set, std::int64_t n, T (*elements)[kTile],
              const T** laid_out) const {
    for (int k = 0; k < own_count_; ++k) {
      const int i = own_[k];
      laid_out[i] = elements[i];
      const T* from = at[i];
      std::int64_t left = per_set - begin;
      for (std::int64_t j = 0; j < n; ++j, --left) {
        if (left == 0) ++from, left = per_set;
        elements[i][j] = *from;
      }
    }
  }

  const T* at[kMostNumbers];

 private:
  Update call_;
  std::int64_t step_;
  int count_, own_count_ = 0;
  bool numbers_differ_ = false;
  const T* flags_;
  std::int64_t first_flag_ = 0, flag_stride_;
  int own_[kMostNumbers];
  HWY_ALIGN T tiles_[kMostNumbers][kTile];
};

/// One set's numbers, for any number of elements.
template <class T>
struct Uniform {
  Vec<T> values[kMostNumbers];

  explicit Uniform(const SetNumbers<T>& numbers) {
    for (int i = 0; i < kMostNumbers; ++i)
      values[i] = Vec<T>(i < numbers.count() ? static_cast<double>(*numbers.at[i]) : 0.0);
  }
  template <class Load>
  HWY_INLINE Vec<T> get(int i, std::int64_t, Load) const {
    return values[i];
  }
};

/// Numbers laid out element by element.
template <class T>
struct PerElement {
  const T* const* at;

  template <class Load>
  HWY_INLINE Vec<T> get(int i, std::int64_t element, Load load_from) const {
    return load_from(at[i] + element);
  }
};

/// A rule's numbers for the elements of one vector.
template <class Source, class Load>
struct NumbersAt {
  const Source& source;
  std::int64_t element;
  Load load_from;

  HWY_INLINE auto operator[](int i) const { return source.get(i, element, load_from); }
};

/// Parts of the arena that begin at the same element.
template <class T>
struct Block {
  T* value;
  const T* grad;
  std::array<T*, kMaxStates> state;

  Block from(std::int64_t i) const {
    Block moved{value + i, grad + i, state};
    for (T*& data : moved.state) data = data == nullptr ? nullptr : data + i;
    return moved;
  }
};

template <class Rule, class T>
struct RuleStep {
  formula::UpdateFlags flags;

  template <class Source, class Load, class Save>
  HWY_INLINE void operator()(const Block<T>& b, std::int64_t i, const Source& source, Load get, Save put) const {
    Vec<T> p = get(b.value + i), states[kMaxStates];
    for (int s = 0; s < Rule::kStates; ++s) states[s] = get(b.state[static_cast<std::size_t>(s)] + i);
    formula::update<Rule>(NumbersAt<Source, Load>{source, i, get}, flags, p, get(b.grad + i), states);
    put(b.value + i, p);
    for (int s = 0; s < Rule::kStates; ++s) put(b.state[static_cast<std::size_t>(s)] + i, states[s]);
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
  PartLoop(const Update& call, std::int64_t step) : flags_{call.maximize, call.decays(), false}, numbers_(call, step) {}

  void run(std::int64_t per_set, std::int64_t begin, std::int64_t n, void* value, const void* grad, void* const* states,
           const void* active) override {
    Block<T> block{static_cast<T*>(value), static_cast<const T*>(grad), {}};
    for (std::size_t s = 0; s < Rule::kStates; ++s) block.state[s] = static_cast<T*>(states[s]);
    if (active != nullptr) numbers_.take_flags(static_cast<const T*>(active), begin);
    run(per_set, begin, n, block);
  }

  /// Sets that stand still are passed over, many at a time where they are neighbours.
  void run(std::int64_t per_set, std::int64_t begin, std::int64_t count, const Block<T>& block) {
    if (!numbers_.has_flags()) return run_sets(per_set, begin, count, block, false);
    for (std::int64_t done = 0; done < count;) {
      const std::int64_t i = begin + done, set = i / per_set, last = (begin + count - 1) / per_set;
      // Sets from `set` on that all go, or all stand; a few small ones go with others, as many as share a tile.
      std::int64_t past = set + 1;
      while (past <= last && goes(past) == goes(set)) ++past;
      const bool mixed = past <= last && (past - set) * per_set < kLargeSet;
      if (mixed) past = std::min(last + 1, set + kTile / per_set);
      const std::int64_t n = std::min(past * per_set - i, count - done);
      if (mixed || goes(set)) run_sets(per_set, i, n, block.from(done), mixed);
      done += n;
    }
  }

 private:
  bool goes(std::int64_t set) const { return *numbers_.flag(set) != T(0); }

  /// With `mixed` some of the sets stand still.
  void run_sets(std::int64_t per_set, std::int64_t begin, std::int64_t count, const Block<T>& block, bool mixed) {
    RuleStep<Rule, T> rule{flags_};
    rule.flags.has_idle = mixed;
    if (numbers_.shared() && !mixed) return update_run(rule, block, count, Uniform<T>(numbers_));
    for (std::int64_t done = 0; done < count;) {
      const std::int64_t i = begin + done, set = i / per_set;
      std::int64_t n = count - done;
      if (per_set >= kLargeSet) {
        n = std::min(n, (set + 1) * per_set - i);
        numbers_.load_sets(set, 1);
        update_run(rule, block.from(done), n, Uniform<T>(numbers_));
      } else {
        n = std::min(n, kTile);
        numbers_.load_sets(set, (i + n - 1) / per_set - set + 1);
        if (per_set == 1) {
          update_run(rule, block.from(done), n, PerElement<T>{numbers_.at});
        } else {
          const T* laid_out[kMostNumbers];
          std::copy_n(numbers_.at, numbers_.count(), laid_out);
          numbers_.spread(i - set * per_set, per_set, n, elements_, laid_out);
          update_run(rule, block.from(done), n, PerElement<T>{laid_out});
        }
      }
      done += n;
    }
  }

  formula::UpdateFlags flags_;
  SetNumbers<T> numbers_;
  HWY_ALIGN T elements_[kMostNumbers][kTile];
};

/// The elements [begin, end) of the arena that belong to parameters.
template <class T, class Rule>
void update_range(const Update& call, std::int64_t step, std::int64_t begin, std::int64_t end) {
  const ArenaLayout& layout = call.layout;
  Block<T> block{static_cast<T*>(call.value), static_cast<const T*>(call.grad), {}};
  for (std::size_t s = 0; s < Rule::kStates; ++s) block.state[s] = static_cast<T*>(call.state[s]);
  PartLoop<T, Rule> loop(call, step);
  const std::int64_t* const past = std::upper_bound(layout.offset, layout.offset + layout.parameters, begin);
  for (std::int64_t p = std::max<std::int64_t>(past - layout.offset - 1, 0); p < layout.parameters; ++p) {
    const std::int64_t offset = layout.offset[p], per_set = layout.per_set[p];
    if (offset >= end) break;
    const std::int64_t low = std::max(begin, offset), high = std::min(end, offset + layout.sets * per_set);
    if (low < high) loop.run(per_set, low - offset, high - low, block.from(low));
  }
}

/// Calls f.template operator()<T, Rule>() with the types of a call.
template <class F>
void with_rule(const Update& call, F&& f) {
  with_floating(call.dtype, [&]<class T>() {
    switch (call.rule) {
#define LUGE_ROW(Rule, ...) \
  case UpdateRule::Rule: return f.template operator()<T, formula::Rule>();
      LUGE_UPDATE_RULES(LUGE_ROW)
#undef LUGE_ROW
    }
  });
}

void update(const Update& call) {
  const std::int64_t step = *call.steps + 1;
  with_rule(call, [&]<class T, class Rule>() {
    constexpr std::int64_t kTouched = 3 + 2 * Rule::kStates;  // value and states twice, the gradient once
    parallel_for(
        call.layout.size, kTouched,
        [&](std::int64_t begin, std::int64_t end) { update_range<T, Rule>(call, step, begin, end); }, kTile);
  });
  *call.steps = step;
}

void update_numbers(const Update& call, std::int64_t step, double* numbers) {
  with_floating(call.dtype, [&]<class T>() {
    for (int i = 0; i < call.numbers(); ++i) numbers[i] = static_cast<double>(number_of<T>(call, i, 0, step));
  });
}

std::unique_ptr<UpdateLoop> update_loop(const Update& call, std::int64_t step) {
  std::unique_ptr<UpdateLoop> loop;
  with_rule(call, [&]<class T, class Rule>() { loop = std::make_unique<PartLoop<T, Rule>>(call, step); });
  return loop;
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {
HWY_EXPORT(update);
HWY_EXPORT(update_loop);
void run(const Update& call) { HWY_DYNAMIC_DISPATCH(update)(call); }
HWY_EXPORT(update_numbers);
void update_numbers(const Update& call, std::int64_t step, double* numbers) {
  HWY_DYNAMIC_DISPATCH(update_numbers)(call, step, numbers);
}
std::unique_ptr<UpdateLoop> update_loop(const Update& call, std::int64_t step) {
  return HWY_DYNAMIC_DISPATCH(update_loop)(call, step);
}
}  // namespace luge::cpu
#endif
