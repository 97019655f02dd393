#include <luge/ops/elementwise.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include <luge/autograd/detail/autocast.h>
#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/elementwise_dtype.h>
#include <luge/ops/detail/elementwise_node.h>
#include <luge/seam/detail/op_traits.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

using Argument = ElementwiseArgument;

/// Runs and records op. With `into`, the result goes there instead (its shape and dtype have been
/// checked) and nothing is recorded.
Tensor apply(Op op, std::span<Argument> arguments, const ElementwiseParameters& parameters = {},
             const Tensor* into = nullptr) {
  static constexpr const char* kNames[] = {"a", "b", "c"};
  const char* const op_name = name(op);
  for (std::size_t i = 0; i < arguments.size(); ++i)
    if (arguments[i].tensor) checked(*arguments[i].tensor, op_name, arguments.size() == 1 ? "input" : kNames[i]);

  const std::span<Argument> values = op == Op::Where ? arguments.subspan(1) : arguments;
  DType dtype = compute_dtype(op, op_name, values);
  if (autocast_mode.is_on() && !into && needs_float32(op))
    for (const Argument& value : values)
      if (value.tensor) dtype = autocast_float32(dtype, value.tensor->device());
  if (op == Op::Where) {
    const DType condition = arguments[0].tensor->impl()->dtype;
    LUGE_CHECK(DTypeError, condition == DType::Bool, "where: the condition is {}; it must be bool, as a comparison is",
               name(condition));
  }
  for (const Argument& value : values)
    if (!value.tensor) value.number.check_fits(op_name, dtype);
  check_divisor(op, op_name, dtype, values);
  if (dtype == DType::Bool) op = logic_of(op);
  Tensor converted[kMostElementwiseArguments];
  const auto convert = [&](std::size_t i, DType to) {
    if (!arguments[i].tensor || arguments[i].tensor->impl()->dtype == to) return;
    converted[i] = to == DType::Bool ? arguments[i].tensor->ne(0) : arguments[i].tensor->to(to);
    arguments[i].tensor = &converted[i];
  };

  const Tensor* first = nullptr;
  Shape shape;
  for (const Argument& argument : arguments) {
    if (!argument.tensor) continue;
    const TensorImpl& impl = *argument.tensor->impl();
    if (!first) {
      first = argument.tensor;
      shape = impl.shape;
      continue;
    }
    LUGE_CHECK(DeviceError, &impl.storage->backend() == &first->impl()->storage->backend(),
               "{}: arguments are on different devices: {} and {}; bring them together with to()", op_name,
               to_string(first->device()), to_string(argument.tensor->device()));
    if (impl.shape != shape) shape = broadcast_shapes(op_name, shape, impl.shape);
  }
  for (std::size_t i = arguments.size() - values.size(); i < arguments.size(); ++i) convert(i, dtype);

  Backend& on = first->impl()->storage->backend();
  Tensor result = into ? *into : empty_tensor(shape, gives_bool(op) ? DType::Bool : dtype, on);
  if (result.impl()->numel > 0) {
    Elementwise call;
    call.op = op;
    call.parameters = parameters;
    call.inputs = static_cast<int>(arguments.size());
    call.outputs = 1;
    call.out[0] = operand(result);
    std::array<Binding, kMostElementwiseArguments + 1> bindings{{{call.out.data(), &result}}};
    std::size_t count = 1;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      if (!arguments[i].tensor) {
        const Scalar number = arguments[i].number;
        // A comparison is with the element that the number would be, as in PyTorch; a result is rounded once.
        const bool rounds = gives_bool(op) && is_floating(dtype);
        call.in[i] = immediate(rounds ? Scalar::rounded(number.to_double(), dtype) : number, dtype, op_name);
        continue;
      }
      call.in[i] = operand(*arguments[i].tensor);
      bindings[count++] = {&call.in[i], arguments[i].tensor};
    }
    set_extent(call.extent, shape, std::span(bindings.data(), count));
    on.run(call);
  }

  if (!into && grad_enabled() && is_floating(result.impl()->dtype)) {
    bool wanted = false;
    for (const Argument& argument : arguments) wanted |= argument.tensor && needs_grad(*argument.tensor);
    if (wanted) record(result, elementwise_node(op, parameters, result, arguments));
  }
  return result;
}

