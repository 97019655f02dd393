#pragma once
// The caching allocator of the CPU backend.

#include <cstddef>

#include <luge/seam/backend.h>

namespace luge::cpu {

/// At least `bytes` (> 0), aligned to 256. Throws OutOfMemoryError with all sizes when the limit or the
/// system refuses even after the cache has been given back. Thread-safe.
void* allocate(std::size_t bytes);
/// `bytes` as asked for.
void free(void* data, std::size_t bytes) noexcept;

MemoryStats memory_stats();
void reset_peak_memory();
void release_cache();

}  // namespace luge::cpu
