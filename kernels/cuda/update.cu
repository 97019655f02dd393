// One optimizer step over a whole arena in one launch: values, gradients and state are read and
// written once, 16 bytes at a time. The last block to finish counts the step.

#include <luge/tensor/dispatch.h>

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
  T* first;
  T* second;
};

/// What changes from set to set.
struct PerSet {
  bool numbers = false, biases = false;
};

template <class Rule>
__global__ void __launch_bounds__(kThreads)
    update_kernel(const Rule rule, const Arena arena, const Blocks<typename Rule::Value> blocks, std::int64_t* steps,
                  const PerSet per_set, bool maximize, unsigned* finished) {
  using T = typename Rule::Value;
  constexpr int n = 16 / sizeof(T);
  // The powers behind the biases are dear, so one thread computes them for its block.
  LUGE_SHARED(typename Rule::Biases, shared_biases, 1);
  const std::int64_t taken = *steps;
  if (threadIdx.x == 0) shared_biases[0] = rule.biases(0, taken);
  __syncthreads();
  typename Rule::Biases biases = shared_biases[0];
  typename Rule::Numbers numbers = rule.numbers(0, biases);
  std::int64_t current = 0;  // the set that `numbers` belong to
  for (std::int64_t pack = grid_thread(); pack * n < arena.size; pack += grid_threads()) {
    const std::int64_t from = pack * n;
    const int count = arena.size - from < n ? static_cast<int>(arena.size - from) : n;
    const auto read = [&](const T* block) { return load<n>(Source<T>{block, T{}, Access::Packed}, from, count); };
    Pack<T, n> value = read(blocks.value), grad = read(blocks.grad), first{}, second{};
    if constexpr (Rule::kStates > 0) first = read(blocks.first);
    if constexpr (Rule::kStates > 1) second = read(blocks.second);
    ArenaCursor cursor(arena, from);
#pragma unroll
    for (int i = 0; i < n; ++i) {
      if (i < count && cursor.inside()) {
        if (per_set.numbers && cursor.set() != current) {
          current = cursor.set();
          if (per_set.biases) biases = rule.biases(current, taken);
          numbers = rule.numbers(current, biases);
        }
        Element<T> x{value.values[i], maximize ? -grad.values[i] : grad.values[i], first.values[i], second.values[i]};
        rule.step(numbers, x, taken);
        value.values[i] = x.value;
        first.values[i] = x.first;
        second.values[i] = x.second;
      }
      cursor.advance();
    }
    const auto write = [&](T* block, const Pack<T, n>& pack_of) {
      store<n>(Sink<T>{block, false, Access::Packed}, from, count, pack_of);
    };
    write(blocks.value, value);
    if constexpr (Rule::kStates > 0) write(blocks.first, first);
    if constexpr (Rule::kStates > 1) write(blocks.second, second);
  }
  if (is_last_block(finished) && threadIdx.x == 0) *steps = taken + 1;
}

template <class Rule>
void update(const Context& context, const Update& call) {
  using T = typename Rule::Value;
  const auto differs = [](const Hyper& hyper) { return hyper.data && hyper.stride != 0; };
  PerSet per_set;
  per_set.biases = differs(call.beta1) || differs(call.beta2);
  per_set.numbers = per_set.biases || differs(call.lr) || differs(call.momentum) || differs(call.dampening) ||
                    differs(call.weight_decay) || differs(call.epsilon);
  const Blocks<T> blocks{static_cast<T*>(call.value), static_cast<const T*>(call.grad), static_cast<T*>(call.first),
                         static_cast<T*>(call.second)};
  const std::int64_t packs = divide_up(call.layout.size, static_cast<std::int64_t>(16 / sizeof(T)));
  // No more blocks than run at once: each begins with the biases.
  const Grid grid{std::min(divide_up(packs, kThreads), std::int64_t{8} * context.gpu().multiprocessors())};
  launch(context, update_kernel<Rule>, grid, Rule(call), arena_of(call.layout), blocks, call.steps, per_set,
         call.maximize, context.gpu().finished_blocks());
}

template <class T>
void update_as(const Context& context, const Update& call) {
  if (call.rule != UpdateRule::Sgd) return update<Adam<T>>(context, call);
  call.first ? update<MomentumSgd<T>>(context, call) : update<PlainSgd<T>>(context, call);
}

}  // namespace

void run(const Context& context, const Update& call) {
  with_floating(call.dtype, [&]<class T>() { return update_as<T>(context, call); });
}

}  // namespace luge::cuda
