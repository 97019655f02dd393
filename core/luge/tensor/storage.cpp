#include <luge/tensor/storage.h>

#include <utility>

#include <luge/seam/backend.h>

namespace luge {

Ref<Storage> Storage::allocate(Backend& backend, std::size_t bytes) {
  void* data = bytes > 0 ? backend.allocate(bytes) : nullptr;
  Ref<Storage> storage(new Storage(backend, data, bytes));
  if (observer && data) [[unlikely]]
    observer->allocated(*storage);
  return storage;
}

Ref<Storage> Storage::foreign(Backend& backend, void* data, std::size_t bytes) {
  Ref<Storage> storage(new Storage(backend, data, bytes));
  storage->release_ = [] {};
  return storage;
}

Ref<Storage> Storage::window(Ref<Storage> block, std::size_t offset, std::size_t bytes) {
  Ref<Storage> storage(new Storage(block->backend(), static_cast<char*>(block->data()) + offset, bytes));
  storage->become_window_of(std::move(block));
  return storage;
}

Storage::~Storage() {
  if (observer && data_ && !block_ && !release_) [[unlikely]]
    observer->freed(*this);
  let_go();
  if (block_) --block_->windows_;
}

void Storage::become_window_of(Ref<Storage> block) {
  ++block->windows_;
  if (block_) --block_->windows_;
  block_ = std::move(block);
}

/// Gives back what it has of its own.
void Storage::let_go() noexcept {
  if (release_)
    std::exchange(release_, nullptr)();
  else if (!block_ && data_)
    backend_->free(data_, bytes_);
}

Device Storage::device() const { return backend_->device(); }

void Storage::move_into(Ref<Storage> block, std::size_t offset) {
  let_go();
  data_ = static_cast<char*>(block->data()) + offset;
  become_window_of(std::move(block));
}

const Ref<Storage>& Storage::keep_in_place() {
  if (!block_) {
    Ref<Storage> own(new Storage(*backend_, data_, bytes_));
    own->release_ = std::exchange(release_, nullptr);
    become_window_of(std::move(own));
  }
  return block_;
}

void destroy(Storage* storage) { delete storage; }

}  // namespace luge
