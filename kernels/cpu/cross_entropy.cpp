// Cross entropy of rows of logits against class labels.
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(cross_entropy.cpp)
#include <hwy/foreach_target.h>

#include <luge/base/detail/dispatch.h>

#include "row_math.h"

#include <limits>

#include "kernels.h"
#include "threads.h"

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

template <class T>
HWY_NOINLINE void forward_row(const CrossEntropy& call, const T* logits, std::int64_t target, T& lse, T& out) {
  constexpr std::int64_t kBlock = kExpBlock<T>;
  HWY_ALIGN T exponentials[kBlock];
  RowExponentials<T> row;
  for (std::int64_t i = 0; i < call.columns; i += kBlock)
    row.add(logits + i, std::min(kBlock, call.columns - i), exponentials);
  lse = row.log();
  const T loss = scalar_math::cross_entropy_loss(logits, call.columns, target, lse);
  out = call.store == Store::Accumulate ? out + loss : loss;
}

/// A label that does not exist makes the whole row NaN, as it made the loss.
template <class T>
HWY_NOINLINE void backward_row(const CrossEntropy& call, RowStore how, const T* logits, std::int64_t target, T lse,
                               T dy, T* out) {
  const bool valid = target >= 0 && target < call.columns;
  const Vec<T> gradient(valid ? static_cast<double>(dy) : std::numeric_limits<double>::quiet_NaN());
  const Vec<T> shift(static_cast<double>(lse));
  const T before = valid ? out[target] : T(0);
  write_row(out, call.columns, how, [&](std::size_t i, Part part) HWY_ATTR {
    return scalar_math::cross_entropy_gradient(gradient, load_lanes(logits + i, part), shift, Vec<T>(0.0));
  });
  if (!valid) return;
  // By vectors, too, so that it has the bits it would have had in the row.
  const Vec<T> logit(static_cast<double>(logits[target]));
  const T at_target = hn::GetLane(scalar_math::cross_entropy_gradient(gradient, logit, shift, Vec<T>(1.0)).raw);
  out[target] = call.store == Store::Accumulate ? before + at_target : at_target;
}

template <class T>
void cross_entropy_as(const CrossEntropy& call) {
  const T* const logits = static_cast<const T*>(call.logits.data);
  const std::int64_t* const target = static_cast<const std::int64_t*>(call.target.data);
  T* const lse = static_cast<T*>(call.lse.data);
  const T* const dy = static_cast<const T*>(call.dy.data);
  T* const out = static_cast<T*>(call.out.data);
  const RowStore how = call.direction == Direction::Forward
                           ? RowStore{call.store, false}
                           : RowStore::of(call.store, call.rows, call.columns, sizeof(T));
  parallel_for(call.rows, call.columns * 2, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const T* const row = logits + r * call.logits.strides[0];
      const std::int64_t label = target[r * call.target.strides[0]];
      T& row_lse = lse[r * call.lse.strides[0]];
      if (call.direction == Direction::Forward)
        forward_row(call, row, label, row_lse, out[r * call.out.strides[0]]);
      else
        backward_row(call, how, row, label, row_lse, dy[r * call.dy.strides[0]], out + r * call.out.strides[0]);
    }
    if (how.past_caches) finish_streams();
  });
}

void cross_entropy(const CrossEntropy& call) {
  with_floating(call.logits.dtype, [&]<class T>() { return cross_entropy_as<T>(call); });
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {
HWY_EXPORT(cross_entropy);
void run(const CrossEntropy& call) { HWY_DYNAMIC_DISPATCH(cross_entropy)(call); }
}  // namespace luge::cpu
#endif
