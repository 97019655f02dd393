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

  std::string text = fmt::format("for each element, {}:\n", name(shape.graph.dtype()));
  for (std::size_t i = 0; i < operations.size(); ++i)
    if (live[i]) text += fmt::format("  v{} = {}\n", i, expression(operations[i]));
  for (std::size_t i = 0; i < shape.outputs.size(); ++i)
    text += fmt::format("  output {} = v{}{}\n", i, shape.outputs[i].operation,
                        shape.outputs[i].streams ? ", past the caches" : "");
  for (std::size_t i = 0; i < shape.sums.size(); ++i) text += fmt::format("  sum {} += v{}\n", i, shape.sums[i]);
  return text;
}

}  // namespace luge::cpu::jit
