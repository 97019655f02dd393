#include <luge/capture/step.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include <luge/autograd/grad_mode.h>
#include <luge/autograd/node.h>
#include <luge/capture/access.h>
#include <luge/capture/describe.h>
#include <luge/capture/fuse.h>
#include <luge/capture/memory_plan.h>
#include <luge/capture/recorder.h>
#include <luge/capture/sets.h>
#include <luge/check.h>
#include <luge/ops/labels.h>
#include <luge/ops/random_state.h>
#include <luge/tensor/tensor_impl.h>
#include <luge/tensor/values.h>

namespace luge {

namespace {

/// Lets a recorder observe this thread.
class Observing {
 public:
  explicit Observing(Recorder& recorder) {
    LUGE_CHECK(CaptureError, !observer, "capture: a captured step runs within another one; call the function itself");
    observer = &recorder;
  }
  ~Observing() { observer = nullptr; }
  Observing(const Observing&) = delete;
  Observing& operator=(const Observing&) = delete;
};

/// What a step may take beyond the memory of the eager one.
constexpr std::size_t kSpareBytes = std::size_t{1} << 16;

/// Whether both calls do the same to the same memory.
bool same_memory(Call a, Call b) {
  if (a.index() != b.index()) return false;
  std::vector<Access> first, second;
  for_each_access(a, [&](const Access& access) { first.push_back(access); });
  for_each_access(b, [&](const Access& access) { second.push_back(access); });
  return std::equal(first.begin(), first.end(), second.begin(), second.end(), [](const Access& x, const Access& y) {
    return *x.data == *y.data && x.low == y.low && x.high == y.high && x.writes == y.writes;
  });
}

/// The first call that is not in both recordings, or nothing.
std::optional<std::size_t> difference(const std::vector<Call>& a, const std::vector<Call>& b) {
  const auto at = std::mismatch(a.begin(), a.end(), b.begin(), b.end(), same_memory).first;
  if (at == a.end() && a.size() == b.size()) return std::nullopt;
  return static_cast<std::size_t>(at - a.begin());
}

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

class CapturedStep::Impl {
 public:
  Impl(std::function<std::vector<Tensor>()> body, CaptureOptions options, SourceLocation location)
      : body_(std::move(body)), options_(options), location_(location) {}

  const std::vector<Tensor>& run(std::int64_t steps) {
    LUGE_CHECK(ValueError, steps >= 1, "run: steps is {}; it must be 1 or more", steps);
    LUGE_CHECK(CaptureError, !observer, "{}: a captured step runs within another one; call the function itself",
               named("capture", location_));
    for (std::int64_t done = 0; done < steps;) {
      Version* const version = fitting();
      if (version && version->is_settled) {
        done += replay(*version, steps - done);
      } else {
        record(version);
        ++done;
      }
    }
    return current_->results;
  }

  StepFigures figures() const {
    check_recorded("figures");
    return current_->figures;
  }

  StepStats stats() const {
    check_recorded("stats");
    const Version& version = *current_;
    StepStats stats{.replays = version.replays, .seconds = 0, .bytes_per_second = 0};
    if (version.replays == 0) return stats;
    stats.seconds = version.seconds / static_cast<double>(version.replays);
    stats.bytes_per_second = version.figures.bytes / stats.seconds;
    return stats;
  }

  std::string plan() const {
    check_recorded("plan");
    return describe(current_->plan, current_->figures, *current_->recording.backend);
  }

 private:
  using Clock = std::chrono::steady_clock;

  /// One recording and what was made of it.
  struct Version {
    Recording recording;
    std::vector<bool> held;   ///< of its leaves: whether somebody else has the gradient
    bool is_settled = false;  ///< the step does the same every time
    bool differs = false;     ///< it did something else than the step before
    std::vector<Tensor> results;
    Tensor random_state;
    Ref<Storage> block;
    Plan plan;
    std::unique_ptr<Executable> executable;
    StepFigures figures;
    std::int64_t replays = 0;
    double seconds = 0;
  };
  /// A step goes on from few different states: more recordings than this are a program that changes.
  static constexpr std::size_t kMostVersions = 8;

