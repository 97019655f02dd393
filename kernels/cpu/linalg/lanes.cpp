// Small matrices in lanes: W of them are laid side by side, element by element, and each lane of a vector computes one.
#include "../targets.h"
#undef HWY_TARGET_INCLUDE
// clang-format off
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(linalg/lanes.cpp)
// clang-format on
#include <hwy/foreach_target.h>

#include "../vector.h"

#include <luge/base/detail/dispatch.h>
#include <luge/math/factor.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "../scratch.h"
#include "../threads.h"
#include "lanes.h"

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

/// Matrices of a group.
template <class T>
constexpr auto kWide = static_cast<std::int64_t>(kLanes<T>);

/// A vector of matrices, whose element (i, j) is kWide numbers.
template <class T>
struct LaneMatrix {
  using Value = Vec<T>;
  T* data;
  std::int64_t row, column;

  HWY_INLINE T* at(std::int64_t i, std::int64_t j) const { return data + (i * row + j * column) * kWide<T>; }
  HWY_INLINE Vec<T> get(std::int64_t i, std::int64_t j) const { return load(static_cast<const T*>(at(i, j))); }
  HWY_INLINE void put(std::int64_t i, std::int64_t j, Vec<T> value) const { store(at(i, j), value); }
  HWY_INLINE LaneMatrix transposed() const { return {data, column, row}; }
};

template <class T>
struct LaneRow {
  using Value = Vec<T>;
  T* data;

  HWY_INLINE Vec<T> get(std::int64_t i) const { return load(static_cast<const T*>(data + i * kWide<T>)); }
  HWY_INLINE void put(std::int64_t i, Vec<T> value) const { store(data + i * kWide<T>, value); }
};

// ---- in and out of lanes ------------------------------------------------------------------------

/// Up to kWide matrices of an operand.
template <class T>
struct Group {
  T* lanes[static_cast<std::size_t>(kWide<T>)];  ///< the matrix of each lane; beyond the last the last one again
  std::int64_t count, row;

  Group(const Operand& operand, std::int64_t first, std::int64_t n) : count(n), row(operand.strides[1]) {
    for (std::int64_t l = 0; l < kWide<T>; ++l)
      lanes[l] = static_cast<T*>(operand.data) + (first + std::min(l, n - 1)) * operand.strides[0];
  }
};

#if HWY_TARGET == HWY_SCALAR

template <class T>
void gather_run(const Group<T>& from, std::int64_t offset, std::int64_t n, T* to) {
  std::copy_n(from.lanes[0] + offset, n, to);
}
template <class T>
void scatter_run(const T* from, std::int64_t offset, std::int64_t n, const Group<T>& to) {
  std::copy_n(from, n, to.lanes[0] + offset);
}

#else

/// Elements of 16 bytes: so many lanes are transposed at a time.
template <class T>
constexpr auto kQuad = static_cast<std::int64_t>(16 / sizeof(T));

/// kQuad rows of kQuad elements become columns.
template <class T>
HWY_INLINE void turn_quad(const T* const* from, std::int64_t from_offset, T* const* to, std::int64_t to_offset) {
  const hn::CappedTag<T, static_cast<std::size_t>(16 / sizeof(T))> d;
  const auto x = hn::LoadU(d, from[0] + from_offset), y = hn::LoadU(d, from[1] + from_offset);
  if constexpr (sizeof(T) == 8) {
    hn::StoreU(hn::InterleaveLower(d, x, y), d, to[0] + to_offset);
    hn::StoreU(hn::InterleaveUpper(d, x, y), d, to[1] + to_offset);
  } else {
    const auto z = hn::LoadU(d, from[2] + from_offset), w = hn::LoadU(d, from[3] + from_offset);
    const auto low_even = hn::InterleaveLower(d, x, z), low_odd = hn::InterleaveLower(d, y, w),
               high_even = hn::InterleaveUpper(d, x, z), high_odd = hn::InterleaveUpper(d, y, w);
    hn::StoreU(hn::InterleaveLower(d, low_even, low_odd), d, to[0] + to_offset);
    hn::StoreU(hn::InterleaveUpper(d, low_even, low_odd), d, to[1] + to_offset);
    hn::StoreU(hn::InterleaveLower(d, high_even, high_odd), d, to[2] + to_offset);
    hn::StoreU(hn::InterleaveUpper(d, high_even, high_odd), d, to[3] + to_offset);
  }
}

