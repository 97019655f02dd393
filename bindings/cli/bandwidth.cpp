#include "bandwidth.h"

#include <cstring>
#include <thread>
#include <vector>

#include <luge/seam/backend.h>
#include <luge/ops/create.h>
#include <luge/base/threads.h>

#include "timing.h"

namespace luge::cli {
namespace {

constexpr std::int64_t kElements = std::int64_t{1} << 25;  // 128 MiB of float32
constexpr std::int64_t kBytes = 4 * kElements;
constexpr int kRuns = 5;

template <class Body>
double median_seconds(const Body& body) {
  std::vector<double> seconds;
  for (int i = 0; i < kRuns; ++i) {
    const Stopwatch watch;
    body();
    seconds.push_back(watch.seconds());
  }
  return median(std::move(seconds));
}

void threaded_memcpy(char* to, const char* from) {
  const int threads = num_threads();
  const std::int64_t share = kBytes / threads;
  std::vector<std::thread> others;
  for (int t = 1; t < threads; ++t) {
    const std::int64_t start = share * t, end = t + 1 == threads ? kBytes : start + share;
    others.emplace_back([=] { std::memcpy(to + start, from + start, static_cast<std::size_t>(end - start)); });
  }
  std::memcpy(to, from, static_cast<std::size_t>(threads == 1 ? kBytes : share));
  for (std::thread& other : others) other.join();
}

}  // namespace

double copy_bandwidth(Device device) {
  const Tensor from = ones({kElements}, {.device = device});
  Tensor to = zeros({kElements}, {.device = device});
  Backend& queue = backend(device);
  queue.synchronize();
  double seconds = median_seconds([&] {
    to.copy_(from);
    queue.synchronize();
  });
  if (device.is_cpu()) {
    auto* const target = static_cast<char*>(to.data());
    const auto* const source = static_cast<const char*>(from.data());
    seconds = std::min(seconds, median_seconds([&] { threaded_memcpy(target, source); }));
  }
  return 2.0 * static_cast<double>(kBytes) / seconds;
}

}  // namespace luge::cli
