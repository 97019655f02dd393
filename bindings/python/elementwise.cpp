// The elementwise operations, one for every row of core/luge/math/op_table.h, and Python's operators.

#include <array>
#include <string>

#include <fmt/format.h>

#include "interchange.h"

namespace luge::python {

namespace {

// ---- docstrings

const char* words(DTypes dtypes) {
  switch (dtypes) {
    case DTypes::Float: return "floating dtypes; integers and bool are converted to float32 first";
    case DTypes::Numeric:
      return "integer and floating dtypes; of bools add, maximum, fmax and heaviside are or, mul, minimum and "
             "fmin are and, square and clamp are int64, others a DTypeError";
    case DTypes::Any: return "all";
    case DTypes::Logical: return "bool; others are converted by \"is not zero\" first";
    case DTypes::Integral: return "bool and the integer dtypes";
  }
  return "";
}

/// What a formula does not say.
const char* note(Op op) {
  switch (op) {
    case Op::FloorDivide:
    case Op::Remainder:
    case Op::Fmod:
      return " Integers divided by 0: a ValueError where that is a number, 0 where it is an element of a tensor.";
    case Op::LeftShift:
    case Op::RightShift:
      return " By less than 0 or by the width and more no bit is left: the result is 0, to the right -1 of what is "
             "negative. bool is a DTypeError.";
    case Op::Heaviside: return " It has no derivative: backward is an AutogradError.";
    case Op::NextAfter: return " float16 and bfloat16 are a DTypeError.";
    case Op::Fmax:
    case Op::Fmin: return " NaN only where both are.";
    case Op::Round: return " Ties go to the even neighbour.";
    default: return "";
  }
}

/// What PyTorch calls the second input.
constexpr const char* second_name(Op op) {
  return op == Op::Pow ? "exponent" : op == Op::Heaviside ? "values" : "other";
}

/// What every row's function says: `does` is how it is written.
std::string describe(Op op, const char* does, const std::string& example) {
  return fmt::format("{} = {}, element by element; shapes are broadcast.{}\n\nDtypes: {}.\n\n{}", does, formula(op),
                     note(op), words(accepted(op)), example);
}

std::string example(const char* name, const char* x, const char* rest) {
  return fmt::format(">>> x = luge.tensor({1})\n>>> luge.{0}(x{2}).equal(x.{0}({3}))\nTrue", name, x, rest,
                     rest[0] ? rest + 2 : "");
}

// ---- calls

using Binary = Tensor (*)(const Tensor&, const Tensor&);
using BinaryNumber = Tensor (*)(const Tensor&, Scalar);
using NumberBinary = Tensor (*)(Scalar, const Tensor&);

struct Two {
  const char* name;
  Binary tensors;
  BinaryNumber number;
  NumberBinary reflected;
};

/// Nothing where one is a tensor and the other neither a tensor, a number nor a NumPy array.
std::optional<Tensor> apply(const Two& f, nb::handle a, nb::handle b) {
  if (is_tensor(a)) {
    const Tensor& x = as_tensor(a);
    if (is_tensor(b)) {
      const Tensor& y = as_tensor(b);
      const Unlocked unlocked(x, y);
      return f.tensors(x, y);
    }
    if (const std::optional<Scalar> value = number(b)) {
      const Unlocked unlocked(x);
      return f.number(x, *value);
    }
    const std::optional<Tensor> y = numpy_operand(f.name, b);
    if (!y) return std::nullopt;
    const Unlocked unlocked(x, *y);
    return f.tensors(x, *y);
  }
  if (!is_tensor(b)) return std::nullopt;
  const Tensor& y = as_tensor(b);
  if (const std::optional<Scalar> value = number(a)) {
    const Unlocked unlocked(y);
    return f.reflected(*value, y);
  }
  const std::optional<Tensor> x = numpy_operand(f.name, a);
  if (!x) return std::nullopt;
  const Unlocked unlocked(*x, y);
  return f.tensors(*x, y);
}

/// By name: two::add, two::lt, ...
namespace two {
#define LUGE_ROW(function, ...) constexpr Two function{#function, &luge::function, &luge::function, &luge::function};
LUGE_BINARY_OPS(LUGE_ROW)
LUGE_COMPARE_OPS(LUGE_ROW)
#undef LUGE_ROW
}  // namespace two

Tensor called(const char* name, const Two& f, nb::handle a, nb::handle b) {
  if (std::optional<Tensor> result = apply(f, a, b)) return *std::move(result);
  throw TypeError(
      fmt::format("{}: input is of type {} and other of type {}; one must be a tensor, the other a tensor or a number",
                  name, type_of(a), type_of(b)));
}

// ---- operators

/// The operator of a slot; NotImplemented where the other operand is of a type that luge does not know.
template <class Call>
PyObject* guarded(const Call& call) noexcept {
  try {
    return call();
  } catch (...) {
    set_error();
    return nullptr;
  }
}

PyObject* not_implemented() {
  Py_INCREF(Py_NotImplemented);
  return Py_NotImplemented;
}

#define LUGE_OPERATOR(slot, function)                                               \
  PyObject* slot(PyObject* a, PyObject* b) noexcept {                               \
    return guarded([&]() -> PyObject* {                                             \
      std::optional<Tensor> result = apply(two::function, a, b);                    \
      return result ? wrap(*std::move(result)).release().ptr() : not_implemented(); \
    });                                                                             \
  }
LUGE_OPERATOR(operator_add, add)
LUGE_OPERATOR(operator_sub, sub)
LUGE_OPERATOR(operator_mul, mul)
LUGE_OPERATOR(operator_div, div)
LUGE_OPERATOR(operator_and, bitwise_and)
LUGE_OPERATOR(operator_or, bitwise_or)
LUGE_OPERATOR(operator_xor, bitwise_xor)
#undef LUGE_OPERATOR

PyObject* operator_pow(PyObject* a, PyObject* b, PyObject* modulus) noexcept {
  return guarded([&]() -> PyObject* {
    if (modulus != Py_None) return not_implemented();
    std::optional<Tensor> result = apply(two::pow, a, b);
    return result ? wrap(*std::move(result)).release().ptr() : not_implemented();
  });
}

PyObject* operator_matmul(PyObject* a, PyObject* b) noexcept {
  return guarded([&]() -> PyObject* {
    const auto read = [](PyObject* given) {
      return is_tensor(given) ? std::optional<Tensor>(as_tensor(given)) : numpy_operand("matmul", given);
    };
    const std::optional<Tensor> x = read(a), y = read(b);
    if (!x || !y) return not_implemented();
    Tensor result;
    {
      const Unlocked unlocked(Unlocked::product(*x, *y));
      result = matmul(*x, *y);
    }
    return wrap(std::move(result)).release().ptr();
  });
}

PyObject* operator_invert(PyObject* a) noexcept {
  return guarded([&]() -> PyObject* {
    const Tensor& x = self_of(a);
    Tensor result;
    {
      const Unlocked unlocked(x);
      result = bitwise_not(x);
    }
    return wrap(std::move(result)).release().ptr();
  });
}
PyObject* operator_neg(PyObject* a) noexcept {
  return guarded([&]() -> PyObject* {
    const Tensor& x = self_of(a);
    Tensor result;
    {
      const Unlocked unlocked(x);
      result = neg(x);
    }
    return wrap(std::move(result)).release().ptr();
  });
}
PyObject* operator_pos(PyObject* a) noexcept {
  Py_INCREF(a);
  return a;
}
PyObject* operator_abs(PyObject* a) noexcept {
  return guarded([&]() -> PyObject* { return wrap(luge::abs(self_of(a))).release().ptr(); });
}

#define LUGE_OPERATOR(slot, method)                                               \
  PyObject* slot(PyObject* a, PyObject* b) noexcept {                             \
    return guarded([&]() -> PyObject* {                                           \
      Tensor& x = self_of(a);                                                     \
      if (is_tensor(b)) {                                                         \
        const Unlocked unlocked(x);                                               \
        x.method(as_tensor(b));                                                   \
      } else if (const std::optional<Scalar> value = number(b)) {                 \
        const Unlocked unlocked(x);                                               \
        x.method(*value);                                                         \
      } else if (const std::optional<Tensor> other = numpy_operand(#method, b)) { \
        const Unlocked unlocked(x);                                               \
        x.method(*other);                                                         \
      } else {                                                                    \
        return not_implemented();                                                 \
      }                                                                           \
      Py_INCREF(a);                                                               \
      return a;                                                                   \
    });                                                                           \
  }
LUGE_OPERATOR(operator_iadd, add_)
LUGE_OPERATOR(operator_isub, sub_)
LUGE_OPERATOR(operator_imul, mul_)
LUGE_OPERATOR(operator_idiv, div_)
LUGE_OPERATOR(operator_iand, bitwise_and_)
LUGE_OPERATOR(operator_ior, bitwise_or_)
LUGE_OPERATOR(operator_ixor, bitwise_xor_)
#undef LUGE_OPERATOR

PyObject* compare(PyObject* a, PyObject* b, int how) noexcept {
  return guarded([&]() -> PyObject* {
    static constexpr std::array<Two, 6> kComparisons = {two::lt, two::le, two::eq, two::ne, two::gt, two::ge};
    std::optional<Tensor> result = apply(kComparisons[static_cast<std::size_t>(how)], a, b);
    return result ? wrap(*std::move(result)).release().ptr() : not_implemented();
  });
}

/// (function, formula, dtypes) of every row: for tests, which hold the function against the formula.
nb::list rows() {
  nb::list all;
  constexpr const char* kNames[] = {"float", "numeric", "any", "logical", "integral"};
  for (int i = 0; i < kOpCount; ++i) {
    const auto op = static_cast<Op>(i);
    all.append(nb::make_tuple(name(op), formula(op), kNames[static_cast<int>(accepted(op))]));
  }
  return all;
}

}  // namespace

PyType_Slot* operator_slots() {
  static PyType_Slot slots[] = {{Py_nb_add, reinterpret_cast<void*>(operator_add)},
                                {Py_nb_subtract, reinterpret_cast<void*>(operator_sub)},
                                {Py_nb_multiply, reinterpret_cast<void*>(operator_mul)},
                                {Py_nb_true_divide, reinterpret_cast<void*>(operator_div)},
                                {Py_nb_power, reinterpret_cast<void*>(operator_pow)},
                                {Py_nb_matrix_multiply, reinterpret_cast<void*>(operator_matmul)},
                                {Py_nb_and, reinterpret_cast<void*>(operator_and)},
                                {Py_nb_or, reinterpret_cast<void*>(operator_or)},
                                {Py_nb_xor, reinterpret_cast<void*>(operator_xor)},
                                {Py_nb_invert, reinterpret_cast<void*>(operator_invert)},
                                {Py_nb_negative, reinterpret_cast<void*>(operator_neg)},
                                {Py_nb_positive, reinterpret_cast<void*>(operator_pos)},
                                {Py_nb_absolute, reinterpret_cast<void*>(operator_abs)},
                                {Py_nb_inplace_add, reinterpret_cast<void*>(operator_iadd)},
                                {Py_nb_inplace_subtract, reinterpret_cast<void*>(operator_isub)},
                                {Py_nb_inplace_multiply, reinterpret_cast<void*>(operator_imul)},
                                {Py_nb_inplace_true_divide, reinterpret_cast<void*>(operator_idiv)},
                                {Py_nb_inplace_and, reinterpret_cast<void*>(operator_iand)},
                                {Py_nb_inplace_or, reinterpret_cast<void*>(operator_ior)},
                                {Py_nb_inplace_xor, reinterpret_cast<void*>(operator_ixor)},
                                {Py_tp_richcompare, reinterpret_cast<void*>(compare)},
                                {0, nullptr}};
  return slots;
}

void bind_elementwise(nb::module_& m, nb::class_<Tensor>& tensor) {
  m.def("_rows", &rows);
  // One input, and parameters.
#define LUGE_ARGUMENT(name, value) , nb::arg(#name) = value
#define LUGE_MORE_LISTED(name, value) , name
#define LUGE_ROW(function, Formula, dtypes, text, ...)                                                           \
  {                                                                                                              \
    const char* const at = Op::Formula == Op::Acosh ? "[1.25, 2.5]" : "[0.25, 0.5]";                             \
    const std::string doc = describe(Op::Formula, #function "(x)", example(#function, at, ""));                  \
    const auto call = [](const Tensor& x LUGE_PARAMETERS(LUGE_MORE_DEFINED, LUGE_MORE_DEFINED, __VA_ARGS__)) {   \
      const Unlocked unlocked(x);                                                                                \
      return luge::function(x LUGE_PARAMETERS(LUGE_MORE_LISTED, LUGE_MORE_LISTED, __VA_ARGS__));                 \
    };                                                                                                           \
    if (Op::Formula != Op::Polygamma) {                                                                          \
      m.def(#function, call, "input"_a LUGE_PARAMETERS(LUGE_ARGUMENT, LUGE_ARGUMENT, __VA_ARGS__), doc.c_str()); \
      tensor.def(#function, call, doc.c_str() LUGE_PARAMETERS(LUGE_ARGUMENT, LUGE_ARGUMENT, __VA_ARGS__));       \
    }                                                                                                            \
  }
  LUGE_UNARY_OPS(LUGE_ROW)
  LUGE_TEST_OPS(LUGE_ROW)
#undef LUGE_ROW
#undef LUGE_MORE_LISTED
#undef LUGE_ARGUMENT

  // PyTorch has the order of the derivative first.
  const std::string of_order = describe(Op::Polygamma, "polygamma(n, x)",
                                        ">>> x = luge.tensor([0.25, 0.5])\n"
                                        ">>> luge.polygamma(1, x).equal(x.polygamma(1))\nTrue");
  const std::string orders = "The derivative of digamma of order n, 0 or more. " + of_order;
  const auto derivative = [](int n, const Tensor& x) {
    const Unlocked unlocked(x);
    return polygamma(x, n);
  };
  m.def("polygamma", derivative, "n"_a, "input"_a, orders.c_str());
  tensor.def(
      "polygamma", [derivative](const Tensor& x, int n) { return derivative(n, x); }, "n"_a, orders.c_str());

  // Two inputs.
#define LUGE_ROW(function, Formula, ...)                                                                    \
  {                                                                                                         \
    const std::string doc = describe(Op::Formula, #function "(a, b)",                                       \
                                     accepted(Op::Formula) == DTypes::Integral                              \
                                         ? example(#function, "[1, 6]", ", luge.tensor([3, 4])")            \
                                         : example(#function, "[0.25, 0.5]", ", luge.tensor([0.5, 2.0])")); \
    const auto call = [](nb::handle a, nb::handle b) { return called(#function, two::function, a, b); };    \
    const char* const second = second_name(Op::Formula);                                                    \
    const auto sig = [&](const char* first) {                                                               \
      return fmt::format("def " #function "({}, {}: Tensor | float) -> Tensor", first, second);             \
    };                                                                                                      \
    m.def(#function, call, "input"_a.none(), nb::arg(second).none(), doc.c_str(),                           \
          nb::sig(sig("input: Tensor | float").c_str()));                                                   \
    tensor.def(#function, call, nb::arg(second).none(), doc.c_str(), nb::sig(sig("self").c_str()));         \
  }
  LUGE_BINARY_OPS(LUGE_ROW)
  LUGE_COMPARE_OPS(LUGE_ROW)
#undef LUGE_ROW

  // Three inputs, the last one a number, too.
#define LUGE_ROW(function, Formula, dtypes, text, second, third)                                                   \
  {                                                                                                                \
    const std::string doc = describe(Op::Formula, #function "(a, b, c)",                                           \
                                     example(#function, "[0.25, 0.5]", ", luge.tensor([0.5, 2.0]), 0.25"));        \
    const auto call = [](const Tensor& a, const Tensor& b, nb::handle c) {                                         \
      if (is_tensor(c)) {                                                                                          \
        const Unlocked unlocked(a.numel() > b.numel() ? a : b, as_tensor(c));                                      \
        return luge::function(a, b, as_tensor(c));                                                                 \
      }                                                                                                            \
      const Scalar number = scalar(#function, #third, c);                                                          \
      const Unlocked unlocked(a, b);                                                                               \
      return luge::function(a, b, number);                                                                         \
    };                                                                                                             \
    m.def(#function, call, "input"_a, nb::arg(#second), nb::arg(#third).none(), doc.c_str(),                       \
          nb::sig("def " #function "(input: Tensor, " #second ": Tensor, " #third ": Tensor | float) -> Tensor")); \
    tensor.def(#function, call, nb::arg(#second), nb::arg(#third).none(), doc.c_str(),                             \
               nb::sig("def " #function "(self, " #second ": Tensor, " #third ": Tensor | float) -> Tensor"));     \
  }
  LUGE_TERNARY_OPS(LUGE_ROW)
#undef LUGE_ROW

  const char* const not_text =
      "Every bit of an integer the other way round, logical_not of bools: ~x.\n\n"
      ">>> luge.bitwise_not(luge.tensor([0, 5]))\ntensor([-1, -6])";
  const auto inverted = [](const Tensor& x) {
    const Unlocked unlocked(x);
    return bitwise_not(x);
  };
  m.def("bitwise_not", inverted, "input"_a, not_text);
  tensor.def("bitwise_not", inverted, not_text);

  const auto clamped = [](const Tensor& x, nb::handle low, nb::handle high) {
    if (!is_tensor(low) && !is_tensor(high)) {
      const auto bound = [](const char* argument, nb::handle value) {
        return value.is_none() ? std::optional<Scalar>() : scalar("clamp", argument, value);
      };
      const std::optional<Scalar> from = bound("min", low), to = bound("max", high);
      const Unlocked unlocked(x);
      return clamp(x, from, to);
    }
    const auto bound = [](nb::handle value) {
      if (value.is_none()) return Tensor();
      if (!is_tensor(value))
        throw nb::type_error(
            "clamp: one of min and max is a tensor and the other is not; both must be tensors or numbers");
      return as_tensor(value);
    };
    const Tensor from = bound(low), to = bound(high);
    const Unlocked unlocked(x);
    return clamp(x, from, to);
  };
  const std::string doc = fmt::format(
      "clamp(x) = {}, element by element, with low = `min` and high = `max`: two numbers or two tensors, which are "
      "broadcast; either may be missing. Where min lies above max, the result is max; a bound of NaN gives NaN.\n\n"
      "Dtypes: integer and floating ones; bool is converted to int64 first, integers with a floating bound to "
      "float32.\n\n{}",
      formula(Op::Clamp), example("clamp", "[0.25, 0.5]", ", 0.3, 1.0"));
  constexpr const char* kBounds = "min: Tensor | float | None = None, max: Tensor | float | None = None) -> Tensor";
  m.def("clamp", clamped, "input"_a, "min"_a = nb::none(), "max"_a = nb::none(), doc.c_str(),
        nb::sig(fmt::format("def clamp(input: Tensor, {}", kBounds).c_str()));
  tensor.def("clamp", clamped, "min"_a = nb::none(), "max"_a = nb::none(), doc.c_str(),
             nb::sig(fmt::format("def clamp(self, {}", kBounds).c_str()));

  // Where.
  const auto choose = [](const Tensor& condition, nb::handle a, nb::handle b) {
    if (is_tensor(a) && is_tensor(b)) {
      const Unlocked unlocked(condition, as_tensor(a));
      return where(condition, as_tensor(a), as_tensor(b));
    }
    if (is_tensor(a)) return where(condition, as_tensor(a), scalar("where", "other", b));
    const Scalar first = scalar("where", "input", a);
    return is_tensor(b) ? where(condition, first, as_tensor(b)) : where(condition, first, scalar("where", "other", b));
  };
  m.def("where", choose, "condition"_a, "input"_a.none(), "other"_a.none(),
        nb::sig("def where(condition: Tensor, input: Tensor | float, other: Tensor | float) -> Tensor"),
        describe(Op::Where, "where(c, a, b)",
                 ">>> x = luge.tensor([-1.0, 2.0])\n>>> luge.where(x > 0, x, 0)\ntensor([0., 2.])")
            .c_str());
  tensor.def(
      "where",
      [choose](const Tensor& x, const Tensor& condition, nb::handle other) {
        return choose(condition, nb::cast(x), other);
      },
      "condition"_a, "other"_a, nb::sig("def where(self, condition: Tensor, other: Tensor | float) -> Tensor"),
      "where(condition, self, other).");
}

}  // namespace luge::python
