#include <luge/ops/index.h>

#include <luge/autograd/grad_mode.h>
#include <luge/autograd/detail/node.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/edit.h>
#include <luge/ops/detail/labels.h>
#include <luge/ops/detail/picked.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/detail/values.h>

namespace luge {

void run_gather(Direction direction, const Tensor& source, int dim, const Tensor& index, const Tensor& out,
                std::optional<Fold> fold, Repeats repeats) {
  Gather call;
  call.direction = direction;
  call.store = fold ? Store::Accumulate : Store::Overwrite;
  call.fold = fold.value_or(Fold::Sum);
  call.distinct = repeats == Repeats::No;
  call.dim = dim;
  call.source_size = source.shape()[dim];
  call.source = operand(source);
  call.index = operand(index);
  call.out = operand(out);
  const Binding bindings[] = {{&call.out, &out}, {&call.index, &index}};
  set_plain_extent(call.extent, out.shape(), bindings);
  for (int d = 0; d < source.ndim(); ++d) call.source.strides[static_cast<std::size_t>(d)] = source.strides()[d];
  source.storage()->backend().run(call);
}

namespace {

Tensor scattered(const char* op, const Tensor& values, int dim, const Tensor& index, const Shape& shape, Repeats repeats);

class GatherNode final : public Node {
 public:
  GatherNode(const char* name, const Tensor& source, int dim, const Tensor& index, Repeats repeats)
      : Node(name), shape_(source.shape()), dim_(dim), repeats_(repeats) {
    add_input(source);
    index_.save(index);
  }

  void differentiable_backward(const Tensor& gradient) override {
    if (wants(0)) give(0, scattered(name(), gradient, dim_, index_.get(name()), shape_, repeats_));
  }

  void backward(const Tensor& gradient) override {
    GradSlot* const slot = target(0);
    if (!slot) return;
    const GradSlot::Target whole = slot->open(shape_, gradient.dtype(), gradient.storage()->backend());
    if (whole.store == Store::Overwrite) fill_values(whole.buffer, 0);
    if (gradient.numel() > 0)
      run_gather(Direction::Backward, whole.buffer, dim_, index_.get(name()), gradient, Fold::Sum, repeats_);
  }

  void release_saved() override { index_.clear(); }

 private:
  Shape shape_;
  int dim_;
  Repeats repeats_;
  SavedTensor index_;
};

}  // namespace

Tensor picked(const char* op, const Tensor& x, int dim, const Tensor& index, const Shape& shape, Repeats repeats) {
  Tensor out = empty_tensor(shape, x.dtype(), x.storage()->backend());
  if (out.numel() > 0) run_gather(Direction::Forward, x, dim, index, out);
  if (grad_enabled() && needs_grad(x)) record(out, Ref<Node>(new GatherNode(op, x, dim, index, repeats)));
  return out;
}

namespace {

/// A gradient of picked(): summed up at the places in a tensor of `shape` that the values came from.
class ScatterNode final : public Node {
 public:
  ScatterNode(const char* name, const Tensor& values, int dim, const Tensor& index, Repeats repeats)
      : Node(name), shape_(values.shape()), dim_(dim), repeats_(repeats) {
    add_input(values);
    index_.save(index);
  }

  void backward(const Tensor& gradient) override {
    if (GradSlot* const slot = target(0)) slot->add(values_of(gradient), true);
  }

  void differentiable_backward(const Tensor& gradient) override {
    if (wants(0)) give(0, values_of(gradient));
  }

  void release_saved() override { index_.clear(); }

 private:
  Tensor values_of(const Tensor& gradient) const {
    return picked(name(), gradient, dim_, index_.get(name()), shape_, repeats_);
  }

  Shape shape_;
  int dim_;
  Repeats repeats_;
  SavedTensor index_;
};

Tensor scattered(const char* op, const Tensor& values, int dim, const Tensor& index, const Shape& shape, Repeats repeats) {
  Tensor out = zeros(shape, {.dtype = values.dtype(), .device = values.device()});
  if (values.numel() > 0) run_gather(Direction::Backward, out, dim, index, values, Fold::Sum, repeats);
  if (grad_enabled() && needs_grad(values)) record(out, Ref<Node>(new ScatterNode(op, values, dim, index, repeats)));
  return out;
}

}  // namespace

Tensor index_select(const Tensor& x, int dim, const Tensor& index) {
  checked(x, "index_select");
  checked(index, "index_select", "index");
  check_same_device("index_select", x, "index", index);
  LUGE_CHECK(ShapeError, index.ndim() <= 1, "index_select: index is {}; it must have one dimension",
             to_string(index.shape()));
  const Tensor whole = lifted(x);
  const int d = normalize_dim("index_select", dim, whole.ndim());
  const Tensor labels = checked_labels("index_select", index, whole.shape()[d], 0, d);
  Shape shape = whole.shape();
  shape[d] = index.numel();
  LUGE_CHECK(ShapeError, x.ndim() > 0 || index.numel() == 1,
             "index_select: index has {} elements; a 0-d tensor takes one", index.numel());
  const Tensor result = picked("index_select", whole, d, labels.view(column(whole.ndim(), d, index.numel())), shape);
  return x.ndim() == 0 ? result.view({}) : result;
}

Tensor gather(const Tensor& x, int dim, const Tensor& index) {
  checked(x, "gather");
  checked(index, "gather", "index");
  check_same_device("gather", x, "index", index);
  const Tensor whole = lifted(x), places = lifted(index);
  LUGE_CHECK(ShapeError, places.ndim() == whole.ndim(),
             "gather: the tensor is {} and the index {}; both need the same number of dimensions", to_string(x.shape()),
             to_string(index.shape()));
  const int d = normalize_dim("gather", dim, whole.ndim());
  for (int i = 0; i < whole.ndim(); ++i)
    LUGE_CHECK(ShapeError, i == d || places.shape()[i] <= whole.shape()[i],
               "gather: the index {} is larger than the tensor {} in dimension {}; only dim {} may be", to_string(index.shape()),
               to_string(x.shape()), i, d);
  const Tensor result = picked("gather", whole, d, checked_labels("gather", places, whole.shape()[d], 0, d), places.shape());
  return index.ndim() == 0 ? result.view({}) : result;
}

void record_picked(const char* op, Tensor& values, const Tensor& x, int dim, const Tensor& index) {
  if (grad_enabled() && needs_grad(x)) record(values, Ref<Node>(new GatherNode(op, x, dim, index, Repeats::No)));
}

Tensor Tensor::index_select(int dim, const Tensor& index) const { return luge::index_select(*this, dim, index); }
Tensor Tensor::index_copy(int dim, const Tensor& index, const Tensor& source) const {
  return luge::index_copy(*this, dim, index, source);
}
Tensor Tensor::gather(int dim, const Tensor& index) const { return luge::gather(*this, dim, index); }

}  // namespace luge
