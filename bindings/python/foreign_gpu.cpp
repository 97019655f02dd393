// What other libraries do on a GPU. luge's stream is one of its own, and theirs are not known to it; the driver,
// which all of them share, can wait for everything.

#include <dlfcn.h>

#include <fmt/format.h>

#include "interchange.h"

namespace luge::python {

namespace {

/// The functions of libcuda that are needed; null where it is missing, and then nobody else uses a GPU.
struct Driver {
  int (*synchronize)() = nullptr;                              ///< cuCtxSynchronize
  int (*attribute)(void*, int, unsigned long long) = nullptr;  ///< cuPointerGetAttribute
};

constexpr int kNotInitialized = 3, kInvalidContext = 201;  // of CUresult: nobody else uses the GPU
constexpr int kDeviceOrdinal = 9;                          // of CUpointer_attribute

const Driver& driver() {
  static const Driver found = [] {
    Driver result;
    if (void* const library = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL)) {
      result.synchronize = reinterpret_cast<int (*)()>(dlsym(library, "cuCtxSynchronize"));
      result.attribute =
          reinterpret_cast<int (*)(void*, int, unsigned long long)>(dlsym(library, "cuPointerGetAttribute"));
    }
    return result;
  }();
  return found;
}

}  // namespace

void finish_gpu(Device device) {
  backend(device).synchronize();  // makes the GPU's context this thread's, too
  if (!driver().synchronize) return;
  const int error = driver().synchronize();
  if (error != 0 && error != kNotInitialized && error != kInvalidContext)
    throw CudaError(fmt::format("{}: waiting for the work of other libraries failed; cuCtxSynchronize returned {}",
                                to_string(device), error));
}

Device gpu_of(const void* data) {
  int ordinal = 0;
  const bool known = driver().attribute &&
                     driver().attribute(&ordinal, kDeviceOrdinal, reinterpret_cast<unsigned long long>(data)) == 0;
  return Device::cuda(known ? ordinal : 0);
}

}  // namespace luge::python
