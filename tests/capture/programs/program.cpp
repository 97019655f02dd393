#include "program.h"

#include <algorithm>

#include <fmt/format.h>

#include "operations.h"

namespace luge::test {

namespace {

std::string variable(const Program& program, int id) {
  return fmt::format("{}{}", program.declared(id) ? 't' : 'v', id);
}

std::string to_string(const Program& program, const Statement& statement) {
  const Operation& op = operations()[static_cast<std::size_t>(statement.op)];
  std::string text = statement.no_grad ? "no_grad: " : "";
  if (statement.out >= 0) text += variable(program, statement.out) + " = ";
  std::string list;
  const auto append = [&](const std::string& one) { list += (list.empty() ? "" : ", ") + one; };
  for (const int id : statement.in) append(variable(program, id));
  for (const int arg : statement.args) append(arg == kToTheEnd ? "end" : std::to_string(arg));
  if (op.number) append(fmt::format("{}", statement.number));
  return text + op.name + "(" + list + ")";
}

const char* text(Size size) {
  constexpr const char* kTexts[] = {"1", "n", "r", "c"};
  return kTexts[static_cast<int>(size)];
}

std::string to_string(const Program& program, const Declared& tensor) {
  constexpr const char* kFills[] = {"randn", "ties", "special", "index", "undefined"};
  std::string shape;
  for (const Size size : tensor.shape) shape += (shape.empty() ? "" : ", ") + std::string(text(size));
  std::string line = fmt::format("t{} = {}", tensor.id, kFills[static_cast<int>(tensor.fill)]);
  if (tensor.fill == Fill::Nothing) return line;
  line += fmt::format("({{{}}}, {})", shape, name(tensor.trains ? program.dtype : tensor.dtype));
  if (tensor.fill == Fill::Index) line += fmt::format(" below {}", text(tensor.limit));
  return line + (tensor.trains ? ", trains" : "");
}

}  // namespace

std::int64_t Sizes::of(Size size) const {
  switch (size) {
    case Size::N: return n;
    case Size::R: return r;
    case Size::C: return c;
    case Size::One: break;
  }
  return 1;
}

const Declared* Program::declared(int id) const {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const Declared& one) { return one.id == id; });
  return found == tensors.end() ? nullptr : &*found;
}

bool Program::has(const std::string& name) const {
  const auto among = [&](const std::vector<Statement>& statements) {
    return std::any_of(statements.begin(), statements.end(),
                       [&](const Statement& one) { return operation(one).name == name; });
  };
  return among(body) || std::any_of(parts.begin(), parts.end(), [&](const Part& part) { return among(part.before); });
}

bool Program::reads_only_kept_gradients() const {
  if (keep_gradients) return true;
  const bool forgets = !body.empty() && operation(body.front()).name == kForgetGradients;
  const bool reads = std::any_of(body.begin(), body.end(),
                                 [](const Statement& statement) { return operation(statement).reads_gradients; });
  for (const Part& part : parts) {
    if (part.eagerly && !forgets) return false;
    for (const Statement& statement : part.before)
      if (operation(statement).reads_gradients || (reads && operation(statement).name == kFreeze)) return false;
  }
  return true;
}

bool Program::renames_owned_leaf() const {
  return owner != Owner::Nobody && std::any_of(parts.begin(), parts.end(), [&](const Part& part) {
           return std::any_of(part.before.begin(), part.before.end(), [&](const Statement& statement) {
             const Declared* const target =
                 operation(statement).name == kReplace ? declared(statement.in.front()) : nullptr;
             return target && target->trains;
           });
         });
}

bool Program::may_be_refused() const {
  const auto refusable = [&](const Statement& statement) {
    const Operation& op = operation(statement);
    if (op.name != kReplace) return op.refusable;
    const Declared* const replaced = declared(statement.in.front());
    return !replaced || replaced->fill != Fill::Nothing ||
           std::any_of(body.begin(), body.end(), [&](const Statement& other) {
             return std::find(other.in.begin() + (operation(other).name == kReplace), other.in.end(), replaced->id) !=
                    other.in.end();
           });
  };
  return std::any_of(body.begin(), body.end(), refusable) ||
         std::any_of(parts.begin(), parts.end(),
                     [&](const Part& part) { return std::any_of(part.before.begin(), part.before.end(), refusable); });
}

std::string to_string(const Program& program) {
  constexpr const char* kOwners[] = {"nobody", "the optimizer", "an arena", "an arena of r sets"};
  constexpr const char* kRules[] = {"Sgd", "Sgd with momentum", "Sgd with nesterov", "Adam", "AdamW",
                                    "RmsProp, centered, with momentum", "Adagrad"};
  constexpr const char* kDecays[] = {"no schedule", "StepLr", "ExponentialLr", "LinearLr", "CosineAnnealingLr"};
  std::string out = fmt::format("seed {}, n = {}, r = {}, c = {}, keep_gradients = {}\n", program.seed, program.sizes.n,
                                program.sizes.r, program.sizes.c, program.keep_gradients);
  for (const Declared& tensor : program.tensors) out += "  " + to_string(program, tensor) + "\n";
  if (program.owner != Owner::Nobody)
    out += fmt::format("  leaves belong to {}; {}, lr {}, {}\n", kOwners[static_cast<int>(program.owner)],
                       kRules[static_cast<int>(program.rule)], program.lr_per_set ? "per set" : "a number",
                       kDecays[static_cast<int>(program.decay)]);
  out += "  step:\n";
  for (const Statement& statement : program.body) out += "    " + to_string(program, statement) + "\n";
  if (!program.results.empty()) {
    std::string results;
    for (const int id : program.results) results += (results.empty() ? "" : ", ") + variable(program, id);
    out += "    return " + results + "\n";
  }
  for (const Part& part : program.parts) {
    for (const Statement& statement : part.before) out += "  " + to_string(program, statement) + "\n";
    out += fmt::format("  {}({})\n", part.eagerly ? "eagerly" : "run", part.steps);
  }
  return out;
}

}  // namespace luge::test
