#include <luge/tensor/storage.h>

#include <luge/backend.h>

namespace luge {

Ref<Storage> Storage::allocate(Backend& backend, std::size_t bytes) {
  void* data = bytes > 0 ? backend.allocate(bytes) : nullptr;
  Ref<Storage> storage(new Storage(backend, data, bytes));
  if (observer && data) [[unlikely]]
    observer->allocated(*storage);
  return storage;
}

Ref<Storage> Storage::window(Ref<Storage> block, std::size_t offset, std::size_t bytes) {
  Ref<Storage> storage(new Storage(block->backend(), static_cast<char*>(block->data()) + offset, bytes));
  storage->block_ = std::move(block);
  return storage;
}

Storage::~Storage() {
  if (block_ || !data_) return;
  if (observer) [[unlikely]]
    observer->freed(*this);
  backend_->free(data_, bytes_);
}

Device Storage::device() const { return backend_->device(); }

void Storage::move_into(Ref<Storage> block, std::size_t offset) {
  if (!block_ && data_) backend_->free(data_, bytes_);
  data_ = static_cast<char*>(block->data()) + offset;
  block_ = std::move(block);
}

void destroy(Storage* storage) { delete storage; }

}  // namespace luge
