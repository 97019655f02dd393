#pragma once
// Internal: what one run of a step did, seen from below autograd.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <luge/seam/backend.h>
#include <luge/capture/detail/numbers.h>
#include <luge/seam/observer.h>
#include <luge/tensor/tensor.h>

namespace luge {

/// "item (program.cpp:42)"; without the parentheses where the location is not known.
std::string named(const char* call, SourceLocation location);

/// Memory that a step allocated. In the recorded calls it has an address of its own, which no other memory
/// shares, however the allocator reuses its own addresses.
struct StepBuffer {
  static constexpr std::uintptr_t kBase = std::uintptr_t{1} << 62;

  std::uintptr_t address = 0;  ///< in the recorded calls
  std::uintptr_t real = 0;     ///< where it was
  std::size_t bytes = 0;
  Ref<Storage> kept;  ///< of memory that outlives the step: results, gradients
};

/// Everything a replay has to do.
struct Recording {
  /// A storage from outside, the call that used it first, and how many leaves were on it before and after the step.
  struct Outside {
    Ref<Storage> storage;
    std::size_t call;
    int leaves, leaves_after;
  };
  /// A leaf's gradient before and after the step.
  struct Leaf {
    Ref<TensorImpl> tensor;
    bool needs = false;  ///< whether the step went on from what was there
    bool written_before = false, written_after = false;
    const void* found = nullptr;  ///< where a written gradient was before
    bool moves = false;  ///< what the next step goes on from is in other memory than what this one went on from
    Tensor value;        ///< after
  };
  struct Bump {
    Ref<Storage> storage;
    int times;
  };
  /// Labels from outside that the step itself does not change, all in [low, size).
  struct Labels {
    const char* op;
    Ref<Storage> storage;
    DType dtype;
    Shape shape;
    Strides strides;
    std::int64_t offset, numel;
    LabelRange allowed;
    Tensor tensor() const;
  };

  Recording() = default;
  Recording(Recording&&) noexcept = default;
  Recording& operator=(Recording&&) noexcept = default;
  ~Recording();

  Backend* backend = nullptr;
  std::vector<Call> calls;
  std::vector<StepBuffer> buffers;
  std::vector<Outside> outside;
  std::vector<Leaf> leaves;
  std::vector<Bump> bumps;
  std::vector<HostEffect> effects;
  std::vector<Labels> labels;
  std::uint64_t draws = 0;  ///< streams taken from the global generator before it is seeded
  /// The seed that the step gives the global generator last, and the streams it takes then.
  std::optional<std::uint64_t> seed;
  std::uint64_t seeded_draws = 0;
  std::size_t eager_peak = 0;  ///< bytes that the step's own memory took at most
};

/// Observes a step that runs for real. What it changed can be taken back until finish().
class Recorder final : public Observer {
 public:
  /// `capture` is where the step was captured, for errors.
  explicit Recorder(SourceLocation capture);

  void run(Backend& backend, const Call& call) override;
  void allocated(const Storage& storage) override;
  void freed(const Storage& storage) noexcept override;
  void uses(Storage& storage) override;
  void uses(void* data, std::size_t bytes) override;
  void bumped(Storage& storage) override;
  void uses_gradient(TensorImpl& leaf) override;
  void forgets_gradient(TensorImpl& leaf) override;
  void has_effect(HostEffect effect) override;
  void seeds(std::uint64_t seed) override;
  void has_checked(const char* op, const TensorImpl& index, const LabelRange& allowed) override;
  [[noreturn]] void refuse(const char* op, const char* why, SourceLocation location) override;

  /// What has been recorded so far.
  const Recording& so_far() const { return recording_; }
  /// Gradients keep values only, as a replay leaves them, and leaves that the step has made and let go of are forgotten. While
  /// the thread is observed: what they kept alive is freed as part of the step.
  void drop_histories();
  /// The step has run and its temporaries are gone. Throws CaptureError for a step that cannot be replayed.
  Recording finish();
  /// Memory, gradients, the global generator and the effects on the host as they were before the step.
  void undo() noexcept;

 private:
  struct Saved {
    std::uintptr_t address;
    std::vector<std::byte> bytes;
  };
  struct LeafBefore {
    std::size_t index;
    Tensor value;
    bool is_new;  ///< it has become a leaf in this step
  };

  /// Whether it is memory that the step allocated.
  bool is_of_step(const Storage& storage) const;
  /// Keeps what the block of outside memory around this address holds, before its first change.
  void save(std::uintptr_t address);
  void undo_memory() noexcept;
  /// Keeps of the labels those that a replay finds as the step will find them.
  void keep_labels();
  Recording::Leaf& leaf(TensorImpl& tensor, bool needs);
  /// Those that the step has made and nobody else has: a replay needs their memory only.
  void forget_own_leaves();

  std::string name_;
  Recording recording_;
  std::map<std::uintptr_t, std::size_t> live_;          ///< real address -> buffer
  std::unordered_map<std::size_t, Storage*> storages_;  ///< of live buffers
  std::map<std::uintptr_t, std::size_t> outside_;       ///< address -> bytes
  std::unordered_set<const Storage*> seen_;
  std::unordered_map<const TensorImpl*, LeafBefore> leaves_;
  std::vector<const TensorImpl*> new_leaves_;
  std::unordered_map<const Storage*, std::size_t> bumps_;
  KnownNumbers numbers_;
  std::vector<Saved> saved_;
  std::uint64_t seed_before_, streams_before_;
  std::uintptr_t next_ = StepBuffer::kBase;
  std::size_t bytes_ = 0;
};

}  // namespace luge
