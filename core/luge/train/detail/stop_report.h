#pragma once
// Internal: from a rule's tensors to a report.

#include <luge/train/stop.h>

namespace luge::stop {

/// Reads what a rule has noted; waits for the device.
Report report_of(const Tensor& checks, const Tensor& reason, const Tensor& stopped_at, const Tensor& active);

}  // namespace luge::stop
