// Picking along one dimension, and folding back. The extent is seen as lines along that dimension; a
// line is walked in order by one thread, so what is folded into one element has one order.

#include <luge/base/detail/dispatch.h>
#include <luge/math/reducers.h>

#include "kernels.h"
#include "strided.h"
#include "threads.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

namespace luge::cpu {
namespace {

/// Sizes and strides of a call: `outer` holds every dimension but the one picked along.
struct Lines {
  Extent outer;
  StridesArray source, index, out;
  std::int64_t length, source_step, index_step, out_step, source_size;

  explicit Lines(const Gather& call) : source_size(call.source_size) {
    const auto dim = static_cast<std::size_t>(call.dim);
    length = call.extent.sizes[dim];
    source_step = call.source.strides[dim];
    index_step = call.index.strides[dim];
    out_step = call.out.strides[dim];
    for (int d = 0; d < call.extent.ndim; ++d) {
      if (d == call.dim) continue;
      const auto from = static_cast<std::size_t>(d), to = static_cast<std::size_t>(outer.ndim++);
      outer.sizes[to] = call.extent.sizes[from];
      source[to] = call.source.strides[from];
      index[to] = call.index.strides[from];
      out[to] = call.out.strides[from];
    }
  }

  /// How many innermost outer elements share one index and lie side by side in source and out: whole
  /// rows then move at once, as in an embedding.
  std::int64_t row() const {
    if (outer.ndim == 0) return 1;
    const auto last = static_cast<std::size_t>(outer.ndim - 1);
    return index[last] == 0 && source[last] == 1 && out[last] == 1 ? outer.sizes[last] : 1;
  }

  bool valid(std::int64_t label) const {
    return static_cast<std::uint64_t>(label) < static_cast<std::uint64_t>(source_size);  // one comparison for both ends
  }
};

/// What a label that does not exist gives: NaN, or zero where there is none.
template <class Word>
Word missing(DType dtype) {
  Word word = 0;
  if (is_floating(dtype))
    with_element(dtype, [&]<class T>() {
      if constexpr (sizeof(T) == sizeof(Word)) word = std::bit_cast<Word>(quiet_nan<T>());
    });
  return word;
}

/// How far ahead of its use an element is asked for: labels lead anywhere, so the hardware foresees nothing.
inline constexpr std::int64_t kAhead = 32;
/// Lines of at most so many elements are in the first-level cache, and nothing is asked for.
inline constexpr std::int64_t kNear = 4096;

/// visit(i, place) for labels first ... last - 1 of a line, `place` being where the label leads, or null where it does not
/// exist. `unit`: all three steps are 1.
template <bool unit, class Word>
[[gnu::always_inline]] inline void walk_line(const Lines& lines, Word* base, const std::int64_t* labels, std::int64_t first,
                                             std::int64_t last, const auto& visit) {
  const std::int64_t step = unit ? 1 : lines.index_step, source_step = unit ? 1 : lines.source_step;
  const auto place_of = [&](std::int64_t i) { return base + labels[i * step] * source_step; };
  std::int64_t i = first;
  for (const std::int64_t end = lines.source_size <= kNear ? first : last - kAhead; i < end; ++i) {
    __builtin_prefetch(place_of(i + kAhead));
    visit(i, lines.valid(labels[i * step]) ? place_of(i) : nullptr);
  }
  for (; i < last; ++i) visit(i, lines.valid(labels[i * step]) ? place_of(i) : nullptr);
}

/// walk_line() as the steps allow; use.template operator()<unit>().
void with_unit(const Lines& lines, const auto& use) {
  if (lines.source_step == 1 && lines.index_step == 1 && lines.out_step == 1)
    use.template operator()<true>();
  else
    use.template operator()<false>();
}

template <class Word>
void pick(const Gather& call, const Lines& lines) {
  const Word* const source = static_cast<const Word*>(call.source.data);
  const std::int64_t* const index = static_cast<const std::int64_t*>(call.index.data);
  Word* const out = static_cast<Word*>(call.out.data);
  const std::int64_t row = lines.row(), length = lines.length;
  parallel_for(lines.outer.count() / row * length, row, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t item = begin; item < end;) {
      const std::int64_t position = item / length * row, stop = std::min(end, (item / length + 1) * length);
      const Word* const from = source + offset_at(lines.outer, lines.source, position);
      const std::int64_t* const labels = index + offset_at(lines.outer, lines.index, position);
      Word* const to = out + offset_at(lines.outer, lines.out, position);
      if (row == 1) {
        const std::int64_t first = item % length;
        const Word none = missing<Word>(call.source.dtype);
        with_unit(lines, [&]<bool unit>() {
          walk_line<unit>(lines, from, labels, first, first + stop - item, [&](std::int64_t i, const Word* place) {
            to[unit ? i : i * lines.out_step] = place ? *place : none;
          });
        });
        item = stop;
        continue;
      }
      for (std::int64_t i = item % length; item < stop; ++item, ++i) {
        const std::int64_t label = labels[i * lines.index_step];
        Word* const target = to + i * lines.out_step;
        if (!lines.valid(label))
          std::fill_n(target, row, missing<Word>(call.source.dtype));
        else
          std::memcpy(target, from + label * lines.source_step, static_cast<std::size_t>(row) * sizeof(Word));
      }
    }
  });
}

