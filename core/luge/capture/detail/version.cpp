#include <luge/capture/detail/version.h>

#include <algorithm>
#include <chrono>

#include <luge/autograd/grad_mode.h>
#include <luge/autograd/detail/node.h>
#include <luge/capture/detail/describe.h>
#include <luge/capture/detail/fuse.h>
#include <luge/capture/detail/memory_plan.h>
#include <luge/capture/detail/sets.h>
#include <luge/base/detail/check.h>
#include <luge/ops/detail/labels.h>
#include <luge/ops/detail/random_state.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

/// What a step may take beyond the memory of the eager one: buffers of a segment share places only where they are alike.
constexpr std::size_t spare_bytes(std::size_t eager) { return std::max(std::size_t{1} << 16, eager / 64); }

bool in_step_memory(const void* data) { return reinterpret_cast<std::uintptr_t>(data) >= StepBuffer::kBase; }

/// Memory that outlives the step has its real address from here on.
std::vector<Call> with_real_addresses(const Recording& recording) {
  std::vector<Plan::Item> items(recording.calls.begin(), recording.calls.end());
  std::vector<std::ptrdiff_t> offsets;
  for (const StepBuffer& buffer : recording.buffers)  // dead ones stay where they are
    offsets.push_back(static_cast<std::ptrdiff_t>(buffer.kept ? buffer.real : buffer.address));
  relocate(items, recording.buffers, offsets, nullptr);
  std::vector<Call> calls;
  for (Plan::Item& item : items) calls.push_back(std::get<Call>(std::move(item)));
  return calls;
}

}  // namespace

void StepVersion::take(Recording recorded) {
  recording = std::move(recorded);
  changes_leaves_ = std::any_of(recording.outside.begin(), recording.outside.end(),
                                [](const Recording::Outside& used) { return used.leaves != used.leaves_after; }) ||
                    std::any_of(recording.leaves.begin(), recording.leaves.end(),
                                [](const Recording::Leaf& leaf) { return leaf.moves; });
  for (std::size_t i = 0; i < results.tensors.size(); ++i)
    if (std::any_of(recording.outside.begin(), recording.outside.end(), [&](const Recording::Outside& used) {
          return used.storage == results.tensors[i].storage();
        }))
      outside_results_.push_back(i);
  for (ArgumentUse& use : arguments) use.keep_off(recording.buffers);
}

void StepVersion::forget_leaves() {
  std::erase_if(recording.leaves, [](const Recording::Leaf& leaf) { return !leaf.needs; });
  held.clear();
  holders.clear();
}

bool StepVersion::is_abandoned(const Storage& storage) const {
  int own = storage.pins();
  for (const std::size_t i : outside_results_) {
    const Tensor& result = results.tensors[i];
    if (result.storage().get() == &storage && result.impl()->owners() == 1) ++own;
  }
  return storage.owners() <= own;
}

bool StepVersion::fits(bool& alive) const {
  if (changes_leaves_) return false;
  for (const Recording::Leaf& leaf : recording.leaves) {
    if (!leaf.needs) continue;
    const LeafGradient& gradient = *leaf.tensor->leaf;
    if (gradient.written() != leaf.written_before) return false;
    if (leaf.written_before && leaf.found != gradient.value().data()) return false;
  }
  const int own = static_cast<int>(outside_results_.size());
  bool there = true;
  for (const Recording::Outside& used : recording.outside) {
    const Storage& storage = *used.storage;
    if (storage.leaves() != used.leaves) return false;
    there &= storage.owners() > storage.pins() + own;
  }
  for (const HostEffect& effect : recording.effects) there &= !effect.owner.expired();
  alive = there;
  return true;
}

bool StepVersion::is_displaced() const {
  return std::any_of(recording.leaves.begin(), recording.leaves.end(), [](const Recording::Leaf& leaf) {
    const LeafGradient& gradient = *leaf.tensor->leaf;
    return leaf.needs && leaf.written_before && gradient.written() && gradient.value().data() != leaf.found;
  });
}

void StepVersion::check_alive() const {
  for (const HostEffect& effect : recording.effects)
    LUGE_CHECK(CaptureError, !effect.owner.expired(), "step: the {} that the recorded step works on is gone",
               effect.owner_name);
  for (const Recording::Outside& used : recording.outside) {
    if (!is_abandoned(*used.storage)) continue;
    const std::size_t calls = recording.calls.size();
    const std::string user = used.call < calls ? fmt::format("{} (call {} of {}) works on",
                                                             name_of(recording.calls[used.call]), used.call + 1, calls)
                                               : "the step returns";
    raise<CaptureError>(
        "step: a tensor of {} bytes that {} is gone since the step was recorded; refill such a tensor in place (copy_) "
        "instead of replacing it",
        used.storage->bytes(), user);
  }
}

// ---- the plan -----------------------------------------------------------------------------------

void StepVersion::build(const CaptureOptions& options) {
  std::vector<Call> calls = with_real_addresses(recording);
  if (recording.draws > 0) {
    const auto words = static_cast<std::int64_t>(sizeof(RandomState) / sizeof(std::int64_t));
    random_state_ = empty_tensor({words}, DType::Int64, *recording.backend);
    for (Call& call : calls)
      if (auto* const random = std::get_if<Random>(&call); random && random->global)
        random->state = static_cast<const RandomState*>(random_state_.data());
  }
  executable_.reset();
  if (recording.backend->fuses()) lay_out(calls, true, options);
  if (!executable_) lay_out(calls, false, options);
}

