#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(strided.cpp)
#include <hwy/foreach_target.h>

#include "vector.h"

#include <algorithm>
#include <cstring>

#include <hwy/cache_control.h>

#include <luge/base/detail/dispatch.h>

#include "strided.h"

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

template <class T>
void accumulate_as(T* to, const T* from, std::size_t n) {
  std::size_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) store(to + i, load(to + i) + load(from + i));
  for (; i < n; ++i) to[i] += from[i];
}

void accumulate(void* to, const void* from, DType dtype, std::int64_t n) {
  with_floating(dtype, [&]<class T>() {
    accumulate_as(static_cast<T*>(to), static_cast<const T*>(from), static_cast<std::size_t>(n));
  });
}

/// Each of `count` elements, `step` apart, `length` times in a row; length is at least a vector's.
template <class Word>
void repeat_each_as(const Word* from, std::int64_t step, std::int64_t count, std::int64_t length, Word* to) {
  const hn::ScalableTag<Word> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t i = 0; i < count; ++i, to += length) {
    const auto element = hn::Set(d, from[i * step]);
    for (std::int64_t j = 0; j + lanes <= length; j += lanes) hn::StoreU(element, d, to + j);
    hn::StoreU(element, d, to + length - lanes);
  }
}
void repeat_each(const void* from, std::size_t size, std::int64_t step, std::int64_t count, std::int64_t length, void* to) {
  if (size == 4)
    repeat_each_as(static_cast<const std::uint32_t*>(from), step, count, length, static_cast<std::uint32_t*>(to));
  else
    repeat_each_as(static_cast<const std::uint64_t*>(from), step, count, length, static_cast<std::uint64_t*>(to));
}

