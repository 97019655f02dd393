#pragma once

#include <cstdint>

#include "threads.h"

namespace luge::cpu {

/// body(context, begin, end) over [0, count), in ranges of any size, by `threads` threads of which this is one. An
/// exception of a body is rethrown.
void run_in_pool(int threads, std::int64_t count, RangeFn body, const void* context);

}  // namespace luge::cpu
