// Random numbers: a thread makes those of one counter, of which every set has its own, so that a set draws the same
// numbers in any batch.

#include <luge/math/random.h>

#include <luge/base/detail/dispatch.h>

#include "blocks.cuh"
#include "index.cuh"
#include "kernels.h"
#include "launch.h"
#include "packs.cuh"

namespace luge::cuda {

namespace {

namespace formula = math::scalar;
using formula::joined;
using formula::Words;

/// Draws: the elements that have their words of one counter.
template <class T>
struct DrawUniform {
  using Result = Pack<T, 16 / sizeof(T)>;
  T low, high, range;
  __device__ Result operator()(const Words& words) const {
    if constexpr (sizeof(T) == 4)
      return {{at(formula::uniform_float(words.x[0])), at(formula::uniform_float(words.x[1])),
               at(formula::uniform_float(words.x[2])), at(formula::uniform_float(words.x[3]))}};
    else
      return {{at(formula::uniform_double(joined(words.x[0], words.x[1]))),
               at(formula::uniform_double(joined(words.x[2], words.x[3])))}};
  }
  __device__ T at(T uniform) const { return formula::between(uniform, low, high, range); }
};

template <class T>
struct DrawNormal {
  using Result = Pack<T, 16 / sizeof(T)>;
  T mean, deviation;
  __device__ Result operator()(const Words& words) const {
    if constexpr (sizeof(T) == 4) {
      const auto a = formula::normal_floats(words.x[0], words.x[1]), b = formula::normal_floats(words.x[2], words.x[3]);
      return {{at(a.first), at(a.second), at(b.first), at(b.second)}};
    } else {
      const auto a = formula::normal_doubles(joined(words.x[0], words.x[1]), joined(words.x[2], words.x[3]));
      return {{at(a.first), at(a.second)}};
    }
  }
  __device__ T at(T normal) const { return mean + deviation * normal; }
};

template <class T>
struct DrawInteger {
  using Result = Pack<T, 2>;
  unsigned long long low, range;
  __device__ Result operator()(const Words& words) const {
    return {{at(joined(words.x[0], words.x[1])), at(joined(words.x[2], words.x[3]))}};
  }
  __device__ T at(unsigned long long word) const {
    return static_cast<T>(low + formula::uniform_integer(word, range));
  }
};

/// Where the numbers go, and what their counters consist of.
template <class T>
struct Drawn {
  Sink<T> out;
  std::int64_t sets, per_set;   ///< elements
  std::int64_t counters;        ///< of a set
  std::int64_t first_set;
  unsigned long long seed, stream;
  const RandomState* state;
};

template <bool one_set, class T, class Draw>
__global__ void __launch_bounds__(kThreads) random_kernel(const Drawn<T> drawn, const Draw draw) {
  constexpr int n = static_cast<int>(sizeof(typename Draw::Result) / sizeof(T));
  const unsigned long long seed = drawn.state ? drawn.state->seed : drawn.seed;
  const unsigned long long stream = drawn.stream + (drawn.state ? drawn.state->stream : 0);
  const std::int64_t units = one_set ? drawn.counters : drawn.sets * drawn.counters;
  for (std::int64_t unit = grid_thread(); unit < units; unit += grid_threads()) {
    const std::int64_t set = one_set ? 0 : quick_quotient(unit, drawn.counters);
    const std::int64_t at = unit - set * drawn.counters;
    const auto numbers = draw(formula::random_words(seed, stream, static_cast<unsigned long long>(set + drawn.first_set),
                                                    static_cast<unsigned long long>(at)));
    const std::int64_t left = drawn.per_set - at * n;
    store<n>(drawn.out, set * drawn.per_set + at * n, left < n ? static_cast<int>(left) : n, numbers);
  }
}

template <class T, class Draw>
void fill(const Context& context, const Random& call, const Draw& draw) {
  using Result = typename Draw::Result;
  constexpr std::int64_t n = sizeof(Result) / sizeof(T);
  const bool packed = reinterpret_cast<std::uintptr_t>(call.out.data) % alignof(Result) == 0 &&
                      (call.sets == 1 || call.per_set % n == 0);
  const Drawn<T> drawn{{static_cast<T*>(call.out.data), false, packed ? Access::Packed : Access::Single},
                       call.sets,
                       call.per_set,
                       divide_up(call.per_set, n),
                       call.first_set,
                       call.seed,
                       call.stream,
                       call.state};
  const auto kernel = call.sets == 1 ? random_kernel<true, T, Draw> : random_kernel<false, T, Draw>;
  launch(context, kernel, grid_stride(context, drawn.sets * drawn.counters, kThreads), drawn, draw);
}

template <class T>
void fill_floating(const Context& context, const Random& call) {
  const T low = static_cast<T>(call.low), high = static_cast<T>(call.high);
  if (call.kind == Random::Kind::Normal) return fill<T>(context, call, DrawNormal<T>{low, high});
  fill<T>(context, call, DrawUniform<T>{low, high, static_cast<T>(call.high - call.low)});
}

template <class T>
void fill_integer(const Context& context, const Random& call) {
  const auto low = static_cast<unsigned long long>(call.integer_low);
  fill<T>(context, call, DrawInteger<T>{low, static_cast<unsigned long long>(call.integer_high) - low});
}

}  // namespace

void run(const Context& context, const Random& call) {
  if (call.kind == Random::Kind::Integer)
    call.out.dtype == DType::Int32 ? fill_integer<std::int32_t>(context, call)
                                   : fill_integer<std::int64_t>(context, call);
  else
    with_floating(call.out.dtype, [&]<class T>() { return fill_floating<T>(context, call); });
}

}  // namespace luge::cuda
