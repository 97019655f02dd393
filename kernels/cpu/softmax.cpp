// Softmax and log-softmax along contiguous rows.
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(softmax.cpp)
#include <hwy/foreach_target.h>

#include <luge/base/detail/dispatch.h>

#include "row_math.h"

#include "kernels.h"
#include "scratch.h"
#include "threads.h"

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

/// Softmax of row after row. The exponentials of a row are kept in the second-level cache until their sum is known, and
/// are written while those of the next row are computed, so that memory and arithmetic work at the same time.
template <class T>
class SoftmaxRows {
 public:
  SoftmaxRows(std::int64_t columns, RowStore how)
      : columns_(columns), how_(how), exponentials_(2 * columns), shifts_(2 * blocks()) {}

  void add(const T* x, T* out) {
    RowExponentials<T> row;
    const bool vector_by_vector = waiting_ != nullptr && how_.past_caches && columns_ % kN == 0 &&
                                  reinterpret_cast<std::uintptr_t>(waiting_) % (kN * sizeof(T)) == 0;
    for (std::int64_t b = 0; b < blocks(); ++b) {
      const std::int64_t at = b * kBlock, n = std::min(kBlock, columns_ - at);
      T* const to = exponentials(current_) + at;
      T& shift = shifts(current_)[b];
      if (vector_by_vector) {
        const T* const from = exponentials(current_ ^ 1) + at;
        const Vec<T> scale = scale_of(b);
        shift = row.add(x + at, n, to, [&](std::int64_t i) HWY_ATTR {
          store_past_caches(waiting_ + at + i, load(from + i) * scale);
        });
      } else {
        shift = row.add(x + at, n, to);
        if (waiting_ != nullptr) write(b);
      }
    }
    current_ ^= 1;
    waiting_ = out, sum_ = row.sum(), largest_ = row.largest();
  }
  void finish() {
    for (std::int64_t b = 0; waiting_ != nullptr && b < blocks(); ++b) write(b);
    waiting_ = nullptr;
  }

  /// Longer rows would leave the second-level cache.
  static constexpr std::int64_t kMostColumns = (std::int64_t{1} << 17) / static_cast<std::int64_t>(sizeof(T));

 private:
  static constexpr std::int64_t kBlock = kExpBlock<T>, kN = kLanes<T>;

  std::int64_t blocks() const { return (columns_ + kBlock - 1) / kBlock; }
  T* exponentials(int row) { return exponentials_.data() + row * columns_; }
  T* shifts(int row) { return shifts_.data() + row * blocks(); }

  /// By which block b of the row that waits is multiplied.
  Vec<T> scale_of(std::int64_t b) { return Vec<T>(softmax_scale(shifts(current_ ^ 1)[b], largest_, sum_)); }

  /// Block b of the row that waits.
  HWY_INLINE void write(std::int64_t b) {
    const std::int64_t at = b * kBlock;
    const T* const from = exponentials(current_ ^ 1) + at;
    const Vec<T> scale = scale_of(b);
    write_row(waiting_ + at, std::min(kBlock, columns_ - at), how_,
              [&](std::size_t i, Part part) HWY_ATTR { return load_lanes(from + i, part) * scale; });
  }

  std::int64_t columns_;
  RowStore how_;
  Scratch<T> exponentials_, shifts_;  ///< of two rows
  int current_ = 0;
  T* waiting_ = nullptr;
  double sum_ = 0;
  T largest_ = 0;
};

/// What is not kept is read again.
template <class T>
HWY_NOINLINE void forward_row(const Softmax& call, RowStore how, const T* x, T* out) {
  constexpr std::int64_t kBlock = kExpBlock<T>;
  const std::int64_t n = call.columns;
  HWY_ALIGN T exponentials[kBlock];
  RowExponentials<T> sums;
  for (std::int64_t i = 0; i < n; i += kBlock) sums.add(x + i, std::min(kBlock, n - i), exponentials);
  const auto row = scalar_math::SoftmaxRow<Vec<T>>::of(static_cast<double>(sums.largest()), sums.sum());
  write_row(out, n, how, [&](std::size_t i, Part part) HWY_ATTR {
    const Vec<T> v = load_lanes(x + i, part);
    return call.log ? row.log_softmax(v) : row.softmax(v);
  });
}

template <class T>
HWY_NOINLINE void backward_row(const Softmax& call, RowStore how, const T* dy, const T* y, T* out) {
  const std::int64_t n = call.columns;
  if (call.log) {
    const Vec<T> total(row_sum(dy, n));
    write_row(out, n, how, [&](std::size_t i, Part part) HWY_ATTR {
      return scalar_math::log_softmax_gradient(load_lanes(dy + i, part), load_lanes(y + i, part), total);
    });
  } else {
    const Vec<T> total(row_dot(dy, y, n));
    write_row(out, n, how, [&](std::size_t i, Part part) HWY_ATTR {
      return scalar_math::softmax_gradient(load_lanes(dy + i, part), load_lanes(y + i, part), total);
    });
  }
}

template <class T>
void softmax_as(const Softmax& call) {
  const T* const in = static_cast<const T*>(call.in.data);
  const T* const y = static_cast<const T*>(call.y.data);
  T* const out = static_cast<T*>(call.out.data);
  const bool forward = call.direction == Direction::Forward;
  const RowStore how = RowStore::of(call.store, call.rows, call.columns, sizeof(T));
  const auto in_row = [&](std::int64_t r) { return in + r * call.in.strides[0]; };
  const auto out_row = [&](std::int64_t r) { return out + r * call.out.strides[0]; };
  parallel_for(call.rows, call.columns * 2, [&](std::int64_t begin, std::int64_t end) {
    if (forward && !call.log && call.columns <= SoftmaxRows<T>::kMostColumns) {
      SoftmaxRows<T> rows(call.columns, how);
      for (std::int64_t r = begin; r < end; ++r) rows.add(in_row(r), out_row(r));
      rows.finish();
    } else {
      for (std::int64_t r = begin; r < end; ++r) {
        if (forward)
          forward_row(call, how, in_row(r), out_row(r));
        else
          backward_row(call, how, in_row(r), y + r * call.y.strides[0], out_row(r));
      }
    }
    if (how.past_caches) finish_streams();
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
