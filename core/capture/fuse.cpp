#include <luge/capture/fuse.h>

#include <algorithm>
#include <optional>

#include <luge/capture/access.h>
#include <luge/capture/chain_builder.h>
#include <luge/tensor/iteration.h>

namespace luge {

namespace {

/// Bytes in memory and what is done to them.
struct Touch {
  std::intptr_t low, high;
  bool reads, writes;
};

std::vector<Touch> touches_of(const Call& call) {
  std::vector<Touch> touches;
  Call copy = call;
  for_each_access(copy, [&](const Access& access) {
    const auto data = reinterpret_cast<std::intptr_t>(*access.data);
    touches.push_back({data + access.low, data + access.high, access.reads, access.writes});
  });
  return touches;
}

/// What one parameter's part of a step touches.
std::vector<Touch> touches_of(const Update& call, int parameter) {
  std::vector<Touch> touches;
  Update copy = call;
  const auto size = static_cast<std::int64_t>(size_of(call.dtype));
  const std::int64_t low = call.layout.offset[parameter] * size,
                     bytes = call.layout.sets * call.layout.per_set[parameter] * size;
  for_each_access(copy, [&](const Access& access) {
    const void* const data = *access.data;
    const auto at = reinterpret_cast<std::intptr_t>(data);
    if (data == call.value || data == call.grad || data == call.first || data == call.second)
      touches.push_back({at + low, at + low + bytes, access.reads, access.writes});
    else
      touches.push_back({at + access.low, at + access.high, true, false});  // the step is counted apart
  });
  return touches;
}

bool conflict(const std::vector<Touch>& a, const std::vector<Touch>& b) {
  for (const Touch& x : a)
    for (const Touch& y : b)
      if ((x.writes || y.writes) && x.low < y.high && y.low < x.high) return true;
  return false;
}

/// Calls that run together.
struct Group {
  std::vector<Call> calls;               ///< in order; one, where there is no chain
  std::optional<ChainBuilder> chain;
  std::vector<Touch> touches;
  bool has_update = false;
};

class Fuser {
 public:
  explicit Fuser(const Memory& memory) : memory_(memory) {}

  void add(const Call& call) {
    if (const auto* const update = std::get_if<Update>(&call)) return add_update(*update);
    place(call, touches_of(call));
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
      Chain chain = group.chain->finish(
          [&](const Operand& window, const Extent& extent) { return is_read(window, extent, g); });
      const bool leaves_nothing =
          chain.links.empty() && chain.stores.empty() && chain.reductions.empty() && chain.recordings.empty();
      if (!leaves_nothing) items.emplace_back(std::move(chain));
    }
    return items;
  }

 private:
  /// Into a group that has room for it, behind all that it depends on; else into a group of its own there.
  void place(const Call& call, std::vector<Touch> touches) {
    const std::size_t first = behind(touches);
    for (std::size_t g = first == 0 ? 0 : first - 1; g < groups_.size(); ++g) {
      if (!groups_[g].chain || !groups_[g].chain->add(call)) continue;
      groups_[g].calls.push_back(call);
      append(groups_[g], touches);
      return;
    }
    Group group;
    group.calls.push_back(call);
    if (ChainBuilder::takes(call)) group.chain.emplace(call);
    if (group.chain && group.chain->empty()) group.chain.reset();  // a kind that is taken, but not this one
    group.touches = std::move(touches);
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
      const std::vector<Touch> touches = touches_of(call, p);
      const std::size_t first = behind(touches);
      bool placed = false;
      for (std::size_t g = first == 0 ? 0 : first - 1; g < groups_.size() && !placed; ++g) {
        if (!groups_[g].chain || !groups_[g].chain->add(call, p)) continue;
        append(groups_[g], touches);
        groups_[g].has_update = placed = true;
      }
      if (!placed) rest.push_back(p);
    }
    if (2 * static_cast<int>(rest.size()) >= all) {
      groups_ = before;
      Group group;
      group.calls.emplace_back(call);
      group.touches = touches_of(Call(call));
      insert(std::move(group));
      return;
    }
    for (const int p : rest) {
      Group group;
      group.chain.emplace(call, p);
      group.touches = touches_of(call, p);
      group.has_update = true;
      insert(std::move(group));
    }
    count_step(call);
  }

  /// As far forward as what it depends on allows.
  void insert(Group group) {
    groups_.insert(groups_.begin() + static_cast<std::ptrdiff_t>(behind(group.touches)), std::move(group));
  }

  /// The last group with a part of this step counts it.
  void count_step(const Update& call) {
    const auto steps = reinterpret_cast<std::intptr_t>(call.steps);
    const Touch counted{steps, steps + static_cast<std::intptr_t>(sizeof *call.steps), true, false};
    for (std::size_t g = groups_.size(); g-- > 0;) {
      Group& group = groups_[g];
      const bool part = group.has_update && std::any_of(group.touches.begin(), group.touches.end(), [&](const Touch& touch) {
        return touch.low == counted.low && touch.high == counted.high;
      });
      if (!part) continue;
      group.chain->count(call);
      group.touches.push_back({counted.low, counted.high, true, true});
      return;
    }
  }

  /// The first position behind every group that these touches depend on.
  std::size_t behind(const std::vector<Touch>& touches) const {
    std::size_t position = groups_.size();
    while (position > 0 && !conflict(groups_[position - 1].touches, touches)) --position;
    return position;
  }

  static void append(Group& group, const std::vector<Touch>& touches) {
    group.touches.insert(group.touches.end(), touches.begin(), touches.end());
  }

  /// Whether anybody but group `own` reads what it writes to this window.
  bool is_read(const Operand& window, const Extent& extent, std::size_t own) const {
    if (memory_.outlives(window.data)) return true;
    Operand copy = window;
    const Access access = window_access(copy, extent, false, true);
    const auto data = reinterpret_cast<std::intptr_t>(*access.data);
    const Touch written{data + access.low, data + access.high, false, true};
    for (std::size_t g = 0; g < groups_.size(); ++g)
      if (g != own && reads(groups_[g], written)) return true;
    return false;
  }

  static bool reads(const Group& group, const Touch& written) {
    return std::any_of(group.touches.begin(), group.touches.end(), [&](const Touch& touch) {
      return touch.reads && touch.low < written.high && written.low < touch.high;
    });
  }

  /// Groups whose results nobody reads.
  void drop_unread() {
    for (std::size_t g = groups_.size(); g-- > 0;) {
      const bool wanted = groups_[g].has_update || std::any_of(groups_[g].touches.begin(), groups_[g].touches.end(),
                                                               [&](const Touch& touch) {
        if (!touch.writes) return false;
        if (memory_.outlives(reinterpret_cast<const void*>(touch.low))) return true;
        for (std::size_t other = 0; other < groups_.size(); ++other)
          if (other != g && reads(groups_[other], touch)) return true;
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