  void check_recorded(const char* op) const {
    LUGE_CHECK(CaptureError, current_, "{}: nothing is recorded yet; call the step once before", op);
  }

  /// The recording that began with gradients written where they are now.
  Version* fitting() const {
    for (const std::unique_ptr<Version>& version : versions_) {
      const std::vector<Recording::Leaf>& leaves = version->recording.leaves;
      const std::vector<Recording::Outside>& outside = version->recording.outside;
      const bool fits = std::all_of(leaves.begin(), leaves.end(),
                                    [](const Recording::Leaf& leaf) {
                                      return !leaf.needs || leaf.tensor->leaf->written() == leaf.written_before;
                                    }) &&
                        std::all_of(outside.begin(), outside.end(), [](const Recording::Outside& used) {
                          return used.storage->leaves() == used.leaves;
                        });
      if (fits) return version.get();
    }
    return nullptr;
  }

  /// Runs the function and records it; in place of `last`, if that was recorded from the same state.
  void record(Version* last) {
    for (const std::unique_ptr<Version>& version : versions_)
      if (version.get() != last) check_alive(*version);  // compare() finds what `last` worked on and is gone
    LUGE_CHECK(
        CaptureError, last || versions_.size() < kMostVersions,
        "{}: the step was recorded {} times, from different gradients or leaves each time; call zero_grad within "
        "it, and requires_grad_ outside",
        named("capture", location_), versions_.size());
    std::unique_ptr<Version> version = recorded(last);
    if (!version->is_settled) version->is_settled = !is_shared(*version);
    if (!options_.keep_gradients)
      for (const Recording::Leaf& leaf : version->recording.leaves) version->held.push_back(is_held(*version, leaf));
    build(*version);
    std::erase_if(versions_, [last](const std::unique_ptr<Version>& old) { return old.get() == last; });
    versions_.push_back(std::move(version));
    current_ = versions_.back().get();
  }

  std::unique_ptr<Version> recorded(const Version* last) const {
    auto version = std::make_unique<Version>();
    Recorder recorder(location_);
    try {
      {
        const Observing observing(recorder);
        std::vector<Tensor> results = body_();
        for (const Tensor& result : results) version->results.push_back(checked_result(result).detach());
      }
      if (last) compare(*version, *last, recorder.so_far());
      version->recording = recorder.finish();
    } catch (...) {
      version->results.clear();
      recorder.undo();
      throw;
    }
    return version;
  }

  /// A step that leaves memory of its own with somebody else may go on from that the next time, where a replay would
  /// not. Therefore its function runs until it did the same twice in a row.
  void compare(Version& version, const Version& last, const Recording& recording) const {
    const std::vector<Call>& calls = recording.calls;
    const std::optional<std::size_t> call = difference(calls, last.recording.calls);
    version.is_settled = !call;
    version.differs = call.has_value();
    if (!call || !last.differs) return;
    const std::size_t at = std::min(*call, calls.size() - 1);
    raise<CaptureError>(
        "{}: {} (call {} of {}) works on other memory in every step; a replay would work on the old one "
        "again; change a tensor that a step goes on from in place (copy_) instead of replacing it",
        named("capture", location_), name_of(calls[at]), at + 1, calls.size());
  }

  /// Whether somebody else has memory that the step allocated, gradients and results aside.
  bool is_shared(const Version& version) const {
    const std::vector<Recording::Leaf>& leaves = version.recording.leaves;
    const bool of_leaves =
        std::any_of(leaves.begin(), leaves.end(), [&](const Recording::Leaf& leaf) { return is_held(version, leaf); });
    return of_leaves ||
           std::any_of(
               version.recording.buffers.begin(), version.recording.buffers.end(), [&](const StepBuffer& buffer) {
                 if (!buffer.kept) return false;
                 const auto is_there = [&](const Tensor& tensor) {
                   return tensor.defined() && tensor.storage() == buffer.kept;
                 };
                 const auto results = std::count_if(version.results.begin(), version.results.end(), is_there);
                 const auto gradients = std::count_if(
                     leaves.begin(), leaves.end(), [&](const Recording::Leaf& leaf) { return is_there(leaf.value); });
                 return buffer.kept->owners() > 1 + buffer.kept->pins() + results + gradients;
               });
  }

