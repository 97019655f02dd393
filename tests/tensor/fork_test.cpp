// Processes that were forked: on the CPU they go on, on a GPU they are told why they cannot.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>

#include <luge/luge.h>

#include "devices.h"

namespace luge::test {
namespace {

/// What a child that runs `body` ends with.
int status_of_child(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(ForkTest, AChildGoesOnOnTheCpu) {
  const Tensor x = rand({300'000}, {.dtype = float64});
  const auto compute = [&] { return (x * 3 - 1).sum().item(); };
  const double expected = compute();
  EXPECT_EQ(status_of_child([&] {
              return compute() == expected && ones({1000, 100}).matmul(ones({100, 100})).sum().item() == 1e7 ? 0 : 1;
            }),
            0);
}

TEST(ForkTest, AChildOfAProcessWithCudaIsTold) {
  if (!cuda_status().usable) GTEST_SKIP() << cuda_status().reason;
  Tensor x = ones({4}, {.device = Device::cuda()});
  auto step = capture([&] { x.add_(1); });
  step();
  EXPECT_EQ(x.sum().item(), 8);
  const int status = status_of_child([&] {
    int told = 0;
    const std::function<void()> uses[] = {[&] { x.add_(1); },
                                          [&] { static_cast<void>(x.sum().item()); },
                                          [&] { step(); },
                                          [&] { zeros({2}, {.device = Device::cuda()}); },
                                          [&] { memory_stats(Device::cuda()); },
                                          [&] { backend(Device::cuda()).synchronize(); }};
    for (const auto& use : uses) try {
        use();
      } catch (const DeviceError& error) {
        told += std::string(error.what()).find("forked") != std::string::npos ? 1 : 0;
      }
    x = {};
    step = capture([] {});
    return told == 6 && ones({3}).sum().item() == 3 ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
  step();
  EXPECT_EQ(x.sum().item(), 12) << "the parent goes on";
}

}  // namespace
}  // namespace luge::test
