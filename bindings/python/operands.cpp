#include "operands.h"

#include <fmt/format.h>

#include "interchange.h"

namespace luge::python {

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

Tensor called(const char* name, const Two& f, nb::handle a, nb::handle b) {
  if (std::optional<Tensor> result = apply(f, a, b)) return *std::move(result);
  throw TypeError(
      fmt::format("{}: input is of type {} and other of type {}; one must be a tensor, the other a tensor or a number",
                  name, type_of(a), type_of(b)));
}

Tensor operand(const char* op, const char* argument, nb::handle given) {
  if (is_tensor(given)) return as_tensor(given);
  if (const std::optional<Scalar> value = number(given)) return scalar(*value);
  if (std::optional<Tensor> array = numpy_operand(op, given)) return *std::move(array);
  throw TypeError(fmt::format("{}: {} is of type {}; it must be a tensor or a number", op, argument, type_of(given)));
}

std::vector<std::string> names_of(const std::string& name) {
  static constexpr std::pair<const char*, const char*> kAliases[] = {
      {"abs", "absolute"}, {"neg", "negative"}, {"sub", "subtract"}, {"mul", "multiply"}, {"div", "divide"},
      {"gt", "greater"}, {"ge", "greater_equal"}, {"lt", "less"}, {"le", "less_equal"}, {"ne", "not_equal"},
      {"acos", "arccos"}, {"asin", "arcsin"}, {"atan", "arctan"}, {"acosh", "arccosh"}, {"asinh", "arcsinh"},
      {"atanh", "arctanh"}, {"atan2", "arctan2"}, {"trunc", "fix"}, {"sign", "sgn"}, {"clamp", "clip"}};
  std::vector<std::string> names = {name};
  for (const auto& [own, other] : kAliases)
    if (name == own) names.emplace_back(other);
  return names;
}

}  // namespace luge::python
