// Scans. A line is walked once, in its order, so that its result is the line's alone; neighbouring lines are walked
// side by side. Sums, whose chain of additions is slower than memory, are added in groups of kGroup elements: the sums
// within a group do not wait for what stands before it.
//   group   a, a + b, c + (a + b), (c + d) + (a + b); each is added to the sum of all before the group
//   chunk   kChunk elements: the sum before it is that before the last chunk plus the chunk's own, so that threads may
//           find the chunks' sums first
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(scan.cpp)
#include <hwy/foreach_target.h>

#include <luge/base/detail/dispatch.h>

#include "vector.h"

#include <luge/math/reducers.h>

#include <algorithm>
#include <cstdint>

#include <luge/base/threads.h>

#include "kernels.h"
#include "scratch.h"
#include "threads.h"

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

constexpr std::int64_t kGroup = 4;
constexpr std::int64_t kChunk = 1024 * kGroup;
/// Neighbouring lines that are walked together: what is known of them stays in the first-level cache.
constexpr std::int64_t kColumns = 256;

// ---- sums along memory --------------------------------------------------------------------------

#if HWY_TARGET != HWY_SCALAR
/// Four elements, and in the scan's order.
template <class T, bool reverse>
struct Four {
  using Carry = scalar_math::Carried<T>;
  using D = hn::CappedTag<Carry, kGroup>;
  using V = hn::Vec<D>;
  using Narrow = hn::Rebind<T, D>;

  static HWY_INLINE V load(const T* x) {
    const D d;
    V v;
    if constexpr (sizeof(T) == sizeof(Carry))
      v = hn::LoadU(d, x);
    else
      v = hn::PromoteTo(d, hn::LoadU(Narrow(), x));
    return reverse ? hn::Reverse(d, v) : v;
  }
  static HWY_INLINE void store(T* y, V v) {
    const D d;
    if (reverse) v = hn::Reverse(d, v);
    if constexpr (sizeof(T) == sizeof(Carry))
      hn::StoreU(v, d, y);
    else
      hn::StoreU(hn::DemoteTo(Narrow(), v), Narrow(), y);
  }
  static HWY_INLINE V sums(V x) {
    const D d;
    const V pairs = hn::Add(x, hn::ShiftLeftLanes<1>(d, x));
    return hn::Add(pairs, hn::ConcatLowerLower(d, hn::Broadcast<1>(pairs), hn::Zero(d)));
  }
  /// The last of four, in all lanes.
  static HWY_INLINE V last(V x) { return hn::Broadcast<1>(hn::ConcatUpperUpper(D(), x, x)); }
};
#endif

/// A scan of n elements after which `before` and `total` have grown by them; without `y` the total alone. x and y are the
/// first elements in the order of the scan.
template <class T, bool reverse, bool writes>
HWY_INLINE void sum_chunk_line(const T* x, T* y, std::int64_t n, scalar_math::Carried<T> before,
                               scalar_math::Carried<T>& total) {
  using Carry = scalar_math::Carried<T>;
  constexpr std::int64_t step = reverse ? -1 : 1;
  std::int64_t i = 0;
  Carry sum = 0;
#if HWY_TARGET != HWY_SCALAR
  using F = Four<T, reverse>;
  const typename F::D d;
  typename F::V base = hn::Set(d, before), own = hn::Zero(d);
  for (; i + kGroup <= n; i += kGroup) {
    const std::int64_t at = reverse ? -i - (kGroup - 1) : i;
    const auto sums = F::sums(F::load(x + at));
    const auto last = F::last(sums);
    if constexpr (writes) {
      F::store(y + at, hn::Add(base, sums));
      base = hn::Add(base, last);
    }
    own = hn::Add(own, last);
  }
  before = hn::GetLane(base);
  sum = hn::GetLane(own);
#else
  for (; i + kGroup <= n; i += kGroup) {
    const auto element = [&](std::int64_t k) { return static_cast<Carry>(x[(i + k) * step]); };
    const Carry a = element(0), ab = a + element(1), abc = element(2) + ab, all = (element(3) + element(2)) + ab;
    if constexpr (writes) {
      const auto put = [&](std::int64_t k, Carry value) { y[(i + k) * step] = static_cast<T>(before + value); };
      put(0, a), put(1, ab), put(2, abc), put(3, all);
      before += all;
    }
    sum += all;
  }
#endif
  if constexpr (writes) {
    Carry own_rest[kGroup - 1] = {}, pair = 0;
    const std::int64_t rest = n - i;
    for (std::int64_t k = 0; k < rest; ++k) {
      const auto element = static_cast<Carry>(x[(i + k) * step]);
      own_rest[k] = k == 0 ? element : element + pair;
      if (k < 2) pair = own_rest[k];
      y[(i + k) * step] = static_cast<T>(before + own_rest[k]);
    }
  }
  total = sum;
}

