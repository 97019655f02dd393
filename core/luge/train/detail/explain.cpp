#include <luge/train/detail/explain.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>

#include <luge/autograd/detail/at_work.h>
#include <luge/autograd/detail/node.h>
#include <luge/base/detail/check.h>
#include <luge/base/detail/dispatch.h>
#include <luge/capture/detail/recorder.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/storage.h>

namespace luge::stop {

namespace {

constexpr const char* kExplain = "StopRule.explain";

std::uintptr_t address_of(const void* data) { return reinterpret_cast<std::uintptr_t>(data); }

/// Bytes from an operand's first element to element `index` of a walk over the extent.
std::int64_t offset_of(const Operand& operand, const Extent& extent, std::int64_t index) {
  std::int64_t offset = 0;
  for (int d = extent.ndim - 1; d >= 0; --d) {
    const auto at = static_cast<std::size_t>(d);
    offset += index % extent.sizes[at] * operand.strides[at];
    index /= extent.sizes[at];
  }
  return bytes_of(operand.dtype, offset);
}

bool is_not_finite(DType dtype, const std::byte* element) {
  const auto all_ones = [element]<class Bits>(Bits exponent) {
    Bits bits;
    std::memcpy(&bits, element, sizeof bits);
    return (bits & exponent) == exponent;
  };
  switch (dtype) {
    case DType::Float16: return all_ones(std::uint16_t{0x7C00});
    case DType::BFloat16: return all_ones(std::uint16_t{0x7F80});
    case DType::Float32: return all_ones(std::uint32_t{0x7F800000});
    case DType::Float64: return all_ones(std::uint64_t{0x7FF0000000000000});
    default: return false;
  }
}

/// In how many equal parts of a walk, one after the other, elements are not finite: by part.
std::vector<bool> not_finite(Backend& backend, const Operand& operand, const Extent& extent, std::int64_t parts) {
  Operand copy = operand;
  const Effect effect = window_effect(copy, extent, true, false);
  std::vector<std::byte> bytes(static_cast<std::size_t>(effect.high - effect.low));
  backend.copy_to_host(bytes.data(), static_cast<const std::byte*>(operand.data) + effect.low, bytes.size());
  std::vector<bool> result(static_cast<std::size_t>(parts));
  const std::int64_t part = extent.count() / parts;
  for (std::int64_t i = 0; i < extent.count(); ++i)
    if (is_not_finite(operand.dtype, bytes.data() + offset_of(operand, extent, i) - effect.low))
      result[static_cast<std::size_t>(i / part)] = true;
  return result;
}

/// Watches a step that is taken back.
class Witness final : public Observer {
 public:
  Witness(const Parameters& parameters, const std::vector<std::int64_t>& sets, SourceLocation location)
      : recorder_(location), location_(location), sets_(parameters.sets()), asked_(sets), found_(sets.size()) {
    for (const Tensor& parameter : parameters.tensors())
      for (const Tensor& tensor : {parameter, parameter.impl()->leaf ? parameter.impl()->leaf->value() : Tensor()})
        if (tensor.defined() && tensor.numel() > 0)
          memory_[address_of(tensor.data())] = {.bytes = tensor.storage()->bytes(),
                                                .set_bytes = bytes_of(tensor.dtype(), tensor.numel()) / sets_,
                                                .is_parameter = true};
    healthy_.assign(static_cast<std::size_t>(sets_), true);
    for (const std::int64_t set : sets) healthy_[static_cast<std::size_t>(set)] = false;
  }

