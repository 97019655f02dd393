#include "simt/executor/block.h"

#include <algorithm>

namespace simt {

extern Block& block();
extern Counts& mutable_counts();

namespace {

bool is_barrier(Meeting meeting) { return meeting >= Meeting::Barrier && meeting <= Meeting::BarrierCount; }

std::string triple(unsigned x, unsigned y, unsigned z) {
  return "(" + std::to_string(x) + ", " + std::to_string(y) + ", " + std::to_string(z) + ")";
}

}  // namespace

std::string describe(const Arrival& arrival) {
  static constexpr const char* kNames[] = {
      "nowhere",         "__syncthreads",     "__syncthreads_or", "__syncthreads_and", "__syncthreads_count",
      "__syncwarp",      "__shfl_sync",       "__shfl_up_sync",   "__shfl_down_sync",  "__shfl_xor_sync",
      "__ballot_sync",   "__any_sync",        "__all_sync",       "__match_any_sync",  "__reduce_add_sync",
      "__reduce_min_sync", "__reduce_max_sync"};
  return std::string(kNames[static_cast<int>(arrival.meeting)]) + " at " + arrival.where.file + ":" +
         std::to_string(arrival.where.line);
}

std::string describe(const Thread& thread) {
  const auto& [x, y, z] = thread.at.thread;
  const auto& [i, j, k] = thread.at.block;
  return "thread " + std::to_string(thread.number) + " " + triple(x, y, z) + " of block " + triple(i, j, k);
}

Block::Block() { idle_.reserve(kMaxThreads); }

void Block::begin_launch(const Launch& launch) {
  launch_ = &launch;
  error_ = nullptr;
  const std::uint64_t blocks = std::uint64_t{launch.grid.x} * launch.grid.y * launch.grid.z;
  schedule_.begin_launch(order(), blocks);
  threads_.assign(std::size_t{launch.block.x} * launch.block.y * launch.block.z, Thread());
  release(started_);
}

void Block::end_launch() { acquire(ended_); }

void Block::run(std::uint64_t i) {
  const dim3 grid = launch_->grid, size = launch_->block;
  const std::uint64_t number = schedule_.block(i);
  const uint3 at{static_cast<unsigned>(number % grid.x), static_cast<unsigned>(number / grid.x % grid.y),
                 static_cast<unsigned>(number / grid.x / grid.y)};
  live_ = static_cast<unsigned>(threads_.size());
  at_barrier_ = 0;
  next_ = nullptr;
  fiber_set_ ^= 1u;
  for (unsigned n = 0; n < live_; ++n) {
    Thread& thread = threads_[n];
    thread.at = {{n % size.x, n / size.x % size.y, n / size.x / size.y}, at, size, grid};
    thread.number = n;
    thread.fiber = nullptr;
    thread.done = false;
    thread.arrival.meeting = Meeting::None;
  }
  schedule_.begin_block(live_);
  while (live_ > 0) {
    if (!next_ && schedule_.empty()) report_deadlock();
    Thread& thread = next_ ? *next_ : threads_[schedule_.pop()];
    next_ = nullptr;
    if (!thread.fiber) thread.fiber = &fiber_for(thread.number);
    start(thread);
    ++mutable_counts().switches;
    thread.fiber->enter();
    if (error_) std::rethrow_exception(error_);
  }
}

Fiber& Block::fiber_for(unsigned thread) {
  auto& own = fibers_[kFindsRaces ? fiber_set_ : 0];
  if (kFindsRaces) {
    while (own.size() <= thread) own.push_back(std::make_unique<Fiber>(&run_threads));
    return *own[thread];
  }
  if (idle_.empty()) return *own.emplace_back(std::make_unique<Fiber>(&run_threads));
  Fiber& fiber = *idle_.back();
  idle_.pop_back();
  return fiber;
}

void Block::start(Thread& thread) {
  running_ = &thread;
  current = &thread.at;
}

/// What a fiber does: a thread, and whichever begins next.
void Block::run_threads() {
  Block& self = block();
  Fiber& fiber = *self.running_->fiber;
  for (;;) {
    acquire(self.started_);
    try {
      self.launch_->thread();
    } catch (...) {
      if (!self.error_) self.error_ = std::current_exception();
    }
    release(self.ended_);
    self.running_->done = true;
    self.running_->fiber = nullptr;
    --self.live_;
    if (kFindsRaces || self.error_ || self.schedule_.empty()) break;
    Thread& next = self.threads_[self.schedule_.pop()];
    if (next.fiber) {
      self.next_ = &next;
      break;
    }
    next.fiber = &fiber;
    self.start(next);
  }
  if (!kFindsRaces) self.idle_.push_back(&fiber);
  fiber.leave(true);
}

void Block::abandon() {
  for (const Thread& thread : threads_) {
    if (!thread.fiber) continue;
    thread.fiber->abandon();
    if (!kFindsRaces) idle_.push_back(thread.fiber);
  }
  // What the abandoned threads did is over, too: the host may free what they wrote.
  for (Thread& thread : threads_) acquire(thread.came);
  acquire(barrier_[0]);
  acquire(barrier_[1]);
  acquire(ended_);
}

void Block::wait() {
  Thread& self = *running_;
  self.fiber->leave(false);
  if (self.waits_for) acquire(*self.waits_for);
}

void Block::wake(Thread& thread) {
  thread.arrival.meeting = Meeting::None;
  schedule_.push(thread.number);
}

void Block::wake_all(Thread* first, unsigned count, unsigned mask) {
  for (unsigned i = 0; i < count; ++i) {
    const unsigned at = schedule_.wakes_backwards() ? count - 1 - i : i;
    if (at >= 32 || (mask >> at & 1) != 0) wake(first[at]);
  }
}

void Block::yield() {
  if (!schedule_.wants_yield()) return;
  schedule_.demote(running_->number);
  schedule_.push(running_->number);
  running_->waits_for = nullptr;
  wait();
}

void Block::fence() {
  acquire(fence_);
  release(fence_);
}

std::uint64_t Block::meet(const Arrival& arrival) {
  Thread& self = *running_;
  self.arrival = arrival;
  is_barrier(arrival.meeting) ? meet_block() : meet_warp();
  wait();
  return self.result;
}

void Block::meet_block() {
  Thread& self = *running_;
  self.waits_for = &barrier_[generation_ & 1];
  release(*self.waits_for);
  if (++at_barrier_ < threads_.size()) return;
  at_barrier_ = 0;
  ++generation_;
  std::uint64_t count = 0;
  for (const Thread& thread : threads_) {
    if (thread.arrival.meeting != self.arrival.meeting || !(thread.arrival.where == self.arrival.where))
      throw Error("divergent barrier: " + describe(self) + " waits in " + describe(self.arrival) + ", " +
                  describe(thread) + " in " + describe(thread.arrival));
    count += thread.arrival.value;
  }
  std::uint64_t result = count;
  if (self.arrival.meeting == Meeting::BarrierOr) result = count > 0 ? 1 : 0;
  if (self.arrival.meeting == Meeting::BarrierAnd) result = count == threads_.size() ? 1 : 0;
  for (Thread& thread : threads_) thread.result = result;
  wake_all(threads_.data(), static_cast<unsigned>(threads_.size()), ~0u);
}

void Block::meet_warp() {
  Thread& self = *running_;
  self.waits_for = nullptr;
  release(self.came);
  const unsigned lane = self.number % 32;
  const Lanes lanes = &threads_[self.number - lane];
  const auto present = std::min(32u, static_cast<unsigned>(threads_.size()) - (self.number - lane));
  unsigned& mask = self.arrival.mask;
  if (present < 32 && mask == ~0u) mask = (1u << present) - 1;  // a partial last warp, as on hardware
  if ((mask >> lane & 1) == 0)
    throw Error(describe(self) + " calls " + describe(self.arrival) + " and is not in its mask");
  unsigned arrived = 0;
  for (unsigned i = 0; i < present; ++i) {
    const Arrival& other = lanes[i].arrival;
    const bool waits = !lanes[i].done && other.meeting != Meeting::None && !is_barrier(other.meeting);
    if (waits && other.mask == mask) arrived |= 1u << i;
  }
  if (arrived == mask) complete_warp(lanes, mask);
}

namespace {

/// The lane whose value a shuffle gives to `lane`.
unsigned source_lane(const Arrival& shuffle, unsigned lane) {
  const auto width = static_cast<unsigned>(shuffle.width), by = static_cast<unsigned>(shuffle.parameter);
  const unsigned segment = lane & ~(width - 1), end = segment + width;
  switch (shuffle.meeting) {
    case Meeting::ShuffleIndex: return segment + (by & (width - 1));
    case Meeting::ShuffleUp: return lane < segment + by ? lane : lane - by;
    case Meeting::ShuffleDown: return lane + by >= end ? lane : lane + by;
    case Meeting::ShuffleXor: return (lane ^ by) >= end ? lane : lane ^ by;
    default: return lane;
  }
}

}  // namespace

void Block::complete_warp(Lanes lanes, unsigned mask) {
  const Arrival& first = running_->arrival;
  unsigned ballot = 0, sum = 0, least = ~0u, most = 0;
  for (unsigned i = 0; i < 32; ++i) {
    if ((mask >> i & 1) == 0) continue;
    const Arrival& other = lanes[i].arrival;
    if (other.meeting != first.meeting || !(other.where == first.where) || other.width != first.width)
      throw Error("divergent warp: " + describe(*running_) + " waits in " + describe(first) + ", " +
                  describe(lanes[i]) + " in " + describe(other));
    const auto word = static_cast<unsigned>(other.value);
    ballot |= static_cast<unsigned>(other.value != 0) << i;
    sum += word;
    least = std::min(least, word);
    most = std::max(most, word);
    acquire(lanes[i].came);
  }
  for (unsigned i = 0; i < 32; ++i) {
    if ((mask >> i & 1) == 0) continue;
    const Arrival& own = lanes[i].arrival;
    std::uint64_t& result = lanes[i].result;
    switch (first.meeting) {
      case Meeting::Ballot: result = ballot; break;
      case Meeting::Any: result = ballot != 0 ? 1 : 0; break;
      case Meeting::All: result = ballot == mask ? 1 : 0; break;
      case Meeting::ReduceAdd: result = sum; break;
      case Meeting::ReduceMin: result = least; break;
      case Meeting::ReduceMax: result = most; break;
      case Meeting::MatchAny:
        result = 0;
        for (unsigned j = 0; j < 32; ++j)
          if ((mask >> j & 1) != 0 && lanes[j].arrival.value == own.value) result |= 1u << j;
        break;
      default: {
        // A lane outside the mask has no value to give; hardware gives anything, we give a NaN.
        const unsigned source = source_lane(own, i);
        result = (mask >> source & 1) != 0 ? lanes[source].arrival.value : ~std::uint64_t{0};
      }
    }
    lanes[i].waits_for = &running_->met;
  }
  release(running_->met);
  wake_all(lanes, 32, mask);
}

void Block::report_deadlock() const {
  std::string text = "deadlock: ";
  const Thread* last = nullptr;
  std::size_t left = 0, places = 0;
  for (const Thread& thread : threads_) {
    if (thread.done) {
      ++left;
    } else if (!last || !(last->arrival.where == thread.arrival.where)) {
      if (++places <= 4) text += (places > 1 ? "; " : "") + describe(thread) + " waits in " + describe(thread.arrival);
      last = &thread;
    }
  }
  throw Error(text + "; " + std::to_string(left) + " of " + std::to_string(threads_.size()) +
              " threads have left the kernel");
}

}  // namespace simt
