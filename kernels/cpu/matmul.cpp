// Matrix products: chains of our own where a cache holds what is read again, OpenBLAS beyond. Which of the two computes
// a product depends on its own sizes and strides alone, and so does how OpenBLAS's products are split; a batch gives
// every member the bits it has alone, on any number of threads.

#include <algorithm>
#include <cstdint>
#include <optional>

#include <luge/base/detail/dispatch.h>

#include "kernels.h"
#include "matmul/blas.h"
#include "matmul/chains.h"
#include "matmul/fusion.h"
#include "scratch.h"
#include "threads.h"

namespace luge::cpu {

namespace {

/// A product for each member of a batch.
template <class T>
struct Products {
  Product<T> first;
  Extent batch;
  std::array<std::int64_t, kMaxDims> a, b, c, before, y;  ///< from one member to the next, by dimension of the batch

  void turn() {
    first = first.transposed();
    std::swap(a, b);
  }
  Product<T> member(std::int64_t i) const {
    Product<T> p = first;
    for (int d = batch.ndim - 1; d >= 0; --d) {
      const auto at = static_cast<std::size_t>(d);
      const std::int64_t index = i % batch.sizes[at];
      i /= batch.sizes[at];
      p.a.data += index * a[at];
      p.b.data += index * b[at];
      p.c.data += index * c[at];
      if (p.before.data) p.before.data += index * before[at];
      if (p.y.data) p.y.data += index * y[at];
    }
    return p;
  }
};

// ---- our own ------------------------------------------------------------------------------------

/// Terms of a chain: beyond, a panel of b leaves the second-level cache.
constexpr std::int64_t kMostTerms = 1024;
/// Elements of b, which every few rows of c read again.
constexpr std::int64_t kMostAgain = std::int64_t{1} << 19;
/// Terms from which on a library's inner products of contiguous rows and a vector pay.
constexpr std::int64_t kInnerTerms = 32;

template <class T>
bool suits_chains(const Product<T>& p) {
  const bool inner = p.n == 1 && p.a.column == 1 && p.k >= kInnerTerms;
  const bool inner_turned = p.m == 1 && p.b.row == 1 && p.k >= kInnerTerms;
  return p.k <= kMostTerms && p.k * p.n <= kMostAgain && !inner && !inner_turned;
}

/// Members that share b, and whose rows lie one below the other, are one product with more rows.
template <class T>
void join_members(Products<T>& all) {
  Product<T>& p = all.first;
  while (all.batch.ndim > 0) {
    const auto d = static_cast<std::size_t>(all.batch.ndim - 1);
    if (all.batch.sizes[d] > 1) {
      if (all.b[d] != 0) return;
      if (p.m == 1)
        p.a.row = all.a[d], p.c.row = all.c[d], p.before.row = all.before[d], p.y.row = all.y[d];
      else if (all.a[d] != p.m * p.a.row || all.c[d] != p.m * p.c.row ||
               (p.before.data && all.before[d] != p.m * p.before.row) || (p.y.data && all.y[d] != p.m * p.y.row))
        return;
      p.m *= all.batch.sizes[d];
    }
    --all.batch.ndim;
  }
}

/// Rows of c of one part. What a cache holds of b is read for each row; a thread's parts share no packed b with another's.
template <class T>
std::int64_t chain_rows(const Product<T>& p, std::int64_t panels) {
  constexpr std::int64_t kStep = 12, kLeast = 48, kKept = std::int64_t{1} << 17, kWork = std::int64_t{1} << 21,
                         kPacked = 256, kParts = 24;
  const std::int64_t most = p.n > kChainLanes ? kKept / p.k : kWork / (p.n * p.k), even = p.m * panels / kParts;
  const std::int64_t rows = p.b.column == 1 ? std::min(most, even) : std::max(most, kPacked);
  return std::max(rows, kLeast) / kStep * kStep;
}

template <class T>
void by_chains(Products<T> all) {
  join_members(all);
  const Product<T>& whole = all.first;
  const std::int64_t columns = std::min(kChainLanes, whole.n), across = (whole.n + columns - 1) / columns;
  const std::int64_t rows = std::min(chain_rows(whole, across * all.batch.count()), whole.m);
  const std::int64_t down = (whole.m + rows - 1) / rows;
  // Neighbours are one product, which packs b once.
  constexpr std::int64_t kNear = std::int64_t{1} << 20;
  const std::int64_t together = std::max<std::int64_t>(kNear / std::max<std::int64_t>(rows * whole.k, 1), 1);
  const std::int64_t work = std::max<std::int64_t>(rows * columns * whole.k / 8, 1);
  const std::int64_t wanted = chain_working(whole);
  parallel_for(all.batch.count() * across * down, work, [&](std::int64_t begin, std::int64_t end) {
    std::optional<Scratch<T>> working;
    if (wanted > 0) working.emplace(wanted);
    for (std::int64_t i = begin, next; i < end; i = next) {
      next = std::min({end, i - i % down + down, i + together});
      const std::int64_t row = i % down * rows, column = i / down % across * columns;
      Product<T> p = all.member(i / (across * down));
      p.m = std::min((next - i) * rows, whole.m - row);
      p.n = std::min(columns, whole.n - column);
      p.a.data += row * p.a.row;
      p.b.data += column * p.b.column;
      p.c.data += row * p.c.row + column * p.c.column;
      if (p.before.data) p.before.data += row * p.before.row + column * p.before.column;
      if (p.y.data) p.y.data += row * p.y.row + column * p.y.column;
      chain_product(p, working ? working->data() : nullptr);
    }
  });
}

// ---- OpenBLAS -----------------------------------------------------------------------------------

/// Multiplications that a part of a split product has at least.
constexpr std::int64_t kPartWork = std::int64_t{1} << 22;

/// Rows of c per part; a function of the sizes alone.
std::int64_t blas_rows(std::int64_t m, std::int64_t n, std::int64_t k) {
  constexpr std::int64_t kStep = 64;
  const std::int64_t least = (kPartWork / std::max<std::int64_t>(n * k, 1) + kStep) / kStep * kStep;
  return std::min(m, std::max(least, (m / 16 + kStep) / kStep * kStep));
}

template <class T>
void by_blas(const Products<T>& all) {
  const Product<T>& whole = all.first;
  const std::int64_t rows = blas_rows(whole.m, whole.n, whole.k), parts = (whole.m + rows - 1) / rows;
  const std::int64_t work = std::max<std::int64_t>(rows * whole.n * whole.k / 8, 1);
  parallel_for(all.batch.count() * parts, work, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t row = i % parts * rows;
      Product<T> p = all.member(i / parts);
      p.m = std::min(rows, whole.m - row);
      p.a.data += row * p.a.row;
      p.c.data += row * p.c.row;
      if (p.before.data) p.before = {p.c.data, p.c.row, p.c.column};
      blas_product(p);
    }
  });
}

