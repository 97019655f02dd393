#pragma once
// THE SEAM, for whole steps: what a backend is given to run again and again. A plan is a list of calls and
// of chains; a chain is a run of calls over one iteration space, fused.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include <luge/seam/call.h>

namespace luge {

/// What a link of a chain reads: a value that an earlier link or a load made, a number, or nothing.
struct ChainInput {
  enum class Kind : std::uint8_t { Absent, Value, Number };

  Kind kind = Kind::Absent;
  int value = -1;
  Operand number;  ///< an Immediate
};

/// One step of a chain, for one element of its space:
///   Formula  an elementwise formula in the meaning of struct Elementwise: in and out as there
///   Update   one parameter's part of an optimizer step: in = value, gradient, the rule's states, out = value, states;
///            in[kActive] = the flag of the element's set, if the chain makes it: it counts in place of the memory's
/// Every value is made once, by a load or by one link before all links that read it.
struct Link {
  static constexpr int kNothing = -1;
  static constexpr int kMaxOutputs = std::max(Elementwise::kMaxOutputs, 1 + kMaxStates);
  static_assert(2 + kMaxStates <= Elementwise::kMaxInputs);
  static constexpr int kActive = Elementwise::kMaxInputs;
  static constexpr int kMaxInputs = kActive + 1;

  bool is_update = false;
  Op op = Op::Add;
  Direction direction = Direction::Forward;
  std::array<double, 2> parameters{};
  int update = kNothing;  ///< index into Chain::updates
  std::array<ChainInput, kMaxInputs> in;
  std::array<int, kMaxOutputs> out{kNothing, kNothing, kNothing, kNothing};
};

/// Fused calls over one iteration space. For each element: first the loads, then the links in order, then
/// the stores; then its values go into the reductions. An element's stores are read by nobody else within the
/// chain, except through its own loads.
struct Chain {
  /// A value and the memory it is loaded from or stored to; strides over `extent`.
  struct Window {
    int value;
    Operand memory;
  };
  /// A sum or mean over rows of the chain's elements, in order. `call.in` is absent: the elements are those
  /// of `value`.
  struct Reduction {
    int value;
    Reduce call;
  };
  /// `call.losses` is absent.
  struct Recording {
    int value;
    Record call;
  };
  /// The part of an optimizer step that concerns parameter number `parameter` of the arena, whose elements are
  /// those of the chain's space in order. The last part of each optimizer step counts it: call.steps grows by one
  /// when the chain has run.
  struct UpdatePart {
    int parameter;
    Update call;
    bool counts_step;
  };

  Extent extent;
  std::vector<DType> values;  ///< the dtype of each value
  std::vector<Window> loads, stores;
  std::vector<Link> links;
  std::vector<Reduction> reductions;
  std::vector<Recording> recordings;
  std::vector<UpdatePart> updates;

  /// Its windows, then what its reductions, recordings and updates touch besides: all of the arena.
  void effects(Effects& effects);
};

/// A plan whose parameter sets never meet, for many steps at once: `before` once, then `chains` in order at every
/// step, then `after` once leaves what as many runs of the plan leave. Any set may be steps ahead of any other.
///   The first dimension of every chain's extent is that of the sets, and so is the first that its reductions keep.
///   What the chains write of a set they read for that set alone. They never write what an update or recording
///   reads besides its windows (hyperparameters, counters), and no counter serves two recordings.
struct SetPlan {
  std::int64_t sets = 1;
  std::vector<std::size_t> before;  ///< items of the plan that make the same at every step
  std::vector<Chain> chains;        ///< the others, calls taken apart: a chain may have no link or no load
  std::vector<std::size_t> after;   ///< items whose results no step reads: the last step's are those that stay
};

/// A plan of which one chain alone takes part in every step, for many steps at once: `before` once, then the chain at
/// every step, then `after` once leaves what as many runs of the plan leave.
///   With `each`, the chain's reductions make one number each. They are to be in memory after every step when the items
/// run; these may be steps behind the rest of the chain, of which they touch nothing.
struct ChainPlan {
  std::vector<std::size_t> before;  ///< items of the plan that make the same at every step
  std::size_t chain;                ///< the item that is a chain
  std::vector<std::size_t> each;    ///< items that go on from its reductions, such as a record of the sum of losses
  std::vector<std::size_t> after;   ///< items whose results no step reads: the last step's are those that stay
};

/// Items of a plan, one after the other, that act on each parameter set alone: few sets at a time may go through all of
/// them, in any order and at the same time, so that a set's data stays in a cache, or in a block of threads.
///   The first dimension of every chain's extent is that of the sets, and so is the first that its reductions keep.
///   The first dimension of every call is that of the sets, too: of its extent, of its batch, or of its rows, of which
///   a set has as many as every other. part_of() is what such a call does for some sets.
///   What a part writes of a set no other set touches. No chain records.
struct SetSegment {
  std::int64_t sets = 1;
  std::size_t first = 0, last = 0;  ///< items [first, last) of the plan
  std::vector<std::variant<Call, Chain>> parts;  ///< the same, optimizer steps taken apart by parameters
  std::int64_t set_bytes = 0;       ///< that a set touches
  /// Memory that holds nothing before the segment and that nobody reads after it, set after set: what is in it may be
  /// anywhere else instead.
  struct Local {
    std::byte* data;
    std::int64_t set_bytes;
  };
  std::vector<Local> locals;
};

/// What a call of a segment of `sets` does for the sets [begin, end).
Call part_of(const Call& call, std::int64_t sets, std::int64_t begin, std::int64_t end);

/// A step: its items, run in order. Addresses are final.
struct Plan {
  using Item = std::variant<Call, Chain>;
  std::vector<Item> items;
  std::optional<ChainPlan> repeated;  ///< where it is possible
  std::optional<SetPlan> sets;        ///< of several items, where it is possible
  std::vector<SetSegment> segments;   ///< in order, apart from each other
  std::byte* memory = nullptr;        ///< that nobody reads after the step
  std::int64_t memory_bytes = 0;
};

/// Calls visit(effect) for everything that an item touches. *effect.data may be changed.
void for_each_effect(Plan::Item& item, const Effects::Visit& visit);

}  // namespace luge
