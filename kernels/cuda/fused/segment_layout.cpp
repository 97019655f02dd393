#include "segment_layout.h"

#include <algorithm>
#include <utility>

namespace luge::cuda {

namespace {

using Home = SegmentLayout::Home;

constexpr std::int64_t kAlignment = 128;  // so that no row of banks is begun in the middle
constexpr int kNowhere = SegmentLayout::kNowhere;

std::int64_t aligned(std::int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }
const std::byte* begin_of(const SegmentTouch& touch) { return static_cast<const std::byte*>(touch.window->data); }
bool is_in(const void* data, const std::byte* memory, std::int64_t bytes) {
  return static_cast<const std::byte*>(data) >= memory && static_cast<const std::byte*>(data) < memory + bytes;
}

/// The locals that no other one overlaps.
std::vector<SetSegment::Local> apart(const std::vector<SetSegment::Local>& locals, std::int64_t sets) {
  std::vector<SetSegment::Local> result;
  for (std::size_t i = 0; i < locals.size(); ++i) {
    const auto overlaps = [&](const SetSegment::Local& other) {
      return &other != &locals[i] && other.data < locals[i].data + locals[i].set_bytes * sets &&
             locals[i].data < other.data + other.set_bytes * sets;
    };
    if (std::none_of(locals.begin(), locals.end(), overlaps)) result.push_back(locals[i]);
  }
  return result;
}

/// The lives of one local. What is written as a whole, and not read by the same part, begins a new one.
void add_lives(std::vector<Home>& homes, const std::vector<SegmentPart>& parts, const SetSegment::Local& local) {
  bool lives = false;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    bool touched = false, reads = false, fills = false;
    for_each_touch(parts[p], [&](const SegmentTouch& touch) {
      if (!is_in(begin_of(touch), local.data, local.set_bytes)) return;
      touched = true;
      reads |= touch.reads;
      fills |= touch.writes && bytes_of(touch.window->dtype, per_set(touch.extent)) == local.set_bytes;
    });
    if (!touched) continue;
    if (!lives || (fills && !reads))
      homes.push_back({local.data, local.set_bytes, p, p});
    else
      homes.back().last = p;
    lives = true;
  }
}

/// Whether a part that reads `from` for the last time and makes `to` of it does so element by element, in the same order:
/// each thread has loaded what it stores there.
bool may_replace(const std::vector<SegmentPart>& parts, const Home& from, const Home& to) {
  if (from.last != to.first || from.bytes != to.bytes || !std::holds_alternative<Chain>(parts[to.first])) return false;
  bool alike = true;
  for_each_touch(parts[to.first], [&](const SegmentTouch& touch) {
    const bool of_from = is_in(begin_of(touch), from.data, from.bytes), of_to = is_in(begin_of(touch), to.data, to.bytes);
    if (!of_from && !of_to) return;
    const bool whole = bytes_of(touch.window->dtype, per_set(touch.extent)) == from.bytes;
    alike = alike && touch.is_element && whole && is_dense(touch.extent, *touch.window) && touch.writes == of_to;
  });
  return alike;
}

/// Puts a life at the lowest place that is free as long as it lasts.
void place(std::vector<Home>& homes, std::size_t which, const std::vector<SegmentPart>& parts, std::int64_t base,
           std::int64_t budget) {
  Home& home = homes[which];
  const auto is_free = [&](std::int64_t at) {
    return std::none_of(homes.begin(), homes.end(), [&](const Home& other) {
      if (&other == &home || other.offset == kNowhere) return false;
      if (other.last < home.first || home.last < other.first) return false;
      if (at + home.bytes <= other.offset || other.offset + other.bytes <= at) return false;
      return at != other.offset || !(may_replace(parts, other, home) || may_replace(parts, home, other));
    });
  };
  std::vector<std::int64_t> candidates{base};
  for (const Home& other : homes) {
    if (other.offset == kNowhere) continue;
    candidates.push_back(other.offset);
    candidates.push_back(aligned(other.offset + other.bytes));
  }
  std::sort(candidates.begin(), candidates.end());
  for (const std::int64_t at : candidates)
    if (at >= base && at + home.bytes <= budget && is_free(at)) {
      home.offset = static_cast<int>(at);
      return;
    }
}

/// The same for what found no place there: memory of the locals as few as possible, so that it stays in a cache.
void place_far(std::vector<Home>& homes, std::size_t which, const std::vector<SegmentPart>& parts,
               const std::vector<SetSegment::Local>& locals) {
  Home& home = homes[which];
  for (const SetSegment::Local& local : locals) {
    const bool is_taken = std::any_of(homes.begin(), homes.end(), [&](const Home& other) {
      return &other != &home && other.far == local.data && other.first <= home.last && home.first <= other.last &&
             !may_replace(parts, other, home) && !may_replace(parts, home, other);
    });
    if (local.set_bytes != home.bytes || is_taken) continue;
    home.far = local.data;
    return;
  }
}

// ---- barriers -----------------------------------------------------------------------------------

/// What threads have done since they met last.
struct Done {
  bool shared;
  std::intptr_t low, high;
  bool writes;

