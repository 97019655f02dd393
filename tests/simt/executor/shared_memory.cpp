#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "simt/executor/block.h"

namespace simt {

namespace {

constexpr std::size_t kArena = std::size_t{1} << 30;  // of address space, while a kernel runs

/// Not memset: ThreadSanitizer would take its copy of it for an access of the running thread.
void fill_with_nan(unsigned char* data, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) {
    data[i] = 0xFF;
    asm volatile("" ::: "memory");
  }
}

}  // namespace

void SharedMemory::allocate(Object& object) {
  if constexpr (kFindsRaces) {
    used_ = (used_ + 255) & ~std::size_t{255};
    if (used_ + object.bytes > kArena) throw Error("shared memory of a launch: no fresh addresses are left");
    object.data = arena_ + used_;
    used_ += object.bytes;
  } else {
    object.data = static_cast<unsigned char*>(::operator new(object.bytes, std::align_val_t(object.alignment)));
  }
  fill_with_nan(object.data, object.bytes);
}

void SharedMemory::free(Object& object) {
  if (!kFindsRaces && object.data) ::operator delete(object.data, std::align_val_t(object.alignment));
  object.data = nullptr;
}

void SharedMemory::begin_launch(std::size_t dynamic_bytes) {
  objects_.reserve(64);
  dynamic_ = Object{nullptr, nullptr, dynamic_bytes, 16};
  used_ = 0;
  if (!kFindsRaces) return;
  void* const arena = mmap(nullptr, kArena, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (arena == MAP_FAILED) throw std::bad_alloc();
  arena_ = static_cast<unsigned char*>(arena);
}

void SharedMemory::begin_block() {
  if (dynamic_.bytes > 0 && (kFindsRaces || !dynamic_.data))
    allocate(dynamic_);
  else if (dynamic_.bytes > 0)
    fill_with_nan(dynamic_.data, dynamic_.bytes);
  if (kFindsRaces) objects_.clear();
  for (const Object& object : objects_) fill_with_nan(object.data, object.bytes);
}

void SharedMemory::end_launch() {
  for (Object& object : objects_) free(object);
  objects_.clear();
  free(dynamic_);
  if (kFindsRaces) munmap(arena_, kArena);
}

void* SharedMemory::object(const void* declaration, std::size_t bytes, std::size_t alignment) {
  std::size_t total = bytes;
  for (const Object& object : objects_) {
    if (object.declaration == declaration) return object.data;
    total += object.bytes;
  }
  if (total > kMaxStaticShared)
    throw Error("a kernel declares " + std::to_string(total) + " bytes of shared memory; allowed are " +
                std::to_string(kMaxStaticShared));
  Object object{declaration, nullptr, bytes, std::max<std::size_t>(alignment, 16)};
  allocate(object);
  objects_.push_back(object);
  return object.data;
}

}  // namespace simt
