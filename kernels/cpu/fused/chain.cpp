// A chain made ready: which links make segments, where each value lies. chain_run.cpp walks it.

#include "chain_walk.h"

#include <algorithm>
#include <cstring>

#include "../reduce_space.h"
#include "../strided.h"

namespace luge::cpu {

namespace {

/// Memory of so many bytes is asked for ahead where blocks of sets begin in it anew: the processor does not look so far.
constexpr std::int64_t kFarBytes = std::int64_t{1} << 17;

std::int64_t row_length(const Reduce& call) {
  std::int64_t length = 1;
  for (int d = call.extent.ndim - call.reduced; d < call.extent.ndim; ++d)
    length *= call.extent.sizes[static_cast<std::size_t>(d)];
  return length;
}

bool contains(const std::vector<int>& list, int value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

}  // namespace

ChainLoop::ChainLoop(const Chain& chain, bool may_stream)
    : chain_(chain), count_(chain.extent.count()), places_(chain.values.size()), may_stream_(may_stream) {
  for (const Chain::Reduction& reduction : chain.reductions) row_ = row_length(reduction.call);
  if (!chain.recordings.empty()) row_ = count_;
  find_accesses();
  add_jobs(chain_.links);
  place_values();
  for (Job& job : jobs_) {
    if (job.segment) {  // again, now that it is known what streams
      job.segment = compile_segment(context(job.links, true), job.links);
      for (const int out : job.out) streams_ |= places_[static_cast<std::size_t>(out)].streams;
    }
    updates_ |= !job.segment && !job.tile;
  }
  for (const Store& store : stores_) streams_ |= store.streams;
  if (!is_one_segment()) return;
  const bool gathers =
      std::any_of(loads_.begin(), loads_.end(), [](const Load& load) { return load.access == Access::Gather; });
  const auto accumulates = [](const Chain::Reduction& sum) { return sum.call.store == luge::Store::Accumulate; };
  sums_ = chain_.recordings.empty() && stores_.empty() && !gathers && jobs_[0].segment->sums();
  carries_ = stores_.empty() && !gathers && !jobs_[0].segment->carried().empty() &&
             std::none_of(chain_.reductions.begin(), chain_.reductions.end(), accumulates);
  if (jobs_[0].segment->walks_rows()) find_row_pointers();
}

/// Whether one segment does all but sums and recordings.
bool ChainLoop::is_one_segment() const { return jobs_.size() == 1 && jobs_[0].segment != nullptr; }

bool ChainLoop::is_recorded(int value) const {
  return std::any_of(chain_.recordings.begin(), chain_.recordings.end(),
                     [&](const Chain::Recording& recording) { return recording.value == value; });
}

// ---- rows

/// Rows that are long enough for vectors, and short enough for one run of a sum.
std::int64_t ChainLoop::walked_row_length() const {
  constexpr std::int64_t kShortest = 8;
  return chain_.reductions.empty() || !chain_.recordings.empty() || row_ < kShortest || row_ > kSumRun ? 0 : row_;
}

std::optional<RowWalk> ChainLoop::row_walk(int value) const {
  const auto walk = [this](const StridesArray& strides, DType dtype) -> std::optional<RowWalk> {
    const Extent& extent = chain_.extent;
    const auto size = static_cast<std::int64_t>(size_of(dtype));
    const bool flat = extent.ndim == 1;
    if (!flat && (extent.ndim != 2 || extent.sizes[1] != row_)) return {};
    const std::int64_t inner = strides[flat ? 0 : 1], outer = flat ? inner * row_ : strides[0];
    if (inner != 0 && inner != 1) return {};
    const std::int64_t row_bytes = outer * size;
    if (row_bytes < 0 || row_bytes > INT32_MAX) return {};
    return RowWalk{row_bytes, inner == 0};
  };
  if (value < 0) return RowWalk{bytes_of(chain_.values.front(), row_), false};
  for (const auto* const windows : {&chain_.loads, &chain_.stores})
    for (const Chain::Window& window : *windows)
      if (window.value == value) return walk(window.memory.strides, window.memory.dtype);
  return {};
}

/// A value may be stored in more than one place; one that is only handed on has no link that makes it.
void ChainLoop::find_row_pointers() {
  const Segment& segment = *jobs_[0].segment;
  if (segment.stored().size() != chain_.stores.size()) return;
  const auto add = [this](int value, const std::vector<Chain::Window>& windows) {
    for (const Chain::Window& window : windows)
      if (window.value == value)
        return row_pointers_.push_back({static_cast<std::byte*>(window.memory.data), row_walk(value)->row_bytes});
  };
  for (const Segment::Input& input : segment.inputs())
    if (input.value >= 0)
      add(input.value, chain_.loads);
    else
      row_pointers_.push_back({const_cast<std::byte*>(input.memory), row_walk(-1)->row_bytes});
  for (const int value : segment.stored()) add(value, chain_.stores);
  if (row_pointers_.size() != segment.inputs().size() + segment.stored().size()) row_pointers_.clear();
}

/// What the chain loads where it stores this value; -1: nothing.
int ChainLoop::next_load(int value) const {
  for (const Chain::Window& store : chain_.stores)
    for (const Chain::Window& load : chain_.loads)
      if (store.value == value && load.value != value && store.memory.data == load.memory.data) return load.value;
  return -1;
}

/// Whether the chain overwrites a load's memory and hands its value on unchanged: to another store, a sum or a record.
/// Stores follow one another, so such a value leaves memory before any of them.
bool ChainLoop::is_overwritten(const Chain::Window& load) const {
  const auto is_read = [&](const auto& part) { return part.value == load.value; };
  const auto overwrites = [&](const Chain::Window& store) {
    return store.memory.data == load.memory.data && store.value != load.value;
  };
  return std::any_of(chain_.stores.begin(), chain_.stores.end(), overwrites) &&
         (std::any_of(chain_.stores.begin(), chain_.stores.end(), is_read) ||
          std::any_of(chain_.reductions.begin(), chain_.reductions.end(), is_read) ||
          std::any_of(chain_.recordings.begin(), chain_.recordings.end(), is_read));
}

void ChainLoop::find_accesses() {
  for (const Chain::Window& load : chain_.loads) {
    const Operand& window = load.memory;
    const bool whole = is_contiguous(chain_.extent, window.strides) && !is_overwritten(load);
    const Access access = is_constant(chain_.extent, window.strides) && count_ > 1 ? Access::Constant
                          : whole                                                  ? Access::Whole
                                                                                   : Access::Gather;
    const std::int64_t bytes = bytes_of(window.dtype, count_);
    const bool far = worth_streaming(bytes) || (!may_stream_ && bytes >= kFarBytes);
    loads_.push_back({access, far, load.value, window});
    if (access == Access::Whole)
      places_[static_cast<std::size_t>(load.value)].memory = static_cast<std::byte*>(window.data);
  }
}

// ---- jobs ---------------------------------------------------------------------------------------

/// `whole`: for all loops that a segment can have, rather than to see whether it can have one.
SegmentContext ChainLoop::context(std::span<const Link> links, bool whole) const {
  const auto load_of = [this](int value) {
    return std::find_if(loads_.begin(), loads_.end(), [&](const Load& load) { return load.value == value; });
  };
  const auto used_outside = [this, links](int value) {
    const auto reads = [&](const Link& link) {
      return std::any_of(link.in.begin(), link.in.end(),
                         [&](const ChainInput& in) { return in.kind == ChainInput::Kind::Value && in.value == value; });
    };
    for (const Link& link : chain_.links)
      if ((&link < links.data() || &link >= links.data() + links.size()) && reads(link)) return true;
    const auto is_value = [&](const auto& part) { return part.value == value; };
    return std::any_of(chain_.stores.begin(), chain_.stores.end(), is_value) ||
           std::any_of(chain_.recordings.begin(), chain_.recordings.end(), is_value);
  };
  std::vector<int> sums;
  for (const Chain::Reduction& reduction : chain_.reductions) sums.push_back(reduction.value);
  return {.chain = chain_,
          .is_used_outside = used_outside,
          .sums = sums,
          .scalar = [this, load_of](int value) -> const void* {
            const auto load = load_of(value);
            return load != loads_.end() && load->access == Access::Constant ? load->window.data : nullptr;
          },
          .is_far = [this, load_of](int value) { return load_of(value) != loads_.end() && load_of(value)->far; },
          .streams = [this](int value) { return places_[static_cast<std::size_t>(value)].streams; },
          .is_carried = [this, whole](int value) { return whole && (next_load(value) >= 0 || is_recorded(value)); },
          .next_load = [this](int value) { return next_load(value); },
          .row_length = whole ? walked_row_length() : 0,
          .row_walk = [this](int value) { return row_walk(value); }};
}

/// The longest runs of links that make segments; the rest one by one.
void ChainLoop::add_jobs(std::span<const Link> links) {
  while (!links.empty()) {
    std::size_t length = links.size();
    while (length > 0 && !add_segment(links.first(length))) length /= 2;
    if (length == 0) {
      add_job(links.front());
      length = 1;
    }
    links = links.subspan(length);
  }
}

bool ChainLoop::add_segment(std::span<const Link> links) {
  Job job;
  job.segment = compile_segment(context(links, false), links);
  if (!job.segment) return false;
  for (const Segment::Input& input : job.segment->inputs())
    if (input.value >= 0) job.in.push_back(input.value);
  job.out = job.segment->outputs();
  job.links = links;
  jobs_.push_back(std::move(job));
  return true;
}

int ChainLoop::constant(const Operand& number) {
  for (std::size_t c = 0; c < constants_.size(); ++c)
    if (constants_[c].dtype == number.dtype &&
        std::memcmp(&constants_[c].integer, &number.integer, sizeof number.integer) == 0)
      return ~static_cast<int>(c);
  constants_.push_back(number);
  return ~(static_cast<int>(constants_.size()) - 1);
}

void ChainLoop::add_job(const Link& link) {
  Job job;
  job.in.assign(link.in.size(), kNothing);
  job.out.assign(link.out.size(), kNothing);
  job.parameters = link.parameters;
  DType dtype = DType::Float32;
  for (std::size_t i = 0; i < link.in.size(); ++i) {
    const ChainInput& in = link.in[i];
    if (in.kind == ChainInput::Kind::Absent) continue;
    const bool number = in.kind == ChainInput::Kind::Number;
    job.in[i] = number ? constant(in.number) : in.value;
    // Where has its condition first; everything else has a value there.
    if (i == (link.op == Op::Where && link.direction == Direction::Forward ? 1u : 0u))
      dtype = number ? in.number.dtype : chain_.values[static_cast<std::size_t>(in.value)];
  }
  for (std::size_t i = 0; i < link.out.size(); ++i)
    if (link.out[i] != Link::kNothing) job.out[i] = link.out[i];
  if (link.is_update) {
    job.update = link.update;
    const Chain::UpdatePart& part = chain_.updates[static_cast<std::size_t>(link.update)];
    job.per_set = part.call.layout.per_set[part.parameter];
  } else {
    job.tile = link.direction == Direction::Forward ? forward_tile(link.op, dtype) : backward_tile(link.op, dtype);
  }
  jobs_.push_back(std::move(job));
}

// ---- places -------------------------------------------------------------------------------------

/// Whether an update that writes `out` reads `value` besides what `out` goes on from: it begins by copying that.
bool ChainLoop::reads_besides(const Job& job, int out, int value) const {
  if (job.segment || job.tile) return false;  // these load an element before they store it
  for (std::size_t i = 0; i < job.in.size(); ++i) {
    const std::size_t result = i < 2 ? 0 : i - 1;  // value and states go on; the gradient does not
    const bool goes_on = i != 1 && result < job.out.size() && job.out[result] == out;
    if (job.in[i] == value && !goes_on) return true;
  }
  return false;
}

/// Whether every tile begins at a multiple of a cache line.
bool ChainLoop::positions_are_aligned() const { return row_ == 0 || row_ == count_ || row_ % 16 == 0; }

void ChainLoop::place_values() {
  const int end = static_cast<int>(jobs_.size());
  // The last job that reads a value; what is read when all jobs are done counts as one more.
  std::vector<int> last(places_.size(), -1);
  for (int j = 0; j < end; ++j)
    for (const int in : jobs_[static_cast<std::size_t>(j)].in)
      if (in >= 0) last[static_cast<std::size_t>(in)] = j;
  const auto read_at_end = [&](int value) { last[static_cast<std::size_t>(value)] = end; };
  for (const Chain::Reduction& reduction : chain_.reductions) read_at_end(reduction.value);
  for (const Chain::Recording& recording : chain_.recordings) read_at_end(recording.value);
  for (const Load& load : loads_)
    for (const Chain::Window& store : chain_.stores)
      if (store.value == load.value) read_at_end(load.value);

  for (const Chain::Window& store : chain_.stores) {
    const Operand& window = store.memory;
    Place& place = places_[static_cast<std::size_t>(store.value)];
    const bool whole = is_contiguous(chain_.extent, window.strides);
    const auto old = std::find_if(loads_.begin(), loads_.end(), [&](const Load& load) {
      return load.access == Access::Whole && load.window.data == window.data;
    });
    if (old != loads_.end() && old->value == store.value) continue;  // unchanged
    const auto maker =
        std::find_if(jobs_.begin(), jobs_.end(), [&](const Job& job) { return contains(job.out, store.value); });
    // Written where it belongs at once, unless what was there is still to be read.
    const bool in_place = whole && maker != jobs_.end() && place.memory == nullptr &&
                          (old == loads_.end() || (last[static_cast<std::size_t>(old->value)] <= maker - jobs_.begin() &&
                                                   !reads_besides(*maker, store.value, old->value)));
    const bool streams = may_stream_ && whole && old == loads_.end() &&
                         worth_streaming(count_ * static_cast<std::int64_t>(size_of(window.dtype)));
    const bool read_again = last[static_cast<std::size_t>(store.value)] >= 0;
    const bool aligned = reinterpret_cast<std::uintptr_t>(window.data) % 64 == 0 && positions_are_aligned();
    const bool streams_itself = streams && in_place && maker->segment && aligned && !read_again;
    if (in_place && (!streams || streams_itself)) {
      place.memory = static_cast<std::byte*>(window.data);
      place.streams = streams_itself;
    } else {
      stores_.push_back({store.value, whole, streams, window});
    }
  }
  for (const Store& store : stores_) read_at_end(store.value);
  place_slots(std::move(last));
}

/// Slots are used again as soon as nobody reads them any more.
void ChainLoop::place_slots(std::vector<int> last) {
  std::vector<int> free_slots;
  const auto take = [&](int value) {
    Place& place = places_[static_cast<std::size_t>(value)];
    if (place.memory != nullptr || place.slot >= 0) return;
    if (free_slots.empty()) free_slots.push_back(slots_++);
    place.slot = free_slots.back();
    free_slots.pop_back();
  };
  const auto read_by_jobs = [&](int value) {
    return std::any_of(jobs_.begin(), jobs_.end(), [&](const Job& job) { return contains(job.in, value); });
  };
  for (const Load& load : loads_) {
    const bool read_at_end = last[static_cast<std::size_t>(load.value)] == static_cast<int>(jobs_.size());
    // One that is filled once for many tiles keeps its slot; one that only segments read needs none.
    if (load.access == Access::Constant && (read_at_end || read_by_jobs(load.value))) {
      places_[static_cast<std::size_t>(load.value)].slot = slots_++;
      last[static_cast<std::size_t>(load.value)] = static_cast<int>(jobs_.size());
    }
    if (load.access == Access::Gather) take(load.value);
  }
  for (std::size_t j = 0; j < jobs_.size(); ++j) {
    for (const int out : jobs_[j].out)
      if (out >= 0) take(out);
    for (const int in : jobs_[j].in) {
      if (in < 0 || last[static_cast<std::size_t>(in)] != static_cast<int>(j)) continue;
      const Place& place = places_[static_cast<std::size_t>(in)];
      if (place.slot >= 0 && !contains(free_slots, place.slot)) free_slots.push_back(place.slot);
    }
  }
}

}  // namespace luge::cpu