/// One line, contiguous in memory.
template <class T, bool reverse>
HWY_NOINLINE void sum_line(const T* x, T* y, std::int64_t n) {
  using Carry = scalar_math::Carried<T>;
  constexpr std::int64_t step = reverse ? -1 : 1;
  const std::int64_t first = reverse ? n - 1 : 0, chunks = (n + kChunk - 1) / kChunk;
  const auto place = [&](std::int64_t chunk) { return first + chunk * kChunk * step; };
  const auto length = [&](std::int64_t chunk) { return std::min(kChunk, n - chunk * kChunk); };
  if (n < kForkWork || num_threads() == 1) {
    Carry before = 0, total = 0;
    for (std::int64_t c = 0; c < chunks; ++c) {
      sum_chunk_line<T, reverse, true>(x + place(c), y + place(c), length(c), before, total);
      before += total;
    }
    return;
  }
  Scratch<Carry> sums(chunks);
  parallel_for(chunks, kChunk, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c)
      sum_chunk_line<T, reverse, false>(x + place(c), nullptr, length(c), 0, sums[c]);
  });
  Carry before = 0;
  for (std::int64_t c = 0; c < chunks; ++c) {
    const Carry total = sums[c];
    sums[c] = before;
    before += total;
  }
  parallel_for(chunks, kChunk, [&](std::int64_t begin, std::int64_t end) {
    Carry total;
    for (std::int64_t c = begin; c < end; ++c)
      sum_chunk_line<T, reverse, true>(x + place(c), y + place(c), length(c), sums[c], total);
  });
}

// ---- lines side by side -------------------------------------------------------------------------

/// `width` neighbouring lines, whose elements are `step` apart.
template <class T>
HWY_NOINLINE void sum_columns(const T* x, T* y, std::int64_t n, std::int64_t step, std::int64_t width) {
  using Carry = scalar_math::Carried<T>;
  HWY_ALIGN Carry before[kColumns] = {};
  HWY_ALIGN Carry base[kColumns] = {};
  HWY_ALIGN Carry total[kColumns] = {};
  std::int64_t i = 0;
  for (std::int64_t chunk = 0; chunk < n; chunk += kChunk) {
    const std::int64_t end = std::min(n, chunk + kChunk);
    for (; i + kGroup <= end; i += kGroup) {
      const T *const p = x + i * step, *const q = p + step, *const r = q + step, *const s = r + step;
      T *const t = y + i * step, *const u = t + step, *const v = u + step, *const w = v + step;
      for (std::int64_t j = 0; j < width; ++j) {
        const Carry a = static_cast<Carry>(p[j]), ab = a + static_cast<Carry>(q[j]), c = static_cast<Carry>(r[j]);
        const Carry abc = c + ab, all = (static_cast<Carry>(s[j]) + c) + ab, so_far = before[j];
        t[j] = static_cast<T>(so_far + a);
        u[j] = static_cast<T>(so_far + ab);
        v[j] = static_cast<T>(so_far + abc);
        w[j] = static_cast<T>(so_far + all);
        before[j] = so_far + all;
        total[j] += all;
      }
    }
    if (i == end && end < n)
      for (std::int64_t j = 0; j < width; ++j) {
        base[j] += total[j];
        before[j] = base[j];
        total[j] = 0;
      }
  }
  for (std::int64_t j = 0; j < width; ++j) {
    Carry sum = 0;
    for (std::int64_t k = i; k < n; ++k) {
      const auto element = static_cast<Carry>(x[k * step + j]);
      const Carry own = k == i ? element : element + sum;
      if (k < i + 2) sum = own;
      y[k * step + j] = static_cast<T>(before[j] + own);
    }
  }
}

/// Products and sums of exponentials: R's states, one element after the other.
template <class R, class T>
HWY_NOINLINE void fold_columns(const T* x, T* y, std::int64_t n, std::int64_t step, std::int64_t width) {
  typename R::State states[kColumns];
  std::fill_n(states, width, R::identity());
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < width; ++j) {
      states[j] = R::include(states[j], x[i * step + j], i);
      y[i * step + j] = R::finish(states[j], i + 1);
    }
}
/// The same of one line.
template <class R, class T>
HWY_NOINLINE void fold_line(const T* x, T* y, std::int64_t n, std::int64_t step) {
  typename R::State state = R::identity();
  for (std::int64_t i = 0; i < n; ++i) {
    state = R::include(state, x[i * step], i);
    y[i * step] = R::finish(state, i + 1);
  }
}

