#include <cstdlib>
#include <cstring>
#include <limits>

#include "simt/runtime/state.h"

#if defined(SIMT_ASAN)
#include <sanitizer/asan_interface.h>
#endif

namespace simt::runtime {

namespace {

/// With more allocations than these device memory stays open to the host: closing each of a million between
/// any two waits would take longer than everything else.
constexpr std::size_t kMostClosed = 4096;
constexpr std::size_t kAlignment = 256;  // of cudaMalloc; pinned memory has at least as much

void poison([[maybe_unused]] std::uintptr_t data, [[maybe_unused]] std::size_t bytes) {
#if defined(SIMT_ASAN)
  __asan_poison_memory_region(reinterpret_cast<void*>(data), bytes);
#endif
}

void unpoison([[maybe_unused]] std::uintptr_t data, [[maybe_unused]] std::size_t bytes) {
#if defined(SIMT_ASAN)
  __asan_unpoison_memory_region(reinterpret_cast<void*>(data), bytes);
#endif
}

/// Device memory whose owner has not freed it yet.
std::size_t used() { return state().statistics.bytes; }

/// A block of exactly `bytes`; 0 if the host has no more.
std::uintptr_t take(std::size_t bytes) {
  void* data = nullptr;
  if (posix_memalign(&data, kAlignment, bytes) != 0) return 0;
  std::memset(data, 0xFF, bytes);
  return reinterpret_cast<std::uintptr_t>(data);
}

void give_back(std::uintptr_t data) {
  const auto found = state().allocations.find(data);
  unpoison(data, found->second.bytes);
  state().allocations.erase(found);
  std::free(reinterpret_cast<void*>(data));
}

}  // namespace

void open_memory() {
  State& all = state();
  if (all.open) return;
  all.open = true;
  for (const auto& [data, allocation] : state().allocations)
    if (allocation.device && allocation.life == Life::Live) unpoison(data, allocation.bytes);
}

void close_memory() {
  if (state().allocations.size() > kMostClosed) return;
  state().open = false;
  for (const auto& [data, allocation] : state().allocations)
    if (allocation.device) poison(data, allocation.bytes);
}

Allocation* find_allocation(const void* data, std::size_t bytes) {
  const auto at = reinterpret_cast<std::uintptr_t>(data);
  auto& all = state().allocations;
  auto found = all.upper_bound(at);
  if (found == all.begin()) return nullptr;
  --found;
  return at + bytes <= found->first + found->second.bytes ? &found->second : nullptr;
}

bool is_accessible(const void* data, std::size_t bytes) {
  const std::scoped_lock lock(state().mutex);
  const Allocation* const found = find_allocation(data, bytes);
  return found && !found->freed;
}

void set_total_memory(std::size_t bytes) {
  const std::scoped_lock lock(state().mutex);
  state().total_memory = bytes;
}

namespace {

/// Whether a copy or fill may touch it: where luge says device, there must be an allocation; the host's
/// own memory is its own affair.
bool is_allowed(const void* data, std::size_t bytes, bool device) {
  if (device) return is_accessible(data, bytes);
  const Allocation* const found = find_allocation(data, 1);
  return !found || (!found->device && is_accessible(data, bytes));
}

}  // namespace

}  // namespace simt::runtime

using namespace simt::runtime;

