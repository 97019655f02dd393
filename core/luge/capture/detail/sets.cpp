// Which items of a plan are needed once only, and whether the others act on each set alone.

#include <luge/capture/detail/sets.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <span>

#include <luge/capture/detail/chain_builder.h>
#include <luge/capture/detail/memory_plan.h>
#include <luge/capture/detail/range.h>
#include <luge/capture/detail/set_calls.h>
#include <luge/tensor/detail/iteration.h>

namespace luge {

namespace {

/// Each is compared with every other.
constexpr std::size_t kMostItems = 64;

// ---- items that are needed once -----------------------------------------------------------------

/// Item by item, for those that take part in every step.
class Once {
 public:
  explicit Once(const std::vector<Plan::Item>& items) : once_(items.size()) {
    for (const Plan::Item& item : items) effects_.push_back(effects_of(item));
    for (std::size_t i = items.size(); i-- > 0;)
      if (may_follow(i)) {
        once_[i] = true;
        after_.insert(after_.begin(), i);
      }
    for (std::size_t i = 0; i < items.size(); ++i)
      if (!once_[i] && may_precede(i)) {
        once_[i] = true;
        before_.push_back(i);
      }
  }

  const std::vector<std::size_t>& before() const { return before_; }
  const std::vector<std::size_t>& after() const { return after_; }
  bool is_once(std::size_t item) const { return once_[item]; }

 private:
  /// Whether item a touches what item b writes; `reading`: reads alone count.
  bool meets(std::size_t a, std::size_t b, bool reading) const {
    for (const RangeEffect& x : effects_[a])
      for (const RangeEffect& y : effects_[b])
        if (y.writes && (x.reads || !reading) && x.range.overlaps(y.range)) return true;
    return false;
  }
  /// Nobody in a step touches what it writes, and what it reads stays until the step's end.
  bool may_follow(std::size_t item) const {
    if (meets(item, item, true)) return false;
    for (std::size_t other = 0; other < once_.size(); ++other) {
      if (other == item || once_[other]) continue;
      if (meets(other, item, false) || (other > item && meets(item, other, true))) return false;
    }
    return true;
  }
  /// No step writes what it reads, nor anything but it what it writes, which no step reads before.
  bool may_precede(std::size_t item) const {
    if (meets(item, item, true)) return false;
    for (std::size_t other = 0; other < once_.size(); ++other) {
      if (other == item) continue;
      const bool known = std::find(before_.begin(), before_.end(), other) != before_.end();
      if ((!known && meets(item, other, true)) || (other < item && meets(other, item, true)) || both_write(item, other))
        return false;
    }
    return true;
  }
  bool both_write(std::size_t a, std::size_t b) const {
    for (const RangeEffect& x : effects_[a])
      for (const RangeEffect& y : effects_[b])
        if (x.writes && y.writes && x.range.overlaps(y.range)) return true;
    return false;
  }

