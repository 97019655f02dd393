// Factors of matrices, one by one: by a warp where they have at most 32 rows and columns, else by a block. A team works on
// copies in shared memory where those of all teams of a block fit, else in global memory.

#include <algorithm>

#include <luge/base/detail/dispatch.h>
#include <luge/math/factor.h>

#include "blocks.cuh"
#include "index.cuh"
#include "kernels.h"
#include "launch.h"

namespace luge::cuda {

namespace {

using Kind = Factorize::Kind;

/// Bytes of shared memory that every GPU has for a block without being asked.
constexpr std::int64_t kShared = 48 << 10;

// ---- teams and matrices -------------------------------------------------------------------------

struct WarpThreads : WarpTeam {
  __device__ static int size() { return kWarp; }
  __device__ static void sync() { __syncwarp(); }
  __device__ static bool any(bool some) { return __any_sync(kWholeWarp, some ? 1 : 0) != 0; }
};

struct BlockThreads : BlockTeam {
  __device__ static int size() { return kThreads; }
  __device__ static void sync() { __syncthreads(); }
  __device__ static bool any(bool some) { return __syncthreads_or(some ? 1 : 0) != 0; }
};

template <class T>
struct Entries {
  using Value = std::remove_const_t<T>;
  T* data;
  std::int64_t row, column;

  __device__ T* at(std::int64_t i, std::int64_t j) const { return data + i * row + j * column; }
  __device__ Value get(int i, int j) const { return *at(i, j); }
  __device__ void put(int i, int j, Value value) const { *at(i, j) = value; }
  __device__ Entries transposed() const { return {data, column, row}; }
};

template <class T>
struct Line {
  using Value = std::remove_const_t<T>;
  T* data;

  __device__ Value get(int i) const { return data[i]; }
  __device__ void put(int i, Value value) const { data[i] = value; }
};

/// An operand: the distances of its matrices and of their rows. Without memory it is null.
template <class T>
struct Batch {
  T* data;
  std::int64_t matrix, row;

  explicit Batch(const Operand& operand)
      : data(operand.is_memory() ? static_cast<T*>(operand.data) : nullptr),
        matrix(operand.strides[0]),
        row(operand.strides[1]) {}
  __device__ Entries<T> entries(std::int64_t i) const { return {data + i * matrix, row, 1}; }
  __device__ Line<T> line(std::int64_t i) const { return {data + i * matrix}; }
};

/// A call as a kernel gets it.
template <class T>
struct Job {
  bool upper, transposed, unit, right, complete;
  std::int64_t count;
  int m, n, k;
  Batch<const T> in, b;
  Batch<T> out, second, third;
  Batch<std::int32_t> pivots;
  Batch<std::int64_t> order;
  Batch<std::int32_t> info;
  T epsilon;

