#pragma once
// The entry points of the CPU backend, one per kind of call; see core/luge/seam/backend.h for their meaning.

#include <luge/seam/call.h>

namespace luge::cpu {

#define LUGE_CALL(Kind) void run(const Kind& call);
LUGE_CALLS(LUGE_CALL)
#undef LUGE_CALL

}  // namespace luge::cpu
