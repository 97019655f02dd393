// Arithmetic with keywords of its own, and what is made of it: arithmetic.h.

#include <luge/ops/arithmetic.h>

#include <fmt/format.h>

#include <luge/ops/result_type.h>

#include "one.h"

namespace luge::python {

namespace {

constexpr const char* kInPlace = "In place; returns the tensor itself.";

bool is_one(nb::handle alpha) { return PyLong_CheckExact(alpha.ptr()) && PyLong_AsLong(alpha.ptr()) == 1; }

/// The product of two numbers in their common kind.
Scalar times(Scalar a, Scalar b) {
  if (a.kind() == Scalar::Kind::Float || b.kind() == Scalar::Kind::Float) return a.to_double() * b.to_double();
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a.to_int64()) * static_cast<std::uint64_t>(b.to_int64()));
}

// ---- alpha

/// a + alpha b and a - alpha b.
struct Scaled {
  Two plain;
  Tensor (*tensors)(const Tensor&, const Tensor&, Scalar);
};
constexpr Scaled kAdd = {two::add, &add}, kSub = {two::sub, &sub};

Tensor scaled_sum(const Scaled& f, nb::handle a, nb::handle b, nb::handle alpha) {
  const char* const op = f.plain.name;
  if (is_one(alpha)) return called(op, f.plain, a, b);
  const Scalar factor = scalar(op, "alpha", alpha);
  const std::optional<Scalar> first = is_tensor(a) ? std::nullopt : number(a),
                              second = is_tensor(b) ? std::nullopt : number(b);
  if (second && is_tensor(a)) {
    if (factor.kind() == Scalar::Kind::Float && !is_floating(result_type(as_tensor(a), *second)))
      throw DTypeError(fmt::format("{}: alpha is {} and the result is {}; alpha must be an integer there", op,
                                   factor.to_double(), name(result_type(as_tensor(a), *second))));
    return f.plain.number(as_tensor(a), times(*second, factor));
  }
  const Tensor y = operand(op, "other", b);
  if (first) return f.plain.reflected(*first, scaled(op, y, factor, result_type(y, *first)));
  const Tensor x = operand(op, "input", a);
  const Unlocked unlocked(x, y);
  return f.tensors(x, y, factor);
}

void def_scaled(nb::module_& m, nb::class_<Tensor>& tensor, const Scaled& f, const char* sign, bool in_place_too) {
  for (const std::string& name : names_of(f.plain.name)) {
    const std::string doc = fmt::format(
        "{0}(a, b) = a {1} b, element by element, and a {1} alpha * b; shapes are broadcast. `alpha` must be an integer where the "
        "result is one.\n\nDtypes: integer and floating ones; {2}.\n\n>>> luge.{0}(luge.tensor([1, 2]), 3, "
        "alpha=2)\ntensor([{3}])",
        name, sign, *sign == '+' ? "of bools it is or" : "bool is a DTypeError", *sign == '+' ? "7, 8" : "-5, -4");
    m.def(
        name.c_str(),
        [f = &f](nb::handle a, nb::handle b, nb::handle alpha, nb::handle out) {
          return written(f->plain.name, scaled_sum(*f, a, b, alpha), out);
        },
        "input"_a.none(), "other"_a.none(), nb::kw_only(), "alpha"_a = 1, "out"_a = nb::none(), doc.c_str(),
        nb::sig(fmt::format("def {}(input: Tensor | float, other: Tensor | float, *, alpha: float = 1, out: Tensor | "
                            "None = None) -> Tensor",
                            name)
                    .c_str()));
    tensor.def(
        name.c_str(), [f = &f](nb::handle a, nb::handle b, nb::handle alpha) { return scaled_sum(*f, a, b, alpha); },
        "other"_a.none(), nb::kw_only(), "alpha"_a = 1, doc.c_str(),
        nb::sig(fmt::format("def {}(self, other: Tensor | float, *, alpha: float = 1) -> Tensor", name).c_str()));
    if (!in_place_too) continue;
    tensor.def(
        (name + "_").c_str(),
        [f = &f, adds = *sign == '+'](nb::handle self, nb::handle other, nb::handle alpha) {
          Tensor& x = self_of(self);
          const std::optional<Scalar> value = is_tensor(other) ? std::nullopt : number(other);
          if (!is_one(alpha) || (!value && !is_tensor(other)))
            return in_place(f->plain.name, self, {other},
                            [&](const Tensor& before) { return scaled_sum(*f, wrap(before), other, alpha); });
          {
            const Unlocked unlocked(x);
            if (value)
              adds ? x.add_(*value) : x.sub_(*value);
            else
              adds ? x.add_(as_tensor(other)) : x.sub_(as_tensor(other));
          }
          return nb::borrow(self);
        },
        "other"_a.none(), nb::kw_only(), "alpha"_a = 1, kInPlace,
        nb::sig(fmt::format("def {}_(self, other: Tensor | float, *, alpha: float = 1) -> Tensor", name).c_str()));
  }
}

