// Factorizations of small matrices, once for both backends. A team computes one matrix, or a vector V of matrices, each
// of which goes its own way: the CPU's team is one thread with a vector of matrices, a GPU's are the threads of a warp or
// a block with one matrix. A team has rank(), size(), and sync(), after which every thread sees what the others wrote.
// Matrices are objects with get(i, j) and put(i, j, value). Rows or columns that a thread owns are those of its rank.
//
// G. H. Golub and C. F. Van Loan, "Matrix Computations", 4th edition: 4.2 (Cholesky), 3.4 (partial pivoting), 3.1
// (triangular systems), 5.1 and 5.2 (Householder).
#include <luge/math/dialect.h>

// Teams of a GPU can only be called on the GPU.
#ifndef LUGE_TEAM_FN
#if defined(__CUDACC__)
#define LUGE_TEAM_FN __device__ inline
#else
#define LUGE_TEAM_FN LUGE_FN
#endif
#endif

#if defined(LUGE_MATH_FACTOR_H_) == defined(LUGE_TARGET_TOGGLE)
#ifdef LUGE_MATH_FACTOR_H_
#undef LUGE_MATH_FACTOR_H_
#else
#define LUGE_MATH_FACTOR_H_
#endif

LUGE_BEFORE_DIALECT
namespace luge::math::LUGE_DIALECT {

/// A team of one thread.
struct Alone {
  LUGE_TEAM_FN static constexpr int rank() { return 0; }
  LUGE_TEAM_FN static constexpr int size() { return 1; }
  LUGE_TEAM_FN static void sync() {}
};

/// The lower triangle of a becomes L with L L^T = a, whose lower triangle alone is read. Returns 0, or how many rows and
/// columns it takes for a matrix that is not positive definite.
template <class Team, class Matrix>
LUGE_TEAM_FN typename Matrix::Value cholesky(const Team& team, int n, Matrix a) {
  using V = typename Matrix::Value;
  V info(0.0);
  for (int j = 0; j < n; ++j) {
    for (int i = j + team.rank(); i < n; i += team.size()) {
      V rest = a.get(i, j);
      for (int p = 0; p < j; ++p) rest = fma(-a.get(i, p), a.get(j, p), rest);
      a.put(i, j, rest);
    }
    team.sync();
    const V square = a.get(j, j), root = sqrt(square), inverse = V(1.0) / root;
    info = select((info == V(0.0)) & !(square > V(0.0)), V(static_cast<double>(j + 1)), info);
    team.sync();
    for (int i = j + team.rank(); i < n; i += team.size()) a.put(i, j, i == j ? root : a.get(i, j) * inverse);
    team.sync();
  }
  return info;
}

/// a (m, n) becomes L and U of its rows in another order. pivots(i): the row, counted from 0, that row i changed places
/// with; order(i), which is i before: the row of a that is row i now. Returns 0, or the first pivot that is zero, counted
/// from 1.
template <class Team, class Matrix, class Row>
LUGE_TEAM_FN typename Matrix::Value lu(const Team& team, int m, int n, Matrix a, Row pivots, Row order) {
  using V = typename Matrix::Value;
  V info(0.0);
  const int steps = m < n ? m : n;
  for (int k = 0; k < steps; ++k) {
    V largest = abs(a.get(k, k)), where = V(static_cast<double>(k));
    for (int i = k + 1; i < m; ++i) {
      const V size = abs(a.get(i, k));
      const auto larger = size > largest;
      largest = select(larger, size, largest);
      where = select(larger, V(static_cast<double>(i)), where);
    }
    team.sync();
    for (int i = k + 1; i < m; ++i) {
      const auto swaps = where == V(static_cast<double>(i));
      if (!any(swaps)) continue;
      for (int j = team.rank(); j < n; j += team.size()) {
        const V upper = a.get(k, j), lower = a.get(i, j);
        a.put(k, j, select(swaps, lower, upper));
        a.put(i, j, select(swaps, upper, lower));
      }
      if (team.rank() != 0) continue;
      const V upper = order.get(k), lower = order.get(i);
      order.put(k, select(swaps, lower, upper));
      order.put(i, select(swaps, upper, lower));
    }
    if (team.rank() == 0) pivots.put(k, where);
    team.sync();
    const V pivot = a.get(k, k);
    const auto zero = pivot == V(0.0);
    info = select((info == V(0.0)) & zero, V(static_cast<double>(k + 1)), info);
    for (int i = k + 1 + team.rank(); i < m; i += team.size()) {
      const V below = a.get(i, k), factor = select(zero, below, below / pivot);
      a.put(i, k, factor);
      for (int j = k + 1; j < n; ++j) a.put(i, j, fma(-factor, a.get(k, j), a.get(i, j)));
    }
    team.sync();
  }
  return info;
}

/// order(i), which is i before, as lu() gives it for the pivots. By one thread.
template <class Row>
LUGE_TEAM_FN void order_of(int m, int steps, const Row& pivots, Row order) {
  using V = typename Row::Value;
  for (int k = 0; k < steps; ++k) {
    const V where = pivots.get(k);
    for (int i = 0; i < m; ++i) {
      const auto swaps = where == V(static_cast<double>(i));
      if (i == k || !any(swaps)) continue;
      const V upper = order.get(k), lower = order.get(i);
      order.put(k, select(swaps, lower, upper));
      order.put(i, select(swaps, upper, lower));
    }
  }
}

/// x (n, columns) becomes a^-1 x for a triangular a.
template <class Team, class Matrix, class Sides>
LUGE_TEAM_FN void solve_triangular(const Team& team, int n, int columns, const Matrix& a, bool upper, bool unit, Sides x) {
  using V = typename Matrix::Value;
  for (int step = 0; step < n; ++step) {
    const int i = upper ? n - 1 - step : step, begin = upper ? i + 1 : 0, end = upper ? n : i;
    const V inverse = unit ? V(1.0) : V(1.0) / a.get(i, i);
    for (int c = team.rank(); c < columns; c += team.size()) {
      V rest = x.get(i, c);
      for (int p = begin; p < end; ++p) rest = fma(-a.get(i, p), x.get(p, c), rest);
      x.put(i, c, unit ? rest : rest * inverse);
    }
  }
}

/// The lower triangle of g, the gradient of L, becomes that of the gradient of L L^T as if its lower triangle were all of
/// it: Murray, arXiv:1602.07527, the unblocked algorithm. Off the diagonal a symmetric gradient is half of that.
template <class Team, class Matrix>
LUGE_TEAM_FN void cholesky_gradient(const Team& team, int n, const Matrix& l, Matrix g) {
  using V = typename Matrix::Value;
  for (int j = n - 1; j >= 0; --j) {
    const V inverse = V(1.0) / l.get(j, j);
    V own = g.get(j, j);
    for (int i = j + 1; i < n; ++i) own = fma(-(l.get(i, j) * inverse), g.get(i, j), own);
    own = own * inverse;
    team.sync();
    for (int i = j + 1 + team.rank(); i < n; i += team.size()) g.put(i, j, g.get(i, j) * inverse);
    if (team.rank() == 0) g.put(j, j, V(0.5) * own);
    team.sync();
    for (int p = team.rank(); p < j; p += team.size()) {
      const V across = l.get(j, p);
      V rest = fma(-own, across, g.get(j, p));
      for (int i = j + 1; i < n; ++i) {
        const V below = g.get(i, j);
        rest = fma(-below, l.get(i, p), rest);
        g.put(i, p, fma(-below, across, g.get(i, p)));
      }
      g.put(j, p, rest);
    }
    team.sync();
  }
}

/// The gradient of L in x = (L L^T)^-1 b, s being that of b: -(s (L^T x)^T + x (L^T s)^T) on and below the diagonal. All of
/// them have k columns; lx and ls are memory for L^T x and L^T s.
template <class Team, class Matrix, class Sides, class Memory, class Out>
LUGE_TEAM_FN void cholesky_solve_gradient(const Team& team, int n, int k, const Matrix& l, const Sides& s, const Sides& x,
                                          Memory ls, Memory lx, Out out) {
  using V = typename Matrix::Value;
  for (int j = team.rank(); j < n; j += team.size())
    for (int c = 0; c < k; ++c) {
      V of_s(0.0), of_x(0.0);
      for (int i = j; i < n; ++i) {
        of_s = fma(l.get(i, j), s.get(i, c), of_s);
        of_x = fma(l.get(i, j), x.get(i, c), of_x);
      }
      ls.put(j, c, of_s);
      lx.put(j, c, of_x);
    }
  team.sync();
  for (int i = team.rank(); i < n; i += team.size())
    for (int j = 0; j < n; ++j) {
      V sum(0.0);
      for (int c = 0; j <= i && c < k; ++c) sum = fma(-x.get(i, c), ls.get(j, c), fma(-s.get(i, c), lx.get(j, c), sum));
      out.put(i, j, sum);
    }
}

// ---- Householder ---------------------------------------------------------------------------------

/// a (m, n), m and n from 1: R on and above the diagonal, below it the vectors of the reflections 1 - taus(k) v v^T, whose
/// element k is 1. Signs as LAPACK's: R's diagonal has the sign that the column's element has not.
template <class Team, class Matrix, class Row>
LUGE_TEAM_FN void reflect(const Team& team, int m, int n, Matrix a, Row taus) {
  using V = typename Matrix::Value;
  const int steps = m < n ? m : n;
  for (int k = 0; k < steps; ++k) {
    const V alpha = a.get(k, k);
    V largest(0.0), squares(0.0);
    for (int i = k + 1; i < m; ++i) {
      const V size = abs(a.get(i, k));
      largest = select(size > largest, size, largest);
    }
    const V scale = select(largest > V(0.0), largest, V(1.0));
    for (int i = k + 1; i < m; ++i) {
      const V part = a.get(i, k) / scale;
      squares = fma(part, part, squares);
    }
    const V size = abs(alpha) / scale, length = scale * sqrt(fma(size, size, squares));
    const auto still = squares == V(0.0);
    const V beta = select(still, alpha, select(alpha > V(0.0), -length, length));
    const V tau = select(still, V(0.0), (beta - alpha) / select(still, V(1.0), beta));
    const V factor = V(1.0) / select(still, V(1.0), alpha - beta);
    for (int j = k + 1 + team.rank(); j < n; j += team.size()) {
      V dot(0.0);
      for (int i = k + 1; i < m; ++i) dot = fma(a.get(i, k), a.get(i, j), dot);
      const V w = tau * fma(factor, dot, a.get(k, j));
      a.put(k, j, a.get(k, j) - w);
      const V step = -w * factor;
      for (int i = k + 1; i < m; ++i) a.put(i, j, fma(step, a.get(i, k), a.get(i, j)));
    }
    team.sync();
    for (int i = k + 1 + team.rank(); i < m; i += team.size()) a.put(i, k, a.get(i, k) * factor);
    if (team.rank() == 0) {
      a.put(k, k, beta);
      taus.put(k, tau);
    }
    team.sync();
  }
}

/// q (m, columns) becomes the first columns of the product of the reflections that reflect() left in a.
template <class Team, class Matrix, class Row, class Out>
LUGE_TEAM_FN void reflected_unit(const Team& team, int m, int steps, int columns, const Matrix& a, const Row& taus, Out q) {
  using V = typename Matrix::Value;
  for (int j = team.rank(); j < columns; j += team.size()) {
    for (int i = 0; i < m; ++i) q.put(i, j, V(i == j ? 1.0 : 0.0));
    for (int k = steps - 1; k >= 0; --k) {
      V dot = q.get(k, j);
      for (int i = k + 1; i < m; ++i) dot = fma(a.get(i, k), q.get(i, j), dot);
      const V w = taus.get(k) * dot;
      q.put(k, j, q.get(k, j) - w);
      for (int i = k + 1; i < m; ++i) q.put(i, j, fma(-w, a.get(i, k), q.get(i, j)));
    }
  }
  team.sync();
}

// ---- Jacobi, one matrix at a time ----------------------------------------------------------------

/// The pairs of a round robin of n players: in each of rounds() every player meets one other at most.
struct RoundRobin {
  int players;  ///< even
  LUGE_TEAM_FN explicit RoundRobin(int n) : players(n + n % 2) {}
  LUGE_TEAM_FN int rounds() const { return players - 1; }
  LUGE_TEAM_FN int pairs() const { return players / 2; }
  /// p < q; q may be the player that there is none of.
  LUGE_TEAM_FN void pair(int round, int index, int& p, int& q) const {
    const int others = players - 1;
    const int a = index == 0 ? others : (round + index) % others, b = (round - index + others) % others;
    p = a < b ? a : b;
    q = a < b ? b : a;
  }
};

/// More sweeps than it takes: they converge quadratically.
inline constexpr int kMostSweeps = 40;

/// The rotation that makes the product or element `between` of p and q vanish.
template <class T>
LUGE_TEAM_FN void rotation(T pp, T qq, T between, T& c, T& s) {
  const T zeta = (qq - pp) / (T(2.0) * between);
  const T size = T(1.0) / (abs(zeta) + sqrt(fma(zeta, zeta, T(1.0))));
  const T t = zeta < T(0.0) ? -size : size;
  c = T(1.0) / sqrt(fma(t, t, T(1.0)));
  s = c * t;
}

/// The eigenvalues of a symmetric a (n, n) end on its diagonal, the eigenvectors in the columns of v; cyclic Jacobi (Golub
/// and Van Loan 8.5), the rotations of a round at once. v may have no rows (vectors 0). `turns`: 2 numbers per pair.
/// Returns whether it converged; the team has any(bool).
template <class Team, class Matrix, class Row>
LUGE_TEAM_FN bool jacobi_eigh(const Team& team, int n, int vectors, typename Matrix::Value epsilon, Matrix a, Matrix v, Row turns) {
  using T = typename Matrix::Value;
  const RoundRobin order(n);
  for (int j = team.rank(); j < n; j += team.size())
    for (int i = 0; i < vectors; ++i) v.put(i, j, T(i == j ? 1.0 : 0.0));
  T largest(0.0);
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) {
      const T size = abs(a.get(i, j));
      largest = size > largest || size != size ? size : largest;
    }
  if (!(largest - largest == T(0.0))) return false;
  const T least = largest * epsilon * T(0.125);
  for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
    bool turned = false;
    for (int round = 0; round < order.rounds(); ++round) {
      team.sync();
      for (int t = team.rank(); t < order.pairs(); t += team.size()) {
        int p, q;
        order.pair(round, t, p, q);
        T c(1.0), s(0.0);
        if (q < n && abs(a.get(p, q)) > least) {
          rotation(a.get(p, p), a.get(q, q), a.get(p, q), c, s);
          turned = true;
        }
        turns.put(2 * t, c);
        turns.put(2 * t + 1, s);
      }
      team.sync();
      for (int i = team.rank(); i < n + vectors; i += team.size())
        for (int t = 0; t < order.pairs(); ++t) {
          const T c = turns.get(2 * t), s = turns.get(2 * t + 1);
          if (s == T(0.0)) continue;
          int p, q;
          order.pair(round, t, p, q);
          const Matrix x = i < n ? a : v;
          const int row = i < n ? i : i - n;
          const T xp = x.get(row, p), xq = x.get(row, q);
          x.put(row, p, c * xp - s * xq);
          x.put(row, q, s * xp + c * xq);
        }
      team.sync();
      for (int j = team.rank(); j < n; j += team.size())
        for (int t = 0; t < order.pairs(); ++t) {
          const T c = turns.get(2 * t), s = turns.get(2 * t + 1);
          if (s == T(0.0)) continue;
          int p, q;
          order.pair(round, t, p, q);
          const T xp = a.get(p, j), xq = a.get(q, j);
          a.put(p, j, c * xp - s * xq);
          a.put(q, j, s * xp + c * xq);
        }
      team.sync();
      // What a rotation makes vanish keeps the rounding of the diagonal, which would be turned for ever.
      for (int t = team.rank(); t < order.pairs(); t += team.size()) {
        if (turns.get(2 * t + 1) == T(0.0)) continue;
        int p, q;
        order.pair(round, t, p, q);
        a.put(p, q, T(0.0));
        a.put(q, p, T(0.0));
      }
    }
    if (!team.any(turned)) return true;
  }
  return false;
}

