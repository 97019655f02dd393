// Blocks come in size classes, an eighth of a power of two apart. Small ones are cut from slabs and
// kept in lists per thread, so that a small tensor costs a few nanoseconds; large ones are mapped one by
// one, in huge pages, and kept when freed: page faults would cost more than most kernels.

#include "memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <string>
#include <utility>

#include <luge/base/detail/check.h>
#include <luge/base/memory.h>

namespace luge::cpu {
namespace {

constexpr std::size_t kAlignment = 256;
constexpr std::size_t kSlab = std::size_t{256} << 10;  ///< aligned to its own size
constexpr std::size_t kLargestSmall = std::size_t{16} << 10;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
/// A thread keeps this many bytes per small class for itself; half of them move when it overflows.
constexpr std::size_t kThreadBytes = std::size_t{64} << 10;

/// Class c holds blocks of class_size(c): multiples of 256 up to 2048, then eight steps per doubling.
constexpr int kLinearClasses = 8;
constexpr int class_of(std::size_t bytes) {
  const std::size_t units = (bytes + kAlignment - 1) / kAlignment;
  if (units <= kLinearClasses) return static_cast<int>(units) - 1;
  const int log = static_cast<int>(std::bit_width(units - 1)) - 1;  // units in (2^log, 2^(log + 1)]
  const std::size_t step = (units - 1) >> (log - 3);                // 8..15
  return kLinearClasses + (log - 3) * 8 + static_cast<int>(step) - 8;
}
constexpr std::size_t class_size(int c) {
  if (c < kLinearClasses) return static_cast<std::size_t>(c + 1) * kAlignment;
  const int log = (c - kLinearClasses) / 8, step = (c - kLinearClasses) % 8;
  return (static_cast<std::size_t>(step + 9) << log) * kAlignment;
}
constexpr int kSmallClasses = class_of(kLargestSmall) + 1;
/// No request above this is even tried.
constexpr std::size_t kLargest = std::size_t{1} << 50;
constexpr int kClasses = class_of(kLargest) + 1;
static_assert(class_size(class_of(1)) == 256 && class_size(class_of(2048)) == 2048);
static_assert(class_size(class_of(2049)) == 2304 && class_size(class_of(4096)) == 4096 &&
              class_size(class_of(4097)) == 4608);
static_assert(class_size(kSmallClasses - 1) == kLargestSmall);

/// A free block holds the link to the next one.
struct FreeBlock {
  FreeBlock* next;
};

struct FreeList {
  FreeBlock* head = nullptr;
  std::size_t count = 0;

