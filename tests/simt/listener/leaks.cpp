// Linked into every test executable that runs on the executor: a test that ends with more device memory than
// it began with has failed. (What the backend keeps for good, it takes when it opens, with its first product by
// cuBLAS, or in pinned memory.)

#include <gtest/gtest.h>

#include <luge/seam/backend.h>
#include <luge/base/error.h>
#include <luge/luge.h>

#include "simt/runtime/runtime.h"

namespace simt {
namespace {

class LeakListener : public ::testing::EmptyTestEventListener {
  void OnTestProgramStart(const ::testing::UnitTest&) override {
    const luge::Tensor matrix = luge::zeros({129, 129}, {.device = luge::Device::cuda()});
    luge::matmul(matrix, matrix);
  }
  void OnTestStart(const ::testing::TestInfo&) override { before_ = runtime::statistics(); }
  void OnTestEnd(const ::testing::TestInfo& test) override {
    const runtime::Statistics after = runtime::statistics();
    if (test.result()->Skipped()) return;
    if (after.allocations != before_.allocations)
      ADD_FAILURE() << "device memory: " << before_.allocations << " allocations before the test, " << after.allocations
                    << " behind it";
    if (after.graphs != before_.graphs)
      ADD_FAILURE() << "graphs: " << before_.graphs << " before the test, " << after.graphs << " behind it";
  }
  runtime::Statistics before_;
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