/// The columns of u (m, n), m >= n, become orthogonal by rotations that v (n, n), if it has rows, collects: u = u v^T
/// before; one-sided Jacobi (Golub and Van Loan 8.6.3). Columns no longer than `least` are rounding, which nothing makes
/// orthogonal. Returns whether it converged.
template <class Team, class Matrix>
LUGE_TEAM_FN bool jacobi_svd(const Team& team, int m, int n, int vectors, typename Matrix::Value epsilon,
                             typename Matrix::Value least, Matrix u, Matrix v) {
  using T = typename Matrix::Value;
  const T bound = epsilon * sqrt(T(m));
  const RoundRobin order(n);
  for (int j = team.rank(); j < n; j += team.size())
    for (int i = 0; i < vectors; ++i) v.put(i, j, T(i == j ? 1.0 : 0.0));
  team.sync();
  for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
    bool turned = false;
    for (int round = 0; round < order.rounds(); ++round) {
      for (int t = team.rank(); t < order.pairs(); t += team.size()) {
        int p, q;
        order.pair(round, t, p, q);
        if (q >= n) continue;
        T pp(0.0), qq(0.0), pq(0.0);
        for (int i = 0; i < m; ++i) {
          const T x = u.get(i, p), y = u.get(i, q);
          pp = fma(x, x, pp), qq = fma(y, y, qq), pq = fma(x, y, pq);
        }
        const T one = sqrt(pp), other = sqrt(qq);
        if (!(abs(pq) > bound * one * other) || one <= least || other <= least) continue;
        turned = true;
        T c, s;
        rotation(pp, qq, pq, c, s);
        for (int i = 0; i < m + vectors; ++i) {
          const Matrix x = i < m ? u : v;
          const int row = i < m ? i : i - m;
          const T xp = x.get(row, p), xq = x.get(row, q);
          x.put(row, p, c * xp - s * xq);
          x.put(row, q, s * xp + c * xq);
        }
      }
      team.sync();
    }
    if (!team.any(turned)) return true;
  }
  return false;
}