Tensor unary(Op op, const Tensor& x, const ElementwiseParameters& parameters = {}) {
  if (op == Op::Sign && checked(x, name(op), "input").dtype == DType::Bool) return x.clone();
  LUGE_CHECK(ValueError, op != Op::Polygamma || (parameters[0] >= 0 && parameters[0] == std::floor(parameters[0])),
             "polygamma: n is {}; it must be a whole number, 0 or more", parameters[0]);
  Argument arguments[] = {x};
  return apply(op, arguments, parameters);
}

template <class A, class B>
Tensor binary(Op op, const A& a, const B& b) {
  Argument arguments[] = {a, b};
  return apply(op, arguments);
}

template <class C>
Tensor ternary(Op op, const Tensor& a, const Tensor& b, const C& c) {
  Argument arguments[] = {a, b, c};
  return apply(op, arguments);
}

/// The same as a node of the graph. `other` shares no memory with self and has its dtype.
template <class B>
Tensor& recorded_in_place(Op op, Tensor& self, const B& other) {
  const Tensor before = before_change(self, traits(op).saves & math::scalar::kSavesInputs);
  Argument arguments[] = {before, other};
  apply(op, arguments, {}, &self);
  self.storage()->bump_version();
  rebase(self, elementwise_node(op, {}, self, arguments));
  return self;
}

/// self = op(self, other), in self's memory. Where the formula needs a wider dtype of the same kind, its result is
/// converted to self's, as in PyTorch.
template <class B>
Tensor& in_place(Op op, Tensor& self, const B& other, const char* op_name) {
  const TensorImpl& impl = checked(self, op_name, "self");
  check_writable(self, op_name);
  if constexpr (std::is_same_v<B, Tensor>) checked(other, op_name, "other");
  const NoAutocast in_its_dtype;
  Argument arguments[] = {self, other};
  const DType dtype = compute_dtype(op, op_name, arguments);
  LUGE_CHECK(DTypeError, kind_of(dtype) <= kind_of(impl.dtype),
             "{}: the result is {} and does not fit the tensor, which is {}", op_name, name(dtype), name(impl.dtype));
  if constexpr (std::is_same_v<B, Scalar>) other.check_fits(op_name, dtype);
  if constexpr (std::is_same_v<B, Tensor>) {
    LUGE_CHECK(ShapeError, broadcast_shapes(op_name, impl.shape, other.impl()->shape) == impl.shape,
               "{}: the other argument of shape {} does not broadcast to {}", op_name, to_string(other.shape()),
               to_string(impl.shape));
    const TensorImpl& from = *other.impl();
    const bool same_window = from.offset == impl.offset && from.shape == impl.shape && from.strides == impl.strides;
    if (dtype != impl.dtype) return self.copy_(apply(op, arguments));  // which is recorded where that is due
    if (records_change(self, op_name, needs_grad(other)))
      return recorded_in_place(op, self, from.storage == impl.storage ? other.clone() : other.to(dtype));
    if (from.storage == impl.storage && !same_window) return self.copy_(apply(op, arguments));
  } else if (records_change(self, op_name)) {
    return recorded_in_place(op, self, other);
  }
  apply(op, arguments, {}, &self);
  impl.storage->bump_version();
  return self;
}

template <class A, class B>
Tensor choose(const Tensor& condition, const A& a, const B& b) {
  Argument arguments[] = {condition, a, b};
  return apply(Op::Where, arguments);
}

/// An integer to a negative power is no integer.
void check_exponent(DType base, Scalar exponent) {
  LUGE_CHECK(ValueError, is_floating(base) || exponent.kind() == Scalar::Kind::Float || exponent.to_double() >= 0,
             "pow: the base is {} and the exponent {}; an integer base allows integer exponents of 0 or more",
             name(base), exponent.to_int64());
}

/// x^2, x^0.5 and 1 / x have formulas of their own, which are faster and round once. Products give the other small
/// powers, within 2 units in the last place, but not of halves, which each of them would round.
Tensor power(const Tensor& x, Scalar exponent) {
  const DType dtype = checked(x, "pow", "a").dtype;
  const double value = exponent.to_double();
  if (promote(dtype, exponent.kind()) == dtype && dtype != DType::Bool) {
    if (value == 2) return square(x);
    if (value == 1) return x * 1;
    if (value == 3 && !is_storage_only(dtype)) return square(x) * x;
    if (value == 4 && !is_storage_only(dtype)) return square(square(x));
  }
  if (is_floating(dtype)) {
    if (value == 0.5) return sqrt(x);
    if (value == -1) return reciprocal(x);
    if (value == -2 && !is_storage_only(dtype)) return square(reciprocal(x));
  }
  // A mask has no other power, as in PyTorch 2.15: to false it is true everywhere, to true itself.
  if (dtype == DType::Bool && exponent.kind() == Scalar::Kind::Bool) return value == 0 ? ones_like(x) : x.clone();
  check_exponent(dtype, exponent);
  return binary(Op::Pow, x, exponent);
}

