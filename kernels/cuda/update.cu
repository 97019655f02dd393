// One optimizer step over a whole arena in one launch: values, gradients and state are read and
// written once, 16 bytes at a time. The last block to finish counts the step.

#include <luge/base/detail/dispatch.h>

#include "arena.cuh"
#include "blocks.cuh"
#include "kernels.h"
#include "launch.h"
#include "packs.cuh"
#include "rules.cuh"

namespace luge::cuda {

namespace {

/// The arena's blocks: values, gradients, state.
template <class T>
struct Blocks {
  T* value;
  const T* grad;
  T* state[math::kMaxStates];
};

/// Neighbouring elements, of which an arena has a whole number.
template <class Rule>
struct Elements {
  using T = typename Rule::Value;
  static constexpr int kCount = 16 / sizeof(T);
  using Values = Pack<T, kCount>;
  static_assert(kParameterAlignment % sizeof(Values) == 0);

  Values value, grad, state[math::kMaxStates];

  __device__ void read(const Blocks<T>& blocks, std::int64_t at) {
    value = *reinterpret_cast<const Values*>(blocks.value + at);
    grad = *reinterpret_cast<const Values*>(blocks.grad + at);
#pragma unroll
    for (int s = 0; s < Rule::kStates; ++s) state[s] = *reinterpret_cast<const Values*>(blocks.state[s] + at);
  }
  __device__ void step(const typename Rule::Numbers& numbers, math::scalar::UpdateFlags flags, int i) {
    T states[math::kMaxStates];
#pragma unroll
    for (int s = 0; s < Rule::kStates; ++s) states[s] = state[s].values[i];
    Rule::step(numbers, flags, value.values[i], grad.values[i], states);
#pragma unroll
    for (int s = 0; s < Rule::kStates; ++s) state[s].values[i] = states[s];
  }
  __device__ void write(const Blocks<T>& blocks, std::int64_t at) const {
    *reinterpret_cast<Values*>(blocks.value + at) = value;
#pragma unroll
    for (int s = 0; s < Rule::kStates; ++s) *reinterpret_cast<Values*>(blocks.state[s] + at) = state[s];
  }
};

/// So many blocks at once have 48 KB of loads on their way, which an H200's bandwidth takes.
template <class Rule>
[[maybe_unused]] inline constexpr int kBlocksAtOnce =
    static_cast<int>(divide_up(48 * 1024, kThreads * (2 + Rule::kStates) * sizeof(typename Elements<Rule>::Values)));

/// The same where sets differ: of float32, and without what would keep numbers in memory.
template <class Rule, bool own_steps>
[[maybe_unused]] inline constexpr int kSetBlocks =
    own_steps || sizeof(typename Rule::Value) == 8 ? 1 : kBlocksAtOnce<Rule> < 5 ? kBlocksAtOnce<Rule> : 5;

/// All elements of an arena without gaps, whose sets have the same numbers and all move.
template <class Rule>
__global__ void __launch_bounds__(kThreads, kBlocksAtOnce<Rule>)
    update_kernel(const Rule rule, const std::int64_t size, const Blocks<typename Rule::Value> blocks,
                  std::int64_t* steps, unsigned* finished) {
  constexpr int n = Elements<Rule>::kCount;
  Elements<Rule> elements;
  std::int64_t at = grid_thread() * n;
  if (at < size) elements.read(blocks, at);  // on the way while the powers are computed
  const std::int64_t taken = *steps;
  const typename Rule::Hypers hypers = rule.hypers(0);
  const typename Rule::Numbers numbers = Rule::numbers(hypers, step_numbers_in_block(rule, hypers, taken));
  const math::scalar::UpdateFlags flags{rule.flags.maximize, rule.flags.decays, false};
  while (at < size) {
#pragma unroll
    for (int i = 0; i < n; ++i) elements.step(numbers, flags, i);
    elements.write(blocks, at);
    at += grid_threads() * n;
    if (at < size) elements.read(blocks, at);
  }
  if (is_last_block(finished) && threadIdx.x == 0) ++*steps;
}

__device__ inline int at_most(std::int64_t count, int n) { return count < n ? static_cast<int>(count) : n; }

/// The numbers of a set; own_steps: of a step of its own, too, with powers that are dear.
template <class Rule, bool own_steps>
__device__ inline typename Rule::Numbers numbers_of_set(const Rule& rule, typename Rule::Hypers hypers,
                                                        typename Rule::AtStep step_numbers, std::int64_t set,
                                                        std::int64_t taken) {
  rule.reload(hypers, set);
  if constexpr (own_steps) step_numbers = Rule::step_numbers(hypers, rule.step(set, taken));
  return Rule::numbers(hypers, step_numbers);
}

/// The elements of the parameters alone; those of a set with its numbers, if they differ.
template <class Rule, bool own_steps>
__global__ void __launch_bounds__(kThreads, kSetBlocks<Rule, own_steps>)
    update_sets_kernel(const Rule rule, const Arena arena, const Blocks<typename Rule::Value> blocks,
                       std::int64_t* steps, const bool differ, unsigned* finished) {
  constexpr int n = Elements<Rule>::kCount;
  Elements<Rule> elements;
  std::int64_t at = grid_thread() * n;
  if (at < arena.size) elements.read(blocks, at);
  SetCursor cursor(arena, at, grid_threads() * n);
  const std::int64_t taken = *steps;
  const typename Rule::Hypers hypers = rule.hypers(0);
  const typename Rule::AtStep step_numbers = step_numbers_in_block(rule, hypers, taken);
  typename Rule::Numbers numbers = Rule::numbers(hypers, step_numbers);
  std::int64_t current = 0;  // the set that `numbers` belong to
  while (at < arena.size) {
    const int inside = cursor.inside(n);
    if (!differ || cursor.left_in_set() >= inside) {
      if (differ && inside > 0 && cursor.set() != current) {  // the padding has no set
        current = cursor.set();
        numbers = numbers_of_set<Rule, own_steps>(rule, hypers, step_numbers, current, taken);
      }
#pragma unroll
      for (int i = 0; i < n; ++i)
        if (i < inside) elements.step(numbers, rule.flags, i);
    } else {
      std::int64_t set = cursor.set();
      const int per_set = at_most(cursor.per_set(), n);
      int left = at_most(cursor.left_in_set(), n);
#pragma unroll
      for (int i = 0; i < n; ++i) {
        if (i < inside)
          elements.step(numbers_of_set<Rule, own_steps>(rule, hypers, step_numbers, set, taken), rule.flags, i);
        if (--left == 0) ++set, left = per_set;
      }
    }
    if (inside > 0) elements.write(blocks, at);
    at += grid_threads() * n;
    if (at < arena.size) elements.read(blocks, at);
    cursor.advance();
  }
  if (is_last_block(finished) && threadIdx.x == 0) ++*steps;
}

template <class Rule>
void update(const Context& context, const Update& call) {
  using T = typename Rule::Value;
  const bool differ = has_numbers_per_set(call, false), own_steps = has_numbers_per_set(call, true);
  Blocks<T> blocks{static_cast<T*>(call.value), static_cast<const T*>(call.grad), {}};
  for (int s = 0; s < kMaxStates; ++s) blocks.state[s] = static_cast<T*>(call.state[s]);
  const std::int64_t packs = call.layout.size / Elements<Rule>::kCount, count = divide_up(packs, kThreads);
  unsigned* const finished = context.gpu().finished_blocks();
  const auto by_sets = [&](auto* kernel) {
    launch(context, kernel, resident_grid(context, kernel, count), Rule(call), arena_of(call.layout), blocks,
           call.steps, differ, finished);
  };
  // No more blocks than run at once: each begins with the powers.
  if (Rule::AtStep::kCount > 0 && own_steps)
    by_sets(update_sets_kernel<Rule, (Rule::AtStep::kCount > 0)>);
  else if (differ || call.has_idle() || has_gaps(call.layout, call.dtype))
    by_sets(update_sets_kernel<Rule, false>);
  else
    launch(context, update_kernel<Rule>, resident_grid(context, update_kernel<Rule>, count), Rule(call),
           call.layout.size, blocks, call.steps, finished);
}

template <class T>
void update_as(const Context& context, const Update& call) {
  switch (call.rule) {
#define LUGE_ROW(Formula, ...) \
  case UpdateRule::Formula: return update<Rule<math::scalar::Formula, T>>(context, call);
    LUGE_UPDATE_RULES(LUGE_ROW)
#undef LUGE_ROW
  }
}

}  // namespace

void run(const Context& context, const Update& call) {
  with_floating(call.dtype, [&]<class T>() { return update_as<T>(context, call); });
}

}  // namespace luge::cuda
