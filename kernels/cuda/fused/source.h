#pragma once
// The source of a fused chain's kernel. It calls the formulas of core/luge/math by name, so that there is one text of
// each. What differs between runs of one program (sizes, strides, addresses) are the kernel's arguments, so that
// the text depends on what the chain does alone, and compiled code is found again.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <luge/seam/detail/plan.h>

namespace luge::cuda {

/// A kernel's arguments, in order.
class KernelArguments {
 public:
  /// Returns where the argument is, which may change between launches.
  template <class T>
  T* add(const T& value) {
    auto own = std::make_shared<T>(value);
    values_.push_back(own);
    bytes_ = (bytes_ + alignof(T) - 1) / alignof(T) * alignof(T) + sizeof(T);
    return own.get();
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

/// Recordings of many steps, of which the kernel has left the losses themselves, step after step, or the states of
/// their chunks in `partials`.
struct UnfinishedRecords {
  Record call;
  void* partials;
  const void* losses;  ///< or null
};

/// How many steps a kernel takes: one; many of one chain, with what it loads in registers; or many of several chains,
/// each set with a few lanes of its own, which find what they wrote in memory that is near.
enum class Steps : std::uint8_t { One, Many, BySets };

struct ChainKernel {
  static constexpr const char* kName = "luge_chain";

  std::string source;
  KernelArguments arguments;
  std::int64_t warps = 0;  ///< that have something to do
  std::int64_t* share = nullptr;  ///< the argument that says how much of that each block does (share_size); or null
  int* steps = nullptr;    ///< the argument that says how many, where they may be many
  int most_steps = 1;      ///< that it takes at once
  std::vector<UnfinishedSums> unfinished;
  std::vector<UnfinishedRecords> unfinished_records;
};

/// Device memory that lives as long as the kernel is used.
using Allocate = std::function<void*(std::size_t)>;

/// Whether there can be a kernel that runs this chain many times: an element goes on from nothing but itself, and a
/// sum is that of the last step.
bool can_repeat(const Chain& chain);
/// Whether there can be a kernel that runs a plan's chains many times: a set is little enough for a warp.
bool can_repeat(const SetPlan& plan);

/// The kernel of a chain, Steps::One or Many. `finished`: Gpu::finished_blocks().
ChainKernel generate(const Chain& chain, Steps steps, unsigned* finished, const Allocate& allocate);
/// The kernel of a plan's chains for many steps.
ChainKernel generate(const SetPlan& plan, unsigned* finished, const Allocate& allocate);

}  // namespace luge::cuda
