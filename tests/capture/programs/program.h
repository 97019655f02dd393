#pragma once
// Random step programs as data: they can be printed, run again and made smaller.

#include <cstdint>
#include <string>
#include <vector>

#include <luge/luge.h>

namespace luge::test {

/// A size that a program names rather than writes, so that all of its shapes shrink together.
enum class Size : std::uint8_t { One, N, R, C };

struct Sizes {
  std::int64_t n = 3, r = 2, c = 2;
  std::int64_t of(Size size) const;
};

/// One call. Variables are numbers: those of declared tensors come first.
struct Statement {
  int op = 0;    ///< in operations()
  int out = -1;  ///< the variable it makes; -1: none
  std::vector<int> in = {};
  std::vector<int> args = {};
  double number = 0;
  bool no_grad = false;
};

/// What a declared tensor holds at first.
enum class Fill : std::uint8_t {
  Normal,
  Ties,     ///< small whole numbers
  Special,  ///< zeros of both signs, infinities, NaN
  Index,    ///< int64, below a size of the program
  Nothing,  ///< undefined: a variable of the program that a step may fill
};

/// A tensor that outlives the steps.
struct Declared {
  int id = 0;
  std::vector<Size> shape = {};
  DType dtype = float32;
  Fill fill = Fill::Normal;
  Size limit = Size::N;  ///< of an Index
  bool trains = false;   ///< a leaf that requires a gradient
};

/// Where the leaves that train live.
enum class Owner : std::uint8_t { Nobody, Optimizer, Arena, Sets };
enum class Rule : std::uint8_t { Sgd, Momentum, Nesterov, Adam, AdamW, RmsProp, Adagrad };
enum class Decay : std::uint8_t { None, Step, Exponential, Linear, Cosine };

/// Steps one after the other, and what runs eagerly before them.
struct Part {
  std::vector<Statement> before = {};
  int steps = 1;
  bool eagerly = false;  ///< calls the function itself instead of the captured step
};

struct Program {
  std::uint64_t seed = 0;
  Sizes sizes;
  DType dtype = float32;
  Owner owner = Owner::Nobody;
  Rule rule = Rule::Sgd;
  bool lr_per_set = false;
  Decay decay = Decay::None;
  bool keep_gradients = true;
  int kept_losses = 0;
  int capacity = 64;  ///< of the monitor
  std::vector<Declared> tensors;
  std::vector<Statement> body;
  std::vector<int> results;
  std::vector<Part> parts;

  const Declared* declared(int id) const;
  /// Whether an operation of this name occurs, in the step or around it.
  bool has(const std::string& name) const;
  /// Whether nothing outside of the step reads a gradient that the step need not keep. A leaf that is frozen between steps
  /// has the gradient of the step before, and the step itself may read that.
  bool reads_only_kept_gradients() const;
  /// Whether a variable changes hands between steps while an arena goes on with the leaf that it named: capture watches
  /// memory, and nothing there tells.
  bool renames_owned_leaf() const;
  /// Whether capture may refuse it: it reads values on the host, or replaces a tensor.
  bool may_be_refused() const;
};

/// A few lines, close to C++.
std::string to_string(const Program& program);

}  // namespace luge::test
