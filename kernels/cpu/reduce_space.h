#pragma once

#include <luge/backend.h>

#include "strided.h"

namespace luge::cpu {

/// The extent of a call taken apart: outputs and, for each, a row.
struct ReduceSpace {
  Extent kept, row;
  StridesArray kept_in, kept_out, row_in;
  std::int64_t outputs = 1, length = 1;
};

/// Sums, products and extremes of bool, int32 and int64 (reduce_integers.cpp).
void reduce_integers(const Reduce& call, const ReduceSpace& space);

}  // namespace luge::cpu
