#include "threads.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <thread>

#include <luge/base/detail/check.h>
#include <luge/base/threads.h>

#include "pool.h"

namespace luge {
namespace {

/// The processors this process may run on: containers and batch systems restrict them.
int available_processors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(CPU_COUNT(&set), 1);
  return std::max(static_cast<int>(std::thread::hardware_concurrency()), 1);
}

int default_threads() {
  if (const char* const text = std::getenv("LUGE_NUM_THREADS")) {
    int value = 0;
    const char* const end = text + std::strlen(text);
    const auto [stop, error] = std::from_chars(text, end, value);
    if (error == std::errc() && stop == end && value >= 1) return value;
  }
  return available_processors();
}

std::atomic<int> threads{0};  // 0: not asked for yet

}  // namespace

int num_threads() {
  const int known = threads.load(std::memory_order_relaxed);
  if (known != 0) [[likely]]
    return known;
  int none = 0;
  threads.compare_exchange_strong(none, default_threads());
  return threads.load(std::memory_order_relaxed);
}

void set_num_threads(int count) {
  LUGE_CHECK(ValueError, count >= 1, "set_num_threads: threads is {}; it must be at least 1", count);
  threads.store(count, std::memory_order_relaxed);
}

namespace cpu {

namespace {

// ThreadSanitizer cannot see into the pool, so the order of fork, bodies and join is said with atomics of ours.
std::atomic<int> forked{0}, left{0};

/// Whether this thread is in a body: loops within it stay on the thread.
thread_local bool is_in_body = false;

struct BodyScope {
  BodyScope() {
    (void)forked.load(std::memory_order_acquire);
    is_in_body = true;
  }
  ~BodyScope() {
    is_in_body = false;
    left.fetch_add(1, std::memory_order_release);
  }
};

struct ForkScope {
  ForkScope() { forked.fetch_add(1, std::memory_order_release); }
  ~ForkScope() { (void)left.load(std::memory_order_acquire); }
};

/// A loop over blocks of `block` items each.
struct Blocks {
  RangeFn body;
  const void* context;
  std::int64_t block, count;

  static void run(const void* blocks, std::int64_t begin, std::int64_t end) {
    const BodyScope scope;
    const auto& self = *static_cast<const Blocks*>(blocks);
    self.body(self.context, begin * self.block, std::min(end * self.block, self.count));
  }
};

}  // namespace

void run_ranges(std::int64_t count, std::int64_t work, std::int64_t align, RangeFn body, const void* context) {
  if (count * work < kForkWork || count <= align || is_in_body || num_threads() == 1) {
    body(context, 0, count);
    return;
  }
  const std::int64_t items = std::max<std::int64_t>(kBlockWork / std::max<std::int64_t>(work, 1), 1);
  const std::int64_t block = (items + align - 1) / align * align;
  const Blocks blocks{body, context, block, count};
  const ForkScope fork;
  run_in_pool(num_threads(), (count + block - 1) / block, &Blocks::run, &blocks);
}

}  // namespace cpu
}  // namespace luge
