#pragma once

#include <vector>

namespace luge::cuda {

/// A header as generated kernels include it.
struct FusedHeader {
  const char* name;
  const char* text;
};

/// All that a generated kernel includes, from the files that the library itself is compiled from.
const std::vector<FusedHeader>& fused_headers();

}  // namespace luge::cuda