  explicit Job(const Factorize& call)
      : upper(call.upper),
        transposed(call.transposed),
        unit(call.unit),
        right(call.right),
        complete(call.complete),
        count(call.batch),
        m(static_cast<int>(call.m)),
        n(static_cast<int>(call.n)),
        k(static_cast<int>(call.k)),
        in(call.in),
        b(call.b),
        out(call.out),
        second(call.second),
        third(call.third),
        pivots(call.pivots),
        order(call.order),
        info(call.info),
        epsilon(std::numeric_limits<T>::epsilon()) {}
};

/// Rows begin in different banks of shared memory.
__host__ __device__ constexpr int padded(int columns) { return columns | 1; }

/// Numbers that a team works with for a matrix.
template <class T>
std::int64_t working_numbers(Kind kind, const Job<T>& job) {
  const std::int64_t m = job.m, n = job.n, less = std::min(m, n), more = std::max(m, n);
  switch (kind) {
    case Kind::Cholesky: return n * padded(job.n) * (job.b.data ? 2 : 1);
    case Kind::TriangularSolve:
      return n * padded(job.n) + (job.order.data && job.transposed ? n * (more <= kWarp ? kWarp : kThreads) : 0) +
             (job.second.data ? 2 * n * job.k : 0);
    case Kind::Lu: return m * padded(job.n) + less + m;
    case Kind::Qr: return m * padded(job.n) + less;
    case Kind::Eigh: return n * padded(job.n) * (job.second.data ? 2 : 1) + 2 * n + 2;
    case Kind::Svd: return (more + (job.second.data ? less : 0)) * padded(static_cast<int>(less)) + 2 * less;
    case Kind::RowOrder: break;
  }
  return 0;
}

template <class Team, class From, class T>
__device__ void copy_entries(const Team& team, int m, int n, const From& from, Entries<T> to) {
  const int count = m * n;
  for (int at = team.rank(); at < count; at += team.size()) to.put(at / n, at % n, from.get(at / n, at % n));
}

template <class Team, class T>
__device__ void fill_entries(const Team& team, int m, int n, T value, const Entries<T>& to) {
  const int count = m * n;
  for (int at = team.rank(); at < count; at += team.size()) to.put(at / n, at % n, value);
}

/// The places of n numbers in order; equal ones stay as they stand. By one thread each.
template <class Team, class T>
__device__ void rank_numbers(const Team& team, int n, const Line<T>& numbers, bool descending, const Line<T>& places) {
  for (int i = team.rank(); i < n; i += team.size()) {
    int before = 0;
    const T own = numbers.get(i);
    for (int j = 0; j < n; ++j) {
      const T other = numbers.get(j);
      if ((descending ? other > own : other < own) || (other == own && j < i)) ++before;
    }
    places.put(i, static_cast<T>(before));
  }
}

// ---- a matrix of each kind ----------------------------------------------------------------------

template <class Team, class T>
__device__ int cholesky(const Team& team, const Job<T>& job, std::int64_t matrix, T* memory) {
  const Entries<T> a{memory, padded(job.n), 1}, out = job.out.entries(matrix);
  const Entries<const T> in = job.in.entries(matrix);
  copy_entries(team, job.n, job.n, job.upper ? in.transposed() : in, a);
  team.sync();
  const T info = math::scalar::cholesky(team, job.n, a);
  const T nan = std::numeric_limits<T>::quiet_NaN();
  const Entries<T> lower = job.upper ? out.transposed() : out;
  for (int at = team.rank(); at < job.n * job.n; at += team.size()) {
    const int i = at / job.n, j = at % job.n;
    lower.put(i, j, info != T(0) ? nan : j > i ? T(0) : a.get(i, j));
  }
  return static_cast<int>(info);
}

template <class Team, class T>
__device__ int lu(const Team& team, const Job<T>& job, std::int64_t matrix, T* memory) {
  const int less = job.m < job.n ? job.m : job.n;
  const Entries<T> a{memory, padded(job.n), 1};
  const Line<T> pivots{memory + static_cast<std::int64_t>(job.m) * padded(job.n)}, order{pivots.data + less};
  copy_entries(team, job.m, job.n, job.in.entries(matrix), a);
  for (int i = team.rank(); i < job.m; i += team.size()) order.put(i, static_cast<T>(i));
  team.sync();
  const T info = math::scalar::lu(team, job.m, job.n, a, pivots, order);
  copy_entries(team, job.m, job.n, a, job.out.entries(matrix));
  for (int i = team.rank(); i < less; i += team.size())
    job.pivots.line(matrix).put(i, static_cast<std::int32_t>(pivots.get(i)) + 1);
  if (job.order.data)
    for (int i = team.rank(); i < job.m; i += team.size())
      job.order.line(matrix).put(i, static_cast<std::int64_t>(order.get(i)));
  return static_cast<int>(info);
}

/// x becomes op(a)^-1 x for a triangle of a.
template <class Team, class T>
__device__ void solve_triangle(const Team& team, const Job<T>& job, const Entries<T>& a, bool upper, bool transposed,
                               bool unit, const Entries<T>& x) {
  math::scalar::solve_triangular(team, job.n, job.k, transposed ? a.transposed() : a, upper != transposed, unit, x);
}

template <class Team, class T>
__device__ int solve(const Team& team, const Job<T>& job, std::int64_t matrix, T* memory) {
  const Entries<T> a{memory, padded(job.n), 1};
  const Entries<const T> in = job.in.entries(matrix), b = job.b.entries(matrix);
  const Entries<T> out = job.out.entries(matrix), x = job.right ? out.transposed() : out;
  const Entries<const T> sides = job.right ? b.transposed() : b;
  copy_entries(team, job.n, job.n, in, a);
  const std::int64_t* const order = job.order.data ? job.order.line(matrix).data : nullptr;
  const bool before = order && !job.transposed, behind = order && job.transposed;
  for (int c = team.rank(); c < job.k; c += team.size())
    for (int i = 0; i < job.n; ++i) x.put(i, c, sides.get(before ? static_cast<int>(order[i]) : i, c));
  team.sync();
  // A column of x is its thread's own: nobody waits between two triangles.
  if (!job.complete) {
    solve_triangle(team, job, a, job.upper, job.transposed != job.right, job.unit, x);  // x a = b is a^T x^T = b^T
  } else if (!order) {
    solve_triangle(team, job, a, job.upper, job.upper, false, x);
    solve_triangle(team, job, a, job.upper, !job.upper, false, x);
  } else {
    solve_triangle(team, job, a, job.transposed, job.transposed, !job.transposed, x);
    solve_triangle(team, job, a, !job.transposed, job.transposed, job.transposed, x);
  }
  if (job.second.data) {
    const Entries<T> ls{memory + static_cast<std::int64_t>(job.n) * padded(job.n), job.k, 1},
        lx{ls.data + static_cast<std::int64_t>(job.n) * job.k, job.k, 1}, to_factor = job.second.entries(matrix);
    team.sync();
    math::scalar::cholesky_solve_gradient(team, job.n, job.k, job.upper ? a.transposed() : a, x, job.third.entries(matrix),
                                          ls, lx, job.upper ? to_factor.transposed() : to_factor);
  }
  if (!behind) return 0;
  // A column is its thread's own, and so are the n numbers behind the matrix that it passes through.
  const Line<T> column{memory + static_cast<std::int64_t>(job.n) * padded(job.n) + static_cast<std::int64_t>(team.rank()) * job.n};
  for (int c = team.rank(); c < job.k; c += team.size()) {
    for (int i = 0; i < job.n; ++i) column.put(i, x.get(i, c));
    for (int i = 0; i < job.n; ++i) x.put(static_cast<int>(order[i]), c, column.get(i));
  }
  return 0;
}

template <class Team, class T>
__device__ int cholesky_gradient(const Team& team, const Job<T>& job, std::int64_t matrix, T* memory) {
  const int n = job.n, row = padded(n);
  const Entries<T> a{memory, row, 1}, gradient{memory + static_cast<std::int64_t>(n) * row, row, 1};
  const Entries<const T> in = job.in.entries(matrix), b = job.b.entries(matrix);
  copy_entries(team, n, n, job.upper ? in.transposed() : in, a);
  copy_entries(team, n, n, job.upper ? b.transposed() : b, gradient);
  team.sync();
  math::scalar::cholesky_gradient(team, n, a, gradient);
  const Entries<T> out = job.out.entries(matrix);
  for (int at = team.rank(); at < n * n; at += team.size()) {
    const int i = at / n, j = at % n, low = i < j ? i : j, high = i < j ? j : i;
    out.put(i, j, (i == j ? T(1) : T(0.5)) * gradient.get(high, low));
  }
  return 0;
}

template <class Team, class T>
__device__ int qr(const Team& team, const Job<T>& job, std::int64_t matrix, T* memory) {
  const int m = job.m, n = job.n, less = m < n ? m : n, c = job.complete ? m : less;
  const Entries<T> a{memory, padded(n), 1};
  const Line<T> taus{memory + static_cast<std::int64_t>(m) * padded(n)};
  copy_entries(team, m, n, job.in.entries(matrix), a);
  team.sync();
  math::scalar::reflect(team, m, n, a, taus);
  const Entries<T> r = job.second.entries(matrix);
  for (int at = team.rank(); at < c * n; at += team.size())
    r.put(at / n, at % n, at % n < at / n ? T(0) : a.get(at / n, at % n));
  if (job.out.data) math::scalar::reflected_unit(team, m, less, c, a, taus, job.out.entries(matrix));
  return 0;
}

template <class Team, class T>
__device__ int eigh(const Team& team, const Job<T>& job, std::int64_t matrix, T* memory) {
  const int n = job.n, vectors = job.second.data ? n : 0, row = padded(n);
  const Entries<T> a{memory, row, 1}, v{memory + (vectors ? static_cast<std::int64_t>(n) * row : 0), row, 1};
  const Line<T> turns{memory + static_cast<std::int64_t>(n) * row * (vectors ? 2 : 1)}, values{turns.data + n};
  const Entries<const T> in = job.in.entries(matrix);
  for (int at = team.rank(); at < n * n; at += team.size()) {
    const int i = at / n, j = at % n, low = i < j ? i : j, high = i < j ? j : i;
    a.put(i, j, job.upper ? in.get(low, high) : in.get(high, low));
  }
  team.sync();
  const bool found = math::scalar::jacobi_eigh(team, n, vectors, job.epsilon, a, v, turns);
  const T nan = std::numeric_limits<T>::quiet_NaN();
  team.sync();
  for (int i = team.rank(); i < n; i += team.size()) values.put(i, found ? a.get(i, i) : nan);
  team.sync();
  // Where a value goes is kept in the rotations' memory, which has done its work.
  if (found) rank_numbers(team, n, values, false, turns);
  team.sync();
  for (int i = team.rank(); i < n; i += team.size())
    job.out.line(matrix).put(found ? static_cast<int>(turns.get(i)) : i, values.get(i));
  if (vectors)
    for (int at = team.rank(); at < n * n; at += team.size()) {
      const int i = at / n, j = at % n;
      job.second.entries(matrix).put(i, found ? static_cast<int>(turns.get(j)) : j, found ? v.get(i, j) : nan);
    }
  return found ? 0 : 1;
}

/// A wide matrix by its transpose, whose left vectors are its right ones.
template <class Team, class T>
__device__ int svd(const Team& team, const Job<T>& job, std::int64_t matrix, T* memory) {
  const bool turned = job.m < job.n;
  const int m = turned ? job.n : job.m, n = turned ? job.m : job.n, row = padded(n);
  const bool wants_vectors = job.second.data != nullptr;
  const int vectors = wants_vectors ? n : 0;
  const Entries<T> u{memory, row, 1}, v{memory + static_cast<std::int64_t>(m) * row, row, 1};
  const Line<T> lengths{memory + static_cast<std::int64_t>(m + vectors) * row}, places{lengths.data + n};
  const Entries<const T> in = turned ? job.in.entries(matrix).transposed() : job.in.entries(matrix);
  // Scaled, so that squares neither overflow nor vanish.
  T largest = T(0), sum = T(0);
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      const T size = math::scalar::abs(in.get(i, j));
      largest = size > largest || size != size ? size : largest;
    }
  const T scale = largest > T(0) ? largest : T(1), nan = std::numeric_limits<T>::quiet_NaN();
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) sum = math::scalar::fma(in.get(i, j) / scale, in.get(i, j) / scale, sum);
  const T least = math::scalar::sqrt(sum) * job.epsilon * static_cast<T>(m);
  bool found = largest - largest == T(0);
  if (found) {
    for (int at = team.rank(); at < m * n; at += team.size()) u.put(at / n, at % n, in.get(at / n, at % n) / scale);
    team.sync();
    found = math::scalar::jacobi_svd(team, m, n, vectors, job.epsilon, least, u, v);
  }
  for (int j = team.rank(); j < n; j += team.size()) {
    T squares = T(0);
    for (int i = 0; found && i < m; ++i) squares = math::scalar::fma(u.get(i, j), u.get(i, j), squares);
    // No more than rounding: 0, so that no one divides by the length of a column whose direction means nothing.
    const T length = math::scalar::sqrt(squares);
    lengths.put(j, found ? (length > least ? length : T(0)) : nan);
  }
  team.sync();
  if (found) rank_numbers(team, n, lengths, true, places);
  team.sync();
  for (int j = team.rank(); j < n; j += team.size())
    job.out.line(matrix).put(found ? static_cast<int>(places.get(j)) : j, lengths.get(j) * scale);
  if (!wants_vectors) return found ? 0 : 1;
  // left (m, c or more) has the vectors that the columns of u point to, right^T those of v.
  const Entries<T> left = turned ? job.third.entries(matrix).transposed() : job.second.entries(matrix);
  const Entries<T> right = turned ? job.second.entries(matrix).transposed() : job.third.entries(matrix);
  const int columns = job.complete ? m : n;
  if (!found) {
    fill_entries(team, m, columns, nan, left);
    fill_entries(team, n, n, nan, right);
    return 1;
  }
  int known = 0;
  for (int j = 0; j < n; ++j) known += lengths.get(j) > least ? 1 : 0;
  for (int at = team.rank(); at < m * n; at += team.size()) {
    const int i = at / n, j = at % n, place = static_cast<int>(places.get(j));
    if (place < known) left.put(i, place, u.get(i, j) / lengths.get(j));
  }
  for (int at = team.rank(); at < n * n; at += team.size())
    right.put(static_cast<int>(places.get(at % n)), at / n, v.get(at / n, at % n));
  team.sync();
  for (int c = known; c < columns; ++c)
    if (team.rank() == 0) math::scalar::add_orthogonal(m, c, left);
  return 0;
}