/// n elements that lie one behind the other in every matrix.
template <class T>
HWY_NOINLINE void gather_run(const Group<T>& from, std::int64_t offset, std::int64_t n, T* to) {
  std::int64_t q = 0;
  for (; q + kQuad<T> <= n; q += kQuad<T>) {
    T* rows[static_cast<std::size_t>(kQuad<T>)];
    for (std::int64_t r = 0; r < kQuad<T>; ++r) rows[r] = to + (q + r) * kWide<T>;
    for (std::int64_t l = 0; l < kWide<T>; l += kQuad<T>) turn_quad<T>(from.lanes + l, offset + q, rows, l);
  }
  for (; q < n; ++q)
    for (std::int64_t l = 0; l < kWide<T>; ++l) to[q * kWide<T> + l] = from.lanes[l][offset + q];
}

template <class T>
HWY_NOINLINE void scatter_run(const T* from, std::int64_t offset, std::int64_t n, const Group<T>& to) {
  std::int64_t q = 0;
  if (to.count == kWide<T>)
    for (; q + kQuad<T> <= n; q += kQuad<T>) {
      const T* rows[static_cast<std::size_t>(kQuad<T>)];
      for (std::int64_t r = 0; r < kQuad<T>; ++r) rows[r] = from + (q + r) * kWide<T>;
      for (std::int64_t l = 0; l < kWide<T>; l += kQuad<T>) turn_quad<T>(rows, l, to.lanes + l, offset + q);
    }
  for (; q < n; ++q)
    for (std::int64_t l = 0; l < to.count; ++l) to.lanes[l][offset + q] = from[q * kWide<T> + l];
}

#endif

/// `to` is kWide matrices of m x n without gaps.
template <class T>
void gather(const Group<T>& from, std::int64_t m, std::int64_t n, T* to) {
  if (from.row == n) return gather_run(from, 0, m * n, to);
  for (std::int64_t i = 0; i < m; ++i) gather_run(from, i * from.row, n, to + i * n * kWide<T>);
}
template <class T>
void scatter(const T* from, std::int64_t m, std::int64_t n, const Group<T>& to) {
  if (to.row == n) return scatter_run(from, 0, m * n, to);
  for (std::int64_t i = 0; i < m; ++i) scatter_run(from + i * n * kWide<T>, i * to.row, n, to);
}

/// The numbers of the lanes as whole ones, `more` added.
template <class T, class I>
void put_whole(Vec<T> numbers, std::int64_t count, const Operand& to, std::int64_t first, std::int64_t offset, I more) {
  HWY_ALIGN T lanes[static_cast<std::size_t>(kWide<T>)];
  store(lanes, numbers);
  for (std::int64_t l = 0; l < count; ++l)
    static_cast<I*>(to.data)[(first + l) * to.strides[0] + offset] = static_cast<I>(static_cast<I>(lanes[l]) + more);
}

// ---- kinds --------------------------------------------------------------------------------------

template <class T>
HWY_NOINLINE void cholesky_group(const Factorize& call, std::int64_t first, std::int64_t count, T* a) {
  const std::int64_t n = call.n;
  gather(Group<T>(call.in, first, count), n, n, a);
  const LaneMatrix<T> rows{a, n, 1}, lower = call.upper ? rows.transposed() : rows;
  const Vec<T> info = scalar_math::cholesky(scalar_math::Alone(), static_cast<int>(n), lower);
  const Mask<T> failed = info != Vec<T>(0.0);
  const Vec<T> nan(std::numeric_limits<double>::quiet_NaN());
  const Vec<T> zero = select(failed, nan, Vec<T>(0.0));
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = i + 1; j < n; ++j) lower.put(i, j, zero);
  if (any(failed))
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = 0; j <= i; ++j) lower.put(i, j, select(failed, nan, lower.get(i, j)));
  scatter(static_cast<const T*>(a), n, n, Group<T>(call.out, first, count));
  put_whole<T, std::int32_t>(info, count, call.info, first, 0, 0);
}

