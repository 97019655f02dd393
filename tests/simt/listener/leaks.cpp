// Linked into every test executable that runs on the executor: a test that ends with more device memory than
// it began with has failed. (What the backend keeps for good, it takes when it opens, or in pinned memory.)

#include <gtest/gtest.h>

#include <luge/backend.h>
#include <luge/error.h>

#include "simt/runtime/runtime.h"

namespace simt {
namespace {

class LeakListener : public ::testing::EmptyTestEventListener {
  void OnTestStart(const ::testing::TestInfo&) override { before_ = runtime::statistics().allocations; }
  void OnTestEnd(const ::testing::TestInfo& test) override {
    const std::size_t after = runtime::statistics().allocations;
    if (after != before_ && !test.result()->Skipped())
      ADD_FAILURE() << "device memory: " << before_ << " allocations before the test, " << after << " behind it";
  }
  std::size_t before_ = 0;
};

const bool installed = [] {
  try {
    luge::cuda_backend(0);
  } catch (const luge::DeviceError&) {
    return false;  // a test of a machine without a device
  }
  ::testing::UnitTest::GetInstance()->listeners().Append(new LeakListener);
  return true;
}();

}  // namespace
}  // namespace simt