/// Blocks that a multiprocessor should have room for, 0 for the compiler's choice: left to itself it keeps numbers of the
/// longer ones in memory.
template <Kind kind>
[[maybe_unused]] constexpr int kFactorBlocks = kind == Kind::Qr || kind == Kind::Eigh || kind == Kind::Svd ? 2 : 0;

template <Kind kind, class Team, class T>
__global__ void __launch_bounds__(kThreads, kFactorBlocks<kind>) factor_kernel(const Job<T> job, std::int64_t numbers, T* scratch) {
  LUGE_DYNAMIC_SHARED(T, shared);
  const Team team;
  const std::int64_t in_block = Team::kPerBlock == 1 ? 0 : threadIdx.x / kWarp;
  T* const memory = scratch ? scratch + Team::first() * numbers : shared + in_block * numbers;
  for (std::int64_t matrix = Team::first(); matrix < job.count; matrix += Team::step()) {
    int info = 0;
    if constexpr (kind == Kind::Cholesky)
      info = job.b.data ? cholesky_gradient(team, job, matrix, memory) : cholesky(team, job, matrix, memory);
    if constexpr (kind == Kind::Lu) info = lu(team, job, matrix, memory);
    if constexpr (kind == Kind::TriangularSolve) info = solve(team, job, matrix, memory);
    if constexpr (kind == Kind::Qr) info = qr(team, job, matrix, memory);
    if constexpr (kind == Kind::Eigh) info = eigh(team, job, matrix, memory);
    if constexpr (kind == Kind::Svd) info = svd(team, job, matrix, memory);
    if (team.rank() == 0 && job.info.data) job.info.line(matrix).put(0, info);
    team.sync();
  }
}

