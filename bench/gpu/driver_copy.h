#pragma once

#include <cstddef>
#include <functional>

namespace luge::bench {

/// Copies between two places in the memory of the device that this thread uses, so many times, and waits: by the driver
/// itself, as cudaMemcpyAsync does. So a slow copy kernel of luge's makes no share of the bandwidth look better. Throws
/// DeviceError where there is no driver.
std::function<void(void* to, const void* from, std::size_t bytes, int times)> driver_copy();

}  // namespace luge::bench
