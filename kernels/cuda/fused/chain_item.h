#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <cuda_runtime_api.h>

#include <luge/seam/detail/plan.h>

#include "../context.h"
#include "../item.h"
#include "source.h"

namespace luge::cuda {

/// Whether chains become kernels: NVRTC is there, and LUGE_NVRTC is not 0.
bool can_fuse();

/// A chain as a kernel of its own, or a plan's chains as one.
class ChainItem final : public Item {
 public:
  /// The rest of what one of the generate functions (source.h) takes.
  using Generate = std::function<ChainKernel(unsigned* finished, const Allocate& allocate)>;

  /// The kernel is compiled or found in the cache. Throws CudaError; OutOfMemoryError where there is none for what
  /// the kernel keeps between blocks.
  ChainItem(Gpu& gpu, const Generate& generate);
  ~ChainItem() override;

  /// False where the source cannot be compiled.
  bool is_ready() const { return kernel_ != nullptr; }

  void queue() const override { queue(1); }
  /// A kernel for many steps as many, which a graph cannot hold.
  void queue(std::int64_t steps) const;

 private:
  struct Block {
    void* data;
    std::size_t bytes;
  };

  void launch(const Context& context, int steps) const;
  void release() noexcept;

  Gpu& gpu_;
  std::vector<Block> blocks_;
  ChainKernel chain_;
  cudaKernel_t kernel_ = nullptr;
};

/// Null where a kernel cannot be had, which is said on the standard error once, with the file that holds the source.
std::unique_ptr<ChainItem> make_chain_item(Gpu& gpu, const ChainItem::Generate& generate);

}  // namespace luge::cuda
