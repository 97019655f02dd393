#include "listing.h"

#include <vector>

#include <fmt/format.h>

namespace luge::cpu::jit {

namespace {

std::string expression(const Operation& operation) {
  const auto arg = [&](std::size_t i) { return fmt::format("v{}", operation.args[i]); };
  const auto infix = [&](const char* op) { return fmt::format("{} {} {}", arg(0), op, arg(1)); };
  switch (operation.primitive) {
    case Primitive::Input: return fmt::format("input {}", operation.index);
    case Primitive::Uniform: return fmt::format("uniform {}", operation.index);
    case Primitive::Number: return fmt::format("{}", operation.number);
    case Primitive::Add: return infix("+");
    case Primitive::Sub: return infix("-");
    case Primitive::Mul: return infix("*");
    case Primitive::Div: return infix("/");
    case Primitive::Neg: return "-" + arg(0);
    case Primitive::Abs: return fmt::format("abs({})", arg(0));
    case Primitive::Sqrt: return fmt::format("sqrt({})", arg(0));
    case Primitive::Fma: return fmt::format("fma({}, {}, {})", arg(0), arg(1), arg(2));
    case Primitive::Min: return fmt::format("min({}, {})", arg(0), arg(1));
    case Primitive::Max: return fmt::format("max({}, {})", arg(0), arg(1));
    case Primitive::Round: return fmt::format("round({})", arg(0));
    case Primitive::Scale: return fmt::format("{} * 2^{}", arg(0), arg(1));
    case Primitive::Exponent: return fmt::format("exponent({})", arg(0));
    case Primitive::Significand: return fmt::format("significand({})", arg(0));
    case Primitive::And: return infix("&");
    case Primitive::Or: return infix("|");
    case Primitive::ExponentShift: return fmt::format("power({})", arg(0));
    case Primitive::Equal: return infix("==");
    case Primitive::NotEqual: return infix("!=");
    case Primitive::Less: return infix("<");
    case Primitive::LessEqual: return infix("<=");
    case Primitive::Select: return fmt::format("select({}, {}, {})", arg(0), arg(1), arg(2));
    case Primitive::Foreign: return "a function without an instruction";
  }
  return "";
}

}  // namespace

std::string listing(const LoopShape& shape) {
  const std::vector<Operation>& operations = shape.graph.operations();
  std::vector<bool> live(operations.size(), false);
  for (const LoopShape::Output& output : shape.outputs) live[static_cast<std::size_t>(output.operation)] = true;
  for (const int sum : shape.sums) live[static_cast<std::size_t>(sum)] = true;
  for (std::size_t i = operations.size(); i-- > 0;)
    for (const int arg : operations[i].args)
      if (live[i] && arg >= 0) live[static_cast<std::size_t>(arg)] = true;

  std::string text = shape.row_length == 0 ? "for each element" : fmt::format("for each element of rows of {}", shape.row_length);
  text += fmt::format(", {}:\n", name(shape.graph.dtype()));
  const auto repeats = [&](const Operation& operation) {
    return operation.primitive == Primitive::Input && shape.row_length != 0 &&
           shape.walks[static_cast<std::size_t>(operation.index)].repeats;
  };
  for (std::size_t i = 0; i < operations.size(); ++i)
    if (live[i])
      text += fmt::format("  v{} = {}{}\n", i, expression(operations[i]), repeats(operations[i]) ? ", of the row" : "");
  for (std::size_t i = 0; i < shape.outputs.size(); ++i)
    text += fmt::format("  output {} = v{}{}\n", i, shape.outputs[i].operation,
                        shape.outputs[i].streams ? ", past the caches" : "");
  for (std::size_t i = 0; i < shape.sums.size(); ++i) text += fmt::format("  sum {} += v{}\n", i, shape.sums[i]);
  return text;
}

}  // namespace luge::cpu::jit
