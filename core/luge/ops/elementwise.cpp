#include <luge/ops/elementwise.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include <luge/autograd/detail/autocast.h>
#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/seam/detail/op_traits.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/expression.h>
#include <luge/ops/detail/sum_to.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

/// One argument as the user gave it: a tensor, or a number.
struct Argument {
  Argument(const Tensor& t) : tensor(&t) {}           // NOLINT(google-explicit-constructor)
  Argument(Scalar s) : tensor(nullptr), number(s) {}  // NOLINT(google-explicit-constructor)
  const Tensor* tensor;
  Scalar number;
};

constexpr int kMaxArguments = 3;
using Parameters2 = std::array<double, 2>;

class ElementwiseNode final : public Node {
 public:
  ElementwiseNode(Op op, const Parameters2& parameters, const Tensor& result, std::span<const Argument> arguments)
      : Node(luge::name(op)), op_(op), arguments_(static_cast<int>(arguments.size())), parameters_(parameters) {
    for (int i = 0; i < arguments_; ++i) {
      const Argument& argument = arguments[static_cast<std::size_t>(i)];
      Input& input = inputs_[static_cast<std::size_t>(i)];
      if (!argument.tensor) {
        input.number = argument.number;
        add_input({});
        continue;
      }
      add_input(*argument.tensor);
      input.is_tensor = true;
      input.shape = argument.tensor->impl()->shape;
      bool read_later = false;
      for (int of = 0; of < arguments_; ++of) {
        const Tensor* const tensor = arguments[static_cast<std::size_t>(of)].tensor;
        read_later |= tensor && needs_grad(*tensor) && reads_input(op, of, i);
      }
      if (read_later) input.saved.save(*argument.tensor);
    }
    if (traits(op).saves & math::scalar::kSavesOutput) output_.save_output(result);
  }

  void backward(const Tensor& gradient) override {
    check_differentiable();
    GradSlot* targets[kMaxArguments] = {};
    for (int i = 0; i < arguments_; ++i) {
      targets[i] = target(i);
      if (targets[i] && passes_gradient(op_, i)) {
        sum_to(gradient, inputs_[static_cast<std::size_t>(i)].shape, *targets[i], false);
        targets[i] = nullptr;
      }
    }
    // Inputs that share a slot (x * x) take turns, because a call's outputs must not overlap.
    for (bool again = true; again;) {
      GradSlot* turn[kMaxArguments] = {};
      again = false;
      for (int i = 0; i < arguments_; ++i) {
        if (!targets[i]) continue;
        if (std::find(turn, turn + i, targets[i]) == turn + i)
          turn[i] = std::exchange(targets[i], nullptr);
        else
          again = true;
      }
      run(gradient, turn);
    }
  }

  void differentiable_backward(const Tensor& gradient) override {
    check_differentiable();
    const auto read = [&](int i) {
      const Input& input = inputs_[static_cast<std::size_t>(i)];
      if (!input.is_tensor) return symbolic::Expression(input.number.to_double());
      return input.saved.empty() ? symbolic::Expression() : symbolic::Expression(saved_input(i, input.saved));
    };
    symbolic::Expression in[kMaxArguments + 2], gradients[kMaxArguments];
    in[0] = symbolic::Expression(gradient);
    for (int i = 0; i < arguments_; ++i) in[i + 1] = read(i);
    if (!output_.empty()) in[arguments_ + 1] = symbolic::Expression(saved_output(output_));
    if (op_ == Op::Where) {
      const symbolic::Expression zero(0.0);
      gradients[1] = {in[1], in[0], zero};
      gradients[2] = {in[1], zero, in[0]};
    } else {
      differentiate(op_, in, parameters_.data(), gradients);
    }
    for (int i = 0; i < arguments_; ++i) {
      if (!wants(i)) continue;
      Tensor found = gradients[i].tensor(gradient);
      if (found.shape() != gradient.shape()) found = found.expand(gradient.shape());  // a number: the derivative is 0
      give(i, sum_to(found, inputs_[static_cast<std::size_t>(i)].shape));
    }
  }

  void release_saved() override {
    for (Input& input : inputs_) input.saved.clear();
    output_.clear();
  }

