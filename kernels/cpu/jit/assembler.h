#pragma once
// From a graph of operations to a loop in machine code.

#include <cstddef>
#include <memory>
#include <vector>

#include "trace.h"

namespace luge::cpu::jit {

/// pointers: inputs, then outputs, each to contiguous elements; pool as Loop::pool lays it out.
using LoopFn = void (*)(void* const* pointers, const void* pool, std::size_t n);

/// A loop that computes operations of a graph for n elements.
class Loop {
 public:
  /// Bytes of a number in the pool, where it is repeated to fill any vector.
  static constexpr std::size_t kPoolEntry = 64;

  struct Output {
    int operation;
    bool streams;  ///< past the caches; the memory is aligned to 64 bytes
  };

  /// Null where the processor or the number of registers does not allow it. `far`: by input, whether it comes
  /// from memory rather than a cache.
  static std::unique_ptr<Loop> assemble(const Graph& from, int inputs, int uniforms, const std::vector<bool>& far,
                                        const std::vector<Output>& outputs);
  ~Loop();

  LoopFn function() const { return function_; }
  /// Uniforms first, numbers behind: entry i at byte i * kPoolEntry. Numbers are filled in.
  std::vector<std::byte> pool() const { return pool_; }

 private:
  class Code;
  Loop() = default;

  std::unique_ptr<Code> code_;
  LoopFn function_ = nullptr;
  std::vector<std::byte> pool_;
};

/// Writes a number of `dtype` into a pool.
void set_pool_entry(std::byte* pool, std::size_t entry, DType dtype, double value);

}  // namespace luge::cpu::jit
