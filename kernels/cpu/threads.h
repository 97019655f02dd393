#pragma once

#include <cstdint>

namespace luge::cpu {

/// Below this much work (in elements touched) waking a thread costs more than it saves.
inline constexpr std::int64_t kForkWork = std::int64_t{1} << 20;
/// Work handed to a thread at a time.
inline constexpr std::int64_t kBlockWork = std::int64_t{1} << 17;

using RangeFn = void (*)(const void* context, std::int64_t begin, std::int64_t end);

/// parallel_for with the body behind a pointer.
void run_ranges(std::int64_t count, std::int64_t work, std::int64_t align, RangeFn body, const void* context);

/// body(begin, end) over [0, count): on this thread if the whole work is small, else in parallel, in
/// ranges that begin at multiples of `align` items. `work` is the cost of one item in elements. The
/// body must give the same result however the range is split. An exception of a body is rethrown. A loop within a body
/// stays on its thread.
template <class Body>
void parallel_for(std::int64_t count, std::int64_t work, const Body& body, std::int64_t align = 1) {
  run_ranges(
      count, work, align,
      [](const void* context, std::int64_t begin, std::int64_t end) {
        (*static_cast<const Body*>(context))(begin, end);
      },
      &body);
}

}  // namespace luge::cpu