template <class T>
HWY_NOINLINE void lu_group(const Factorize& call, std::int64_t first, std::int64_t count, T* a) {
  const std::int64_t m = call.m, n = call.n, steps = std::min(m, n);
  gather(Group<T>(call.in, first, count), m, n, a);
  const LaneRow<T> pivots{a + m * n * kWide<T>}, order{pivots.data + steps * kWide<T>};
  for (std::int64_t i = 0; i < m; ++i) order.put(i, Vec<T>(static_cast<double>(i)));
  const Vec<T> info = scalar_math::lu(scalar_math::Alone(), static_cast<int>(m), static_cast<int>(n),
                                      LaneMatrix<T>{a, n, 1}, pivots, order);
  scatter(static_cast<const T*>(a), m, n, Group<T>(call.out, first, count));
  for (std::int64_t i = 0; i < steps; ++i)
    put_whole<T, std::int32_t>(pivots.get(i), count, call.pivots, first, i, 1);
  if (call.order.is_memory())
    for (std::int64_t i = 0; i < m; ++i) put_whole<T, std::int64_t>(order.get(i), count, call.order, first, i, 0);
  put_whole<T, std::int32_t>(info, count, call.info, first, 0, 0);
}

/// Rows of each lane's x (n, columns) in the lane's order, or back from it, by way of `y`, which is as large.
template <class T>
HWY_NOINLINE void order_rows(const Operand& order, std::int64_t first, std::int64_t count, std::int64_t n,
                             std::int64_t columns, bool back, const T* x, T* y) {
  for (std::int64_t l = 0; l < kWide<T>; ++l) {
    const auto* const own = static_cast<const std::int64_t*>(order.data) + (first + std::min(l, count - 1)) * order.strides[0];
    for (std::int64_t i = 0; i < n; ++i) {
      const T* const from = x + (back ? i : own[i]) * columns * kWide<T> + l;
      T* const to = y + (back ? own[i] : i) * columns * kWide<T> + l;
      for (std::int64_t c = 0; c < columns; ++c) to[c * kWide<T>] = from[c * kWide<T>];
    }
  }
}

/// x becomes op(a)^-1 x for a triangle of a.
template <class T>
HWY_INLINE void solve_lanes(const Factorize& call, LaneMatrix<T> a, bool upper, bool transposed, bool unit, LaneMatrix<T> x) {
  scalar_math::solve_triangular(scalar_math::Alone(), static_cast<int>(call.n), static_cast<int>(call.k),
                                transposed ? a.transposed() : a, upper != transposed, unit, x);
}

template <class T>
HWY_NOINLINE void solve_group(const Factorize& call, std::int64_t first, std::int64_t count, T* a) {
  const std::int64_t n = call.n, rows = call.right ? call.k : n, columns = call.right ? n : call.k;
  T *x = a + n * n * kWide<T>, *other = x + rows * columns * kWide<T>;
  gather(Group<T>(call.in, first, count), n, n, a);
  gather(Group<T>(call.b, first, count), rows, columns, x);
  const LaneMatrix<T> matrix{a, n, 1};
  const auto reorder = [&](bool back) {
    order_rows(call.order, first, count, n, columns, back, static_cast<const T*>(x), other);
    std::swap(x, other);
  };
  const auto solve = [&](bool upper, bool transposed, bool unit) {
    const LaneMatrix<T> sides{x, columns, 1};
    solve_lanes(call, matrix, upper, transposed, unit, call.right ? sides.transposed() : sides);
  };
  if (!call.complete) {
    solve(call.upper, call.transposed != call.right, call.unit);  // x a = b is a^T x^T = b^T
  } else if (!call.order.is_memory()) {
    solve(call.upper, call.upper, false);
    solve(call.upper, !call.upper, false);
  } else if (call.transposed) {
    solve(true, true, false);
    solve(false, true, true);
    reorder(true);
  } else {
    reorder(false);
    solve(false, false, true);
    solve(true, false, false);
  }
  scatter(static_cast<const T*>(x), rows, columns, Group<T>(call.out, first, count));
  if (call.second.is_absent()) return;
  const std::int64_t one = n * columns * kWide<T>;
  T *const solution = x + one, *const to_factor = solution + 3 * one;
  gather(Group<T>(call.third, first, count), n, columns, solution);
  const LaneMatrix<T> out{to_factor, n, 1};
  scalar_math::cholesky_solve_gradient(scalar_math::Alone(), static_cast<int>(n), static_cast<int>(columns),
                                       call.upper ? matrix.transposed() : matrix, LaneMatrix<T>{x, columns, 1},
                                       LaneMatrix<T>{solution, columns, 1}, LaneMatrix<T>{solution + one, columns, 1},
                                       LaneMatrix<T>{solution + 2 * one, columns, 1}, call.upper ? out.transposed() : out);
  scatter(static_cast<const T*>(to_factor), n, n, Group<T>(call.second, first, count));
}

