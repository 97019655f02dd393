#include "forked.h"

#include <pthread.h>

#include <atomic>

#include <luge/base/detail/check.h>

namespace luge::cuda {

namespace {

std::atomic<bool> forked{false};

}  // namespace

void watch_forks() {
  static const int watching = pthread_atfork(nullptr, nullptr, [] { forked.store(true); });
  static_cast<void>(watching);  // without memory for it nothing is noticed
}

bool is_forked() noexcept { return forked.load(std::memory_order_relaxed); }

void check_not_forked(int device) {
  LUGE_CHECK(
      DeviceError, !is_forked(),
      "cuda:{}: this process was forked after CUDA had been started, which CUDA does not survive; start processes "
      "anew (spawn) or fork before",
      device);
}

}  // namespace luge::cuda