extern "C" {

SIMT_API cudaError_t cudaMemGetInfo(std::size_t* available, std::size_t* total) {
  const Call call;
  if (call.refusal() != cudaSuccess) return call.refusal();
  *total = state().total_memory;
  *available = *total - std::max(used(), state().pool_reserved);
  return cudaSuccess;
}

SIMT_API cudaError_t cudaMallocAsync(void** data, std::size_t bytes, cudaStream_t stream) {
  const Call call(cudaErrorMemoryAllocation);
  if (call.refusal() != cudaSuccess) return call.refusal();
  if (const cudaError_t error = unless_capturing(stream)) return error;
  State& all = state();
  if (bytes > all.total_memory || used() > all.total_memory - bytes) return Call::finish(cudaErrorMemoryAllocation);
  const std::uintptr_t at = take(bytes);
  if (at == 0) return Call::finish(cudaErrorMemoryAllocation);
  all.allocations[at] = {bytes, Life::Queued, true, false};
  poison(at, bytes);
  ++all.statistics.allocations;
  ++all.statistics.allocations_ever;
  all.statistics.bytes += bytes;
  all.pool_reserved = std::max(all.pool_reserved, all.statistics.bytes);
  queue(stream, {[at] {
                   Allocation& allocation = state().allocations.at(at);
                   allocation.life = Life::Live;
                   unpoison(at, allocation.bytes);
                 },
                 nullptr, false});
  *data = reinterpret_cast<void*>(at);
  return cudaSuccess;
}

SIMT_API cudaError_t cudaFreeAsync(void* data, cudaStream_t stream) {
  // Told to fail, it frees all the same, as the driver does when it reports an earlier error here.
  const Call call;
  if (const cudaError_t error = unless_capturing(stream)) return error;
  State& all = state();
  const auto at = reinterpret_cast<std::uintptr_t>(data);
  const auto found = all.allocations.find(at);
  if (found == all.allocations.end() || !found->second.device || found->second.freed)
    return Call::finish(cudaErrorInvalidValue);
  found->second.freed = true;
  --all.statistics.allocations;
  all.statistics.bytes -= found->second.bytes;
  if (all.sticky != cudaSuccess)
    found->second.life = Life::Ended;  // nothing runs any more: kept, as a lost context keeps it
  else
    queue(stream, {[at] { give_back(at); }, nullptr, false});
  return call.refusal();
}

SIMT_API cudaError_t cudaHostAlloc(void** data, std::size_t bytes, unsigned) {
  const Call call(cudaErrorMemoryAllocation);
  if (call.refusal() != cudaSuccess) return call.refusal();
  const std::uintptr_t at = bytes > state().total_memory ? 0 : take(bytes);
  if (at == 0) return Call::finish(cudaErrorMemoryAllocation);
  state().allocations[at] = {bytes, Life::Live, false, false};
  ++state().statistics.host_allocations;
  *data = reinterpret_cast<void*>(at);
  return cudaSuccess;
}

SIMT_API cudaError_t cudaFreeHost(void* data) {
  const Call call;
  const auto found = state().allocations.find(reinterpret_cast<std::uintptr_t>(data));
  if (found == state().allocations.end() || found->second.device) return Call::finish(cudaErrorInvalidValue);
  --state().statistics.host_allocations;
  give_back(found->first);
  return call.refusal();
}

SIMT_API cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int) {
  const Call call;
  if (call.refusal() != cudaSuccess) return call.refusal();
  *pool = nullptr;  // the one there is
  return cudaSuccess;
}

SIMT_API cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr attribute, void*) {
  const Call call;
  if (call.refusal() != cudaSuccess) return call.refusal();
  return Call::finish(attribute == cudaMemPoolAttrReleaseThreshold ? cudaSuccess : cudaErrorInvalidValue);
}

SIMT_API cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t, cudaMemPoolAttr attribute, void* value) {
  const Call call;
  if (call.refusal() != cudaSuccess) return call.refusal();
  if (attribute != cudaMemPoolAttrReservedMemCurrent) return Call::finish(cudaErrorInvalidValue);
  const std::uint64_t reserved = state().pool_reserved;
  std::memcpy(value, &reserved, sizeof reserved);
  return cudaSuccess;
}

SIMT_API cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, std::size_t bytes) {
  const Call call;
  if (call.refusal() != cudaSuccess) return call.refusal();
  state().pool_reserved = std::max(used(), std::min(bytes, state().pool_reserved));
  return cudaSuccess;
}

SIMT_API cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                                     cudaStream_t stream) {
  const Call call;
  if (call.refusal() != cudaSuccess) return call.refusal();
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (!is_allowed(to, bytes, to_device) || !is_allowed(from, bytes, from_device))
    return Call::finish(cudaErrorInvalidValue);
  // What a graph copies must be where it was when the graph runs: not in memory that comes and goes.
  if (!find_allocation(to, bytes) || !find_allocation(from, bytes))
    if (const cudaError_t error = unless_capturing(stream)) return error;
  return queue(stream, {[=] { std::memcpy(to, from, bytes); }, nullptr, false});
}

SIMT_API cudaError_t cudaMemsetAsync(void* data, int value, std::size_t bytes, cudaStream_t stream) {
  const Call call;
  if (call.refusal() != cudaSuccess) return call.refusal();
  if (!is_allowed(data, bytes, true)) return Call::finish(cudaErrorInvalidValue);
  return queue(stream, {[=] { std::memset(data, value, bytes); }, nullptr, false});
}

}  // extern "C"
