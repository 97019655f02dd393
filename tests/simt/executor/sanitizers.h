#pragma once
// What the executor tells the sanitizers: that it switches stacks, and in ThreadSanitizer's build, in which
// every CUDA thread is a fiber of its own there, what happens before what. Without them all of it is empty.
// The executor itself is never instrumented: its own bookkeeping is shared by all fibers.

#include <cstddef>

#if defined(SIMT_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(SIMT_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace simt {

#if defined(SIMT_TSAN)
inline constexpr bool kFindsRaces = true;
#else
inline constexpr bool kFindsRaces = false;
#endif

/// About to continue on another stack. `fake_stack`: where this one's shadow state is kept.
inline void sanitizer_leaving([[maybe_unused]] void** fake_stack, [[maybe_unused]] const void* to_bottom,
                              [[maybe_unused]] std::size_t to_size, [[maybe_unused]] void* to_fiber) {
#if defined(SIMT_ASAN)
  __sanitizer_start_switch_fiber(fake_stack, to_bottom, to_size);
#endif
#if defined(SIMT_TSAN)
  __tsan_switch_to_fiber(to_fiber, __tsan_switch_to_fiber_no_sync);
#endif
}

/// The first thing on the other stack.
inline void sanitizer_arrived([[maybe_unused]] void* fake_stack, [[maybe_unused]] const void** from_bottom,
                              [[maybe_unused]] std::size_t* from_size) {
#if defined(SIMT_ASAN)
  __sanitizer_finish_switch_fiber(fake_stack, from_bottom, from_size);
#endif
}

inline void sanitizer_forget_stack([[maybe_unused]] void* stack, [[maybe_unused]] std::size_t size) {
#if defined(SIMT_ASAN)
  __asan_unpoison_memory_region(stack, size);
#endif
}

inline void* sanitizer_new_fiber() {
#if defined(SIMT_TSAN)
  return __tsan_create_fiber(0);
#else
  return nullptr;
#endif
}
inline void sanitizer_delete_fiber([[maybe_unused]] void* fiber) {
#if defined(SIMT_TSAN)
  __tsan_destroy_fiber(fiber);
#endif
}
inline void* sanitizer_this_fiber() {
#if defined(SIMT_TSAN)
  return __tsan_get_current_fiber();
#else
  return nullptr;
#endif
}

/// What came before a release() of an address happens before what comes behind an acquire() of it.
inline void release([[maybe_unused]] char& address) {
#if defined(SIMT_TSAN)
  __tsan_release(&address);
#endif
}
inline void acquire([[maybe_unused]] char& address) {
#if defined(SIMT_TSAN)
  __tsan_acquire(&address);
#endif
}

}  // namespace simt
