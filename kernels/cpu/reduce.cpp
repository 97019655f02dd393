// Reductions over the last dimensions of an extent. A row (the elements that make one output) is cut
// into chunks of a fixed length; chunks are reduced apart, over threads, and merged in order, so the
// result depends on the row alone.
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(reduce.cpp)
#include <hwy/foreach_target.h>

#include <luge/base/detail/dispatch.h>

#include "reduce_loops.h"

#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

template <class T>
void log_sum_exp(const Reduce& call, const ReduceSpace& space, const Sink<T>& sink) {
  Scratch<T> largest(space.outputs);
  reduce_with<Extreme<T, true, false>>(space, call.in.data, nullptr,
                                       [&](std::int64_t o, const auto& p) { largest[o] = p.value; });
  reduce_with<FloatSum<T, ShiftedExp>>(space, call.in.data, largest.data(), [&](std::int64_t o, double sum) {
    sink(o, scalar_math::LogSumExp<T>::total(sum, largest[o]));
  });
}

template <class T>
void reduce_as(const Reduce& call, const ReduceSpace& space) {
  const bool accumulate = call.store == Store::Accumulate;
  const Sink<T> sink{space, static_cast<T*>(call.out.data), accumulate};
  const Sink<std::int64_t> positions{space, static_cast<std::int64_t*>(call.out.data), accumulate};
  const auto value = [&](std::int64_t o, const auto& p) { sink(o, p.value); };
  const auto position = [&](std::int64_t o, const auto& p) { positions(o, p.position); };
  const auto total = [&](std::int64_t o, double sum) { sink(o, static_cast<T>(sum)); };
  const auto mean = [&](std::int64_t o, double sum) { sink(o, scalar_math::Sum<T, true>::finish(sum, space.length)); };
  switch (call.op) {
    case ReduceOp::Sum: return reduce_with<FloatSum<T, Identity>>(space, call.in.data, nullptr, total);
    case ReduceOp::Mean: return reduce_with<FloatSum<T, Identity>>(space, call.in.data, nullptr, mean);
    case ReduceOp::Prod: return reduce_with<FloatProduct<T>>(space, call.in.data, nullptr, total);
    case ReduceOp::Min: return reduce_with<Extreme<T, false, false>>(space, call.in.data, nullptr, value);
    case ReduceOp::Max: return reduce_with<Extreme<T, true, false>>(space, call.in.data, nullptr, value);
    case ReduceOp::ArgMin: return reduce_with<Extreme<T, false, true>>(space, call.in.data, nullptr, position);
    case ReduceOp::ArgMax: return reduce_with<Extreme<T, true, true>>(space, call.in.data, nullptr, position);
    case ReduceOp::LogSumExp: return log_sum_exp(call, space, sink);
    case ReduceOp::SumSquares: return reduce_with<FloatSum<T, Squared>>(space, call.in.data, nullptr, total);
  }
}

double sum_chunk(DType dtype, const void* x, std::int64_t n) {
  return with_floating(dtype,
                       [&]<class T>() { return FloatSum<T, Identity>::chunk(static_cast<const T*>(x), n, 0, 0); });
}

void add_to_sum(DType dtype, const void* x, std::int64_t n, double* sums) {
  with_floating(dtype, [&]<class T>() { FloatSum<T, Identity>::add(static_cast<const T*>(x), n, Vec<T>(0.0), sums); });
}

/// The sums of rows, from 16 lanes each; four at a time, where a vector holds eight.
template <class T>
HWY_INLINE void total_rows(const std::byte* lanes, std::int64_t row_bytes, std::int64_t n, double* totals) {
  const auto row = [&](std::int64_t i) { return reinterpret_cast<const T*>(lanes + i * row_bytes); };
  std::int64_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  if constexpr (kLanes<double> == 8) {
    const hn::ScalableTag<double> d;
    const auto halves = [&](std::int64_t r) {
      const T* const x = row(r);
      if constexpr (sizeof(T) == 4) {
        const hn::Rebind<float, decltype(d)> half;
        return hn::PromoteTo(d, hn::Add(hn::LoadU(half, x), hn::LoadU(half, x + 8)));
      } else {
        return hn::Add(hn::LoadU(d, x), hn::LoadU(d, x + 8));
      }
    };
    const auto neighbours = [&](std::int64_t r) {
      const auto a = halves(r), b = halves(r + 1);
      return hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
    };
    for (; i + 4 <= n; i += 4) {
      const auto ab = neighbours(i), cd = neighbours(i + 2);
      const auto fours = hn::OddEvenBlocks(hn::Add(cd, hn::SwapAdjacentBlocks(cd)), hn::Add(ab, hn::SwapAdjacentBlocks(ab)));
      const hn::Half<decltype(d)> half;
      hn::StoreU(hn::Add(hn::LowerHalf(half, fours), hn::UpperHalf(half, fours)), half, totals + i);
    }
  }
#endif
  for (; i < n; ++i) {
    double sums[kSums];
    for (std::int64_t j = 0; j < kSums; ++j) sums[j] = static_cast<double>(row(i)[j] + row(i)[j + kSums]);
    totals[i] = add_sums(sums);
  }
}