  void push(void* block) {
    head = new (block) FreeBlock{head};
    ++count;
  }
  void* pop() {
    FreeBlock* const block = head;
    head = block->next;
    --count;
    return block;
  }
};

/// The first bytes of a slab, one alignment unit.
struct Slab {
  std::size_t found;  ///< scratch of release_cache: free blocks seen
};

std::size_t physical_memory() {
  return static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::size_t>(sysconf(_SC_PAGE_SIZE));
}

bool parse(const std::string& text, std::size_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

/// LUGE_MEMORY_LIMIT, else the smaller of physical memory and this control group's limit.
std::size_t default_limit() {
  std::size_t value = 0;
  if (const char* const text = std::getenv("LUGE_MEMORY_LIMIT"); text != nullptr && parse(text, value) && value > 0)
    return value;
  std::size_t limit = physical_memory();
  for (const char* const path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream file(path);
    std::string word;
    if (file >> word && parse(word, value) && value > 0) limit = std::min(limit, value);
  }
  return limit;
}

/// All state is constant-initialised and never destroyed: tensors may outlive every static object.
constinit std::mutex mutex;
constinit FreeList lists[kClasses];              // guarded by mutex
constinit std::atomic<std::size_t> reserved{0};  // written under mutex
constinit std::atomic<std::size_t> allocated{0}, peak{0};
constinit std::atomic<std::size_t> chosen_limit{0};

std::size_t limit() {
  const std::size_t chosen = chosen_limit.load(std::memory_order_relaxed);
  if (chosen != 0) return chosen;
  static const std::size_t standard = default_limit();
  return standard;
}

void count_allocation(std::size_t bytes) {
  const std::size_t now = allocated.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  std::size_t highest = peak.load(std::memory_order_relaxed);
  while (now > highest && !peak.compare_exchange_weak(highest, now, std::memory_order_relaxed)) {
  }
}

/// `bytes` from the system, aligned to `alignment` (both multiples of the page size), or null.
void* map(std::size_t bytes, std::size_t alignment) {
  if (bytes > limit() || reserved.load(std::memory_order_relaxed) > limit() - bytes) return nullptr;
  const std::size_t span = bytes + alignment;
  void* const mapped = mmap(nullptr, span, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  const auto start = reinterpret_cast<std::uintptr_t>(mapped);
  const std::uintptr_t aligned = (start + alignment - 1) / alignment * alignment;
  if (aligned != start) munmap(mapped, aligned - start);
  munmap(reinterpret_cast<void*>(aligned + bytes), start + span - aligned - bytes);
  reserved.fetch_add(bytes, std::memory_order_relaxed);
  return reinterpret_cast<void*>(aligned);
}
void unmap(void* data, std::size_t bytes) {
  munmap(data, bytes);
  reserved.fetch_sub(bytes, std::memory_order_relaxed);
}

Slab* slab_of(void* block) { return reinterpret_cast<Slab*>(reinterpret_cast<std::uintptr_t>(block) / kSlab * kSlab); }
constexpr std::size_t blocks_per_slab(int c) { return (kSlab - kAlignment) / class_size(c); }

/// What a large block takes from the system.
std::size_t mapped_size(int c) {
  const std::size_t unit = class_size(c) >= kHugePage ? kHugePage : std::size_t{4} << 10;
  return (class_size(c) + unit - 1) / unit * unit;
}

void release_small(int c) {
  FreeList all = std::exchange(lists[c], FreeList{});
  for (FreeBlock* block = all.head; block != nullptr; block = block->next) slab_of(block)->found = 0;
  for (FreeBlock* block = all.head; block != nullptr; block = block->next) ++slab_of(block)->found;
  FreeList whole;  // one block of each slab that is free as a whole
  while (all.head != nullptr) {
    void* const block = all.pop();
    Slab* const slab = slab_of(block);
    if (slab->found < blocks_per_slab(c))
      lists[c].push(block);
    else if (block == reinterpret_cast<std::byte*>(slab) + kAlignment)
      whole.push(block);
  }
  while (whole.head != nullptr) unmap(slab_of(whole.pop()), kSlab);
}

void release_locked() {
  for (int c = 0; c < kSmallClasses; ++c) release_small(c);
  for (int c = kSmallClasses; c < kClasses; ++c)
    while (lists[c].head != nullptr) unmap(lists[c].pop(), mapped_size(c));
}

[[noreturn]] void refuse(std::size_t bytes) {
  const std::size_t held = reserved.load(), most = limit();
  raise<OutOfMemoryError>(
      "allocate: {} bytes on cpu cannot be had: {} bytes are in tensors, {} are held from the system, the limit is {}; "
      "{}",
      bytes, allocated.load(), held, most,
      bytes > most || held > most - bytes ? "the limit is set by luge::set_memory_limit or LUGE_MEMORY_LIMIT"
                                          : "the system refused");
}

/// Under the lock: a mapping, after giving back the cache if need be.
void* map_or_refuse(std::size_t bytes, std::size_t alignment, std::size_t asked) {
  void* data = map(bytes, alignment);
  if (data == nullptr) {
    release_locked();
    data = map(bytes, alignment);
  }
  if (data == nullptr) refuse(asked);
  return data;
}

/// Moves blocks of a small class from the shared list, cut from a new slab if it is empty.
void refill(FreeList& list, int c, std::size_t asked) {
  const std::lock_guard lock(mutex);
  if (lists[c].head == nullptr) {
    std::byte* const slab = static_cast<std::byte*>(map_or_refuse(kSlab, kSlab, asked));
    for (std::size_t i = blocks_per_slab(c); i-- > 0;) lists[c].push(slab + kAlignment + i * class_size(c));
  }
  const std::size_t wanted = std::max<std::size_t>(kThreadBytes / class_size(c) / 2, 1);
  while (list.count < wanted && lists[c].head != nullptr) list.push(lists[c].pop());
}

void give_back(FreeList& list, int c, std::size_t keep) {
  const std::lock_guard lock(mutex);
  while (list.count > keep) lists[c].push(list.pop());
}

/// The small free blocks of one thread.
struct ThreadCache {
  FreeList lists[kSmallClasses];
  bool open = true;  ///< false once the thread is ending: static objects are still freed after that

  void flush() {
    for (int c = 0; c < kSmallClasses; ++c)
      if (lists[c].count != 0) give_back(lists[c], c, 0);
  }
  ~ThreadCache() {
    flush();
    open = false;
  }
};
thread_local constinit ThreadCache thread_cache;

void* allocate_small(int c, std::size_t asked) {
  FreeList& list = thread_cache.lists[c];
  if (list.head == nullptr) [[unlikely]]
    refill(list, c, asked);
  return list.pop();
}

void free_small(void* data, int c) {
  FreeList& list = thread_cache.lists[c];
  list.push(data);
  if (!thread_cache.open) [[unlikely]]
    give_back(list, c, 0);
  else if (list.count * class_size(c) > kThreadBytes) [[unlikely]]
    give_back(list, c, list.count / 2);
}

void* allocate_large(int c, std::size_t asked) {
  const std::lock_guard lock(mutex);
  if (lists[c].head != nullptr) return lists[c].pop();
  const bool huge = class_size(c) >= kHugePage;
  void* const data = map_or_refuse(mapped_size(c), huge ? kHugePage : std::size_t{4} << 10, asked);
  if (huge) madvise(data, mapped_size(c), MADV_HUGEPAGE);
  return data;
}

void free_large(void* data, int c) {
  const std::lock_guard lock(mutex);
  lists[c].push(data);
}

}  // namespace

void* allocate(std::size_t bytes) {
  if (bytes > kLargest) refuse(bytes);
  const int c = class_of(bytes);
  void* const data = c < kSmallClasses ? allocate_small(c, bytes) : allocate_large(c, bytes);
  count_allocation(class_size(c));
  return data;
}

void free(void* data, std::size_t bytes) noexcept {
  const int c = class_of(bytes);
  allocated.fetch_sub(class_size(c), std::memory_order_relaxed);
  c < kSmallClasses ? free_small(data, c) : free_large(data, c);
}

MemoryStats memory_stats() { return {allocated.load(), peak.load(), reserved.load()}; }

void reset_peak_memory() { peak.store(allocated.load()); }

void release_cache() {
  thread_cache.flush();
  const std::lock_guard lock(mutex);
  release_locked();
}

}  // namespace luge::cpu

namespace luge {

void set_memory_limit(std::size_t bytes) { cpu::chosen_limit.store(bytes); }

std::size_t memory_limit() { return cpu::limit(); }

}  // namespace luge
