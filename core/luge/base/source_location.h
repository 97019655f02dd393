#pragma once

#include <cstdint>

namespace luge {

/// A line of a program, for errors that name it. Functions whose call may be refused while a step is captured take
/// one as their last parameter; its default is the line of the call, and nobody passes another. (It is
/// std::source_location where that is missing.)
struct SourceLocation {
  const char* file = "";   ///< empty: not known
  std::uint32_t line = 0;

  static constexpr SourceLocation current(const char* file = __builtin_FILE(), std::uint32_t line = __builtin_LINE()) {
    return {file, line};
  }
};

}  // namespace luge
