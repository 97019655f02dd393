#pragma once
// Holds a captured program against the eager one, and makes a failing one smaller.

#include <functional>
#include <string>

#include "program.h"

namespace luge::test {

enum class Outcome : std::uint8_t {
  Same,       ///< the same bits after every part
  Refused,    ///< CaptureError, as documented, with nothing changed
  SameError,  ///< the eager step throws, and the captured one does
  NoProgram,  ///< throws later on, or reads what need not be there: shows nothing
  OtherBits,
  OtherError,
  Changed,  ///< refused, but something has changed
  Crashed,  ///< only check_apart can tell
};

inline bool is_failure(Outcome outcome) { return outcome >= Outcome::OtherBits; }

struct Verdict {
  Outcome outcome = Outcome::Same;
  std::string text = {};  ///< of a failure
};

/// `fault`: as of Machine, in the captured run only.
Verdict check(const Program& program, Device device, const std::string& fault = {});

/// check() in a process of its own, which may crash or never end; without the text.
Outcome check_apart(const Program& program, Device device);

/// The smallest program found for which `fails` still holds.
Program shrink(Program program, const std::function<bool(const Program&)>& fails);

}  // namespace luge::test
