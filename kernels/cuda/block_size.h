#pragma once

#include <cstdint>

namespace luge::cuda {

/// Threads of every block, a multiple of the warp.
inline constexpr int kThreads = 256;
inline constexpr int kWarp = 32;
inline constexpr int kWarps = kThreads / kWarp;

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace luge::cuda
