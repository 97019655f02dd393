#pragma once
// Internal: single numbers that a step makes of numbers, the same at every replay: the gradient that a backward
// begins with, and what becomes of it on its way down. Calls that read one are noted with the number itself, so
// that what made it need not run again.

#include <cstdint>
#include <map>

#include <luge/seam/backend.h>

namespace luge {

class KnownNumbers {
 public:
  /// A call that was just executed, and the same with the addresses of the recording: returns what is to be
  /// recorded. May wait for the device, to read a number.
  Call note(Backend& backend, const Call& executed, const Call& call);

 private:
  bool replace(Operand& input, const Extent& extent) const;
  bool replace_inputs(Call& call) const;
  void read(Backend& backend, const Operand& executed, const Operand& out);

  std::map<std::uintptr_t, Operand> numbers_;  ///< by their address in the recording
};

}  // namespace luge
