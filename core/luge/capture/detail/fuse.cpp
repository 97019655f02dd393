#include <luge/capture/detail/fuse.h>

#include <algorithm>
#include <optional>

#include <luge/capture/detail/chain_builder.h>
#include <luge/capture/detail/range.h>
#include <luge/tensor/detail/iteration.h>

namespace luge {

namespace {

/// What one parameter's part of a step effects.
std::vector<RangeEffect> effects_of(const Update& call, int parameter) {
  std::vector<RangeEffect> effects;
  const auto size = static_cast<std::int64_t>(size_of(call.dtype));
  const std::int64_t low = call.layout.offset[parameter] * size,
                     bytes = call.layout.sets * call.layout.per_set[parameter] * size;
  for_each_effect(call, [&](const Effect& effect) {
    const void* const data = *effect.data;
    const auto at = reinterpret_cast<std::intptr_t>(data);
    if (call.is_block(data))
      effects.push_back({{at + low, at + low + bytes}, effect.reads, effect.writes});
    else
      effects.push_back({range_of(effect), true, false});  // the step is counted apart
  });
  return effects;
}

bool conflict(const std::vector<RangeEffect>& a, const std::vector<RangeEffect>& b) {
  for (const RangeEffect& x : a)
    for (const RangeEffect& y : b)
      if ((x.writes || y.writes) && x.range.overlaps(y.range)) return true;
  return false;
}

/// Calls that run together.
struct Group {
  std::vector<Call> calls;  ///< in order; one, where there is no chain
  std::optional<ChainBuilder> chain;
  std::vector<RangeEffect> effects;
  bool has_update = false;
};

class Fuser {
 public:
  explicit Fuser(const Memory& memory) : memory_(memory) {}

  void add(const Call& call) {
    if (const auto* const update = std::get_if<Update>(&call)) return add_update(*update);
    place(call, effects_of(call));
  }

  std::vector<Plan::Item> finish() {
    drop_unread();
    std::vector<Plan::Item> items;
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      const Group& group = groups_[g];
      if (!group.chain || (group.calls.size() == 1 && !group.has_update)) {
        items.emplace_back(group.calls.front());
        continue;
      }
      Chain chain =
          group.chain->finish([&](const Operand& window, const Extent& extent) { return is_read(window, extent, g); });
      const bool leaves_nothing =
          chain.links.empty() && chain.stores.empty() && chain.reductions.empty() && chain.recordings.empty();
      if (!leaves_nothing) items.emplace_back(std::move(chain));
    }
    return items;
  }

 private:
  /// Into a group that has room for it, behind all that it depends on; else into a group of its own there.
  void place(const Call& call, std::vector<RangeEffect> effects) {
    const std::size_t first = behind(effects);
    for (std::size_t g = first == 0 ? 0 : first - 1; g < groups_.size(); ++g) {
      if (!groups_[g].chain || !groups_[g].chain->add(call)) continue;
      groups_[g].calls.push_back(call);
      append(groups_[g], effects);
      return;
    }
    Group group;
    group.calls.push_back(call);
    if (ChainBuilder::takes(call)) group.chain.emplace(call);
    if (group.chain && group.chain->empty()) group.chain.reset();  // a kind that is taken, but not this one
    group.effects = std::move(effects);
    insert(std::move(group));
  }

  /// Parameters whose gradients a chain makes are updated there. The others get chains of their own, unless
  /// they are many: then the whole step stays one call.
  void add_update(const Update& call) {
    const std::vector<Group> before = groups_;
    std::vector<int> rest;
    int all = 0;
    for (int p = 0; p < call.layout.parameters; ++p) {
      if (call.layout.per_set[p] == 0) continue;
      ++all;
      const std::vector<RangeEffect> effects = effects_of(call, p);
      const std::size_t first = behind(effects);
      bool placed = false;
      for (std::size_t g = first == 0 ? 0 : first - 1; g < groups_.size() && !placed; ++g) {
        if (!groups_[g].chain || !groups_[g].chain->add(call, p)) continue;
        append(groups_[g], effects);
        groups_[g].has_update = placed = true;
      }
      if (!placed) rest.push_back(p);
    }
    if (2 * static_cast<int>(rest.size()) >= all) {
      groups_ = before;
      Group group;
      group.calls.emplace_back(call);
      group.effects = effects_of(Call(call));
      insert(std::move(group));
      return;
    }
    for (const int p : rest) {
      Group group;
      group.chain.emplace(call, p);
      group.effects = effects_of(call, p);
      group.has_update = true;
      insert(std::move(group));
    }
    count_step(call);
  }

  /// As far forward as what it depends on allows.
  void insert(Group group) {
    groups_.insert(groups_.begin() + static_cast<std::ptrdiff_t>(behind(group.effects)), std::move(group));
  }

  /// The last group with a part of this step counts it.
  void count_step(const Update& call) {
    const auto steps = reinterpret_cast<std::intptr_t>(call.steps);
    const Range counted{steps, steps + static_cast<std::intptr_t>(sizeof *call.steps)};
    for (std::size_t g = groups_.size(); g-- > 0;) {
      Group& group = groups_[g];
      const bool part =
          group.has_update && std::any_of(group.effects.begin(), group.effects.end(),
                                          [&](const RangeEffect& effect) { return effect.range == counted; });
      if (!part) continue;
      group.chain->count(call);
      group.effects.push_back({counted, true, true});
      return;
    }
  }

  /// The first position behind every group that these effects depend on.
  std::size_t behind(const std::vector<RangeEffect>& effects) const {
    std::size_t position = groups_.size();
    while (position > 0 && !conflict(groups_[position - 1].effects, effects)) --position;
    return position;
  }

  static void append(Group& group, const std::vector<RangeEffect>& effects) {
    group.effects.insert(group.effects.end(), effects.begin(), effects.end());
  }

  /// Whether anybody but group `own` reads what it writes to this window.
  bool is_read(const Operand& window, const Extent& extent, std::size_t own) const {
    if (memory_.outlives(window.data)) return true;
    Operand copy = window;
    const Range written = range_of(window_effect(copy, extent, false, true));
    for (std::size_t g = 0; g < groups_.size(); ++g)
      if (g != own && reads(groups_[g], written)) return true;
    return false;
  }

  static bool reads(const Group& group, const Range& written) {
    return std::any_of(group.effects.begin(), group.effects.end(),
                       [&](const RangeEffect& effect) { return effect.reads && effect.range.overlaps(written); });
  }

  /// Groups whose results nobody reads.
  void drop_unread() {
    for (std::size_t g = groups_.size(); g-- > 0;) {
      const bool wanted =
          groups_[g].has_update ||
          std::any_of(groups_[g].effects.begin(), groups_[g].effects.end(), [&](const RangeEffect& effect) {
            if (!effect.writes) return false;
            if (memory_.outlives(reinterpret_cast<const void*>(effect.range.low))) return true;
            for (std::size_t other = 0; other < groups_.size(); ++other)
              if (other != g && reads(groups_[other], effect.range)) return true;
            return false;
          });
      if (!wanted) groups_.erase(groups_.begin() + static_cast<std::ptrdiff_t>(g));
    }
  }

  const Memory& memory_;
  std::vector<Group> groups_;
};

}  // namespace

std::vector<Plan::Item> fuse(const std::vector<Call>& calls, const Memory& memory) {
  Fuser fuser(memory);
  for (const Call& call : calls) fuser.add(call);
  return fuser.finish();
}

}  // namespace luge
