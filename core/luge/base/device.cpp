#include <luge/base/device.h>

#include <charconv>

#include <luge/seam/backend.h>
#include <luge/base/detail/check.h>
#include <luge/base/cuda_status.h>

namespace luge {

Device Device::best() { return cuda_status().usable ? cuda(0) : cpu(); }

Device Device::parse(std::string_view text) {
  if (text == "cpu") return cpu();
  if (text == "cuda") return cuda(0);
  if (text.starts_with("cuda:")) {
    const std::string_view digits = text.substr(5);
    int index = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
    if (error == std::errc() && end == digits.data() + digits.size() && index >= 0) return cuda(index);
  }
  raise<ValueError>("device: '{}' is not a device; allowed are cpu, cuda and cuda:n", text);
}

std::string to_string(Device device) {
  return device.is_cpu() ? std::string("cpu") : fmt::format("cuda:{}", device.index);
}

Backend& backend(Device device) { return device.is_cpu() ? cpu_backend() : cuda_backend(device.index); }

}  // namespace luge