/// The products of a call: the rows of c contiguous, or, of one column, the other way round where that is so.
template <class T>
Products<T> products_of(const MatMul& call, const ProductFusion& fusion) {
  const auto row = static_cast<std::size_t>(call.batch.ndim), column = row + 1;
  const auto readable = [&](const Operand& x) {
    return x.is_memory() ? Matrix<const T>{static_cast<const T*>(x.data), x.strides[row], x.strides[column]} : Matrix<const T>{};
  };
  const auto steps_of = [](const Operand& x) { return x.is_memory() ? x.strides : std::array<std::int64_t, kMaxDims>{}; };
  const Operand& before = fusion.before.is_absent() && call.store == Store::Accumulate ? call.c : fusion.before;
  Products<T> all{.first = {.m = call.m,
                            .n = call.n,
                            .k = call.k,
                            .a = readable(call.a),
                            .b = readable(call.b),
                            .c = {static_cast<T*>(call.c.data), call.c.strides[row], call.c.strides[column]},
                            .before = readable(before),
                            .epilogue = fusion.epilogue,
                            .y = readable(fusion.y)},
                  .batch = call.batch,
                  .a = call.a.strides,
                  .b = call.b.strides,
                  .c = call.c.strides,
                  .before = steps_of(before),
                  .y = steps_of(fusion.y)};
  const Product<T>& p = all.first;
  if (p.n == 1 ? p.m > 1 && p.c.row == 1 : p.c.column != 1) all.turn();
  return all;
}

}  // namespace

bool takes_fusion(const MatMul& call) {
  return with_floating(call.c.dtype, [&]<class T>() { return suits_chains(products_of<T>(call, {}).first); });
}

void run_fused(const MatMul& call, const ProductFusion& fusion) {
  with_floating(call.c.dtype, [&]<class T>() { by_chains(products_of<T>(call, fusion)); });
}

void run(const MatMul& call) {
  with_floating(call.c.dtype, [&]<class T>() {
    const Products<T> all = products_of<T>(call, {});
    suits_chains(all.first) ? by_chains(all) : by_blas(all);
  });
}

}  // namespace luge::cpu
