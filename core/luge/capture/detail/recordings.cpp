#include <luge/capture/detail/recordings.h>

#include <algorithm>
#include <optional>

#include <luge/autograd/detail/node.h>
#include <luge/capture/detail/difference.h>
#include <luge/base/detail/check.h>
#include <luge/tensor/detail/tensor_impl.h>

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

}  // namespace

const StepResults& Recordings::run(std::int64_t steps) {
  for (std::int64_t done = 0; done < steps;) {
    bool alive = false;
    StepVersion* const version = fitting(alive);
    if (version && version->is_settled) {
      if (!alive) version->check_alive();
      if (!options_.keep_gradients) keep_held(*version);
      if (!version->arguments.empty()) arguments_->check(version->arguments);
      done += version->replay(steps - done, options_);
      current_ = version;
    } else {
      record(version);
      ++done;
    }
    if (!current_->arguments.empty()) arguments_->took(current_->arguments);
  }
  return current_->results;
}

StepVersion* Recordings::fitting(bool& alive) const {
  for (const std::unique_ptr<StepVersion>& version : versions_)
    if (version->fits(alive)) return version.get();
  return nullptr;
}

void Recordings::record(StepVersion* last) {
  for (const std::unique_ptr<StepVersion>& version : versions_)
    if (version.get() == last || version->changes_leaves())
      version->forget_leaves();  // and compare() finds what `last` worked on and is gone
    else
      version->check_alive();
  LUGE_CHECK(CaptureError, last || versions_.size() < kMostVersions,
             "{}: the step was recorded {} times, from different gradients or leaves each time; call zero_grad within "
             "it, and requires_grad_ outside",
             named("capture", location_), versions_.size());
  std::unique_ptr<StepVersion> version = recorded(last);
  if (!version->is_settled) version->is_settled = !is_shared(*version);
  if (!options_.keep_gradients)
    for (const Recording::Leaf& leaf : version->recording.leaves) version->held.push_back(is_held(*version, leaf));
  version->build(options_);
  std::erase_if(versions_, [last](const std::unique_ptr<StepVersion>& old) {
    return old.get() == last || old->changes_leaves() || old->is_displaced();  // which fit no step
  });
  versions_.push_back(std::move(version));
  current_ = versions_.back().get();
  count_holders();
}

std::unique_ptr<StepVersion> Recordings::recorded(const StepVersion* last) const {
  auto version = std::make_unique<StepVersion>();
  Recorder recorder(location_);
  try {
    {
      const Observing observing(recorder);
      StepResults results = body_();
      version->results.form = results.form;
      for (const Tensor& result : results.tensors) {
        recorder.uses(*checked_result(result).storage());  // though no call does
        version->results.tensors.push_back(result.detach());
      }
      results = {};
      recorder.drop_histories();
    }
    if (last) compare(*version, *last, recorder.so_far());
    if (arguments_) {
      version->arguments = arguments_->uses(recorder.so_far().calls);
      arguments_->check(version->arguments);
    }
    version->take(recorder.finish());
  } catch (...) {
    version->results = {};
    recorder.undo();
    throw;
  }
  return version;
}

const Tensor& Recordings::checked_result(const Tensor& result) const {
  LUGE_CHECK(CaptureError, result.defined(), "{}: the captured function returned an undefined tensor",
             named("capture", location_));
  return result;
}

void Recordings::compare(StepVersion& version, const StepVersion& last, const Recording& recording) const {
  const std::vector<Call>& calls = recording.calls;
  const std::optional<std::size_t> call = difference(calls, last.recording.calls);
  version.is_settled = !call;
  version.differs = call.has_value();
  if (!call || !last.differs || calls.empty()) return;
  const std::size_t at = std::min(*call, calls.size() - 1);
  raise<CaptureError>(
      "{}: {} (call {} of {}) works on other memory in every step; a replay would work on the old one "
      "again; change a tensor that a step goes on from in place (copy_) instead of replacing it",
      named("capture", location_), name_of(calls[at]), at + 1, calls.size());
}

// ---- who holds what -----------------------------------------------------------------------------

bool Recordings::is_shared(const StepVersion& version) const {
  const std::vector<Recording::Leaf>& leaves = version.recording.leaves;
  const auto is_known = [&](const StepBuffer& buffer) {
    const auto is_there = [&](const Tensor& tensor) { return tensor.defined() && tensor.storage() == buffer.kept; };
    const std::vector<Tensor>& results = version.results.tensors;
    const auto known =
        std::count_if(results.begin(), results.end(), is_there) +
        std::count_if(leaves.begin(), leaves.end(), [&](const Recording::Leaf& leaf) { return is_there(leaf.value); });
    return buffer.kept->owners() <= 1 + buffer.kept->pins() + known;
  };
  return std::any_of(leaves.begin(), leaves.end(),
                     [&](const Recording::Leaf& leaf) { return is_held(version, leaf); }) ||
         std::any_of(version.recording.buffers.begin(), version.recording.buffers.end(),
                     [&](const StepBuffer& buffer) { return buffer.kept && !is_known(buffer); });
}

Holders Recordings::holders(const StepVersion& version, const Tensor& gradient) const {
  Holders holders;
  const auto count = [&](const StepVersion& other) {
    for (const Recording::Leaf& known : other.recording.leaves)
      holders.tensors += known.value.impl() == gradient.impl() ? 1 : 0;
    for (const StepBuffer& buffer : other.recording.buffers)
      holders.storages += buffer.kept == gradient.storage() ? 1 : 0;
  };
  count(version);
  for (const std::unique_ptr<StepVersion>& other : versions_)
    if (other.get() != &version) count(*other);
  return holders;
}

void Recordings::count_holders() {
  if (options_.keep_gradients) return;
  for (const std::unique_ptr<StepVersion>& version : versions_) {
    version->holders.clear();
    for (const Recording::Leaf& leaf : version->recording.leaves)
      version->holders.push_back(leaf.value.defined() ? holders(*version, leaf.value) : Holders());
  }
}

bool Recordings::is_held(const Recording::Leaf& leaf, const Holders& holders) {
  const Tensor& gradient = leaf.value;
  if (!gradient.defined()) return false;
  const LeafGradient& owner = *leaf.tensor->leaf;
  const int arena = owner.arena() ? 1 : 0;
  const int tensors = holders.tensors + (owner.value().impl() == gradient.impl() ? 1 : 0) + arena;
  if (gradient.impl()->owners() > tensors) return true;
  const Storage& storage = *gradient.storage();
  if (storage.owners() > 1 + storage.pins() + holders.storages) return true;
  const Ref<Storage>& block = storage.block();  // an array shares that
  return block && block->owners() > block->windows() + block->pins() + arena;
}

bool Recordings::is_held(const StepVersion& version, const Recording::Leaf& leaf) const {
  return leaf.value.defined() && is_held(leaf, holders(version, leaf.value));
}

void Recordings::keep_held(StepVersion& version) const {
  bool more = false;
  for (std::size_t i = 0; i < version.held.size(); ++i) {
    if (!version.is_dropped(i, options_) || !is_held(version.recording.leaves[i], version.holders[i])) continue;
    version.held[i] = more = true;
  }
  if (more) version.build(options_);
}

}  // namespace luge
