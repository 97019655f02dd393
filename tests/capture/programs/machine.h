#pragma once
// Runs programs, and sees what they leave behind.

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "program.h"

namespace luge::test {

/// Bits that a program can see, with what is needed to print them.
struct Seen {
  std::string name;
  DType dtype = float64;
  Shape shape = {};
  bool defined = true;
  std::vector<std::byte> bytes = {};
};
using State = std::vector<Seen>;

/// The first difference, in words; nothing if there is none.
std::optional<std::string> difference(const State& actual, const State& expected);

/// The tensors, the optimizer and all else that a program works on.
class Machine {
 public:
  /// `fault`: the results of operations of this name are made wrong, by 1.
  Machine(const Program& program, Device device, std::string fault = {});

  void run(const Statement& statement);
  void run(const std::vector<Statement>& statements);
  /// The function that is captured.
  std::vector<Tensor> step();
  /// Lets go of what is not declared.
  void end_step();
  State state(const std::vector<Tensor>& results);

  /// Throws ValueError for a variable that nothing has filled yet.
  Tensor& at(int id);
  /// Whether something has filled it.
  bool has(int id) const;
  /// What the variables refer to: assignments are the program's own, and no capture takes them back.
  std::map<int, Tensor> variables() const { return variables_; }
  void set_variables(std::map<int, Tensor> variables) { variables_ = std::move(variables); }
  /// As `t = v` in a program. Throws ValueError for memory of a declared tensor: the assignment would be all there is
  /// to it, and a replay runs no code that is not a tensor operation.
  void replace(int id, const Tensor& tensor);
  Device device() const { return device_; }
  void zero_grad();
  // Each throws ValueError where there is none.
  Optimizer& optimizer();
  LrScheduler& schedule();
  Monitor& monitor() { return monitor_; }

 private:
  Tensor made(const Declared& declared) const;
  void make_optimizer(const std::vector<Tensor>& leaves);

  const Program& program_;
  Device device_;
  std::string fault_;
  std::map<int, Tensor> variables_;
  std::unique_ptr<Parameters> params_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<LrScheduler> schedule_;
  Monitor monitor_;
};

}  // namespace luge::test
