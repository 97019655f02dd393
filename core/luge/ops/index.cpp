#include <luge/ops/index.h>

#include <luge/autograd/grad_mode.h>
#include <luge/autograd/detail/node.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/detail/labels.h>
#include <luge/ops/detail/overwrite.h>
#include <luge/ops/detail/picked.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/detail/values.h>

namespace luge {

namespace {

/// Whether an index may stand more than once in a line along the dimension.
enum class Repeats : bool { No, Yes };

/// `index` has out's number of dimensions; size 1 repeats.
void run_gather(Direction direction, const Tensor& source, int dim, const Tensor& index, const Tensor& out,
                Store store = Store::Accumulate, Repeats repeats = Repeats::Yes) {
  Gather call;
  call.direction = direction;
  call.store = store;
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

/// Shape for a vector along one of `ndim` dimensions.
Shape column(int ndim, int dim, std::int64_t size) {
  Shape shape = Dims::filled(ndim, 1);
  shape[dim] = size;
  return shape;
}

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
      run_gather(Direction::Backward, whole.buffer, dim_, index_.get(name()), gradient, Store::Accumulate, repeats_);
  }

  void release_saved() override { index_.clear(); }

 private:
  Shape shape_;
  int dim_;
  Repeats repeats_;
  SavedTensor index_;
};

/// `values` take the places that a 1-d index names along dim.
void overwrite(const Tensor& x, int dim, const Tensor& index, const Tensor& values) {
  if (values.numel() == 0) return;
  run_gather(Direction::Backward, x, dim, index.view(column(x.ndim(), dim, index.numel())), values, Store::Overwrite);
}

Tensor replaced(const Tensor& x, int dim, const Tensor& labels, const Tensor& source);

class IndexCopyNode final : public Node {
 public:
  IndexCopyNode(const Tensor& x, int dim, const Tensor& index, const Tensor& source)
      : Node("index_copy"), dim_(dim) {
    add_input(x);
    add_input(source);
    index_.save(index);
  }

  void backward(const Tensor& gradient) override {
    if (GradSlot* const slot = target(0)) slot->add(of_rest(gradient), true);
    if (GradSlot* const slot = target(1)) slot->add(of_source(gradient), true);
  }

  void differentiable_backward(const Tensor& gradient) override {
    if (wants(0)) give(0, of_rest(gradient));
    if (wants(1)) give(1, of_source(gradient));
  }

  void release_saved() override { index_.clear(); }

 private:
  /// Nothing for the slices that were replaced.
  Tensor of_rest(const Tensor& gradient) const {
    const Tensor index = index_.get(name());
    Shape shape = gradient.shape();
    shape[dim_] = index.numel();
    const Tensor none = zeros({}, {.dtype = gradient.dtype(), .device = gradient.device()});
    return replaced(gradient, dim_, index, none.expand(shape));
  }

  Tensor of_source(const Tensor& gradient) const {
    // A slice that a later one has replaced gets nothing.
    const Tensor index = index_.get(name());
    const TensorOptions whole{.dtype = DType::Int64, .device = gradient.device()};
    const Tensor order = arange(index.numel(), whole), last = zeros({gradient.shape()[dim_]}, whole);
    overwrite(last, 0, index, order);
    const Tensor stays = index_select(last, 0, index).eq(order).view(column(gradient.ndim(), dim_, index.numel()));
    return where(stays, index_select(gradient, dim_, index), 0);
  }

  int dim_;
  SavedTensor index_;
};

Tensor picked(const char* op, const Tensor& x, int dim, const Tensor& index, const Shape& shape,
              Repeats repeats = Repeats::Yes) {
  Tensor out = empty_tensor(shape, x.dtype(), x.storage()->backend());
  if (out.numel() > 0) run_gather(Direction::Forward, x, dim, index, out);
  if (grad_enabled() && needs_grad(x)) record(out, Ref<Node>(new GatherNode(op, x, dim, index, repeats)));
  return out;
}

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
  if (values.numel() > 0) run_gather(Direction::Backward, out, dim, index, values, Store::Accumulate, repeats);
  if (grad_enabled() && needs_grad(values)) record(out, Ref<Node>(new ScatterNode(op, values, dim, index, repeats)));
  return out;
}

