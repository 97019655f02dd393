#include "trace.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include <luge/math/elementwise.h>
#include <luge/math/updates.h>
#include <luge/base/detail/dispatch.h>

#include "../../functions.h"
#include "../../tile.h"
#include "assembler.h"

namespace luge::cpu::jit {

namespace formula = luge::math::scalar;

// ---- the graph ----------------------------------------------------------------------------------

bool operator==(const Operation& a, const Operation& b) {
  return a.primitive == b.primitive && a.args == b.args && a.index == b.index &&
         std::bit_cast<std::uint64_t>(a.number) == std::bit_cast<std::uint64_t>(b.number);
}

bool is_mask(Primitive primitive) { return primitive >= Primitive::Equal && primitive <= Primitive::LessEqual; }
bool is_constant(Primitive primitive) { return primitive == Primitive::Uniform || primitive == Primitive::Number; }

int Graph::add(const Operation& operation) {
  const auto [place, is_new] = places_.try_emplace(operation, static_cast<int>(operations_.size()));
  if (is_new) {
    operations_.push_back(operation);
    needs_foreign_.push_back(operation.primitive == Primitive::Foreign ||
                             std::any_of(operation.args.begin(), operation.args.end(),
                                         [this](int arg) { return arg >= 0 && needs_foreign(arg); }));
  }
  return place->second;
}

std::size_t Graph::Hash::operator()(const Operation& operation) const {
  std::uint64_t sum = static_cast<std::uint64_t>(operation.primitive);
  const auto mix = [&](std::uint64_t next) { sum = (sum ^ next) * 0x9E3779B97F4A7C15u, sum ^= sum >> 29; };
  for (const int arg : operation.args) mix(static_cast<std::uint64_t>(arg) + 2);
  mix(static_cast<std::uint64_t>(operation.index) + 2);
  mix(std::bit_cast<std::uint64_t>(operation.number));
  return static_cast<std::size_t>(sum);
}

/// As the element type holds it.
int Graph::number(double value) {
  value = with_floating(dtype_, [&]<class T>() { return static_cast<double>(static_cast<T>(value)); });
  return add({.primitive = Primitive::Number, .number = value});
}

std::optional<double> Graph::computed(Primitive primitive, double a, double b) const {
  return with_floating(dtype_, [&]<class T>() -> std::optional<double> {
    const T x = static_cast<T>(a), y = static_cast<T>(b);
    switch (primitive) {
      case Primitive::Add: return static_cast<double>(x + y);
      case Primitive::Sub: return static_cast<double>(x - y);
      case Primitive::Mul: return static_cast<double>(x * y);
      case Primitive::Div: return static_cast<double>(x / y);
      case Primitive::Neg: return static_cast<double>(-x);
      default: return {};
    }
  });
}

int Graph::apply(Primitive primitive, int a, int b, int c) {
  const auto known = [&](int at) -> const double* {
    if (at < 0) return nullptr;
    const Operation& operation = operations_[static_cast<std::size_t>(at)];
    return operation.primitive == Primitive::Number ? &operation.number : nullptr;
  };
  const auto is = [&](int at, double value) {
    const double* const number = known(at);
    return number && std::bit_cast<std::uint64_t>(*number) == std::bit_cast<std::uint64_t>(value);
  };
  if (known(a) && (known(b) || b < 0) && c < 0)
    if (const std::optional<double> value = computed(primitive, *known(a), b < 0 ? 0 : *known(b)))
      return number(*value);
  // Either order of a sum or a product is the same; one of them is written down.
  if ((primitive == Primitive::Add || primitive == Primitive::Mul) && a > b) std::swap(a, b);
  // A sign moves to where it is added, and so becomes a difference: the roundings are the same.
  const auto negated = [&](int at) {
    const bool is_negation = at >= 0 && operations_[static_cast<std::size_t>(at)].primitive == Primitive::Neg;
    return is_negation ? operations_[static_cast<std::size_t>(at)].args[0] : -1;
  };
  if (primitive == Primitive::Neg && negated(a) >= 0) return negated(a);
  if (primitive == Primitive::Mul || primitive == Primitive::Div) {
    if (negated(a) >= 0) return apply(Primitive::Neg, apply(primitive, negated(a), b));
    if (negated(b) >= 0) return apply(Primitive::Neg, apply(primitive, a, negated(b)));
  }
  if (primitive == Primitive::Add && negated(a) >= 0) return apply(Primitive::Sub, b, negated(a));
  if (primitive == Primitive::Add && negated(b) >= 0) return apply(Primitive::Sub, a, negated(b));
  if (primitive == Primitive::Sub && negated(b) >= 0) return apply(Primitive::Add, a, negated(b));
  if (primitive == Primitive::Mul && is(a, 1)) return b;
  if ((primitive == Primitive::Mul || primitive == Primitive::Div) && is(b, 1)) return a;
  if (primitive == Primitive::Add && is(a, -0.0)) return b;
  if ((primitive == Primitive::Add && is(b, -0.0)) || (primitive == Primitive::Sub && is(b, 0.0))) return a;
  return add({.primitive = primitive, .args = {a, b, c}});
}

// ---- functions ----------------------------------------------------------------------------------

namespace {

bool is_wide() { return vector_bytes() == 64; }

}  // namespace

Traced scale(Traced x, Traced k) {
  if (is_wide()) return traced(Primitive::Scale, x, k);
  const Traced field(graph->dtype() == DType::Float32 ? 0x1.8p23 + 127 : 0x1.8p52 + 1023);
  const auto power_of_two = [&](Traced exponent) { return traced(Primitive::ExponentShift, exponent + field); };
  const Traced half = round(k * Traced(0.5));
  return x * power_of_two(half) * power_of_two(k - half);
}
// With AVX2 these are long; logarithms go through tile functions there.
Traced exponent(Traced x) { return is_wide() ? traced(Primitive::Exponent, x) : foreign(x); }
Traced significand(Traced x) { return is_wide() ? traced(Primitive::Significand, x) : foreign(x); }

#define LUGE_FUNCTION(name)                                                             \
  Traced name(Traced x) {                                                               \
    if (!traces_functions || !vectors_have_formulas()) return foreign(x);               \
    return graph->dtype() == DType::Float32 ? functions::scalar::name<float>(x)         \
                                            : functions::scalar::name<double>(x);       \
  }
LUGE_FUNCTION(exp)
LUGE_FUNCTION(expm1)
LUGE_FUNCTION(log)
LUGE_FUNCTION(log1p)
LUGE_FUNCTION(tanh)
LUGE_FUNCTION(erf)
#undef LUGE_FUNCTION
#define LUGE_FUNCTION(name)                                                               \
  Traced name(Traced x) {                                                                 \
    if (!traces_functions || !vectors_have_formulas()) return formula::name<Traced>(x);   \
    return graph->dtype() == DType::Float32 ? functions::scalar::name<float>(x)           \
                                            : functions::scalar::name<double>(x);         \
  }
LUGE_COMPOSED_FUNCTIONS(LUGE_FUNCTION)
#undef LUGE_FUNCTION
Traced scaled_erfc(Traced x) {
  return graph->dtype() == DType::Float32 ? formula::scaled_erfc_of<float>(x) : formula::scaled_erfc_of<double>(x);
}

// ---- formulas -----------------------------------------------------------------------------------

namespace {

using In = std::array<Traced, Link::kMaxInputs>;
using Out = std::array<Traced, Link::kMaxOutputs>;

/// A mask as other links read it.
Traced value_of(TracedMask mask) { return Traced::of(mask.at); }
TracedMask mask_of(Traced value) { return {value.at}; }

/// A choice between two masks, by way of numbers.
TracedMask choice(TracedMask mask, TracedMask yes, TracedMask no) {
  const Traced one(1.0), zero(0.0);
  return select(mask, select(yes, one, zero), select(no, one, zero)) != zero;
}
TracedMask inverse(TracedMask mask) { return select(mask, Traced(0.0), Traced(1.0)) != Traced(0.0); }

/// False for formulas whose values are not the segment's: integers.
template <class F, DTypes accepted>
bool trace_formula(const Link& link, const In& in, Out& out) {
  if constexpr (std::is_same_v<F, formula::Where>) {
    if (link.direction == Direction::Forward) {
      out[0] = select(mask_of(in[0]), in[1], in[2]);
      return true;
    }
    const auto gradients = formula::Where::backward(in[0], mask_of(in[1]));
    out[1] = gradients[0];
    out[2] = gradients[1];
    return true;
  } else if constexpr (accepted == DTypes::Logical) {
    const TracedMask a = mask_of(in[0]), b = mask_of(in[1]);
    if constexpr (std::is_same_v<F, formula::LogicalNot>)
      out[0] = value_of(inverse(a));
    else if constexpr (std::is_same_v<F, formula::LogicalAnd>)
      out[0] = value_of(choice(a, b, a));
    else if constexpr (std::is_same_v<F, formula::LogicalOr>)
      out[0] = value_of(choice(a, a, b));
    else
      out[0] = value_of(choice(a, inverse(b), b));
    return true;
  } else if constexpr (!takes<float>(accepted)) {
    return false;
  } else if constexpr (F::kIsMask) {
    out[0] = value_of(formula::invoke_forward<F>(in.data(), static_cast<const Traced*>(nullptr)));
    return true;
  } else {
    Traced parameters[2];
    for (int p = 0; p < F::kParameters; ++p) parameters[p] = Traced(link.parameters[static_cast<std::size_t>(p)]);
    if (link.direction == Direction::Forward) {
      out[0] = formula::invoke_forward<F>(in.data(), parameters);
      return true;
    }
    const auto gradients = formula::invoke_backward<F>(in.data(), parameters);
    for (int i = 0; i < F::kInputs; ++i) out[static_cast<std::size_t>(i)] = gradients[i];
    return true;
  }
}

}  // namespace

bool trace(const Link& link, const In& in, Out& out) {
  bool known = false;
  switch (link.op) {
#define LUGE_ROW(function, Formula, dtypes, ...) \
  case Op::Formula: known = trace_formula<formula::Formula, DTypes::dtypes>(link, in, out); break;
    LUGE_OPS(LUGE_ROW)
#undef LUGE_ROW
  }
  if (!known) return false;
  for (std::size_t i = 0; i < out.size(); ++i)
    if (link.out[i] != Link::kNothing && graph->needs_foreign(out[i].at)) return false;
  return true;
}

void trace(const Update& call, const Traced* numbers, const In& in, Out& out) {
  const formula::UpdateFlags flags{call.maximize, call.decays(), call.has_idle()};
  std::copy_n(in.begin() + 2, kMaxStates, out.begin() + 1);
  out[0] = in[0];
  switch (call.rule) {
#define LUGE_ROW(Rule, ...) \
  case UpdateRule::Rule: return formula::update<formula::Rule>(numbers, flags, out[0], in[1], &out[1]);
    LUGE_UPDATE_RULES(LUGE_ROW)
#undef LUGE_ROW
  }
}

}  // namespace luge::cpu::jit
