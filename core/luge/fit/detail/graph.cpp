#include <luge/fit/detail/graph.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <string>

#include <luge/base/detail/check.h>
#include <luge/seam/detail/derivatives.h>

namespace luge::fit {

namespace {

thread_local Graph* current = nullptr;

bool same(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

}  // namespace

Graph::Scope::Scope(Graph& graph) : outer_(current) { current = &graph; }
Graph::Scope::~Scope() { current = outer_; }

Term::Term(double number) : at(current->number(number).at) {}

// ---- the dialect, which formulas find by argument-dependent lookup -------------------------------

namespace {

/// The op of the name of a function of one number, if there is one.
constexpr std::optional<Op> op_named(std::string_view function) {
#define LUGE_ROW(name, Formula, ...) \
  if (function == #name) return Op::Formula;
  LUGE_UNARY_OPS(LUGE_ROW)
#undef LUGE_ROW
  return std::nullopt;
}

Term apply(Op op, std::initializer_list<Term> in) { return current->apply(op, std::span(in.begin(), in.size())); }

Term function_of(const char* name, std::optional<Op> op, Term x) {
  LUGE_CHECK(ValueError, op, "model: a derivative needs {} of a parameter, and there is no such operation", name);
  return apply(*op, {x});
}

}  // namespace

#define LUGE_FUNCTION(name) \
  inline Term name(Term x) { return function_of(#name, op_named(#name), x); }
LUGE_VECTOR_FUNCTIONS(LUGE_FUNCTION)
LUGE_LIBRARY_FUNCTIONS(LUGE_FUNCTION)
LUGE_ERROR_FUNCTIONS(LUGE_FUNCTION)
LUGE_FUNCTION(lgamma)
LUGE_FUNCTION(digamma)
LUGE_FUNCTION(sqrt)
LUGE_FUNCTION(abs)
LUGE_FUNCTION(round)
#undef LUGE_FUNCTION
inline Term is_nan(Term x) { return apply(Op::IsNan, {x}); }
/// As an op of its own: the derivative of 1 / (1 + e^-x) as written is NaN where the exponential overflows.
inline Term logistic(Term x) { return apply(Op::Sigmoid, {x}); }
inline Term operator-(Term x) { return apply(Op::Neg, {x}); }

#define LUGE_OPERATOR(symbol, Formula) \
  inline Term operator symbol(Term a, Term b) { return apply(Op::Formula, {a, b}); }
LUGE_OPERATOR(+, Add)
LUGE_OPERATOR(-, Sub)
LUGE_OPERATOR(*, Mul)
LUGE_OPERATOR(/, Div)
LUGE_OPERATOR(==, Equal)
LUGE_OPERATOR(!=, NotEqual)
LUGE_OPERATOR(<, Less)
LUGE_OPERATOR(<=, LessEqual)
LUGE_OPERATOR(>, Greater)
LUGE_OPERATOR(>=, GreaterEqual)
#undef LUGE_OPERATOR
inline Term pow(Term a, Term b) { return apply(Op::Pow, {a, b}); }
inline Term times_log(Term a, Term b) { return apply(Op::Xlogy, {a, b}); }
inline Term floor_quotient(Term a, Term b) { return apply(Op::FloorDivide, {a, b}); }
/// The order is a number always.
inline Term polygamma(Term x, Term n) {
  return current->apply(Op::Polygamma, std::span(&x, 1), {*current->value(n), 0});
}
inline Term trigamma(Term x) { return polygamma(x, Term(1.0)); }
inline Term complementary_erf(Term x) { return apply(Op::Erfc, {x}); }
inline Term fma(Term a, Term b, Term c) { return a * b + c; }
inline Term select(Term condition, Term yes, Term no) { return apply(Op::Where, {condition, yes, no}); }

// ---- nodes --------------------------------------------------------------------------------------

namespace {

/// An op of numbers; nothing for what models do not have.
template <class F>
std::optional<double> computed(DTypes dtypes, const double* in, const double* parameters) {
  if constexpr (F::kInputs <= 2) {
    if (takes<double>(dtypes)) {
      if constexpr (requires { math::scalar::invoke_forward<F>(in, parameters); })
        return static_cast<double>(math::scalar::invoke_forward<F>(in, parameters));
    }
  }
  return std::nullopt;
}

std::optional<double> computed(Op op, const double* in, const double* parameters) {
  switch (op) {
#define LUGE_ROW(function, Formula, dtypes, ...) \
  case Op::Formula: return computed<math::scalar::Formula>(DTypes::dtypes, in, parameters);
    LUGE_UNARY_OPS(LUGE_ROW)
    LUGE_ROW(add, Add, Numeric)
    LUGE_ROW(sub, Sub, Numeric)
    LUGE_ROW(mul, Mul, Numeric)
    LUGE_ROW(div, Div, Float)
    LUGE_ROW(pow, Pow, Numeric)
    LUGE_ROW(maximum, Maximum, Numeric)
    LUGE_ROW(minimum, Minimum, Numeric)
    LUGE_ROW(eq, Equal, Any)
    LUGE_ROW(ne, NotEqual, Any)
    LUGE_ROW(lt, Less, Any)
    LUGE_ROW(le, LessEqual, Any)
    LUGE_ROW(gt, Greater, Any)
    LUGE_ROW(ge, GreaterEqual, Any)
#undef LUGE_ROW
    default: return std::nullopt;
  }
}

}  // namespace

bool Graph::Node::operator==(const Node& other) const {
  return kind == other.kind && op == other.op && in == other.in && same(number, other.number) &&
         same(parameters[0], other.parameters[0]) && same(parameters[1], other.parameters[1]) && kind != Kind::Input;
}

Graph::Graph(int predictors, int parameters) : predictors_(predictors), parameters_(parameters) {
  nodes_.resize(static_cast<std::size_t>(predictors + parameters));
}

bool Graph::is_number(Term term, double value) const { return is_number(term) && same(node(term).number, value); }

std::optional<double> Graph::value(Term term) const {
  if (!is_number(term)) return std::nullopt;
  return node(term).number;
}

Term Graph::add(const Node& node) {
  const auto known = std::find(nodes_.begin(), nodes_.end(), node);
  if (known != nodes_.end()) return Term::of(static_cast<int>(known - nodes_.begin()));
  nodes_.push_back(node);
  return Term::of(static_cast<int>(nodes_.size()) - 1);
}

Term Graph::number(double value) {
  Node node;
  node.kind = Kind::Number;
  node.number = value;
  return add(node);
}

Term Graph::binary(Op op, Term a, Term b) {
  const Term in[] = {a, b};
  return apply(op, in);
}

Term Graph::integer_power(Term base, int exponent) {
  if (exponent == 1) return base;
  if (exponent % 2 == 1) return binary(Op::Mul, integer_power(base, exponent - 1), base);
  const Term half = integer_power(base, exponent / 2);
  return binary(Op::Mul, half, half);
}

/// Powers that are products or roots.
Term Graph::power(Term base, double exponent) {
  constexpr double kMostProducts = 16;
  if (exponent == 0) return number(1);
  if (exponent == 0.5) return apply(Op::Sqrt, std::span(&base, 1));
  if (exponent == std::floor(exponent) && std::abs(exponent) <= kMostProducts) {
    const Term product = integer_power(base, static_cast<int>(std::abs(exponent)));
    return exponent > 0 ? product : binary(Op::Div, number(1), product);
  }
  Node node{Kind::Op, Op::Pow, {base.at, number(exponent).at, -1}, {}, 0, false};
  return add(node);
}

/// What changes no bit of a result is left out; `at` is -1 where there is something to be done.
Term Graph::simplified(Op op, std::span<const Term> in) {
  const auto negated = [&](Term x) { return apply(Op::Neg, std::span(&x, 1)); };
  switch (op) {
    case Op::Neg:
      if (node(in[0]).kind == Kind::Op && node(in[0]).op == Op::Neg) return Term::of(node(in[0]).in[0]);
      break;
    case Op::Mul:
      for (const int i : {0, 1}) {
        const Term factor = in[static_cast<std::size_t>(i)], other = in[static_cast<std::size_t>(1 - i)];
        if (is_number(factor, 1)) return other;
        if (is_number(factor, -1)) return negated(other);
      }
      break;
    case Op::Div:
      if (is_number(in[1], 1)) return in[0];
      if (is_number(in[1], -1)) return negated(in[0]);
      break;
    case Op::Add:
      for (const int i : {0, 1})
        if (is_number(in[static_cast<std::size_t>(i)], -0.0)) return in[static_cast<std::size_t>(1 - i)];
      break;
    case Op::Sub:
      if (is_number(in[1], 0)) return in[0];
      break;
    case Op::Pow:
      if (is_number(in[1])) return power(in[0], node(in[1]).number);
      break;
    case Op::Where:
      if (is_number(in[0])) return in[node(in[0]).number != 0 ? 1 : 2];
      if (in[1].at == in[2].at) return in[1];
      break;
    default: break;
  }
  return {};
}

Term Graph::apply(Op op, std::span<const Term> in, std::array<double, 2> parameters) {
  const OpTraits& row = traits(op);
  LUGE_CHECK(ValueError, accepted(op) != DTypes::Integral,
             "model: {} is of integers; a model computes with floating numbers", name(op));
  std::array<double, 3> numbers{};
  bool all = true;
  for (std::size_t i = 0; i < in.size(); ++i) {
    all = all && is_number(in[i]);
    numbers[i] = node(in[i]).number;
  }
  if (all)
    if (const std::optional<double> value = computed(op, numbers.data(), parameters.data())) return number(*value);
  if (const Term simpler = simplified(op, in); simpler.at >= 0) return simpler;
  Node made;
  made.kind = Kind::Op;
  made.op = op;
  for (std::size_t i = 0; i < in.size(); ++i) made.in[i] = in[i].at;
  for (int p = 0; p < row.parameters; ++p)
    made.parameters[static_cast<std::size_t>(p)] = parameters[static_cast<std::size_t>(p)];
  made.is_condition = row.is_mask;
  return add(made);
}

// ---- derivatives --------------------------------------------------------------------------------

/// The derivative of an op in each of its inputs.
std::vector<Term> Graph::partials(int of) {
  const Node at = nodes_[static_cast<std::size_t>(of)];
  const OpTraits& row = traits(at.op);
  const Derivative<Term> formula = derivative<Term>(at.op);
  LUGE_CHECK(ValueError, formula, "model: {} has no derivative", name(at.op));
  std::array<Term, 5> in;
  in[0] = number(1);
  for (int i = 0; i < row.inputs; ++i)
    in[static_cast<std::size_t>(1 + i)] = Term::of(at.in[static_cast<std::size_t>(i)]);
  in[static_cast<std::size_t>(1 + row.inputs)] = Term::of(of);
  std::array<Term, 2> parameters{number(at.parameters[0]), number(at.parameters[1])};
  std::vector<Term> out(static_cast<std::size_t>(row.inputs));
  formula(in.data(), parameters.data(), out.data());
  return out;
}

/// Tangents of a node, one per parameter; an absent one is zero everywhere. Forward: the side of a choice that is not
/// taken has no part in the derivative, whatever it is.
void Graph::differentiate(std::vector<std::vector<Term>>& tangents, int of) {
  const Node at = nodes_[static_cast<std::size_t>(of)];
  std::vector<Term> own(static_cast<std::size_t>(parameters_));
  const auto tangent = [&](int input, std::size_t p) {
    return tangents[static_cast<std::size_t>(at.in[static_cast<std::size_t>(input)])][p];
  };
  if (at.op == Op::Where) {
    for (std::size_t p = 0; p < own.size(); ++p) {
      const Term yes = tangent(1, p), no = tangent(2, p);
      if (yes.at < 0 && no.at < 0) continue;
      const Term in[] = {Term::of(at.in[0]), yes.at < 0 ? number(0) : yes, no.at < 0 ? number(0) : no};
      own[p] = apply(Op::Where, in);
    }
  } else if (!at.is_condition) {
    const int inputs = traits(at.op).inputs;
    bool depends = false;
    for (int i = 0; i < inputs; ++i)
      for (std::size_t p = 0; p < own.size(); ++p) depends = depends || tangent(i, p).at >= 0;
    if (depends) {
      const std::vector<Term> partial = partials(of);
      for (std::size_t p = 0; p < own.size(); ++p)
        for (int i = 0; i < inputs; ++i) {
          const Term inner = tangent(i, p);
          if (inner.at < 0) continue;
          const Term part = binary(Op::Mul, partial[static_cast<std::size_t>(i)], inner);
          own[p] = own[p].at < 0 ? part : binary(Op::Add, own[p], part);
        }
    }
  }
  tangents[static_cast<std::size_t>(of)] = std::move(own);
}

// ---- the model ----------------------------------------------------------------------------------

std::shared_ptr<const FitModel> Graph::model(std::span<const Term> outputs, std::span<const std::string> names,
                                             DType dtype) {
  const Scope scope(*this);
  const auto parameters = static_cast<std::size_t>(parameters_);
  const int own = static_cast<int>(nodes_.size());
  // Tangents of the nodes that the outputs were made of: what derivatives add is not differentiated again.
  std::vector<std::vector<Term>> tangents(static_cast<std::size_t>(own), std::vector<Term>(parameters));
  for (int p = 0; p < parameters_; ++p)
    tangents[static_cast<std::size_t>(predictors_ + p)][static_cast<std::size_t>(p)] = number(1);
  std::vector<char> used(static_cast<std::size_t>(own));
  for (const Term output : outputs) used[static_cast<std::size_t>(output.at)] = 1;
  for (int i = own - 1; i >= 0; --i)
    for (const int in : nodes_[static_cast<std::size_t>(i)].in)
      if (in >= 0 && used[static_cast<std::size_t>(i)]) used[static_cast<std::size_t>(in)] = 1;
  for (int i = 0; i < own; ++i)
    if (used[static_cast<std::size_t>(i)] && nodes_[static_cast<std::size_t>(i)].kind == Kind::Op)
      differentiate(tangents, i);

  std::vector<Term> wanted(outputs.begin(), outputs.end());
  differs_.assign(parameters, 0);
  for (std::size_t p = 0; p < parameters; ++p) {
    LUGE_CHECK(ValueError, used[static_cast<std::size_t>(predictors_) + p],
               "model: the parameter {} has no influence on the model", names[p]);
    for (const Term output : outputs)
      if (tangents[static_cast<std::size_t>(output.at)][p].at >= 0) differs_[p] = 1;
  }
  for (const Term output : outputs)
    for (std::size_t p = 0; p < parameters; ++p) {
      const Term tangent = tangents[static_cast<std::size_t>(output.at)][p];
      wanted.push_back(tangent.at < 0 ? number(0) : tangent);
    }

  // What is needed, in order: a node comes after those that it reads.
  std::vector<char> needed(nodes_.size());
  for (const Term term : wanted) needed[static_cast<std::size_t>(term.at)] = 1;
  for (std::size_t i = nodes_.size(); i-- > 0;)
    for (const int in : nodes_[i].in)
      if (in >= 0 && needed[i]) needed[static_cast<std::size_t>(in)] = 1;
  auto model = std::make_shared<FitModel>();
  model->dtype = dtype;
  model->predictors = predictors_;
  model->parameters = parameters_;
  Chain& formulas = model->formulas;
  std::vector<int> values(nodes_.size(), -1);
  for (int i = 0; i < predictors_ + parameters_; ++i) {
    values[static_cast<std::size_t>(i)] = i;
    formulas.values.push_back(dtype);
  }
  const auto input = [&](int at) {
    const Node& node = nodes_[static_cast<std::size_t>(at)];
    ChainInput result;
    result.kind = node.kind == Kind::Number ? ChainInput::Kind::Number : ChainInput::Kind::Value;
    result.value = values[static_cast<std::size_t>(at)];
    result.number.kind = Operand::Kind::Immediate;
    result.number.dtype = dtype;
    result.number.floating = node.number;
    return result;
  };
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    if (!needed[i] || node.kind != Kind::Op) continue;
    Link link;
    link.op = node.op;
    link.parameters = node.parameters;
    for (std::size_t k = 0; k < node.in.size(); ++k)
      if (node.in[k] >= 0) link.in[k] = input(node.in[k]);
    link.out[0] = values[i] = static_cast<int>(formulas.values.size());
    formulas.values.push_back(node.is_condition ? DType::Bool : dtype);
    formulas.links.push_back(link);
  }
  for (std::size_t i = 0; i < wanted.size(); ++i)
    (i < outputs.size() ? model->outputs : model->derivatives).push_back(input(wanted[i].at));
  return model;
}

}  // namespace luge::fit
