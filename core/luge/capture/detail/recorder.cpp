#include <luge/capture/detail/recorder.h>

#include <algorithm>
#include <string_view>

#include <luge/autograd/detail/node.h>
#include <luge/base/detail/check.h>
#include <luge/ops/detail/random_state.h>
#include <luge/tensor/storage.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

std::uintptr_t address_of(const void* data) { return reinterpret_cast<std::uintptr_t>(data); }

/// The entry of an address -> bytes map that holds `address`, or end.
template <class Map, class Bytes>
auto holding(Map& map, std::uintptr_t address, Bytes bytes) {
  auto found = map.upper_bound(address);
  if (found == map.begin()) return map.end();
  --found;
  return address < found->first + bytes(found->second) ? found : map.end();
}

/// Apart by more than any window reaches beyond its buffer.
constexpr std::uintptr_t kGap = 4096;

}  // namespace

std::string named(const char* call, SourceLocation location) {
  std::string_view file = location.file;
  if (file.empty()) return call;
  file.remove_prefix(file.find_last_of("/\\") + 1);
  return fmt::format("{} ({}:{})", call, file, location.line);
}

Recording::~Recording() {
  for (const Outside& used : outside)
    if (used.storage) used.storage->unpin();
  for (const Labels& checked : labels)
    if (checked.storage) checked.storage->unpin();
  for (const Bump& bump : bumps)
    if (bump.storage) bump.storage->unpin();
}

Tensor Recording::Labels::tensor() const {
  return Tensor(new TensorImpl(storage, dtype, shape, strides, offset, numel));
}

Recorder::Recorder(SourceLocation capture)
    : name_(named("capture", capture)), seed_before_(global_seed()), streams_before_(streams_so_far()) {}

void Recorder::run(Backend& backend, const Call& call) {
  LUGE_CHECK(CaptureError, !recording_.backend || recording_.backend == &backend,
             "{}: {} runs on {}; the calls before it ran on {}; a step works on one device", name_, name_of(call),
             to_string(backend.device()), to_string(recording_.backend->device()));
  recording_.backend = &backend;
  Call noted = call;
  if (auto* const random = std::get_if<Random>(&noted); random && random->global) {
    random->global = !recording_.seed;  // after a seed of its own a step draws the same every time
    random->stream = recording_.seed ? recording_.seeded_draws++ : recording_.draws++;
  }
  // The monitor's ring is behind its counter: what has not been counted is written again.
  const auto* const record = std::get_if<Record>(&call);
  for_each_effect(noted, [&](const Effect& effect) {
    const std::uintptr_t address = address_of(*effect.data);
    const auto found = holding(live_, address, [&](std::size_t buffer) { return recording_.buffers[buffer].bytes; });
    if (found == live_.end()) {
      if (effect.writes && (!record || *effect.data == record->counter)) save(address);
      return;
    }
    const StepBuffer& buffer = recording_.buffers[found->second];
    *effect.data = reinterpret_cast<void*>(buffer.address + (address - buffer.real));
  });
  std::visit([&](const auto& kind) { backend.execute(kind); }, call);
  recording_.calls.push_back(numbers_.note(backend, call, noted));
}

void Recorder::allocated(const Storage& storage) {
  const std::uintptr_t real = address_of(storage.data());
  live_[real] = recording_.buffers.size();
  storages_[recording_.buffers.size()] = const_cast<Storage*>(&storage);
  recording_.buffers.push_back({.address = next_, .real = real, .bytes = storage.bytes(), .kept = {}});
  next_ += (storage.bytes() + 2 * kGap - 1) / kGap * kGap;
  bytes_ += storage.bytes();
  recording_.eager_peak = std::max(recording_.eager_peak, bytes_);
}

void Recorder::freed(const Storage& storage) noexcept {
  const auto found = live_.find(address_of(storage.data()));
  if (found == live_.end()) return;
  bytes_ -= storage.bytes();
  storages_.erase(found->second);
  live_.erase(found);
}

