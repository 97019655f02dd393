#include "simt/executor/fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <new>

#include "simt/executor/sanitizers.h"

namespace simt {

namespace {

constexpr std::size_t kStack = 128 << 10, kGuard = 4096;

}  // namespace

/// The fiber that is being entered for the first time, for its first function.
struct FiberEntry {
  static Fiber* entering;
  static void begin() {
    Fiber* const self = entering;
    sanitizer_arrived(self->fake_stack_, &self->caller_bottom_, &self->caller_size_);
    self->run_();
    std::abort();
  }
};
Fiber* FiberEntry::entering = nullptr;

#if defined(__x86_64__)

// Saves what a call must preserve (System V ABI) on the old stack and takes it from the new one.
extern "C" void simt_switch_stacks(void** from, void* to);
asm(R"(
.text
.local simt_switch_stacks
.type simt_switch_stacks, @function
simt_switch_stacks:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size simt_switch_stacks, . - simt_switch_stacks
)");

void Fiber::prepare() {
  // As if begin() had been interrupted by simt_switch_stacks: six registers, the address to return to,
  // and the alignment a function finds behind its return address.
  auto* const top = reinterpret_cast<std::uintptr_t*>(stack_ + kStack);
  top[-1] = 0;
  top[-2] = reinterpret_cast<std::uintptr_t>(&FiberEntry::begin);
  for (int i = 3; i <= 8; ++i) top[-i] = 0;
  position_ = top - 8;
}

#else

void Fiber::prepare() {
  getcontext(&position_);
  position_.uc_stack.ss_sp = stack_;
  position_.uc_stack.ss_size = kStack;
  position_.uc_link = nullptr;
  makecontext(&position_, &FiberEntry::begin, 0);
}

#endif

Fiber::Fiber(void (*run)()) : run_(run) {
  void* const memory =
      mmap(nullptr, kGuard + kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  mprotect(memory, kGuard, PROT_NONE);  // an overflow of the stack faults instead of corrupting
  stack_ = static_cast<std::byte*>(memory) + kGuard;
  tsan_fiber_ = sanitizer_new_fiber();
}

Fiber::~Fiber() {
  sanitizer_delete_fiber(tsan_fiber_);
  munmap(stack_ - kGuard, kGuard + kStack);
}

void Fiber::enter() {
  if (fresh_) {
    prepare();
    FiberEntry::entering = this;
  }
  fresh_ = false;
  caller_tsan_fiber_ = sanitizer_this_fiber();
  sanitizer_leaving(&caller_fake_stack_, stack_, kStack, tsan_fiber_);
#if defined(__x86_64__)
  simt_switch_stacks(&caller_position_, position_);
#else
  swapcontext(&caller_position_, &position_);
#endif
  sanitizer_arrived(caller_fake_stack_, nullptr, nullptr);
}

void Fiber::leave(bool ended) {
  fresh_ = ended;
  // Even if this function is over: a shadow stack is dear, and the next one takes it.
  sanitizer_leaving(&fake_stack_, caller_bottom_, caller_size_, caller_tsan_fiber_);
#if defined(__x86_64__)
  simt_switch_stacks(&position_, caller_position_);
#else
  swapcontext(&position_, &caller_position_);
#endif
  sanitizer_arrived(fake_stack_, &caller_bottom_, &caller_size_);
}

void Fiber::abandon() {
  fresh_ = true;
  sanitizer_forget_stack(stack_, kStack);
}

}  // namespace simt
