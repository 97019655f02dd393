#pragma once
// Internal: the global generator. A draw is keyed by (seed, stream); every call takes the next stream.

#include <cstdint>

namespace luge {

std::uint64_t global_seed();
/// The first of `count` streams, which are taken.
std::uint64_t next_stream(std::uint64_t count = 1);
/// From here on: this seed, of which so many streams are taken.
void set_global_generator(std::uint64_t seed, std::uint64_t streams);
/// The next stream; nothing is taken.
std::uint64_t streams_so_far();

}  // namespace luge