bool Recorder::is_of_step(const Storage& storage) const {
  return live_.contains(address_of(storage.block() ? storage.block()->data() : storage.data()));
}

void Recorder::uses(Storage& storage) {
  if (!storage.data() || is_of_step(storage)) return;
  if (!seen_.insert(&storage).second) return;
  storage.pin();
  recording_.outside.push_back({&storage, recording_.calls.size(), storage.leaves(), storage.leaves()});
  uses(storage.data(), storage.bytes());
}

void Recorder::uses(void* data, std::size_t bytes) {
  std::size_t& known = outside_[address_of(data)];
  known = std::max(known, bytes);
}

void Recorder::save(std::uintptr_t address) {
  const auto found = holding(outside_, address, [](std::size_t bytes) { return bytes; });
  LUGE_CHECK(CaptureError, found != outside_.end(), "{}: call {} writes to memory that no tensor owns", name_,
             recording_.calls.size());
  // A parameter is saved on its own or as a part of its arena, whichever is written first.
  const bool known = std::any_of(saved_.begin(), saved_.end(), [&](const Saved& saved) {
    return saved.address <= found->first && found->first + found->second <= saved.address + saved.bytes.size();
  });
  if (known) return;
  Saved saved{found->first, std::vector<std::byte>(found->second)};
  recording_.backend->copy_to_host(saved.bytes.data(), reinterpret_cast<const void*>(saved.address),
                                   saved.bytes.size());
  saved_.push_back(std::move(saved));
}

void Recorder::bumped(Storage& storage) {
  if (live_.contains(address_of(storage.data()))) return;
  const auto [found, fresh] = bumps_.emplace(&storage, recording_.bumps.size());
  if (fresh) {
    storage.pin();
    recording_.bumps.push_back({&storage, 0});
  }
  ++recording_.bumps[found->second].times;
}

Recording::Leaf& Recorder::leaf(TensorImpl& tensor, bool needs) {
  if (const auto known = leaves_.find(&tensor); known != leaves_.end()) return recording_.leaves[known->second.index];
  forget_own_leaves();
  const LeafGradient* const gradient = tensor.leaf.get();
  const bool is_written = gradient && gradient->written();
  leaves_.emplace(&tensor, LeafBefore{recording_.leaves.size(), gradient ? gradient->value() : Tensor(), !gradient});
  if (!gradient) new_leaves_.push_back(&tensor);
  recording_.leaves.push_back({.tensor = &tensor,
                               .needs = needs,
                               .written_before = is_written,
                               .written_after = false,
                               .found = is_written ? gradient->value().data() : nullptr,
                               .moves = false,
                               .value = {}});
  return recording_.leaves.back();
}

void Recorder::forget_own_leaves() {
  std::erase_if(new_leaves_, [&](const TensorImpl* leaf) {
    const auto known = leaves_.find(leaf);
    Ref<TensorImpl>& tensor = recording_.leaves[known->second.index].tensor;
    if (tensor->is_shared()) return false;
    leaves_.erase(known);
    tensor = {};
    return true;
  });
}

void Recorder::uses_gradient(TensorImpl& tensor) { leaf(tensor, true); }
void Recorder::forgets_gradient(TensorImpl& tensor) { leaf(tensor, false); }
void Recorder::has_effect(HostEffect effect) {
  for (HostEffect& known : recording_.effects)
    if (!known.owner.owner_before(effect.owner) && !effect.owner.owner_before(known.owner)) {
      ++known.times;
      return;
    }
  recording_.effects.push_back(std::move(effect));
}

void Recorder::seeds(std::uint64_t seed) {
  recording_.seed = seed;
  recording_.seeded_draws = 0;
}

void Recorder::has_checked(const char* op, const TensorImpl& index, const LabelRange& allowed) {
  if (is_of_step(*index.storage)) return;
  uses(*index.storage);
  index.storage->pin();
  recording_.labels.push_back({.op = op,
                               .storage = index.storage,
                               .dtype = index.dtype,
                               .shape = index.shape,
                               .strides = index.strides,
                               .offset = index.offset,
                               .numel = index.numel,
                               .allowed = allowed});
}

