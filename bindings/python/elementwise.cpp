// The elementwise operations as functions and methods, one for every row of core/luge/math/op_table.h.

#include <string>
#include <string_view>

#include <fmt/format.h>

#include "operands.h"

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

/// What every row's function says: `does` is how it is written.
std::string describe(Op op, const std::string& does, const std::string& example) {
  return fmt::format("{} = {}, element by element; shapes are broadcast.{}\n\nDtypes: {}.\n\n{}", does, formula(op),
                     note(op), words(accepted(op)), example);
}

std::string example(const std::string& name, const char* x, const char* rest) {
  return fmt::format(">>> x = luge.tensor({1})\n>>> luge.{0}(x{2}).equal(x.{0}({3}))\nTrue", name, x, rest,
                     rest[0] ? rest + 2 : "");
}

/// Numbers that the function of one input has values for.
const char* values_for(const std::string& name) { return name == "acosh" || name == "arccosh" ? "[1.25, 2.5]" : "[0.25, 0.5]"; }

constexpr const char* kOut = "*, out: Tensor | None = None) -> Tensor";

// ---- one input

/// A row of one input and numbers: `parameters` are their declarations in Python.
template <class... P, class... Argument>
void def_one(nb::module_& m, nb::class_<Tensor>& tensor, const char* row, Op op, const char* parameters,
             Tensor (*f)(const Tensor&, P...), const Argument&... arguments) {
  for (const std::string& name : names_of(row)) {
    const std::string doc = describe(op, name + "(x)", example(name, values_for(name), ""));
    m.def(
        name.c_str(),
        [row, f](const Tensor& x, P... numbers, nb::handle out) {
          Tensor result;
          {
            const Unlocked unlocked(x);
            result = f(x, numbers...);
          }
          return written(row, std::move(result), out);
        },
        "input"_a, arguments..., nb::kw_only(), "out"_a = nb::none(), doc.c_str(),
        nb::sig(fmt::format("def {}(input: Tensor{}, {}", name, parameters, kOut).c_str()));
    tensor.def(
        name.c_str(),
        [f](const Tensor& x, P... numbers) {
          const Unlocked unlocked(x);
          return f(x, numbers...);
        },
        arguments..., doc.c_str());
  }
}

// ---- two inputs

void def_two(nb::module_& m, nb::class_<Tensor>& tensor, const Two& f, Op op) {
  const char* const second = second_name(f.name);
  for (const std::string& name : names_of(f.name)) {
    const std::string doc =
        describe(op, name + "(a, b)",
                 accepted(op) == DTypes::Integral ? example(name, "[1, 6]", ", luge.tensor([3, 4])")
                                                  : example(name, "[0.25, 0.5]", ", luge.tensor([0.5, 2.0])"));
    m.def(
        name.c_str(),
        [f = &f](nb::handle a, nb::handle b, nb::handle out) { return written(f->name, called(f->name, *f, a, b), out); },
        "input"_a.none(), nb::arg(second).none(), nb::kw_only(), "out"_a = nb::none(), doc.c_str(),
        nb::sig(fmt::format("def {}(input: Tensor | float, {}: Tensor | float, {}", name, second, kOut).c_str()));
    tensor.def(
        name.c_str(), [f = &f](nb::handle a, nb::handle b) { return called(f->name, *f, a, b); },
        nb::arg(second).none(), doc.c_str(),
        nb::sig(fmt::format("def {}(self, {}: Tensor | float) -> Tensor", name, second).c_str()));
  }
}

Tensor chosen(const Tensor& condition, nb::handle a, nb::handle b) {
  if (is_tensor(a) && is_tensor(b)) {
    const Unlocked unlocked(condition, as_tensor(a));
    return where(condition, as_tensor(a), as_tensor(b));
  }
  if (is_tensor(a)) return where(condition, as_tensor(a), scalar("where", "other", b));
  const Scalar first = scalar("where", "input", a);
  return is_tensor(b) ? where(condition, first, as_tensor(b)) : where(condition, first, scalar("where", "other", b));
}

