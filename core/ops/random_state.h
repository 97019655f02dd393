#pragma once
// Internal: the global generator. A draw is keyed by (seed, stream); every call takes the next stream.

#include <cstdint>

namespace luge {

std::uint64_t global_seed();
std::uint64_t next_stream();

}  // namespace luge
