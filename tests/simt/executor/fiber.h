#pragma once
// Flows of control with stacks of their own, known to the sanitizers.

#include <cstddef>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace simt {

/// A stack that runs a function from its beginning whenever it is entered after the function's end. Used
/// by one host thread at a time; enter() and leave() must not be mixed between fibers and their callers.
class Fiber {
 public:
  /// `run` never returns: it ends by leave(true).
  explicit Fiber(void (*run)());
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Runs the fiber until it leaves.
  void enter();
  /// Called on the fiber: back to who entered it. `ended`: this stack's frames are over; the next
  /// enter() begins anew.
  void leave(bool ended);
  /// Forgets the frames of a fiber that was left and will not be continued.
  void abandon();

 private:
  void prepare();

  void (*run_)();
  bool fresh_ = true;
  std::byte* stack_ = nullptr;
#if defined(__x86_64__)
  void *position_ = nullptr, *caller_position_ = nullptr;
#else
  ucontext_t position_, caller_position_;
#endif
  // AddressSanitizer's shadow stacks and the bounds of the caller's stack; ThreadSanitizer's fibers.
  void *fake_stack_ = nullptr, *caller_fake_stack_ = nullptr, *tsan_fiber_ = nullptr, *caller_tsan_fiber_ = nullptr;
  const void* caller_bottom_ = nullptr;
  std::size_t caller_size_ = 0;
  friend struct FiberEntry;
};

}  // namespace simt
