#include <luge/capture/detail/memory_plan.h>

#include <algorithm>
#include <numeric>


namespace luge {

namespace {

constexpr std::size_t kAlignment = 256;  // as the allocators align

/// The buffer that an address of the recorded calls belongs to, or -1.
int buffer_at(const std::vector<StepBuffer>& buffers, const void* data) {
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  if (address < StepBuffer::kBase) return -1;
  const auto past = std::upper_bound(buffers.begin(), buffers.end(), address,
                                     [](std::uintptr_t at, const StepBuffer& buffer) { return at < buffer.address; });
  return static_cast<int>(past - buffers.begin()) - 1;
}

bool meet(const Life& a, const Life& b) { return a.first <= b.last && b.first <= a.last; }

/// A life with all of the segments that it begins and ends in.
struct WideLife {
  Life life;
  const SetSegment* segment = nullptr;  ///< that it lies in as a whole

  WideLife(const Life& own, const std::vector<SetSegment>& segments) : life(own) {
    for (const SetSegment& s : segments) {
      if (s.first <= own.first && own.first < s.last) life.first = s.first;
      if (s.first <= own.last && own.last < s.last) life.last = s.last - 1;
      if (s.first <= own.first && own.last < s.last) segment = &s;
    }
  }
};

}  // namespace

std::vector<Life> lives_of(std::vector<Plan::Item>& items, const std::vector<StepBuffer>& buffers) {
  std::vector<Life> lives(buffers.size());
  for (std::size_t i = 0; i < items.size(); ++i)
    for_each_effect(items[i], [&](const Effect& effect) {
      const int buffer = buffer_at(buffers, *effect.data);
      if (buffer < 0) return;
      Life& life = lives[static_cast<std::size_t>(buffer)];
      if (!life.used) life = {i, i, true};
      life.last = i;
    });
  return lives;
}

std::size_t plan_memory(std::vector<Plan::Item>& items, const std::vector<SetSegment>& segments,
                        const std::vector<StepBuffer>& buffers, Sharing sharing, std::vector<std::ptrdiff_t>& offsets) {
  std::vector<Life> lives = lives_of(items, buffers);
  if (sharing == Sharing::Apart)
    for (Life& life : lives) life.first = 0, life.last = items.size();
  std::vector<WideLife> wide;
  for (const Life& life : lives) wide.emplace_back(life, segments);
  const auto conflict = [&](std::size_t a, std::size_t b) {
    const bool alike = wide[a].segment && wide[a].segment == wide[b].segment && buffers[a].bytes == buffers[b].bytes;
    return alike ? meet(lives[a], lives[b]) : meet(wide[a].life, wide[b].life);
  };

  // The largest first, each at the lowest place that is free for all of its life.
  std::vector<std::size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return buffers[a].bytes > buffers[b].bytes; });
  struct Placed {
    std::size_t begin, end, buffer;
  };
  std::vector<Placed> placed;  // by begin
  offsets.assign(buffers.size(), -1);
  std::size_t size = 0;
  for (const std::size_t b : order) {
    if (!lives[b].used) continue;
    const std::size_t bytes = (buffers[b].bytes + kAlignment - 1) / kAlignment * kAlignment;
    std::size_t at = 0;
    for (const Placed& other : placed) {
      if (!conflict(b, other.buffer)) continue;
      if (at + bytes <= other.begin) break;
      at = std::max(at, other.end);
    }
    offsets[b] = static_cast<std::ptrdiff_t>(at);
    const Placed mine{at, at + bytes, b};
    placed.insert(std::upper_bound(placed.begin(), placed.end(), mine,
                                   [](const Placed& x, const Placed& y) { return x.begin < y.begin; }),
                  mine);
    size = std::max(size, at + bytes);
  }
  return size;
}

void relocate(std::vector<Plan::Item>& items, const std::vector<StepBuffer>& buffers,
              const std::vector<std::ptrdiff_t>& offsets, void* block) {
  for (Plan::Item& item : items)
    for_each_effect(item, [&](const Effect& effect) {
      const int buffer = buffer_at(buffers, *effect.data);
      if (buffer < 0) return;
      const auto at = static_cast<std::size_t>(buffer);
      const std::uintptr_t inside = reinterpret_cast<std::uintptr_t>(*effect.data) - buffers[at].address;
      // In integers: without a block the offsets are addresses.
      *effect.data = reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(block) +
                                             static_cast<std::uintptr_t>(offsets[at]) + inside);
    });
}

}  // namespace luge