// ---- division

Tensor divided(nb::handle a, nb::handle b, const std::optional<std::string>& rounding) {
  static constexpr Two kTrunc = {"div", &trunc_divide, &trunc_divide, &trunc_divide};
  if (!rounding) return called("div", two::div, a, b);
  if (*rounding == "floor") return called("div", two::floor_divide, a, b);
  if (*rounding == "trunc") return called("div", kTrunc, a, b);
  throw ValueError(
      fmt::format("div: rounding_mode is '{}'; it must be None, 'trunc' or 'floor'", *rounding));
}

void def_division(nb::module_& m, nb::class_<Tensor>& tensor, const std::string& name, bool rounds) {
  const std::string doc = fmt::format(
      "{0}(a, b) = a / b, element by element; shapes are broadcast. Dtypes: floating ones; integers and bool are "
      "converted to float32 first.{1}\n\n>>> luge.{0}(luge.tensor([7.0, -7.0]), 2)\ntensor([ 3.5000, -3.5000])",
      name,
      rounds ? "\n\n`rounding_mode`: 'trunc' rounds the quotient towards zero and 'floor' down; integers then stay "
               "integers. Raises ValueError for another one."
             : "");
  const std::string mode = rounds ? ", *, rounding_mode: str | None = None" : "";
  const auto sig = [&](const std::string& of, const char* self, bool out) {
    return fmt::format("def {}({}, other: Tensor | float{}{}) -> Tensor", of, self, mode,
                       out ? rounds ? ", out: Tensor | None = None" : ", *, out: Tensor | None = None" : "");
  };
  const auto changed = [](nb::handle self, nb::handle other, const std::optional<std::string>& rounding) {
    Tensor& x = self_of(self);
    const std::optional<Scalar> value = is_tensor(other) ? std::nullopt : number(other);
    if (rounding || (!value && !is_tensor(other)))
      return in_place("div_", self, {other}, [&](const Tensor& before) { return divided(wrap(before), other, rounding); });
    {
      const Unlocked unlocked(x);
      value ? x.div_(*value) : x.div_(as_tensor(other));
    }
    return nb::borrow(self);
  };
  if (rounds) {
    m.def(
        name.c_str(),
        [](nb::handle a, nb::handle b, const std::optional<std::string>& rounding, nb::handle out) {
          return written("div", divided(a, b, rounding), out);
        },
        "input"_a.none(), "other"_a.none(), nb::kw_only(), "rounding_mode"_a = nb::none(), "out"_a = nb::none(),
        doc.c_str(), nb::sig(sig(name, "input: Tensor | float", true).c_str()));
    tensor.def(name.c_str(), &divided, "other"_a.none(), nb::kw_only(), "rounding_mode"_a = nb::none(), doc.c_str(),
               nb::sig(sig(name, "self", false).c_str()));
    tensor.def((name + "_").c_str(), changed, "other"_a.none(), nb::kw_only(), "rounding_mode"_a = nb::none(), kInPlace,
               nb::sig(sig(name + "_", "self", false).c_str()));
    return;
  }
  m.def(
      name.c_str(), [](nb::handle a, nb::handle b, nb::handle out) { return written("div", divided(a, b, {}), out); },
      "input"_a.none(), "other"_a.none(), nb::kw_only(), "out"_a = nb::none(), doc.c_str(),
      nb::sig(sig(name, "input: Tensor | float", true).c_str()));
  tensor.def(
      name.c_str(), [](nb::handle a, nb::handle b) { return divided(a, b, {}); }, "other"_a.none(), doc.c_str(),
      nb::sig(sig(name, "self", false).c_str()));
  tensor.def(
      (name + "_").c_str(), [changed](nb::handle self, nb::handle other) { return changed(self, other, {}); },
      "other"_a.none(), kInPlace, nb::sig(sig(name + "_", "self", false).c_str()));
}

// ---- sums of products

