// How a reduction walks its extent, for any reducer (see reducers.h); compiled once per target.
#include "extremes.h"

#include "kernels.h"
#include "reduce_space.h"
#include "threads.h"

#if defined(LUGE_CPU_REDUCE_LOOPS_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LUGE_CPU_REDUCE_LOOPS_H_
#undef LUGE_CPU_REDUCE_LOOPS_H_
#else
#define LUGE_CPU_REDUCE_LOOPS_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

/// Reduces one chunk of one row, wherever its elements lie.
template <class R>
HWY_NOINLINE typename R::Partial reduce_chunk(const ReduceSpace& space, const typename R::Element* row,
                                              std::int64_t begin, std::int64_t n, typename R::Element shift) {
  using T = typename R::Element;
  if (space.row.ndim == 0 || (space.row.ndim == 1 && space.row_in[0] == 1))
    return R::chunk(row + begin, n, begin, shift);
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
                           std::min(kChunk, space.length - begin),
                           shifts == nullptr ? typename R::Element(0) : shifts[output]);
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
    const std::int64_t column = unit % blocks * kColumns, output = unit / blocks * inner + column,
                       begin = chunk * kChunk;
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
  const bool columns = space.row.ndim == 1 && space.row_in[0] != 1 && space.kept.ndim > 0 &&
                       space.kept_in[inner] == 1 &&
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

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggling guard
