// Code that is loaded at run time: shared objects of the stand-in for NVRTC.

#include <dlfcn.h>
#include <elf.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>

#include "simt/runtime/state.h"

struct CUlib_st {
  void* object;
};
struct CUkern_st {
  void (*pack)(void** arguments, std::function<void()>* thread);
  std::size_t most_shared = 48 * 1024;  ///< dynamic shared memory; more has to be asked for
};

using namespace simt::runtime;

namespace {

/// Bytes up to the end of a shared object, which its section headers are.
std::size_t size_of_object(const void* code) {
  Elf64_Ehdr head;
  std::memcpy(&head, code, sizeof head);
  if (std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0) return 0;
  return head.e_shoff + std::size_t{head.e_shentsize} * head.e_shnum;
}

}  // namespace

extern "C" {

SIMT_API cudaError_t cudaLibraryLoadData(cudaLibrary_t* library, const void* code, cudaJitOption*, void**, unsigned,
                                         cudaLibraryOption*, void**, unsigned) {
  const Call call(cudaErrorMemoryAllocation);
  if (call.refusal() != cudaSuccess) return call.refusal();
  const std::size_t size = size_of_object(code);
  std::string name = (std::filesystem::temp_directory_path() / "simt_library_XXXXXX").string();
  const int file = size > 0 ? mkstemp(name.data()) : -1;
  if (file < 0) return Call::finish(cudaErrorInvalidValue);
  const bool written = write(file, code, size) == static_cast<ssize_t>(size);
  close(file);
  void* const object = written ? dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL) : nullptr;
  if (!object) std::fprintf(stderr, "simt: %s\n", dlerror());
  unlink(name.c_str());
  if (!object) return Call::finish(cudaErrorInvalidValue);
  *library = new CUlib_st{object};
  return cudaSuccess;
}

SIMT_API cudaError_t cudaLibraryUnload(cudaLibrary_t library) {
  const Call call;
  dlclose(library->object);
  delete library;
  return call.refusal();
}

/// The kernel lives as long as the process.
SIMT_API cudaError_t cudaLibraryGetKernel(cudaKernel_t* kernel, cudaLibrary_t library, const char* name) {
  const Call call(cudaErrorInvalidDeviceFunction);
  if (call.refusal() != cudaSuccess) return call.refusal();
  void* const function = dlsym(library->object, (std::string(name) + "_pack").c_str());
  if (!function) return Call::finish(cudaErrorInvalidDeviceFunction);
  *kernel = new CUkern_st{reinterpret_cast<decltype(CUkern_st::pack)>(function)};
  return cudaSuccess;
}

/// Of a kernel from a library.
SIMT_API cudaError_t cudaFuncSetAttribute(const void* function, cudaFuncAttribute attribute, int value) {
  const Call call;
  if (call.refusal() != cudaSuccess) return call.refusal();
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 ||
      static_cast<std::size_t>(value) > simt::kMaxDynamicShared)
    return Call::finish(cudaErrorInvalidValue);
  const_cast<CUkern_st*>(static_cast<const CUkern_st*>(function))->most_shared = static_cast<std::size_t>(value);
  return cudaSuccess;
}

/// Of a kernel from a library; the others are started by simt::enqueue.
SIMT_API cudaError_t cudaLaunchKernel(const void* kernel, dim3 grid, dim3 block, void** arguments, std::size_t shared,
                                      cudaStream_t stream) {
  std::function<void()> thread;
  const auto* const own = static_cast<const CUkern_st*>(kernel);
  if (shared > own->most_shared) {
    const std::scoped_lock lock(state().mutex);
    return Call::finish(cudaErrorInvalidValue);
  }
  own->pack(arguments, &thread);
  return launch({grid, block, shared, std::move(thread)}, stream, nullptr);
}

}  // extern "C"
