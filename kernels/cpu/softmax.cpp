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

/// y = e^(x - m) / sum, or x - m - log(sum), m the row's maximum.
template <class T>
struct SoftmaxForward {
  Vec<T> maximum, scale, log_sum;
  bool log;

  HWY_INLINE Vec<T> operator()(const T* x, std::size_t i, Part part) const {
    const Vec<T> v = load_lanes(x + i, part) - maximum;
    return log ? v - log_sum : exp(v) * scale;
  }
};

template <class T>
HWY_NOINLINE void forward_row(const Softmax& call, const T* x, T* out) {
  const std::int64_t n = call.columns;
  const T maximum = row_maximum(x, n);
  const double sum = row_sum<ShiftedExp>(x, n, maximum);
  const SoftmaxForward<T> f{Vec<T>(static_cast<double>(maximum)), Vec<T>(1.0 / sum), Vec<T>(std::log(sum)), call.log};
  write_row(out, n, call.store, [&](std::size_t i, Part part) HWY_ATTR { return f(x, i, part); });
}

template <class T>
HWY_NOINLINE void backward_row(const Softmax& call, const T* dy, const T* y, T* out) {
  const std::int64_t n = call.columns;
  if (call.log) {
    const Vec<T> total(row_sum<Identity>(dy, n, T(0)));
    write_row(out, n, call.store, [&](std::size_t i, Part part) HWY_ATTR {
      return load_lanes(dy + i, part) - exp(load_lanes(y + i, part)) * total;
    });
  } else {
    const Vec<T> total(row_dot(dy, y, n));
    write_row(out, n, call.store, [&](std::size_t i, Part part) HWY_ATTR {
      return load_lanes(y + i, part) * (load_lanes(dy + i, part) - total);
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
