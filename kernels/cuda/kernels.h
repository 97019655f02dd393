#pragma once
// The entry points of the kernels, one per call of the seam. Each queues its work on the context's
// stream and returns.

#include <luge/seam/call.h>

#include "context.h"

namespace luge::cuda {

#define LUGE_CALL(Kind) void run(const Context& context, const Kind& call);
LUGE_CALLS(LUGE_CALL)
#undef LUGE_CALL

}  // namespace luge::cuda