/// x with the slices that `labels` name replaced by those of `source`; all is checked.
Tensor replaced(const Tensor& x, int dim, const Tensor& labels, const Tensor& source) {
  Tensor out = no_grad([&] { return x.clone(); });
  overwrite(out, dim, labels, source);
  if (grad_enabled() && is_floating(x.dtype()) && (needs_grad(x) || needs_grad(source)))
    record(out, Ref<Node>(new IndexCopyNode(x, dim, labels, source)));
  return out;
}

void check_device(const char* op, const Tensor& x, const Tensor& index) {
  LUGE_CHECK(DeviceError, x.device() == index.device(), "{}: the tensor is on {} and the index on {}", op,
             to_string(x.device()), to_string(index.device()));
}

}  // namespace

Tensor index_select(const Tensor& x, int dim, const Tensor& index) {
  checked(x, "index_select");
  checked(index, "index_select", "index");
  check_device("index_select", x, index);
  LUGE_CHECK(ShapeError, index.ndim() == 1, "index_select: index is {}; it must have one dimension",
             to_string(index.shape()));
  LUGE_CHECK(ShapeError, x.ndim() > 0, "index_select: the tensor is 0-d; it needs at least one dimension");
  const int d = normalize_dim("index_select", dim, x.ndim());
  const Tensor labels = checked_labels("index_select", index, x.shape()[d]);
  Shape shape = x.shape(), along = Dims::filled(x.ndim(), 1);
  shape[d] = along[d] = index.numel();
  return picked("index_select", x, d, labels.view(along), shape);
}

Tensor index_copy(const Tensor& x, int dim, const Tensor& index, const Tensor& source) {
  checked(x, "index_copy");
  checked(index, "index_copy", "index");
  checked(source, "index_copy", "source");
  check_device("index_copy", x, index);
  check_device("index_copy", x, source);
  LUGE_CHECK(ShapeError, index.ndim() == 1, "index_copy: index is {}; it must have one dimension", to_string(index.shape()));
  LUGE_CHECK(ShapeError, x.ndim() > 0, "index_copy: the tensor is 0-d; it needs at least one dimension");
  const int d = normalize_dim("index_copy", dim, x.ndim());
  Shape shape = x.shape();
  shape[d] = index.numel();
  LUGE_CHECK(ShapeError, source.shape() == shape, "index_copy: source is {}; a tensor of {} with {} indices along dim {} needs {}",
             to_string(source.shape()), to_string(x.shape()), index.numel(), d, to_string(shape));
  LUGE_CHECK(DTypeError, source.dtype() == x.dtype(), "index_copy: source is {}; the tensor is {}", name(source.dtype()),
             name(x.dtype()));
  return replaced(x, d, checked_labels("index_copy", index, x.shape()[d]), source);
}

void overwrite_slices(const Tensor& x, int dim, const Tensor& index, const Tensor& values) {
  overwrite(x, dim, index, values);
  x.storage()->bump_version();
}

Tensor gather(const Tensor& x, int dim, const Tensor& index) {
  checked(x, "gather");
  checked(index, "gather", "index");
  check_device("gather", x, index);
  LUGE_CHECK(ShapeError, x.ndim() > 0 && index.ndim() == x.ndim(),
             "gather: the tensor is {} and the index {}; both need the same number (1 or more) of dimensions",
             to_string(x.shape()), to_string(index.shape()));
  const int d = normalize_dim("gather", dim, x.ndim());
  for (int i = 0; i < x.ndim(); ++i)
    LUGE_CHECK(ShapeError, i == d || index.shape()[i] <= x.shape()[i],
               "gather: the index {} is larger than the tensor {} in dimension {}; only dim {} may be", to_string(index.shape()),
               to_string(x.shape()), i, d);
  return picked("gather", x, d, checked_labels("gather", index, x.shape()[d]), index.shape());
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
