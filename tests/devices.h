#pragma once

#include <string>

#include <gtest/gtest.h>

#include <luge/base/cuda_status.h>
#include <luge/tensor/tensor.h>

namespace luge::test {

/// A suite whose tests run on every device; one that cannot be used is skipped with the reason.
class DeviceTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    device_ = Device::parse(GetParam());
    if (device_.is_cuda() && !cuda_status().usable) GTEST_SKIP() << "no usable GPU: " << cuda_status().reason;
  }
  Device device() const { return device_; }
  /// Options for a tensor of the device under test.
  TensorOptions on(DType dtype = float32, bool requires_grad = false) const {
    return {.dtype = dtype, .device = device_, .requires_grad = requires_grad};
  }

 private:
  Device device_;
};

}  // namespace luge::test

#define LUGE_ON_EVERY_DEVICE(Suite)                                        \
  INSTANTIATE_TEST_SUITE_P(Device, Suite, ::testing::Values("cpu", "cuda"), \
                           [](const auto& suite_info) { return std::string(suite_info.param); })
