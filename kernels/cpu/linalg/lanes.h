#pragma once
// Many small matrices side by side in vectors, one in each lane.

#include <cstdint>

#include <luge/seam/call.h>

namespace luge::cpu {

/// Rows and columns of the largest matrices.
inline constexpr std::int64_t kLaneMatrix = 32;
/// Right-hand sides of the widest solution.
inline constexpr std::int64_t kLaneSides = 64;

/// Whether the call's matrices are computed so; depends on their sizes alone.
bool suits_lanes(const Factorize& call);
/// All of its matrices.
void in_lanes(const Factorize& call);

}  // namespace luge::cpu
