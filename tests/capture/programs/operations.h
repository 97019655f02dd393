#pragma once
// Everything that a statement of a program may be.

#include <functional>
#include <string>
#include <vector>

#include "program.h"

namespace luge::test {

class Machine;

enum class Group : std::uint8_t {
  Elementwise,
  Compare,
  Copy,
  View,
  Join,
  Reduce,
  Linear,
  Index,
  Random,
  InPlace,
  Autograd,
  Train,
  Control,
  Count
};

/// What numbers an argument may be.
enum class Domain : std::uint8_t { Dim, Start, Stop, Step, Position, Flag, Reduction };

/// The stop of a slice that takes all.
inline constexpr int kToTheEnd = 1 << 20;

struct Operation {
  std::string name;
  Group group;
  int inputs = 0;
  std::vector<Domain> args = {};
  std::function<Tensor(Machine&, const Statement&)> run;  ///< an undefined result: it makes none
  bool number = false;
  bool in_place = false;  ///< writes to its first input
  bool reads_gradients = false;
  bool refusable = false;  ///< capture may refuse it
  double weight = 1;       ///< within its group
};

inline constexpr const char *kForgetGradients = "zero_grad", *kReplace = "replace", *kFreeze = "requires_grad_";

const std::vector<Operation>& operations();
const Operation& operation(const Statement& statement);
/// By name, with this many inputs.
int operation_number(const std::string& name, int inputs);

}  // namespace luge::test
