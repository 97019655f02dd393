// From the products of a Jacobian's columns to the covariance of parameters, once for both backends. Products come in
// twice the precision of float64 (the unevaluated sum of two numbers), so that columns may depend on each other as far
// as their own rounding goes before they count as dependent.
//
// Arithmetic: T. J. Dekker, "A floating-point technique for extending the available precision", Numer. Math. 18 (1971).
// Rank: Cholesky's factor with the greatest pivot first (N. J. Higham, "Accuracy and Stability of Numerical
// Algorithms", 10.3), of columns scaled to a length near 1 by powers of 2.
#include <luge/math/dialect.h>

#if defined(LUGE_MATH_COVARIANCE_H_) == defined(LUGE_TARGET_TOGGLE)
#ifdef LUGE_MATH_COVARIANCE_H_
#undef LUGE_MATH_COVARIANCE_H_
#else
#define LUGE_MATH_COVARIANCE_H_
#endif

LUGE_BEFORE_DIALECT
namespace luge::math::LUGE_DIALECT {

/// The sum of two float64, of which `low` is what rounding took from `high`.
struct Pair {
  double high, low;
};

LUGE_FN Pair pair_sum(double a, double b) {
  const double sum = a + b, part = sum - a;
  return {sum, (a - (sum - part)) + (b - part)};
}
LUGE_FN Pair quick_pair(double large, double small) {
  const double sum = large + small;
  return {sum, small - (sum - large)};
}
LUGE_FN Pair pair_product(double a, double b) {
  const double product = a * b;
  return {product, fma(a, b, -product)};
}
LUGE_FN Pair operator-(Pair a, Pair b) {
  const Pair high = pair_sum(a.high, -b.high);
  return quick_pair(high.high, high.low + (a.low - b.low));
}
LUGE_FN Pair operator*(Pair a, Pair b) {
  const Pair high = pair_product(a.high, b.high);
  return quick_pair(high.high, high.low + (a.high * b.low + a.low * b.high));
}
LUGE_FN Pair operator/(Pair a, Pair b) {
  const double first = a.high / b.high;
  const Pair rest = a - Pair{first, 0} * b;
  return quick_pair(first, rest.high / b.high);
}
LUGE_FN Pair pair_root(Pair a) {
  const double first = sqrt(a.high);
  const Pair rest = a - pair_product(first, first);
  return quick_pair(first, rest.high / (2 * first));
}
LUGE_FN Pair scaled(Pair a, double power) { return {a.high * power, a.low * power}; }

/// A power of 2 near the root of x, which is positive.
LUGE_FN double root_power(double x) {
  int exponent = static_cast<int>((__builtin_bit_cast(unsigned long, x) >> 52) & 2047) - 1023;
  exponent = (exponent - (exponent & 1)) / 2;
  return __builtin_bit_cast(double, static_cast<unsigned long>(exponent + 1023) << 52);
}

inline constexpr int kMostCovariance = 32;  ///< parameters

/// What is known of one fit.
struct CovarianceInput {
  int parameters;
  const double* high;  ///< products of columns, the lower triangle row by row, `stride` apart
  const double* low;
  const double* scores;  ///< products of columns with squared scores: a sandwich; null: none
  long stride;
  unsigned bound;    ///< parameters that are at a bound, bit by bit
  double tolerance;  ///< what is left of a column of length 1 that counts as nothing
};

struct CovarianceOutput {
  double condition;
  int free, rank;
};

/// Working memory.
struct CovarianceWork {
  Pair factor[kMostCovariance][kMostCovariance];
  double inverse[kMostCovariance][kMostCovariance], product[kMostCovariance][kMostCovariance];
  double scale[kMostCovariance];
  int order[kMostCovariance];
  bool infinite[kMostCovariance];
};

/// Exchanges two free parameters in the symmetric matrix whose lower triangle is used.
LUGE_FN void exchange(CovarianceWork& work, int free, int a, int b) {
  if (a == b) return;
  const int kept = work.order[a];
  work.order[a] = work.order[b];
  work.order[b] = kept;
  for (int k = 0; k < free; ++k) {
    const Pair row = work.factor[a][k];
    work.factor[a][k] = work.factor[b][k];
    work.factor[b][k] = row;
  }
  for (int k = 0; k < free; ++k) {
    const Pair column = work.factor[k][a];
    work.factor[k][a] = work.factor[k][b];
    work.factor[k][b] = column;
  }
}

/// Cholesky's factor, as far as there are pivots; returns how many.
LUGE_FN int factorize(CovarianceWork& work, int free, double tolerance, double& condition) {
  double most = 0, least = 0;
  for (int s = 0; s < free; ++s) {
    int pivot = s;
    for (int k = s + 1; k < free; ++k)
      if (work.factor[k][k].high > work.factor[pivot][pivot].high) pivot = k;
    exchange(work, free, s, pivot);
    const double left = work.factor[s][s].high;
    if (!(left > tolerance * tolerance)) return s;
    const Pair root = pair_root(work.factor[s][s]);
    work.factor[s][s] = root;
    if (s == 0) most = root.high;
    least = root.high;
    condition = most / least;
    for (int i = s + 1; i < free; ++i) work.factor[i][s] = work.factor[i][s] / root;
    for (int i = s + 1; i < free; ++i)
      for (int j = s + 1; j <= i; ++j)
        work.factor[j][i] = work.factor[i][j] = work.factor[i][j] - work.factor[i][s] * work.factor[j][s];
  }
  return free;
}

/// inverse[i][j]: of the factor's first `rank` rows, lower triangular.
LUGE_FN void invert_factor(CovarianceWork& work, int rank) {
  for (int j = 0; j < rank; ++j)
    for (int i = j; i < rank; ++i) {
      double sum = i == j ? 1.0 : 0.0;
      for (int k = j; k < i; ++k) sum -= work.factor[i][k].high * work.inverse[k][j];
      work.inverse[i][j] = sum / work.factor[i][i].high;
    }
}

/// Whether a parameter takes part in what the observations do not determine: a column that depends on others, or one
/// that such a column depends on.
LUGE_FN void find_infinite(CovarianceWork& work, int free, int rank) {
  constexpr double kTakesPart = 1e-7;
  for (int i = 0; i < free; ++i) work.infinite[i] = i >= rank;
  for (int d = rank; d < free; ++d)
    for (int i = rank - 1; i >= 0; --i) {
      // Row i of (factor^T)^-1 times the column of the dependent one.
      double weight = 0;
      for (int k = i; k < rank; ++k) weight += work.inverse[k][i] * work.factor[d][k].high;
      if (abs(weight) > kTakesPart) work.infinite[i] = true;
    }
}

/// Writes covariance (parameters x parameters).
LUGE_FN CovarianceOutput covariance_of(const CovarianceInput& in, CovarianceWork& work, double* covariance) {
  const double infinity = __builtin_bit_cast(double, 0x7FF0000000000000ul),
               nan = __builtin_bit_cast(double, 0x7FF8000000000000ul);
  const int parameters = in.parameters;
  int free = 0;
  for (int p = 0; p < parameters; ++p)
    if (!(in.bound >> p & 1)) work.order[free++] = p;
  const auto place = [&](int i, int j) { return (i > j ? i * (i + 1) / 2 + j : j * (j + 1) / 2 + i) * in.stride; };
  for (int i = 0; i < free; ++i) {
    const double square = in.high[place(work.order[i], work.order[i])];
    work.scale[work.order[i]] = square > 0 ? 1 / root_power(square) : 1;
  }
  for (int i = 0; i < free; ++i)
    for (int j = 0; j < free; ++j) {
      const long at = place(work.order[i], work.order[j]);
      work.factor[i][j] =
          scaled(scaled({in.high[at], in.low[at]}, work.scale[work.order[i]]), work.scale[work.order[j]]);
    }
  CovarianceOutput out{1, free, 0};
  out.rank = factorize(work, free, in.tolerance, out.condition);
  const int rank = out.rank;
  invert_factor(work, rank);
  find_infinite(work, free, rank);
  if (rank < free) out.condition = infinity;
  for (int i = 0; i < rank; ++i)
    for (int j = 0; j <= i; ++j) {
      double sum = 0;
      for (int k = i; k < rank; ++k) sum += work.inverse[k][i] * work.inverse[k][j];
      work.product[i][j] = work.product[j][i] = sum;
    }
  if (in.scores) {
    // inverse <- product * scores, then product <- inverse * product; the triangular inverse is done with.
    for (int i = 0; i < rank; ++i)
      for (int j = 0; j < rank; ++j) {
        double sum = 0;
        for (int k = 0; k < rank; ++k)
          sum += work.product[i][k] * (in.scores[place(work.order[k], work.order[j])] * work.scale[work.order[k]] *
                                       work.scale[work.order[j]]);
        work.inverse[i][j] = sum;
      }
    for (int i = 0; i < rank; ++i)
      for (int j = 0; j < rank; ++j) {
        double sum = 0;
        for (int k = 0; k < rank; ++k) sum += work.inverse[i][k] * work.product[k][j];
        work.factor[i][j].high = sum;
      }
    for (int i = 0; i < rank; ++i)
      for (int j = 0; j < rank; ++j) work.product[i][j] = (work.factor[i][j].high + work.factor[j][i].high) / 2;
  }
  for (int k = 0; k < parameters * parameters; ++k) covariance[k] = nan;
  for (int i = 0; i < free; ++i)
    for (int j = 0; j < free; ++j) {
      const int a = work.order[i], b = work.order[j];
      covariance[a * parameters + b] =
          work.infinite[i] || work.infinite[j] ? infinity : work.product[i][j] * work.scale[a] * work.scale[b];
    }
  return out;
}

// ---- fits whose parameters the observations determine well, in float64 alone

/// The greatest power of 2 that is not above x, which is positive and normal.
LUGE_FN double power_below(double x) {
  return __builtin_bit_cast(double, __builtin_bit_cast(unsigned long, x) & 0xFFF0000000000000ul);
}

inline constexpr int kMostPlain = 8;  ///< parameters

/// A vector V of fits (double: one) that have no parameter at a bound.
template <class V>
class PlainCovariance {
 public:
  using M = decltype(V(0.0) == V(0.0));

