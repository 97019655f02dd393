#include <luge/fit/detail/functions.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <numbers>
#include <span>
#include <utility>

#include <luge/seam/detail/op_traits.h>

namespace luge::fit {

namespace {

/// A term with the operators of numbers.
struct Value {
  Graph* graph;
  Term term;

  Value of(Op op, std::initializer_list<Term> in) const {
    return {graph, graph->apply(op, std::span(in.begin(), in.size()))};
  }
  Value of(double number) const { return {graph, graph->number(number)}; }
};

Value operator-(Value x) { return x.of(Op::Neg, {x.term}); }
#define LUGE_OPERATOR(symbol, Formula)                                                    \
  Value operator symbol(Value a, Value b) { return a.of(Op::Formula, {a.term, b.term}); } \
  [[maybe_unused]] Value operator symbol(Value a, double b) { return a symbol a.of(b); }  \
  [[maybe_unused]] Value operator symbol(double a, Value b) { return b.of(a) symbol b; }
LUGE_OPERATOR(+, Add)
LUGE_OPERATOR(-, Sub)
LUGE_OPERATOR(*, Mul)
LUGE_OPERATOR(/, Div)
LUGE_OPERATOR(<, Less)
LUGE_OPERATOR(==, Equal)
#undef LUGE_OPERATOR
#define LUGE_FUNCTION(name, Formula) \
  Value name(Value x) { return x.of(Op::Formula, {x.term}); }
LUGE_FUNCTION(abs, Abs)
LUGE_FUNCTION(atan, Atan)
LUGE_FUNCTION(exp, Exp)
LUGE_FUNCTION(is_nan, IsNan)
LUGE_FUNCTION(sin, Sin)
LUGE_FUNCTION(sqrt, Sqrt)
#undef LUGE_FUNCTION
Value choose(Value condition, Value yes, Value no) { return yes.of(Op::Where, {condition.term, yes.term, no.term}); }
Value choose(Value condition, double yes, Value no) { return choose(condition, no.of(yes), no); }
Value choose(Value condition, double yes, double no) { return choose(condition, condition.of(yes), condition.of(no)); }

/// A choice by comparisons takes NaN for a number.
Value or_nan(Value x, Value result) { return choose(is_nan(x), x, result); }

constexpr double kPi = std::numbers::pi;

/// An odd function by what it is of positive numbers.
template <class F>
Value odd(Value x, const F& positive) {
  const Value result = positive(choose(x < 0.0, -x, x));
  return choose(x < 0.0, -result, result);
}
/// The angle of the point (x, y), by the quotient that is at most 1. The other one divides by 1, so that no derivative
/// of autograd's is 0 times infinity.
Value atan2_of(Value y, Value x) {
  const Value is_steep = abs(x) < abs(y), is_zero = x == 0.0;
  const Value turn = choose(x < 0.0, choose(y < 0.0, -kPi, kPi), x.of(0.0));
  const Value flat = atan(y / choose(is_zero, 1.0, x)) + turn;
  const Value steep = choose(y < 0.0, -kPi / 2, kPi / 2) - atan(x / choose(is_steep, y, y.of(1.0)));
  return or_nan(x, or_nan(y, choose(is_steep, steep, choose(is_zero, 0.0, flat))));
}
/// By the quotient that is at most 1, whose square does not overflow.
Value hypot_of(Value x, Value y) {
  const Value a = abs(x), b = abs(y), is_second = a < b;
  const Value most = choose(is_second, b, a), least = choose(is_second, a, b);
  const Value quotient = least / choose(most == 0.0, 1.0, most);
  const Value length = most * sqrt(1.0 + quotient * quotient);
  return choose(most == std::numeric_limits<double>::infinity(), most, length);
}
/// As NumPy's: sin(pi x) / (pi x).
Value sinc_of(Value x) {
  const Value at = kPi * choose(x == 0.0, 1.0, x);
  return choose(x == 0.0, 1.0, sin(at) / at);
}
Value cbrt_of(Value x) {
  return odd(x, [](Value v) { return v.of(Op::Pow, {v.term, v.of(1.0 / 3).term}); });
}

/// log(exp(z^2) erfc(z) / t) with t = 2 / (2 + z) for z >= 0, as Chebyshev polynomials of 4 t - 2 in (-2, 2], made with
/// 50 digits; what is left out is below 1e-17.
constexpr double kErfc[] = {
    -1.3026537197817094,     0.6419697923564902,      0.019476473204185836,   -0.009561514786808632,
    -0.0009465953444820369,  0.00036683949785276145,  4.252332480690777e-05,  -2.0278578112534242e-05,
    -1.6242900046470256e-06, 1.3036558355805232e-06,  1.5626441722066142e-08, -8.523809591492654e-08,
    6.5290544390988515e-09,  5.059343495551469e-09,   -9.91364156493033e-10,  -2.273651222831936e-10,
    9.646791102015527e-11,   2.3940380830391146e-12,  -6.886027526497553e-12, 8.944879273090725e-13,
    3.130921399342958e-13,   -1.1270822361367252e-13, 3.810905255189232e-16,  7.106097613609237e-15,
    -1.5230282014571043e-15, -9.457494571291233e-17,  1.210237189224279e-16,  -2.816663087747177e-17};

/// exp(x^2) erfc(x): of what is negative by 2 - erfc(-x).
Value erfcx_of(Value x) {
  const Value z = choose(x < 0.0, -x, x), t = 2.0 / (2.0 + z), at = 4.0 * t - 2.0;
  // C. W. Clenshaw's sum, "A note on the summation of Chebyshev series", 1955.
  Value last = x.of(0.0), before = x.of(0.0);
  for (std::size_t j = std::size(kErfc) - 1; j > 0; --j) {
    const Value next = at * last - before + kErfc[j];
    before = last;
    last = next;
  }
  const Value positive = t * exp(0.5 * (kErfc[0] + at * last) - before);
  const Value below = choose(x < 0.0, x, x.of(0.0));
  return choose(x < 0.0, 2.0 * exp(below * below) - positive, positive);
}

struct Unary {
  const char* name;
  Value (*function)(Value x);
};
constexpr Unary kUnary[] = {
    {"erfcx", erfcx_of},
    {"sinc", sinc_of},
    {"cbrt", cbrt_of},
    {"radians", [](Value x) { return x * (kPi / 180); }},
    {"deg2rad", [](Value x) { return x * (kPi / 180); }},
    {"degrees", [](Value x) { return x * (180 / kPi); }},
    {"rad2deg", [](Value x) { return x * (180 / kPi); }},
};

struct Binary {
  const char* name;
  Value (*function)(Value a, Value b);
};
constexpr Binary kBinary[] = {
    {"arctan2", atan2_of},
    {"atan2", atan2_of},
    {"hypot", hypot_of},
    {"heaviside",
     [](Value x, Value half) { return or_nan(x, choose(x < 0.0, 0.0, choose(x == 0.0, half, half.of(1.0)))); }},
};

/// Ops by names that the table does not give them.
constexpr std::pair<std::string_view, Op> kUnaryNames[] = {
    {"isnan", Op::IsNan},   {"isfinite", Op::IsFinite}, {"arctan", Op::Atan},   {"expit", Op::Sigmoid},
    {"arcsin", Op::Asin},   {"arccos", Op::Acos},       {"arcsinh", Op::Asinh}, {"arccosh", Op::Acosh},
    {"arctanh", Op::Atanh}, {"gammaln", Op::Lgamma},    {"psi", Op::Digamma},   {"fabs", Op::Abs},
};
constexpr std::pair<std::string_view, Op> kBinaryNames[] = {
    {"maximum", Op::Maximum}, {"max", Op::Maximum}, {"minimum", Op::Minimum},
    {"min", Op::Minimum},     {"pow", Op::Pow},     {"power", Op::Pow},
};
/// Those whose arguments the parser looks at.
constexpr std::string_view kOthers[] = {"where", "lerp", "clamp", "clip"};

std::vector<std::string> all_names() {
  std::vector<std::string> names(std::begin(kOthers), std::end(kOthers));
#define LUGE_ROW(function, ...) names.emplace_back(#function);
  LUGE_UNARY_OPS(LUGE_ROW)
#undef LUGE_ROW
  for (const auto& [name, op] : kUnaryNames) names.emplace_back(name);
  for (const auto& [name, op] : kBinaryNames) names.emplace_back(name);
  for (const Unary& unary : kUnary) names.emplace_back(unary.name);
  for (const Binary& binary : kBinary) names.emplace_back(binary.name);
  return names;
}

/// Letters to change, to add or to take away (V. I. Levenshtein 1966).
std::size_t distance_of(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t before = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = before + (a[i - 1] != b[j - 1] ? 1 : 0);
      before = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row[b.size()];
}

}  // namespace

std::optional<Op> unary_named(std::string_view name) {
#define LUGE_ROW(function, Formula, ...) \
  if (name == #function) return Op::Formula;
  LUGE_UNARY_OPS(LUGE_ROW)
#undef LUGE_ROW
  for (const auto& [known, op] : kUnaryNames)
    if (name == known) return op;
  return std::nullopt;
}

std::optional<Op> binary_named(std::string_view name) {
  for (const auto& [known, op] : kBinaryNames)
    if (name == known) return op;
  return std::nullopt;
}

std::optional<Term> composed(Graph& graph, std::string_view name,
                             const std::function<std::vector<Term>(std::size_t count)>& arguments) {
  for (const Unary& unary : kUnary)
    if (name == unary.name) return unary.function({&graph, arguments(1)[0]}).term;
  for (const Binary& binary : kBinary)
    if (name == binary.name) {
      const std::vector<Term> in = arguments(2);
      return binary.function({&graph, in[0]}, {&graph, in[1]}).term;
    }
  return std::nullopt;
}

std::string alike(std::string_view name) {
  std::vector<std::pair<std::size_t, std::string>> near;
  for (const std::string& known : all_names()) {
    const std::size_t distance = distance_of(name, known);
    if (distance <= std::max<std::size_t>(1, name.size() / 3)) near.emplace_back(distance, known);
  }
  std::stable_sort(near.begin(), near.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  constexpr std::size_t kMost = 3;
  std::string result;
  for (std::size_t i = 0; i < std::min(near.size(), kMost); ++i)
    result += (result.empty() ? "; alike: " : ", ") + near[i].second;
  return result;
}

}  // namespace luge::fit
