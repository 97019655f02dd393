#pragma once

#include <algorithm>
#include <cstdint>

#include <luge/threads.h>

namespace luge::cpu {

/// Below this much work (in elements touched) waking a thread costs more than it saves.
inline constexpr std::int64_t kForkWork = std::int64_t{1} << 20;
/// Work handed to a thread at a time.
inline constexpr std::int64_t kBlockWork = std::int64_t{1} << 17;

/// Calls body(context, begin, end) on disjoint ranges that cover [0, count), each a run of blocks of
/// `block` items, over the threads of set_num_threads. An exception of a body is rethrown.
void run_blocks(std::int64_t count, std::int64_t block, void (*body)(const void*, std::int64_t, std::int64_t),
                const void* context);

/// body(begin, end) over [0, count): on this thread if the whole work is small, else in parallel, in
/// ranges that begin at multiples of `align` items. `work` is the cost of one item in elements. The
/// body must give the same result however the range is split.
template <class Body>
void parallel_for(std::int64_t count, std::int64_t work, const Body& body, std::int64_t align = 1) {
  if (count * work < kForkWork || count <= align || num_threads() == 1) {
    body(std::int64_t{0}, count);
    return;
  }
  const std::int64_t items = std::max<std::int64_t>(kBlockWork / std::max<std::int64_t>(work, 1), 1);
  const std::int64_t block = (items + align - 1) / align * align;
  run_blocks(
      count, block,
      [](const void* context, std::int64_t begin, std::int64_t end) { (*static_cast<const Body*>(context))(begin, end); },
      &body);
}

}  // namespace luge::cpu
