// A chain's kernel from source to launch.

#include "chain_item.h"

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <vector>

#include <fmt/format.h>

#include <luge/base/error.h>
#include <luge/seam/detail/kept_kernels.h>

#include "../block_size.h"
#include "../check.h"
#include "../finish.h"
#include "../forked.h"
#include "load.h"

namespace luge::cuda {

namespace {

constexpr const char* kOp = "fused chain";

/// Once in a process for each `once`.
void warn(std::once_flag& once, const char* cannot, const std::string& why) {
  std::call_once(once, [&] {
    fmt::print(stderr, "luge: captured steps are not fused, because a generated kernel cannot be {}: {}\n", cannot, why);
  });
}

constexpr std::size_t kMostParameterBytes = 4096;

}  // namespace

ChainItem::ChainItem(Gpu& gpu, const Generate& generate) : gpu_(gpu) {
  try {
    chain_ = generate(gpu.finished_blocks(), [&](std::size_t bytes) {
      blocks_.push_back({gpu.memory().allocate(bytes), bytes});
      return blocks_.back().data;
    });
    keep_kernel(chain_.source, "cu");
    if (chain_.arguments.bytes() > kMostParameterBytes) return;
    const GeneratedKernel& made = generated(gpu, kOp, ChainKernel::kName, chain_.source);
    kernel_ = made.kernel;
    static std::once_flag once;
    if (!kernel_) warn(once, "compiled", made.error);
  } catch (...) {
    release();
    throw;
  }
}

ChainItem::~ChainItem() { release(); }

void ChainItem::release() noexcept {
  if (is_forked()) return;
  for (const Block& block : blocks_) gpu_.memory().free(block.data, block.bytes);
}

void ChainItem::queue(std::int64_t steps) const {
  const Context context(gpu_, kOp);
  const std::int64_t most = chain_.most_steps;
  for (std::int64_t done = 0; done < steps; done += most)
    launch(context, static_cast<int>(std::min(most, steps - done)));
}

void ChainItem::launch(const Context& context, int steps) const {
  if (chain_.steps) *chain_.steps = steps;
  // No more blocks than run at once: each begins with what is the same for all elements.
  const std::int64_t blocks =
      std::min(divide_up(chain_.warps, kWarps), context.gpu().resident_blocks(kOp, kernel_, 0));
  if (chain_.share) *chain_.share = share_size(chain_.warps, blocks);
  std::vector<void*> arguments = chain_.arguments.pointers();
  check(cudaLaunchKernel(reinterpret_cast<const void*>(kernel_), dim3(static_cast<unsigned>(blocks)), dim3(kThreads),
                         arguments.data(), 0, context.stream()),
        kOp, "cudaLaunchKernel");
  for (const UnfinishedSums& sums : chain_.unfinished) finish_sums(context, sums.call, sums.partials, sums.rows, sums.chunks);
  for (const UnfinishedRecords& records : chain_.unfinished_records)
    records.losses ? record_steps(context, records.call, records.losses, records.partials, steps)
                   : finish_records(context, records.call, records.partials, steps);
}

bool can_fuse() { return why_not_compiled().empty(); }

std::unique_ptr<ChainItem> make_chain_item(Gpu& gpu, const ChainItem::Generate& generate) {
  try {
    const Context context(gpu, kOp);
    auto item = std::make_unique<ChainItem>(gpu, generate);
    return item->is_ready() ? std::move(item) : nullptr;
  } catch (const Error& error) {  // the step has been done; what replays it need not be fused
    static std::once_flag once;
    warn(once, "loaded", error.what());
    return nullptr;
  }
}

}  // namespace luge::cuda