/// Extremes and their positions, the first of which is `first`.
template <class T, bool maximum>
HWY_NOINLINE void extreme_columns(const T* x, T* y, std::int64_t* indices, std::int64_t n, std::int64_t step,
                                  std::int64_t width, std::int64_t first) {
  const std::int64_t next = step < 0 ? -1 : 1;
  HWY_ALIGN T best[kColumns];
  HWY_ALIGN std::int64_t places[kColumns];
  std::copy_n(x, width, best);
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t position = first + i * next;
    for (std::int64_t j = 0; j < width; ++j) {
      const T value = x[i * step + j];
      const bool stays = i > 0 && scalar_math::beats<maximum>(best[j], value);
      best[j] = stays ? best[j] : value;
      places[j] = stays ? places[j] : position;
      y[i * step + j] = best[j];
      indices[i * step + j] = places[j];
    }
  }
}
/// The same of one line.
template <class T, bool maximum>
HWY_NOINLINE void extreme_line(const T* x, T* y, std::int64_t* indices, std::int64_t n, std::int64_t step,
                               std::int64_t first) {
  T best = x[0];
  std::int64_t place = first;
  for (std::int64_t i = 0; i < n; ++i) {
    const T value = x[i * step];
    if (!scalar_math::beats<maximum>(best, value)) best = value, place = first + i * step;
    y[i * step] = best;
    indices[i * step] = place;
  }
}

// ---- calls --------------------------------------------------------------------------------------

/// Calls body(offset of the first element, width) for neighbouring lines, by threads.
template <class Body>
void for_lines(const Scan& call, const Body& body) {
  const std::int64_t blocks = (call.inner + kColumns - 1) / kColumns, last = call.reverse ? (call.n - 1) * call.inner : 0;
  parallel_for(call.outer * blocks, call.n * std::min(call.inner, kColumns), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      const std::int64_t outer = b / blocks, column = b % blocks * kColumns;
      body(outer * call.n * call.inner + last + column, std::min(kColumns, call.inner - column));
    }
  });
}

template <class T>
void sum_scan(const Scan& call, const T* x, T* y) {
  if (call.inner != 1) {
    const std::int64_t step = call.reverse ? -call.inner : call.inner;
    return for_lines(call,
                     [&](std::int64_t at, std::int64_t width) { sum_columns(x + at, y + at, call.n, step, width); });
  }
  const auto line = [&](std::int64_t o) {
    const std::int64_t at = o * call.n;
    call.reverse ? sum_line<T, true>(x + at, y + at, call.n) : sum_line<T, false>(x + at, y + at, call.n);
  };
  // Few long lines are parted themselves; a loop within a loop's body stays on its thread.
  if (call.outer < num_threads() && call.n >= kForkWork) {
    for (std::int64_t o = 0; o < call.outer; ++o) line(o);
    return;
  }
  parallel_for(call.outer, call.n, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t o = begin; o < end; ++o) line(o);
  });
}

template <class R, class T>
void fold_scan(const Scan& call, const T* x, T* y) {
  const std::int64_t step = call.reverse ? -call.inner : call.inner;
  for_lines(call, [&](std::int64_t at, std::int64_t width) {
    call.inner == 1 ? fold_line<R>(x + at, y + at, call.n, step) : fold_columns<R>(x + at, y + at, call.n, step, width);
  });
}

template <class T, bool maximum>
void extreme_scan(const Scan& call, const T* x, T* y) {
  auto* const indices = static_cast<std::int64_t*>(call.indices.data);
  const std::int64_t step = call.reverse ? -call.inner : call.inner, first = call.reverse ? call.n - 1 : 0;
  for_lines(call, [&](std::int64_t at, std::int64_t width) {
    if (call.inner == 1)
      extreme_line<T, maximum>(x + at, y + at, indices + at, call.n, step, first);
    else
      extreme_columns<T, maximum>(x + at, y + at, indices + at, call.n, step, width, first);
  });
}

template <class T>
void scan_as(const Scan& call) {
  const T* const x = static_cast<const T*>(call.in.data);
  T* const y = static_cast<T*>(call.out.data);
  switch (call.op) {
    case ScanOp::Sum:
      if constexpr (sizeof(T) == 8 || scalar_math::kFloating<T>) sum_scan(call, x, y);
      return;
    case ScanOp::Prod:
      if constexpr (sizeof(T) == 8 || scalar_math::kFloating<T>) fold_scan<scalar_math::Product<T>>(call, x, y);
      return;
    case ScanOp::Max: return extreme_scan<T, true>(call, x, y);
    case ScanOp::Min: return extreme_scan<T, false>(call, x, y);
    case ScanOp::LogSumExp:
      if constexpr (scalar_math::kFloating<T>) fold_scan<scalar_math::LogSumExp<T>>(call, x, y);
      return;
  }
}

void scan(const Scan& call) {
  with_dtype(call.in.dtype, [&]<class T>() {
    if constexpr (!std::is_same_v<T, bool>) scan_as<T>(call);
  });
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {
HWY_EXPORT(scan);
void run(const Scan& call) { HWY_DYNAMIC_DISPATCH(scan)(call); }
}  // namespace luge::cpu
#endif