  /// Whether somebody else has the gradient that a leaf has after the step: as a tensor, a view or an array. A result
  /// of the step counts as a view.
  bool is_held(const Version& version, const Recording::Leaf& leaf) const {
    const Tensor& gradient = leaf.value;
    if (!gradient.defined()) return false;
    const LeafGradient& owner = *leaf.tensor->leaf;
    int tensors = (owner.value().impl() == gradient.impl() ? 1 : 0) + (owner.arena() ? 1 : 0);
    int storages = 1 + gradient.storage()->pins();
    const auto count = [&](const Version& other) {
      for (const Recording::Leaf& known : other.recording.leaves)
        tensors += known.value.impl() == gradient.impl() ? 1 : 0;
      for (const StepBuffer& buffer : other.recording.buffers) storages += buffer.kept == gradient.storage() ? 1 : 0;
    };
    count(version);
    for (const std::unique_ptr<Version>& other : versions_)
      if (other.get() != &version) count(*other);
    return gradient.impl()->owners() > tensors || gradient.storage()->owners() > storages;
  }

  /// Gradients that somebody has taken hold of since then are kept from now on.
  void keep_held(Version& version) const {
    bool more = false;
    for (std::size_t i = 0; i < version.held.size(); ++i) {
      const Recording::Leaf& leaf = version.recording.leaves[i];
      if (version.held[i] || !is_dropped(version, i) || !is_held(version, leaf)) continue;
      version.held[i] = more = true;
    }
    if (more) build(version);
  }

  const Tensor& checked_result(const Tensor& result) const {
    LUGE_CHECK(CaptureError, result.defined(), "{}: the captured function returned an undefined tensor",
               named("capture", location_));
    return result;
  }

  void build(Version& version) const {
    Recording& recording = version.recording;
    std::vector<Call> calls = with_real_addresses(recording);
    if (recording.draws > 0) {
      const auto words = static_cast<std::int64_t>(sizeof(RandomState) / sizeof(std::int64_t));
      version.random_state = empty_tensor({words}, DType::Int64, *recording.backend);
      for (Call& call : calls)
        if (auto* const random = std::get_if<Random>(&call); random && random->global)
          random->state = static_cast<const RandomState*>(version.random_state.data());
    }
    if (recording.backend->fuses()) lay_out(version, calls, true);
    if (!version.executable) lay_out(version, calls, false);
  }

  /// Plans and compiles the calls, fused or not.
  void lay_out(Version& version, const std::vector<Call>& calls, bool fused) const {
    Recording& recording = version.recording;
    if (fused) {
      const Memory memory{.outlives = [&](const void* data) { return outlives(version, data); }};
      version.plan.items = fuse(calls, memory);
    } else {
      version.plan.items.assign(calls.begin(), calls.end());
    }
    // Sets keep apart only where memory of several shapes is not shared; the eager step's is enough for that.
    const bool by_set = fused && by_sets(version.plan.items);
    std::vector<std::ptrdiff_t> offsets;
    std::size_t bytes =
        plan_memory(version.plan.items, recording.buffers, by_set ? Sharing::Apart : Sharing::Shared, offsets);
    if (by_set && bytes > recording.eager_peak + kSpareBytes)
      bytes = plan_memory(version.plan.items, recording.buffers, Sharing::Shared, offsets);
    version.figures = count(recording.calls, version.plan);
    version.figures.recorded_peak = static_cast<std::int64_t>(recording.eager_peak);
    version.figures.peak = static_cast<std::int64_t>(bytes);
    version.block = Storage::allocate(*recording.backend, bytes);
    relocate(version.plan.items, recording.buffers, offsets, version.block->data());
    if (by_set) version.plan.sets = by_sets(version.plan.items);
    version.executable = recording.backend->compile(version.plan);
  }

  bool outlives(const Version& version, const void* data) const {
    if (in_step_memory(data)) return false;
    if (options_.keep_gradients) return true;
    const std::vector<Recording::Leaf>& leaves = version.recording.leaves;
    for (std::size_t i = 0; i < leaves.size(); ++i)
      if (is_dropped(version, i) && leaves[i].value.defined() && leaves[i].value.data() == data) return false;
    return true;
  }

