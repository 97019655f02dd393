// OpenBLAS chooses its kernels by the processor's model, and takes those of 2004 for one that it does not know.

#include <luge/report/detail/machine.h>

#include <algorithm>

#include <gtest/gtest.h>

namespace luge::test {
namespace {

TEST(OpenBlas, HasKernelsForTheInstructionsOfTheProcessor) {
  const report::Machine machine = report::describe_machine();
  if (std::find(machine.features.begin(), machine.features.end(), "avx2") == machine.features.end())
    GTEST_SKIP() << "the processor has no AVX2";
  for (const char* const old : {"Prescott", "Core2", "Penryn", "Nehalem", "Sandybridge", "Opteron", "Barcelona"})
    EXPECT_EQ(machine.blas.find(old), std::string::npos) << machine.blas;
}

}  // namespace
}  // namespace luge::test