  bool disturbs(const Done& other) const {
    return shared == other.shared && low < other.high && other.low < high && (writes || other.writes);
  }
};

class Barriers {
 public:
  Barriers(const SegmentLayout& layout, const std::vector<int>& scratch) : layout_(layout), scratch_(scratch) {}

  std::vector<bool> find(const std::vector<SegmentPart>& parts) {
    std::vector<bool> waits;
    for (std::size_t p = 0; p < parts.size(); ++p) waits.push_back(add(p, parts[p]));
    return waits;
  }

 private:
  /// Whether a barrier is needed before the part.
  bool add(std::size_t p, const SegmentPart& part) {
    std::vector<Done> early, late;
    if (scratch_[p] > 0) early.push_back({true, 0, scratch_[p], true});
    // A product, and sums of columns, write what they make behind a barrier of their own.
    const bool has_own = !std::holds_alternative<Chain>(part);
    for_each_touch(part, [&](const SegmentTouch& touch) {
      (has_own && touch.writes ? late : early).push_back(done(p, touch));
    });
    const bool wait = std::any_of(early.begin(), early.end(), [&](const Done& now) {
      return std::any_of(before_.begin(), before_.end(), [&](const Done& then) { return now.disturbs(then); });
    });
    if (wait || has_own) before_.clear();
    if (std::holds_alternative<Chain>(part)) before_.insert(before_.end(), early.begin(), early.end());
    if (std::holds_alternative<MatMul>(part)) {  // some threads still read what is staged
      before_ = late;
      before_.push_back({true, 0, scratch_[p], true});
    }
    return wait;
  }
  Done done(std::size_t p, const SegmentTouch& touch) const {
    Operand window = *touch.window;
    Extent extent = touch.extent;
    extent.sizes[0] = 1;
    const Effect effect = window_effect(window, extent, touch.reads, touch.writes);
    const SegmentLayout::Place place = layout_.place_of(p, window.data);
    const std::intptr_t at = place.offset ? *place.offset : reinterpret_cast<std::intptr_t>(place.data);
    return {place.offset.has_value(), at + effect.low, at + effect.high, touch.writes};
  }

  const SegmentLayout& layout_;
  const std::vector<int>& scratch_;
  std::vector<Done> before_;
};

}  // namespace

SegmentLayout::Place SegmentLayout::place_of(std::size_t part, const void* data) const {
  auto* const own = static_cast<std::byte*>(const_cast<void*>(data));
  for (const Home& home : homes) {
    if (part < home.first || home.last < part || !is_in(data, home.data, home.bytes)) continue;
    const std::ptrdiff_t inside = own - home.data;
    if (home.offset != kNowhere) return {home.offset + static_cast<int>(inside), nullptr, true};
    return {std::nullopt, home.far + inside, true};
  }
  return {std::nullopt, own, false};
}

std::optional<SegmentLayout> lay_out(const std::vector<SegmentPart>& parts,
                                     const std::vector<SetSegment::Local>& locals, std::int64_t sets,
                                     const std::vector<int>& scratch, std::int64_t budget) {
  SegmentLayout layout;
  const std::int64_t base = aligned(*std::max_element(scratch.begin(), scratch.end()));
  if (base > budget) return std::nullopt;
  std::vector<Home> homes;
  const std::vector<SetSegment::Local> own = apart(locals, sets);
  for (const SetSegment::Local& local : own) add_lives(homes, parts, local);
  std::stable_sort(homes.begin(), homes.end(), [](const Home& a, const Home& b) { return a.first < b.first; });
  for (std::size_t i = 0; i < homes.size(); ++i) place(homes, i, parts, base, budget);
  std::int64_t end = base;
  for (std::size_t i = 0; i < homes.size(); ++i) {
    if (homes[i].offset != kNowhere)
      end = std::max(end, homes[i].offset + homes[i].bytes);
    else
      place_far(homes, i, parts, own);
  }
  // Lives that do not meet share; as many as do had memory before.
  if (std::any_of(homes.begin(), homes.end(), [](const Home& h) { return h.offset == kNowhere && !h.far; })) return std::nullopt;
  layout.homes = std::move(homes);
  layout.bytes = static_cast<int>(end);
  for (std::size_t p = 0; p < parts.size(); ++p)
    for_each_touch(parts[p], [&](const SegmentTouch& touch) {
      const SegmentLayout::Place place = layout.place_of(p, touch.window->data);
      if (place.offset) return;
      Operand window = *touch.window;
      Extent extent = touch.extent;
      extent.sizes[0] = 1;
      const double bytes = static_cast<double>(window_effect(window, extent, touch.reads, touch.writes).bytes) *
                           (touch.reads && touch.writes ? 2 : 1);
      (place.of_block ? layout.moved_locals : layout.moved) += bytes;
    });
  for (const SetSegment::Local& local : own)
    if (std::any_of(layout.homes.begin(), layout.homes.end(), [&](const Home& h) { return h.far == local.data; }))
      layout.local_bytes += local.set_bytes;
  layout.waits = Barriers(layout, scratch).find(parts);
  return layout;
}

}  // namespace luge::cuda
