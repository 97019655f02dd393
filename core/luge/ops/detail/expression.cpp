#include <luge/ops/detail/expression.h>

#include <array>
#include <optional>
#include <type_traits>

#include <luge/base/detail/check.h>
#include <luge/seam/detail/derivatives.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>

namespace luge::symbolic {

struct Expression::State {
  std::optional<double> number;
  Tensor tensor;
  // An operation that has not been computed yet: a function of one, an op of two, or a choice of three.
  const char* name = nullptr;
  Function function = nullptr;
  std::optional<Op> op;
  std::array<Expression, 3> arguments;
};

Expression::Expression(double number) : state_(std::make_shared<State>()) { state_->number = number; }
Expression::Expression(const Tensor& tensor) : state_(std::make_shared<State>()) { state_->tensor = tensor; }
Expression::Expression(const char* name, Function function, const Expression& x) : state_(std::make_shared<State>()) {
  state_->name = name;
  state_->function = function;
  state_->arguments[0] = x;
}
Expression::Expression(Op op, const Expression& a, const Expression& b) : state_(std::make_shared<State>()) {
  state_->op = op;
  state_->arguments = {a, b, {}};
}
Expression::Expression(const Expression& condition, const Expression& yes, const Expression& no)
    : state_(std::make_shared<State>()) {
  state_->arguments = {condition, yes, no};
}

namespace {

/// Two numbers as the kernels compute with them, where they are of dtype T; nothing for what is no arithmetic.
template <class T>
std::optional<double> folded(Op op, T a, T b) {
  switch (op) {
    case Op::Add: return a + b;
    case Op::Sub: return a - b;
    case Op::Mul: return a * b;
    case Op::Div: return a / b;
    case Op::Equal: return a == b;
    case Op::NotEqual: return a != b;
    case Op::Less: return a < b;
    case Op::LessEqual: return a <= b;
    case Op::Greater: return a > b;
    case Op::GreaterEqual: return a >= b;
    default: return {};
  }
}

template <class A, class B>
Tensor binary(Op op, const A& a, const B& b) {
  switch (op) {
#define LUGE_ROW(function, Formula, ...) \
  case Op::Formula: return luge::function(a, b);
    LUGE_BINARY_OPS(LUGE_ROW)
    LUGE_COMPARE_OPS(LUGE_ROW)
#undef LUGE_ROW
    case Op::Polygamma:
      if constexpr (std::is_same_v<A, Tensor> && std::is_same_v<B, Scalar>) return polygamma(a, b.to_double());
      break;
    default: break;
  }
  raise<AutogradError>("backward: {} is not an operation of two arguments", name(op));
}

}  // namespace

const Expression::State& Expression::evaluated(const Tensor& like) const {
  if (!state_) raise<AutogradError>("backward: the derivative reads an input that was not kept");
  State& state = *state_;
  if (state.number || state.tensor.defined()) return state;
  const State& first = state.arguments[0].evaluated(like);
  const auto as_tensor = [&](const Expression& argument) { return argument.tensor(like); };
  if (state.name) {
    LUGE_CHECK(AutogradError, state.function,
               "backward: create_graph needs {} of a tensor, and there is no such operation", state.name);
    if (first.number && state.function == luge::neg)
      state.number = -*first.number;
    else
      state.tensor = state.function(as_tensor(state.arguments[0]));
  } else if (state.op) {
    const State& second = state.arguments[1].evaluated(like);
    if (first.number && second.number) {
      state.number = like.dtype() == DType::Float64 ? folded<double>(*state.op, *first.number, *second.number)
                                                    : folded<float>(*state.op, static_cast<float>(*first.number),
                                                                    static_cast<float>(*second.number));
      if (!state.number) state.tensor = binary(*state.op, as_tensor(state.arguments[0]), Scalar(*second.number));
    } else if (first.number) {
      state.tensor = binary(*state.op, Scalar(*first.number), second.tensor);
    } else if (second.number) {
      state.tensor = binary(*state.op, first.tensor, Scalar(*second.number));
    } else {
      state.tensor = binary(*state.op, first.tensor, second.tensor);
    }
  } else if (first.number) {
    const State& chosen = state.arguments[*first.number != 0 ? 1 : 2].evaluated(like);
    state.number = chosen.number;
    state.tensor = chosen.tensor;
  } else {
    const State &yes = state.arguments[1].evaluated(like), &no = state.arguments[2].evaluated(like);
    if (yes.number)
      state.tensor = where(first.tensor, as_tensor(state.arguments[1]), as_tensor(state.arguments[2]));
    else
      state.tensor =
          no.number ? where(first.tensor, yes.tensor, Scalar(*no.number)) : where(first.tensor, yes.tensor, no.tensor);
  }
  state.arguments = {};
  return state;
}

Tensor Expression::tensor(const Tensor& like) const {
  const State& state = evaluated(like);
  return state.number ? full({}, *state.number, {.dtype = like.dtype(), .device = like.device()}) : state.tensor;
}

// ---- the dialect, which formulas find by argument-dependent lookup -------------------------------

namespace {

/// luge's operation of the name of a function of the dialect, or null.
template <class Call>
constexpr Expression::Function operation_of(Call) {
  if constexpr (std::is_invocable_v<Call, const Tensor&>)
    return [](const Tensor& x) { return Call()(x); };
  else
    return nullptr;
}

}  // namespace

#define LUGE_FUNCTION(function)                                                      \
  inline Expression function(const Expression& x) {                                  \
    constexpr auto call = []<class T>(const T& t) requires requires { function(t); } \
    { return function(t); };                                                         \
    return {#function, operation_of(call), x};                                       \
  }
LUGE_VECTOR_FUNCTIONS(LUGE_FUNCTION)
LUGE_LIBRARY_FUNCTIONS(LUGE_FUNCTION)
LUGE_ERROR_FUNCTIONS(LUGE_FUNCTION)
LUGE_FUNCTION(lgamma)
LUGE_FUNCTION(digamma)
LUGE_FUNCTION(sqrt)
LUGE_FUNCTION(abs)
LUGE_FUNCTION(round)
#undef LUGE_FUNCTION
inline Expression is_nan(const Expression& x) { return {"isnan", luge::isnan, x}; }
/// As an op of its own: the derivative of 1 / (1 + e^-x) as written is NaN where the exponential overflows.
inline Expression logistic(const Expression& x) { return {"sigmoid", luge::sigmoid, x}; }
inline Expression operator-(const Expression& x) { return {"neg", luge::neg, x}; }

#define LUGE_OPERATOR(symbol, Formula) \
  inline Expression operator symbol(const Expression& a, const Expression& b) { return {Op::Formula, a, b}; }
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
inline Expression pow(const Expression& a, const Expression& b) { return {Op::Pow, a, b}; }
inline Expression times_log(const Expression& a, const Expression& b) { return {Op::Xlogy, a, b}; }
inline Expression floor_quotient(const Expression& a, const Expression& b) { return {Op::FloorDivide, a, b}; }
inline Expression polygamma(const Expression& x, const Expression& n) { return {Op::Polygamma, x, n}; }
inline Expression trigamma(const Expression& x) { return polygamma(x, Expression(1.0)); }
inline Expression complementary_erf(const Expression& x) { return {"erfc", luge::erfc, x}; }
inline Expression fma(const Expression& a, const Expression& b, const Expression& c) { return a * b + c; }
inline Expression select(const Expression& condition, const Expression& yes, const Expression& no) {
  return {condition, yes, no};
}

// ---- the derivatives ----------------------------------------------------------------------------

void differentiate(Op op, const Expression* in, const double* parameters, Expression* out) {
  std::array<Expression, 2> given;
  for (int i = 0; i < traits(op).parameters; ++i) given[static_cast<std::size_t>(i)] = Expression(parameters[i]);
  derivative<Expression>(op)(in, given.data(), out);
}

}  // namespace luge::symbolic