/// Rows that have arguments of their own: below, and arithmetic.cpp.
bool is_own(std::string_view name) {
  return name == "add" || name == "sub" || name == "div" || name == "round" || name == "polygamma";
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

Tensor clamped(const char* op, const Tensor& x, nb::handle low, nb::handle high) {
  if (!is_tensor(low) && !is_tensor(high)) {
    const auto bound = [op](const char* argument, nb::handle value) {
      return value.is_none() ? std::optional<Scalar>() : scalar(op, argument, value);
    };
    const std::optional<Scalar> from = bound("min", low), to = bound("max", high);
    const Unlocked unlocked(x);
    return clamp(x, from, to);
  }
  const auto bound = [&](const char* argument, nb::handle value) {
    if (value.is_none()) return Tensor();
    if (is_tensor(value)) return as_tensor(value);
    const Scalar given = scalar(op, argument, value);
    return luge::scalar(given, {.dtype = promote(x.dtype(), given.kind()), .device = x.device()});
  };
  const Tensor from = bound("min", low), to = bound("max", high);
  for (const auto& [one, other] : {std::pair(low, to), std::pair(high, from)})
    if (!one.is_none() && !is_tensor(one) && other.ndim() > 0)
      throw TypeError(
          fmt::format("{}: one of min and max is a tensor of shape {} and the other a number; beside a number it must "
                      "have no dimensions",
                      op, to_string(other.shape())));
  const Unlocked unlocked(x);
  return clamp(x, from, to);
}

void bind_elementwise(nb::module_& m, nb::class_<Tensor>& tensor) {
  m.def("_rows", &rows);
#define LUGE_WORDS(name, value) ", " #name ": float = " #value
#define LUGE_ARGUMENT(name, value) , nb::arg(#name) = value
#define LUGE_TYPE(name, value) , double
#define LUGE_ROW(function, Formula, dtypes, text, ...)                                                                \
  if (!is_own(#function))                                                                                             \
    def_one(m, tensor, #function, Op::Formula, "" LUGE_PARAMETERS(LUGE_WORDS, LUGE_WORDS, __VA_ARGS__),               \
            static_cast<Tensor (*)(const Tensor& LUGE_PARAMETERS(LUGE_TYPE, LUGE_TYPE, __VA_ARGS__))>(&luge::function) \
                LUGE_PARAMETERS(LUGE_ARGUMENT, LUGE_ARGUMENT, __VA_ARGS__));
  LUGE_UNARY_OPS(LUGE_ROW)
  LUGE_TEST_OPS(LUGE_ROW)
#undef LUGE_ROW
#undef LUGE_TYPE
#undef LUGE_ARGUMENT
#undef LUGE_WORDS

  // PyTorch has the order of the derivative first.
  const std::string of_order = describe(Op::Polygamma, "polygamma(n, x)",
                                        ">>> x = luge.tensor([0.25, 0.5])\n"
                                        ">>> luge.polygamma(1, x).equal(x.polygamma(1))\nTrue");
  const std::string orders = "The derivative of digamma of order n, 0 or more. " + of_order;
  const auto derivative = [](int n, const Tensor& x) {
    const Unlocked unlocked(x);
    return polygamma(x, n);
  };
  m.def(
      "polygamma",
      [derivative](int n, const Tensor& x, nb::handle out) { return written("polygamma", derivative(n, x), out); }, "n"_a,
      "input"_a, nb::kw_only(), "out"_a = nb::none(), orders.c_str(),
      nb::sig(fmt::format("def polygamma(n: int, input: Tensor, {}", kOut).c_str()));
  tensor.def(
      "polygamma", [derivative](const Tensor& x, int n) { return derivative(n, x); }, "n"_a, orders.c_str());

#define LUGE_ROW(function, Formula, ...) \
  if (!is_own(#function)) def_two(m, tensor, two::function, Op::Formula);
  LUGE_BINARY_OPS(LUGE_ROW)
  LUGE_COMPARE_OPS(LUGE_ROW)
#undef LUGE_ROW

  // Three inputs, the last one a number, too.
#define LUGE_ROW(function, Formula, dtypes, text, second, third)                                                \
  {                                                                                                             \
    const std::string doc = describe(Op::Formula, #function "(a, b, c)",                                        \
                                     example(#function, "[0.25, 0.5]", ", luge.tensor([0.5, 2.0]), 0.25"));     \
    const auto call = [](const Tensor& a, const Tensor& b, nb::handle c) {                                      \
      if (is_tensor(c)) {                                                                                       \
        const Unlocked unlocked(a.numel() > b.numel() ? a : b, as_tensor(c));                                   \
        return luge::function(a, b, as_tensor(c));                                                              \
      }                                                                                                         \
      const Scalar number = scalar(#function, #third, c);                                                       \
      const Unlocked unlocked(a, b);                                                                            \
      return luge::function(a, b, number);                                                                      \
    };                                                                                                          \
    m.def(                                                                                                      \
        #function,                                                                                              \
        [call](const Tensor& a, const Tensor& b, nb::handle c, nb::handle out) {                                \
          return written(#function, call(a, b, c), out);                                                        \
        },                                                                                                      \
        "input"_a, nb::arg(#second), nb::arg(#third).none(), nb::kw_only(), "out"_a = nb::none(), doc.c_str(),  \
        nb::sig("def " #function "(input: Tensor, " #second ": Tensor, " #third                                 \
                ": Tensor | float, *, out: Tensor | None = None) -> Tensor"));                                  \
    tensor.def(#function, call, nb::arg(#second), nb::arg(#third).none(), doc.c_str(),                          \
               nb::sig("def " #function "(self, " #second ": Tensor, " #third ": Tensor | float) -> Tensor"));  \
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
  m.def(
      "bitwise_not",
      [inverted](const Tensor& x, nb::handle out) { return written("bitwise_not", inverted(x), out); }, "input"_a,
      nb::kw_only(), "out"_a = nb::none(), not_text,
      nb::sig(fmt::format("def bitwise_not(input: Tensor, {}", kOut).c_str()));
  tensor.def("bitwise_not", inverted, not_text);

  for (const std::string& name : names_of("clamp")) {
    const std::string doc = fmt::format(
        "{}(x) = {}, element by element, with low = `min` and high = `max`: numbers or tensors, which are broadcast; "
        "either may be missing. Where min lies above max, the result is max; a bound of NaN gives NaN.\n\n"
        "Dtypes: integer and floating ones; bool is converted to int64 first, integers with a floating bound to "
        "float32.\n\n{}",
        name, formula(Op::Clamp), example(name, "[0.25, 0.5]", ", 0.3, 1.0"));
    constexpr const char* kBounds = "min: Tensor | float | None = None, max: Tensor | float | None = None";
    m.def(
        name.c_str(),
        [](const Tensor& x, nb::handle low, nb::handle high, nb::handle out) {
          return written("clamp", clamped("clamp", x, low, high), out);
        },
        "input"_a, "min"_a = nb::none(), "max"_a = nb::none(), nb::kw_only(), "out"_a = nb::none(), doc.c_str(),
        nb::sig(fmt::format("def {}(input: Tensor, {}, {}", name, kBounds, kOut).c_str()));
    tensor.def(
        name.c_str(), [](const Tensor& x, nb::handle low, nb::handle high) { return clamped("clamp", x, low, high); },
        "min"_a = nb::none(), "max"_a = nb::none(), doc.c_str(),
        nb::sig(fmt::format("def {}(self, {}) -> Tensor", name, kBounds).c_str()));
  }

  m.def(
      "where",
      [](const Tensor& condition, nb::handle a, nb::handle b, nb::handle out) {
        return written("where", chosen(condition, a, b), out);
      },
      "condition"_a, "input"_a.none(), "other"_a.none(), nb::kw_only(), "out"_a = nb::none(),
      nb::sig(fmt::format("def where(condition: Tensor, input: Tensor | float, other: Tensor | float, {}", kOut).c_str()),
      describe(Op::Where, "where(c, a, b)",
               ">>> x = luge.tensor([-1.0, 2.0])\n>>> luge.where(x > 0, x, 0)\ntensor([0., 2.])")
          .c_str());
  tensor.def(
      "where",
      [](nb::handle x, const Tensor& condition, nb::handle other) { return chosen(condition, x, other); },
      "condition"_a, "other"_a, nb::sig("def where(self, condition: Tensor, other: Tensor | float) -> Tensor"),
      "where(condition, self, other).");
}

}  // namespace luge::python
