#include <luge/base/memory.h>

namespace luge {

MemoryStats memory_stats(Device device) { return backend(device).memory(); }

void reset_peak_memory(Device device) { backend(device).reset_peak_memory(); }

void release_cache(Device device) { backend(device).release_cache(); }

}  // namespace luge
