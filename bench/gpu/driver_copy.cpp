#include "driver_copy.h"

#include <dlfcn.h>

#include <cstdint>

#include <fmt/format.h>

#include <luge/base/error.h>

namespace luge::bench {
namespace {

// As cuda.h has them; the program is built without it.
using Address = unsigned long long;
using Copy = int (*)(Address to, Address from, std::size_t bytes, void* stream);
using Wait = int (*)();

template <class Function>
Function found(void* library, const char* name) {
  void* const symbol = dlsym(library, name);
  if (!symbol) throw DeviceError(fmt::format("the driver has no {}", name));
  return reinterpret_cast<Function>(symbol);
}

void check(int code, const char* name) {
  if (code != 0) throw DeviceError(fmt::format("{} failed with code {}", name, code));
}

}  // namespace

std::function<void(void* to, const void* from, std::size_t bytes, int times)> driver_copy() {
  void* const library = dlopen("libcuda.so.1", RTLD_NOW);  // the device is in use, so that it stays
  if (!library) throw DeviceError("there is no libcuda.so.1");
  const auto copy = found<Copy>(library, "cuMemcpyDtoDAsync_v2");
  const auto wait = found<Wait>(library, "cuCtxSynchronize");
  return [=](void* to, const void* from, std::size_t bytes, int times) {
    for (int i = 0; i < times; ++i)
      check(copy(reinterpret_cast<std::uintptr_t>(to), reinterpret_cast<std::uintptr_t>(from), bytes, nullptr), "cuMemcpyDtoDAsync");
    check(wait(), "cuCtxSynchronize");
  };
}

}  // namespace luge::bench
