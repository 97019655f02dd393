#pragma once

#include <string>

#include "data/idx_files.h"

namespace luge::test {

/// What a run of the program left.
struct Outcome {
  int code = -1;
  std::string out, err;
};

/// Runs `luge arguments` in a shell and waits for it; `environment` as in "A=1 B=2".
Outcome run_luge(const std::string& arguments, const std::string& environment = {});

/// Runs `luge arguments`, sends the signal when it has said `line`, and waits for it. The pipe for its messages is small
/// enough that it cannot end before.
Outcome run_and_signal(const std::string& arguments, const std::string& line, int signal, const std::string& out);

}  // namespace luge::test