void StepVersion::lay_out(const std::vector<Call>& calls, bool fused, const CaptureOptions& options) {
  plan = {};
  if (fused) {
    const Memory memory{.outlives = [&](const void* data) { return outlives(data, options); }};
    plan.items = fuse(calls, memory);
  } else {
    plan.items.assign(calls.begin(), calls.end());
  }
  // Sets and steps keep apart only where memory of several shapes is not shared; the eager step's is enough for that.
  const bool apart = fused && plan.items.size() > 1 && (by_chain(plan.items) || by_sets(plan.items));
  std::vector<std::ptrdiff_t> offsets;
  const std::vector<SetSegment> segments = fused ? set_segments(plan.items) : std::vector<SetSegment>();
  const std::size_t most = recording.eager_peak + spare_bytes(recording.eager_peak);
  std::size_t bytes = 0;
  const auto place = [&](const std::vector<SetSegment>& cut, Sharing sharing) {
    bytes = plan_memory(plan.items, cut, recording.buffers, sharing, offsets);
    return bytes <= most;
  };
  if (!(apart && place(segments, Sharing::Apart)) && !place(segments, Sharing::Shared)) place({}, Sharing::Shared);
  figures = count(recording.calls, plan);
  figures.recorded_peak = static_cast<std::int64_t>(recording.eager_peak);
  figures.peak = static_cast<std::int64_t>(bytes);
  block_ = Storage::allocate(*recording.backend, bytes);
  const std::vector<Life> lives = lives_of(plan.items, recording.buffers);
  relocate(plan.items, recording.buffers, offsets, block_->data());
  plan.memory = static_cast<std::byte*>(block_->data());
  plan.memory_bytes = static_cast<std::int64_t>(bytes);
  if (fused) plan.repeated = by_chain(plan.items);
  if (fused && (!plan.repeated || !plan.repeated->each.empty())) plan.sets = by_sets(plan.items);
  if (fused) plan.segments = set_segments(plan.items);  // as far as the addresses allow
  for (SetSegment& segment : plan.segments) segment.locals = locals_of(segment, temporaries_of(segment, lives, offsets));
  executable_ = recording.backend->compile(plan);
}

/// Memory of which a segment alone sees what is in it. A place may serve several buffers one after the other.
std::vector<Range> StepVersion::temporaries_of(const SetSegment& segment, const std::vector<Life>& lives,
                                               const std::vector<std::ptrdiff_t>& offsets) const {
  std::vector<Range> inside, across;
  for (std::size_t b = 0; b < lives.size(); ++b) {
    if (!lives[b].used || lives[b].last < segment.first || lives[b].first >= segment.last) continue;
    const auto low = reinterpret_cast<std::intptr_t>(block_->data()) + offsets[b];
    const Range memory{low, low + static_cast<std::intptr_t>(recording.buffers[b].bytes)};
    (lives[b].first >= segment.first && lives[b].last < segment.last ? inside : across).push_back(memory);
  }
  std::erase_if(inside, [&](const Range& memory) {
    return std::any_of(across.begin(), across.end(), [&](const Range& other) { return other.overlaps(memory); });
  });
  return inside;
}

bool StepVersion::outlives(const void* data, const CaptureOptions& options) const {
  if (in_step_memory(data)) return false;
  if (options.keep_gradients) return true;
  for (std::size_t i = 0; i < recording.leaves.size(); ++i) {
    const Tensor& gradient = recording.leaves[i].value;
    if (is_dropped(i, options) && gradient.defined() && gradient.data() == data) return false;
  }
  return true;
}

bool StepVersion::is_dropped(std::size_t leaf, const CaptureOptions& options) const {
  const Recording::Leaf& used = recording.leaves[leaf];
  return !options.keep_gradients && !used.needs && !held[leaf];  // a step goes on from what it needs
}

// ---- replays ------------------------------------------------------------------------------------

bool StepVersion::may_repeat(const CaptureOptions& options) const {
  if (recording.draws > 0) return false;
  for (std::size_t i = 0; i < recording.leaves.size(); ++i) {
    const Recording::Leaf& leaf = recording.leaves[i];
    if (leaf.needs && leaf.written_before != (leaf.written_after && !is_dropped(i, options))) return false;
  }
  return true;
}

std::int64_t StepVersion::replay(std::int64_t most, const CaptureOptions& options) {
  using Clock = std::chrono::steady_clock;
  const bool is_timed = most > 1 || replays < kTimedAtFirst || replays % kTimedOneOf == 0;
  const auto begun = is_timed ? Clock::now() : Clock::time_point();
  if (!recording.labels.empty()) {
    const NoGrad guard;
    for (const Recording::Labels& labels : recording.labels)
      check_labels(labels.op, labels.tensor(), labels.allowed);
  }
  std::int64_t steps = may_repeat(options) ? most : 1;
  for (const HostEffect& effect : recording.effects)
    if (effect.before) steps = effect.before(steps, effect.times);
  if (recording.draws > 0) {
    const RandomState state{global_seed(), next_stream(recording.draws)};
    recording.backend->copy_from_host(random_state_.data(), &state, sizeof state);
  }
  executable_->run(steps);
  for (const Recording::Bump& bump : recording.bumps)
    for (std::int64_t i = 0; i < bump.times * steps; ++i) bump.storage->bump_version();
  for (std::size_t i = 0; i < recording.leaves.size(); ++i) {
    const Recording::Leaf& leaf = recording.leaves[i];
    leaf.tensor->leaf->restore(leaf.written_after && !is_dropped(i, options), leaf.value);
  }
  if (recording.seed) set_global_generator(*recording.seed, recording.seeded_draws);
  for (const HostEffect& effect : recording.effects)
    if (effect.after) effect.after(steps * effect.times);
  replays += steps;
  if (!is_timed) return steps;
  seconds += std::chrono::duration<double>(Clock::now() - begun).count();
  timed += steps;
  return steps;
}

}  // namespace luge