/// Backward: threads share out the lines (or the columns of rows), never one line. `put` folds or overwrites.
template <class T>
void put_back(const Gather& call, const Lines& lines, auto put) {
  T* const source = static_cast<T*>(call.source.data);
  const std::int64_t* const index = static_cast<const std::int64_t*>(call.index.data);
  const T* const out = static_cast<const T*>(call.out.data);
  const std::int64_t row = lines.row();
  parallel_for(lines.outer.count(), lines.length, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t position = begin; position < end;) {
      const std::int64_t width = std::min(row - position % row, end - position);
      T* const to = source + offset_at(lines.outer, lines.source, position);
      const std::int64_t* const labels = index + offset_at(lines.outer, lines.index, position);
      const T* const from = out + offset_at(lines.outer, lines.out, position);
      if (row == 1) {
        with_unit(lines, [&]<bool unit>() {
          walk_line<unit>(lines, to, labels, 0, lines.length, [&](std::int64_t i, T* place) {
            if (place) put(*place, from[unit ? i : i * lines.out_step]);
          });
        });
        ++position;
        continue;
      }
      for (std::int64_t i = 0; i < lines.length; ++i) {
        const std::int64_t label = labels[i * lines.index_step];
        if (!lines.valid(label)) continue;
        T* const target = to + label * lines.source_step;
        const T* const gradient = from + i * lines.out_step;
        for (std::int64_t j = 0; j < width; ++j) put(target[j], gradient[j]);
      }
      position += width;
    }
  });
}

template <class T>
void fold_back(const Gather& call, const Lines& lines) {
  using math::scalar::Extreme;
  switch (call.fold) {
    case Fold::Sum:
      if constexpr (!std::is_same_v<T, bool>) put_back<T>(call, lines, [](T& to, T value) { to += value; });
      break;
    case Fold::Prod:
      if constexpr (!std::is_same_v<T, bool>) put_back<T>(call, lines, [](T& to, T value) { to *= value; });
      break;
    case Fold::Min:
      put_back<T>(call, lines, [](T& to, T value) { to = static_cast<T>(Extreme<T, false>::merge(to, value)); });
      break;
    case Fold::Max:
      put_back<T>(call, lines, [](T& to, T value) { to = static_cast<T>(Extreme<T, true>::merge(to, value)); });
      break;
  }
}

}  // namespace

void run(const Gather& call) {
  const Lines lines(call);
  if (call.direction == Direction::Backward && call.store == Store::Accumulate)
    return with_dtype(call.source.dtype, [&]<class T>() { return fold_back<T>(call, lines); });
  with_word(size_of(call.source.dtype), [&]<class Word>() {
    if (call.direction == Direction::Forward) return pick<Word>(call, lines);
    put_back<Word>(call, lines, [](Word& to, Word value) { to = value; });
  });
}

}  // namespace luge::cpu