/// A thread per matrix. Pivots count from 1.
__global__ void __launch_bounds__(kThreads)
    row_order_kernel(const Batch<std::int32_t> pivots, const Batch<std::int64_t> order, std::int64_t count, std::int64_t m,
                     std::int64_t k) {
  for (std::int64_t matrix = grid_thread(); matrix < count; matrix += grid_threads()) {
    std::int64_t* const rows = order.line(matrix).data;
    for (std::int64_t i = 0; i < m; ++i) rows[i] = i;
    for (std::int64_t i = 0; i < k; ++i) {
      const std::int64_t other = pivots.line(matrix).data[i] - 1, own = rows[i];
      if (other < 0 || other >= m) continue;
      rows[i] = rows[other];
      rows[other] = own;
    }
  }
}

// ---- launch -------------------------------------------------------------------------------------

template <Kind kind, class Team, class T>
void launch_teams(const Context& context, const Job<T>& job) {
  const std::int64_t numbers = working_numbers(kind, job);
  const std::int64_t bytes = Team::kPerBlock * numbers * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t blocks = divide_up(job.count, Team::kPerBlock);
  const auto kernel = &factor_kernel<kind, Team, T>;
  if (bytes <= kShared)
    return launch(context, kernel, resident_grid(context, kernel, blocks, static_cast<std::size_t>(bytes)), job, numbers,
                  static_cast<T*>(nullptr));
  const Grid grid = resident_grid(context, kernel, blocks);
  const Scratch scratch(context, grid.blocks * bytes);
  launch(context, kernel, grid, job, numbers, scratch.as<T>());
}

template <Kind kind>
void factorize(const Context& context, const Factorize& call) {
  with_floating(call.in.dtype, [&]<class T>() {
    const Job<T> job(call);
    if (job.m <= kWarp && job.n <= kWarp)
      launch_teams<kind, WarpThreads>(context, job);
    else
      launch_teams<kind, BlockThreads>(context, job);
  });
}

}  // namespace

void run(const Context& context, const Factorize& call) {
  switch (call.kind) {
    case Kind::Cholesky: return factorize<Kind::Cholesky>(context, call);
    case Kind::Lu: return factorize<Kind::Lu>(context, call);
    case Kind::TriangularSolve: return factorize<Kind::TriangularSolve>(context, call);
    case Kind::Qr: return factorize<Kind::Qr>(context, call);
    case Kind::Eigh: return factorize<Kind::Eigh>(context, call);
    case Kind::Svd: return factorize<Kind::Svd>(context, call);
    case Kind::RowOrder:
      return launch(context, row_order_kernel, grid_stride(context, call.batch, kThreads), Batch<std::int32_t>(call.pivots),
                    Batch<std::int64_t>(call.order), call.batch, call.m, call.k);
  }
}

}  // namespace luge::cuda
