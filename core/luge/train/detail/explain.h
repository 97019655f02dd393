#pragma once
// Internal: which operation of a step first gave what is not finite.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <luge/base/source_location.h>
#include <luge/train/parameters.h>

namespace luge::stop {

/// An operation; without a name where none was found.
struct Origin {
  std::string operation;
  bool backward = false;
  bool from_data = false;  ///< it read what was not finite before the step
};

/// Runs `step` eagerly and finds out, for each of these sets of the parameters, which operation first gave a value
/// that is not finite. Then memory, gradients, the global generator and what observers are told of are as before, also
/// after an exception. Values that no set without a fault has finite either are taken for meant. Throws CaptureError
/// for a step that reads values on the host or brings some to the device.
std::vector<Origin> origins(const Parameters& parameters, const std::vector<std::int64_t>& sets,
                            const std::function<void()>& step, SourceLocation location);

}  // namespace luge::stop
