#include "threads.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <luge/check.h>
#include <luge/threads.h>

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

/// The threads of one count. TBB allows no more than there are processors unless told so.
struct Pool {
  std::optional<tbb::global_control> control;
  tbb::task_arena arena;

  explicit Pool(int count) : arena(count) {
    if (count > tbb::info::default_concurrency())
      control.emplace(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(count));
  }
};

/// The pool of the current thread count. Who runs in one keeps it while another is set.
std::mutex pool_mutex;
std::shared_ptr<Pool> pool;

std::shared_ptr<Pool> current_pool() {
  const int wanted = num_threads();
  const std::lock_guard lock(pool_mutex);
  if (!pool || pool->arena.max_concurrency() != wanted) pool = std::make_shared<Pool>(wanted);
  return pool;
}

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

// ThreadSanitizer cannot see into TBB, so the order of fork, bodies and join is said with atomics of ours.
std::atomic<int> forked{0}, left{0};

struct BodyScope {
  BodyScope() { (void)forked.load(std::memory_order_acquire); }
  ~BodyScope() { left.fetch_add(1, std::memory_order_release); }
};

struct ForkScope {
  ForkScope() { forked.fetch_add(1, std::memory_order_release); }
  ~ForkScope() { (void)left.load(std::memory_order_acquire); }
};

}  // namespace

void run_ranges(std::int64_t count, std::int64_t work, std::int64_t align, RangeFn body, const void* context) {
  if (count * work < kForkWork || count <= align || num_threads() == 1) {
    body(context, 0, count);
    return;
  }
  const std::int64_t items = std::max<std::int64_t>(kBlockWork / std::max<std::int64_t>(work, 1), 1);
  const std::int64_t block = (items + align - 1) / align * align, blocks = (count + block - 1) / block;
  const std::shared_ptr<Pool> running = current_pool();
  const ForkScope fork;
  running->arena.execute([&] {
    tbb::parallel_for(tbb::blocked_range<std::int64_t>(0, blocks), [&](const tbb::blocked_range<std::int64_t>& range) {
      const BodyScope scope;
      body(context, range.begin() * block, std::min(range.end() * block, count));
    });
  });
}

}  // namespace cpu
}  // namespace luge
