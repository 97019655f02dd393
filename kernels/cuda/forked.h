#pragma once

namespace luge::cuda {

/// From now on it is noticed when this process is forked: the driver does not survive that, and its calls may hang.
void watch_forks();

/// Whether this process was forked from one that had started CUDA.
bool is_forked() noexcept;

/// Throws DeviceError where is_forked().
void check_not_forked(int device);

}  // namespace luge::cuda
