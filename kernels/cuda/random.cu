// Random numbers: every element has its own counter, so a set draws the same numbers in any batch.

#include <luge/math/random.h>

#include <luge/base/detail/dispatch.h>

#include "blocks.cuh"
#include "kernels.h"
#include "launch.h"
#include "walk.cuh"

namespace luge::cuda {

namespace {

/// [low, low + range)
template <class T>
struct DrawUniform {
  using Value = T;
  T low, high, range;
  __device__ T operator()(const math::Words& words) const {
    T uniform;
    if constexpr (sizeof(T) == 4)
      uniform = math::uniform_float(words);
    else
      uniform = math::uniform_double(words);
    const T value = low + range * uniform;
    return value < high || !(low < high) ? value : low;  // rounding can reach the end, which is excluded
  }
};

template <class T>
struct DrawNormal {
  using Value = T;
  double mean, deviation;
  __device__ T operator()(const math::Words& words) const {
    return static_cast<T>(mean + deviation * math::normal(words));
  }
};

template <class T>
struct DrawInteger {
  using Value = T;
  unsigned long long low, range;
  __device__ T operator()(const math::Words& words) const {
    return static_cast<T>(low + math::uniform_integer(words, range));
  }
};

template <class Draw>
__global__ void __launch_bounds__(kThreads)
    random_kernel(typename Draw::Value* out, std::int64_t n, std::int64_t per_set, std::int64_t first_set,
                  unsigned long long seed, unsigned long long stream, const RandomState* state, const Draw draw) {
  if (state != nullptr) {
    seed = state->seed;
    stream += state->stream;
  }
  for (std::int64_t i = grid_thread(); i < n; i += grid_threads()) {
    const std::int64_t set = quick_quotient(i, per_set);
    out[i] = draw(math::random_words(seed, stream, static_cast<unsigned long long>(set + first_set),
                                     static_cast<unsigned long long>(i - set * per_set)));
  }
}

template <class Draw>
void fill(const Context& context, const Random& call, const Draw& draw) {
  const std::int64_t n = call.sets * call.per_set;
  launch(context, random_kernel<Draw>, grid_stride(context, n, kThreads),
         static_cast<typename Draw::Value*>(call.out.data), n, call.per_set, call.first_set, call.seed, call.stream,
         call.state, draw);
}

template <class T>
void fill_floating(const Context& context, const Random& call) {
  if (call.kind == Random::Kind::Normal) return fill(context, call, DrawNormal<T>{call.low, call.high});
  fill(context, call,
       DrawUniform<T>{static_cast<T>(call.low), static_cast<T>(call.high), static_cast<T>(call.high - call.low)});
}

template <class T>
void fill_integer(const Context& context, const Random& call) {
  const auto low = static_cast<unsigned long long>(call.integer_low);
  fill(context, call, DrawInteger<T>{low, static_cast<unsigned long long>(call.integer_high) - low});
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