constexpr double kInfinity = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();

/// Between two numbers, of which one may be missing.
Tensor between(const Tensor& x, const std::optional<Scalar>& low, const std::optional<Scalar>& high) {
  const Operation called("clamp");
  DType dtype = checked(x, "clamp").dtype;
  LUGE_CHECK(ValueError, low || high, "clamp: neither min nor max is given; one of them must be");
  for (const std::optional<Scalar>& bound : {low, high})
    if (bound) dtype = promote(dtype, bound->kind());
  if (!is_floating(dtype)) {
    const Tensor raised = low ? maximum(x, *low) : x;
    return high ? minimum(raised, *high) : raised;
  }
  const double from = low ? Scalar::rounded(low->to_double(), dtype) : -kInfinity,
               to = high ? Scalar::rounded(high->to_double(), dtype) : kInfinity;
  // NaN for every x, which has no part in it.
  if (std::isnan(from) || std::isnan(to)) return where(x < -kInfinity, x, kNan);
  return unary(Op::Clamp, x, {from, to});
}

/// self = function(self), in self's memory and dtype.
template <class Function>
Tensor& in_place(Tensor& self, const char* op_name, const Function& function) {
  const TensorImpl& impl = checked(self, op_name, "self");
  check_writable(self, op_name);
  // What is overwritten may be needed on the way back.
  const Operation called(op_name);
  const NoAutocast in_its_dtype;
  const Tensor value = function(records_change(self, op_name) ? self.clone() : self);
  LUGE_CHECK(DTypeError, value.dtype() == impl.dtype, "{}: the result is {} and does not fit the tensor, which is {}",
             op_name, name(value.dtype()), name(impl.dtype));
  return self.copy_(value);
}

}  // namespace

Tensor clamp(const Tensor& x, std::optional<Scalar> low, std::optional<Scalar> high) { return between(x, low, high); }
Tensor Tensor::clamp(std::optional<Scalar> low, std::optional<Scalar> high) const { return between(*this, low, high); }
Tensor clamp(const Tensor& x, const Tensor& low, const Tensor& high) {
  const Operation called("clamp");
  Shape shape = checked(x, "clamp").shape;
  DType dtype = x.dtype();
  LUGE_CHECK(ValueError, low.defined() || high.defined(), "clamp: neither min nor max is given; one of them must be");
  for (const Tensor& bound : {low, high}) {
    if (!bound.defined()) continue;
    shape = broadcast_shapes("clamp", shape, bound.shape());
    dtype = promote(dtype, bound.dtype());
    LUGE_CHECK(DeviceError, bound.device() == x.device(), "clamp: the tensor is on {} and a bound on {}",
               to_string(x.device()), to_string(bound.device()));
  }
  const Tensor raised = low.defined() ? maximum(x, low) : x;
  if (!high.defined()) return raised;
  const Tensor within = minimum(raised, high);
  if (!low.defined() || !is_floating(dtype)) return within;
  if (!grad_enabled() || !(x.requires_grad() || low.requires_grad() || high.requires_grad())) return within;
  // Which of the three gets the gradient, as in PyTorch 2.15: equal ones share it, but x has it alone between equal
  // bounds.
  const Tensor point = where(x < low, low, where(x > high, high, x));
  const Tensor number = where(low < high, within, where(low == high, point, where(low > high, high, kNan)));
  return where(x == x, number, kNan);
}
Tensor& Tensor::clamp_(std::optional<Scalar> low, std::optional<Scalar> high) {
  return in_place(*this, "clamp_", [&](const Tensor& x) { return x.clamp(low, high); });
}
Tensor Tensor::clamp(const Tensor& low, const Tensor& high) const { return luge::clamp(*this, low, high); }

// ---- functions, methods and changes in place, one set for each row of the table ------------------