template <class T>
HWY_NOINLINE void cholesky_gradient_group(const Factorize& call, std::int64_t first, std::int64_t count, T* a) {
  const std::int64_t n = call.n;
  T* const to_factor = a + n * n * kWide<T>;
  gather(Group<T>(call.in, first, count), n, n, a);
  gather(Group<T>(call.b, first, count), n, n, to_factor);
  const LaneMatrix<T> factor{a, n, 1}, gradient{to_factor, n, 1};
  const LaneMatrix<T> lower = call.upper ? gradient.transposed() : gradient;
  scalar_math::cholesky_gradient(scalar_math::Alone(), static_cast<int>(n), call.upper ? factor.transposed() : factor, lower);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < i; ++j) {
      const Vec<T> half = Vec<T>(0.5) * lower.get(i, j);
      lower.put(i, j, half);
      lower.put(j, i, half);
    }
  scatter(static_cast<const T*>(to_factor), n, n, Group<T>(call.out, first, count));
}

template <class T>
void lanes_as(const Factorize& call) {
  const std::int64_t groups = (call.batch + kWide<T> - 1) / kWide<T>, most = std::max(call.m, call.n);
  const auto work = static_cast<std::int64_t>(call.flops() / static_cast<double>(call.batch)) + most * most;
  parallel_for(groups, std::max<std::int64_t>(work * kWide<T> / 8, 1), [&](std::int64_t begin, std::int64_t end) {
    Scratch<T> memory((2 * most * most + 4 * most * std::max(call.k, std::int64_t{1})) * kWide<T>);
    for (std::int64_t g = begin; g < end; ++g) {
      const std::int64_t first = g * kWide<T>, count = std::min(kWide<T>, call.batch - first);
      if (call.kind == Factorize::Kind::Cholesky && call.b.is_memory())
        cholesky_gradient_group(call, first, count, memory.data());
      else if (call.kind == Factorize::Kind::Cholesky)
        cholesky_group(call, first, count, memory.data());
      else if (call.kind == Factorize::Kind::Lu)
        lu_group(call, first, count, memory.data());
      else
        solve_group(call, first, count, memory.data());
    }
  });
}

void lanes(const Factorize& call) {
  with_floating(call.in.dtype, [&]<class T>() { return lanes_as<T>(call); });
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {
HWY_EXPORT(lanes);
void in_lanes(const Factorize& call) { HWY_DYNAMIC_DISPATCH(lanes)(call); }

bool suits_lanes(const Factorize& call) {
  switch (call.kind) {
    case Factorize::Kind::Cholesky: return call.n <= kLaneMatrix;
    case Factorize::Kind::Lu: return call.m <= kLaneMatrix && call.n <= kLaneMatrix;
    case Factorize::Kind::TriangularSolve: return call.n <= kLaneMatrix && call.k <= kLaneSides;
    case Factorize::Kind::RowOrder:
    case Factorize::Kind::Qr:
    case Factorize::Kind::Eigh:
    case Factorize::Kind::Svd: break;
  }
  return false;
}
}  // namespace luge::cpu
#endif
