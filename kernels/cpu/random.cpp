// Random numbers: every element has its own counter, so threads need no state.

#include <luge/math/random.h>

#include <luge/base/detail/dispatch.h>

#include "kernels.h"
#include "threads.h"

namespace luge::cpu {
namespace {

/// out[i] = draw(words of element i)
template <class T, class Draw>
void fill_random(const Random& call, Draw draw) {
  T* const out = static_cast<T*>(call.out.data);
  const std::uint64_t seed = call.state ? call.state->seed : call.seed;
  const std::uint64_t stream = call.stream + (call.state ? call.state->stream : 0);
  constexpr std::int64_t kCost = 16;  // of ten rounds, in additions
  parallel_for(call.sets * call.per_set, kCost, [&](std::int64_t begin, std::int64_t end) {
    std::int64_t set = begin / call.per_set, element = begin % call.per_set;
    for (std::int64_t i = begin; i < end; ++i) {
      out[i] = draw(math::random_words(seed, stream, static_cast<unsigned long long>(set + call.first_set),
                                       static_cast<unsigned long long>(element)));
      if (++element == call.per_set) ++set, element = 0;
    }
  });
}

template <class T>
void fill_floating(const Random& call) {
  const T low = static_cast<T>(call.low), range = static_cast<T>(call.high - call.low);
  if (call.kind == Random::Kind::Normal) {
    fill_random<T>(call, [&](math::Words words) { return static_cast<T>(call.low + call.high * math::normal(words)); });
    return;
  }
  const T high = static_cast<T>(call.high);
  fill_random<T>(call, [&](math::Words words) {
    T uniform;
    if constexpr (sizeof(T) == 4)
      uniform = math::uniform_float(words);
    else
      uniform = math::uniform_double(words);
    const T value = low + range * uniform;
    return value < high || !(low < high) ? value : low;  // rounding can reach the end, which is excluded
  });
}

template <class T>
void fill_integer(const Random& call) {
  const auto range =
      static_cast<unsigned long long>(call.integer_high) - static_cast<unsigned long long>(call.integer_low);
  fill_random<T>(call, [&](math::Words words) {
    return static_cast<T>(static_cast<unsigned long long>(call.integer_low) + math::uniform_integer(words, range));
  });
}

}  // namespace

void run(const Random& call) {
  if (call.kind == Random::Kind::Integer)
    call.out.dtype == int32 ? fill_integer<std::int32_t>(call) : fill_integer<std::int64_t>(call);
  else
    with_floating(call.out.dtype, [&]<class T>() { return fill_floating<T>(call); });
}

}  // namespace luge::cpu
