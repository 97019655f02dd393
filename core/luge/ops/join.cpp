#include <luge/ops/join.h>

#include <luge/autograd/grad_mode.h>
#include <luge/autograd/detail/node.h>
#include <luge/base/detail/check.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/detail/values.h>

namespace luge {

namespace {

class CatNode final : public Node {
 public:
  CatNode(const std::vector<Tensor>& parts, int dim) : Node("cat"), dim_(dim) {
    for (const Tensor& part : parts) {
      add_input(part);
      sizes_.push_back(part.shape()[dim]);
    }
  }

  void backward(const Tensor& gradient) override {
    std::int64_t start = 0;
    for (int i = 0; i < inputs(); ++i) {
      const std::int64_t stop = start + sizes_[static_cast<std::size_t>(i)];
      if (GradSlot* const slot = target(i)) slot->add(gradient.slice(dim_, start, stop), false);
      start = stop;
    }
  }

  void differentiable_backward(const Tensor& gradient) override {
    std::int64_t start = 0;
    for (int i = 0; i < inputs(); ++i) {
      const std::int64_t stop = start + sizes_[static_cast<std::size_t>(i)];
      if (wants(i)) give(i, gradient.slice(dim_, start, stop));
      start = stop;
    }
  }

 private:
  int dim_;
  std::vector<std::int64_t> sizes_;
};

}  // namespace

namespace {

/// PyTorch lets a tensor of shape (0,) stand for nothing, whatever the dimensions of the others; it is promoted with them.
std::optional<Tensor> without_nothing(const std::vector<Tensor>& tensors, int dim) {
  const auto is_nothing = [](const Tensor& x) { return x.defined() && x.shape() == Shape{0}; };
  std::vector<Tensor> rest;
  bool others = false;
  for (const Tensor& x : tensors) {
    if (!is_nothing(x)) rest.push_back(x);
    others |= x.defined() && x.ndim() > 1;
  }
  if (!others || rest.size() == tensors.size()) return {};
  DType dtype = rest[0].dtype();
  for (const Tensor& x : tensors) dtype = promote(dtype, x.dtype());
  rest[0] = rest[0].to(dtype);
  return cat(rest, dim);
}

}  // namespace

Tensor cat(const std::vector<Tensor>& tensors, int dim) {
  LUGE_CHECK(ValueError, !tensors.empty(), "cat: no tensors given; at least one is needed");
  if (const std::optional<Tensor> joined = without_nothing(tensors, dim)) return *joined;
  const TensorImpl& first = checked(tensors[0], "cat", "tensor 0");
  LUGE_CHECK(ShapeError, !first.shape.empty(), "cat: tensor 0 is 0-d; use stack()");
  const int d = normalize_dim("cat", dim, first.shape.ndim());
  Shape shape = first.shape;
  DType dtype = first.dtype;
  for (std::size_t i = 1; i < tensors.size(); ++i) {
    const TensorImpl& next = checked(tensors[i], "cat", "a later tensor");
    dtype = promote(dtype, next.dtype);
    LUGE_CHECK(DeviceError, next.storage->device() == first.storage->device(), "cat: tensor 0 is on {} and tensor {} on {}",
               to_string(first.storage->device()), i, to_string(next.storage->device()));
    Shape expected = first.shape;
    if (next.shape.ndim() == expected.ndim()) expected[d] = next.shape[d];
    LUGE_CHECK(ShapeError, next.shape == expected,
               "cat: tensor {} is {} and tensor 0 is {}; sizes may differ in dim {} only", i, to_string(next.shape),
               to_string(first.shape), d);
    shape[d] += next.shape[d];
  }
  std::vector<Tensor> parts;
  bool wanted = false;
  for (const Tensor& tensor : tensors) {
    parts.push_back(tensor.to(dtype));
    wanted |= needs_grad(parts.back());
  }
  Tensor result = empty_tensor(shape, dtype, first.storage->backend());
  std::int64_t start = 0;
  for (const Tensor& part : parts) {
    const std::int64_t stop = start + part.shape()[d];
    copy_values(part, result.slice(d, start, stop), Store::Overwrite);
    start = stop;
  }
  if (grad_enabled() && wanted) record(result, Ref<Node>(new CatNode(parts, d)));
  return result;
}

Tensor stack(const std::vector<Tensor>& tensors, int dim) {
  const Operation called("stack");
  LUGE_CHECK(ValueError, !tensors.empty(), "stack: no tensors given; at least one is needed");
  const Shape& shape = checked(tensors[0], "stack", "tensor 0").shape;
  const int d = normalize_dim("stack", dim, shape.ndim() + 1);
  std::vector<Tensor> layers;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    LUGE_CHECK(ShapeError, checked(tensors[i], "stack", "a later tensor").shape == shape,
               "stack: tensor {} is {} and tensor 0 is {}; all shapes must be equal", i, to_string(tensors[i].shape()),
               to_string(shape));
    layers.push_back(tensors[i].unsqueeze(d));
  }
  return cat(layers, d);
}

}  // namespace luge