  /// Whether nobody can tell what the gradient of a leaf is after a step.
  bool is_dropped(const Version& version, std::size_t leaf) const {
    const Recording::Leaf& used = version.recording.leaves[leaf];
    return !options_.keep_gradients && !(used.needs && used.written_before) && !version.held[leaf];
  }

  static void check_alive(const Version& version) {
    const std::vector<Call>& calls = version.recording.calls;
    for (const HostEffect& effect : version.recording.effects)
      LUGE_CHECK(CaptureError, !effect.owner.expired(), "step: the {} that the recorded step works on is gone",
                 effect.owner_name);
    for (const Recording::Outside& used : version.recording.outside) {
      if (!used.storage->abandoned()) continue;
      const std::size_t call = std::min(used.call, calls.size() - 1);
      raise<CaptureError>(
          "step: a tensor of {} bytes that {} (call {} of {}) works on is gone since the step was "
          "recorded; refill such a tensor in place (copy_) instead of replacing it",
          used.storage->bytes(), name_of(calls[call]), call + 1, calls.size());
    }
  }

  /// Whether a replay leaves gradients as the recording found them, so that another may follow.
  bool may_repeat(const Version& version) const {
    const std::vector<Recording::Leaf>& leaves = version.recording.leaves;
    if (version.recording.draws > 0) return false;
    for (std::size_t i = 0; i < leaves.size(); ++i)
      if (leaves[i].needs && leaves[i].written_before != (leaves[i].written_after && !is_dropped(version, i)))
        return false;
    return true;
  }

  /// Throws IndexError, before anything has changed, where labels are out of range by now.
  static void check_labels(const Recording& recording) {
    const NoGrad guard;
    for (const Recording::Labels& labels : recording.labels) checked_labels(labels.op, labels.tensor(), labels.size);
  }

  /// Replays up to `most` steps; returns how many.
  std::int64_t replay(Version& version, std::int64_t most) {
    check_alive(version);
    if (!options_.keep_gradients) keep_held(version);
    const auto begun = Clock::now();
    const Recording& recording = version.recording;
    check_labels(recording);
    std::int64_t steps = may_repeat(version) ? most : 1;
    for (const HostEffect& effect : recording.effects)
      if (effect.before) steps = effect.before(steps, effect.times);
    if (recording.draws > 0) {
      const RandomState state{global_seed(), next_stream(recording.draws)};
      recording.backend->copy_from_host(version.random_state.data(), &state, sizeof state);
    }
    version.executable->run(steps);
    for (const Recording::Bump& bump : recording.bumps)
      for (std::int64_t i = 0; i < bump.times * steps; ++i) bump.storage->bump_version();
    for (std::size_t i = 0; i < recording.leaves.size(); ++i) {
      const Recording::Leaf& leaf = recording.leaves[i];
      leaf.tensor->leaf->restore(leaf.written_after && !is_dropped(version, i), leaf.value);
    }
    if (recording.seed) set_global_generator(*recording.seed, recording.seeded_draws);
    for (const HostEffect& effect : recording.effects)
      if (effect.after) effect.after(steps * effect.times);
    version.seconds += std::chrono::duration<double>(Clock::now() - begun).count();
    version.replays += steps;
    current_ = &version;
    return steps;
  }

  std::function<std::vector<Tensor>()> body_;
  CaptureOptions options_;
  SourceLocation location_;
  std::vector<std::unique_ptr<Version>> versions_;
  Version* current_ = nullptr;
};

CapturedStep::CapturedStep(std::function<std::vector<Tensor>()> body, CaptureOptions options, SourceLocation location)
    : impl_(std::make_unique<Impl>(std::move(body), options, location)) {}
CapturedStep::~CapturedStep() = default;
CapturedStep::CapturedStep(CapturedStep&&) noexcept = default;
CapturedStep& CapturedStep::operator=(CapturedStep&&) noexcept = default;

const std::vector<Tensor>& CapturedStep::run(std::int64_t steps) { return impl_->run(steps); }
StepFigures CapturedStep::figures() const { return impl_->figures(); }
StepStats CapturedStep::stats() const { return impl_->stats(); }
std::string CapturedStep::plan() const { return impl_->plan(); }

}  // namespace luge
