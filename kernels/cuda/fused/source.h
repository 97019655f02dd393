#pragma once
// The source of a fused chain's kernel. It calls the formulas of kernels/math by name, so that there is one text of
// each. What differs between runs of one program (sizes, strides, addresses) are the kernel's arguments, so that
// the text depends on what the chain does alone, and compiled code is found again.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <luge/plan.h>

namespace luge::cuda {

/// A kernel's arguments, in order.
class KernelArguments {
 public:
  template <class T>
  void add(const T& value) {
    values_.push_back(std::make_shared<T>(value));
    bytes_ = (bytes_ + alignof(T) - 1) / alignof(T) * alignof(T) + sizeof(T);
  }
  /// As cudaLaunchKernel takes them.
  std::vector<void*> pointers() const {
    std::vector<void*> result;
    for (const std::shared_ptr<void>& value : values_) result.push_back(value.get());
    return result;
  }
  std::size_t bytes() const { return bytes_; }

 private:
  std::vector<std::shared_ptr<void>> values_;
  std::size_t bytes_ = 0;
};

/// Sums over rows that are too long for one block to finish: their chunks' states, left in memory.
struct UnfinishedSums {
  Reduce call;
  double* partials;
  std::int64_t rows, chunks;
};

struct ChainKernel {
  static constexpr const char* kName = "luge_chain";

  std::string source;
  KernelArguments arguments;
  std::int64_t warps = 0;  ///< that have something to do
  std::vector<UnfinishedSums> unfinished;
};

/// The kernel of a chain. `finished`: Gpu::finished_blocks(); `allocate` gives device memory that lives as long as
/// the kernel is used.
ChainKernel generate(const Chain& chain, unsigned* finished, const std::function<void*(std::size_t)>& allocate);

}  // namespace luge::cuda