void def_product(nb::module_& m, nb::class_<Tensor>& tensor, const char* name,
                 Tensor (*f)(const Tensor&, const Tensor&, const Tensor&, Scalar), const char* doc) {
  const auto call = [name, f](const Tensor& x, const Tensor& a, const Tensor& b, nb::handle value) {
    const Scalar factor = scalar(name, "value", is_tensor(value) && as_tensor(value).ndim() == 0
                                                    ? nb::object(value.attr("item")())
                                                    : nb::borrow(value));
    const Unlocked unlocked(x, a);
    return f(x, a, b, factor);
  };
  m.def(
      name,
      [name, call](const Tensor& x, const Tensor& a, const Tensor& b, nb::handle value, nb::handle out) {
        return written(name, call(x, a, b, value), out);
      },
      "input"_a, "tensor1"_a, "tensor2"_a, nb::kw_only(), "value"_a = 1, "out"_a = nb::none(), doc,
      nb::sig(fmt::format("def {}(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1, out: Tensor | "
                          "None = None) -> Tensor",
                          name)
                  .c_str()));
  tensor.def(
      name, call, "tensor1"_a, "tensor2"_a, nb::kw_only(), "value"_a = 1, doc,
      nb::sig(
          fmt::format("def {}(self, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor", name).c_str()));
  const std::string changed = std::string(name) + "_";
  tensor.def(
      changed.c_str(),
      [name, call](nb::handle self, nb::handle a, nb::handle b, nb::handle value) {
        return in_place(name, self, {a, b}, [&](const Tensor& x) {
          return call(x, operand(name, "tensor1", a), operand(name, "tensor2", b), value);
        });
      },
      "tensor1"_a, "tensor2"_a, nb::kw_only(), "value"_a = 1, kInPlace,
      nb::sig(fmt::format("def {}(self, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor", changed)
                  .c_str()));
}

// ---- functions of one or two arguments

constexpr Two kFloatPower = {"float_power", &float_power, &float_power, &float_power};
constexpr Two kLdexp = {"ldexp", &ldexp, &ldexp, [](Scalar a, const Tensor& b) {
                          return ldexp(scalar(a, {.dtype = a.default_dtype(), .device = b.device()}), b);
                        }};

void def_two(nb::module_& m, nb::class_<Tensor>& tensor, const Two& f, const char* doc) {
  m.def(
      f.name,
      [f = &f](nb::handle a, nb::handle b, nb::handle out) { return written(f->name, called(f->name, *f, a, b), out); },
      "input"_a.none(), "other"_a.none(), nb::kw_only(), "out"_a = nb::none(), doc,
      nb::sig(fmt::format("def {}(input: Tensor | float, other: Tensor | float, *, out: Tensor | None = None) -> Tensor",
                          f.name)
                  .c_str()));
  tensor.def(
      f.name, [f = &f](nb::handle a, nb::handle b) { return called(f->name, *f, a, b); }, "other"_a.none(), doc,
      nb::sig(fmt::format("def {}(self, other: Tensor | float) -> Tensor", f.name).c_str()));
  const std::string changed = std::string(f.name) + "_";
  tensor.def(
      changed.c_str(),
      [f = &f](nb::handle self, nb::handle other) {
        if (f == &kFloatPower && self_of(self).dtype() != DType::Float64)
          throw DTypeError(fmt::format("float_power_: the tensor is {} and the result is float64; it must be float64",
                                       name(self_of(self).dtype())));
        return in_place(f->name, self, {other}, [&](const Tensor& x) { return called(f->name, *f, wrap(x), other); });
      },
      "other"_a.none(), kInPlace,
      nb::sig(fmt::format("def {}(self, other: Tensor | float) -> Tensor", changed).c_str()));
}

/// The rows of one input, or their relatives, that take an int: round, frac, and two integers' divisors.
void def_rounding(nb::module_& m, nb::class_<Tensor>& tensor) {
  const auto rounded = [](const Tensor& x, int decimals) {
    const Unlocked unlocked(x);
    return round(x, decimals);
  };
  const char* const text =
      "round(x), element by element: ties go to the even neighbour. `decimals`: digits that stay, negative ones before the "
      "point; of integers none may be asked for (DTypeError).\n\nDtypes: integer and floating ones; bool is a DTypeError."
      "\n\n>>> luge.round(luge.tensor([2.5, 1.25]), decimals=1)\ntensor([2.5000, 1.2000])";
  m.def(
      "round",
      [rounded](const Tensor& x, int decimals, nb::handle out) { return written("round", rounded(x, decimals), out); },
      "input"_a, nb::kw_only(), "decimals"_a = 0, "out"_a = nb::none(), text,
      nb::sig("def round(input: Tensor, *, decimals: int = 0, out: Tensor | None = None) -> Tensor"));
  tensor.def("round", rounded, nb::kw_only(), "decimals"_a = 0, text);
  tensor.def(
      "__round__",
      [rounded](const Tensor& x, std::optional<int> digits) { return rounded(x, digits.value_or(0)); },
      "ndigits"_a = nb::none(), "round(x, decimals=ndigits).");
  tensor.def(
      "round_",
      [rounded](nb::handle self, int decimals) {
        return in_place("round_", self, {}, [&](const Tensor& x) { return rounded(x, decimals); });
      },
      nb::kw_only(), "decimals"_a = 0, kInPlace, nb::sig("def round_(self, *, decimals: int = 0) -> Tensor"));
  def_unary(m, tensor, "frac", "",
            "x - trunc(x), element by element. Raises DTypeError for anything but floating dtypes.\n\n"
            ">>> luge.frac(luge.tensor([1.5, -0.25]))\ntensor([ 0.5000, -0.2500])",
            &frac);
}

