// One optimizer step over a whole arena in one launch: values, gradients and state are read and
// written once, 16 bytes at a time. The last block to finish counts the step.

#include <luge/base/detail/dispatch.h>

#include "arena.cuh"
#include "elementwise.cuh"
#include "kernels.h"
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

/// What changes from set to set.
struct PerSet {
  bool numbers = false, step_numbers = false;
};

template <class Rule>
__global__ void __launch_bounds__(kThreads)
    update_kernel(const Rule rule, const Arena arena, const Blocks<typename Rule::Value> blocks, std::int64_t* steps,
                  const PerSet per_set, unsigned* finished) {
  using T = typename Rule::Value;
  constexpr int n = 16 / sizeof(T);
  constexpr int states = Rule::kStates;
  // Powers are dear, so one thread computes them for its block.
  LUGE_SHARED(typename Rule::AtStep, shared_numbers, 1);
  const std::int64_t taken = *steps;
  if (threadIdx.x == 0) shared_numbers[0] = rule.step_numbers(0, taken);
  __syncthreads();
  typename Rule::AtStep step_numbers = shared_numbers[0];
  typename Rule::Numbers numbers = rule.numbers(0, step_numbers);
  std::int64_t current = 0;  // the set that `numbers` belong to
  for (std::int64_t pack = grid_thread(); pack * n < arena.size; pack += grid_threads()) {
    const std::int64_t from = pack * n;
    const int count = arena.size - from < n ? static_cast<int>(arena.size - from) : n;
    const auto read = [&](const T* block) { return load<n>(Source<T>{block, T{}, Access::Packed}, from, count); };
    Pack<T, n> value = read(blocks.value), grad = read(blocks.grad), state[math::kMaxStates];
#pragma unroll
    for (int s = 0; s < states; ++s) state[s] = read(blocks.state[s]);
    ArenaCursor cursor(arena, from);
#pragma unroll
    for (int i = 0; i < n; ++i) {
      if (i < count && cursor.inside()) {
        if (per_set.numbers && cursor.set() != current) {
          current = cursor.set();
          if (per_set.step_numbers) step_numbers = rule.step_numbers(current, taken);
          numbers = rule.numbers(current, step_numbers);
        }
        T states_of_element[math::kMaxStates];
#pragma unroll
        for (int s = 0; s < states; ++s) states_of_element[s] = state[s].values[i];
        rule.step(numbers, value.values[i], grad.values[i], states_of_element);
#pragma unroll
        for (int s = 0; s < states; ++s) state[s].values[i] = states_of_element[s];
      }
      cursor.advance();
    }
    const auto write = [&](T* block, const Pack<T, n>& pack_of) {
      store<n>(Sink<T>{block, false, Access::Packed}, from, count, pack_of);
    };
    write(blocks.value, value);
#pragma unroll
    for (int s = 0; s < states; ++s) write(blocks.state[s], state[s]);
  }
  if (is_last_block(finished) && threadIdx.x == 0) *steps = taken + 1;
}

template <class Rule>
void update(const Context& context, const Update& call) {
  using T = typename Rule::Value;
  const PerSet per_set{has_numbers_per_set(call, false), has_numbers_per_set(call, true)};
  Blocks<T> blocks{static_cast<T*>(call.value), static_cast<const T*>(call.grad), {}};
  for (int s = 0; s < kMaxStates; ++s) blocks.state[s] = static_cast<T*>(call.state[s]);
  const std::int64_t packs = divide_up(call.layout.size, static_cast<std::int64_t>(16 / sizeof(T)));
  // No more blocks than run at once: each begins with the powers.
  const Grid grid{std::min(divide_up(packs, kThreads), std::int64_t{8} * context.gpu().multiprocessors())};
  launch(context, update_kernel<Rule>, grid, Rule(call), arena_of(call.layout), blocks, call.steps, per_set,
         context.gpu().finished_blocks());
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
