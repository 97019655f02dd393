#include "expressions.h"

#include <cmath>
#include <cstdint>
#include <iterator>
#include <type_traits>

// Under nvcc fmt takes itself for less constexpr than it is, and format strings cannot be checked.
#define FMT_USE_CONSTEXPR 1
#define FMT_CONSTEVAL
#include <fmt/format.h>

#include <luge/seam/detail/op_traits.h>
#include <luge/base/detail/dispatch.h>

#include "../elementwise.cuh"
#include "../rules.cuh"

namespace luge::cuda {

const char* type_name(DType dtype) {
  switch (dtype) {
    case DType::Bool: return "bool";
    case DType::Int32: return "int";
    case DType::Int64: return "long";
    case DType::Float32: return "float";
    case DType::Float64: return "double";
    case DType::UInt8:
    case DType::Int8:
    case DType::Int16:
    case DType::Float16:
    case DType::BFloat16: break;  // the seam converts them (widen.h)
  }
  return "?";
}

namespace {

constexpr const char* kFormulaNames[] = {
#define LUGE_ROW(function, Formula, ...) #Formula,
    LUGE_OPS(LUGE_ROW)
#undef LUGE_ROW
};

/// Exactly this number.
template <class T>
std::string literal(T value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (!std::is_floating_point_v<T>) {
    const char* const name = type_name(dtype_of<T>());
    return fmt::format("static_cast<{}>({:#x}ul)", name, static_cast<std::make_unsigned_t<T>>(value));
  } else {
    const char* const name = type_name(dtype_of<T>());
    if (std::isfinite(value)) return fmt::format("static_cast<{}>({:a})", name, static_cast<double>(value));
    if (std::isinf(value)) return fmt::format("{}std::numeric_limits<{}>::infinity()", value < 0 ? "-" : "", name);
    return fmt::format("std::numeric_limits<{}>::quiet_NaN()", name);
  }
}

std::string number(const Operand& operand, DType dtype) {
  return with_dtype(dtype, [&]<class T>() { return literal(immediate<T>(operand)); });
}

}  // namespace

std::string input(const ChainInput& in, DType as) {
  if (in.kind == ChainInput::Kind::Value) return fmt::format("v{}", in.value);
  if (in.kind == ChainInput::Kind::Number) return number(in.number, as);
  return fmt::format("{}{{}}", type_name(as));
}

namespace {

DType dtype_of(const Chain& chain, int value) { return chain.values[static_cast<std::size_t>(value)]; }
DType dtype_of(const Chain& chain, const ChainInput& in) {
  return in.kind == ChainInput::Kind::Value ? dtype_of(chain, in.value) : in.number.dtype;
}

std::string formula_statements(const Chain& chain, const Link& link, int id) {
  const OpTraits& op = traits(link.op);
  const bool forward = link.direction == Direction::Forward, is_where = link.op == Op::Where;
  const DType as = dtype_of(chain, link.in[forward && is_where ? 1 : 0]);
  std::string arguments;
  const auto add = [&](const std::string& argument) { arguments += (arguments.empty() ? "" : ", ") + argument; };
  if (is_where && !forward) {
    add(input(link.in[0], as));
    add(input(link.in[1], DType::Bool));
  } else {
    const int inputs = op.inputs + (forward ? 0 : 2);
    for (int i = 0; i < inputs; ++i)
      add(input(link.in[static_cast<std::size_t>(i)], is_where && i == 0 ? DType::Bool : as));
  }
  for (int p = 0; p < op.parameters; ++p)
    add(with_floating(as, [&]<class T>() {
      return literal(static_cast<T>(link.parameters[static_cast<std::size_t>(p)]));
    }));
  const char* const name = kFormulaNames[static_cast<int>(link.op)];
  if (forward || op.inputs == 1)
    return fmt::format("const {} v{} = formula::{}::{}({});\n", type_name(dtype_of(chain, link.out[0])), link.out[0],
                       name, forward ? "forward" : "backward", arguments);
  std::string all = fmt::format("const auto gradients{} = formula::{}::backward({});\n", id, name, arguments);
  const std::size_t first = is_where ? 1 : 0;
  for (std::size_t i = first; i < static_cast<std::size_t>(op.inputs); ++i)
    if (const int out = link.out[i]; out != Link::kNothing)
      all += fmt::format("const {} v{} = gradients{}[{}];\n", type_name(dtype_of(chain, out)), out, id, i - first);
  return all;
}

std::string update_statements(const Chain& chain, const Link& link, int first_update, const UpdateText& text) {
  const Update& call = chain.updates[static_cast<std::size_t>(link.update)].call;
  const auto in = [&](std::size_t i) { return input(link.in[i], call.dtype); };
  const int u = first_update + link.update;
  const int states = traits(call.rule).states;
  const char* const type = type_name(call.dtype);
  std::string all = fmt::format("{0} value{1} = {2}, states{1}[luge::math::kMaxStates]{{", type, u, in(0));
  for (int s = 0; s < states; ++s) all += (s == 0 ? "" : ", ") + in(static_cast<std::size_t>(2 + s));
  all += "};\n";
  std::string numbers = fmt::format("common{}", u);
  if (!text.own.empty() || text.own_steps) {
    all += fmt::format("auto own{0} = hypers{0};\n", u);
    for (const int h : text.own) all += fmt::format("own{0}.values[{1}] = own{0}_{1}{2}.values[k];\n", u, h, text.run);
    const std::string step_numbers =
        text.own_steps ? fmt::format("update{0}.rule.step_numbers(own{0}, update{0}.rule.step(update{0}.set({1}), taken{0}))",
                                     u, text.position)
                       : fmt::format("step_numbers{}", u);
    numbers = fmt::format("numbers{}", u);
    all += fmt::format("const auto {1} = update{0}.rule.numbers(own{0}, {2});\n", u, numbers, step_numbers);
  }
  if (link.in[Link::kActive].kind == ChainInput::Kind::Value) {
    all += fmt::format("auto flagged{0} = {1};\nflagged{0}.values[flagged{0}.kFlag] = {2};\n", u, numbers,
                       in(Link::kActive));
    numbers = fmt::format("flagged{}", u);
  }
  all += fmt::format("update{0}.rule.step({1}, formula::UpdateFlags{{{3}, {4}, {5}}}, value{0}, {2}, states{0});\n", u,
                     numbers, in(1), call.maximize, call.decays(), call.has_idle());
  for (int i = 0; i <= states; ++i)
    if (const int out = link.out[static_cast<std::size_t>(i)]; out != Link::kNothing)
      all += i == 0 ? fmt::format("const {} v{} = value{};\n", type, out, u)
                    : fmt::format("const {} v{} = states{}[{}];\n", type, out, u, i - 1);
  return all;
}

}  // namespace

std::string statements(const Chain& chain, const Link& link, int id, int first_update,
                       const std::vector<UpdateText>& updates) {
  return link.is_update
             ? update_statements(chain, link, first_update, updates[static_cast<std::size_t>(link.update)])
             : formula_statements(chain, link, id);
}

}  // namespace luge::cuda