void def_divisors(nb::module_& m, nb::class_<Tensor>& tensor, const char* name, Tensor (*f)(const Tensor&, const Tensor&),
                  const char* doc) {
  const auto call = [f](const Tensor& a, const Tensor& b) {
    const Unlocked unlocked(a, b);
    return f(a, b);
  };
  m.def(
      name, [name, call](const Tensor& a, const Tensor& b, nb::handle out) { return written(name, call(a, b), out); },
      "input"_a, "other"_a, nb::kw_only(), "out"_a = nb::none(), doc,
      nb::sig(fmt::format("def {}(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor", name).c_str()));
  tensor.def(name, call, "other"_a, doc);
  const std::string changed = std::string(name) + "_";
  tensor.def(
      changed.c_str(),
      [name, call](nb::handle self, const Tensor& b) {
        return in_place(name, self, {}, [&](const Tensor& x) { return call(x, b); });
      },
      "other"_a, kInPlace, nb::sig(fmt::format("def {}(self, other: Tensor) -> Tensor", changed).c_str()));
}

}  // namespace

void bind_arithmetic(nb::module_& m, nb::class_<Tensor>& tensor) {
  def_scaled(m, tensor, kAdd, "+", true);
  def_scaled(m, tensor, kSub, "-", true);
  m.def(
      "rsub",
      [](nb::handle a, nb::handle b, nb::handle alpha) { return scaled_sum(kSub, b, a, alpha); }, "input"_a.none(),
      "other"_a.none(), nb::kw_only(), "alpha"_a = 1,
      "rsub(a, b) = b - alpha * a, element by element; as sub.\n\n>>> luge.rsub(luge.tensor([1, 2]), 3)\ntensor([2, 1])",
      nb::sig("def rsub(input: Tensor | float, other: Tensor | float, *, alpha: float = 1) -> Tensor"));
  def_rounding(m, tensor);
  def_divisors(m, tensor, "gcd", &gcd,
               "The greatest common divisor of integers, 0 or more; broadcast. Raises DTypeError for other dtypes.\n\n"
               ">>> luge.gcd(luge.tensor([12, -8]), luge.tensor([18, 0]))\ntensor([6, 8])");
  def_divisors(m, tensor, "lcm", &lcm,
               "The least common multiple of integers, 0 or more; broadcast. Raises DTypeError for other dtypes.\n\n"
               ">>> luge.lcm(luge.tensor([4, 3]), luge.tensor([6, 0]))\ntensor([12,  0])");
  def_division(m, tensor, "div", true);
  def_division(m, tensor, "divide", true);
  def_division(m, tensor, "true_divide", false);
  def_product(m, tensor, "addcmul", &addcmul,
              "input + value * tensor1 * tensor2, element by element; shapes are broadcast. For integers `value` is cut "
              "off. Raises DTypeError for bools.\n\n>>> luge.addcmul(luge.ones(2), luge.tensor([1., 2.]), "
              "luge.tensor([3., 4.]), value=0.5)\ntensor([2.5000, 5.0000])");
  def_product(m, tensor, "addcdiv", &addcdiv,
              "input + value * tensor1 / tensor2, element by element; shapes are broadcast. Raises DTypeError where "
              "both are integers.\n\n>>> luge.addcdiv(luge.ones(2), luge.tensor([1., 2.]), luge.tensor([2., 4.]), "
              "value=0.5)\ntensor([1.2500, 1.2500])");
  def_two(m, tensor, kFloatPower,
          "float_power(a, b) = a ** b in float64, whatever the dtypes are.\n\n"
          ">>> luge.float_power(luge.tensor([2, 3]), 2)\ntensor([4., 9.], dtype=float64)");
  def_two(m, tensor, kLdexp,
          "ldexp(a, b) = a * 2 ** b, element by element; of integers float32.\n\n"
          ">>> luge.ldexp(luge.tensor([1.0, 3.0]), luge.tensor([1, -1]))\ntensor([2.0000, 1.5000])");
}

}  // namespace luge::python
