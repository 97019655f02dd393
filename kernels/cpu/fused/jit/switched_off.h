#pragma once

#include <cstdlib>
#include <string_view>

namespace luge::cpu::jit {

/// Whether LUGE_JIT=0 asks for no machine code.
inline bool switched_off() {
  static const bool off = [] {
    const char* const text = std::getenv("LUGE_JIT");
    return text && std::string_view(text) == "0";
  }();
  return off;
}

}  // namespace luge::cpu::jit
