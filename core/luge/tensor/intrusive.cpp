#include <luge/tensor/intrusive.h>

#include <new>

#include <luge/base/detail/sanitizers.h>

namespace luge {

namespace {

#if defined(LUGE_ASAN) || defined(LUGE_TSAN)
constexpr bool kKeep = false;  // a sanitizer sees uses after the end only if memory is really given back
#else
constexpr bool kKeep = true;
#endif

/// Sizes are rounded up to this; blocks of up to kClasses such units are kept.
constexpr std::size_t kUnit = 64;
constexpr std::size_t kClasses = 16;
/// Bytes that a thread keeps per size.
constexpr std::size_t kMost = std::size_t{128} << 10;

struct FreeBlock {
  FreeBlock* next;
};

/// The free blocks of one thread, by size.
struct ThreadBlocks {
  FreeBlock* heads[kClasses] = {};
  std::size_t bytes[kClasses] = {};
  bool open = true;  ///< false once the thread is ending: static objects are still freed after that

  ~ThreadBlocks() {
    open = false;
    for (FreeBlock*& head : heads)
      while (head) ::operator delete(std::exchange(head, head->next));
  }
};
thread_local constinit ThreadBlocks blocks;

}  // namespace

void* RefCounted::operator new(std::size_t bytes) {
  const std::size_t c = (bytes - 1) / kUnit;
  if (!kKeep || c >= kClasses) return ::operator new(bytes);
  FreeBlock*& head = blocks.heads[c];
  if (!head) return ::operator new((c + 1) * kUnit);
  blocks.bytes[c] -= (c + 1) * kUnit;
  return std::exchange(head, head->next);
}

void RefCounted::operator delete(void* memory, std::size_t bytes) noexcept {
  const std::size_t c = (bytes - 1) / kUnit;
  if (!kKeep || c >= kClasses || blocks.bytes[c] >= kMost || !blocks.open) return ::operator delete(memory);
  blocks.bytes[c] += (c + 1) * kUnit;
  blocks.heads[c] = new (memory) FreeBlock{blocks.heads[c]};
}

}  // namespace luge
