#include <luge/tensor/tensor.h>

#include <luge/autograd/detail/hooks.h>
#include <luge/seam/backend.h>
#include <luge/base/detail/check.h>
#include <luge/base/detail/dispatch.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/detail/values.h>

namespace luge {

TensorImpl::TensorImpl(Ref<Storage> storage_in, DType dtype_in, const Shape& shape_in, const Strides& strides_in,
                       std::int64_t offset_in, std::int64_t numel_in)
    : storage(std::move(storage_in)),
      offset(offset_in),
      numel(numel_in),
      shape(shape_in),
      strides(strides_in),
      dtype(dtype_in),
      contiguous(luge::is_contiguous(shape_in, strides_in)) {}

TensorImpl::~TensorImpl() {
  if (requires_grad) storage->count_leaf(-1);
}

void TensorImpl::require_grad(bool on) {
  if (on && !leaf) leaf = std::make_unique<LeafGradient>();
  if (requires_grad == on) return;
  storage->count_leaf(on ? 1 : -1);
  requires_grad = on;
}

void destroy(TensorImpl* impl) {
  if (hooks_exist()) [[unlikely]]
    forget_hooks(*impl);
  delete impl;
}

TensorImpl& checked(const Tensor& tensor, const char* op, const char* argument) {
  LUGE_CHECK(ValueError, tensor.defined(), "{}: {} is an undefined tensor", op, argument);
  return *tensor.impl();
}

Tensor empty_tensor(const Shape& shape, DType dtype, Backend& backend) {
  const std::int64_t count = element_count(shape);
  std::int64_t bytes = 0;
  LUGE_CHECK(ShapeError, !__builtin_mul_overflow(count, static_cast<std::int64_t>(size_of(dtype)), &bytes),
             "tensor: shape {} of {} needs more than 2^63 - 1 bytes", to_string(shape), name(dtype));
  return Tensor(new TensorImpl(Storage::allocate(backend, static_cast<std::size_t>(bytes)), dtype, shape,
                               contiguous_strides(shape), 0, count));
}

Tensor window_tensor(const Tensor& base, const Shape& shape, const Strides& strides, std::int64_t offset) {
  const TensorImpl& impl = *base.impl();
  return Tensor(new TensorImpl(impl.storage, impl.dtype, shape, strides, offset, element_count(shape)));
}

const Shape& Tensor::shape() const { return checked(*this, "shape").shape; }
const Strides& Tensor::strides() const { return checked(*this, "strides").strides; }
int Tensor::ndim() const { return checked(*this, "ndim").shape.ndim(); }
std::int64_t Tensor::size(int dim) const {
  LUGE_CHECK(IndexError, ndim() > 0, "size: dim {} given; a 0-d tensor has no sizes", dim);
  return shape()[normalize_dim("size", dim, ndim())];
}
std::int64_t Tensor::numel() const { return checked(*this, "numel").numel; }
DType Tensor::dtype() const { return checked(*this, "dtype").dtype; }
Device Tensor::device() const { return checked(*this, "device").storage->device(); }
bool Tensor::is_contiguous() const { return checked(*this, "is_contiguous").contiguous; }
void* Tensor::data() const { return checked(*this, "data").data(); }
const Ref<Storage>& Tensor::storage() const { return checked(*this, "storage").storage; }
std::int64_t Tensor::storage_offset() const { return checked(*this, "storage_offset").offset; }
std::uint64_t Tensor::version() const { return checked(*this, "version").storage->version(); }

void Tensor::operator=(const Tensor& source) && { copy_(source); }
void Tensor::operator=(Scalar value) && { fill_(value); }

// ---- autograd -----------------------------------------------------------------------------------

bool Tensor::requires_grad() const { return checked(*this, "requires_grad"), needs_grad(*this); }
bool Tensor::is_leaf() const { return checked(*this, "is_leaf").requires_grad || !needs_grad(*this); }

Tensor& Tensor::requires_grad_(bool on) {
  TensorImpl& impl = checked(*this, "requires_grad_");
  LUGE_CHECK(AutogradError, is_leaf(),
             "requires_grad_: only a leaf can be changed; this tensor was made by {}; use detach()", impl.grad_fn->name());
  LUGE_CHECK(DTypeError, !on || is_floating(impl.dtype),
             "requires_grad_: the tensor is {}; only floating dtypes can require a gradient", name(impl.dtype));
  if (observer) [[unlikely]]
    observer->uses(*impl.storage);  // as it was before
  if (observer && on && !impl.leaf) [[unlikely]]
    observer->forgets_gradient(impl);  // it begins with none
  impl.require_grad(on);
  return *this;
}

Tensor Tensor::grad() const {
  TensorImpl& impl = checked(*this, "grad");
  if (observer && impl.leaf) [[unlikely]]
    observer->uses_gradient(impl);
  return impl.leaf ? impl.leaf->read(impl) : retained_gradient(impl);
}

void Tensor::zero_grad() {
  TensorImpl& impl = checked(*this, "zero_grad");
  if (observer && impl.leaf) [[unlikely]]
    observer->forgets_gradient(impl);
  if (impl.leaf)
    impl.leaf->zero();
  else
    forget_retained(impl);
}

Tensor Tensor::detach() const {
  checked(*this, "detach");
  return window_tensor(*this, shape(), strides(), storage_offset());
}

// ---- values on the host -------------------------------------------------------------------------

namespace {

/// Row-major copy on the host.
template <class T>
std::vector<T> host_values(const Tensor& tensor) {
  const Tensor detached = tensor.detach();
  const Tensor packed = detached.to(dtype_of<T>()).contiguous();
  std::vector<T> values(static_cast<std::size_t>(packed.numel()));
  if (!values.empty()) packed.storage()->backend().copy_to_host(values.data(), packed.data(), values.size() * sizeof(T));
  return values;
}

/// std::vector<bool> has no contiguous memory to copy into.
template <>
std::vector<bool> host_values<bool>(const Tensor& tensor) {
  const Tensor packed = tensor.detach().to(DType::Bool).contiguous();
  std::vector<unsigned char> bytes(static_cast<std::size_t>(packed.numel()));
  if (!bytes.empty()) packed.storage()->backend().copy_to_host(bytes.data(), packed.data(), bytes.size());
  return {bytes.begin(), bytes.end()};
}

}  // namespace

template <class T>
std::vector<T> Tensor::to_vector(SourceLocation location) const {
  checked(*this, "to_vector");
  refuse_capture("to_vector", kHostRead, location);
  return host_values<T>(*this);
}
template std::vector<bool> Tensor::to_vector(SourceLocation) const;
template std::vector<std::int32_t> Tensor::to_vector(SourceLocation) const;
template std::vector<std::int64_t> Tensor::to_vector(SourceLocation) const;
template std::vector<float> Tensor::to_vector(SourceLocation) const;
template std::vector<double> Tensor::to_vector(SourceLocation) const;

namespace {

template <class T>
T read_value(const TensorImpl& impl) {
  T value;
  impl.storage->backend().copy_to_host(&value, impl.data(), sizeof value);
  return value;
}

}  // namespace

Scalar Tensor::item_as_scalar(SourceLocation location) const {
  const TensorImpl& impl = checked(*this, "item");
  LUGE_CHECK(ShapeError, impl.numel == 1, "item: the tensor has shape {} and {} elements; exactly one is allowed",
             to_string(impl.shape), impl.numel);
  refuse_capture("item", kHostRead, location);
  if (is_storage_only(impl.dtype)) return detach().to(arithmetic_dtype(impl.dtype)).item_as_scalar(location);
  return with_dtype(impl.dtype, [&]<class T>() -> Scalar { return read_value<T>(impl); });
}

}  // namespace luge
