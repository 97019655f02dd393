#pragma once

#include <cstdint>

#include "program.h"

namespace luge::test {

/// The program of this seed. It runs eagerly, as a rule; one in a hundred throws in its first step.
/// `most` is the largest size it may name.
Program generate(std::uint64_t seed, std::int64_t most);

}  // namespace luge::test
