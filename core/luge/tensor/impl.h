#pragma once

#include <cstdint>
#include <memory>

#include <luge/base/dtype.h>
#include <luge/base/shape.h>
#include <luge/tensor/storage.h>

namespace luge {

class Node;
void destroy(Node* node);
class LeafGradient;

/// What a Tensor handle points to: a window on a storage, and its place in the autograd graph. Users
/// see it through Tensor only.
class TensorImpl : public RefCounted {
 public:
  TensorImpl(Ref<Storage> storage_in, DType dtype_in, const Shape& shape_in, const Strides& strides_in,
             std::int64_t offset_in, std::int64_t numel_in);
  ~TensorImpl();

  /// Makes it a leaf that collects a gradient, or one that does not.
  void require_grad(bool on);

  void* data() const { return static_cast<char*>(storage->data()) + static_cast<std::size_t>(offset) * size_of(dtype); }

  Ref<Storage> storage;
  std::int64_t offset;  ///< elements from the start of the storage
  std::int64_t numel;
  Shape shape;
  Strides strides;
  DType dtype;
  bool contiguous;
  bool requires_grad = false;          ///< a leaf that collects a gradient; changed by require_grad() only
  bool is_outside = false;             ///< a view that was made without recording gradients
  Ref<Node> grad_fn;                   ///< the recorded op that made this tensor; null for a leaf
  Ref<TensorImpl> base;                ///< of a view: the tensor whose memory it sees, itself no view
  /// How often a change in place gave it a new history; of a view: the base, when the view's history was made.
  std::uint32_t rebased = 0;
  std::unique_ptr<LeafGradient> leaf;  ///< where a leaf's gradient goes
};

void destroy(TensorImpl* impl);

}  // namespace luge
