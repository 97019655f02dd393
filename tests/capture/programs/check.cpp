#include "check.h"

#include <algorithm>
#include <map>
#include <optional>
#include <typeinfo>

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine.h"
#include "operations.h"

namespace luge::test {

namespace {

std::string text(const std::exception& error) { return fmt::format("{}: {}", typeid(error).name(), error.what()); }

/// What the eager program showed.
struct Expected {
  std::vector<State> states;         ///< after each part
  std::optional<std::string> error;  ///< of the first step
  bool is_program = true;
};

Expected run_eagerly(const Program& program, Device device) {
  Expected expected;
  bool stepping = false;
  int steps = 0;
  try {
    Machine machine(program, device);
    for (const Part& part : program.parts) {
      machine.run(part.before);
      machine.end_step();
      static_cast<void>(machine.state({}));  // reading a gradient may write zeros: the captured run does it, too
      std::vector<Tensor> results;
      stepping = true;
      for (int i = 0; i < part.steps; ++i, ++steps) results = machine.step();
      stepping = false;
      expected.states.push_back(machine.state(results));
    }
  } catch (const std::exception& error) {
    expected.error = text(error);
    expected.is_program = stepping && steps == 0;
  }
  return expected;
}

class Captured {
 public:
  Captured(const Program& program, Device device, const std::string& fault)
      : program_(program), machine_(program, device, fault) {}

  Verdict compare(const Expected& expected) {
    auto step = capture([&] { return machine_.step(); }, {.keep_gradients = program_.keep_gradients});
    for (std::size_t p = 0; p < program_.parts.size(); ++p) {
      const Part& part = program_.parts[p];
      const std::string after =
          fmt::format("after part {} ({}({})): ", p, part.eagerly ? "eagerly" : "run", part.steps);
      machine_.run(part.before);
      machine_.end_step();
      const State before = machine_.state({});
      const std::map<int, Tensor> variables = machine_.variables();
      std::vector<Tensor> results;
      try {
        if (part.eagerly)
          for (int i = 0; i < part.steps; ++i) results = machine_.step();
        else
          results = step.run(part.steps);
      } catch (const CaptureError& error) {
        machine_.set_variables(variables);
        return refused(error, part, before, after);
      } catch (const std::exception& error) {
        if (expected.error && *expected.error == text(error)) return {Outcome::SameError};
        return {Outcome::OtherError,
                after + "captured throws " + text(error) + "; eager " + expected.error.value_or("does not throw")};
      }
      if (expected.error)
        return {Outcome::OtherError, after + "captured does not throw; eager throws " + *expected.error};
      if (const auto found = difference(machine_.state(results), expected.states[p]))
        return {Outcome::OtherBits, after + *found};
    }
    return {Outcome::Same};
  }

 private:
  Verdict refused(const CaptureError& error, const Part& part, const State& before, const std::string& after) {
    const std::string why = error.what();
    if (!program_.may_be_refused() && why.find("computed nothing") == std::string::npos)
      return {Outcome::OtherError, after + "captured throws " + why};
    if (part.steps > 1) return {Outcome::Refused};  // some may have been done
    if (const auto found = difference(values(machine_.state({})), values(before)))
      return {Outcome::Changed, after + "refused (" + why + "), but " + *found};
    return {Outcome::Refused};
  }

  /// Without versions: memory that was written and put back counts as written.
  static State values(State state) {
    std::erase_if(state, [](const Seen& one) { return one.name.ends_with(".version()"); });
    return state;
  }

  const Program& program_;
  Machine machine_;
};

}  // namespace

Verdict check(const Program& program, Device device, const std::string& fault) {
  if (!program.reads_only_kept_gradients() || program.renames_owned_leaf()) return {Outcome::NoProgram};
  // The eager step assigns a new tensor to a variable; replays go on filling that of the first call.
  const bool eager_steps =
      std::any_of(program.parts.begin(), program.parts.end(), [](const Part& part) { return part.eagerly; });
  if (program.has(kReplace) && eager_steps) return {Outcome::NoProgram};
  const Expected expected = run_eagerly(program, device);
  if (!expected.is_program) return {Outcome::NoProgram};
  return Captured(program, device, fault).compare(expected);
}

Outcome check_apart(const Program& program, Device device) {
  constexpr unsigned kSeconds = 20;
  const pid_t child = fork();
  if (child == 0) {
    alarm(kSeconds);
    _exit(static_cast<int>(check(program, device).outcome));
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? static_cast<Outcome>(WEXITSTATUS(status)) : Outcome::Crashed;
}

}  // namespace luge::test
