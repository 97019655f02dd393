#pragma once

#include <luge/seam/call.h>

namespace luge::cpu {

/// Normalization over the batch where an image has one element of each row, so that neighbours in memory are of different
/// rows.
void normalize_columns(const Normalization& call);

}  // namespace luge::cpu
