#pragma once
// The threads of one block on their way through a kernel.

#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "simt/executor/executor.h"
#include "simt/executor/fiber.h"
#include "simt/executor/sanitizers.h"

namespace simt {

struct Thread {
  Coordinates at;
  unsigned number = 0;
  Fiber* fiber = nullptr;
  bool done = false;
  Arrival arrival;  ///< what it waits at; meeting None: it does not wait
  std::uint64_t result = 0;
  // Addresses to tell ThreadSanitizer of: this thread came, a meeting it completed is over.
  char came = 0, met = 0;
  char* waits_for = nullptr;
};

/// "__shfl_xor_sync at blocks.cuh:31"
std::string describe(const Arrival& arrival);
/// "thread 33 (1, 1, 0) of block (2, 0, 0)"
std::string describe(const Thread& thread);

class Block {
 public:
  Block();

  void begin_launch(const Launch& launch);
  /// Runs the block that is the i-th of the schedule.
  void run(std::uint64_t i);
  void end_launch();
  /// Behind an error: forgets the threads that stand in the middle of the kernel.
  void abandon();

  // Called on the fiber of the running thread.
  std::uint64_t meet(const Arrival& arrival);
  void yield();
  void fence();

 private:
  using Lanes = Thread*;  ///< the first of a warp's threads

  static void run_threads();
  void start(Thread& thread);
  void wait();
  void wake(Thread& thread);
  Fiber& fiber_for(unsigned thread);

  void meet_block();
  void meet_warp();
  void complete_warp(Lanes lanes, unsigned mask);
  void wake_all(Thread* first, unsigned count, unsigned mask);
  [[noreturn]] void report_deadlock() const;

  const Launch* launch_ = nullptr;
  Schedule schedule_;
  std::vector<Thread> threads_;
  Thread* running_ = nullptr;
  Thread* next_ = nullptr;  ///< chosen already, by a fiber that ended
  unsigned live_ = 0, at_barrier_ = 0;
  std::exception_ptr error_;

  // A fiber serves many threads in turn, except where races are looked for: there each thread of a block
  // has its own, and neighbouring blocks have different ones, lest two threads look like one.
  std::vector<std::unique_ptr<Fiber>> fibers_[2];
  std::vector<Fiber*> idle_;
  unsigned fiber_set_ = 0;

  // A barrier's arrivals release one of two addresses in turn: with one, arrivals at the next barrier
  // would already count for this one and hide what a missing second barrier does.
  char started_ = 0, ended_ = 0, barrier_[2] = {}, fence_ = 0;
  unsigned generation_ = 0;
};

/// The shared memory of the running block.
class SharedMemory {
 public:
  void begin_launch(std::size_t dynamic_bytes);
  void begin_block();
  void end_launch();
  void* object(const void* declaration, std::size_t bytes, std::size_t alignment);
  void* dynamic() const { return dynamic_.data; }

 private:
  struct Object {
    const void* declaration = nullptr;
    unsigned char* data = nullptr;
    std::size_t bytes = 0, alignment = 16;
  };
  void allocate(Object& object);
  void free(Object& object);

  std::vector<Object> objects_;
  Object dynamic_;
  unsigned char* arena_ = nullptr;  ///< where races are looked for: fresh addresses for every block
  std::size_t used_ = 0;
};

}  // namespace simt
