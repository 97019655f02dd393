#pragma once
// What a plan is made of on the GPU.

namespace luge::cuda {

/// One item of a plan. Whatever it needs beside scratch memory (code, handles) it has when it is made: queue()
/// may run while a graph is recorded (graph.h).
class Item {
 public:
  Item() = default;
  virtual ~Item() = default;
  Item(const Item&) = delete;
  Item& operator=(const Item&) = delete;

  /// Queues one run of it on the GPU's stream. Throws CudaError naming the op.
  virtual void queue() const = 0;
};

}  // namespace luge::cuda
