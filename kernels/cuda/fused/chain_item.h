#pragma once

#include <memory>

#include <luge/plan.h>

#include "../context.h"
#include "../item.h"

namespace luge::cuda {

/// Whether chains become kernels: NVRTC is there, and LUGE_NVRTC is not 0.
bool can_fuse();

/// A chain as a kernel of its own, compiled at run time or found in the cache. Null where that fails, which is said
/// on the standard error once, with the file that holds the source.
std::unique_ptr<Item> make_chain_item(Gpu& gpu, const Chain& chain);

/// How many sources this process has handed to NVRTC.
int compiled_chains();

}  // namespace luge::cuda