  std::vector<std::vector<RangeEffect>> effects_;
  std::vector<bool> once_;
  std::vector<std::size_t> before_, after_;
};

/// Whether an item that comes after a chain touches of it single sums alone, and the chain nothing that it writes.
bool goes_on_from_sums(const Plan::Item& item, const Chain& chain) {
  const std::vector<RangeEffect> of_chain = effects_of(chain);
  std::vector<Range> sums;
  for (const Chain::Reduction& sum : chain.reductions) {
    Extent kept = sum.call.extent;
    kept.ndim -= sum.call.reduced;
    if (kept.count() != 1) return false;
    Operand out = sum.call.out;
    sums.push_back(range_of(window_effect(out, kept, false, true)));
  }
  for (const RangeEffect& own : effects_of(item))
    for (const RangeEffect& other : of_chain) {
      const auto is_it = [&](const Range& sum) { return sum.low == other.range.low && sum.high == other.range.high; };
      const bool is_sum = std::any_of(sums.begin(), sums.end(), is_it);
      if (own.range.overlaps(other.range) && (own.writes || (other.writes && !is_sum))) return false;
    }
  return true;
}

// ---- calls as chains ----------------------------------------------------------------------------

/// A chain that loads a window, as its value 0.
Chain loading(const Extent& extent, const Operand& window) {
  Chain chain;
  chain.extent = extent;
  chain.values.push_back(window.dtype);
  chain.loads.push_back({0, window});
  Operand* const windows[] = {&chain.loads.front().memory};
  merge_dims(chain.extent, 0, windows);
  if (chain.extent.ndim == 0) {
    chain.extent.sizes[static_cast<std::size_t>(chain.extent.ndim++)] = 1;
    chain.loads.front().memory.strides[0] = 1;
  }
  return chain;
}

std::vector<Chain> chains_of(const Record& call) {
  Extent extent;
  extent.sizes[static_cast<std::size_t>(extent.ndim++)] = call.n;
  Operand losses = call.losses;
  losses.strides[0] = 1;
  Chain chain = loading(extent, losses);
  chain.recordings.push_back({0, call});
  chain.recordings.front().call.losses.kind = Operand::Kind::Absent;
  return {chain};
}

std::vector<Chain> chains_of(const Reduce& call) {
  if ((call.op != ReduceOp::Sum && call.op != ReduceOp::Mean) || !is_floating(call.in.dtype)) return {};
  Chain chain = loading(call.extent, call.in);
  chain.reductions.push_back({0, call});
  chain.reductions.front().call.in.kind = Operand::Kind::Absent;
  return {chain};
}

bool always(const Operand&, const Extent&) { return true; }

std::vector<Chain> chains_of(const Update& call) {
  std::vector<Chain> chains;
  for (int p = 0; p < call.layout.parameters; ++p)
    if (call.layout.per_set[p] > 0) chains.push_back(ChainBuilder(call, p).finish(always));
  if (!chains.empty()) chains.back().updates.front().counts_step = true;
  return chains;
}

/// The same as chains, one after the other; none where it cannot be said.
std::vector<Chain> chains_of(const Plan::Item& item) {
  if (const auto* const chain = std::get_if<Chain>(&item)) return {*chain};
  const Call& call = std::get<Call>(item);
  if (const auto* const record = std::get_if<Record>(&call)) return chains_of(*record);
  if (const auto* const reduce = std::get_if<Reduce>(&call)) return chains_of(*reduce);
  if (const auto* const update = std::get_if<Update>(&call)) return chains_of(*update);
  if (!ChainBuilder::takes(call)) return {};
  Chain chain = ChainBuilder(call).finish(always);
  if (chain.stores.empty()) return {};
  return {std::move(chain)};
}

// ---- sets ---------------------------------------------------------------------------------------

/// Cuts a chain and what its reductions keep so that the first dimension is that of the sets.
bool divide(Chain& chain, std::int64_t sets) {
  std::vector<Operand*> windows;
  for (auto* const list : {&chain.loads, &chain.stores})
    for (Chain::Window& window : *list) windows.push_back(&window.memory);
  if (!divide(chain.extent, sets, windows)) return false;
  for (Chain::Reduction& sum : chain.reductions) {
    Reduce& call = sum.call;
    Extent extent = call.extent;
    extent.ndim -= call.reduced;
    Operand* const out[] = {&call.out};
    if (!divide(extent, sets, out) || extent.ndim + call.reduced > kMaxDims) return false;
    for (int d = call.extent.ndim - call.reduced; d < call.extent.ndim; ++d)
      extent.sizes[static_cast<std::size_t>(extent.ndim++)] = call.extent.sizes[static_cast<std::size_t>(d)];
    call.extent = extent;
  }
  return true;
}

/// Where a window touches each set's part of memory.
struct SetEffect {
  Range first;           ///< of set 0
  std::intptr_t stride;  ///< from one set to the next
  bool reads, writes;
};

class SetCheck {
 public:
  explicit SetCheck(std::int64_t sets) : sets_(sets) {}

  /// Takes a divided chain's memory down; false where an optimizer steps a second time.
  bool add(const Chain& chain) {
    for (const Chain::Window& load : chain.loads) add(load.memory, chain.extent, true, false);
    for (const Chain::Window& store : chain.stores) add(store.memory, chain.extent, false, true);
    for (const Chain::Reduction& sum : chain.reductions) {
      Extent kept = sum.call.extent;
      kept.ndim -= sum.call.reduced;
      add(sum.call.out, kept, sum.call.store == Store::Accumulate, true);
    }
    for (const Chain::Recording& recording : chain.recordings)
      for_each_effect(recording.call, [&](const Effect& effect) { counters_.push_back(range_of(effect)); });
    for (const Chain::UpdatePart& part : chain.updates) {
      add(part.call);
      if (!part.counts_step) continue;
      if (std::find(counted_.begin(), counted_.end(), part.call.steps) != counted_.end()) return false;
      counted_.push_back(part.call.steps);
    }
    return true;
  }

  /// The same for a divided call; false where a window does not lie evenly from set to set.
  bool add(const Call& call) {
    Call copy = call;
    bool even = true;
    const Effects::VisitOperand visit = [&](Operand& operand, const Extent& extent, bool reads, bool writes) {
      if (!operand.is_memory()) return;
      Operand window = operand;
      Extent divided = extent;
      Operand* const windows[] = {&window};
      if (divide(divided, sets_, windows))
        add(window, divided, reads, writes);
      else
        even = false;
    };
    std::visit([&](auto& kind) { for_each_operand(kind, visit); }, copy);
    return even;
  }

