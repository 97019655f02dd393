// A segment's kernel from source to launch.

#include "segment_item.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include <luge/base/error.h>
#include <luge/seam/detail/kept_kernels.h>

#include "../block_size.h"
#include "../check.h"
#include "load.h"
#include "segment_source.h"

namespace luge::cuda {

namespace {

constexpr const char* kOp = "captured step";
constexpr std::size_t kMostParameterBytes = 4096;

class SegmentItem final : public Item {
 public:
  SegmentItem(Gpu& gpu, SegmentKernel kernel, cudaKernel_t code, std::int64_t sets)
      : gpu_(gpu), kernel_(std::move(kernel)), code_(code), sets_(sets) {}

  void queue() const override {
    const Context context(gpu_, kOp);
    const auto shared = static_cast<std::size_t>(kernel_.shared);
    const void* const code = reinterpret_cast<const void*>(code_);
    const std::int64_t blocks = std::min(sets_, gpu_.resident_blocks(kOp, code, shared));
    std::vector<void*> arguments = kernel_.arguments.pointers();
    check(cudaLaunchKernel(code, dim3(static_cast<unsigned>(blocks)), dim3(kThreads), arguments.data(), shared,
                           context.stream()),
          kOp, "cudaLaunchKernel");
  }

 private:
  Gpu& gpu_;
  SegmentKernel kernel_;
  cudaKernel_t code_;
  std::int64_t sets_;
};

SegmentMachine machine_of(const Gpu& gpu) {
  const auto attribute = [&](cudaDeviceAttr which) {
    int value = 0;
    check(cudaDeviceGetAttribute(&value, which, gpu.index()), kOp, "cudaDeviceGetAttribute");
    return std::int64_t{value};
  };
  return {gpu.multiprocessors(), attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin),
          attribute(cudaDevAttrMaxSharedMemoryPerMultiprocessor), attribute(cudaDevAttrReservedSharedMemoryPerBlock)};
}

std::unique_ptr<const Item> make(Gpu& gpu, const SetSegment& segment) {
  const SegmentMachine machine = machine_of(gpu);
  std::optional<SegmentKernel> kernel = generate(segment, machine, gpu.finished_blocks());
  if (!kernel || kernel->arguments.bytes() > kMostParameterBytes) return nullptr;
  keep_kernel(kernel->source, "cu");
  const GeneratedKernel& made = generated(gpu, kOp, SegmentKernel::kName, kernel->source);
  if (!made.kernel) return nullptr;
  // As much as any segment of the same text may ask for.
  check(cudaFuncSetAttribute(reinterpret_cast<const void*>(made.kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(machine.budget(1))),
        kOp, "cudaFuncSetAttribute");
  return std::make_unique<SegmentItem>(gpu, *std::move(kernel), made.kernel, segment.sets);
}

}  // namespace

std::unique_ptr<const Item> make_segment_item(Gpu& gpu, const SetSegment& segment) {
  try {
    const Context context(gpu, kOp);
    return make(gpu, segment);
  } catch (const Error&) {  // the step has been done; its items replay it as well
    return nullptr;
  }
}

}  // namespace luge::cuda