 private:
  void check_differentiable() const {
    LUGE_CHECK(AutogradError, is_differentiable(op_), "{}: there is no derivative; detach() its arguments", name());
  }

  struct Input {
    SavedTensor saved;
    Shape shape;
    Scalar number;
    bool is_tensor = false;
  };

  void run(const Tensor& gradient, GradSlot* const* targets) {
    bool any = false;
    for (int i = 0; i < arguments_; ++i) any |= targets[i] != nullptr;
    if (!any || gradient.numel() == 0) return empty_gradients(gradient, targets);

    Elementwise call;
    call.op = op_;
    call.direction = Direction::Backward;
    call.parameters = parameters_;
    call.inputs = arguments_ + 2;
    call.outputs = arguments_;
    call.in[0] = operand(gradient);
    Tensor kept[kMaxArguments + 1];
    std::array<Binding, Elementwise::kMaxInputs + Elementwise::kMaxOutputs> bindings;
    std::size_t count = 0;
    bindings[count++] = {call.in.data(), &gradient};
    const auto read = [&](std::size_t position, const SavedTensor& saved, Tensor& tensor) {
      tensor = saved.get(name());
      call.in[position] = operand(tensor);
      bindings[count++] = {&call.in[position], &tensor};
    };
    // An input that no wanted gradient reads was not kept: any number does in its place.
    const bool unread = (traits(op_).saves & math::scalar::kSavesInputs) && op_ != Op::Where;
    for (int i = 0; i < arguments_; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const Input& input = inputs_[at];
      if (!input.saved.empty())
        read(at + 1, input.saved, kept[i]);
      else if (!input.is_tensor || unread)
        call.in[at + 1] = immediate(input.number, gradient.dtype());
    }
    if (!output_.empty()) read(static_cast<std::size_t>(arguments_) + 1, output_, kept[arguments_]);

    const Shape& shape = gradient.impl()->shape;
    const Shape compact = varying_shape(shape, std::span(bindings.data(), count));
    const std::size_t inputs_bound = count;
    Tensor results[kMaxArguments];
    bool direct[kMaxArguments] = {};
    for (int i = 0; i < arguments_; ++i) {
      if (!targets[i]) continue;
      const auto at = static_cast<std::size_t>(i);
      // Straight into the slot where nothing has to be summed; the value computed once and repeated by
      // strides where all inputs repeat (a sum's gradient on its way down).
      direct[i] = inputs_[at].shape == shape && (compact == shape || !targets[i]->may_alias());
      if (direct[i]) {
        const GradSlot::Target slot = targets[i]->open(shape, gradient.dtype(), gradient.storage()->backend());
        results[i] = slot.buffer;
        call.store[at] = slot.store;
      } else {
        results[i] = empty_tensor(compact, gradient.dtype(), gradient.storage()->backend());
      }
      call.out[at] = operand(results[i]);
      bindings[count++] = {&call.out[at], &results[i]};
    }
    // Outputs of different extents do not share a call; direct ones span all of `shape`.
    bool all_direct = true;
    for (int i = 0; i < arguments_; ++i) all_direct &= !targets[i] || direct[i];
    if (compact == shape || all_direct) {
      dispatch(call, shape, std::span(bindings.data(), count), gradient);
    } else {
      for (std::size_t b = inputs_bound; b < count; ++b) {
        Elementwise single = call;
        for (Operand& out : single.out) out.kind = Operand::Kind::Absent;
        const auto at = static_cast<std::size_t>(bindings[b].operand - call.out.data());
        single.out[at] = call.out[at];
        std::array<Binding, Elementwise::kMaxInputs + 1> one;
        for (std::size_t i = 0; i < inputs_bound; ++i)
          one[i] = {&single.in[static_cast<std::size_t>(bindings[i].operand - call.in.data())], bindings[i].tensor};
        one[inputs_bound] = {&single.out[at], bindings[b].tensor};
        dispatch(single, bindings[b].tensor->impl()->shape, std::span(one.data(), inputs_bound + 1), gradient);
      }
    }
    for (int i = 0; i < arguments_; ++i)
      if (targets[i] && !direct[i])
        sum_to(compact == shape ? results[i] : results[i].expand(shape), inputs_[static_cast<std::size_t>(i)].shape,
               *targets[i], compact == shape);
  }