void Recorder::keep_labels() {
  std::erase_if(recording_.labels, [&](const Recording::Labels& labels) {
    const std::uintptr_t low = address_of(labels.storage->data()), high = low + labels.storage->bytes();
    bool written = false;
    for (const Call& call : recording_.calls)
      for_each_effect(call, [&](const Effect& effect) {
        const auto data = static_cast<std::intptr_t>(address_of(*effect.data));
        written |= effect.writes && static_cast<std::uintptr_t>(data + effect.low) < high &&
                   low < static_cast<std::uintptr_t>(data + effect.high);
      });
    if (written) labels.storage->unpin();
    return written;
  });
}

void Recorder::refuse(const char* op, const char* why, SourceLocation location) {
  const std::size_t calls = recording_.calls.size();
  raise<CaptureError>(
      "{}: {} {}, {} of the step, so the step cannot be replayed without the host; move it out of "
      "the captured function",
      name_, named(op, location), why,
      calls == 0 ? std::string("before the first call")
                 : fmt::format("after call {} ({})", calls, name_of(recording_.calls.back())));
}

void Recorder::drop_histories() {
  for (const auto& [tensor, before] : leaves_) recording_.leaves[before.index].tensor->leaf->drop_history();
  forget_own_leaves();
}

Recording Recorder::finish() {
  const Unobserved quiet;
  LUGE_CHECK(CaptureError, !recording_.calls.empty(), "{}: the captured function computed nothing", name_);
  for (const auto& [tensor, before] : leaves_) {
    Recording::Leaf& used = recording_.leaves[before.index];
    LeafGradient& gradient = *used.tensor->leaf;
    used.written_after = gradient.written();
    used.value = gradient.value();
    used.moves = used.needs && used.written_before && used.written_after && used.value.data() != before.value.data();
    used.needs |= before.is_new && !used.tensor->requires_grad;  // one that the program had, thawed and frozen again
  }
  std::erase_if(recording_.leaves, [](const Recording::Leaf& leaf) { return !leaf.tensor; });
  for (const auto& [real, index] : live_) {
    StepBuffer& buffer = recording_.buffers[index];
    buffer.kept = storages_.at(index);
    if (const auto bumps = bumps_.find(buffer.kept.get()); bumps != bumps_.end())
      recording_.bumps[bumps->second].times = 0;
  }
  for (Recording::Outside& used : recording_.outside) used.leaves_after = used.storage->leaves();
  for (const Recording::Outside& used : recording_.outside) {
    if (!used.storage->abandoned()) continue;
    const std::size_t call = std::min(used.call, recording_.calls.size() - 1);  // a use without a call
    raise<CaptureError>(
        "{}: a tensor of {} bytes that {} (call {} of {}) works on was let go of within the step; a replay would "
        "work on the old one again; change it in place (copy_) instead of replacing it",
        name_, used.storage->bytes(), name_of(recording_.calls[call]), call + 1, recording_.calls.size());
  }
  keep_labels();
  return std::move(recording_);
}

void Recorder::undo() noexcept {
  const Unobserved quiet;
  undo_memory();
  for (const auto& [tensor, before] : leaves_) {
    const Recording::Leaf& used = recording_.leaves[before.index];
    used.tensor->leaf->restore(used.written_before, before.value);
  }
  set_global_generator(seed_before_, streams_before_);
  for (const HostEffect& effect : recording_.effects) {
    try {
      if (effect.undo && !effect.owner.expired()) effect.undo(effect.times);
    } catch (const Error&) {  // as in undo_memory()
    }
  }
}

/// The last saved first: a parameter may have been saved before the arena that holds it.
void Recorder::undo_memory() noexcept {
  for (auto saved = saved_.rbegin(); saved != saved_.rend(); ++saved) {
    try {
      recording_.backend->copy_from_host(reinterpret_cast<void*>(saved->address), saved->bytes.data(),
                                         saved->bytes.size());
    } catch (const Error&) {  // the device is gone, and with it what was to be put back
    }
  }
}

}  // namespace luge