  void run(Backend& backend, const Call& call) override {
    Call copy = call;
    std::vector<Operand> written;
    std::vector<Extent> extents;
    std::vector<Read> reads;
    const auto look = [&](Operand& operand, const Extent& extent, bool is_read, bool is_written) {
      if (!operand.is_memory()) return;
      if (is_read) reads.push_back(read_of(backend, operand, extent));
      if (!is_written) return;
      written.push_back(operand);
      extents.push_back(extent);
    };
    std::visit([&](auto& kind) { for_each_operand(kind, look); }, copy);
    recorder_.run(backend, call);
    for (std::size_t i = 0; i < written.size(); ++i) judge(backend, call, written[i], extents[i], reads);
  }
  void allocated(const Storage& storage) override {
    memory_[address_of(storage.data())] = {.bytes = storage.bytes()};
    recorder_.allocated(storage);
  }
  void freed(const Storage& storage) noexcept override {
    if (const Memory* const memory = memory_at(storage.data()); memory && memory->bytes == storage.bytes())
      memory_.erase(address_of(storage.data()));
    recorder_.freed(storage);
  }
  void uses(Storage& storage) override {
    if (storage.data() && !memory_at(storage.data())) memory_[address_of(storage.data())] = {.bytes = storage.bytes()};
    recorder_.uses(storage);
  }
  void uses(void* data, std::size_t bytes) override { recorder_.uses(data, bytes); }
  void bumped(Storage& storage) override { recorder_.bumped(storage); }
  void uses_gradient(TensorImpl& leaf) override { recorder_.uses_gradient(leaf); }
  void forgets_gradient(TensorImpl& leaf) override { recorder_.forgets_gradient(leaf); }
  void has_effect(HostEffect effect) override { recorder_.has_effect(std::move(effect)); }
  void seeds(std::uint64_t seed) override { recorder_.seeds(seed); }
  void has_checked(const char* op, const TensorImpl& index, const LabelRange& allowed) override {
    recorder_.has_checked(op, index, allowed);
  }
  [[noreturn]] void refuse(const char* op, const char* why, SourceLocation location) override {
    raise<CaptureError>(
        "{}: {} {}; only a step that could be captured can be explained, because all of it is taken back",
        named(kExplain, location_), named(op, location), why);
  }

  void undo() noexcept { recorder_.undo(); }
  std::vector<Origin> result() const {
    std::vector<Origin> result;
    for (const std::optional<Origin>& origin : found_) result.push_back(origin.value_or(Origin()));
    return result;
  }

 private:
  struct Memory {
    std::size_t bytes;
    std::int64_t set_bytes = 0;         ///< of each set, one after the other; 0: it is not known to be of sets
    bool is_parameter = false;          ///< it stays of sets, or is a parameter's gradient
    bool is_new = false;                ///< the step has written it
    std::optional<Origin> origin = {};  ///< of what is not finite in it, if it is not of sets
  };
  /// What a call read: in which sets it is not finite, if the walk over it can be divided, else in which of all.
  struct Read {
    std::vector<bool> bad;
    bool by_set;
    Memory* memory;
    bool is_bad(std::int64_t set) const { return bad[bad.size() > 1 ? static_cast<std::size_t>(set) : 0]; }
  };

  /// The block that an address is in.
  Memory* memory_at(const void* data) {
    auto found = memory_.upper_bound(address_of(data));
    if (found == memory_.begin()) return nullptr;
    --found;
    return address_of(data) < found->first + found->second.bytes ? &found->second : nullptr;
  }
  std::int64_t begin_of(const Operand& operand) {
    return static_cast<std::int64_t>(std::prev(memory_.upper_bound(address_of(operand.data)))->first);
  }
  bool divides(const Extent& extent) const { return extent.count() % sets_ == 0; }

  /// Whether the walk goes through the sets one after the other.
  bool goes_by_set(const Operand& operand, const Extent& extent, std::int64_t begin, std::int64_t set_bytes) const {
    if (!divides(extent) || set_bytes <= 0) return false;
    const std::int64_t part = extent.count() / sets_,
                       data = static_cast<std::int64_t>(address_of(operand.data)) - begin;
    for (std::int64_t set = 0; set < sets_; ++set)
      for (const std::int64_t index : {set * part, (set + 1) * part - 1})
        if ((data + offset_of(operand, extent, index)) / set_bytes != set) return false;
    return true;
  }

