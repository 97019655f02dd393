#pragma once
// Internal: the global generator. A draw is keyed by (seed, stream); every call takes the next stream.

#include <cstdint>

namespace luge {

std::uint64_t global_seed();
/// The first of `count` streams, which are taken.
std::uint64_t next_stream(std::uint64_t count = 1);

}  // namespace luge