  /// Bytes that a set touches, those of all sets not counted.
  std::int64_t set_bytes() const {
    std::vector<std::intptr_t> seen;
    std::int64_t bytes = 0;
    for (const SetEffect& effect : effects_) {
      if (effect.stride == 0 || std::find(seen.begin(), seen.end(), effect.first.low) != seen.end()) continue;
      seen.push_back(effect.first.low);
      bytes += effect.first.high - effect.first.low;
    }
    return bytes;
  }

  /// Whether each set touches its own part of this memory only, which lie one after the other.
  bool lies_by_set(const Range& memory) const {
    const std::intptr_t stride = (memory.high - memory.low) / sets_;
    return std::all_of(effects_.begin(), effects_.end(), [&](const SetEffect& effect) {
      return !whole(effect).overlaps(memory) ||
             (effect.stride == stride && memory.low <= effect.first.low && effect.first.high <= memory.low + stride);
    });
  }

  /// Whether no set touches what another writes.
  bool apart() const {
    for (std::size_t i = 0; i < counters_.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (counters_[i].overlaps(counters_[j])) return false;
    for (const SetEffect& effect : effects_) {
      const auto overlaps = [whole = whole(effect)](const Range& other) { return other.overlaps(whole); };
      if (std::any_of(counters_.begin(), counters_.end(), overlaps)) return false;
      if (effect.writes && std::any_of(constants_.begin(), constants_.end(), overlaps)) return false;
      if (!effect.writes || sets_ == 1) continue;
      for (const SetEffect& other : effects_) {
        if (!overlaps(whole(other))) continue;
        const std::intptr_t low = std::min(effect.first.low, other.first.low),
                            span = std::max(effect.first.high, other.first.high) - low;
        if (other.stride != effect.stride || span > effect.stride) return false;
      }
    }
    return true;
  }

 private:
  /// The memory of all sets.
  Range whole(const SetEffect& effect) const {
    const std::intptr_t last = effect.stride * (sets_ - 1);
    return {effect.first.low + std::min<std::intptr_t>(last, 0), effect.first.high + std::max<std::intptr_t>(last, 0)};
  }

  void add(Operand window, Extent extent, bool reads, bool writes) {
    const std::intptr_t stride = window.strides[0] * static_cast<std::intptr_t>(size_of(window.dtype));
    extent.sizes[0] = 1;
    effects_.push_back({range_of(window_effect(window, extent, reads, writes)), stride, reads, writes});
  }

  /// What an update reads besides its windows. Its parts share the count of steps.
  void add(const Update& call) {
    for_each_effect(call, [&](const Effect& effect) {
      const void* const data = *effect.data;
      const Range range = range_of(effect);
      if (data == call.steps) {
        if (std::find(counters_.begin(), counters_.end(), range) == counters_.end()) counters_.push_back(range);
      } else if (!call.is_block(data)) {
        constants_.push_back(range);
      }
    });
  }

  std::int64_t sets_;
  std::vector<SetEffect> effects_;
  std::vector<Range> counters_;   ///< that nobody else may effect
  std::vector<Range> constants_;  ///< that nobody may write
  std::vector<const std::int64_t*> counted_;
};

/// Those of an item of a segment; none where it can be no part of one.
std::vector<Plan::Item> parts_of(const Plan::Item& item, std::int64_t sets) {
  std::vector<Plan::Item> parts;
  if (const auto* const chain = std::get_if<Chain>(&item)) {
    if (!chain->recordings.empty()) return {};
    parts.emplace_back(*chain);
  } else if (const auto* const update = std::get_if<Update>(&std::get<Call>(item))) {
    if (update->layout.sets != sets) return {};
    for (Chain& of_parameter : chains_of(*update)) parts.emplace_back(std::move(of_parameter));
  } else {
    parts.push_back(item);
  }
  for (Plan::Item& part : parts)
    if (!std::visit([&](auto& either) { return divide(either, sets); }, part)) return {};
  return parts;
}

/// The sets of a plan: those of its first update.
std::int64_t sets_of(const std::vector<Plan::Item>& items) {
  for (const Plan::Item& item : items) {
    const auto* const call = std::get_if<Call>(&item);
    const auto* const chain = std::get_if<Chain>(&item);
    if (const auto* const update = call ? std::get_if<Update>(call) : nullptr) return update->layout.sets;
    if (chain && !chain->updates.empty()) return chain->updates.front().call.layout.sets;
  }
  return 1;
}

/// The longest segment from item `first` on; of one item or none where there is no longer one.
SetSegment segment_from(const std::vector<Plan::Item>& items, std::size_t first, std::int64_t sets) {
  SetSegment segment;
  segment.sets = sets;
  segment.first = segment.last = first;
  SetCheck check(sets);
  for (; segment.last < items.size() && segment.last < first + kMostItems; ++segment.last) {
    std::vector<Plan::Item> parts = parts_of(items[segment.last], sets);
    if (parts.empty()) break;
    SetCheck longer = check;
    const bool even = std::all_of(parts.begin(), parts.end(), [&](const Plan::Item& part) {
      return std::visit([&](const auto& either) { return longer.add(either); }, part);
    });
    if (!even || !longer.apart()) break;
    check = std::move(longer);
    std::move(parts.begin(), parts.end(), std::back_inserter(segment.parts));
  }
  segment.set_bytes = check.set_bytes();
  return segment;
}

}  // namespace

std::vector<SetSegment> set_segments(const std::vector<Plan::Item>& items) {
  std::vector<SetSegment> segments;
  const std::int64_t sets = sets_of(items);
  if (sets == 1) return segments;
  for (std::size_t first = 0; first < items.size();) {
    SetSegment segment = segment_from(items, first, sets);
    first = std::max(segment.last, first + 1);
    if (segment.last - segment.first > 1) segments.push_back(std::move(segment));
  }
  return segments;
}

std::vector<SetSegment::Local> locals_of(const SetSegment& segment, const std::vector<Range>& temporaries) {
  SetCheck check(segment.sets);
  for (const Plan::Item& part : segment.parts)
    if (!std::visit([&](const auto& either) { return check.add(either); }, part)) return {};
  std::vector<SetSegment::Local> locals;
  for (const Range& memory : temporaries) {
    const std::int64_t bytes = memory.high - memory.low;
    auto* const data = reinterpret_cast<std::byte*>(memory.low);
    const bool known = std::any_of(locals.begin(), locals.end(), [&](const SetSegment::Local& l) { return l.data == data; });
    if (!known && bytes % segment.sets == 0 && check.lies_by_set(memory)) locals.push_back({data, bytes / segment.sets});
  }
  return locals;
}

std::optional<ChainPlan> by_chain(const std::vector<Plan::Item>& items) {
  if (items.empty() || items.size() > kMostItems) return std::nullopt;
  const auto is_chain = [](const Plan::Item& item) { return std::holds_alternative<Chain>(item); };
  if (items.size() == 1)  // nothing is left out
    return is_chain(items[0]) ? std::optional(ChainPlan{{}, 0, {}, {}}) : std::nullopt;
  const Once once(items);
  std::optional<ChainPlan> plan;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (once.is_once(i)) continue;
    if (plan)
      plan->each.push_back(i);
    else if (is_chain(items[i]))
      plan.emplace(ChainPlan{once.before(), i, {}, once.after()});
    else
      return std::nullopt;
  }
  if (!plan) return std::nullopt;
  const Chain& chain = std::get<Chain>(items[plan->chain]);
  const auto accumulates = [](const Chain::Reduction& sum) { return sum.call.store == Store::Accumulate; };
  if (std::any_of(chain.reductions.begin(), chain.reductions.end(), accumulates)) return std::nullopt;
  const auto follows = [&](std::size_t item) { return goes_on_from_sums(items[item], chain); };
  return std::all_of(plan->each.begin(), plan->each.end(), follows) ? plan : std::nullopt;
}

std::optional<SetPlan> by_sets(const std::vector<Plan::Item>& items) {
  if (items.size() < 2 || items.size() > kMostItems) return std::nullopt;
  SetPlan plan;
  const Once once(items);
  plan.before = once.before();
  plan.after = once.after();
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (once.is_once(i)) continue;
    std::vector<Chain> chains = chains_of(items[i]);
    if (chains.empty()) return std::nullopt;
    std::move(chains.begin(), chains.end(), std::back_inserter(plan.chains));
  }
  const auto updating =
      std::find_if(plan.chains.begin(), plan.chains.end(), [](const Chain& chain) { return !chain.updates.empty(); });
  if (updating == plan.chains.end()) return std::nullopt;
  plan.sets = updating->updates.front().call.layout.sets;
  SetCheck check(plan.sets);
  for (Chain& chain : plan.chains)
    if (!divide(chain, plan.sets) || !check.add(chain)) return std::nullopt;
  return check.apart() ? std::optional(std::move(plan)) : std::nullopt;
}

}  // namespace luge