void finish_rows(const Reduce& call, DType dtype, std::int64_t length, std::int64_t first, std::int64_t n,
                 const void* lanes, std::int64_t row_bytes) {
  constexpr std::int64_t kMost = 64;
  Extent kept = call.extent;
  kept.ndim -= call.reduced;
  const bool contiguous = is_contiguous(kept, call.out.strides), mean = call.op == ReduceOp::Mean;
  with_floating(dtype, [&]<class T>() {
    T* const out = static_cast<T*>(call.out.data);
    for (std::int64_t done = 0; done < n; done += kMost) {
      const std::int64_t count = std::min(kMost, n - done);
      double totals[kMost];
      T results[kMost];
      total_rows<T>(static_cast<const std::byte*>(lanes) + done * row_bytes, row_bytes, count, totals);
      if (mean)
        for (std::int64_t i = 0; i < count; ++i) results[i] = scalar_math::Sum<T, true>::finish(totals[i], length);
      else
        for (std::int64_t i = 0; i < count; ++i) results[i] = scalar_math::Sum<T, false>::finish(totals[i], length);
      if (contiguous && call.store == Store::Overwrite) {
        std::copy_n(results, count, out + first + done);
        continue;
      }
      for (std::int64_t i = 0; i < count; ++i) {
        T& to = out[offset_at(kept, call.out.strides, first + done + i)];
        to = call.store == Store::Accumulate ? static_cast<T>(to + results[i]) : results[i];
      }
    }
  });
}

double finish_sum(const double* sums) { return add_sums(sums); }

void reduce(const Reduce& call, const ReduceSpace& space) {
  with_floating(call.in.dtype, [&]<class T>() { return reduce_as<T>(call, space); });
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {

HWY_EXPORT(reduce);
HWY_EXPORT(sum_chunk);
HWY_EXPORT(add_to_sum);
HWY_EXPORT(finish_sum);
HWY_EXPORT(finish_rows);
double sum_chunk(DType dtype, const void* x, std::int64_t n) { return HWY_DYNAMIC_DISPATCH(sum_chunk)(dtype, x, n); }

void finish_rows(const Reduce& call, DType dtype, std::int64_t length, std::int64_t first, std::int64_t n,
                 const void* lanes, std::int64_t row_bytes) {
  HWY_DYNAMIC_DISPATCH(finish_rows)(call, dtype, length, first, n, lanes, row_bytes);
}

void ChunkSum::add(DType dtype, const void* x, std::int64_t n) { HWY_DYNAMIC_DISPATCH(add_to_sum)(dtype, x, n, sums_); }
double ChunkSum::total() const { return HWY_DYNAMIC_DISPATCH(finish_sum)(sums_); }

namespace {

/// Adds a dimension at the inner end, joining it with the one before where memory permits.
void append_dim(Extent& extent, StridesArray& strides, std::int64_t size, std::int64_t stride) {
  if (size == 1) return;
  if (extent.ndim > 0) {
    const auto last = static_cast<std::size_t>(extent.ndim - 1);
    if (strides[last] == size * stride) {
      extent.sizes[last] *= size;
      strides[last] = stride;
      return;
    }
  }
  extent.sizes[static_cast<std::size_t>(extent.ndim)] = size;
  strides[static_cast<std::size_t>(extent.ndim++)] = stride;
}

}  // namespace

void run(const Reduce& call) {
  ReduceSpace space;
  const int kept = call.extent.ndim - call.reduced;
  for (int d = 0; d < call.extent.ndim; ++d) {
    const auto i = static_cast<std::size_t>(d);
    const std::int64_t size = call.extent.sizes[i];
    if (d >= kept) {
      append_dim(space.row, space.row_in, size, call.in.strides[i]);
      space.length *= size;
    } else if (size != 1) {
      const auto k = static_cast<std::size_t>(space.kept.ndim++);
      space.kept.sizes[k] = size;
      space.kept_in[k] = call.in.strides[i];
      space.kept_out[k] = call.out.strides[i];
      space.outputs *= size;
    }
  }
  is_floating(call.in.dtype) ? HWY_DYNAMIC_DISPATCH(reduce)(call, space) : reduce_integers(call, space);
}

}  // namespace luge::cpu
#endif
