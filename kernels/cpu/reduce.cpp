// Reductions over the last dimensions of an extent. A row (the elements that make one output) is cut
// into chunks of a fixed length; chunks are reduced apart, over threads, and merged in order, so the
// result depends on the row alone.
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(reduce.cpp)
#include <hwy/foreach_target.h>

#include "reducers.h"

#include <cmath>
#include <limits>

#include "kernels.h"
#include "scratch.h"
#include "strided.h"
#include "threads.h"

#ifndef LUGE_CPU_REDUCE_
#define LUGE_CPU_REDUCE_

namespace luge::cpu {

/// The extent of a call taken apart: outputs and, for each, a row.
struct ReduceSpace {
  Extent kept, row;
  StridesArray kept_in, kept_out, row_in;
  std::int64_t outputs = 1, length = 1;
};

}  // namespace luge::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

/// Reduces one chunk of one row, wherever its elements lie.
template <class R>
HWY_NOINLINE typename R::Partial reduce_chunk(const ReduceSpace& space, const typename R::Element* row, std::int64_t begin,
                                              std::int64_t n, typename R::Element shift) {
  using T = typename R::Element;
  if (space.row.ndim == 0 || (space.row.ndim == 1 && space.row_in[0] == 1)) return R::chunk(row + begin, n, begin, shift);
  HWY_ALIGN T gathered[kChunk];
  gather(gathered, row, sizeof(T), space.row, space.row_in, begin, n);
  return R::chunk(gathered, n, begin, shift);
}

/// Row by row: finish(output, partial) for every output.
template <class R, class Finish>
void reduce_rows(const ReduceSpace& space, const typename R::Element* data, const typename R::Element* shifts,
                 const Finish& finish) {
  using Partial = typename R::Partial;
  const std::int64_t chunks = (space.length + kChunk - 1) / kChunk;
  const auto partial = [&](std::int64_t output, std::int64_t chunk) {
    const std::int64_t begin = chunk * kChunk;
    return reduce_chunk<R>(space, data + offset_at(space.kept, space.kept_in, output), begin,
                           std::min(kChunk, space.length - begin), shifts == nullptr ? typename R::Element(0) : shifts[output]);
  };
  if (chunks == 1) {
    parallel_for(space.outputs, space.length, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t o = begin; o < end; ++o) finish(o, partial(o, 0));
    });
    return;
  }
  Scratch<Partial> partials(space.outputs * chunks);
  parallel_for(space.outputs * chunks, kChunk, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) partials[i] = partial(i / chunks, i % chunks);
  });
  for (std::int64_t o = 0; o < space.outputs; ++o) {
    Partial total = partials[o * chunks];
    for (std::int64_t c = 1; c < chunks; ++c) total = R::merge(total, partials[o * chunks + c]);
    finish(o, total);
  }
}

/// Many neighbouring outputs at once, where the outputs rather than the rows are contiguous.
template <class R, class Finish>
void reduce_columns(const ReduceSpace& space, const typename R::Element* data, const typename R::Element* shifts,
                    const Finish& finish) {
  using Partial = typename R::Partial;
  const std::int64_t inner = space.kept.sizes[static_cast<std::size_t>(space.kept.ndim - 1)];
  const std::int64_t blocks = (inner + kColumns - 1) / kColumns, chunks = (space.length + kChunk - 1) / kChunk;
  const std::int64_t stride = space.row_in[0], units = space.outputs / inner * blocks;
  const auto reduce_block = [&](std::int64_t unit, std::int64_t chunk, Partial* out) {
    const std::int64_t column = unit % blocks * kColumns, output = unit / blocks * inner + column, begin = chunk * kChunk;
    R::columns(data + offset_at(space.kept, space.kept_in, output) + begin * stride, stride,
               std::min(kChunk, space.length - begin), std::min(kColumns, inner - column), begin,
               shifts == nullptr ? nullptr : shifts + output, out);
  };
  const auto finish_block = [&](std::int64_t unit, const Partial* totals) {
    const std::int64_t column = unit % blocks * kColumns, output = unit / blocks * inner + column;
    for (std::int64_t v = 0; v < std::min(kColumns, inner - column); ++v) finish(output + v, totals[v]);
  };
  const std::int64_t work = std::min(kChunk, space.length) * std::min(kColumns, inner);
  if (chunks == 1) {
    parallel_for(units, work, [&](std::int64_t begin, std::int64_t end) {
      Scratch<Partial> out(kColumns);
      for (std::int64_t u = begin; u < end; ++u) {
        reduce_block(u, 0, out.data());
        finish_block(u, out.data());
      }
    });
    return;
  }
  Scratch<Partial> partials(units * chunks * kColumns);
  parallel_for(units * chunks, work, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) reduce_block(i / chunks, i % chunks, partials.data() + i * kColumns);
  });
  for (std::int64_t u = 0; u < units; ++u) {
    Partial* const totals = partials.data() + u * chunks * kColumns;
    const std::int64_t width = std::min(kColumns, inner - u % blocks * kColumns);
    for (std::int64_t c = 1; c < chunks; ++c)
      for (std::int64_t v = 0; v < width; ++v) totals[v] = R::merge(totals[v], totals[c * kColumns + v]);
    finish_block(u, totals);
  }
}

