// What becomes of the elements of a row whose largest element and sums are known (reducers.h): softmax and cross
// entropy, forward and derivative. V is a scalar or a vector, as in elementwise.h.
#include <luge/math/reducers.h>

#if defined(LUGE_MATH_ROWS_H_) == defined(LUGE_TARGET_TOGGLE)
#ifdef LUGE_MATH_ROWS_H_
#undef LUGE_MATH_ROWS_H_
#else
#define LUGE_MATH_ROWS_H_
#endif

LUGE_BEFORE_DIALECT
namespace luge::math::LUGE_DIALECT {

/// y = e^(x - largest) / sum, sum that of e^(x - largest); NaN if `largest` is infinite, since shares of an infinity
/// are not numbers.
template <class V>
struct SoftmaxRow {
  V largest, scale, log_sum;

  LUGE_FN static SoftmaxRow of(double largest, double sum) { return {V(largest), V(1.0 / sum), V(log(sum))}; }
  LUGE_FN V softmax(V x) const { return exp(x - largest) * scale; }
  LUGE_FN V log_softmax(V x) const { return x - largest - log_sum; }
};

/// dx of a softmax y; total = sum(dy y).
template <class V>
LUGE_FN V softmax_gradient(V dy, V y, V total) {
  return y * (dy - total);
}
/// dx of a log-softmax y; total = sum(dy).
template <class V>
LUGE_FN V log_softmax_gradient(V dy, V y, V total) {
  return dy - exp(y) * total;
}

/// The loss of a row of logits whose log-sum-exp is lse; NaN where the label does not exist.
template <class T>
LUGE_FN T cross_entropy_loss(const T* logits, std::int64_t columns, std::int64_t label, T lse) {
  return label >= 0 && label < columns ? lse - logits[label] : std::numeric_limits<T>::quiet_NaN();
}
/// dloss by the logit x, which is that of the label where `one` is 1 and not where it is 0.
template <class V>
LUGE_FN V cross_entropy_gradient(V dy, V x, V lse, V one) {
  return dy * (exp(x - lse) - one);
}

}  // namespace luge::math::LUGE_DIALECT
LUGE_AFTER_DIALECT

#endif  // toggling guard
