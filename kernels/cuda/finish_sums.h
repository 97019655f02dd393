#pragma once

#include <luge/call.h>

#include "context.h"

namespace luge::cuda {

/// The rest of a floating Sum or Mean whose chunks (reduce.cuh) another kernel has summed: `chunks` (2 or more)
/// states for each of `rows` outputs, output after output. `call.in` is not read.
void finish_sums(const Context& context, const Reduce& call, const double* partials, std::int64_t rows,
                 std::int64_t chunks);

}  // namespace luge::cuda