void stream(void* to, const void* from, std::size_t bytes) {
  constexpr std::size_t kStep = kLanes<float> * sizeof(float);
  std::byte* out = static_cast<std::byte*>(to);
  const std::byte* in = static_cast<const std::byte*>(from);
  const std::size_t misaligned = reinterpret_cast<std::uintptr_t>(out) % kStep;
  const std::size_t head = misaligned == 0 ? 0 : std::min(kStep - misaligned, bytes);
  std::memcpy(out, in, head);
  out += head, in += head, bytes -= head;
  const Vec<float>::D d;
  std::size_t i = 0;
  for (; i + kStep <= bytes; i += kStep)
    hn::Stream(hn::LoadU(d, reinterpret_cast<const float*>(in + i)), d, reinterpret_cast<float*>(out + i));
  std::memcpy(out + i, in + i, bytes - i);
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <unistd.h>

#include <fstream>

namespace luge::cpu {

HWY_EXPORT(accumulate);
HWY_EXPORT(stream);
HWY_EXPORT(repeat_each);

void accumulate(void* to, const void* from, DType dtype, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(accumulate)(to, from, dtype, n);
}
void stream(void* to, const void* from, std::size_t bytes) { HWY_DYNAMIC_DISPATCH(stream)(to, from, bytes); }
void finish_streams() { hwy::FlushStream(); }

/// Bytes of the last-level cache that one processor sees. The kernel's file comes first, because on some
/// processors sysconf counts all such caches of the package together.
static std::int64_t last_level_cache() {
  std::ifstream file("/sys/devices/system/cpu/cpu0/cache/index3/size");
  std::int64_t kilobytes = 0;
  if (file >> kilobytes && kilobytes > 0) return kilobytes << 10;
  return static_cast<std::int64_t>(sysconf(_SC_LEVEL3_CACHE_SIZE));
}

bool worth_streaming(std::int64_t bytes) {
  static const std::int64_t threshold = std::max<std::int64_t>(last_level_cache() / 2, std::int64_t{8} << 20);
  return bytes >= threshold;
}

namespace {

/// Walks the rows (runs along the last dimension) that cover [begin, begin + n) of an extent:
/// visit(offset of the first element, stride, length) for each in turn.
template <class Visit>
void for_each_run(const Extent& extent, const StridesArray& strides, std::int64_t begin, std::int64_t n, Visit visit) {
  if (extent.ndim == 0) {
    visit(std::int64_t{0}, std::int64_t{0}, n);
    return;
  }
  const int last = extent.ndim - 1;
  std::array<std::int64_t, kMaxDims> index{};
  std::int64_t offset = 0;
  for (int d = last; d >= 0; --d) {
    const auto i = static_cast<std::size_t>(d);
    index[i] = begin % extent.sizes[i];
    begin /= extent.sizes[i];
    offset += index[i] * strides[i];
  }
  const auto inner = static_cast<std::size_t>(last);
  while (true) {
    const std::int64_t run = std::min(n, extent.sizes[inner] - index[inner]);
    visit(offset, strides[inner], run);
    n -= run;
    if (n == 0) return;
    offset -= index[inner] * strides[inner];
    index[inner] = 0;
    for (int d = last - 1; d >= 0; --d) {
      const auto i = static_cast<std::size_t>(d);
      offset += strides[i];
      if (++index[i] < extent.sizes[i]) break;
      offset -= extent.sizes[i] * strides[i];
      index[i] = 0;
    }
  }
}

/// Rows of [begin, begin + n) if these are whole rows that lie side by side in memory, each with a
/// stride: then column by column is the order of memory. 0 otherwise.
std::int64_t crossed_rows(const Extent& extent, const StridesArray& strides, std::int64_t begin, std::int64_t n) {
  if (extent.ndim < 2) return 0;
  const auto inner = static_cast<std::size_t>(extent.ndim - 1), outer = inner - 1;
  const std::int64_t length = extent.sizes[inner];
  if (strides[outer] != 1 || strides[inner] <= 1 || begin % length != 0 || n % length != 0) return 0;
  return begin / length % extent.sizes[outer] + n / length <= extent.sizes[outer] ? n / length : 0;
}

/// Rows of so few elements are walked together with the dimension before them.
constexpr std::int64_t kShortRow = 8;

/// Gathers [begin, begin + n) if it is whole short rows; false otherwise.
template <class Word>
bool gather_short_rows(Word* to, const Word* data, const Extent& extent, const StridesArray& strides, std::int64_t begin,
                       std::int64_t n) {
  if (extent.ndim < 2) return false;
  const auto inner = static_cast<std::size_t>(extent.ndim - 1);
  const std::int64_t length = extent.sizes[inner], step = strides[inner];
  if (length > kShortRow || begin % length != 0 || n % length != 0) return false;
  Extent rows = extent;
  --rows.ndim;
  for_each_run(rows, strides, begin / length, n / length, [&](std::int64_t offset, std::int64_t stride, std::int64_t run) {
    const Word* const from = data + offset;
    if (length == 2 && stride == 1 && step == 0)
      for (std::int64_t r = 0; r < run; ++r) to[2 * r] = to[2 * r + 1] = from[r];
    else if (length == 2)
      for (std::int64_t r = 0; r < run; ++r) to[2 * r] = from[r * stride], to[2 * r + 1] = from[r * stride + step];
    else
      for (std::int64_t r = 0; r < run; ++r)
        for (std::int64_t i = 0; i < length; ++i) to[r * length + i] = from[r * stride + i * step];
    to += run * length;
  });
  return true;
}

/// Rows of [begin, begin + n) if these are whole rows along one line of the dimension before theirs. 0 otherwise.
std::int64_t whole_rows(const Extent& extent, std::int64_t begin, std::int64_t n) {
  if (extent.ndim < 2) return 0;
  const auto inner = static_cast<std::size_t>(extent.ndim - 1), outer = inner - 1;
  const std::int64_t length = extent.sizes[inner];
  if (begin % length != 0 || n % length != 0) return 0;
  return begin / length % extent.sizes[outer] + n / length <= extent.sizes[outer] ? n / length : 0;
}

/// From so many elements on a row of equal ones is filled by vectors of any width.
constexpr std::int64_t kLongFill = 16;

/// Gathers [begin, begin + n) if it is whole rows of which all are the same one, or each is one element; false otherwise.
template <class Word>
bool gather_repeated(Word* to, const Word* data, const Extent& extent, const StridesArray& strides, std::int64_t begin,
                     std::int64_t n) {
  const std::int64_t rows = whole_rows(extent, begin, n);
  if (rows < 2) return false;
  const auto inner = static_cast<std::size_t>(extent.ndim - 1);
  const std::int64_t columns = n / rows, step = strides[inner - 1];
  if (step == 0) {
    gather(to, data, sizeof(Word), extent, strides, begin, columns);
    for (std::int64_t done = columns; done < n; done *= 2) std::copy_n(to, std::min(done, n - done), to + done);
    return true;
  }
  if (strides[inner] != 0 || columns < kLongFill || sizeof(Word) < 4) return false;
  HWY_DYNAMIC_DISPATCH(repeat_each)(data + offset_at(extent, strides, begin), sizeof(Word), step, rows, columns, to);
  return true;
}

template <class T>
void scatter_sum(const T* from, T* to, const Extent& extent, const StridesArray& strides, std::int64_t begin,
                 std::int64_t n) {
  for_each_run(extent, strides, begin, n, [&](std::int64_t offset, std::int64_t stride, std::int64_t run) {
    T* const row = to + offset;
    for (std::int64_t i = 0; i < run; ++i) row[i * stride] += from[i];
    from += run;
  });
}

}  // namespace

bool is_contiguous(const Extent& extent, const StridesArray& strides) {
  std::int64_t expected = 1;
  for (int d = extent.ndim - 1; d >= 0; --d) {
    const auto i = static_cast<std::size_t>(d);
    if (extent.sizes[i] == 1) continue;
    if (strides[i] != expected) return false;
    expected *= extent.sizes[i];
  }
  return true;
}

bool is_constant(const Extent& extent, const StridesArray& strides) {
  for (int d = 0; d < extent.ndim; ++d)
    if (strides[static_cast<std::size_t>(d)] != 0 && extent.sizes[static_cast<std::size_t>(d)] != 1) return false;
  return true;
}

void fill(void* to, const void* element, std::size_t size, std::int64_t n) {
  with_word(size, [&]<class Word>() {
    Word word;
    std::memcpy(&word, element, sizeof word);
    std::fill_n(static_cast<Word*>(to), n, word);
  });
}

void gather(void* tile, const void* data, std::size_t size, const Extent& extent, const StridesArray& strides,
            std::int64_t begin, std::int64_t n) {
  with_word(size, [&]<class Word>() {
    Word* to = static_cast<Word*>(tile);
    if (const std::int64_t rows = crossed_rows(extent, strides, begin, n); rows > 0) {
      const std::int64_t columns = n / rows, stride = strides[static_cast<std::size_t>(extent.ndim - 1)];
      const Word* const from = static_cast<const Word*>(data) + offset_at(extent, strides, begin);
      for (std::int64_t c = 0; c < columns; ++c) __builtin_prefetch(from + c * stride);  // all columns at once
      for (std::int64_t c = 0; c < columns; ++c)
        for (std::int64_t r = 0; r < rows; ++r) to[r * columns + c] = from[c * stride + r];
      return;
    }
    if (gather_repeated(to, static_cast<const Word*>(data), extent, strides, begin, n)) return;
    if (gather_short_rows(to, static_cast<const Word*>(data), extent, strides, begin, n)) return;
    for_each_run(extent, strides, begin, n, [&](std::int64_t offset, std::int64_t stride, std::int64_t run) {
      const Word* const row = static_cast<const Word*>(data) + offset;
      if (stride == 1)
        std::copy_n(row, run, to);
      else if (stride == 0)
        std::fill_n(to, run, *row);
      else
        for (std::int64_t i = 0; i < run; ++i) to[i] = row[i * stride];
      to += run;
    });
  });
}

void scatter(const void* tile, void* data, DType dtype, Store store, const Extent& extent, const StridesArray& strides,
             std::int64_t begin, std::int64_t n) {
  if (store == Store::Accumulate) {
    return with_floating(dtype, [&]<class T>() {
      scatter_sum(static_cast<const T*>(tile), static_cast<T*>(data), extent, strides, begin, n);
    });
  }
  with_word(size_of(dtype), [&]<class Word>() {
    const Word* from = static_cast<const Word*>(tile);
    if (const std::int64_t rows = crossed_rows(extent, strides, begin, n); rows > 0) {
      const std::int64_t columns = n / rows, stride = strides[static_cast<std::size_t>(extent.ndim - 1)];
      Word* const to = static_cast<Word*>(data) + offset_at(extent, strides, begin);
      for (std::int64_t c = 0; c < columns; ++c)
        for (std::int64_t r = 0; r < rows; ++r) to[c * stride + r] = from[r * columns + c];
      return;
    }
    for_each_run(extent, strides, begin, n, [&](std::int64_t offset, std::int64_t stride, std::int64_t run) {
      Word* const row = static_cast<Word*>(data) + offset;
      for (std::int64_t i = 0; i < run; ++i) row[i * stride] = from[i];
      from += run;
    });
  });
}

void write_immediate(void* to, const Operand& operand) {
  with_element(operand.dtype, [&]<class T>() {
    if constexpr (math::kIsHalf<T>)
      *static_cast<T*>(to) = math::to_half<T>(operand.floating);
    else if constexpr (std::is_floating_point_v<T>)
      *static_cast<T*>(to) = static_cast<T>(operand.floating);
    else
      *static_cast<T*>(to) = static_cast<T>(operand.integer);
  });
}

}  // namespace luge::cpu
#endif
