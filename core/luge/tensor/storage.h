#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

#include <luge/seam/observer.h>
#include <luge/base/device.h>
#include <luge/tensor/intrusive.h>

namespace luge {

class Backend;

/// A block of device memory, shared by the tensors that view it. It carries the version counter that
/// tells a saved tensor whether somebody has written to it since.
class Storage : public RefCounted {
 public:
  /// Allocates `bytes` (0 allocates nothing). Throws OutOfMemoryError.
  static Ref<Storage> allocate(Backend& backend, std::size_t bytes);
  /// Memory that somebody else has allocated.
  static Ref<Storage> foreign(Backend& backend, void* data, std::size_t bytes);
  /// Of foreign memory: what is called once, when nobody uses it any more.
  void on_release(std::function<void()> release) noexcept { release_ = std::move(release); }
  /// A window on a part of `block`, which stays alive; its version counter is its own.
  static Ref<Storage> window(Ref<Storage> block, std::size_t offset, std::size_t bytes);
  ~Storage();

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  Backend& backend() const { return *backend_; }
  Device device() const;

  std::uint64_t version() const { return version_; }
  void bump_version() {
    if (observer) [[unlikely]]
      observer->bumped(*this);
    ++version_;
  }

  /// Lets every tensor that uses this storage see `block` from `offset` on instead; the contents are
  /// the caller's to move. This is how an arena grows and how an optimizer adopts loose tensors.
  void move_into(Ref<Storage> block, std::size_t offset);
  /// The memory itself, for somebody who needs it to stay where it is now: its own storage moves elsewhere when
  /// an arena grows or an optimizer adopts its tensor.
  const Ref<Storage>& keep_in_place();
  /// The block this is a window of, or null.
  const Ref<Storage>& block() const { return block_; }
  /// How many storages are windows of this one.
  int windows() const { return windows_; }

  /// How many tensors on this memory require a gradient. Which they are decides what a step does.
  int leaves() const { return leaves_; }
  void count_leaf(int change) { leaves_ += change; }

  /// A recorded step holds on to the storages it works on. One that is held by steps alone has been let go of
  /// by the user, and what the step would compute with it is not what the program says.
  void pin() { ++pins_; }
  void unpin() { --pins_; }
  bool abandoned() const { return owners() <= pins_; }
  int pins() const { return pins_; }

 private:
  void let_go() noexcept;
  void become_window_of(Ref<Storage> block);
  Storage(Backend& backend, void* data, std::size_t bytes) : backend_(&backend), data_(data), bytes_(bytes) {}

  Backend* backend_;
  void* data_;
  std::size_t bytes_;
  std::uint64_t version_ = 0;
  std::atomic<int> pins_{0}, leaves_{0}, windows_{0};
  Ref<Storage> block_;
  std::function<void()> release_;  ///< of foreign memory
};

void destroy(Storage* storage);

}  // namespace luge
