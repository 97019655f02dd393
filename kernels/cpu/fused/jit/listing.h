#pragma once

#include <string>

#include "assembler.h"

namespace luge::cpu::jit {

/// The operations of a loop, one per line, for people to read: "v2 = v0 * v1", then what is stored and summed.
std::string listing(const LoopShape& shape);

}  // namespace luge::cpu::jit
