// How many blocks a launch has: as many as run at once, which the runtime says of each kernel.

#include <gtest/gtest.h>

#include <vector>

#include "kernels/cuda/launch.h"
#include "simt/simt.h"

namespace luge::test {
namespace {

namespace runtime = simt::runtime;

/// The number makes kernels of it that differ: the runtime is asked once of each.
template <int visits>
void visit_kernel(int* counts, std::int64_t items) {
  for (std::int64_t i = blockIdx.x * std::int64_t{blockDim.x} + threadIdx.x; i < items;
       i += std::int64_t{gridDim.x} * blockDim.x)
    counts[i] += visits;
}

class GridTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { gpu(); }  // before the first test's memory is counted

  /// The blocks of a grid-stride launch over the items, each of which it must have visited.
  template <int visits>
  std::uint64_t blocks(std::int64_t items) {
    const auto kernel = &visit_kernel<visits>;
    const cuda::Context context(gpu(), "visit");
    const cuda::Scratch counts(context, items * std::int64_t{sizeof(int)});
    const auto bytes = static_cast<std::size_t>(items) * sizeof(int);
    EXPECT_EQ(cudaMemsetAsync(counts.as<int>(), 0, bytes, context.stream()), cudaSuccess);
    const auto before = runtime::statistics().blocks;
    cuda::launch(context, kernel, cuda::grid_stride(context, items, cuda::kThreads), counts.as<int>(), items);
    const auto after = runtime::statistics().blocks;
    std::vector<int> seen(static_cast<std::size_t>(items));
    EXPECT_EQ(cudaMemcpyAsync(seen.data(), counts.as<int>(), bytes, cudaMemcpyDeviceToHost, context.stream()),
              cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(context.stream()), cudaSuccess);
    EXPECT_EQ(seen, std::vector<int>(seen.size(), visits));
    EXPECT_EQ(cuda::resident_grid(context, kernel, 1 << 20).blocks, gpu().resident_blocks("visit", address<visits>(), 0));
    return after - before;
  }
  /// A second one beside the backend's, as long as the process.
  static cuda::Gpu& gpu() {
    static auto& only = *new cuda::Gpu(0);
    return only;
  }
  template <int visits>
  static const void* address() {
    return reinterpret_cast<const void*>(&visit_kernel<visits>);
  }
};

// The device has two multiprocessors, each for 2048 threads.

TEST_F(GridTest, NoMoreBlocksThanRunAtOnce) {
  EXPECT_EQ(blocks<1>(1), 1u);
  EXPECT_EQ(blocks<1>(257), 2u);
  EXPECT_EQ(blocks<1>(16 * 256), 16u);
  EXPECT_EQ(blocks<1>(16 * 256 + 1), 16u);
  EXPECT_EQ(blocks<1>(100000), 16u);
}

TEST_F(GridTest, AKernelWithManyRegistersHasFewerBlocks) {
  runtime::set_resident_blocks(address<2>(), 3);
  runtime::set_resident_blocks(nullptr, 1);
  EXPECT_EQ(blocks<2>(100000), 6u);
  EXPECT_EQ(blocks<3>(100000), 2u);
  runtime::set_resident_blocks(nullptr, 0);
  runtime::set_resident_blocks(address<2>(), 0);
  EXPECT_EQ(blocks<4>(100000), 16u);
}

}  // namespace
}  // namespace luge::test