#define LUGE_ROW(function, Formula, dtypes, text, ...)                                                  \
  Tensor function(const Tensor& x LUGE_PARAMETERS(LUGE_MORE_DEFINED, LUGE_MORE_DEFINED, __VA_ARGS__)) { \
    return unary(Op::Formula, x, {LUGE_PARAMETERS(LUGE_LISTED, LUGE_LISTED, __VA_ARGS__)});             \
  }                                                                                                     \
  Tensor Tensor::function(LUGE_PARAMETERS(LUGE_DEFINED, LUGE_MORE_DEFINED, __VA_ARGS__)) const {        \
    return unary(Op::Formula, *this, {LUGE_PARAMETERS(LUGE_LISTED, LUGE_LISTED, __VA_ARGS__)});         \
  }
LUGE_UNARY_OPS(LUGE_ROW)
LUGE_TEST_OPS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, dtypes, text, ...)                                         \
  Tensor& Tensor::function##_(LUGE_PARAMETERS(LUGE_DEFINED, LUGE_MORE_DEFINED, __VA_ARGS__)) { \
    return in_place(*this, #function "_", [&](const Tensor& x) {                               \
      return unary(Op::Formula, x, {LUGE_PARAMETERS(LUGE_LISTED, LUGE_LISTED, __VA_ARGS__)});  \
    });                                                                                        \
  }
LUGE_UNARY_OPS(LUGE_ROW)
#undef LUGE_ROW

#define LUGE_ROW(function, Formula, ...)                                                      \
  Tensor function(const Tensor& a, const Tensor& b) { return binary(Op::Formula, a, b); }     \
  Tensor function(const Tensor& a, Scalar b) {                                                \
    if constexpr (Op::Formula == Op::Pow) return power(a, b);                                 \
    return binary(Op::Formula, a, b);                                                         \
  }                                                                                           \
  Tensor function(Scalar a, const Tensor& b) { return binary(Op::Formula, a, b); }            \
  Tensor Tensor::function(const Tensor& other) const { return luge::function(*this, other); } \
  Tensor Tensor::function(Scalar other) const { return luge::function(*this, other); }
LUGE_BINARY_OPS(LUGE_ROW)
LUGE_COMPARE_OPS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, ...)                                                                          \
  Tensor& Tensor::function##_(const Tensor& other) { return in_place(Op::Formula, *this, other, #function "_"); } \
  Tensor& Tensor::function##_(Scalar other) {                                                                     \
    if constexpr (Op::Formula == Op::Pow)                                                                         \
      return in_place(*this, "pow_", [&](const Tensor& x) { return power(x, other); });                           \
    return in_place(Op::Formula, *this, other, #function "_");                                                    \
  }
LUGE_BINARY_OPS(LUGE_ROW)
#undef LUGE_ROW

#define LUGE_ROW(function, Formula, ...)                                                                        \
  Tensor function(const Tensor& a, const Tensor& b, const Tensor& c) { return ternary(Op::Formula, a, b, c); }  \
  Tensor function(const Tensor& a, const Tensor& b, Scalar c) { return ternary(Op::Formula, a, b, c); }         \
  Tensor Tensor::function(const Tensor& b, const Tensor& c) const { return ternary(Op::Formula, *this, b, c); } \
  Tensor Tensor::function(const Tensor& b, Scalar c) const { return ternary(Op::Formula, *this, b, c); }        \
  Tensor& Tensor::function##_(const Tensor& b, const Tensor& c) {                                               \
    return in_place(*this, #function "_", [&](const Tensor& x) { return ternary(Op::Formula, x, b, c); });      \
  }                                                                                                             \
  Tensor& Tensor::function##_(const Tensor& b, Scalar c) {                                                      \
    return in_place(*this, #function "_", [&](const Tensor& x) { return ternary(Op::Formula, x, b, c); });      \
  }
LUGE_TERNARY_OPS(LUGE_ROW)
#undef LUGE_ROW

Tensor bitwise_not(const Tensor& x) {
  const DType dtype = checked(x, "bitwise_not", "input").dtype;
  check_integral("bitwise_not", dtype);
  return dtype == DType::Bool ? logical_not(x) : bitwise_xor(x, dtype == DType::UInt8 ? 255 : -1);
}
Tensor Tensor::bitwise_not() const { return luge::bitwise_not(*this); }

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) { return choose(condition, a, b); }
Tensor where(const Tensor& condition, const Tensor& a, Scalar b) { return choose(condition, a, b); }
Tensor where(const Tensor& condition, Scalar a, const Tensor& b) { return choose(condition, a, b); }
Tensor where(const Tensor& condition, Scalar a, Scalar b) { return choose(condition, a, b); }

}  // namespace luge
