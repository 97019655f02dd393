// Evenly spaced numbers.

#include <luge/base/detail/dispatch.h>

#include "kernels.h"
#include "threads.h"

namespace luge::cpu {
namespace {

template <class T, class N>
void fill_steps(const Iota& call, N start, N step) {
  T* const out = static_cast<T*>(call.out.data);
  parallel_for(call.n, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) out[i] = static_cast<T>(start + static_cast<N>(i) * step);
  });
}

}  // namespace

void run(const Iota& call) {
  with_dtype(call.out.dtype, [&]<class T>() {
    if constexpr (std::is_floating_point_v<T>)
      fill_steps<T>(call, call.start, call.step);
    else
      fill_steps<T>(call, call.integer_start, call.integer_step);
  });
}

}  // namespace luge::cpu