  Read read_of(Backend& backend, const Operand& operand, const Extent& extent) {
    Memory* const memory = memory_at(operand.data);
    const bool by_set = memory && goes_by_set(operand, extent, begin_of(operand), memory->set_bytes);
    return {not_finite(backend, operand, extent, divides(extent) ? sets_ : 1), by_set, memory};
  }

  /// What the call is to the user.
  static Origin origin_of(const Call& call) {
    if (node_at_work) return {node_at_work->name(), true, false};
    return {name_of(call), false, false};
  }

  /// Why this set has a value that is not finite, where `call` has given one from what it read.
  Origin origin_of(const Call& call, std::int64_t set, const std::vector<Read>& reads) const {
    Origin origin = origin_of(call);
    for (const Read& read : reads) {
      if (!read.is_bad(set)) continue;
      if (read.memory && read.memory->origin) return *read.memory->origin;
      if (!read.memory || !read.memory->is_new) origin.from_data = true;
    }
    return origin;
  }

  /// The same of what belongs to no set: the fault of a set that it was made of comes along.
  Origin shared_origin_of(const Call& call, const std::vector<Read>& reads) const {
    Origin origin = origin_of(call);
    for (const Read& read : reads) {
      if (std::find(read.bad.begin(), read.bad.end(), true) == read.bad.end()) continue;
      if (read.memory && read.memory->origin) return *read.memory->origin;
      for (std::size_t i = 0; i < asked_.size(); ++i)
        if (found_[i] && read.is_bad(asked_[i])) return *found_[i];
      if (!read.memory || !read.memory->is_new) origin.from_data = true;
    }
    return origin;
  }

  void judge(Backend& backend, const Call& call, const Operand& written, const Extent& extent,
             const std::vector<Read>& reads) {
    Memory* const memory = memory_at(written.data);
    if (!memory || extent.count() == 0) return;
    memory->is_new = true;
    const bool from_sets = std::any_of(reads.begin(), reads.end(), [](const Read& read) { return read.by_set; });
    if (from_sets && divides(extent) && memory->set_bytes == 0)
      memory->set_bytes = sets_ == 1
                              ? static_cast<std::int64_t>(memory->bytes)
                              : offset_of(written, extent, extent.count() / sets_) - offset_of(written, extent, 0);
    if (!goes_by_set(written, extent, begin_of(written), memory->set_bytes)) {
      if (memory->is_parameter) return;
      memory->set_bytes = 0;
      memory->origin.reset();
      if (not_finite(backend, written, extent, 1)[0]) memory->origin = shared_origin_of(call, reads);
      return;
    }
    memory->origin.reset();
    const std::vector<bool> bad = not_finite(backend, written, extent, sets_);
    bool some_healthy = false, some_finite = false;
    for (std::size_t set = 0; set < bad.size(); ++set) {
      some_healthy |= healthy_[set];
      some_finite |= healthy_[set] && !bad[set];
    }
    if (some_healthy && !some_finite) return;
    for (std::size_t i = 0; i < asked_.size(); ++i)
      if (bad[static_cast<std::size_t>(asked_[i])] && !found_[i]) found_[i] = origin_of(call, asked_[i], reads);
  }

  Recorder recorder_;
  SourceLocation location_;
  std::int64_t sets_;
  std::vector<std::int64_t> asked_;
  std::vector<bool> healthy_;
  std::vector<std::optional<Origin>> found_;
  std::map<std::uintptr_t, Memory> memory_;
};

}  // namespace

std::vector<Origin> origins(const Parameters& parameters, const std::vector<std::int64_t>& sets,
                            const std::function<void()>& step, SourceLocation location) {
  Witness witness(parameters, sets, location);
  struct Watched {
    explicit Watched(Witness& by) : witness(by) { observer = &witness; }
    ~Watched() {
      observer = nullptr;
      witness.undo();
    }
    Witness& witness;
  };
  const Watched watched(witness);
  step();
  return witness.result();
}

}  // namespace luge::stop
