// Softmax and log-softmax along contiguous rows.
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(softmax.cpp)
#include <hwy/foreach_target.h>

#include <luge/base/detail/dispatch.h>

#include "row_math.h"

#include "kernels.h"
#include "threads.h"

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

template <class T>
HWY_NOINLINE void forward_row(const Softmax& call, const T* x, T* out) {
  const std::int64_t n = call.columns;
  const T largest = row_maximum(x, n);
  const double sum = row_sum<ShiftedExp>(x, n, largest);
  const auto row = scalar_math::SoftmaxRow<Vec<T>>::of(static_cast<double>(largest), sum);
  write_row(out, n, call.store, [&](std::size_t i, Part part) HWY_ATTR {
    const Vec<T> v = load_lanes(x + i, part);
    return call.log ? row.log_softmax(v) : row.softmax(v);
  });
}

template <class T>
HWY_NOINLINE void backward_row(const Softmax& call, const T* dy, const T* y, T* out) {
  const std::int64_t n = call.columns;
  if (call.log) {
    const Vec<T> total(row_sum<Identity>(dy, n, T(0)));
    write_row(out, n, call.store, [&](std::size_t i, Part part) HWY_ATTR {
      return scalar_math::log_softmax_gradient(load_lanes(dy + i, part), load_lanes(y + i, part), total);
    });
  } else {
    const Vec<T> total(row_dot(dy, y, n));
    write_row(out, n, call.store, [&](std::size_t i, Part part) HWY_ATTR {
      return scalar_math::softmax_gradient(load_lanes(dy + i, part), load_lanes(y + i, part), total);
    });
  }
}

template <class T>
void softmax_as(const Softmax& call) {
  const T* const in = static_cast<const T*>(call.in.data);
  const T* const y = static_cast<const T*>(call.y.data);
  T* const out = static_cast<T*>(call.out.data);
  parallel_for(call.rows, call.columns * 2, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      if (call.direction == Direction::Forward)
        forward_row(call, in + r * call.in.strides[0], out + r * call.out.strides[0]);
      else
        backward_row(call, in + r * call.in.strides[0], y + r * call.y.strides[0], out + r * call.out.strides[0]);
    }
  });
}

void softmax(const Softmax& call) {
  with_floating(call.in.dtype, [&]<class T>() { return softmax_as<T>(call); });
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {
HWY_EXPORT(softmax);
void run(const Softmax& call) { HWY_DYNAMIC_DISPATCH(softmax)(call); }
}  // namespace luge::cpu
#endif