/// Column c of u (m, c and more), whose first c columns are orthonormal, becomes orthogonal to them, too, of length 1. By
/// one thread. It begins with the unit vector that they tell least of.
template <class Matrix>
LUGE_TEAM_FN void add_orthogonal(int m, int c, Matrix u) {
  using T = typename Matrix::Value;
  int best = 0;
  T least(2.0);
  for (int i = 0; i < m; ++i) {
    T told(0.0);
    for (int j = 0; j < c; ++j) told = fma(u.get(i, j), u.get(i, j), told);
    if (told < least) {
      least = told;
      best = i;
    }
  }
  for (int i = 0; i < m; ++i) u.put(i, c, T(i == best ? 1.0 : 0.0));
  for (int again = 0; again < 2; ++again)
    for (int j = 0; j < c; ++j) {
      T dot(0.0);
      for (int i = 0; i < m; ++i) dot = fma(u.get(i, j), u.get(i, c), dot);
      for (int i = 0; i < m; ++i) u.put(i, c, fma(-dot, u.get(i, j), u.get(i, c)));
    }
  T squares(0.0);
  for (int i = 0; i < m; ++i) squares = fma(u.get(i, c), u.get(i, c), squares);
  const T inverse = T(1.0) / sqrt(squares);
  for (int i = 0; i < m; ++i) u.put(i, c, u.get(i, c) * inverse);
}

}  // namespace luge::math::LUGE_DIALECT
LUGE_AFTER_DIALECT

#endif  // toggling guard
