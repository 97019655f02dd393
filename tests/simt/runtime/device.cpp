// The device, its driver and the errors of both.

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "simt/runtime/state.h"

namespace simt::runtime {

State& state() {
  static auto& only = *new State;  // never destroyed: tensors in static storage are freed at the very end
  return only;
}

Call::Call(cudaError_t injected) : lock_(state().mutex) {
  State& all = state();
  ++all.statistics.calls;
  if (all.fail_in > 0 && --all.fail_in == 0) {
    all.failed = true;
    refusal_ = finish(injected);
  } else if (all.sticky != cudaSuccess) {
    refusal_ = finish(all.sticky);
  }
}

cudaError_t Call::finish(cudaError_t error) {
  if (error != cudaSuccess) state().last = error;
  return error;
}

void fail_call(std::uint64_t n) {
  const std::scoped_lock lock(state().mutex);
  state().fail_in = n;
  state().failed = false;
}

bool has_failed() {
  const std::scoped_lock lock(state().mutex);
  return state().failed;
}

void revive() {
  const std::scoped_lock lock(state().mutex);
  state().last = state().sticky = cudaSuccess;
  state().failure.clear();
}

void set_resident_blocks(const void* kernel, int blocks) {
  const std::scoped_lock lock(state().mutex);
  state().resident_blocks[kernel] = blocks;
}

Statistics statistics() {
  const std::scoped_lock lock(state().mutex);
  return state().statistics;
}

namespace {

/// SIMT_DRIVER plays a machine that lacks something: none, old, no-device, other-architecture.
bool machine_has(std::string_view lack) {
  const char* const text = std::getenv("SIMT_DRIVER");
  return text && lack == text;
}

constexpr int kThreadsAtOnce = 2048;  // of a multiprocessor
constexpr int kMultiprocessors = 2;   // grids stay small, and grid-stride loops take more than one turn

}  // namespace

}  // namespace simt::runtime

using namespace simt::runtime;

extern "C" {

SIMT_API cudaError_t cudaGetLastError() {
  const std::scoped_lock lock(state().mutex);
  const cudaError_t last = state().last;
  state().last = state().sticky;
  return last;
}

SIMT_API const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration: return "cudaErrorInvalidConfiguration";
    case cudaErrorInsufficientDriver: return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice: return "cudaErrorNoDevice";
    case cudaErrorLaunchOutOfResources: return "cudaErrorLaunchOutOfResources";
    case cudaErrorLaunchFailure: return "cudaErrorLaunchFailure";
    case cudaErrorIllegalState: return "cudaErrorIllegalState";
    case cudaErrorStreamCaptureUnsupported: return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureInvalidated: return "cudaErrorStreamCaptureInvalidated";
    default: return "cudaErrorUnknown";
  }
}

SIMT_API const char* cudaGetErrorString(cudaError_t error) {
  if (error == cudaErrorLaunchFailure && !state().failure.empty()) return state().failure.c_str();
  return error == cudaErrorMemoryAllocation ? "out of memory" : "the stand-in was told to fail, or found a mistake";
}

SIMT_API cudaError_t cudaDriverGetVersion(int* version) {
  const Call call;
  if (call.refusal() != cudaSuccess) return call.refusal();
  *version = machine_has("none") ? 0 : machine_has("old") ? 11040 : CUDART_VERSION;
  return cudaSuccess;
}

SIMT_API cudaError_t cudaRuntimeGetVersion(int* version) {
  const Call call;
  if (call.refusal() != cudaSuccess) return call.refusal();
  *version = CUDART_VERSION;
  return cudaSuccess;
}

SIMT_API cudaError_t cudaGetDeviceCount(int* count) {
  const Call call;
  if (call.refusal() != cudaSuccess) return call.refusal();
  if (machine_has("none") || machine_has("old")) return Call::finish(cudaErrorInsufficientDriver);
  if (machine_has("no-device")) return Call::finish(cudaErrorNoDevice);
  *count = 1;
  return cudaSuccess;
}

SIMT_API cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  const Call call;
  if (call.refusal() != cudaSuccess) return call.refusal();
  if (device != 0) return Call::finish(cudaErrorInvalidDevice);
  *properties = {};
  std::snprintf(properties->name, sizeof properties->name, "SIMT executor (the host, no GPU)");
  properties->totalGlobalMem = state().total_memory;
  properties->major = machine_has("other-architecture") ? 7 : 9;
  properties->minor = 0;
  return cudaSuccess;
}

SIMT_API cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  const Call call;
  if (call.refusal() != cudaSuccess) return call.refusal();
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount: *value = kMultiprocessors; break;
    case cudaDevAttrComputeCapabilityMajor: *value = 9; break;
    case cudaDevAttrComputeCapabilityMinor: *value = 0; break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor: *value = 2 * static_cast<int>(simt::kMaxDynamicShared); break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = static_cast<int>(simt::kMaxDynamicShared); break;
    case cudaDevAttrReservedSharedMemoryPerBlock: *value = 1024; break;
    default: *value = 1;
  }
  return cudaSuccess;
}

SIMT_API cudaError_t cudaSetDevice(int device) {
  const Call call;
  if (call.refusal() != cudaSuccess) return call.refusal();
  return Call::finish(device == 0 ? cudaSuccess : cudaErrorInvalidDevice);
}

SIMT_API cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void*) {
  const Call call;
  if (call.refusal() != cudaSuccess) return call.refusal();
  *attributes = {0, static_cast<int>(simt::kMaxThreads)};
  return cudaSuccess;
}

SIMT_API cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* function, int block_size,
                                                                   std::size_t) {
  const Call call;
  if (call.refusal() != cudaSuccess) return call.refusal();
  if (!function || block_size < 1) return Call::finish(cudaErrorInvalidValue);
  const auto& table = state().resident_blocks;
  const auto own = table.find(function), all = table.find(nullptr);
  const int given = own != table.end() && own->second > 0 ? own->second : all != table.end() ? all->second : 0;
  *blocks = given > 0 ? given : kThreadsAtOnce / block_size;
  return cudaSuccess;
}

}  // extern "C"