  static void dispatch(Elementwise& call, const Shape& shape, std::span<const Binding> bindings, const Tensor& on) {
    set_extent(call.extent, shape, bindings);
    on.storage()->backend().run(call);
  }

  /// `shape` with size 1 in the dimensions along which no input changes.
  static Shape varying_shape(const Shape& shape, std::span<const Binding> inputs) {
    Shape result = Dims::filled(shape.ndim(), 1);
    for (const Binding& binding : inputs) {
      const TensorImpl& impl = *binding.tensor->impl();
      const int lead = shape.ndim() - impl.shape.ndim();
      for (int d = lead; d < shape.ndim(); ++d)
        if (impl.shape[d - lead] != 1 && impl.strides[d - lead] != 0) result[d] = shape[d];
    }
    return result;
  }

  /// A gradient without elements: inputs that were broadcast against an empty one still get zeros.
  void empty_gradients(const Tensor& gradient, GradSlot* const* targets) {
    for (int i = 0; i < arguments_; ++i)
      if (targets[i]) sum_to(gradient, inputs_[static_cast<std::size_t>(i)].shape, *targets[i], false);
  }

  Op op_;
  int arguments_;
  Parameters2 parameters_;
  std::array<Input, kMaxArguments> inputs_;
  SavedTensor output_;
};

/// PyTorch's promotion: tensors that have dimensions decide; those that have none, and then numbers, only raise the
/// kind.
DType joined_dtype(std::span<const Argument> arguments) {
  std::optional<DType> strong, weak;
  for (const Argument& argument : arguments) {
    if (!argument.tensor) continue;
    const TensorImpl& impl = *argument.tensor->impl();
    std::optional<DType>& of = impl.shape.empty() ? weak : strong;
    of = of ? promote(*of, impl.dtype) : impl.dtype;
  }
  DType dtype = strong && weak ? promote_weak(*strong, *weak) : strong ? *strong : weak.value_or(DType::Bool);
  for (const Argument& argument : arguments)
    if (!argument.tensor) dtype = promote(dtype, argument.number.kind());
  return dtype;
}

/// What arithmetic of truth values is, as in PyTorch: logic, int64, or an error.
DType arithmetic_of_bools(Op op, const char* op_name) {
  switch (op) {
    case Op::Add:
    case Op::Mul:
    case Op::Maximum:
    case Op::Minimum:
    case Op::Fmax:
    case Op::Fmin:
    case Op::Heaviside:
    case Op::Sign: return DType::Bool;
    case Op::Square:
    case Op::Clamp: return DType::Int64;
    default: break;
  }
  raise<DTypeError>("{}: bool has no such operation; use logical_not to invert a mask, or to() for numbers", op_name);
}

/// The logic that an arithmetic or bitwise formula of two truth values is.
Op logic_of(Op op) {
  switch (op) {
    case Op::Add:
    case Op::Maximum:
    case Op::Fmax:
    case Op::Heaviside:
    case Op::BitwiseOr: return Op::LogicalOr;
    case Op::Mul:
    case Op::Minimum:
    case Op::Fmin:
    case Op::BitwiseAnd: return Op::LogicalAnd;
    case Op::BitwiseXor: return Op::LogicalXor;
    default: return op;
  }
}

/// Floating numbers have no bits to work on.
void check_integral(const char* op_name, DType dtype) {
  LUGE_CHECK(DTypeError, !is_floating(dtype), "{}: the dtype is {}; allowed are bool and the integer dtypes", op_name,
             name(dtype));
}

/// What only some dtypes of those that a row of the table accepts have.
void check_dtype(Op op, const char* op_name, DType dtype) {
  const bool shifts = op == Op::LeftShift || op == Op::RightShift;
  LUGE_CHECK(DTypeError, !shifts || dtype != DType::Bool,
             "{}: the dtype is bool, whose values have no bits to move; convert them with to()", op_name);
  LUGE_CHECK(DTypeError, op != Op::NextAfter || (dtype != DType::Float16 && dtype != DType::BFloat16),
             "{}: the dtype is {}; allowed are float32 and float64", op_name, name(dtype));
}