  /// product(i, j), j <= i, of columns, each the sum of `terms` products that are rounded as float64 is. Returns for
  /// which fits the covariance is known to kExact standard errors.
  ///
  /// Why: with columns of length 1, sums and Cholesky's factor are those of a matrix that differs by no more than
  /// P (terms + 8 P) eps in norm (N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 3.1 and 10.1). The
  /// inverse C then differs by C D C, and e_i^T C D C e_j is no more than sqrt(C_ii C_jj) |C| |D|; the trace of C is
  /// above |C|.
  template <class Product>
  LUGE_FN M find(int parameters, const Product& product, double terms) {
    const V zero(0.0), one(1.0);
    V place[kMostPlain], square[kMostPlain], inverse[kMostPlain][kMostPlain];
    count_ = parameters;
    for (int i = 0; i < count_; ++i) {
      const V power = power_below(sqrt(product(i, i)));
      scale_[i] = one / power;
    }
    for (int i = 0; i < count_; ++i) {
      for (int j = 0; j <= i; ++j) matrix_[i][j] = matrix_[j][i] = product(i, j) * scale_[i] * scale_[j];
      square[i] = matrix_[i][i];
    }
    condition_ = one;
    V first = one;
    for (int s = 0; s < count_; ++s) {
      // The greatest pivot comes first.
      V most = matrix_[s][s];
      place[s] = V(static_cast<double>(s));
      for (int k = s + 1; k < count_; ++k) {
        const M is_more = matrix_[k][k] > most;
        most = select(is_more, matrix_[k][k], most);
        place[s] = select(is_more, V(static_cast<double>(k)), place[s]);
      }
      exchange(s, place[s]);
      const V root = sqrt(matrix_[s][s]);
      if (s == 0) first = root;
      condition_ = first / root;
      matrix_[s][s] = root;
      for (int i = s + 1; i < count_; ++i) matrix_[i][s] = matrix_[i][s] / root;
      for (int i = s + 1; i < count_; ++i)
        for (int j = s + 1; j <= i; ++j) matrix_[j][i] = matrix_[i][j] = matrix_[i][j] - matrix_[i][s] * matrix_[j][s];
    }
    for (int j = 0; j < count_; ++j)
      for (int i = j; i < count_; ++i) {
        V sum = i == j ? one : zero;
        for (int k = j; k < i; ++k) sum = sum - matrix_[i][k] * inverse[k][j];
        inverse[i][j] = sum / matrix_[i][i];
      }
    for (int i = 0; i < count_; ++i)
      for (int j = 0; j <= i; ++j) {
        V sum = zero;
        for (int k = i; k < count_; ++k) sum = sum + inverse[k][i] * inverse[k][j];
        matrix_[i][j] = matrix_[j][i] = sum;
      }
    for (int s = count_ - 1; s >= 0; --s) exchange(s, place[s]);
    V trace = zero;
    for (int i = 0; i < count_; ++i) trace = trace + matrix_[i][i] * square[i];
    constexpr double kEpsilon = 0x1p-53;
    return trace * V(parameters * (terms + 8 * parameters) * kEpsilon) <= V(kExact);
  }

  LUGE_FN V covariance(int i, int j) const { return matrix_[i][j] * scale_[i] * scale_[j]; }
  LUGE_FN V condition() const { return condition_; }

  static constexpr double kExact = 1e-10;

 private:
  /// Rows and columns s and `place`, which is s or behind it.
  LUGE_FN void exchange(int s, V place) {
    for (int k = s + 1; k < count_; ++k) {
      const M which = place == V(static_cast<double>(k));
      if (!any(which)) continue;
      for (int j = 0; j < count_; ++j) exchange(which, matrix_[s][j], matrix_[k][j]);
      for (int i = 0; i < count_; ++i) exchange(which, matrix_[i][s], matrix_[i][k]);
    }
  }
  LUGE_FN static void exchange(M which, V& a, V& b) {
    const V kept = a;
    a = select(which, b, a);
    b = select(which, kept, b);
  }

  int count_;
  V matrix_[kMostPlain][kMostPlain], scale_[kMostPlain], condition_;
};

}  // namespace luge::math::LUGE_DIALECT
LUGE_AFTER_DIALECT

#endif  // toggling guard
