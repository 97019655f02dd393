#pragma once

#include <cstddef>

#include <luge/seam/backend.h>
#include <luge/base/device.h>

namespace luge {

/// Bytes in tensors on a device (rounded as the allocator rounds them), the most there ever were, and
/// bytes held from the system. Throws DeviceError where the device cannot be used.
MemoryStats memory_stats(Device device = Device::cpu());

/// Sets the peak back to what is allocated now.
void reset_peak_memory(Device device = Device::cpu());

/// Gives memory that is cached for later tensors back to the system.
void release_cache(Device device = Device::cpu());

/// The most bytes the CPU allocator takes from the system; an allocation beyond throws
/// OutOfMemoryError. 0 goes back to the default: the environment variable LUGE_MEMORY_LIMIT (bytes),
/// else the smaller of the physical memory and the limit of this process's control group.
void set_memory_limit(std::size_t bytes);
/// The limit in force.
std::size_t memory_limit();

}  // namespace luge
