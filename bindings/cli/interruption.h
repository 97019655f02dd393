#pragma once
// Ctrl-C and SIGTERM as a request that the program looks at between steps.

namespace luge::cli {

/// While it lives, the first SIGINT or SIGTERM is noted; a second one ends the program as ever.
class Interruption {
 public:
  Interruption();
  ~Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;
  static bool is_requested();
};

}  // namespace luge::cli
