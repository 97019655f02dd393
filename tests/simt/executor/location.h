#pragma once

namespace simt {

/// The line of a call, as a default argument. (clang 14 has no std::source_location with libstdc++ 12.)
struct Location {
  const char* file = "";
  int line = 0;

  static constexpr Location here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
  bool operator==(const Location& other) const { return line == other.line && file == other.file; }
};

}  // namespace simt
