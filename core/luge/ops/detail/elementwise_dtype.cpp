#include <luge/ops/detail/elementwise_dtype.h>

#include <optional>

#include <luge/base/detail/check.h>
#include <luge/seam/detail/op_traits.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

/// PyTorch's promotion: tensors that have dimensions decide; those that have none, and then numbers, only raise the
/// kind.
DType joined_dtype(std::span<const ElementwiseArgument> arguments) {
  std::optional<DType> strong, weak;
  for (const ElementwiseArgument& argument : arguments) {
    if (!argument.tensor) continue;
    const TensorImpl& impl = *argument.tensor->impl();
    std::optional<DType>& of = impl.shape.empty() ? weak : strong;
    of = of ? promote(*of, impl.dtype) : impl.dtype;
  }
  DType dtype = strong && weak ? promote_weak(*strong, *weak) : strong ? *strong : weak.value_or(DType::Bool);
  for (const ElementwiseArgument& argument : arguments)
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

/// What only some dtypes of those that a row of the table accepts have.
void check_dtype(Op op, const char* op_name, DType dtype) {
  const bool shifts = op == Op::LeftShift || op == Op::RightShift;
  LUGE_CHECK(DTypeError, !shifts || dtype != DType::Bool,
             "{}: the dtype is bool, whose values have no bits to move; convert them with to()", op_name);
  LUGE_CHECK(DTypeError, op != Op::NextAfter || (dtype != DType::Float16 && dtype != DType::BFloat16),
             "{}: the dtype is {}; allowed are float32 and float64", op_name, name(dtype));
}

/// Subtraction takes no truth value at all, because `1 - mask` and `x - mask` are hardly ever meant.
void refuse_bools(Op op, const char* op_name, std::span<const ElementwiseArgument> arguments) {
  if (op != Op::Sub) return;
  for (const ElementwiseArgument& argument : arguments)
    LUGE_CHECK(
        DTypeError,
        argument.tensor ? argument.tensor->impl()->dtype != DType::Bool : argument.number.kind() != Scalar::Kind::Bool,
        "{}: an argument is bool; use logical_xor, logical_not to invert a mask, or to() for numbers", op_name);
}

}  // namespace

void check_integral(const char* op_name, DType dtype) {
  LUGE_CHECK(DTypeError, !is_floating(dtype), "{}: the dtype is {}; allowed are bool and the integer dtypes", op_name,
             name(dtype));
}

DType compute_dtype(Op op, const char* op_name, std::span<const ElementwiseArgument> arguments) {
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
  for (const ElementwiseArgument& argument : arguments)
    if (gives_bool(op) && !argument.tensor && !argument.number.fits(dtype)) return DType::Int64;
  return dtype;
}

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

void check_divisor(Op op, const char* op_name, DType dtype, std::span<const ElementwiseArgument> arguments) {
  if (is_floating(dtype) || (op != Op::FloorDivide && op != Op::Remainder && op != Op::Fmod)) return;
  LUGE_CHECK(ValueError, arguments[1].tensor || arguments[1].number.to_int64() != 0,
             "{}: an integer is divided by 0; floating numbers have infinity and NaN for that", op_name);
}

}  // namespace luge