/// By a number the host sees what it would be. By an element that is 0, quotient and remainder are 0 (core/luge/math/
/// dialect.h).
void check_divisor(Op op, const char* op_name, DType dtype, std::span<const Argument> arguments) {
  if (is_floating(dtype) || (op != Op::FloorDivide && op != Op::Remainder && op != Op::Fmod)) return;
  LUGE_CHECK(ValueError, arguments[1].tensor || arguments[1].number.to_int64() != 0,
             "{}: an integer is divided by 0; floating numbers have infinity and NaN for that", op_name);
}

/// Subtraction takes no truth value at all, because `1 - mask` and `x - mask` are hardly ever meant.
void refuse_bools(Op op, const char* op_name, std::span<const Argument> arguments) {
  if (op != Op::Sub) return;
  for (const Argument& argument : arguments)
    LUGE_CHECK(
        DTypeError,
        argument.tensor ? argument.tensor->impl()->dtype != DType::Bool : argument.number.kind() != Scalar::Kind::Bool,
        "{}: an argument is bool; use logical_xor, logical_not to invert a mask, or to() for numbers", op_name);
}

/// The dtype the formula is computed in. Throws DTypeError, in which `op_name` was called, where there is none.
DType compute_dtype(Op op, const char* op_name, std::span<const Argument> arguments) {
  const DType dtype = joined_dtype(arguments);
  check_dtype(op, op_name, dtype);
  switch (accepted(op)) {
    case DTypes::Float: return is_floating(dtype) ? dtype : DType::Float32;
    case DTypes::Numeric:
      refuse_bools(op, op_name, arguments);
      return dtype == DType::Bool ? arithmetic_of_bools(op, op_name) : dtype;
    case DTypes::Logical: return DType::Bool;
    case DTypes::Integral: check_integral(op_name, dtype); break;
    case DTypes::Any: break;
  }
  // A comparison has an answer for every number.
  for (const Argument& argument : arguments)
    if (gives_bool(op) && !argument.tensor && !argument.number.fits(dtype)) return DType::Int64;
  return dtype;
}

/// Runs and records op. With `into`, the result goes there instead (its shape and dtype have been
/// checked) and nothing is recorded.
Tensor apply(Op op, std::span<Argument> arguments, const Parameters2& parameters = {}, const Tensor* into = nullptr) {
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
  Tensor converted[kMaxArguments];
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
    std::array<Binding, kMaxArguments + 1> bindings{{{call.out.data(), &result}}};
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
    if (wanted) record(result, Ref<Node>(new ElementwiseNode(op, parameters, result, arguments)));
  }
  return result;
}

Tensor unary(Op op, const Tensor& x, const Parameters2& parameters = {}) {
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
  rebase(self, Ref<Node>(new ElementwiseNode(op, {}, self, arguments)));
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
void check_exponent(const char* op_name, DType base, Scalar exponent) {
  LUGE_CHECK(ValueError, is_floating(base) || exponent.kind() == Scalar::Kind::Float || exponent.to_double() >= 0,
             "{}: the base is {} and the exponent {}; an integer base allows integer exponents of 0 or more", op_name,
             name(base), exponent.to_int64());
}

/// x^2 and x^0.5 have formulas of their own, which are faster and round once.
Tensor power(const Tensor& x, Scalar exponent) {
  const DType dtype = checked(x, "pow", "a").dtype;
  const double value = exponent.to_double();
  if (value == 2 && promote(dtype, exponent.kind()) == dtype && dtype != DType::Bool) return square(x);
  if (value == 0.5 && is_floating(dtype)) return sqrt(x);
  // A mask has no other power, as in PyTorch 2.15: to false it is true everywhere, to true itself.
  if (dtype == DType::Bool && exponent.kind() == Scalar::Kind::Bool) return value == 0 ? ones_like(x) : x.clone();
  check_exponent("pow", dtype, exponent);
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
  // Which of the three gets the gradient, as in PyTorch 2.15: equal ones share it, but x has it alone between equal bounds.
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
    if constexpr (Op::Formula == Op::Pow) check_exponent("pow_", checked(*this, "pow_", "self").dtype, other);    \
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
