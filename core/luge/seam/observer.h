#pragma once
// Internal: how a step is recorded. While one is, the thread's observer sees everything that core does and
// that a replay will have to do again.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <luge/seam/call.h>
#include <luge/base/source_location.h>

namespace luge {

class Backend;
class Storage;
class TensorImpl;

/// What a step changes on the host beside running calls, for instance the monitor's count of steps.
struct HostEffect {
  std::weak_ptr<void> owner;  ///< must be alive at every replay
  const char* owner_name;     ///< "the Monitor"
  /// Before `steps` replays in a row that have the effect `times` times each: how many of them may run before
  /// `after`, 1 or more. May throw. Null: any number.
  std::function<std::int64_t(std::int64_t steps, std::int64_t times)> before;
  /// It was had so many times. Null: nothing to do.
  std::function<void(std::int64_t count)> after;
  /// It is to be taken back so many times, memory excepted: the step was refused. Null: nothing to do.
  std::function<void(std::int64_t count)> undo;
  std::int64_t times = 1;  ///< in one step
};

/// Labels or indices that are allowed: [low, size), and perhaps one number more, which stands for none.
struct LabelRange {
  std::int64_t low = 0, size = 0;
  std::optional<std::int64_t> none;
};

class Observer {
 public:
  virtual ~Observer() = default;

  /// Executes the call and notes it.
  virtual void run(Backend& backend, const Call& call) = 0;
  virtual void allocated(const Storage& storage) = 0;
  virtual void freed(const Storage& storage) noexcept = 0;
  /// A call that follows works on this memory.
  virtual void uses(Storage& storage) = 0;
  /// The same of memory without a storage, which lives as long as an effect's owner.
  virtual void uses(void* data, std::size_t bytes) = 0;
  /// The memory is being changed in place.
  virtual void bumped(Storage& storage) = 0;
  /// The state of a leaf's gradient is about to be read or changed.
  virtual void uses_gradient(TensorImpl& leaf) = 0;
  /// ... is about to be forgotten, whatever it is.
  virtual void forgets_gradient(TensorImpl& leaf) = 0;
  virtual void has_effect(HostEffect effect) = 0;
  /// The global generator begins anew with this seed.
  virtual void seeds(std::uint64_t seed) = 0;
  /// `op` has found the labels of `index` to be allowed. A replay finds out anew.
  virtual void has_checked(const char* op, const TensorImpl& index, const LabelRange& allowed) = 0;
  /// Throws CaptureError: values pass between host and device, which a replay cannot repeat.
  [[noreturn]] virtual void refuse(const char* op, const char* why, SourceLocation location) = 0;
};

/// The observer of this thread; null outside of capture().
inline constinit thread_local Observer* observer = nullptr;

/// While it lives, this thread is not observed: for checks that the first step makes once for all.
class Unobserved {
 public:
  Unobserved() : kept_(observer) { observer = nullptr; }
  ~Unobserved() { observer = kept_; }
  Unobserved(const Unobserved&) = delete;
  Unobserved& operator=(const Unobserved&) = delete;

 private:
  Observer* kept_;
};

inline constexpr const char* kHostRead = "reads a value on the host";
inline constexpr const char* kHostWrite = "brings values of the host to the device";

/// For operations that read on the host or bring host values to the device, called at this line of the program.
inline void refuse_capture(const char* op, const char* why, SourceLocation location) {
  if (observer) [[unlikely]]
    observer->refuse(op, why, location);
}

}  // namespace luge
