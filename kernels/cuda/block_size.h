#pragma once

#include <cstdint>

namespace luge::cuda {

/// Threads of every block, a multiple of the warp.
inline constexpr int kThreads = 256;
inline constexpr int kWarp = 32;
inline constexpr int kWarps = kThreads / kWarp;

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// How many units of warps' work each of `blocks` blocks has (tree.cuh's Share): whole turns of its warps.
constexpr std::int64_t share_size(std::int64_t units, std::int64_t blocks) {
  return divide_up(divide_up(units, kWarps), blocks) * kWarps;
}

}  // namespace luge::cuda
