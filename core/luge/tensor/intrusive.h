#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

namespace luge {

/// An object that counts its own owners. T derives from RefCounted and provides a function
/// `void destroy(T*)` in namespace luge, found by argument-dependent lookup. Every operation makes and
/// drops a few of them, so their memory comes from lists that each thread keeps for itself.
class RefCounted {
 public:
  RefCounted() = default;
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;
  static void* operator new(std::size_t bytes);
  static void operator delete(void* memory, std::size_t bytes) noexcept;

  void retain() const { owners_.fetch_add(1, std::memory_order_relaxed); }
  /// True for the last owner.
  bool release() const { return owners_.fetch_sub(1, std::memory_order_acq_rel) == 1; }
  int owners() const { return owners_.load(std::memory_order_acquire); }
  bool is_shared() const { return owners() > 1; }

 protected:
  ~RefCounted() = default;

 private:
  mutable std::atomic<int> owners_{0};
};

/// Owning pointer to a RefCounted object; one word, like std::shared_ptr without a control block.
template <class T>
class Ref {
 public:
  Ref() = default;
  Ref(T* object) : object_(object) {  // NOLINT(google-explicit-constructor): adopting is what it is for
    if (object_) object_->retain();
  }
  Ref(const Ref& other) : Ref(other.object_) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ && object_->release()) destroy(object_);
  }

  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }
  friend bool operator==(const Ref&, const Ref&) = default;

 private:
  T* object_ = nullptr;
};

}  // namespace luge