template <class R, class Finish>
void reduce_with(const ReduceSpace& space, const void* data, const typename R::Element* shifts, const Finish& finish) {
  const auto* const elements = static_cast<const typename R::Element*>(data);
  const auto inner = static_cast<std::size_t>(space.kept.ndim - 1);
  const bool columns = space.row.ndim == 1 && space.row_in[0] != 1 && space.kept.ndim > 0 && space.kept_in[inner] == 1 &&
                       space.kept.sizes[inner] >= static_cast<std::int64_t>(kLanes<float>) / 2;
  columns ? reduce_columns<R>(space, elements, shifts, finish) : reduce_rows<R>(space, elements, shifts, finish);
}

/// Where results go.
template <class Out>
struct Sink {
  const ReduceSpace& space;
  Out* data;
  bool accumulate;

  void operator()(std::int64_t output, Out value) const {
    Out& to = data[offset_at(space.kept, space.kept_out, output)];
    to = accumulate ? static_cast<Out>(to + value) : value;
  }
};

template <class T>
void log_sum_exp(const Reduce& call, const ReduceSpace& space, const Sink<T>& sink) {
  Scratch<T> shifts(space.outputs);
  reduce_with<Extreme<T, true, false>>(space, call.in.data, nullptr, [&](std::int64_t o, const auto& p) {
    // An infinite maximum is not subtracted: the sum is then infinite or zero by itself.
    shifts[o] = p.value - p.value == T(0) ? p.value : T(0);
  });
  reduce_with<FloatSum<T, ShiftedExp>>(space, call.in.data, shifts.data(), [&](std::int64_t o, double sum) {
    sink(o, static_cast<T>(std::log(sum) + static_cast<double>(shifts[o])));
  });
}

template <class T>
void reduce_as(const Reduce& call, const ReduceSpace& space) {
  constexpr bool kFloating = std::is_floating_point_v<T>;
  using Total = std::conditional_t<kFloating, T, std::int64_t>;
  const bool accumulate = call.store == Store::Accumulate;
  const Sink<Total> totals{space, static_cast<Total*>(call.out.data), accumulate};
  const Sink<T> values{space, static_cast<T*>(call.out.data), accumulate};
  const Sink<std::int64_t> positions{space, static_cast<std::int64_t*>(call.out.data), accumulate};
  switch (call.op) {
    case ReduceOp::Sum:
    case ReduceOp::Mean:
      if constexpr (kFloating) {
        const double divisor = call.op == ReduceOp::Mean ? static_cast<double>(space.length) : 1.0;
        reduce_with<FloatSum<T, Identity>>(space, call.in.data, nullptr,
                                           [&](std::int64_t o, double sum) { totals(o, static_cast<T>(sum / divisor)); });
      } else {
        reduce_with<IntegerFold<T, false>>(space, call.in.data, nullptr, totals);
      }
      break;
    case ReduceOp::Prod:
      if constexpr (kFloating)
        reduce_with<FloatProduct<T>>(space, call.in.data, nullptr,
                                     [&](std::int64_t o, double product) { totals(o, static_cast<T>(product)); });
      else
        reduce_with<IntegerFold<T, true>>(space, call.in.data, nullptr, totals);
      break;
    case ReduceOp::Min:
      reduce_with<Extreme<T, false, false>>(space, call.in.data, nullptr, [&](std::int64_t o, const auto& p) { values(o, p.value); });
      break;
    case ReduceOp::Max:
      reduce_with<Extreme<T, true, false>>(space, call.in.data, nullptr, [&](std::int64_t o, const auto& p) { values(o, p.value); });
      break;
    case ReduceOp::ArgMin:
      reduce_with<Extreme<T, false, true>>(space, call.in.data, nullptr,
                                     [&](std::int64_t o, const auto& p) { positions(o, p.position); });
      break;
    case ReduceOp::ArgMax:
      reduce_with<Extreme<T, true, true>>(space, call.in.data, nullptr,
                                    [&](std::int64_t o, const auto& p) { positions(o, p.position); });
      break;
    case ReduceOp::LogSumExp:
      if constexpr (kFloating) log_sum_exp(call, space, values);
      break;
  }
}

void reduce(const Reduce& call, const ReduceSpace& space) {
  switch (call.in.dtype) {
    case DType::Bool: return reduce_as<bool>(call, space);
    case DType::Int32: return reduce_as<std::int32_t>(call, space);
    case DType::Int64: return reduce_as<std::int64_t>(call, space);
    case DType::Float32: return reduce_as<float>(call, space);
    case DType::Float64: return reduce_as<double>(call, space);
    case DType::Float16:
    case DType::BFloat16: return;  // core lets no such operand through
  }
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {

HWY_EXPORT(reduce);

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
  HWY_DYNAMIC_DISPATCH(reduce)(call, space);
}

}  // namespace luge::cpu
#endif
