#pragma once
// The rest of reductions whose chunks (tree.cuh), or whose elements, another kernel has made.

#include <luge/seam/call.h>

#include "context.h"

namespace luge::cuda {

/// A floating Sum or Mean: `chunks` (2 or more) states for each of `rows` outputs, output after output. `call.in` is
/// not read.
void finish_sums(const Context& context, const Reduce& call, const double* partials, std::int64_t rows,
                 std::int64_t chunks);

/// `steps` recordings, one after the other. `partials`: for each step as many Summary as summary_partials(call.n)
/// says, those of its chunks first. `call.losses` is not read, nor are the rows written.
void finish_records(const Context& context, const Record& call, void* partials, int steps);

/// The same from the losses, step after step, as call.losses.dtype says; `partials` is room for the states.
void record_steps(const Context& context, const Record& call, const void* losses, void* partials, int steps);

}  // namespace luge::cuda
