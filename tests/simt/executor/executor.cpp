#include "simt/executor/executor.h"

#include <cstdlib>
#include <limits>

#include "simt/executor/block.h"

namespace simt {

constinit Coordinates* current = nullptr;

Block& block() {
  static auto& only = *new Block;  // never destroyed: fibers may be entered until the process ends
  return only;
}

Counts& mutable_counts() {
  static Counts counts;
  return counts;
}
const Counts& counts() { return mutable_counts(); }

namespace {

SharedMemory& memory() {
  static auto& only = *new SharedMemory;
  return only;
}

Order& current_order() {
  static Order order = [] {
    const char* const text = std::getenv("SIMT_ORDER");
    return text ? parse_order(text) : Order();
  }();
  return order;
}

}  // namespace

Order order() { return current_order(); }
void set_order(Order order) { current_order() = order; }

std::uint64_t meet(const Arrival& arrival) {
  if (!current) throw Error(describe(arrival) + " is called outside a kernel");
  return block().meet(arrival);
}
void yield() {
  if (current) block().yield();
}
void fence() { block().fence(); }

void* shared_memory(const void* declaration, std::size_t bytes, std::size_t alignment) {
  return memory().object(declaration, bytes, alignment);
}
void* dynamic_shared_memory() { return memory().dynamic(); }

bool is_possible(const Launch& launch) {
  const auto& [gx, gy, gz] = launch.grid;
  const auto& [bx, by, bz] = launch.block;
  const std::uint64_t threads = std::uint64_t{bx} * by * bz;
  return gx > 0 && gy > 0 && gz > 0 && gx <= static_cast<unsigned>(std::numeric_limits<int>::max()) && gy <= 65535 &&
         gz <= 65535 && threads > 0 && bx <= kMaxThreads && by <= kMaxThreads && bz <= 64 && threads <= kMaxThreads &&
         launch.shared <= kMaxDynamicShared;
}

void execute(const Launch& launch) {
  if (!is_possible(launch)) throw Error("no hardware takes a launch of this grid, block or shared memory");
  const std::uint64_t blocks = std::uint64_t{launch.grid.x} * launch.grid.y * launch.grid.z;
  memory().begin_launch(launch.shared);
  block().begin_launch(launch);
  try {
    for (std::uint64_t i = 0; i < blocks; ++i) {
      memory().begin_block();
      block().run(i);
    }
    block().end_launch();
    current = nullptr;
  } catch (...) {
    current = nullptr;
    block().abandon();
    memory().end_launch();
    throw;
  }
  memory().end_launch();
  Counts& total = mutable_counts();
  ++total.launches;
  total.blocks += blocks;
  total.threads += blocks * launch.block.x * launch.block.y * launch.block.z;
}

}  // namespace simt
