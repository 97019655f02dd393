#pragma once

#include <luge/base/device.h>

namespace luge::cli {

/// Bytes/s, read and written together, of a copy between two buffers far beyond the caches: the best
/// that luge's copy and, on the CPU, plain memcpy in luge's number of threads reach; medians.
double copy_bandwidth(Device device);

}  // namespace luge::cli
