// The threads, which are oneTBB's. This file is never instrumented by ThreadSanitizer: TBB's library is not, and half of
// what orders its tasks happens there, so that the half in its headers would look like races.

#include "pool.h"

#include <memory>
#include <mutex>
#include <optional>

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

namespace luge::cpu {

namespace {

/// The threads of one count. TBB allows no more than there are processors unless told so.
struct Pool {
  std::optional<tbb::global_control> control;
  tbb::task_arena arena;

  explicit Pool(int count) : arena(count) {
    if (count > tbb::info::default_concurrency())
      control.emplace(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(count));
  }
};

/// The pool of the latest count. Who runs in one keeps it while another is made.
std::shared_ptr<Pool> pool_of(int threads) {
  static std::mutex mutex;
  static std::shared_ptr<Pool> pool;
  const std::lock_guard lock(mutex);
  if (!pool || pool->arena.max_concurrency() != threads) pool = std::make_shared<Pool>(threads);
  return pool;
}

}  // namespace

void run_in_pool(int threads, std::int64_t count, RangeFn body, const void* context) {
  const std::shared_ptr<Pool> pool = pool_of(threads);
  pool->arena.execute([&] {
    tbb::parallel_for(tbb::blocked_range<std::int64_t>(0, count), [&](const tbb::blocked_range<std::int64_t>& range) {
      body(context, range.begin(), range.end());
    });
  });
}

}  // namespace luge::cpu
