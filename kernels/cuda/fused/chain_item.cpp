// A chain's kernel from source to launch.

#include "chain_item.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include <luge/base/error.h>
#include <luge/seam/detail/kept_kernels.h>

#include "../block_size.h"
#include "../check.h"
#include "../finish.h"
#include "../forked.h"
#include "cache.h"
#include "headers.h"
#include "nvrtc.h"

namespace luge::cuda {

namespace {

constexpr const char* kOp = "fused chain";

std::atomic<int> compilations{0};

/// Once in a process for each `once`.
void warn(std::once_flag& once, const char* cannot, const std::string& why) {
  std::call_once(once, [&] {
    fmt::print(stderr, "luge: captured steps are not fused, because a generated kernel cannot be {}: {}\n", cannot, why);
  });
}

/// What compiled code depends on beside its source.
std::string circumstances(const std::string& architecture) {
  std::string text = fmt::format("NVRTC {} {}\n", nvrtc_version(), nvrtc_options(architecture));
  for (const FusedHeader& header : fused_headers()) text += fmt::format("// {}\n{}", header.name, header.text);
  return text;
}

std::string architecture_of(const Gpu& gpu) {
  int major = 0, minor = 0;
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, gpu.index()), kOp, "cudaDeviceGetAttribute");
  check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, gpu.index()), kOp, "cudaDeviceGetAttribute");
  return fmt::format("sm_{}{}", major, minor);
}

/// The line of a compiler's output that says most.
std::string first_error(const std::string& log) {
  const std::size_t error = log.find("error");
  if (error == std::string::npos) return log.substr(0, log.find('\n'));
  const std::size_t begin = log.rfind('\n', error) + 1;
  return log.substr(begin, log.find('\n', error) - begin);
}

/// The code of a source; empty where it cannot be compiled.
std::string code_of(const std::string& source, const std::string& architecture) {
  const std::string key = circumstances(architecture) + source;
  const std::filesystem::path folder = cache_folder();
  if (std::optional<std::string> cached = find_cached(folder, key)) return *std::move(cached);
  ++compilations;
  Compiled compiled = nvrtc_compile(source, architecture);
  if (compiled.code.empty()) {
    static std::once_flag once;
    warn(once, "compiled", fmt::format("{}; its source is {}", first_error(compiled.error), keep_source(folder, source).string()));
  } else {
    keep_cached(folder, key, compiled.code);
  }
  return std::move(compiled.code);
}

struct Loaded {
  cudaLibrary_t library = nullptr;
  cudaKernel_t kernel = nullptr;  ///< null where the source cannot be compiled
};

Loaded load(const std::string& code) {
  Loaded loaded;
  check(cudaLibraryLoadData(&loaded.library, code.data(), nullptr, nullptr, 0, nullptr, nullptr, 0), kOp,
        "cudaLibraryLoadData");
  const cudaError_t error = cudaLibraryGetKernel(&loaded.kernel, loaded.library, ChainKernel::kName);
  if (error != cudaSuccess) {
    cudaLibraryUnload(loaded.library);
    raise_cuda(error, kOp, "cudaLibraryGetKernel");
  }
  return loaded;
}

/// The kernel of a source, loaded once per GPU and kept; null where it cannot be compiled.
cudaKernel_t kernel_of(const Gpu& gpu, const std::string& source) {
  static std::mutex mutex;
  static auto& kernels = *new std::map<std::pair<int, std::string>, Loaded>;  // as long as the GPU
  const std::scoped_lock lock(mutex);
  const auto known = kernels.find({gpu.index(), source});
  if (known != kernels.end()) return known->second.kernel;
  const std::string code = code_of(source, architecture_of(gpu));
  const Loaded loaded = code.empty() ? Loaded() : load(code);
  kernels[{gpu.index(), source}] = loaded;
  return loaded.kernel;
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
    if (chain_.arguments.bytes() <= kMostParameterBytes) kernel_ = kernel_of(gpu, chain_.source);
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
  const std::int64_t blocks = std::min(divide_up(chain_.warps, kWarps), std::int64_t{8} * gpu_.multiprocessors());
  std::vector<void*> arguments = chain_.arguments.pointers();
  check(cudaLaunchKernel(reinterpret_cast<const void*>(kernel_), dim3(static_cast<unsigned>(blocks)), dim3(kThreads),
                         arguments.data(), 0, context.stream()),
        kOp, "cudaLaunchKernel");
  for (const UnfinishedSums& sums : chain_.unfinished) finish_sums(context, sums.call, sums.partials, sums.rows, sums.chunks);
  for (const UnfinishedRecords& records : chain_.unfinished_records)
    records.losses ? record_steps(context, records.call, records.losses, records.partials, steps)
                   : finish_records(context, records.call, records.partials, steps);
}

bool can_fuse() {
  const char* const text = std::getenv("LUGE_NVRTC");
  return !(text && std::string_view(text) == "0") && nvrtc_error().empty();
}

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

int compiled_chains() { return compilations; }

}  // namespace luge::cuda
